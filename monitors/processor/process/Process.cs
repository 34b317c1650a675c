// A process of a processor component: what Linux calls a thread group. Everything that its threads share lives here or hangs off it; what
// each thread has for itself (registers, signal mask, alternate stack, name) is a UserThread.
//
// Threads. FirstThread and its successors are those that live, oldest first, and ThreadCount counts them; none: the process is a zombie, or
// process 1. The leader is the thread with the process's id. When it ends before the others its UserThread stays until the process is
// removed, because the id stays taken; all others are freed at their ends (ThreadExit.cs). Three things concern all threads at once, and
// each leaves a mark in every one of them that it must act on before it continues in user mode (UserThread.Doomed, JoinsStop):
//   * the process ends: IsEnding, EndStatus (Signals.Doom);
//   * one of them executes a program, and waits until it is the only one (ThreadExit.EndOthers);
//   * a stop: StopSignal. The process is Stopped once every thread has joined the stop (ProcessStops.cs).
//
// Processes are unmanaged structs in a slab (Processes.cs), reached by pointer; the big kernel lock serialises all access. A pointer to a
// process other than the caller's own stays valid only until the caller blocks: look it up again by id afterwards.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Where a process is in its life.</summary>
public enum ProcessState : byte
{
    /// <summary>Being built by fork or StartProcess; invisible to wait and to kill by id, but signals to its group reach it.</summary>
    Embryo = 0,
    Running = 1,
    /// <summary>Stopped by a signal; its threads wait for SIGCONT or SIGKILL.</summary>
    Stopped = 2,
    /// <summary>Ended; keeps its id and wait status until the parent has waited for it.</summary>
    Zombie = 3,
}

/// <summary>A running program, its identity, its resources and its relatives.</summary>
public unsafe struct Process
{
    /// <summary>Bytes of the command name with its terminator (TASK_COMM_LEN).</summary>
    public const int NameBytes = 16;

    /// <summary>Most supplementary groups that need no <see cref="GroupSet"/>.</summary>
    public const int OwnGroups = GroupList.Most;

    /// <summary>Number of resource limits (RLIM_NLIMITS).</summary>
    public const int LimitCount = 16;

    private ObjectPointer<Processes> _table;

    /// <summary>Process id; also the thread id of its first thread.</summary>
    public uint Id;
    /// <summary>Process group id (getpgid).</summary>
    public uint Group;
    /// <summary>Session id (getsid).</summary>
    public uint SessionId;
    /// <summary>
    /// The manager's name for the standard streams that this process inherited; comes back in StandardOutput and ProcessExited.
    /// </summary>
    public uint TerminalSession;
    /// <summary>The vNode that it belongs to, 0 = the rack itself; inherited, never changed (Visibility, VNodes).</summary>
    public ushort VNode;
    public ProcessState State;
    /// <summary>True after a successful execve: setpgid on it by its parent fails with EACCES.</summary>
    public bool HasExecuted;
    /// <summary>True for the first process of a manager's session: its end is reported with ProcessExited.</summary>
    public bool LeadsTerminalSession;
    /// <summary>A stop or continue that the parent has not yet waited for.</summary>
    public bool StopUnreported;
    public bool ContinueUnreported;
    /// <summary>Signal that its end sends to the parent: SIGCHLD, or what clone was given; 0 = none.</summary>
    public byte ExitSignal;
    /// <summary>PR_SET_DUMPABLE and PR_SET_PDEATHSIG values of prctl(2).</summary>
    public byte Dumpable;
    public byte ParentDeathSignal;

    // Relatives. Children form a doubly linked list through Older and Younger. Only process 1 has no parent.
    public Process* Parent;
    public Process* FirstChild;
    public Process* LastChild;
    public Process* OlderSibling;
    public Process* YoungerSibling;
    /// <summary>Next process of the whole component, in order of creation (Processes.First is the oldest).</summary>
    public Process* Next;
    public Process* Previous;
    /// <summary>Next in the same bucket of the id table.</summary>
    public Process* NextInBucket;

    /// <summary>The thread with the process's id, living or not; see the file's head.</summary>
    public UserThread* Leader;
    /// <summary>Threads that live, oldest first, linked by UserThread.Next, and their number.</summary>
    public UserThread* FirstThread;
    public UserThread* LastThread;
    public uint ThreadCount;
    /// <summary>All threads are to end, and the process then has this status; it does not change any more.</summary>
    public bool IsEnding;
    public uint EndStatus;
    /// <summary>Ends of threads wake this.</summary>
    public WaitQueue ThreadEnded;
    /// <summary>Signal of the stop that is under way or complete; 0 = none.</summary>
    public int StopSignal;
    /// <summary>Shared with the parent between vfork and execve; null for a zombie.</summary>
    public AddressSpace* Space;
    /// <summary>It is being ended because it has taken most memory (MemoryShortage).</summary>
    public bool EndsForMemory;
    /// <summary>Its open files: what ProcessResources keeps for it.</summary>
    public void* Resources;
    /// <summary>Handlers of all signals (shared by threads in CLONE_SIGHAND's sense).</summary>
    public SignalActions* Actions;
    /// <summary>Signals sent to the process as a whole.</summary>
    public SignalQueue Pending;
    /// <summary>Components that serve this process: home memory, storage, file cache.</summary>
    public PlaceReply Place;

    // Credentials (credentials(7)).
    public uint UserId;
    public uint EffectiveUserId;
    public uint SavedUserId;
    public uint FileSystemUserId;
    public uint GroupId;
    public uint EffectiveGroupId;
    public uint SavedGroupId;
    public uint FileSystemGroupId;
    public ulong PermittedCapabilities;
    public ulong EffectiveCapabilities;
    /// <summary>PR_SET_KEEPCAPS: what is permitted outlasts user id 0 (Capabilities).</summary>
    public bool KeepsCapabilities;
    /// <summary>Supplementary groups in ascending order (getgroups(2)), and how many there are; inherited.</summary>
    public fixed uint Groups[OwnGroups];
    public int GroupCount;
    /// <summary>The groups, where they are more than <see cref="Groups"/> holds; else null.</summary>
    public GroupSet* ManyGroups;

    /// <summary>The groups as a list, good until its caller waits; a process is a struct of a slab and stays where it is.</summary>
    public readonly ReadOnlySpan<uint> SupplementaryGroups
    {
        get
        {
            fixed (uint* groups = Groups)
            {
                return ManyGroups != null ? GroupSet.Of(ManyGroups) : new ReadOnlySpan<uint>(groups, GroupCount);
            }
        }
    }

    /// <summary>Canonical path of the program file in a page of its own, NUL-terminated (/proc/PID/exe).</summary>
    public byte* Executable;
    /// <summary>Command name of the leader (PR_SET_NAME, /proc/PID/comm), NUL-terminated; the other threads have their own.</summary>
    public NameBuffer Name;

    /// <summary>Soft and hard limit of each RLIMIT_*, in that order (getrlimit(2)).</summary>
    public fixed ulong Limits[2 * LimitCount];

    /// <summary>Status as wait(2) encodes it: of the end for a zombie, else of the last stop.</summary>
    public uint WaitStatus;
    /// <summary>Children's changes of state wake this (wait4, waitid).</summary>
    public WaitQueue ChildChanged;
    /// <summary>Threads that have joined a stop wait here.</summary>
    public WaitQueue StopChanged;
    /// <summary>A vfork parent waits here until the child has executed a program or is gone.</summary>
    public WaitQueue SpaceReleased;
    /// <summary>The process that waits for this one's execve or exit (CLONE_VFORK), usually its parent; null otherwise.</summary>
    public Process* Waiter;

    // Accounting, nanoseconds.
    public ulong StartTimeNs;
    /// <summary>Of the threads that have ended; CpuTime adds those that live.</summary>
    public ulong UserTimeNs;
    public ulong SystemTimeNs;
    public ulong ChildrenUserTimeNs;
    public ulong ChildrenSystemTimeNs;
    /// <summary>Page faults that were served here, and those that fetched a page from a memory component.</summary>
    public ulong MinorFaults;
    public ulong MajorFaults;
    public ulong ChildrenMinorFaults;
    public ulong ChildrenMajorFaults;
    /// <summary>Most lines that were resident at a time, of a space that the process has left; and the same of the largest child.</summary>
    public ulong PeakLines;
    public ulong ChildrenPeakLines;
    /// <summary>Bytes and calls of read(2), write(2) and their kin (/proc/PID/io).</summary>
    public ulong ReadBytes;
    public ulong WrittenBytes;
    public ulong ReadCalls;
    public ulong WriteCalls;
    /// <summary>Times that it waited in a system call.</summary>
    public ulong VoluntarySwitches;

    /// <summary>ITIMER_REAL (and alarm), ITIMER_VIRTUAL, ITIMER_PROF, RLIMIT_CPU, and those of timer_create(2).</summary>
    public ProcessTimer RealTimer;
    public ProcessTimer VirtualTimer;
    public ProcessTimer ProfileTimer;
    public ProcessTimer LimitTimer;
    public ProcessTimer* FirstTimer;

    /// <summary>Nice value, -20 to 19 (sched(7)); inherited.</summary>
    public sbyte Nice;
    /// <summary>PR_SET_NO_NEW_PRIVS: execve gives no privileges; inherited, never taken back.</summary>
    public bool NoNewPrivileges;
    /// <summary>A thread writes its core file, which only one does.</summary>
    public bool WritesCore;
    /// <summary>PR_SET_CHILD_SUBREAPER.</summary>
    public bool ReapsOrphans;
    /// <summary>What personality(2) has set, 0 = PER_LINUX; inherited, also by execve.</summary>
    public uint Personality;
    /// <summary>PR_SET_TIMERSLACK, 0 = the default; inherited.</summary>
    public ulong TimerSlackNs;
    /// <summary>Commands of membarrier(2) that it has registered for.</summary>
    public uint Barriers;
    /// <summary>/proc/PID/oom_score_adj; inherited.</summary>
    public short OutOfMemoryScore;

    /// <summary>The table that it stands in: the way from a process to everything of its component.</summary>
    public readonly Processes Table => _table.Target;

    internal void SetTable(ObjectPointer<Processes> table) => _table = table;

    /// <summary>Storage for a command name.</summary>
    [InlineArray(NameBytes)]
    public struct NameBuffer
    {
        private byte _first;
    }

    /// <summary>The process that the current thread executes, or null in a kernel thread.</summary>
    public static Process* Current
    {
        get
        {
            UserThread* thread = UserThread.Current;
            return thread == null ? null : thread->Process;
        }
    }
}
