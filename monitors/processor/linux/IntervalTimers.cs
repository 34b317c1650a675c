// alarm, setitimer, getitimer (alarm(2), setitimer(2)): ITIMER_REAL and its SIGALRM. The expiry stands in the process; AlarmClock, a kernel
// thread, sends the signals.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about a process's interval timer.</summary>
public static unsafe class IntervalTimers
{
    private const ulong RealTimer = 0;
    private const ulong LastTimer = 2;
    private const ulong SecondNs = 1_000_000_000;
    private const long MicrosecondNs = 1_000;
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
        ulong now = Clock.NowNs();
        ulong leftNs = RemainingNs(call.Process, now);
        uint seconds = (uint)call.A0;
        call.Process->Table.Alarms.Set(call.Process, seconds == 0 ? 0 : now + (seconds * SecondNs), 0);
        // Rounded to the nearest second, but an armed timer never reads as none.
        return leftNs == 0 ? 0 : (long)Math.Max(1, (leftNs + (SecondNs / 2)) / SecondNs);
    }

    [SystemCall(38, "setitimer", Support.Partial, "ITIMER_REAL only")]
    internal static long Set(ref SystemCall call)
    {
        if (call.A0 > LastTimer)
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

        if (error == Errno.None && call.A2 != 0)
        {
            error = Write(call.Process, call.A0, call.A2);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (call.A0 == RealTimer)
        {
            ulong valueNs = ToNs(setting.Seconds, setting.Microseconds);
            ulong periodNs = ToNs(setting.IntervalSeconds, setting.IntervalMicroseconds);
            call.Process->Table.Alarms.Set(call.Process, valueNs == 0 ? 0 : Clock.NowNs() + valueNs, periodNs);
        }
        else if (ToNs(setting.Seconds, setting.Microseconds) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return 0;
    }

    [SystemCall(36, "getitimer", Support.Partial, "ITIMER_REAL only; the others are never armed")]
    internal static long Get(ref SystemCall call) => call.A0 > LastTimer ? SystemCall.Fail(Errno.EINVAL) : SystemCall.Result(Write(call.Process, call.A0, call.A1));

    private static Errno Write(Process* process, ulong timer, ulong address)
    {
        TimerSetting setting = default;
        if (timer == RealTimer)
        {
            TimeSpecification left = TimeSpecification.FromNs(RemainingNs(process, Clock.NowNs()));
            TimeSpecification period = TimeSpecification.FromNs(process->AlarmPeriodNs);
            setting.Seconds = left.Seconds;
            setting.Microseconds = left.Nanoseconds / MicrosecondNs;
            setting.IntervalSeconds = period.Seconds;
            setting.IntervalMicroseconds = period.Nanoseconds / MicrosecondNs;
        }

        return new UserPointer<TimerSetting>(address).Write(process, in setting);
    }

    /// <summary>Time to the expiry; at least a microsecond while the timer is armed.</summary>
    private static ulong RemainingNs(Process* process, ulong now)
    {
        ulong soonest = now + (ulong)MicrosecondNs;
        return process->AlarmTimeNs == 0 ? 0 : Math.Max(process->AlarmTimeNs, soonest) - now;
    }

    private static bool IsValid(long seconds, long microseconds) => seconds >= 0 && microseconds >= 0 && microseconds < MicrosecondsPerSecond;

    private static ulong ToNs(long seconds, long microseconds) => ((ulong)seconds * SecondNs) + (ulong)(microseconds * MicrosecondNs);
}
