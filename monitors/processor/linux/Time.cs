// Clocks and sleeping: clock_gettime, clock_getres, clock_settime, clock_nanosleep, nanosleep, gettimeofday, settimeofday, time, times
// (clock_gettime(2), nanosleep(2), times(2)).

using System;
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
        int number = NumberOf(call.A0);
        bool exists = number < 0
            ? ProcessorClock.TryFind(call.Process, number, ClockUse.Other, out _)
            : TryRead(call.Process, call.A0, out _);
        if (!exists)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        // The coarse clocks are as good as the others here, but programs may rely on what they are called.
        bool isCoarse = number < 0 ? ProcessorClock.IsCoarse(number) : call.A0 is RealTimeCoarse or MonotonicCoarse;
        TimeSpecification resolution = new() { Nanoseconds = isCoarse ? CoarseNs : 1 };
        return call.A1 == 0 ? 0 : SystemCall.Result(new UserPointer<TimeSpecification>(call.A1).Write(call.Process, in resolution));
    }

    [SystemCall(227, "clock_settime", Support.Partial, "EPERM for root as well: the rack's time is its host's")]
    internal static long SetClock(ref SystemCall call)
    {
        // Only the real-time clock can be set at all, and nobody has the right to set those of processor time.
        int number = (int)call.A0;
        if (call.A0 != RealTime && number >= 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = new UserPointer<TimeSpecification>(call.A1).Read(call.Process, out TimeSpecification time);
        bool isValid = number < 0 ? ProcessorClock.TryFind(call.Process, number, ClockUse.Other, out _) : time.IsValid;
        return SystemCall.Fail(error != Errno.None ? error : isValid ? Errno.EPERM : Errno.EINVAL);
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
        if (call.A0 == ProcessTime || ProcessorClock.IsNumber((int)call.A0))
        {
            return SleepOnProcessor(ref call, NumberOf(call.A0));
        }

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
                nanoseconds = 0;
                return ProcessorClock.TryFind(process, (int)clock, ClockUse.Read, out ProcessorClock counted)
                    && counted.TryRead(process->Table, out nanoseconds);
        }
    }

    /// <summary>Takes the clock that a created timer counts; false for clocks that have no timers, or are not there.</summary>
    internal static bool TryTakeClock(Process* process, ulong clock, ProcessTimer* timer)
    {
        timer->CountsRealTime = clock is RealTime or International;
        if (clock is RealTime or Monotonic or BootTime or International)
        {
            return true;
        }

        timer->Clock = TimerClock.Named;
        return ProcessorClock.TryFind(process, NumberOf(clock), ClockUse.Other, out timer->Counted);
    }

    /// <summary>The number of a clock as one of processor time; not below 0: it is none.</summary>
    private static int NumberOf(ulong clock) =>
        clock == ProcessTime ? ProcessorClock.OwnProcess : clock == ThreadTime ? ProcessorClock.OwnThread : (int)clock;

    /// <summary>Of clocks that nobody can wait on: EOPNOTSUPP where they exist, EINVAL where they do not.</summary>
    internal static Errno NoSuchTimer(ulong clock)
    {
        bool isDevices = (int)clock < 0 && !ProcessorClock.IsNumber((int)clock);
        return isDevices || clock <= BootTimeAlarm ? Errno.EOPNOTSUPP : Errno.EINVAL;
    }

    /// <summary>
    /// Sleeps until somebody has used so much processor time. It is looked at when that can be so at the earliest, as by TimerQueue. Who is
    /// gone uses none: then only a signal ends it, as on Linux.
    /// </summary>
    private static long SleepOnProcessor(ref SystemCall call, int number)
    {
        Process* process = call.Process;
        bool isAbsolute = (call.A1 & AbsoluteTime) != 0;
        Errno error = new UserPointer<TimeSpecification>(call.A2).Read(process, out TimeSpecification time);
        error = error == Errno.None && (!time.IsValid || ProcessorClock.IsOwnThread(process, number)) ? Errno.EINVAL : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (!ProcessorClock.TryFind(process, number, ClockUse.Other, out ProcessorClock clock))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        clock.TryRead(process->Table, out ulong now);
        ulong due = isAbsolute ? time.TotalNs
            : call.ResumedDeadlineNs != 0 ? call.ResumedDeadlineNs
            : now + Math.Min(time.TotalNs, ulong.MaxValue - now);
        WaitQueue nobodyWakes = default;
        while (error == Errno.None)
        {
            bool isThere = clock.TryRead(process->Table, out now);
            if (isThere && now >= due)
            {
                return 0;
            }

            ulong deadline = isThere ? TimeSpecification.DeadlineAfter(Math.Max(due - now, TimerQueue.ProcessorTickNs)) : ulong.MaxValue;
            error = Signals.WaitUntil(ref nobodyWakes, deadline);
            error = error == Errno.ETIMEDOUT ? Errno.None : error;
        }

        if (!isAbsolute && call.A3 != 0)
        {
            TimeSpecification left = TimeSpecification.FromNs(due > now ? due - now : 0);
            Errno written = new UserPointer<TimeSpecification>(call.A3).Write(process, in left);
            error = written != Errno.None ? written : error;
        }

        return isAbsolute ? SystemCall.Fail(error) : call.FailKeeping(error, due);
    }

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
