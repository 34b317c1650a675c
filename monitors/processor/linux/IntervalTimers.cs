// alarm, setitimer, getitimer (alarm(2), setitimer(2)). The timers stand in the process; process/TimerQueue.cs fires them.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about a process's interval timers.</summary>
public static unsafe class IntervalTimers
{
    private const ulong RealTimer = 0;
    private const ulong VirtualTimer = 1;
    private const ulong ProfileTimer = 2;
    private const ulong SecondNs = 1_000_000_000;
    private const ulong MicrosecondNs = 1_000;
    private const long MicrosecondsPerSecond = 1_000_000;

    /// <summary>struct itimerval: interval, then value, each in seconds and microseconds.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TimerSetting
    {
        internal long IntervalSeconds;
        internal long IntervalMicroseconds;
        internal long Seconds;
        internal long Microseconds;
    }

    [SystemCall(37, "alarm", Support.Full)]
    internal static long Alarm(ref SystemCall call)
    {
        ProcessTimer* timer = &call.Process->RealTimer;
        ulong leftNs = TimerQueue.RemainingNs(timer);
        ulong valueNs = (uint)call.A0 * SecondNs;
        call.Process->Table.Timers.Set(call.Process, timer, valueNs == 0 ? 0 : TimeSpecification.DeadlineAfter(valueNs), 0);
        // Rounded to the nearest second, but an armed timer never reads as none.
        return leftNs == 0 ? 0 : (long)Math.Max(1, (leftNs + (SecondNs / 2)) / SecondNs);
    }

    [SystemCall(38, "setitimer", Support.Full)]
    internal static long Set(ref SystemCall call)
    {
        ProcessTimer* timer = Find(call.Process, call.A0);
        if (timer == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        TimerSetting setting = default;
        Errno error = call.A1 == 0 ? Errno.None : new UserPointer<TimerSetting>(call.A1).Read(call.Process, out setting);
        if (error == Errno.None && (!IsValid(setting.Seconds, setting.Microseconds)
            || !IsValid(setting.IntervalSeconds, setting.IntervalMicroseconds)))
        {
            error = Errno.EINVAL;
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        TimerSetting before = SettingOf(timer);
        ulong valueNs = ToNs(setting.Seconds, setting.Microseconds);
        ulong now = TimerQueue.NowOf(call.Process, timer->Clock);
        ulong dueNs = valueNs > ulong.MaxValue - now ? ulong.MaxValue : now + valueNs;
        call.Process->Table.Timers.Set(call.Process, timer, valueNs == 0 ? 0 : dueNs,
            ToNs(setting.IntervalSeconds, setting.IntervalMicroseconds));
        return call.A2 == 0 ? 0 : SystemCall.Result(new UserPointer<TimerSetting>(call.A2).Write(call.Process, in before));
    }

    [SystemCall(36, "getitimer", Support.Full)]
    internal static long Get(ref SystemCall call)
    {
        ProcessTimer* timer = Find(call.Process, call.A0);
        if (timer == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        TimerSetting setting = SettingOf(timer);
        return SystemCall.Result(new UserPointer<TimerSetting>(call.A1).Write(call.Process, in setting));
    }

    /// <summary>The timer with a number, ready to be armed; null when there is none.</summary>
    private static ProcessTimer* Find(Process* process, ulong number)
    {
        switch (number)
        {
            case RealTimer:
                process->RealTimer.Process = process;
                return &process->RealTimer;
            case VirtualTimer:
                return Prepare(process, &process->VirtualTimer, TimerClock.User, Signal.VirtualAlarm);
            case ProfileTimer:
                return Prepare(process, &process->ProfileTimer, TimerClock.Processor, Signal.Profile);
            default:
                return null;
        }
    }

    private static ProcessTimer* Prepare(Process* process, ProcessTimer* timer, TimerClock clock, int signal)
    {
        timer->Process = process;
        timer->Kind = TimerKind.ProcessorInterval;
        timer->Clock = clock;
        timer->Signal = (byte)signal;
        return timer;
    }

    /// <summary>What getitimer tells: at least a microsecond while the timer runs.</summary>
    private static TimerSetting SettingOf(ProcessTimer* timer)
    {
        ulong leftNs = TimerQueue.RemainingNs(timer);
        TimeSpecification left = TimeSpecification.FromNs(leftNs == 0 ? 0 : Math.Max(leftNs, MicrosecondNs));
        TimeSpecification period = TimeSpecification.FromNs(timer->PeriodNs);
        return new TimerSetting
        {
            Seconds = left.Seconds,
            Microseconds = left.Nanoseconds / (long)MicrosecondNs,
            IntervalSeconds = period.Seconds,
            IntervalMicroseconds = period.Nanoseconds / (long)MicrosecondNs,
        };
    }

    private static bool IsValid(long seconds, long microseconds) =>
        seconds >= 0 && microseconds >= 0 && microseconds < MicrosecondsPerSecond;

    /// <summary>Durations that do not fit saturate.</summary>
    private static ulong ToNs(long seconds, long microseconds) =>
        new TimeSpecification { Seconds = seconds, Nanoseconds = microseconds * (long)MicrosecondNs }.TotalNs;
}
