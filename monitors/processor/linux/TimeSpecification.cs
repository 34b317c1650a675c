// struct timespec of the kernel's ABI: points in time and durations as programs give and get them. Durations that do not fit saturate.

using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Seconds and nanoseconds.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct TimeSpecification
{
    private const ulong SecondNs = 1_000_000_000;

    public long Seconds;
    public long Nanoseconds;

    /// <summary>True when it is a valid duration or time (nanoseconds below a second, seconds not negative).</summary>
    public readonly bool IsValid => Seconds >= 0 && (ulong)Nanoseconds < SecondNs;

    /// <summary>Total in nanoseconds, at most what fits.</summary>
    public readonly ulong TotalNs =>
        (ulong)Seconds >= (ulong.MaxValue / SecondNs) - 1 ? ulong.MaxValue : ((ulong)Seconds * SecondNs) + (ulong)Nanoseconds;

    public static TimeSpecification FromNs(ulong nanoseconds) =>
        new() { Seconds = (long)(nanoseconds / SecondNs), Nanoseconds = (long)(nanoseconds % SecondNs) };

    /// <summary>A file's time as messages carry it.</summary>
    public static TimeSpecification FromFileTime(ulong time) =>
        new() { Seconds = FileTime.SecondsOf(time), Nanoseconds = FileTime.NanosecondsOf(time) };

    /// <summary>The time in Clock.NowNs terms that lies a duration ahead; ulong.MaxValue = never.</summary>
    public static ulong DeadlineAfter(ulong durationNs)
    {
        ulong now = Clock.NowNs();
        return durationNs > ulong.MaxValue - now ? ulong.MaxValue : now + durationNs;
    }

    /// <summary>The time in Clock.NowNs terms of a point of real time (ns since 1970); what has passed is now.</summary>
    public static ulong MonotonicOf(ulong realNs)
    {
        ulong realNow = Clock.UnixTimeNs();
        return DeadlineAfter(realNs > realNow ? realNs - realNow : 0);
    }

    /// <summary>Reads a relative time from the program and turns it into a deadline; address 0 = never. EFAULT, EINVAL.</summary>
    public static Errno ReadDeadline(Process* process, ulong address, out ulong deadlineNs)
    {
        deadlineNs = ulong.MaxValue;
        if (address == 0)
        {
            return Errno.None;
        }

        Errno error = new UserPointer<TimeSpecification>(address).Read(process, out TimeSpecification time);
        if (error != Errno.None || !time.IsValid)
        {
            return error != Errno.None ? error : Errno.EINVAL;
        }

        deadlineNs = DeadlineAfter(time.TotalNs);
        return Errno.None;
    }
}
