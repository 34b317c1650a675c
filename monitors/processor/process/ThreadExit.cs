// The end of a thread (exit(2)), and of all threads of a process (exit_group(2), fatal signals) or all but one (execve(2)). The last one
// ends the process (ProcessExit.cs). What a thread has promised others by addresses is kept first, while its memory is there: robust
// futexes, then the word that set_tid_address(2) names. BLOCKS; nothing interrupts it.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Ends of threads.</summary>
public static unsafe class ThreadExit
{
    /// <summary>
    /// Ends the current thread and, at their next returns to user mode, the others of its process, which then has a wait status. Does not
    /// return.
    /// </summary>
    public static void EndAll(UserThread* thread, uint waitStatus)
    {
        Signals.Doom(thread->Process, waitStatus);
        End(thread, waitStatus);
    }

    /// <summary>
    /// Ends the current thread. The process ends with its last one: with the status that all its threads were ended with, else with the
    /// last one's (Linux's synchronize_group_exit). Does not return.
    /// </summary>
    public static void End(UserThread* thread, uint waitStatus)
    {
        Process* process = thread->Process;
        CpuTime.LeaveHandler(thread);
        thread->IsExiting = true;
        thread->Doomed = false;
        thread->JoinsStop = false;
        Signals.SetMask(thread, ulong.MaxValue);
        Signals.Clear(process->Table, ref thread->Pending);
        RobustFutexes.Release(thread);
        process->Table.Futexes.OwnerEnds(thread);
        thread->HasLeftLocks = true;
        ClearThreadIdAddress(thread);
        if (process->ThreadCount > 1)
        {
            LeaveProcess(thread);
        }
        else
        {
            if (!process->IsEnding)
            {
                process->IsEnding = true;
                process->EndStatus = waitStatus;
            }

            ProcessExit.End(process, thread);
        }

        Scheduler.Exit();
    }

    /// <summary>
    /// execve(2): ends all threads but the current one, which becomes the leader. EINTR: the current one is to end itself, or acts on a
    /// signal that ends the process.
    /// </summary>
    [Blocks]
    public static Errno EndOthers(UserThread* thread)
    {
        Process* process = thread->Process;
        if (thread->Doomed || process->IsEnding)
        {
            return Errno.EINTR;
        }

        for (UserThread* other = process->FirstThread; other != null; other = other->Next)
        {
            if (other != thread)
            {
                Signals.Doom(other);
            }
        }

        Errno error = Errno.None;
        while (process->ThreadCount > 1 && error == Errno.None)
        {
            error = Signals.WaitKillable(ref process->ThreadEnded);
        }

        if (error == Errno.None && thread != process->Leader)
        {
            process->Table.UserThreads.BecomeLeader(thread);
        }

        return error;
    }

    /// <summary>Others are left: the current thread's part of the process goes, and the memory stays.</summary>
    private static void LeaveProcess(UserThread* thread)
    {
        Process* process = thread->Process;
        CpuTime.LeaveHandler(thread);
        process->Table.UserThreads.Retire(thread);
        ProcessStops.CompleteIfAllJoined(process);
        process->ThreadEnded.WakeAll();
        Scheduler.Current->PageTableRoot = PageTable.KernelRoot;
        PageTable.Activate(PageTable.KernelRoot);
        if (thread != process->Leader)
        {
            process->Table.UserThreads.Free(thread);
        }
    }

    private static void ClearThreadIdAddress(UserThread* thread)
    {
        // set_tid_address(2): a library learns that the thread's stack is free. Pointless, and skipped, when nobody else uses the memory.
        Process* process = thread->Process;
        AddressSpace* space = process->Space;
        if (thread->ClearChildThreadId != 0 && space != null && (space->Users > 1 || process->ThreadCount > 1))
        {
            uint none = 0;
            new UserPointer<uint>(thread->ClearChildThreadId).Write(process, in none);
            process->Table.Futexes.Wake(FutexKey.Of(process, thread->ClearChildThreadId, isPrivate: false), 1, uint.MaxValue);
        }
    }
}
