// The end of a process, when its last thread ends (ThreadExit.cs): resources first, then the zombie, then the parent hears of it.
// Closing files and leaving the address space send messages (BLOCK); from the moment the state is Zombie nothing blocks any more, except
// the report to the manager, which comes before.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Ends of processes.</summary>
public static unsafe class ProcessExit
{
    /// <summary>
    /// Ends a process whose last thread is the current one, which is exiting and has only its kernel thread to end afterwards.
    /// </summary>
    internal static void End(Process* process, UserThread* thread)
    {
        Signals.Clear(process->Table, ref process->Pending);
        process->Table.Timers.DeleteAll(process);
        process->Table.Resources!.Release(process);
        process->Table.Semaphores.Leave(process);
        LeaveSpace(process);
        ReleaseChildren(process);
        if (process->LeadsTerminalSession)
        {
            ReportToManager(process, process->EndStatus);
        }

        BecomeZombie(process, thread);
    }

    /// <summary>Frees a zombie whose status has been taken, adding its times to the parent's.</summary>
    public static void Reap(Process* child)
    {
        Process* parent = child->Parent;
        parent->ChildrenUserTimeNs += child->UserTimeNs + child->ChildrenUserTimeNs;
        parent->ChildrenSystemTimeNs += child->SystemTimeNs + child->ChildrenSystemTimeNs;
        parent->ChildrenMinorFaults += child->MinorFaults + child->ChildrenMinorFaults;
        parent->ChildrenMajorFaults += child->MajorFaults + child->ChildrenMajorFaults;
        parent->ChildrenPeakLines = Math.Max(parent->ChildrenPeakLines, Math.Max(child->PeakLines, child->ChildrenPeakLines));
        Processes table = child->Table;
        uint id = child->Id;
        table.Remove(child);
        table.Resources!.EndsChanged(id);
    }

    /// <summary>Gives up the address space, at exit or for a new one in execve: a vfork parent may go on, the last user drops it.</summary>
    [Blocks]
    public static void LeaveSpace(Process* process)
    {
        AddressSpace* space = process->Space;
        process->PeakLines = Math.Max(process->PeakLines, space == null ? 0 : space->PeakLines);
        process->Space = null;
        Scheduler.Current->PageTableRoot = PageTable.KernelRoot;
        PageTable.Activate(PageTable.KernelRoot);
        ReleaseWaiter(process);
        if (space != null)
        {
            if (space->Users == 1)
            {
                process->Table.Backings.Tell(space, process->Id, begins: false);
            }

            process->Table.Spaces.Release(space);
        }
    }

    /// <summary>A vfork child no longer needs its parent's memory: the parent may go on.</summary>
    private static void ReleaseWaiter(Process* process)
    {
        if (process->Waiter != null)
        {
            process->Waiter->SpaceReleased.WakeAll();
            process->Waiter = null;
        }
    }

    /// <summary>
    /// Orphans go to the nearest ancestor that asked for them (PR_SET_CHILD_SUBREAPER), else to process 1, which wants no zombies.
    /// </summary>
    private static void ReleaseChildren(Process* process)
    {
        Process* reaper = process->Parent;
        while (reaper != null && !reaper->ReapsOrphans)
        {
            reaper = reaper->Parent;
        }

        while (process->FirstChild != null)
        {
            Process* child = process->FirstChild;
            ProcessFamily.Disown(child);
            ProcessFamily.Adopt(reaper == null ? process->Table.Init : reaper, child);
            child->ExitSignal = Signal.Child;
            if (child->State == ProcessState.Zombie)
            {
                AnnounceEnd(child);
                continue;
            }

            if (child->ParentDeathSignal != 0)
            {
                SignalInfo info = SignalInfo.FromKernel(child->ParentDeathSignal);
                Signals.Send(child, in info);
            }

            ProcessGroups.HangUpIfOrphaned(child, process);
        }
    }

    private static void ReportToManager(Process* process, uint waitStatus)
    {
        Processes table = process->Table;
        ProcessExitedRequest report = new()
        {
            Session = process->TerminalSession,
            ProcessId = process->Id,
            WaitStatus = waitStatus,
            Processes = (uint)table.Count - 1,
        };
        RpcContext context = new() { Class = RpcClass.DemandFetch };
        Errno error = table.Rpc.Call(table.Manager, Opcode.ProcessExited, in context, in report, default, default, out _);
        if (error != Errno.None)
        {
            Log.Warn($"process {process->Id}: the manager did not take the end of session {process->TerminalSession}, error {(int)error}");
        }
    }

    private static void BecomeZombie(Process* process, UserThread* thread)
    {
        process->State = ProcessState.Zombie;
        process->WaitStatus = process->EndStatus;
        CpuTime.LeaveHandler(thread);
        process->Table.UserThreads.Retire(thread);
        if (thread != process->Leader)
        {
            process->Table.UserThreads.Free(thread);
        }

        process->Table.Resources!.EndsChanged(process->Id);
        ProcessGroups.HangUpIfOrphaned(process, process->Parent);
        AnnounceEnd(process);
    }

    /// <summary>Tells the parent of a zombie; it is gone afterwards when nobody will wait for it.</summary>
    private static void AnnounceEnd(Process* process)
    {
        uint waitStatus = process->WaitStatus;
        bool isAwaited = !IgnoresChildren(process->Parent);
        bool killed = !WaitStatus.IsExited(waitStatus);
        int code = !killed ? SignalCode.ChildExited : WaitStatus.HasCore(waitStatus) ? SignalCode.ChildDumped : SignalCode.ChildKilled;
        ProcessStops.NotifyParent(process, code, killed ? WaitStatus.TerminatingSignal(waitStatus) : WaitStatus.Code(waitStatus));
        if (!isAwaited)
        {
            Reap(process);
        }
    }

    /// <summary>wait(2): with SIGCHLD ignored or SA_NOCLDWAIT, children leave no zombies.</summary>
    private static bool IgnoresChildren(Process* parent)
    {
        ref SignalAction action = ref (*parent->Actions)[Signal.Child];
        return action.Handler == SignalAction.Ignore || (action.Flags & SignalFlags.NoChildWait) != 0;
    }
}
