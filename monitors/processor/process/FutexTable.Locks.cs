// Futexes that are locks with an owner (futex(2), "Priority-inheritance futexes"): the word holds the owner's thread id, WaitersBit when
// somebody waits in the kernel, and OwnerDiedBit when an owner has ended with the lock. The kernel hands the lock from one owner to the
// next, in the order in which they came, whatever their priorities, and an owner does not inherit one. A word is changed by
// compare-and-exchange, because programs on other CPUs change it without the kernel lock; between that and the list nothing blocks.

using System.Threading;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class FutexTable
{
    public const uint WaitersBit = 0x8000_0000;
    public const uint OwnerDiedBit = 0x4000_0000;
    public const uint OwnerMask = 0x3FFF_FFFF;

    /// <summary>
    /// Takes a lock. EDEADLK: the caller has it; ESRCH: its owner does not exist; EAGAIN: somebody has it, and the caller does not wait (a
    /// deadline of 0); EFAULT, EINTR, ETIMEDOUT.
    /// </summary>
    [Blocks]
    public Errno Lock(UserThread* thread, ulong address, bool isPrivate, ulong deadlineNs)
    {
        Process* process = thread->Process;
        Errno error = WordAt(process, address, out uint* word);
        if (error != Errno.None)
        {
            return error;
        }

        Waiter waiter = default;
        waiter.Thread = thread->Id;
        FutexKey key = FutexKey.Of(process, address, isPrivate);
        error = TakeFor(process->Table, &waiter, in key, word, waits: deadlineNs != 0);
        if (error != Errno.None || waiter.Owner == waiter.Thread)
        {
            return error;
        }

        waiter.Key = key;
        return Wait(&waiter, deadlineNs);
    }

    /// <summary>Gives a lock up: to who has waited longest, if anybody does. EPERM: the caller does not have it; EFAULT.</summary>
    [Blocks]
    public Errno Unlock(UserThread* thread, ulong address, bool isPrivate)
    {
        Errno error = WordAt(thread->Process, address, out uint* word);
        if (error != Errno.None)
        {
            return error;
        }

        if ((Volatile.Read(ref *word) & OwnerMask) != thread->Id)
        {
            return Errno.EPERM;
        }

        HandOver(FutexKey.Of(thread->Process, address, isPrivate), word, 0);
        return Errno.None;
    }

    /// <summary>A thread ends: the locks that others wait for go to them, with a word that says so.</summary>
    [Blocks]
    public void OwnerEnds(UserThread* thread)
    {
        Process* process = thread->Process;
        while (TryFindLockOf(thread->Id, out FutexKey key))
        {
            uint* word = null;
            ulong address = 0;
            bool isInReach = process->Space != null && key.TryFindAddress(process, out address)
                && WordAt(process, address, out word) == Errno.None;
            if (!isInReach)
            {
                Abandon(thread->Id, in key);
            }
            else if (TryFindLockOf(thread->Id, out FutexKey found) && found.Is(in key)
                && key.TryFindAddress(process, out ulong now) && now == address)
            {
                // Nobody who waits has gone, and nobody has mapped anything else there, while the word came.
                HandOver(in key, word, OwnerDiedBit);
            }
        }
    }

    private void HandOver(in FutexKey key, uint* word, uint mark)
    {
        Waiter** link = LinkToNext(in key);
        Waiter* next = *link;
        uint wanted = mark;
        if (next != null)
        {
            *link = next->Next;
            wanted |= next->Thread;
            for (Waiter* other = next->Next; other != null; other = other->Next)
            {
                if (other->Key.Is(in key) && other->WaitsForLock)
                {
                    other->Owner = next->Thread;
                    wanted |= WaitersBit;
                }
            }
        }

        // Whatever the program has made of the word meanwhile: the kernel's lists say whose it is.
        Interlocked.Exchange(ref *word, wanted);
        if (next != null)
        {
            next->Wake();
        }
    }

    /// <summary>Where the list names who gets the lock next; null stands there when nobody waits for it.</summary>
    private Waiter** LinkToNext(in FutexKey key)
    {
        Waiter** link = BucketOf(in key);
        while (*link != null && (!(*link)->Key.Is(in key) || !(*link)->WaitsForLock))
        {
            link = &(*link)->Next;
        }

        return link;
    }

    /// <summary>
    /// Makes somebody who is in no list of the lock yet the owner of it when it is free, or marks a taken one as waited for: Owner says
    /// whose it is then. EDEADLK; ESRCH: its owner does not exist; EAGAIN: it is taken, and the caller does not wait.
    /// </summary>
    private Errno TakeFor(Processes table, Waiter* waiter, in FutexKey key, uint* word, bool waits)
    {
        // An owner that ends clears the word of a robust lock before the lock goes to who waits for it: until then it is not free.
        Waiter* next = *LinkToNext(in key);
        uint ending = next != null && IsOwnerThere(table, next->Owner) ? next->Owner : 0;
        uint before = Volatile.Read(ref *word);
        while (true)
        {
            uint owner = before & OwnerMask;
            owner = owner != 0 ? owner : ending;
            if (owner == waiter->Thread)
            {
                return Errno.EDEADLK;
            }

            if (owner != 0 && !waits)
            {
                return Errno.EAGAIN;
            }

            if (owner != 0 && !IsOwnerThere(table, owner))
            {
                return Errno.ESRCH;
            }

            uint mark = (before & OwnerDiedBit) | (next != null ? WaitersBit : 0);
            uint wanted = owner == 0 ? waiter->Thread | mark : before | WaitersBit;
            uint found = Interlocked.CompareExchange(ref *word, wanted, before);
            if (found == before)
            {
                waiter->Owner = owner == 0 ? waiter->Thread : owner;
                return Errno.None;
            }

            before = found;
        }
    }

    private bool TryFindLockOf(uint owner, out FutexKey key)
    {
        for (int bucket = 0; bucket < BucketCount; bucket++)
        {
            for (Waiter* waiter = (Waiter*)_buckets[bucket]; waiter != null; waiter = waiter->Next)
            {
                if (waiter->Thread != 0 && waiter->Owner == owner)
                {
                    key = waiter->Key;
                    return true;
                }
            }
        }

        key = default;
        return false;
    }

    /// <summary>
    /// The word is out of reach: those who wait for it go on waiting, for nobody in particular, until their time or a signal comes.
    /// </summary>
    private void Abandon(uint owner, in FutexKey key)
    {
        for (Waiter* waiter = *BucketOf(in key); waiter != null; waiter = waiter->Next)
        {
            if (waiter->Key.Is(in key) && waiter->Owner == owner)
            {
                waiter->Owner = 0;
            }
        }
    }

    /// <summary>One that ends is there until its locks have gone to those who wait.</summary>
    private static bool IsOwnerThere(Processes table, uint owner)
    {
        UserThread* thread = table.UserThreads.Find(owner);
        return thread != null && !thread->HasLeftLocks;
    }

    /// <summary>The word in the kernel's reach, until the caller blocks. EFAULT.</summary>
    [Blocks]
    private static Errno WordAt(Process* process, ulong address, out uint* word)
    {
        Errno error = LineFaults.Pin(process, address, MissAccess.Write, out byte* line);
        word = (uint*)(line + (address & (PageOperations.PageSize - 1)));
        return error;
    }
}
