// A thread that waits at several futexes at once (futex_waitv(2)): one waiter for each, on its kernel stack, all asleep in the first one's
// queue. They are compared and queued one after the other, so a word may be woken before the next one has been looked at; that ends the
// wait as well.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One word of a wait for several, checked.</summary>
public struct FutexWord
{
    public ulong Address;
    public uint Expected;
    public bool IsPrivate;
}

public sealed unsafe partial class FutexTable
{
    /// <summary>FUTEX_WAITV_MAX.</summary>
    public const int MostWords = 128;

    /// <summary>
    /// Waits until one of the words, whose addresses are multiples of four, is woken, the latest of them if there are several; EAGAIN: one
    /// has not the expected value; EFAULT, EINTR, ETIMEDOUT. BLOCKS.
    /// </summary>
    public Errno WaitForAny(Process* process, System.ReadOnlySpan<FutexWord> words, ulong deadlineNs, out int index)
    {
        Waiter* waiters = stackalloc Waiter[MostWords];
        Errno error = Errno.None;
        int queued = 0;
        while (error == Errno.None && queued < words.Length)
        {
            ref readonly FutexWord word = ref words[queued];
            error = new UserPointer<uint>(word.Address).Read(process, out uint value);
            if (error == Errno.None && value != word.Expected)
            {
                error = Errno.EAGAIN;
            }

            if (error == Errno.None)
            {
                Waiter* waiter = &waiters[queued++];
                *waiter = default;
                waiter->Key = FutexKey.Of(process, word.Address, word.IsPrivate);
                waiter->Bits = uint.MaxValue;
                waiter->Sleeper = waiters;
                Append(waiter);
            }
        }

        while (error == Errno.None && !IsAnyWoken(waiters, queued))
        {
            error = Signals.WaitUntil(ref waiters->Wakeup, deadlineNs);
        }

        index = -1;
        for (int at = 0; at < queued; at++)
        {
            if (waiters[at].IsWoken)
            {
                index = at;
            }
            else
            {
                // It may have been moved to another futex meanwhile.
                Unlink(BucketOf(in waiters[at].Key), &waiters[at]);
            }
        }

        return index >= 0 ? Errno.None : error;
    }

    private static bool IsAnyWoken(Waiter* waiters, int count)
    {
        for (int at = 0; at < count; at++)
        {
            if (waiters[at].IsWoken)
            {
                return true;
            }
        }

        return false;
    }
}
