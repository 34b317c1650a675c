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

    private static ulong* s_trapEntry;
    private static ulong s_trapValue;
    private static delegate*<UserContext*, ulong, PageFaultCode, void> s_ordinaryHandler;

    /// <summary>Whether the boot line allows it.</summary>
    public static bool Enabled => BootArguments.Is("bench"u8, "on"u8);

    /// <summary>Runs one measurement. BLOCKS.</summary>
    public static long Run(ref SystemCall call) => call.A0 switch
    {
        RpcEcho or LinkEcho => MeasureEcho(ref call),
        ArmTrap => ArmOneTrap(ref call),
        _ => SystemCall.Fail(Errno.EINVAL),
    };

    private static long MeasureEcho(ref SystemCall call)
    {
        ProcessorMonitor monitor = ProcessorMonitor.Instance;
        ushort home = call.Process->Space->Home;
        byte* page = (byte*)monitor.Frames.AllocateCleared();
        uint* samples = (uint*)monitor.Frames.Allocate();
        if (page == null || samples == null)
        {
            Release(monitor.Frames, page, samples);
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
                ? !monitor.Rpc.RawEcho(home, page)
                : monitor.Rpc.Call(home, Opcode.Echo, in context, default, bytes, bytes, out _) != Errno.None;
            samples[index] = (uint)(Clock.NowNs() - start);
        }

        long median = failed ? SystemCall.Fail(Errno.EIO) : Median(new Span<uint>(samples, count));
        Release(monitor.Frames, page, samples);
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
        ulong* entry = call.A1 < PageTable.UserEnd ? PageTable.Entry(call.Process->Space->PageTableRoot, call.A1, null) : null;
        if (entry == null || (*entry & PageTable.Present) == 0)
        {
            return SystemCall.Fail(Errno.EFAULT);
        }

        s_trapEntry = entry;
        s_trapValue = *entry;
        *entry &= ~PageTable.Present;
        PageTable.Invalidate(call.A1);
        s_ordinaryHandler = UserMode.PageFaultHandler;
        UserMode.PageFaultHandler = &PutBack;
        return 0;
    }

    private static void PutBack(UserContext* user, ulong address, PageFaultCode code)
    {
        *s_trapEntry = s_trapValue;
        UserMode.PageFaultHandler = s_ordinaryHandler;
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
