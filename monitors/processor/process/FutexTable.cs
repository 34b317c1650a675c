// Futexes (futex(2)): threads that wait at a word until another one says so. A waiter stands on its own kernel stack and in the list of its
// futex's bucket, oldest first. A wait compares the word and queues itself with nothing in between: the copy of an aligned word ends
// without a blocking point, and wakers hold the kernel lock. What an address means is the key's matter (FutexKey.cs). Only Wait blocks.
// Those who wait for a lock with an owner (FutexTable.Locks.cs), or at a condition to be handed one (FutexTable.Conditions.cs), stand in
// the same lists; Wake and Move pass them over. A thread that waits at several words (FutexTable.Several.cs) stands in the list of each.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>All waiters of the component.</summary>
public sealed unsafe partial class FutexTable
{
    private const int BucketCount = 64;

    private Buckets _buckets;

    [InlineArray(BucketCount)]
    private struct Buckets
    {
        private nuint _first;
    }

    private struct Waiter
    {
        internal FutexKey Key;
        internal uint Bits;
        internal bool IsWoken;
        /// <summary>Of those who wait for a lock: who they are, and whose it is; 0 for all others.</summary>
        internal uint Thread;
        internal uint Owner;
        /// <summary>
        /// It waits at a condition for the lock that Target names; its own key is the condition's until it is moved there.
        /// </summary>
        internal bool IsAtCondition;
        internal FutexKey Target;
        internal WaitQueue Wakeup;
        /// <summary>Of a thread that waits at several words: the waiter in whose queue it sleeps; null = this one.</summary>
        internal Waiter* Sleeper;
        internal Waiter* Next;

        /// <summary>It is to become the owner of the lock that its key names.</summary>
        internal readonly bool WaitsForLock => Thread != 0 && !IsAtCondition;

        /// <summary>It is in no list any more.</summary>
        internal void Wake()
        {
            IsWoken = true;
            if (Sleeper == null)
            {
                Wakeup.WakeAll();
            }
            else
            {
                Sleeper->Wakeup.WakeAll();
            }
        }
    }

    /// <summary>
    /// Waits at the address, which must be a multiple of four, if the word there has the expected value: EAGAIN if it has not; EFAULT,
    /// EINTR, ETIMEDOUT.
    /// </summary>
    public Errno Wait(Process* process, ulong address, bool isPrivate, uint expected, uint bits, ulong deadlineNs)
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
        waiter.Key = FutexKey.Of(process, address, isPrivate);
        waiter.Bits = bits;
        return Wait(&waiter, deadlineNs);
    }

    /// <summary>Stands in the list until woken: EINTR, ETIMEDOUT.</summary>
    [Blocks]
    private Errno Wait(Waiter* waiter, ulong deadlineNs)
    {
        Errno error = Errno.None;
        Append(waiter);
        while (error == Errno.None && !waiter->IsWoken)
        {
            error = Signals.WaitUntil(ref waiter->Wakeup, deadlineNs);
        }

        if (waiter->IsWoken)
        {
            return Errno.None;
        }

        // It may have been moved to another futex meanwhile.
        Unlink(BucketOf(in waiter->Key), waiter);
        return error;
    }

    /// <summary>
    /// Wakes waiters at a futex that wait for one of the bits, the oldest first, until there are <paramref name="most"/>; how many.
    /// </summary>
    public int Wake(in FutexKey key, int most, uint bits)
    {
        int woken = 0;
        Waiter** link = BucketOf(in key);
        while (*link != null)
        {
            Waiter* waiter = *link;
            if (!waiter->Key.Is(in key) || waiter->Thread != 0 || (waiter->Bits & bits) == 0)
            {
                link = &waiter->Next;
                continue;
            }

            *link = waiter->Next;
            waiter->Wake();
            woken++;
            // Linux counts after it has woken one: zero wakes one.
            if (woken >= most)
            {
                break;
            }
        }

        return woken;
    }

    /// <summary>Lets up to <paramref name="most"/> waiters at a futex wait at another one; how many.</summary>
    public int Move(in FutexKey key, in FutexKey target, int most)
    {
        int moved = 0;
        Waiter** from = BucketOf(in key);
        while (*from != null && moved < most)
        {
            Waiter* waiter = *from;
            if (!waiter->Key.Is(in key) || waiter->Thread != 0)
            {
                from = &waiter->Next;
                continue;
            }

            moved++;
            if (key.Is(in target))
            {
                from = &waiter->Next;
                continue;
            }

            *from = waiter->Next;
            waiter->Key = target;
            Append(waiter);
        }

        return moved;
    }

    /// <summary>Puts a waiter behind all others of its bucket.</summary>
    private void Append(Waiter* waiter)
    {
        Waiter** end = BucketOf(in waiter->Key);
        while (*end != null)
        {
            end = &(*end)->Next;
        }

        waiter->Next = null;
        *end = waiter;
    }

    private static void Unlink(Waiter** link, Waiter* waiter)
    {
        while (*link != waiter)
        {
            link = &(*link)->Next;
        }

        *link = waiter->Next;
    }

    private Waiter** BucketOf(in FutexKey key)
    {
        const int Shift = 58;
        return (Waiter**)Unsafe.AsPointer(ref _buckets[(int)(key.Hash >> Shift)]);
    }
}
