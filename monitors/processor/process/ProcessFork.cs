// fork(2), vfork(2) and the process flavours of clone(2). A forked address space is copy-on-write: what is resident here, dirty or not, is
// mapped by parent and child until one of them writes to it (ExCache.CopyStates), and the home copies the space (Fork). In this order,
// because what is evicted while the home is asked is then written back for both. A vfork child runs in the parent's space while the parent
// waits. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>CLONE_* of clone(2), without the signal in the lowest byte.</summary>
[Flags]
public enum CloneFlags : ulong
{
    None = 0,
    Memory = 0x100,
    FileSystem = 0x200,
    Files = 0x400,
    SignalHandlers = 0x800,
    /// <summary>A descriptor of the child for the caller (pidfd_open(2)); the caller of Fork makes it.</summary>
    ProcessDescriptor = 0x1000,
    VFork = 0x4000,
    /// <summary>The child's parent is the caller's.</summary>
    Parent = 0x8000,
    Thread = 0x10000,
    NewMounts = 0x20000,
    SystemVUndo = 0x40000,
    SetThreadPointer = 0x80000,
    ParentSetThreadId = 0x100000,
    ChildClearThreadId = 0x200000,
    /// <summary>Ignored, as is the next, which is about tracers.</summary>
    Detached = 0x400000,
    Untraced = 0x800000,
    ChildSetThreadId = 0x1000000,
    NewUsers = 0x10000000,
    NewProcesses = 0x20000000,
    InputOutput = 0x80000000,
    /// <summary>clone3 only: handlers go back to their defaults.</summary>
    ClearSignalHandlers = 0x100000000,

    /// <summary>Those above, and those of times, control groups, host names, System V's objects and networks (namespaces(7)).</summary>
    Namespaces = NewMounts | NewUsers | NewProcesses | 0x80 | 0x2000000 | 0x4000000 | 0x8000000 | 0x40000000,

    /// <summary>Flags that are done, and CLONE_IO, which asks for nothing that exists here.</summary>
    Known = Memory | CloneFlags.FileSystem | Files | SignalHandlers | CloneFlags.ProcessDescriptor | VFork | Parent | SystemVUndo
        | SetThreadPointer
        | ParentSetThreadId | ChildClearThreadId | Detached | Untraced | ChildSetThreadId | InputOutput | ClearSignalHandlers,
}

/// <summary>How a child relates to its parent.</summary>
public unsafe struct ForkOptions
{
    public CloneFlags Flags;
    /// <summary>Signal that the child's end sends; with CLONE_PARENT it is the caller's own.</summary>
    public byte ExitSignal;
    /// <summary>Stack pointer of the child, 0 = the parent's.</summary>
    public ulong StackPointer;
    /// <summary>For CLONE_SETTLS.</summary>
    public ulong FsBase;
    /// <summary>CLONE_PARENT_SETTID, CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID addresses, 0 = none.</summary>
    public ulong ParentThreadId;
    public ulong ChildThreadId;
    public ulong ClearChildThreadId;
    /// <summary>Is told which process the child is before it runs; null: nobody asks.</summary>
    public ProcessReference* Reference;
}

/// <summary>Makes children.</summary>
public static unsafe class ProcessFork
{
    /// <summary>Creates a child of a thread's process, which is in a system call. EAGAIN, ENOMEM; EINTR: a signal comes first.</summary>
    public static Errno Fork(UserThread* caller, in ForkOptions options, out uint id)
    {
        id = 0;
        // A signal that has come before is acted on first, and the call starts again (SystemCallRestart): what a group was told before the
        // fork, parent and child have both been told.
        if (Signals.IsPending(caller))
        {
            return Errno.EINTR;
        }

        Process* parent = caller->Process;
        if (!parent->Table.MayFork(parent))
        {
            return Errno.EAGAIN;
        }

        Process* child = parent->Table.Create();
        if (child == null)
        {
            return Errno.EAGAIN;
        }

        Inherit(parent, child);
        Inherit(caller, child->Leader, options.Flags);
        InheritActions(parent, child, options.Flags);
        Errno error = InheritSpace(parent, child, options.Flags);
        if (error == Errno.None)
        {
            error = parent->Table.Resources!.Inherit(parent, child, options.Flags);
        }

        // A parent that was killed meanwhile leaves no child behind. From here to the end nothing blocks.
        if (error == Errno.None && Signals.IsDying(caller))
        {
            error = Errno.EINTR;
        }

        if (error == Errno.None)
        {
            error = ThreadStart.Begin(caller, child->Leader, in options);
        }

        if (error != Errno.None)
        {
            Abandon(child);
            return error;
        }

        bool isSibling = (options.Flags & CloneFlags.Parent) != 0;
        bool holdsParent = (options.Flags & CloneFlags.VFork) != 0;
        child->ExitSignal = isSibling ? parent->ExitSignal : options.ExitSignal;
        child->Waiter = holdsParent ? parent : null;
        ProcessFamily.Adopt(isSibling ? parent->Parent : parent, child);
        child->State = ProcessState.Running;
        child->Table.Timers.SetLimit(child);
        id = child->Id;
        if (options.Reference != null)
        {
            *options.Reference = ProcessReference.Of(child);
        }

        if (options.ParentThreadId != 0)
        {
            new UserPointer<uint>(options.ParentThreadId).Write(parent, in id);
        }

        if (holdsParent)
        {
            WaitForRelease(parent, id);
        }

        return Errno.None;
    }

    /// <summary>Undoes what has been built of a child that will not run.</summary>
    [Blocks]
    public static void Abandon(Process* child)
    {
        child->Table.Resources!.Release(child);
        if (child->Space != null)
        {
            AddressSpace* space = child->Space;
            child->Space = null;
            child->Table.Spaces.Release(space);
        }

        child->Table.Remove(child);
    }

    private static void Inherit(Process* parent, Process* child)
    {
        child->Group = parent->Group;
        child->SessionId = parent->SessionId;
        child->TerminalSession = parent->TerminalSession;
        child->VNode = parent->VNode;
        child->Dumpable = parent->Dumpable;
        child->Place = parent->Place;
        child->UserId = parent->UserId;
        child->EffectiveUserId = parent->EffectiveUserId;
        child->SavedUserId = parent->SavedUserId;
        child->FileSystemUserId = parent->FileSystemUserId;
        child->GroupId = parent->GroupId;
        child->EffectiveGroupId = parent->EffectiveGroupId;
        child->SavedGroupId = parent->SavedGroupId;
        child->FileSystemGroupId = parent->FileSystemGroupId;
        child->PermittedCapabilities = parent->PermittedCapabilities;
        child->EffectiveCapabilities = parent->EffectiveCapabilities;
        child->KeepsCapabilities = parent->KeepsCapabilities;
        child->GroupCount = parent->GroupCount;
        child->ManyGroups = GroupSet.Hold(parent->ManyGroups);
        for (int index = 0; index < Process.OwnGroups; index++)
        {
            child->Groups[index] = parent->Groups[index];
        }

        child->Nice = parent->Nice;
        child->NoNewPrivileges = parent->NoNewPrivileges;
        child->Personality = parent->Personality;
        child->TimerSlackNs = parent->TimerSlackNs;
        child->Barriers = parent->Barriers;
        child->OutOfMemoryScore = parent->OutOfMemoryScore;
        for (int index = 0; index < 2 * Process.LimitCount; index++)
        {
            child->Limits[index] = parent->Limits[index];
        }

        PageOperations.Copy(child->Executable, parent->Executable);
    }

    /// <summary>What a new thread has from the one that made it.</summary>
    internal static void Inherit(UserThread* caller, UserThread* thread, CloneFlags flags)
    {
        SystemCallFilters.Inherit(caller, thread);
        thread->Name = caller->Name;
        thread->Cpus = caller->Cpus;
        SchedulingPolicy.Inherit(caller, thread);
        thread->BlockedSignals = caller->BlockedSignals;
        if ((flags & CloneFlags.Memory) == 0)
        {
            RestartableSequence.Register(thread, caller->SequenceArea, caller->SequenceSignature);
        }

        // The stack is the caller's, unless memory is shared and both run (Linux's copy_thread: sas_ss_reset).
        if ((flags & (CloneFlags.Memory | CloneFlags.VFork)) != CloneFlags.Memory)
        {
            thread->AlternateStack = caller->AlternateStack;
            thread->AlternateStackBytes = caller->AlternateStackBytes;
            thread->AlternateStackFlags = caller->AlternateStackFlags;
        }
    }

    private static void InheritActions(Process* parent, Process* child, CloneFlags flags)
    {
        if ((flags & CloneFlags.SignalHandlers) != 0)
        {
            child->Table.ReleaseActions(child->Actions);
            child->Actions = parent->Actions;
            child->Actions->References++;
            return;
        }

        child->Actions->CopyFrom(parent->Actions);
        if ((flags & CloneFlags.ClearSignalHandlers) != 0)
        {
            child->Actions->ForgetHandlers();
        }
    }

    private static Errno InheritSpace(Process* parent, Process* child, CloneFlags flags)
    {
        AddressSpace* space = parent->Space;
        if ((flags & CloneFlags.Memory) != 0)
        {
            space->Users++;
            child->Space = space;
            return Errno.None;
        }

        AddressSpace* copy = parent->Table.Spaces.Create(space->Home, space->VNode);
        if (copy == null)
        {
            return Errno.ENOMEM;
        }

        Errno error = CopySpace(parent->Table, space, copy);
        if (error != Errno.None)
        {
            return error;
        }

        // What is told of a space's begin is told of its end as well, also when it ends at once.
        child->Space = copy;
        parent->Table.Backings.Tell(copy, parent->Id, begins: true);
        return space->Advised == null ? Errno.None : parent->Table.Spaces.ObeyAdvice(space, copy);
    }

    private static Errno CopySpace(Processes table, AddressSpace* space, AddressSpace* copy)
    {
        ExCache cache = table.Cache;
        using Scratch scratch = table.Scratch.Take();
        cache.BeginChange(space);
        Errno error = table.Backings.Copy(space, copy);
        error = error == Errno.None ? copy->CopyRanges(table.Frames, ref *space) : error;
        error = error == Errno.None ? cache.CopyStates(space, copy) : error;
        if (error == Errno.None)
        {
            ForkRequest request = new() { ChildAsid = copy->Asid };
            error = table.Spaces.Request(space, copy, Opcode.Fork, in request, default, scratch.Reply, out _);
        }

        if (error == Errno.None)
        {
            copy->Break = space->Break;
            copy->ArgumentStart = space->ArgumentStart;
            copy->ArgumentEnd = space->ArgumentEnd;
            copy->EnvironmentEnd = space->EnvironmentEnd;
            copy->AuxiliaryStart = space->AuxiliaryStart;
        }

        cache.EndChange(space);
        if (error != Errno.None)
        {
            // The home may have the copy all the same: an answer got lost, or what it says finds no room here.
            table.Spaces.Release(copy);
        }

        return error;
    }

    private static void WaitForRelease(Process* parent, uint childId)
    {
        // Only the parent's own end ends the wait early (vfork(2)); then the child keeps the space alive by its own count.
        Errno error = Errno.None;
        while (error == Errno.None)
        {
            Process* child = parent->Table.Find(childId);
            if (child == null || child->Waiter != parent)
            {
                return;
            }

            error = Signals.WaitKillable(ref parent->SpaceReleased);
            if (error != Errno.None && parent->Table.Find(childId) == child)
            {
                child->Waiter = null;
            }
        }
    }
}
