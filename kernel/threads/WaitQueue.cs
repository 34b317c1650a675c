// Threads that wait for an event, woken in order. Wait blocks; wakers never do. Callers hold the kernel lock, so there is no lost wake-up
// between testing a condition and waiting; after Wait returns the condition must be tested again.

namespace Lego.Kernel;

/// <summary>A queue of waiting threads; all zero means empty. Must not move while threads wait in it.</summary>
public unsafe struct WaitQueue
{
    private Thread* _first;
    private Thread* _last;

    /// <summary>True when nobody waits.</summary>
    public readonly bool IsEmpty => _first == null;

    /// <summary>Blocks until woken.</summary>
    [Blocks]
    public void Wait() => WaitUntil(ulong.MaxValue);

    /// <summary>Blocks until woken (true) or until the time has come (false).</summary>
    [Blocks]
    public bool WaitUntil(ulong deadlineNs)
    {
        Thread* thread = Scheduler.Current;
        thread->Next = null;
        if (_last == null)
        {
            _first = thread;
        }
        else
        {
            _last->Next = thread;
        }

        _last = thread;
        fixed (WaitQueue* self = &this)
        {
            thread->WaitingIn = self;
        }

        return Scheduler.BlockUntil(deadlineNs);
    }

    /// <summary>Wakes the longest waiting thread.</summary>
    [NoBlock]
    [NoAllocation]
    public void WakeOne()
    {
        if (_first != null)
        {
            Thread* thread = _first;
            Remove(thread);
            Scheduler.MakeRunnable(thread);
        }
    }

    /// <summary>Wakes all threads.</summary>
    [NoBlock]
    [NoAllocation]
    public void WakeAll()
    {
        while (_first != null)
        {
            WakeOne();
        }
    }

    /// <summary>Takes a thread out whose time has come.</summary>
    internal void Remove(Thread* thread)
    {
        Thread* previous = null;
        for (Thread* current = _first; current != null; previous = current, current = current->Next)
        {
            if (current != thread)
            {
                continue;
            }

            if (previous == null)
            {
                _first = thread->Next;
            }
            else
            {
                previous->Next = thread->Next;
            }

            if (_last == thread)
            {
                _last = previous;
            }

            thread->Next = null;
            thread->WaitingIn = null;
            return;
        }
    }
}
