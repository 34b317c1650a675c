// Buffers for the requests that a memory component sends to a storage component: one area for request head and path, one for the bytes of a
// full transfer. A small fixed pool, taken at boot; a worker that finds none waits (may block).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>One buffer.</summary>
public unsafe struct TransferBuffer
{
    /// <summary>Room for the largest request head and a path of PATH_MAX bytes.</summary>
    public const int HeadBytes = 2 * PageOperations.PageSize;

    internal TransferBuffer* Next;
    internal byte* HeadStart;

    /// <summary>Request head and path.</summary>
    public readonly Span<byte> Head => new(HeadStart, HeadBytes);

    /// <summary>FileRequest.MaxTransfer bytes.</summary>
    public readonly Span<byte> Data => new(HeadStart + HeadBytes, FileRequest.MaxTransfer);
}

/// <summary>The pool.</summary>
public sealed unsafe class TransferBuffers
{
    private readonly Slab<TransferBuffer> _records;
    private TransferBuffer* _free;
    private WaitQueue _returned;

    public TransferBuffers(FrameAllocator frames, int count)
    {
        _records = new Slab<TransferBuffer>(frames);
        const ulong Pages = (TransferBuffer.HeadBytes + FileRequest.MaxTransfer) / PageOperations.PageSize;
        for (int index = 0; index < count; index++)
        {
            TransferBuffer* buffer = _records.Allocate();
            byte* memory = (byte*)frames.AllocateContiguous(Pages);
            if (buffer == null || memory == null)
            {
                Panic.Because("TransferBuffers: no memory at boot");
            }

            buffer->HeadStart = memory;
            buffer->Next = _free;
            _free = buffer;
        }
    }

    /// <summary>Takes a buffer; waits for one when all are in use.</summary>
    public TransferBuffer* Take()
    {
        while (_free == null)
        {
            _returned.Wait();
        }

        TransferBuffer* buffer = _free;
        _free = buffer->Next;
        return buffer;
    }

    /// <summary>Gives a buffer back.</summary>
    public void Return(TransferBuffer* buffer)
    {
        buffer->Next = _free;
        _free = buffer;
        _returned.WakeOne();
    }
}
