// All sets of semaphores of the component (semget(2), semop(2), semctl(2)). Whoever has waited looks its set up again, by id. Only Operate
// BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Sets by id and key.</summary>
public sealed unsafe class SemaphoreSets(FrameAllocator frames)
{
    /// <summary>Most semaphores in a set (SEMMSL).</summary>
    public const int MaxInSet = PageOperations.PageSize / 8;

    private readonly FrameAllocator _frames = frames;
    private readonly Slab<SemaphoreSet> _sets = new(frames);
    private readonly Slab<SemaphoreUndo> _undos = new(frames, IpcTable.MostOf(frames, sizeof(SemaphoreUndo)));

    public IpcTable Table { get; } = new(frames);

    /// <summary>Semaphores in all sets.</summary>
    public int Total { get; private set; }

    /// <summary>The set with an id. Null: EINVAL.</summary>
    public SemaphoreSet* Find(Process* viewer, int id) => (SemaphoreSet*)Table.Find(viewer, id);

    /// <summary>The set of a key, or a new one. ENOENT, EEXIST, EACCES, EINVAL, ENOSPC, ENOMEM.</summary>
    public Errno Get(Process* process, int key, int count, uint flags, out int id)
    {
        id = 0;
        if (count is < 0 or > MaxInSet)
        {
            return Errno.EINVAL;
        }

        Errno error = Table.Look(process->VNode, key, flags, out IpcObject* found);
        if (error == Errno.None && found != null)
        {
            id = found->Id;
            return count > ((SemaphoreSet*)found)->Count ? Errno.EINVAL : found->Check(process, flags & IpcObject.Rights);
        }

        if (error != Errno.None || count == 0)
        {
            return error != Errno.None ? error : Errno.EINVAL;
        }

        SemaphoreSet* set = _sets.Allocate();
        Semaphore* semaphores = set == null ? null : (Semaphore*)_frames.AllocateCleared();
        error = semaphores == null ? Errno.ENOMEM : Table.Add(process, &set->Head, key, flags);
        if (error != Errno.None)
        {
            if (semaphores != null)
            {
                _frames.Free(semaphores);
            }

            if (set != null)
            {
                _sets.Free(set);
            }

            return error;
        }

        set->Count = count;
        set->Semaphores = semaphores;
        Total += count;
        id = set->Head.Id;
        return Errno.None;
    }

    /// <summary>
    /// The operations of one call; they lie where nobody changes them. EAGAIN: they cannot be done now, or not before the deadline; EINTR,
    /// EIDRM, ERANGE, ENOMEM. BLOCKS.
    /// </summary>
    public Errno Operate(Process* process, SemaphoreSet* set, SemaphoreOperation* operations, int count, ulong deadlineNs)
    {
        int id = set->Head.Id;
        Errno error = set->Try(process, operations, count, _undos, out SemaphoreOperation blocking);
        if (error == Errno.None)
        {
            set->Serve(_undos);
        }

        if (error != Errno.EAGAIN || (blocking.Flags & SemaphoreOperation.NoWait) != 0)
        {
            return error;
        }

        SemaphoreWaiter waiter = default;
        waiter.Process = process;
        waiter.Operations = operations;
        waiter.Count = count;
        waiter.Blocking = blocking;
        set->Join(&waiter);
        error = Errno.None;
        while (error == Errno.None && !waiter.IsDone)
        {
            error = Signals.WaitUntil(ref waiter.Wakeup, deadlineNs);
        }

        if (waiter.IsDone)
        {
            return waiter.Result;
        }

        // Still in the list, so the set is still there.
        Find(process, id)->Leave(&waiter);
        return error == Errno.ETIMEDOUT ? Errno.EAGAIN : error;
    }

    /// <summary>A value was set by call: those who wait may go on.</summary>
    public void Changed(SemaphoreSet* set) => set->Serve(_undos);

    /// <summary>IPC_RMID: who waits ends with EIDRM.</summary>
    public void Remove(SemaphoreSet* set)
    {
        while (set->FirstWaiter != null)
        {
            set->Finish(set->FirstWaiter, Errno.EIDRM);
        }

        while (set->FirstUndo != null)
        {
            SemaphoreUndo* undo = set->FirstUndo;
            set->FirstUndo = undo->Next;
            _undos.Free(undo);
        }

        Total -= set->Count;
        Table.Remove(&set->Head);
        _frames.Free(set->Semaphores);
        _sets.Free(set);
    }

    /// <summary>The component begins a new life or (not 0) a vNode is known no more, and no program is left of the old one.</summary>
    public void Clear(ushort vnode = 0)
    {
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            SemaphoreSet* set = (SemaphoreSet*)Table.At(index);
            if (set != null && (vnode == 0 || set->Head.VNode == vnode))
            {
                Remove(set);
            }
        }
    }

    /// <summary>A process ends.</summary>
    public void Leave(Process* process)
    {
        for (int index = 0; index < IpcTable.MaxObjects && _undos.InUse != 0; index++)
        {
            SemaphoreSet* set = (SemaphoreSet*)Table.At(index);
            if (set != null)
            {
                set->Undo(process, _undos);
            }
        }
    }
}
