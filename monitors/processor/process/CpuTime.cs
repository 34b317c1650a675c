// Processor time of processes (times(2), getrusage(2), CLOCK_PROCESS_CPUTIME_ID): the time that their threads ran, by the scheduler's count, divided
// into user and system time at the handlers' beginnings and ends. What an interrupt takes counts as user time. Never blocks.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Accounts for threads.</summary>
public static unsafe class CpuTime
{
    /// <summary>The current thread has left user mode for a handler.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void EnterHandler(UserThread* thread)
    {
        ulong ranNs = Scheduler.RunTimeNs;
        thread->Process->UserTimeNs += ranNs - thread->AccountedRunNs;
        thread->AccountedRunNs = ranNs;
        thread->IsInHandler = true;
    }

    /// <summary>The current thread's handler has done its work; or its process ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LeaveHandler(UserThread* thread)
    {
        ulong ranNs = Scheduler.RunTimeNs;
        thread->Process->SystemTimeNs += ranNs - thread->AccountedRunNs;
        thread->AccountedRunNs = ranNs;
        thread->IsInHandler = false;
    }

    /// <summary>User and system time of a process up to now, its children's not included.</summary>
    public static void Of(Process* process, out ulong userNs, out ulong systemNs)
    {
        userNs = process->UserTimeNs;
        systemNs = process->SystemTimeNs;
        UserThread* thread = process->Thread;
        if (thread == null || thread->Kernel == null)
        {
            return;
        }

        ulong sinceNs = Scheduler.RunTimeOf(thread->Kernel) - thread->AccountedRunNs;
        if (thread->IsInHandler)
        {
            systemNs += sinceNs;
        }
        else
        {
            userNs += sinceNs;
        }
    }

    /// <summary>User and system time of a process together.</summary>
    public static ulong TotalNs(Process* process)
    {
        Of(process, out ulong userNs, out ulong systemNs);
        return userNs + systemNs;
    }
}
