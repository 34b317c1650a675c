// All contexts of asynchronous input and output of the component. Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Contexts by process and name.</summary>
public sealed unsafe class AioContexts(FrameAllocator frames)
{
    /// <summary>/proc/sys/fs/aio-max-nr: events that all programs together may ask for.</summary>
    public const uint MaxWanted = 65536;

    private const uint RingHeaderBytes = 32;

    private readonly Slab<AioContext> _contexts = new(frames, IpcTable.MostOf(frames, sizeof(AioContext)));
    private readonly Slab<AioEvent> _events = new(frames, IpcTable.MostOf(frames, sizeof(AioEvent)));
    private AioContext* _first;

    /// <summary>Contexts that there are.</summary>
    public ulong Count => _contexts.InUse;

    /// <summary>Events that have not been told.</summary>
    public ulong EventCount => _events.InUse;

    /// <summary>/proc/sys/fs/aio-nr.</summary>
    public uint Wanted { get; private set; }

    /// <summary>A new context, which has no name yet. EINVAL, EAGAIN: too many events; ENOMEM.</summary>
    public Errno Create(Process* process, uint wanted, out AioContext* context)
    {
        const ulong MostEvents = 0x1000_0000 / 32;
        context = null;
        // The ring of Linux: twice what is wanted, some for each CPU, and what is left of its last page (aio_setup_ring).
        ulong events = 2 * Math.Max((ulong)wanted, 4 * (ulong)SystemFacts.ProcessorCount);
        if (events > MostEvents)
        {
            return Errno.EINVAL;
        }

        if (wanted > MaxWanted || Wanted + wanted > MaxWanted)
        {
            return Errno.EAGAIN;
        }

        context = _contexts.Allocate();
        if (context == null)
        {
            return Errno.ENOMEM;
        }

        ulong bytes = RingHeaderBytes + ((events + 2) * (ulong)sizeof(AioRecord));
        ulong ringBytes = (bytes + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1UL);
        context->Capacity = (uint)((ringBytes - RingHeaderBytes) / (ulong)sizeof(AioRecord)) - 1;
        context->Process = process;
        context->Wanted = wanted;
        context->Users = 1;
        Wanted += wanted;
        context->Next = _first;
        _first = context;
        return Errno.None;
    }

    /// <summary>The context of a name, held for a call: <see cref="Release"/> it. Null: EINVAL.</summary>
    public AioContext* Hold(Process* process, ulong id)
    {
        AioContext* context = _first;
        while (context != null && !(context->Process == process && context->Id == id && id != 0 && !context->IsDestroyed))
        {
            context = context->Next;
        }

        if (context != null)
        {
            context->Users++;
        }

        return context;
    }

    /// <summary>A call less uses it.</summary>
    public void Release(AioContext* context)
    {
        if (--context->Users != 0)
        {
            return;
        }

        while (context->First != null)
        {
            _events.Free(context->Take());
        }

        fixed (AioContext** first = &_first)
        {
            AioContext** link = first;
            while (*link != context)
            {
                link = &(*link)->Next;
            }

            *link = context->Next;
        }

        _contexts.Free(context);
    }

    /// <summary>io_destroy: nobody finds it any more, and who waits for its events ends with what there is.</summary>
    public void Destroy(AioContext* context)
    {
        if (!context->IsDestroyed)
        {
            context->IsDestroyed = true;
            Wanted -= context->Wanted;
            context->Added.WakeAll();
            Release(context);
        }
    }

    /// <summary>A process ends, or executes a program: its contexts go.</summary>
    public void Leave(Process* process)
    {
        AioContext* next;
        for (AioContext* context = _first; context != null; context = next)
        {
            next = context->Next;
            if (context->Process == process)
            {
                Destroy(context);
            }
        }
    }

    /// <summary>Memory for an event; null: EAGAIN.</summary>
    public AioEvent* NewEvent(AioContext* context) => context->Events >= context->Capacity ? null : _events.Allocate();

    public void Free(AioEvent* unused) => _events.Free(unused);
}
