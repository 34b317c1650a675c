// Processor time of processes (times(2), getrusage(2), CLOCK_PROCESS_CPUTIME_ID): user time runs from each return to user mode to the next entry, system
// time from there to the end of the handler, less what the handler spent waiting interruptibly. A slice that ends with an interrupt, which this
// monitor does not see, counts as user time up to one time slice. Two clock reads an entry. Never blocks.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Accounts for the current thread.</summary>
public static unsafe class CpuTime
{
    /// <summary>The scheduler's time slice: the most that an interrupted stretch of user mode can have lasted.</summary>
    private const ulong TimeSliceNs = 10_000_000;

    /// <summary>User mode has been left for a handler.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void EnterHandler(UserThread* thread)
    {
        ulong now = Clock.NowNs();
        thread->Process->UserTimeNs += now - thread->AccountedUntilNs;
        thread->AccountedUntilNs = now;
        thread->WaitedNs = 0;
    }

    /// <summary>The handler has done its work; or its process ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LeaveHandler(UserThread* thread)
    {
        ulong now = Clock.NowNs();
        ulong spentNs = now - thread->AccountedUntilNs;
        thread->Process->SystemTimeNs += spentNs - Math.Min(spentNs, thread->WaitedNs);
        thread->AccountedUntilNs = now;
        thread->SwitchesAtHandlerEnd = Scheduler.Switches;
        thread->LeavesHandler = true;
    }

    /// <summary>User mode is about to continue.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void EnterUser(UserThread* thread)
    {
        bool handled = thread->LeavesHandler;
        thread->LeavesHandler = false;
        if (handled && thread->SwitchesAtHandlerEnd == Scheduler.Switches)
        {
            return;
        }

        ulong now = Clock.NowNs();
        if (!handled)
        {
            thread->Process->UserTimeNs += Math.Min(now - thread->AccountedUntilNs, TimeSliceNs);
        }

        thread->AccountedUntilNs = now;
    }
}
