// Processor time of processes (times(2), getrusage(2), CLOCK_PROCESS_CPUTIME_ID): the time that their threads ran, by the scheduler's
// count, divided into user and system time at the handlers' beginnings and ends. What an interrupt takes counts as user time. Never blocks.

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
        ulong ranNs = Scheduler.RunningTimeOf(thread->Kernel);
        thread->UserTimeNs += ranNs - thread->AccountedRunNs;
        thread->AccountedRunNs = ranNs;
        thread->IsInHandler = true;
    }

    /// <summary>The current thread's handler has done its work; or it ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LeaveHandler(UserThread* thread)
    {
        ulong ranNs = Scheduler.RunningTimeOf(thread->Kernel);
        thread->SystemTimeNs += ranNs - thread->AccountedRunNs;
        thread->AccountedRunNs = ranNs;
        thread->IsInHandler = false;
    }

    /// <summary>The process keeps the times of a thread that leaves it.</summary>
    public static void Bequeath(UserThread* thread)
    {
        thread->Process->UserTimeNs += thread->UserTimeNs;
        thread->Process->SystemTimeNs += thread->SystemTimeNs;
    }

    /// <summary>User and system time of a process up to now, its children's not included.</summary>
    public static void Of(Process* process, out ulong userNs, out ulong systemNs)
    {
        userNs = process->UserTimeNs;
        systemNs = process->SystemTimeNs;
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            userNs += thread->UserTimeNs;
            systemNs += thread->SystemTimeNs;
            AddRunning(thread, ref userNs, ref systemNs);
        }
    }

    /// <summary>User and system time of a thread up to now.</summary>
    public static void Of(UserThread* thread, out ulong userNs, out ulong systemNs)
    {
        userNs = thread->UserTimeNs;
        systemNs = thread->SystemTimeNs;
        AddRunning(thread, ref userNs, ref systemNs);
    }

    /// <summary>Adds what a thread has run since it was last charged.</summary>
    private static void AddRunning(UserThread* thread, ref ulong userNs, ref ulong systemNs)
    {
        if (thread->Kernel == null)
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

    /// <summary>User and system time of a thread together.</summary>
    public static ulong TotalNs(UserThread* thread)
    {
        Of(thread, out ulong userNs, out ulong systemNs);
        return userNs + systemNs;
    }

    /// <summary>User and system time of a process together.</summary>
    public static ulong TotalNs(Process* process)
    {
        Of(process, out ulong userNs, out ulong systemNs);
        return userNs + systemNs;
    }
}
