// Conditions whose waiters get a lock with an owner (futex(2), FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI): a waiter stands at the
// condition's word and names the lock that it wants. Whoever signals moves it to the lock's waiters, or makes it the owner where the lock
// is free, so that nobody is woken to find the lock taken. States of a waiter: at the condition (IsAtCondition, key = the condition's); at
// the lock (as one of FutexTable.Locks.cs, key = the lock's); woken, and then it has the lock.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class FutexTable
{
    /// <summary>
    /// Waits at a condition, if its word has the expected value, until the lock at the other address is the caller's. EAGAIN: it has not,
    /// or a signal has come when the thread waited for the lock already; EINTR: at the condition, and the call starts again; EINVAL: both
    /// are one futex; EFAULT, ETIMEDOUT. BLOCKS.
    /// </summary>
    public Errno WaitForLock(UserThread* thread, ulong condition, ulong target, bool isPrivate, uint expected, ulong deadlineNs)
    {
        Process* process = thread->Process;
        // The lock's page is there from here on, or will be found missing by whoever moves this waiter.
        Errno error = WordAt(process, target, out _);
        if (error != Errno.None)
        {
            return error;
        }

        error = new UserPointer<uint>(condition).Read(process, out uint value);
        if (error != Errno.None)
        {
            return error;
        }

        Waiter waiter = default;
        waiter.Key = FutexKey.Of(process, condition, isPrivate);
        waiter.Target = FutexKey.Of(process, target, isPrivate);
        if (waiter.Key.Is(in waiter.Target))
        {
            return Errno.EINVAL;
        }

        if (value != expected)
        {
            return Errno.EAGAIN;
        }

        waiter.Thread = thread->Id;
        waiter.IsAtCondition = true;
        error = Wait(&waiter, deadlineNs);
        // What the condition's word says has changed since: the call cannot start again.
        return error == Errno.EINTR && !waiter.IsAtCondition ? Errno.EAGAIN : error;
    }

    /// <summary>
    /// Lets the oldest waiters of a condition, if its word has the expected value, wait for their lock, which is at the other address; the
    /// first one that finds it free gets it. At most <paramref name="most"/> are moved besides one; how many were moved or got it. EAGAIN:
    /// the word has another value; EINVAL: a waiter wants another lock, or both words are one; EDEADLK: a waiter has the lock; ESRCH: its
    /// owner does not exist; EFAULT. BLOCKS.
    /// </summary>
    public Errno MoveToLock(Process* process, ulong condition, ulong target, bool isPrivate, uint expected, int most, out int moved)
    {
        moved = 0;
        Errno error = WordAt(process, target, out _);
        uint value = 0;
        error = error != Errno.None ? error : new UserPointer<uint>(condition).Read(process, out value);
        // Both are there now, so this does not block again unless memory is very short; then the value is as of a moment ago.
        uint* word = null;
        error = error != Errno.None ? error : WordAt(process, target, out word);
        if (error != Errno.None)
        {
            return error;
        }

        FutexKey from = FutexKey.Of(process, condition, isPrivate);
        FutexKey to = FutexKey.Of(process, target, isPrivate);
        if (from.Is(in to))
        {
            return Errno.EINVAL;
        }

        if (value != expected)
        {
            return Errno.EAGAIN;
        }

        // Appended where it is looked for: two keys may share a bucket.
        Waiter** link = BucketOf(in from);
        while (*link != null && moved <= most && error == Errno.None)
        {
            Waiter* waiter = *link;
            if (!waiter->Key.Is(in from) || !waiter->IsAtCondition)
            {
                link = &waiter->Next;
                continue;
            }

            error = waiter->Target.Is(in to) ? TakeFor(process->Table, waiter, in to, word, waits: true) : Errno.EINVAL;
            if (error == Errno.None)
            {
                moved++;
                *link = waiter->Next;
                waiter->IsAtCondition = false;
                waiter->Key = to;
                if (waiter->Owner == waiter->Thread)
                {
                    waiter->Wake();
                }
                else
                {
                    Append(waiter);
                }
            }
        }

        return moved > 0 ? Errno.None : error;
    }
}
