// fork(2), vfork(2) and the process flavours of clone(2). A forked address space is copy-on-write at the home memory component: the parent's dirty
// lines are written back, the home copies the space (Fork), and every page that exists is remote to the child. A vfork child runs in the
// parent's space while the parent waits. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>How a child relates to its parent.</summary>
public struct ForkOptions
{
    /// <summary>CLONE_VM | CLONE_VFORK: share the space, wait for exec or exit.</summary>
    public bool SharesSpace;
    public byte ExitSignal;
    /// <summary>Stack pointer of the child, 0 = the parent's.</summary>
    public ulong StackPointer;
    /// <summary>CLONE_SETTLS.</summary>
    public bool SetsFsBase;
    public ulong FsBase;
    /// <summary>CLONE_PARENT_SETTID, CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID addresses, 0 = none.</summary>
    public ulong ParentThreadId;
    public ulong ChildThreadId;
    public ulong ClearChildThreadId;
}

/// <summary>Makes children.</summary>
public static unsafe class ProcessFork
{
    /// <summary>Creates a child of a thread's process, which is in a system call. EAGAIN, ENOMEM; EINTR: a signal comes first.</summary>
    public static Errno Fork(UserThread* caller, in ForkOptions options, out uint id)
    {
        id = 0;
        // A signal that has come before is acted on first, and the call starts again (SystemCallRestart): what a group was told before the fork, parent
        // and child have both been told.
        if (Signals.IsPending(caller))
        {
            return Errno.EINTR;
        }

        Process* parent = caller->Process;
        Process* child = parent->Table.Create();
        if (child == null)
        {
            return Errno.EAGAIN;
        }

        Inherit(parent, child);
        Errno error = InheritSpace(parent, child, options.SharesSpace);
        if (error == Errno.None)
        {
            error = parent->Table.Resources!.Inherit(parent, child);
        }

        // A parent that was killed meanwhile leaves no child behind. From here to the end nothing blocks.
        if (error == Errno.None && Signals.IsDying(caller))
        {
            error = Errno.EINTR;
        }

        if (error == Errno.None)
        {
            error = StartThread(caller, child, in options);
        }

        if (error != Errno.None)
        {
            Abandon(child);
            return error;
        }

        child->ExitSignal = options.ExitSignal;
        child->HoldsParent = options.SharesSpace;
        Processes.Adopt(parent, child);
        child->State = ProcessState.Running;
        id = child->Id;
        if (options.ParentThreadId != 0)
        {
            new UserPointer<uint>(options.ParentThreadId).Write(parent, in id);
        }

        if (options.SharesSpace)
        {
            WaitForRelease(parent, id);
        }

        return Errno.None;
    }

    /// <summary>Undoes what has been built of a child that will not run. BLOCKS.</summary>
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
        child->Umask = parent->Umask;
        child->Name = parent->Name;
        for (int index = 0; index < 2 * Process.LimitCount; index++)
        {
            child->Limits[index] = parent->Limits[index];
        }

        *child->Actions = *parent->Actions;
        PageOperations.Copy(child->Cwd, parent->Cwd);
        PageOperations.Copy(child->Executable, parent->Executable);
        child->Thread->BlockedSignals = parent->Thread->BlockedSignals;
        child->Thread->AlternateStack = parent->Thread->AlternateStack;
        child->Thread->AlternateStackBytes = parent->Thread->AlternateStackBytes;
        child->Thread->AlternateStackFlags = parent->Thread->AlternateStackFlags;
    }

    private static Errno InheritSpace(Process* parent, Process* child, bool shares)
    {
        AddressSpace* space = parent->Space;
        if (shares)
        {
            space->Users++;
            child->Space = space;
            child->Thread->AlternateStackBytes = 0;
            return Errno.None;
        }

        AddressSpace* copy = parent->Table.Spaces.Create(space->Home);
        if (copy == null)
        {
            return Errno.ENOMEM;
        }

        Errno error = CopySpace(parent->Table, space, copy);
        if (error != Errno.None)
        {
            return error;
        }

        child->Space = copy;
        return Errno.None;
    }

    private static Errno CopySpace(Processes table, AddressSpace* space, AddressSpace* copy)
    {
        ExCache cache = table.Cache;
        using Scratch scratch = table.Scratch.Take();
        cache.BeginChange(space);
        Errno error = Errno.None;
        for (int index = 0; index < space->Ranges.Count && error == Errno.None; index++)
        {
            error = cache.WriteBack(space, space->Ranges[index].Start, space->Ranges[index].End, scratch.Request);
        }

        if (error == Errno.None)
        {
            ForkRequest request = new() { ChildAsid = copy->Asid };
            error = table.Spaces.Request(space, copy, Opcode.Fork, in request, default, scratch.Reply, out _);
        }

        if (error == Errno.None)
        {
            copy->Break = space->Break;
            copy->StackStart = space->StackStart;
            copy->ArgumentStart = space->ArgumentStart;
            copy->ArgumentEnd = space->ArgumentEnd;
            error = cache.CopyStates(space, copy);
        }

        cache.EndChange(space);
        if (error != Errno.None)
        {
            // The home may have the copy all the same: an answer got lost, or what it says finds no room here.
            table.Spaces.Release(copy);
        }

        return error;
    }

    private static Errno StartThread(UserThread* caller, Process* child, in ForkOptions options)
    {
        UserThread* thread = child->Thread;
        thread->Initial = *caller->User;
        thread->Initial.Rax = 0;
        if (options.StackPointer != 0)
        {
            thread->Initial.Rsp = options.StackPointer;
        }

        thread->InitialFsBase = options.SetsFsBase ? options.FsBase : Scheduler.Current->FsBase;
        thread->ClearChildThreadId = options.ClearChildThreadId;
        thread->SetsThreadId = options.ChildThreadId;
        FloatingPoint.Save(&thread->InitialVectors);
        return child->Table.Threads.Spawn(thread) ? Errno.None : Errno.EAGAIN;
    }

    private static void WaitForRelease(Process* parent, uint childId)
    {
        // Only the parent's own end ends the wait early (vfork(2)); then the child keeps the space alive by its own count.
        Errno error = Errno.None;
        while (error == Errno.None)
        {
            Process* child = parent->Table.Find(childId);
            if (child == null || child->Parent != parent || !child->HoldsParent)
            {
                return;
            }

            error = Signals.WaitKillable(ref parent->SpaceReleased);
        }
    }
}
