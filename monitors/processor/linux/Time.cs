// Clocks and sleeping: clock_gettime, clock_getres, clock_settime, clock_nanosleep, nanosleep, gettimeofday, settimeofday, time, times
// (clock_gettime(2), nanosleep(2), times(2)).

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about time.</summary>
public static unsafe class Time
{
    private const ulong RealTime = 0;
    private const ulong Monotonic = 1;
    private const ulong ProcessTime = 2;
    private const ulong ThreadTime = 3;
    private const ulong MonotonicRaw = 4;
    private const ulong RealTimeCoarse = 5;
    private const ulong MonotonicCoarse = 6;
    private const ulong BootTime = 7;
    private const ulong RealTimeAlarm = 8;
    private const ulong BootTimeAlarm = 9;
    private const ulong International = 11;

    private const ulong AbsoluteTime = 1;
    private const ulong SecondNs = 1_000_000_000;
    private const ulong MicrosecondNs = 1_000;
    private const long CoarseNs = 4_000_000;

    /// <summary>struct tms of times(2).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ProcessTimes
    {
        internal ulong User;
        internal ulong System;
        internal ulong ChildrenUser;
        internal ulong ChildrenSystem;
    }

    [SystemCall(228, "clock_gettime", Support.Partial, "no clocks of devices")]
    internal static long GetClock(ref SystemCall call)
    {
        if (!TryRead(call.Process, call.A0, out ulong nanoseconds))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        TimeSpecification time = TimeSpecification.FromNs(nanoseconds);
        return SystemCall.Result(new UserPointer<TimeSpecification>(call.A1).Write(call.Process, in time));
    }

    [SystemCall(229, "clock_getres", Support.Full)]
    internal static long GetResolution(ref SystemCall call)
    {
        if (!TryRead(call.Process, call.A0, out _))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        // The coarse clocks are as good as the others here, but programs may rely on what they are called.
        TimeSpecification resolution = new() { Nanoseconds = call.A0 is RealTimeCoarse or MonotonicCoarse ? CoarseNs : 1 };
        return call.A1 == 0 ? 0 : SystemCall.Result(new UserPointer<TimeSpecification>(call.A1).Write(call.Process, in resolution));
    }

    [SystemCall(227, "clock_settime", Support.Partial, "EPERM for root as well: the rack's time is its host's")]
    internal static long SetClock(ref SystemCall call)
    {
        // Only the real-time clock can be set at all.
        Errno error = new UserPointer<TimeSpecification>(call.A1).Read(call.Process, out TimeSpecification time);
        return SystemCall.Fail(call.A0 != RealTime ? Errno.EINVAL
            : error != Errno.None ? error
            : time.IsValid ? Errno.EPERM : Errno.EINVAL);
    }

    [SystemCall(164, "settimeofday", Support.Partial, "EPERM for root as well: the rack's time is its host's")]
    internal static long SetTimeOfDay(ref SystemCall call)
    {
        TimeSpecification time = default;
        Errno error = call.A0 == 0 ? Errno.None : new UserPointer<TimeSpecification>(call.A0).Read(call.Process, out time);
        bool isValid = time.Seconds >= 0 && (ulong)time.Nanoseconds <= SecondNs / MicrosecondNs;
        return SystemCall.Fail(error != Errno.None ? error : isValid ? Errno.EPERM : Errno.EINVAL);
    }

    [SystemCall(35, "nanosleep", Support.Full)]
    internal static long Sleep(ref SystemCall call) => Sleep(ref call, Monotonic, isAbsolute: false, call.A0, call.A1);

    [SystemCall(230, "clock_nanosleep", Support.Full)]
    internal static long SleepOnClock(ref SystemCall call)
    {
        if (call.A0 is not (RealTime or Monotonic or BootTime or International))
        {
            return SystemCall.Fail(NoSuchTimer(call.A0));
        }

        return Sleep(ref call, call.A0, (call.A1 & AbsoluteTime) != 0, call.A2, call.A3);
    }

    [SystemCall(96, "gettimeofday", Support.Full)]
    internal static long GetTimeOfDay(ref SystemCall call)
    {
        Errno error = Errno.None;
        if (call.A0 != 0)
        {
            TimeSpecification time = TimeSpecification.FromNs(Clock.UnixTimeNs());
            time.Nanoseconds /= (long)MicrosecondNs;
            error = new UserPointer<TimeSpecification>(call.A0).Write(call.Process, in time);
        }

        if (error == Errno.None && call.A1 != 0)
        {
            // struct timezone: UTC.
            error = new UserPointer<ulong>(call.A1).Write(call.Process, 0);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(201, "time", Support.Full)]
    internal static long GetSeconds(ref SystemCall call)
    {
        long seconds = (long)(Clock.UnixTimeNs() / SecondNs);
        Errno error = call.A0 == 0 ? Errno.None : new UserPointer<long>(call.A0).Write(call.Process, in seconds);
        return SystemCall.Result(error, seconds);
    }

    [SystemCall(100, "times", Support.Full)]
    internal static long GetProcessTimes(ref SystemCall call)
    {
        CpuTime.Of(call.Process, out ulong userNs, out ulong systemNs);
        ProcessTimes times = new()
        {
            User = userNs / SystemFacts.NanosecondsPerTick,
            System = systemNs / SystemFacts.NanosecondsPerTick,
            ChildrenUser = call.Process->ChildrenUserTimeNs / SystemFacts.NanosecondsPerTick,
            ChildrenSystem = call.Process->ChildrenSystemTimeNs / SystemFacts.NanosecondsPerTick,
        };
        Errno error = call.A0 == 0 ? Errno.None : new UserPointer<ProcessTimes>(call.A0).Write(call.Process, in times);
        return SystemCall.Result(error, (long)(Clock.NowNs() / SystemFacts.NanosecondsPerTick));
    }

    /// <summary>The time of a clock; false for clocks that do not exist.</summary>
    private static bool TryRead(Process* process, ulong clock, out ulong nanoseconds)
    {
        switch (clock)
        {
            case RealTime:
            case RealTimeCoarse:
            case RealTimeAlarm:
            case International:
                nanoseconds = Clock.UnixTimeNs();
                return true;
            case Monotonic:
            case MonotonicRaw:
            case MonotonicCoarse:
            case BootTime:
            case BootTimeAlarm:
                nanoseconds = Clock.NowNs();
                return true;
            case ProcessTime:
                nanoseconds = CpuTime.TotalNs(process);
                return true;
            case ThreadTime:
                nanoseconds = CpuTime.TotalNs(UserThread.ActingFor(process));
                return true;
            default:
                return TryReadProcessor(process, (int)clock, out nanoseconds);
        }
    }

    /// <summary>
    /// Clocks of processor time by process id (clock_getcpuclockid(3)): the id's complement above three bits that say whose and what part;
    /// the same number for a thread. Zero is the caller.
    /// </summary>
    private static bool TryReadProcessor(Process* caller, int clock, out ulong nanoseconds)
    {
        const int PartMask = 3;
        const int All = 2;
        const int User = 1;
        nanoseconds = 0;
        int part = clock & PartMask;
        uint id = (uint)~(clock >> 3);
        if (clock >= 0 || part > All)
        {
            return false;
        }

        Process* process = id == 0 ? caller : Visibility.FindProcess(caller, id);
        if (process == null)
        {
            return false;
        }

        CpuTime.Of(process, out ulong userNs, out ulong systemNs);
        nanoseconds = part == User ? userNs : userNs + systemNs;
        return true;
    }

    /// <summary>What a created timer on a clock counts; false for clocks that have no timers.</summary>
    internal static bool TryTimerClock(ulong clock, out TimerClock counted, out bool countsRealTime)
    {
        const int OwnMask = ~7;
        // The caller's own clocks of processor time by their numbers (TryReadProcessor).
        bool isOwn = ((int)clock & OwnMask) == OwnMask && ((int)clock & 3) < 3;
        countsRealTime = clock is RealTime or International;
        counted = isOwn || clock is ProcessTime or ThreadTime ? TimerClock.Processor : TimerClock.Elapsed;
        return isOwn || clock is RealTime or Monotonic or BootTime or International or ProcessTime or ThreadTime;
    }

    /// <summary>Of clocks that nobody can wait on: EOPNOTSUPP where they exist, EINVAL where they do not.</summary>
    internal static Errno NoSuchTimer(ulong clock) => clock <= BootTimeAlarm ? Errno.EOPNOTSUPP : Errno.EINVAL;

    private static long Sleep(ref SystemCall call, ulong clock, bool isAbsolute, ulong address, ulong remainingAddress)
    {
        Errno error = new UserPointer<TimeSpecification>(address).Read(call.Process, out TimeSpecification time);
        if (error != Errno.None || !time.IsValid)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        ulong duration = time.TotalNs;
        if (isAbsolute)
        {
            TryRead(call.Process, clock, out ulong clockNow);
            duration = duration > clockNow ? duration - clockNow : 0;
        }

        ulong deadline = call.ResumedDeadlineNs != 0 && !isAbsolute ? call.ResumedDeadlineNs : TimeSpecification.DeadlineAfter(duration);
        WaitQueue nobodyWakes = default;
        while (error == Errno.None && Clock.NowNs() < deadline)
        {
            error = Signals.WaitUntil(ref nobodyWakes, deadline);
        }

        if (error is Errno.None or Errno.ETIMEDOUT)
        {
            return 0;
        }

        ulong now = Clock.NowNs();
        if (!isAbsolute && remainingAddress != 0)
        {
            TimeSpecification left = TimeSpecification.FromNs(deadline > now ? deadline - now : 0);
            Errno written = new UserPointer<TimeSpecification>(remainingAddress).Write(call.Process, in left);
            error = written != Errno.None ? written : error;
        }

        return isAbsolute ? SystemCall.Fail(error) : call.FailKeeping(error, deadline);
    }
}
