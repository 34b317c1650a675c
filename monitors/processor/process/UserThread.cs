// A thread of a process as Linux sees it: what each thread has for itself. The kernel thread under it (kernel/threads) knows nothing of
// processes; its Owner field points here. Lives in a slab (ThreadTable.cs); freed at its end, the leader's when the process is removed. A
// pointer to another thread is valid until the caller blocks: look it up again by id afterwards.

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
    /// <summary>
    /// True when the thread must end at its next return to user mode: its process ends, or another thread executes a program.
    /// </summary>
    public bool Doomed;
    /// <summary>True when its process is being stopped and the thread has yet to join.</summary>
    public bool JoinsStop;
    /// <summary>It waits for the end of a stop.</summary>
    public bool IsStopped;
    /// <summary>It is on its way out: no signal is for it any more, and nothing interrupts its waits.</summary>
    public bool IsExiting;
    /// <summary>On its way out it has handed over the locks that others wait for (FutexTable.OwnerEnds).</summary>
    public bool HasLeftLocks;
    /// <summary>True when SavedMask is to be restored after the signal that interrupts a sigsuspend-like call.</summary>
    public bool RestoresSavedMask;
    public Process* Process;
    /// <summary>Neighbours among the living threads of the process, and the next in the same bucket of the table of ids.</summary>
    public UserThread* Next;
    public UserThread* Previous;
    public UserThread* NextInBucket;
    /// <summary>The kernel thread under it; null before it has started and after its end.</summary>
    public Thread* Kernel;
    /// <summary>The registers that it left user mode with; lives on its kernel stack.</summary>
    public UserContext* User;
    /// <summary>Its registers beyond the general ones: what it starts with, and what it has while it does not run.</summary>
    public ExtendedStateBuffer ExtendedState;

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
    /// <summary>That call starts again whatever has interrupted it (ERESTARTNOINTR), though others of its number do not.</summary>
    public bool RestartsAlways;
    /// <summary>That call had a time-out of its socket and does not start again, though others of its number do (signal(7)).</summary>
    public bool NeverRestarts;
    /// <summary>The deadline that this call waited for and keeps when it starts again, in Clock.NowNs time; 0 = none.</summary>
    public ulong InterruptedDeadlineNs;
    /// <summary>The deadline of the call that is about to start again; 0 = none.</summary>
    public ulong ResumedDeadlineNs;
    /// <summary>Its next call continues one with a deadline, or its calls are filtered: the only thing that every call asks.</summary>
    public bool EntersSpecially;
    /// <summary>What seccomp(2) leaves it, and its filters, the newest first.</summary>
    public FilterMode FilterMode;
    /// <summary>A filter has had one of its calls logged.</summary>
    public bool HasLoggedCall;
    public SystemCallFilter* Filters;
    /// <summary>
    /// Address of the last page fault that became a signal (cr2 in signal frames), and the trap number with its error code.
    /// </summary>
    public ulong FaultAddress;
    public ulong TrapNumber;
    public ulong TrapError;
    /// <summary>
    /// Summary of the registers at the last page fault, and how many faults in a row had the same: one instruction that needs many pages.
    /// </summary>
    public ulong FaultFingerprint;
    public uint FaultsWithoutProgress;
    /// <summary>State of CpuTime: the run time that the process has been charged for, and whether what follows is system time.</summary>
    public ulong AccountedRunNs;
    public bool IsInHandler;
    /// <summary>Its part of the process's times, nanoseconds.</summary>
    public ulong UserTimeNs;
    public ulong SystemTimeNs;
    /// <summary>Command name of a thread that is not the leader (PR_SET_NAME).</summary>
    public Process.NameBuffer OwnName;
    /// <summary>Registers that a new thread enters user mode with.</summary>
    public UserContext Initial;
    public ulong InitialFsBase;
    /// <summary>Where the new thread stores its id before it starts (CLONE_CHILD_SETTID), 0 = nowhere.</summary>
    public ulong SetsThreadId;

    // Alternate signal stack (sigaltstack(2)).
    public ulong AlternateStack;
    public ulong AlternateStackBytes;
    public uint AlternateStackFlags;

    /// <summary>CPUs that it may run on (sched_setaffinity(2)), a bit for each; 0 = all. Inherited.</summary>
    public ulong Cpus;

    /// <summary>Scheduling policy and real-time priority, 0 = none (SchedulingPolicy.cs); inherited unless it resets them.</summary>
    public byte Policy;
    public byte RealTimePriority;
    public bool ResetsPolicy;
    /// <summary>What ioprio_set(2) has set, 0 = nothing; inherited.</summary>
    public ushort IoPriority;

    /// <summary>set_tid_address(2): cleared and woken as a futex at the thread's end.</summary>
    public ulong ClearChildThreadId;
    /// <summary>set_robust_list(2).</summary>
    public ulong RobustList;
    /// <summary>
    /// rseq(2): address of its area and the signature before abort handlers, 0 = none; and the turn on a CPU that the area speaks of.
    /// </summary>
    public ulong SequenceArea;
    public uint SequenceSignature;
    public ulong SequenceTurn;
    /// <summary>The CPU that the area names.</summary>
    public uint SequenceCpu;

    /// <summary>True for the thread that has the process's id.</summary>
    public readonly bool IsLeader => Id == Process->Id;

    /// <summary>Command name, NUL-terminated.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref Process.NameBuffer Name => ref IsLeader ? ref Process->Name : ref OwnName;

    /// <summary>
    /// The thread that kernel code acts for when it does something for a process: the running one, or the leader where a kernel thread
    /// starts the process's program.
    /// </summary>
    public static UserThread* ActingFor(Process* process)
    {
        UserThread* current = Current;
        return current != null && current->Process == process ? current : process->Leader;
    }

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
