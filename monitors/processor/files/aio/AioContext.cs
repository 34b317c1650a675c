// A context of Linux's asynchronous input and output (io_setup(2)): what has been done and not yet been told. Requests are done when they
// are submitted, as Linux does those of buffered files, so a context never holds one that is under way; its events wait here, oldest first.
// A context is its process's, and goes with its program.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct io_event.</summary>
public struct AioRecord
{
    public ulong Data;
    /// <summary>Address of the request.</summary>
    public ulong Request;
    public long Result;
    public long Result2;
}

/// <summary>An event that has not been told.</summary>
public unsafe struct AioEvent
{
    public AioEvent* Next;
    public AioRecord Record;
}

/// <summary>One context.</summary>
public unsafe struct AioContext
{
    public AioContext* Next;
    public Process* Process;
    /// <summary>Its name: the address of a page in the process (libaio looks for a ring there, and finds none).</summary>
    public ulong Id;
    /// <summary>What the program has asked for, which counts against the limit of the component, and how many events fit.</summary>
    public uint Wanted;
    public uint Capacity;
    public uint Events;
    /// <summary>Calls that use it; io_destroy leaves it to the last of them.</summary>
    public uint Users;
    public bool IsDestroyed;
    /// <summary>Who waits for events.</summary>
    public WaitQueue Added;
    private AioEvent* _first;
    private AioEvent* _last;

    /// <summary>The oldest event, or null.</summary>
    public readonly AioEvent* First => _first;

    public void Add(AioEvent* added)
    {
        added->Next = null;
        if (_last == null)
        {
            _first = added;
        }
        else
        {
            _last->Next = added;
        }

        _last = added;
        Events++;
        Added.WakeAll();
    }

    /// <summary>Takes the oldest event, which there is.</summary>
    public AioEvent* Take()
    {
        AioEvent* taken = _first;
        _first = taken->Next;
        _last = _first == null ? null : _last;
        Events--;
        return taken;
    }

    /// <summary>Puts an event back that could not be told.</summary>
    public void PutBack(AioEvent* taken)
    {
        taken->Next = _first;
        _first = taken;
        _last = _last == null ? taken : _last;
        Events++;
    }
}
