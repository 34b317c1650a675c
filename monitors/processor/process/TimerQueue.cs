// Fires the timers of all processes: a list in the order of the next look, and a kernel thread that sleeps until the first one. A timer
// that counts processor time is looked at when it can expire at the earliest, which is when the process has computed without a break, and
// then again. Periodic timers whose signal has not been taken do not run (Linux: itimer_get_remtime, posixtimer_rearm), so that no period,
// however short, can keep the component busy. Nothing here blocks but the thread itself.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>All timers that are armed.</summary>
public sealed unsafe class TimerQueue : ThreadBody
{
    /// <summary>Timers of timer_create(2) in the whole component.</summary>
    private const ulong MaxCreated = 16384;

    /// <summary>Timers of processor time are not looked at more often: their precision, as a tick is Linux's.</summary>
    public const ulong ProcessorTickNs = 1_000_000;

    private const ulong SecondNs = 1_000_000_000;

    private readonly Slab<ProcessTimer> _created;
    private WaitQueue _changed;
    private bool _runs;
    private ProcessTimer* _first;

    public TimerQueue(FrameAllocator frames)
    {
        _created = new Slab<ProcessTimer>(frames, MaxCreated);
    }

    /// <summary>Time of a timer's clock; false: whose processor time it counts is gone.</summary>
    public static bool TryRead(ProcessTimer* timer, out ulong nanoseconds)
    {
        if (timer->Clock == TimerClock.Named)
        {
            return timer->Counted.TryRead(timer->Process->Table, out nanoseconds);
        }

        nanoseconds = NowOf(timer->Process, timer->Clock);
        return true;
    }

    /// <summary>Time of a clock that names nobody.</summary>
    public static ulong NowOf(Process* process, TimerClock clock)
    {
        if (clock == TimerClock.Elapsed)
        {
            return Clock.NowNs();
        }

        CpuTime.Of(process, out ulong userNs, out ulong systemNs);
        return clock == TimerClock.User ? userNs : userNs + systemNs;
    }

    /// <summary>Time to the next expiry, at least a nanosecond; 0 when the timer does not run.</summary>
    public static ulong RemainingNs(ProcessTimer* timer)
    {
        if (timer->LookNs == 0 || !TryRead(timer, out ulong now))
        {
            return 0;
        }

        return timer->DueNs > now ? timer->DueNs - now : 1;
    }

    /// <summary>Arms a timer of a process for a time of its clock (0 = disarms it), repeated with a period (0 = once).</summary>
    public void Set(Process* process, ProcessTimer* timer, ulong dueNs, ulong periodNs)
    {
        Remove(timer);
        timer->Process = process;
        timer->DueNs = dueNs;
        timer->PeriodNs = periodNs;
        if (dueNs != 0)
        {
            Insert(timer, Clock.NowNs());
            Start();
        }
    }

    /// <summary>Disarms everything that a process has armed; its created timers are gone (exit; execve keeps the others).</summary>
    public void DeleteCreated(Process* process)
    {
        while (process->FirstTimer != null)
        {
            ProcessTimer* timer = process->FirstTimer;
            process->FirstTimer = timer->NextOfProcess;
            Remove(timer);
            _created.Free(timer);
        }
    }

    /// <summary>The end of a process.</summary>
    public void DeleteAll(Process* process)
    {
        DeleteCreated(process);
        Remove(&process->RealTimer);
        Remove(&process->VirtualTimer);
        Remove(&process->ProfileTimer);
        Remove(&process->LimitTimer);
    }

    /// <summary>A timer of timer_create(2), with the lowest id that is free; null when memory is exhausted.</summary>
    public ProcessTimer* Create(Process* process)
    {
        ProcessTimer* timer = _created.Allocate();
        if (timer == null)
        {
            return null;
        }

        timer->Process = process;
        timer->Kind = TimerKind.Created;
        ProcessTimer** link = &process->FirstTimer;
        uint id = 0;
        while (*link != null && (*link)->Id == id)
        {
            link = &(*link)->NextOfProcess;
            id++;
        }

        timer->Id = id;
        timer->NextOfProcess = *link;
        *link = timer;
        return timer;
    }

    /// <summary>The created timer with an id, or null.</summary>
    public static ProcessTimer* Find(Process* process, uint id)
    {
        ProcessTimer* timer = process->FirstTimer;
        while (timer != null && timer->Id != id)
        {
            timer = timer->NextOfProcess;
        }

        return timer;
    }

    /// <summary>timer_delete(2).</summary>
    public void Delete(ProcessTimer* timer)
    {
        ProcessTimer** link = &timer->Process->FirstTimer;
        while (*link != timer)
        {
            link = &(*link)->NextOfProcess;
        }

        *link = timer->NextOfProcess;
        Remove(timer);
        _created.Free(timer);
    }

    /// <summary>Arms the limit of a process's processor time, or disarms it (RLIMIT_CPU is infinite).</summary>
    public void SetLimit(Process* process)
    {
        ulong seconds = process->Limits[2 * ResourceLimit.ProcessorTime];
        process->LimitTimer.Kind = TimerKind.ProcessorLimit;
        process->LimitTimer.Clock = TimerClock.Processor;
        bool never = seconds >= ulong.MaxValue / SecondNs;
        // Zero seconds have passed at the first look.
        Set(process, &process->LimitTimer, never ? 0 : Math.Max(1, seconds * SecondNs), 0);
    }

    /// <summary>A timer's signal, or a SIGALRM, has been taken from a process's queue: a periodic timer runs again.</summary>
    public void SignalTaken(Process* process, ref SignalInfo info)
    {
        ProcessTimer* timer = info.Code == SignalCode.Timer ? Find(process, info.ProcessId) : &process->RealTimer;
        if (timer == null || timer->LookNs != 0 || timer->DueNs == 0 || !TryRead(timer, out ulong clockNow))
        {
            return;
        }

        ulong missed = Advance(timer, clockNow);
        if (info.Code == SignalCode.Timer)
        {
            timer->Overruns = (uint)Math.Min(missed, int.MaxValue);
            info.UserId = timer->Overruns;
        }

        if (timer->DueNs != 0)
        {
            Insert(timer, Clock.NowNs());
            Start();
        }
    }

    /// <summary>Acts on the timers that are due; the time of the next look, ulong.MaxValue when there is none.</summary>
    public ulong SendDue(ulong now)
    {
        while (_first != null && _first->LookNs <= now)
        {
            ProcessTimer* timer = _first;
            Remove(timer);
            if (!TryRead(timer, out ulong clockNow))
            {
                continue;
            }

            if (timer->DueNs > clockNow)
            {
                Insert(timer, now);
            }
            else
            {
                Expire(timer, clockNow, now);
            }
        }

        return _first == null ? ulong.MaxValue : _first->LookNs;
    }

    private void Expire(ProcessTimer* timer, ulong clockNow, ulong now)
    {
        Process* process = timer->Process;
        switch (timer->Kind)
        {
            case TimerKind.RealInterval:
                // Goes on in SignalTaken; an ignored signal is never taken, and the timer rests, as on Linux.
                Signals.Send(process, SignalInfo.FromKernel(Signal.Alarm));
                break;
            case TimerKind.ProcessorInterval:
                Advance(timer, clockNow);
                if (timer->DueNs != 0)
                {
                    Insert(timer, now);
                }

                Signals.Send(process, SignalInfo.FromKernel(timer->Signal));
                break;
            case TimerKind.ProcessorLimit:
                ExpireLimit(timer, clockNow, now);
                break;
            case TimerKind.File:
                timer->Listener.Target.Expired(timer);
                break;
            default:
                ExpireCreated(timer, clockNow, now);
                break;
        }
    }

    /// <summary>SIGXCPU at the soft limit, which then moves on by a second; SIGKILL at the hard limit (getrlimit(2)).</summary>
    private void ExpireLimit(ProcessTimer* timer, ulong clockNow, ulong now)
    {
        Process* process = timer->Process;
        ulong hard = process->Limits[(2 * ResourceLimit.ProcessorTime) + 1];
        bool isHard = hard < ulong.MaxValue / SecondNs && clockNow >= hard * SecondNs;
        process->Limits[2 * ResourceLimit.ProcessorTime]++;
        timer->DueNs += SecondNs;
        Insert(timer, now);
        Signals.Send(process, SignalInfo.FromKernel(isHard ? Signal.Kill : Signal.CpuTime));
    }

    private void ExpireCreated(ProcessTimer* timer, ulong clockNow, ulong now)
    {
        SignalInfo info = new() { Number = timer->Signal, Code = SignalCode.Timer, ProcessId = timer->Id, Value = timer->Value };
        if (timer->Signal != 0 && IsQueued(timer, in info))
        {
            return;
        }

        // Nothing will be taken: the timer runs on by itself, and a short period is not looked at more often than a tick.
        Advance(timer, clockNow + ProcessorTickNs);
        if (timer->DueNs != 0)
        {
            Insert(timer, now);
        }
    }

    /// <summary>Sends a timer's signal; true when it waits to be taken. That of a thread that has ended is lost.</summary>
    private static bool IsQueued(ProcessTimer* timer, in SignalInfo info)
    {
        Process* process = timer->Process;
        if (timer->ThreadId == 0)
        {
            return Signals.Send(process, in info) == Errno.None && (process->Pending.Mask & Signal.Bit(timer->Signal)) != 0;
        }

        UserThread* thread = process->Table.UserThreads.Find(timer->ThreadId);
        return thread != null && thread->Process == process && Signals.SendToThread(thread, in info) == Errno.None
            && (thread->Pending.Mask & Signal.Bit(timer->Signal)) != 0;
    }

    /// <summary>Moves a periodic timer's expiry past a time, disarms one that expires once; expiries left out.</summary>
    private static ulong Advance(ProcessTimer* timer, ulong clockNow)
    {
        if (timer->PeriodNs == 0)
        {
            timer->DueNs = 0;
            return 0;
        }

        ulong missed = clockNow > timer->DueNs ? (clockNow - timer->DueNs) / timer->PeriodNs : 0;
        ulong step = (missed + 1) * timer->PeriodNs;
        timer->DueNs = timer->DueNs > ulong.MaxValue - step ? ulong.MaxValue : timer->DueNs + step;
        return missed;
    }

    private void Insert(ProcessTimer* timer, ulong now)
    {
        ulong look = timer->DueNs;
        if (timer->Clock != TimerClock.Elapsed)
        {
            TryRead(timer, out ulong clockNow);
            ulong left = Math.Max(timer->DueNs > clockNow ? timer->DueNs - clockNow : 0, ProcessorTickNs);
            look = left > ulong.MaxValue - now ? ulong.MaxValue : now + left;
        }

        timer->LookNs = Math.Max(1, look);
        ProcessTimer* previous = null;
        ProcessTimer* next = _first;
        while (next != null && next->LookNs <= timer->LookNs)
        {
            previous = next;
            next = next->Next;
        }

        timer->Previous = previous;
        timer->Next = next;
        if (previous == null)
        {
            _first = timer;
        }
        else
        {
            previous->Next = timer;
        }

        if (next != null)
        {
            next->Previous = timer;
        }
    }

    private void Remove(ProcessTimer* timer)
    {
        if (timer->LookNs == 0)
        {
            return;
        }

        timer->LookNs = 0;
        if (timer->Previous == null)
        {
            _first = timer->Next;
        }
        else
        {
            timer->Previous->Next = timer->Next;
        }

        if (timer->Next != null)
        {
            timer->Next->Previous = timer->Previous;
        }
    }

    /// <summary>The thread looks at the queue anew; it is made with the first timer.</summary>
    private void Start()
    {
        if (!_runs)
        {
            _runs = Scheduler.Spawn(this, null, "timers"u8) != null;
            if (!_runs)
            {
                Log.Warn($"no memory for the thread that fires timers; none fires until there is");
            }
        }

        _changed.WakeAll();
    }

    public override void Run(void* argument)
    {
        while (true)
        {
            _changed.WaitUntil(SendDue(Clock.NowNs()));
        }
    }
}
