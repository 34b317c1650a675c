// The kernel thread that sends SIGALRM when a process's ITIMER_REAL expires (setitimer(2)). It sleeps until the earliest expiry; setting a
// timer wakes it. Started with the first timer that is set.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Timers of all processes.</summary>
public sealed unsafe class AlarmClock(Processes processes) : ThreadBody
{
    private WaitQueue _changed;
    private bool _runs;

    /// <summary>
    /// Arms a process's timer for a time of Clock.NowNs (0 = disarms it), repeated with a period (0 = once). Never blocks.
    /// </summary>
    public void Set(Process* process, ulong timeNs, ulong periodNs)
    {
        process->AlarmTimeNs = timeNs;
        process->AlarmPeriodNs = timeNs == 0 ? 0 : periodNs;
        if (timeNs == 0)
        {
            return;
        }

        if (!_runs)
        {
            _runs = Scheduler.Spawn(this, null, "alarms"u8) != null;
            if (!_runs)
            {
                Log.Warn($"no memory for the thread that sends alarms; process {process->Id} gets none");
            }
        }

        _changed.WakeAll();
    }

    /// <summary>Sends the signals that are due and gives the time of the next one. Never blocks.</summary>
    public ulong SendDue(ulong now)
    {
        ulong next = ulong.MaxValue;
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            if (process->AlarmTimeNs == 0)
            {
                continue;
            }

            if (process->AlarmTimeNs <= now)
            {
                ulong period = process->AlarmPeriodNs;
                ulong missed = period == 0 ? 0 : (now - process->AlarmTimeNs) / period;
                process->AlarmTimeNs = period == 0 ? 0 : process->AlarmTimeNs + ((missed + 1) * period);
                Signals.Send(process, SignalInfo.FromKernel(Signal.Alarm));
            }

            if (process->AlarmTimeNs != 0)
            {
                next = Math.Min(next, process->AlarmTimeNs);
            }
        }

        return next;
    }

    public override void Run(void* argument)
    {
        while (true)
        {
            _changed.WaitUntil(SendDue(Clock.NowNs()));
        }
    }
}
