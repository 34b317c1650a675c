// Buffers for file contents in flight: a reply lands in one, then is copied to the program; a write is gathered in one, then sent from it.
// Made at boot, because nothing of that size fits on a kernel stack. Each has a request part (message head and path) followed at once by a
// data part. A thread holds at most one; taking one may wait (BLOCK), but each use ends by itself.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One buffer, given back by Dispose.</summary>
public readonly unsafe ref struct TransferBuffer
{
    /// <summary>Room for a message head and two paths, each behind the path of the directory where it begins.</summary>
    public const int RequestBytes = 20 * 1024;

    /// <summary>Room for the data of one message.</summary>
    public const int DataBytes = FileRequest.MaxTransfer;

    private readonly BufferPool _pool;
    private readonly byte* _memory;

    internal TransferBuffer(BufferPool pool)
    {
        _pool = pool;
        _memory = pool.Take();
    }

    public Span<byte> Request => new(_memory, RequestBytes);

    public Span<byte> Data => new(_memory + RequestBytes, DataBytes);

    /// <summary>Puts a text right before the data and gives both as one piece.</summary>
    public ReadOnlySpan<byte> PrefixData(ReadOnlySpan<byte> prefix, int dataBytes)
    {
        byte* start = _memory + RequestBytes - prefix.Length;
        prefix.CopyTo(new Span<byte>(start, prefix.Length));
        return new ReadOnlySpan<byte>(start, prefix.Length + dataBytes);
    }

    public void Dispose() => _pool.GiveBack(_memory);
}

/// <summary>The pool.</summary>
public sealed class TransferBuffers(FrameAllocator frames, int count)
{
    private readonly BufferPool _pool = new(frames, count, TransferBuffer.RequestBytes + TransferBuffer.DataBytes);

    /// <summary>A buffer of one's own until Dispose. BLOCKS while all are in use.</summary>
    public TransferBuffer Take() => new(_pool);
}
