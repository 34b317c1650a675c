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
    private const ulong RandomPool = 2;
    private const ulong RandomInsecure = 4;
    /// <summary>PER_MASK and PER_LINUX32 of personality(2).</summary>
    private const uint PersonalityMask = 0xFF;
    private const uint Personality32 = 8;

    [SystemCall(63, "uname", Support.Full)]
    internal static long Name(ref SystemCall call)
    {
        Span<byte> record = stackalloc byte[NameFieldCount * NameFieldBytes];
        record.Clear();
        SystemFacts facts = FileSystem.Of(call.Process).Facts;
        SystemFacts.System.CopyTo(record);
        facts.HostName.CopyTo(record.Slice(NameFieldBytes));
        SystemFacts.Release.CopyTo(record.Slice(2 * NameFieldBytes));
        SystemFacts.Version.CopyTo(record.Slice(3 * NameFieldBytes));
        // A program for 32 bits asks what it is to be built for (setarch(8)).
        bool isNarrow = (call.Process->Personality & PersonalityMask) == Personality32;
        (isNarrow ? "i686"u8 : SystemFacts.Machine).CopyTo(record.Slice(4 * NameFieldBytes));
        facts.DomainName.CopyTo(record.Slice(5 * NameFieldBytes));
        return SystemCall.Result(UserMemory.CopyOut(call.Process, call.A0, record));
    }

    [SystemCall(170, "sethostname", Support.Full)]
    internal static long SetHostName(ref SystemCall call)
    {
        Span<byte> name = stackalloc byte[SystemFacts.MaxNameBytes];
        Errno error = ReadName(ref call, name, out int length);
        if (error == Errno.None)
        {
            FileSystem.Of(call.Process).Facts.SetHostName(name.Slice(0, length));
        }

        return SystemCall.Result(error);
    }

    [SystemCall(171, "setdomainname", Support.Full)]
    internal static long SetDomainName(ref SystemCall call)
    {
        Span<byte> name = stackalloc byte[SystemFacts.MaxNameBytes];
        Errno error = ReadName(ref call, name, out int length);
        if (error == Errno.None)
        {
            FileSystem.Of(call.Process).Facts.SetDomainName(name.Slice(0, length));
        }

        return SystemCall.Result(error);
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
        if ((call.A2 & ~RandomFlags) != 0 || (call.A2 & (RandomPool | RandomInsecure)) == (RandomPool | RandomInsecure))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        IoVector to = new(call.Process, call.A0, call.A1);
        return RandomDevice.Deliver(call.Process, ref to);
    }

    [SystemCall(103, "syslog", Support.Partial,
        "the log is the rack's and kept by its tool: it reads as empty, and the console's level is EPERM")]
    internal static long Log(ref SystemCall call)
    {
        const int Read = 2;
        const int ReadAll = 3;
        const int ReadAndClear = 4;
        const int ConsoleOff = 6;
        const int ConsoleLevel = 8;
        const int SizeOfBuffer = 10;
        int action = (int)call.A0;
        if (action is < 0 or > SizeOfBuffer)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        bool isPrivileged = call.Process->EffectiveUserId == 0 || action is ReadAll or SizeOfBuffer;
        if (!isPrivileged || action is >= ConsoleOff and <= ConsoleLevel)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (action is Read or ReadAll or ReadAndClear && (call.A1 == 0 || (int)call.A2 < 0))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return action == SizeOfBuffer ? PageOperations.PageSize : 0;
    }

    /// <summary>A host or domain name that root gives. EPERM, EINVAL, EFAULT.</summary>
    private static Errno ReadName(ref SystemCall call, scoped Span<byte> name, out int length)
    {
        length = 0;
        if (!Visibility.IsRootOfComponent(call.Process))
        {
            return Errno.EPERM;
        }

        if (call.A1 > SystemFacts.MaxNameBytes)
        {
            return Errno.EINVAL;
        }

        length = (int)call.A1;
        return UserMemory.CopyIn(call.Process, call.A0, name.Slice(0, length));
    }
}
