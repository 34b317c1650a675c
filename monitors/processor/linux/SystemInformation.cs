// uname, sethostname, setdomainname, sysinfo, getrandom, syslog (uname(2), sysinfo(2), getrandom(2)).

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct sysinfo, 112 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 112)]
public struct SystemInformationRecord
{
    public long UptimeSeconds;
    public ulong Load1;
    public ulong Load5;
    public ulong Load15;
    public ulong TotalMemory;
    public ulong FreeMemory;
    public ulong SharedMemory;
    public ulong BufferMemory;
    public ulong TotalSwap;
    public ulong FreeSwap;
    public ushort Processes;
    public ushort Padding0;
    public uint Padding1;
    public ulong TotalHighMemory;
    public ulong FreeHighMemory;
    public uint MemoryUnitBytes;
}

/// <summary>System calls that tell about the system.</summary>
public static unsafe class SystemInformation
{
    /// <summary>Bytes of one of the six texts of struct utsname.</summary>
    private const int NameFieldBytes = SystemFacts.MaxNameBytes + 1;
    private const int NameFieldCount = 6;
    private const ulong SecondNs = 1_000_000_000;
    private const int LoadShift = 16;
    private const ulong RandomFlags = 7;

    [SystemCall(63, "uname", Support.Full)]
    internal static long Name(ref SystemCall call)
    {
        Span<byte> record = stackalloc byte[NameFieldCount * NameFieldBytes];
        record.Clear();
        SystemFacts.System.CopyTo(record);
        FileSystem.Of(call.Process).Facts.HostName.CopyTo(record.Slice(NameFieldBytes));
        SystemFacts.Release.CopyTo(record.Slice(2 * NameFieldBytes));
        SystemFacts.Version.CopyTo(record.Slice(3 * NameFieldBytes));
        SystemFacts.Machine.CopyTo(record.Slice(4 * NameFieldBytes));
        SystemFacts.DomainName.CopyTo(record.Slice(5 * NameFieldBytes));
        return SystemCall.Result(UserMemory.CopyOut(call.Process, call.A0, record));
    }

    [SystemCall(170, "sethostname", Support.Full)]
    internal static long SetHostName(ref SystemCall call)
    {
        if (call.Process->EffectiveUserId != 0)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (call.A1 > SystemFacts.MaxNameBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Span<byte> name = stackalloc byte[SystemFacts.MaxNameBytes];
        name = name.Slice(0, (int)call.A1);
        Errno error = UserMemory.CopyIn(call.Process, call.A0, name);
        if (error == Errno.None)
        {
            FileSystem.Of(call.Process).Facts.SetHostName(name);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(171, "setdomainname", Support.Stub, "accepted without effect")]
    internal static long SetDomainName(ref SystemCall call)
    {
        return call.Process->EffectiveUserId != 0 ? SystemCall.Fail(Errno.EPERM)
            : call.A1 > SystemFacts.MaxNameBytes ? SystemCall.Fail(Errno.EINVAL) : 0;
    }

    [SystemCall(99, "sysinfo", Support.Partial, "memory is that of the processor component; loads are the present ones")]
    internal static long Information(ref SystemCall call)
    {
        ulong load = (ulong)FileSystem.Of(call.Process).Facts.RunningCount << LoadShift;
        SystemInformationRecord record = new()
        {
            UptimeSeconds = (long)(Clock.NowNs() / SecondNs),
            Load1 = load,
            Load5 = load,
            Load15 = load,
            TotalMemory = FileSystem.Of(call.Process).Facts.TotalMemoryBytes,
            FreeMemory = FileSystem.Of(call.Process).Facts.FreeMemoryBytes,
            Processes = (ushort)call.Process->Table.Count,
            MemoryUnitBytes = 1,
        };
        return SystemCall.Result(new UserPointer<SystemInformationRecord>(call.A0).Write(call.Process, in record));
    }

    [SystemCall(318, "getrandom", Support.Full)]
    internal static long GetRandom(ref SystemCall call)
    {
        if ((call.A2 & ~RandomFlags) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        IoVector to = IoVector.OfUser(call.Process, call.A0, call.A1);
        return RandomDevice.Deliver(call.Process, ref to);
    }

    [SystemCall(103, "syslog", Support.Stub, "an empty log")]
    internal static long Log(ref SystemCall call)
    {
        const ulong SizeOfBuffer = 10;
        const ulong LastAction = 10;
        return call.A0 > LastAction ? SystemCall.Fail(Errno.EINVAL) : call.A0 == SizeOfBuffer ? PageOperations.PageSize : 0;
    }
}
