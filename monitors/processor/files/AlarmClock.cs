// The kernel thread that sends SIGALRM when a process's ITIMER_REAL expires (setitimer(2)). It sleeps until the earliest expiry; setting a
// timer wakes it. Started with the first timer that is set.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Timers of all processes.</summary>
public static unsafe class AlarmClock
{
    private static WaitQueue s_changed;
    private static bool s_runs;

    /// <summary>Boot time.</summary>
    public static void Initialize()
    {
        s_changed = default;
        s_runs = false;
    }

    /// <summary>
    /// Arms a process's timer for a time of Clock.NowNs (0 = disarms it), repeated with a period (0 = once). Never blocks.
    /// </summary>
    public static void Set(Process* process, ulong timeNs, ulong periodNs)
    {
        process->AlarmTimeNs = timeNs;
        process->AlarmPeriodNs = timeNs == 0 ? 0 : periodNs;
        if (timeNs == 0)
        {
            return;
        }

        if (!s_runs)
        {
            s_runs = Scheduler.Spawn(&Run, null, "alarms"u8) != null;
            if (!s_runs)
            {
                Log.Warn($"no memory for the thread that sends alarms; process {process->Id} gets none");
            }
        }

        s_changed.WakeAll();
    }

    /// <summary>Sends the signals that are due and gives the time of the next one. Never blocks.</summary>
    public static ulong SendDue(ulong now)
    {
        ulong next = ulong.MaxValue;
        for (Process* process = Processes.First; process != null; process = process->Next)
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

    private static void Run(void* argument)
    {
        while (true)
        {
            s_changed.WaitUntil(SendDue(Clock.NowNs()));
        }
    }
}
