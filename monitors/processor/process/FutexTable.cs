// Futexes (futex(2)): threads that wait at an address until another one says so. A waiter stands on its own kernel stack and in the list of its
// address's bucket, oldest first. A wait compares the word and queues itself with nothing in between: the copy of an aligned word ends without a
// blocking point, and wakers hold the kernel lock. The address counts within its address space. Only Wait blocks. Those who wait for a lock with an owner
// (FutexTable.Locks.cs) stand in the same lists; Wake and Move pass them over.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>All waiters of the component.</summary>
public sealed unsafe partial class FutexTable
{
    private const int BucketCount = 64;
    private const int WordShift = 2;

    private Buckets _buckets;

    [InlineArray(BucketCount)]
    private struct Buckets
    {
        private nuint _first;
    }

    private struct Waiter
    {
        internal AddressSpace* Space;
        internal ulong Address;
        internal uint Bits;
        internal bool IsWoken;
        /// <summary>Of those who wait for a lock: who they are, and whose it is; 0 for all others.</summary>
        internal uint Thread;
        internal uint Owner;
        internal WaitQueue Wakeup;
        internal Waiter* Next;
    }

    /// <summary>
    /// Waits at the address, which must be a multiple of four, if the word there has the expected value: EAGAIN if it has not; EFAULT, EINTR, ETIMEDOUT.
    /// </summary>
    public Errno Wait(Process* process, ulong address, uint expected, uint bits, ulong deadlineNs)
    {
        Errno error = new UserPointer<uint>(address).Read(process, out uint value);
        if (error != Errno.None)
        {
            return error;
        }

        if (value != expected)
        {
            return Errno.EAGAIN;
        }

        Waiter waiter = default;
        waiter.Space = process->Space;
        waiter.Address = address;
        waiter.Bits = bits;
        return Wait(&waiter, deadlineNs);
    }

    /// <summary>Stands in the list until woken: EINTR, ETIMEDOUT. BLOCKS.</summary>
    private Errno Wait(Waiter* waiter, ulong deadlineNs)
    {
        Errno error = Errno.None;
        Waiter** link = BucketOf(waiter->Space, waiter->Address);
        while (*link != null)
        {
            link = &(*link)->Next;
        }

        *link = waiter;
        while (error == Errno.None && !waiter->IsWoken)
        {
            error = Signals.WaitUntil(ref waiter->Wakeup, deadlineNs);
        }

        if (waiter->IsWoken)
        {
            return Errno.None;
        }

        // It may have been moved to another address meanwhile.
        Unlink(BucketOf(waiter->Space, waiter->Address), waiter);
        return error;
    }

    /// <summary>Wakes waiters at an address that wait for one of the bits, the oldest first, until there are <paramref name="most"/>; how many.</summary>
    public int Wake(AddressSpace* space, ulong address, int most, uint bits)
    {
        int woken = 0;
        Waiter** link = BucketOf(space, address);
        while (*link != null)
        {
            Waiter* waiter = *link;
            if (waiter->Space != space || waiter->Address != address || waiter->Thread != 0 || (waiter->Bits & bits) == 0)
            {
                link = &waiter->Next;
                continue;
            }

            *link = waiter->Next;
            waiter->IsWoken = true;
            waiter->Wakeup.WakeAll();
            woken++;
            // Linux counts after it has woken one: zero wakes one.
            if (woken >= most)
            {
                break;
            }
        }

        return woken;
    }

    /// <summary>Lets up to <paramref name="most"/> waiters at an address wait at another one; how many.</summary>
    public int Move(AddressSpace* space, ulong address, ulong target, int most)
    {
        int moved = 0;
        Waiter** from = BucketOf(space, address);
        while (*from != null && moved < most)
        {
            Waiter* waiter = *from;
            if (waiter->Space != space || waiter->Address != address || waiter->Thread != 0)
            {
                from = &waiter->Next;
                continue;
            }

            moved++;
            if (address == target)
            {
                from = &waiter->Next;
                continue;
            }

            *from = waiter->Next;
            waiter->Next = null;
            waiter->Address = target;
            Waiter** end = BucketOf(space, target);
            while (*end != null)
            {
                end = &(*end)->Next;
            }

            *end = waiter;
        }

        return moved;
    }

    private static void Unlink(Waiter** link, Waiter* waiter)
    {
        while (*link != waiter)
        {
            link = &(*link)->Next;
        }

        *link = waiter->Next;
    }

    private Waiter** BucketOf(AddressSpace* space, ulong address)
    {
        const ulong Multiplier = 0x9E37_79B9_7F4A_7C15;
        const int Shift = 58;
        ulong hash = (((ulong)space >> WordShift) ^ (address >> WordShift)) * Multiplier;
        return (Waiter**)Unsafe.AsPointer(ref _buckets[(int)(hash >> Shift)]);
    }
}
