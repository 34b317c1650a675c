// Threads that are blocked with something for the scheduler to look at: a flag or a deadline. A thread is in at most one such list. Never
// blocks; callers hold the kernel lock.

namespace Lego.Kernel;

/// <summary>A doubly linked list of waiting threads, in no order; all zero means empty. Must not move while threads are in it.</summary>
internal unsafe struct WaitList
{
    /// <summary>Any thread of the list; follow Thread.WaitNext for the others.</summary>
    internal Thread* First;

    internal void Add(Thread* thread)
    {
        fixed (WaitList* self = &this)
        {
            thread->ListedIn = self;
        }

        thread->WaitPrevious = null;
        thread->WaitNext = First;
        if (First != null)
        {
            First->WaitPrevious = thread;
        }

        First = thread;
    }

    /// <summary>Takes a thread out of the list that it is in, if any.</summary>
    internal static void Remove(Thread* thread)
    {
        if (thread->ListedIn == null)
        {
            return;
        }

        if (thread->WaitPrevious == null)
        {
            thread->ListedIn->First = thread->WaitNext;
        }
        else
        {
            thread->WaitPrevious->WaitNext = thread->WaitNext;
        }

        if (thread->WaitNext != null)
        {
            thread->WaitNext->WaitPrevious = thread->WaitPrevious;
        }

        thread->ListedIn = null;
    }
}
