// Threads that want a CPU, in the order in which they get one. Never blocks; callers hold the kernel lock.

using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>A first-in, first-out queue of runnable threads; all zero means empty.</summary>
internal unsafe struct RunQueue
{
    private Thread* _first;
    private Thread* _last;

    /// <summary>True when nobody wants to run.</summary>
    internal readonly bool IsEmpty => _first == null;

    /// <summary>Puts a thread behind all others.</summary>
    internal void Append(Thread* thread)
    {
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
    }

    /// <summary>Puts a thread before all others: one that was put aside before its turn was over.</summary>
    internal void Prepend(Thread* thread)
    {
        thread->Next = _first;
        _first = thread;
        if (_last == null)
        {
            _last = thread;
        }
    }

    /// <summary>Puts a thread among others in the order of priorities: behind its equals, or before them when it was put aside.</summary>
    internal void Insert(Thread* thread, bool beforeEquals)
    {
        Thread* previous = null;
        Thread* next = _first;
        while (next != null && (beforeEquals ? next->Priority > thread->Priority : next->Priority >= thread->Priority))
        {
            previous = next;
            next = next->Next;
        }

        thread->Next = next;
        (previous == null ? ref _first : ref previous->Next) = thread;
        _last = next == null ? thread : _last;
    }

    /// <summary>Takes a thread out; false when it is in another queue.</summary>
    internal bool Remove(Thread* thread)
    {
        Thread* previous = null;
        Thread* found = _first;
        while (found != null && found != thread)
        {
            previous = found;
            found = found->Next;
        }

        if (found == null)
        {
            return false;
        }

        (previous == null ? ref _first : ref previous->Next) = thread->Next;
        _last = _last == thread ? previous : _last;
        thread->Next = null;
        return true;
    }

    /// <summary>True when somebody wants to run who may run on a CPU.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly bool HasFor(int cpu)
    {
        Thread* thread = _first;
        while (thread != null && !thread->MayRunOn(cpu))
        {
            thread = thread->Next;
        }

        return thread != null;
    }

    /// <summary>The same, with this priority or more; the highest stand in front.</summary>
    internal readonly bool HasFor(int cpu, byte priority)
    {
        Thread* thread = _first;
        while (thread != null && thread->Priority >= priority && !thread->MayRunOn(cpu))
        {
            thread = thread->Next;
        }

        return thread != null && thread->Priority >= priority;
    }

    /// <summary>Takes the first thread out that may run on a CPU; null when there is none.</summary>
    internal Thread* TakeFor(int cpu)
    {
        Thread* previous = null;
        Thread* thread = _first;
        while (thread != null && !thread->MayRunOn(cpu))
        {
            previous = thread;
            thread = thread->Next;
        }

        if (previous == null)
        {
            return Take();
        }

        if (thread != null)
        {
            previous->Next = thread->Next;
            thread->Next = null;
            _last = _last == thread ? previous : _last;
        }

        return thread;
    }

    /// <summary>Takes the first thread out; null when there is none.</summary>
    internal Thread* Take()
    {
        Thread* thread = _first;
        if (thread != null)
        {
            _first = thread->Next;
            thread->Next = null;
            if (_first == null)
            {
                _last = null;
            }
        }

        return thread;
    }
}
