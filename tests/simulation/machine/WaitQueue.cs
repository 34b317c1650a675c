// Simulation stand-in for kernel/threads' WaitQueue: woken in order, as there; which of the woken runs first is the scheduler's choice.

namespace Lego.Kernel;

/// <summary>A queue of waiting threads; all zero means empty.</summary>
public unsafe struct WaitQueue
{
    private Thread* _first;
    private Thread* _last;

    public readonly bool IsEmpty => _first == null;

    public void Wait() => WaitUntil(ulong.MaxValue);

    public bool WaitUntil(ulong deadlineNs)
    {
        Simulation.SimThread self = Simulation.Simulation.Thread;
        Thread* thread = self.Kernel;
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
        fixed (WaitQueue* queue = &this)
        {
            self.Queue = queue;
        }

        return self.Machine.Simulation.Block(deadlineNs);
    }

    public void WakeOne()
    {
        if (_first != null)
        {
            Thread* thread = _first;
            Remove(thread);
            Simulation.SimThread simulated = thread->Simulated;
            simulated.Machine.Simulation.MakeReady(simulated);
        }
    }

    public void WakeAll()
    {
        while (_first != null)
        {
            WakeOne();
        }
    }

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
            return;
        }
    }
}
