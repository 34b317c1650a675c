// All locks on files (fcntl(2), flock(2)): who holds which bytes, who waits for whom. A value type of questions and changes that never
// blocks; whoever waits does so outside and asks again when Changed says so. Locks of one owner on one file never overlap and, when they
// touch and are of one type, are one. A record lock that would close a circle of waiters is refused (EDEADLK).

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The locks.</summary>
public sealed unsafe class LockTable
{
    /// <summary>Most locks of the component (ENOLCK beyond).</summary>
    private const ulong MaxLocks = 65536;

    private const int BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly Slab<Held> _locks;
    private readonly Held** _buckets;
    private Waiter* _waiters;
    private WaitQueue _changed;

    private struct Held
    {
        internal Held* Next;
        internal FileLock Lock;
    }

    /// <summary>Somebody who waits for a lock; lives on his stack while he does.</summary>
    public struct Waiter
    {
        internal Waiter* Next;
        internal LockOwner Owner;
        internal LockOwner WaitsFor;
    }

    /// <summary>Takes the memory of the table; boot time. <see cref="IsUsable"/> says whether there was any.</summary>
    public LockTable(FrameAllocator frames)
    {
        _locks = new Slab<Held>(frames, MaxLocks);
        _buckets = (Held**)frames.AllocateCleared();
    }

    public bool IsUsable => _buckets != null;

    /// <summary>Woken whenever a lock may have become free; who waits looks again.</summary>
    public ref WaitQueue Changed => ref _changed;

    /// <summary>Locks that are held.</summary>
    public ulong Count => _locks.InUse;

    /// <summary>
    /// The lock with the lowest first byte that stands in the way of another, as F_GETLK reports it; false when there is none.
    /// </summary>
    public bool TryFindConflict(in FileLock wanted, out FileLock conflict)
    {
        bool found = false;
        conflict = default;
        for (Held* held = *Bucket(in wanted.File); held != null; held = held->Next)
        {
            if (held->Lock.ConflictsWith(in wanted) && (!found || held->Lock.First < conflict.First))
            {
                conflict = held->Lock;
                found = true;
            }
        }

        return found;
    }

    /// <summary>
    /// Sets a lock that nothing conflicts with, or unlocks: the owner's locks in the range become this one. ENOLCK when memory is
    /// exhausted; then nothing has changed.
    /// </summary>
    public Errno Set(FileLock wanted)
    {
        // At most one lock is cut into two, and at most one is added.
        Held* spare = _locks.Allocate();
        Held* added = _locks.Allocate();
        if (spare == null || added == null)
        {
            Free(spare);
            Free(added);
            return Errno.ENOLCK;
        }

        Held** link = Bucket(in wanted.File);
        while (*link != null)
        {
            Held* held = *link;
            if (!held->Lock.Owner.Is(in wanted.Owner) || held->Lock.Family != wanted.Family || !held->Lock.File.Is(in wanted.File))
            {
                link = &held->Next;
                continue;
            }

            if (held->Lock.Type == wanted.Type && Touches(in held->Lock, in wanted))
            {
                wanted.First = Math.Min(wanted.First, held->Lock.First);
                wanted.Last = Math.Max(wanted.Last, held->Lock.Last);
                *link = held->Next;
                Free(held);
                continue;
            }

            if (held->Lock.First > wanted.Last || wanted.First > held->Lock.Last)
            {
                link = &held->Next;
                continue;
            }

            bool before = held->Lock.First < wanted.First;
            bool after = held->Lock.Last > wanted.Last;
            if (before && after)
            {
                spare->Lock = held->Lock;
                spare->Lock.First = wanted.Last + 1;
                held->Lock.Last = wanted.First - 1;
                spare->Next = held->Next;
                held->Next = spare;
                link = &spare->Next;
                spare = null;
            }
            else if (before)
            {
                held->Lock.Last = wanted.First - 1;
                link = &held->Next;
            }
            else if (after)
            {
                held->Lock.First = wanted.Last + 1;
                link = &held->Next;
            }
            else
            {
                *link = held->Next;
                Free(held);
            }
        }

        Free(spare);
        _changed.WakeAll();
        if (wanted.Type == LockType.Unlock)
        {
            Free(added);
            return Errno.None;
        }

        added->Lock = wanted;
        added->Next = *Bucket(in wanted.File);
        *Bucket(in wanted.File) = added;
        return Errno.None;
    }

    /// <summary>Drops what an owner holds on a file, of one family.</summary>
    public void Release(in LockedFile file, LockOwner owner, LockFamily family)
    {
        Held** link = Bucket(in file);
        while (*link != null)
        {
            Held* held = *link;
            if (held->Lock.Owner.Is(in owner) && held->Lock.Family == family && held->Lock.File.Is(in file))
            {
                *link = held->Next;
                Free(held);
            }
            else
            {
                link = &held->Next;
            }
        }

        _changed.WakeAll();
    }

    /// <summary>
    /// Notes that an owner waits for another one's lock. EDEADLK when that one waits, through whomever, for the first. Locks of open file
    /// descriptions are not looked at (fcntl(2): no deadlock detection for them).
    /// </summary>
    public Errno BeginWait(Waiter* waiter, LockOwner owner, LockOwner waitsFor)
    {
        if (!owner.IsOpenFile && LeadsTo(waitsFor, owner))
        {
            return Errno.EDEADLK;
        }

        waiter->Owner = owner;
        waiter->WaitsFor = waitsFor;
        waiter->Next = _waiters;
        _waiters = waiter;
        return Errno.None;
    }

    /// <summary>The wait is over, whatever ended it.</summary>
    public void EndWait(Waiter* waiter)
    {
        if (_waiters == waiter)
        {
            _waiters = waiter->Next;
            return;
        }

        Waiter* previous = _waiters;
        while (previous->Next != waiter)
        {
            previous = previous->Next;
        }

        previous->Next = waiter->Next;
    }

    private static bool Touches(in FileLock held, in FileLock wanted) =>
        (held.First <= wanted.Last || held.First == wanted.Last + 1) && (wanted.First <= held.Last || wanted.First == held.Last + 1);

    private bool LeadsTo(LockOwner from, LockOwner owner)
    {
        // Each owner waits for at most one other, so the way cannot be longer than there are waiters.
        ulong steps = 0;
        for (Waiter* waiter = _waiters; waiter != null; waiter = waiter->Next)
        {
            steps++;
        }

        LockOwner current = from;
        while (!current.Is(in owner) && steps-- != 0)
        {
            Waiter* waiter = _waiters;
            while (waiter != null && !waiter->Owner.Is(in current))
            {
                waiter = waiter->Next;
            }

            if (waiter == null)
            {
                return false;
            }

            current = waiter->WaitsFor;
        }

        return current.Is(in owner);
    }

    private Held** Bucket(in LockedFile file) => &_buckets[(file.Handle.Inode * 2654435761u) % BucketCount];

    private void Free(Held* held)
    {
        if (held != null)
        {
            _locks.Free(held);
        }
    }
}
