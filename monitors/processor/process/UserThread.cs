// A thread of a process as Linux sees it: what each thread has for itself. The kernel thread under it (kernel/threads) knows nothing of
// processes; its Owner field points here. Lives in a slab (Processes.cs); freed when the process is reaped.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A user-mode flow of control.</summary>
public unsafe struct UserThread
{
    /// <summary>
    /// A path of this system call turned out to lead from the volume into a tree that is served here: the call runs again, and looks first
    /// (PathName.Resolve).
    /// </summary>
    public bool FollowsMounts;
    /// <summary>Thread id; equal to the process id for the first thread.</summary>
    public uint Id;
    /// <summary>True when the thread must end at its next return to user mode with the process's wait status.</summary>
    public bool Doomed;
    /// <summary>True when SavedMask is to be restored after the signal that interrupts a sigsuspend-like call.</summary>
    public bool RestoresSavedMask;
    public Process* Process;
    public Thread* Kernel;
    /// <summary>The registers that it left user mode with; lives on its kernel stack.</summary>
    public UserContext* User;

    /// <summary>The queue that Signals.Wait waits on; a signal wakes it.</summary>
    public WaitQueue* WaitsOn;

    /// <summary>Blocked signals; bit n-1 is signal n.</summary>
    public ulong BlockedSignals;
    /// <summary>Mask to return to after sigsuspend, ppoll, pselect.</summary>
    public ulong SavedMask;
    /// <summary>Signals sent to this thread only (tgkill, faults).</summary>
    public SignalQueue Pending;

    /// <summary>Signals that sigtimedwait or signalfd waits for, although they are blocked.</summary>
    public ulong AwaitedSignals;
    /// <summary>Number + 1 of the system call that just failed with EINTR; 0 otherwise. Decides about its restart.</summary>
    public ulong InterruptedCall;
    /// <summary>The deadline that this call waited for and keeps when it starts again, in Clock.NowNs time; 0 = none.</summary>
    public ulong InterruptedDeadlineNs;
    /// <summary>The deadline of the call that is about to start again; 0 = none.</summary>
    public ulong ResumedDeadlineNs;
    /// <summary>Address of the last page fault that became a signal (cr2 in signal frames), and the trap number with its error code.</summary>
    public ulong FaultAddress;
    public ulong TrapNumber;
    public ulong TrapError;
    /// <summary>Summary of the registers at the last page fault, and how many faults in a row had the same: one instruction that needs many pages.</summary>
    public ulong FaultFingerprint;
    public uint FaultsWithoutProgress;
    /// <summary>State of CpuTime: the run time that the process has been charged for, and whether what follows is system time.</summary>
    public ulong AccountedRunNs;
    public bool IsInHandler;
    /// <summary>Registers that a new thread enters user mode with.</summary>
    public UserContext Initial;
    public FloatingPointFrame InitialVectors;
    public ulong InitialFsBase;
    /// <summary>Where the new thread stores its id before it starts (CLONE_CHILD_SETTID), 0 = nowhere.</summary>
    public ulong SetsThreadId;

    // Alternate signal stack (sigaltstack(2)).
    public ulong AlternateStack;
    public ulong AlternateStackBytes;
    public uint AlternateStackFlags;

    /// <summary>set_tid_address(2): cleared and woken as a futex at the thread's end.</summary>
    public ulong ClearChildThreadId;
    /// <summary>set_robust_list(2).</summary>
    public ulong RobustList;

    /// <summary>The thread that runs on this processor now, or null in a kernel thread.</summary>
    public static UserThread* Current
    {
        get
        {
            Thread* thread = Scheduler.Current;
            return thread == null ? null : (UserThread*)thread->Owner;
        }
    }
}
