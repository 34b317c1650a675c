// Timers that programs create: timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete (timer_create(2)).
// process/TimerQueue.cs fires them. Nothing here blocks except copies.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about created timers.</summary>
public static unsafe class PosixTimers
{
    private const ulong AbsoluteTime = 1;

    /// <summary>struct itimerspec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TimerSetting
    {
        internal TimeSpecification Interval;
        internal TimeSpecification Value;
    }

    [SystemCall(222, "timer_create", Support.Full)]
    internal static long Create(ref SystemCall call)
    {
        ProcessTimer counting = default;
        if (!Time.TryTakeClock(call.Process, call.A0, &counting))
        {
            return SystemCall.Fail(Time.NoSuchTimer(call.A0));
        }

        SignalEvent wanted = new() { Signal = Signal.Alarm };
        Errno error = call.A1 == 0 ? Errno.None : new UserPointer<SignalEvent>(call.A1).Read(call.Process, out wanted);
        if (error == Errno.None && !IsValid(ref call, in wanted))
        {
            error = Errno.EINVAL;
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        ProcessTimer* timer = call.Process->Table.Timers.Create(call.Process);
        if (timer == null)
        {
            return SystemCall.Fail(Errno.EAGAIN);
        }

        timer->Clock = counting.Clock;
        timer->Counted = counting.Counted;
        timer->CountsRealTime = counting.CountsRealTime;
        timer->Signal = wanted.Notify == SignalEvent.NotAtAll ? (byte)0 : (byte)wanted.Signal;
        timer->ThreadId = (wanted.Notify & SignalEvent.ToThread) != 0 ? wanted.ThreadId : 0;
        timer->Value = call.A1 == 0 ? timer->Id : wanted.Value;
        uint id = timer->Id;
        error = new UserPointer<uint>(call.A2).Write(call.Process, in id);
        timer = TimerQueue.Find(call.Process, id);
        if (error != Errno.None && timer != null)
        {
            call.Process->Table.Timers.Delete(timer);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(223, "timer_settime", Support.Full)]
    internal static long Set(ref SystemCall call)
    {
        TimerSetting setting = default;
        Errno error = call.A2 == 0 ? Errno.EINVAL : new UserPointer<TimerSetting>(call.A2).Read(call.Process, out setting);
        if (error == Errno.None && (!setting.Interval.IsValid || !setting.Value.IsValid))
        {
            error = Errno.EINVAL;
        }

        ProcessTimer* timer = TimerQueue.Find(call.Process, (uint)call.A0);
        if (error == Errno.None && timer == null)
        {
            error = Errno.EINVAL;
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (!TimerQueue.TryRead(timer, out ulong now))
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        TimerSetting before = SettingOf(timer);
        ulong valueNs = setting.Value.TotalNs;
        ulong dueNs = valueNs > ulong.MaxValue - now ? ulong.MaxValue : now + valueNs;
        if ((call.A1 & AbsoluteTime) != 0)
        {
            dueNs = timer->CountsRealTime ? TimeSpecification.MonotonicOf(valueNs) : valueNs;
        }

        call.Process->Table.Timers.Set(call.Process, timer, valueNs == 0 ? 0 : System.Math.Max(1, dueNs),
            valueNs == 0 ? 0 : setting.Interval.TotalNs);
        timer->Overruns = 0;
        return call.A3 == 0 ? 0 : SystemCall.Result(new UserPointer<TimerSetting>(call.A3).Write(call.Process, in before));
    }

    [SystemCall(224, "timer_gettime", Support.Full)]
    internal static long Get(ref SystemCall call)
    {
        ProcessTimer* timer = TimerQueue.Find(call.Process, (uint)call.A0);
        if (timer == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        TimerSetting setting = SettingOf(timer);
        return SystemCall.Result(new UserPointer<TimerSetting>(call.A1).Write(call.Process, in setting));
    }

    [SystemCall(225, "timer_getoverrun", Support.Full)]
    internal static long GetOverruns(ref SystemCall call)
    {
        ProcessTimer* timer = TimerQueue.Find(call.Process, (uint)call.A0);
        return timer == null ? SystemCall.Fail(Errno.EINVAL) : timer->Overruns;
    }

    [SystemCall(226, "timer_delete", Support.Full)]
    internal static long Delete(ref SystemCall call)
    {
        ProcessTimer* timer = TimerQueue.Find(call.Process, (uint)call.A0);
        if (timer == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        call.Process->Table.Timers.Delete(timer);
        return 0;
    }

    private static bool IsValid(ref SystemCall call, in SignalEvent wanted)
    {
        UserThread* thread = Visibility.FindThread(call.Process, wanted.ThreadId);
        bool isOwnThread = wanted.Notify == (SignalEvent.BySignal | SignalEvent.ToThread)
            && thread != null && thread->Process == call.Process;
        // SIGEV_THREAD is the C library's: to the kernel it is a signal.
        bool isSignal = wanted.Notify is SignalEvent.BySignal or SignalEvent.ByThread || isOwnThread;
        return wanted.Notify == SignalEvent.NotAtAll || (isSignal && wanted.Signal > 0 && wanted.Signal <= Signal.Count);
    }

    /// <summary>Time to the next expiry, also of a periodic timer whose signal waits to be taken.</summary>
    private static TimerSetting SettingOf(ProcessTimer* timer)
    {
        ulong leftNs = TimerQueue.RemainingNs(timer);
        if (leftNs == 0 && timer->DueNs != 0 && timer->PeriodNs != 0)
        {
            leftNs = TimerQueue.TryRead(timer, out ulong now) ? timer->PeriodNs - ((now - timer->DueNs) % timer->PeriodNs) : 0;
        }

        return new TimerSetting { Interval = TimeSpecification.FromNs(timer->PeriodNs), Value = TimeSpecification.FromNs(leftNs) };
    }
}
