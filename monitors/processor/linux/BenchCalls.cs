// The private system call of tools/bench/fetch.c, there only when the boot line says bench=on: measurements that a program cannot make from
// user mode. It is not part of the Linux ABI and has a number that Linux does not use.
//
// lego_bench(0, n): median time in nanoseconds of n RPC echoes of a page with the home memory component
// lego_bench(2, n): the same on the bare link, below the RPC layer
// lego_bench(1, address): makes a resident page fault once more; the fault only puts the entry back, so its time is the bare trap's

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Measurements for bench fetch.</summary>
public static unsafe class BenchCalls
{
    /// <summary>The system call's number.</summary>
    public const ulong Number = 19527;

    private const ulong RpcEcho = 0;
    private const ulong ArmTrap = 1;
    private const ulong LinkEcho = 2;
    private const int MaxSamples = PageOperations.PageSize / sizeof(uint);

    /// <summary>Whether the boot line allows it.</summary>
    public static bool Enabled => BootArguments.Is("bench"u8, "on"u8);

    /// <summary>Runs one measurement.</summary>
    [Blocks]
    public static long Run(ref SystemCall call) => call.A0 switch
    {
        RpcEcho or LinkEcho => MeasureEcho(ref call),
        ArmTrap => ArmOneTrap(ref call),
        _ => SystemCall.Fail(Errno.EINVAL),
    };

    private static long MeasureEcho(ref SystemCall call)
    {
        Processes processes = call.Process->Table;
        ushort home = call.Process->Space->Home;
        byte* page = (byte*)processes.Frames.AllocateCleared();
        uint* samples = (uint*)processes.Frames.Allocate();
        if (page == null || samples == null)
        {
            Release(processes.Frames, page, samples);
            return SystemCall.Fail(Errno.ENOMEM);
        }

        int count = (int)Math.Min(call.A1, MaxSamples);
        Span<byte> bytes = new(page, PageOperations.PageSize);
        RpcContext context = new() { Class = RpcClass.DemandFetch };
        bool failed = count == 0;
        for (int index = 0; index < count && !failed; index++)
        {
            ulong start = Clock.NowNs();
            failed = call.A0 == LinkEcho
                ? !processes.Rpc.RawEcho(home, page)
                : processes.Rpc.Call(home, Opcode.Echo, in context, default, bytes, bytes, out _) != Errno.None;
            samples[index] = (uint)(Clock.NowNs() - start);
        }

        long median = failed ? SystemCall.Fail(Errno.EIO) : Median(new Span<uint>(samples, count));
        Release(processes.Frames, page, samples);
        return median;
    }

    /// <summary>The middle sample, by selection sort up to the middle: a thousand samples, once.</summary>
    private static uint Median(Span<uint> samples)
    {
        int middle = samples.Length / 2;
        for (int index = 0; index <= middle; index++)
        {
            int smallest = index;
            for (int other = index + 1; other < samples.Length; other++)
            {
                smallest = samples[other] < samples[smallest] ? other : smallest;
            }

            (samples[index], samples[smallest]) = (samples[smallest], samples[index]);
        }

        return samples[middle];
    }

    private static long ArmOneTrap(ref SystemCall call)
    {
        ulong* entry = call.A1 < PageTable.UserEnd ? PageTable.Find(call.Process->Space->PageTableRoot, call.A1) : null;
        if (entry == null || (*entry & PageTable.Present) == 0)
        {
            return SystemCall.Fail(Errno.EFAULT);
        }

        call.Processor.TrapMeasurement.Arm(entry);
        *entry &= ~PageTable.Present;
        PageTable.Invalidate(call.Process->Space->PageTableRoot, call.A1);
        return 0;
    }

    private static void Release(FrameAllocator frames, byte* page, uint* samples)
    {
        if (page != null)
        {
            frames.Free(page);
        }

        if (samples != null)
        {
            frames.Free(samples);
        }
    }
}

/// <summary>Takes the place of the ordinary handler for one page fault, which only puts the entry back.</summary>
public sealed unsafe class TrapMeasurement(UserModeHandler ordinary) : UserModeHandler
{
    private ulong* _entry;
    private ulong _value;

    /// <summary>The next page fault is the one of this entry, which is present until then.</summary>
    public void Arm(ulong* entry)
    {
        _entry = entry;
        _value = *entry;
        UserMode.Handler = this;
    }

    public override bool OnPageFault(Thread* current, UserContext* user, ulong address, PageFaultCode code)
    {
        *_entry = _value;
        UserMode.Handler = ordinary;
        return false;
    }

    public override bool OnSystemCall(Thread* current, UserContext* user) => ordinary.OnSystemCall(current, user);

    public override void OnTrap(Thread* current, UserContext* user, int vector, ulong errorCode) =>
        ordinary.OnTrap(current, user, vector, errorCode);

    public override void OnReturn(Thread* current, UserContext* user) => ordinary.OnReturn(current, user);
}
