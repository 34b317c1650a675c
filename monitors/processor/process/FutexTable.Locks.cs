// Futexes that are locks with an owner (futex(2), "Priority-inheritance futexes"): the word holds the owner's thread id, WaitersBit when somebody waits in
// the kernel, and OwnerDiedBit when an owner has ended with the lock. The kernel hands the lock from one owner to the next, in the order in which they
// came: threads have no priorities here, so there is nothing to inherit. A word is changed by compare-and-exchange, because programs on other CPUs change it
// without the kernel lock; between that and the list nothing blocks.

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
    /// Takes a lock. EDEADLK: the caller has it; ESRCH: its owner does not exist; EAGAIN: somebody has it, and the caller does not wait (a deadline of 0);
    /// EFAULT, EINTR, ETIMEDOUT. BLOCKS.
    /// </summary>
    public Errno Lock(UserThread* thread, ulong address, ulong deadlineNs)
    {
        Process* process = thread->Process;
        Errno error = WordAt(process, address, out uint* word);
        if (error != Errno.None)
        {
            return error;
        }

        uint before = Volatile.Read(ref *word);
        while (true)
        {
            uint owner = before & OwnerMask;
            if (owner == thread->Id)
            {
                return Errno.EDEADLK;
            }

            uint wanted = owner == 0 ? thread->Id | (before & OwnerDiedBit) : before | WaitersBit;
            if (owner != 0 && deadlineNs == 0)
            {
                return Errno.EAGAIN;
            }

            if (owner != 0 && !IsOwnerThere(process->Table, owner))
            {
                return Errno.ESRCH;
            }

            uint found = Interlocked.CompareExchange(ref *word, wanted, before);
            if (found == before && owner == 0)
            {
                return Errno.None;
            }

            if (found == before)
            {
                Waiter waiter = default;
                waiter.Space = process->Space;
                waiter.Address = address;
                waiter.Thread = thread->Id;
                waiter.Owner = owner;
                return Wait(&waiter, deadlineNs);
            }

            before = found;
        }
    }

    /// <summary>Gives a lock up: to who has waited longest, if anybody does. EPERM: the caller does not have it; EFAULT. BLOCKS.</summary>
    public Errno Unlock(UserThread* thread, ulong address)
    {
        Errno error = WordAt(thread->Process, address, out uint* word);
        if (error != Errno.None)
        {
            return error;
        }

        return (Volatile.Read(ref *word) & OwnerMask) != thread->Id ? Errno.EPERM : HandOver(thread->Process->Space, address, word, 0);
    }

    /// <summary>A thread ends: the locks that others wait for go to them, with a word that says so. BLOCKS.</summary>
    public void OwnerEnds(UserThread* thread)
    {
        while (TryFindLockOf(thread->Id, out AddressSpace* space, out ulong address))
        {
            bool isOwn = space == thread->Process->Space;
            if (!isOwn || WordAt(thread->Process, address, out uint* word) != Errno.None)
            {
                Abandon(thread->Id, space, address);
            }
            else
            {
                HandOver(space, address, word, OwnerDiedBit);
            }
        }
    }

    private Errno HandOver(AddressSpace* space, ulong address, uint* word, uint mark)
    {
        Waiter** link = BucketOf(space, address);
        while (*link != null && ((*link)->Space != space || (*link)->Address != address || (*link)->Thread == 0))
        {
            link = &(*link)->Next;
        }

        Waiter* next = *link;
        uint wanted = mark;
        if (next != null)
        {
            *link = next->Next;
            wanted |= next->Thread;
            for (Waiter* other = next->Next; other != null; other = other->Next)
            {
                if (other->Space == space && other->Address == address && other->Thread != 0)
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
            next->IsWoken = true;
            next->Wakeup.WakeAll();
        }

        return Errno.None;
    }

    private bool TryFindLockOf(uint owner, out AddressSpace* space, out ulong address)
    {
        for (int bucket = 0; bucket < BucketCount; bucket++)
        {
            for (Waiter* waiter = (Waiter*)_buckets[bucket]; waiter != null; waiter = waiter->Next)
            {
                if (waiter->Thread != 0 && waiter->Owner == owner)
                {
                    space = waiter->Space;
                    address = waiter->Address;
                    return true;
                }
            }
        }

        space = null;
        address = 0;
        return false;
    }

    /// <summary>The word is out of reach: those who wait for it go on waiting, for nobody in particular, until their time or a signal comes.</summary>
    private void Abandon(uint owner, AddressSpace* space, ulong address)
    {
        for (Waiter* waiter = *BucketOf(space, address); waiter != null; waiter = waiter->Next)
        {
            if (waiter->Space == space && waiter->Address == address && waiter->Owner == owner)
            {
                waiter->Owner = 0;
            }
        }
    }

    private static bool IsOwnerThere(Processes table, uint owner)
    {
        UserThread* thread = table.UserThreads.Find(owner);
        return thread != null && !thread->IsExiting;
    }

    /// <summary>The word in the kernel's reach, until the caller blocks. EFAULT. BLOCKS.</summary>
    private static Errno WordAt(Process* process, ulong address, out uint* word)
    {
        Errno error = LineFaults.Pin(process, address, MissAccess.Write, out byte* line);
        word = (uint*)(line + (address & (PageOperations.PageSize - 1)));
        return error;
    }
}
