// Buffers for file contents in flight: a reply lands in one, then is copied to the program; a write is gathered in one, then sent from it.
// Made at boot, because nothing of that size fits on a kernel stack. Each has a request part (message head and path) followed at once by a
// data part. A thread holds at most one; taking one may wait (BLOCK), but each use ends by itself.

using System;
using System.Numerics;
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

    private readonly TransferBuffers _pool;
    private readonly int _index;
    private readonly byte* _memory;

    internal TransferBuffer(TransferBuffers pool, int index, byte* memory)
    {
        _pool = pool;
        _index = index;
        _memory = memory;
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

    public void Dispose() => _pool.GiveBack(_index);
}

/// <summary>The pool.</summary>
public sealed unsafe class TransferBuffers
{
    private const int Count = 12;
    private const int BufferBytes = TransferBuffer.RequestBytes + TransferBuffer.DataBytes;

    private readonly byte* _memory;
    private uint _free = (1u << Count) - 1;
    private WaitQueue _returned;

    /// <summary>Takes the memory; boot time.</summary>
    public TransferBuffers(FrameAllocator frames)
    {
        _memory = (byte*)frames.AllocateContiguous(Count * BufferBytes / PageOperations.PageSize);
        if (_memory == null)
        {
            Panic.Because("TransferBuffers: no memory");
        }
    }

    /// <summary>A buffer of one's own until Dispose. BLOCKS while all are in use.</summary>
    public TransferBuffer Take()
    {
        while (_free == 0)
        {
            _returned.Wait();
        }

        int index = BitOperations.TrailingZeroCount(_free);
        _free &= _free - 1;
        return new TransferBuffer(this, index, _memory + (index * BufferBytes));
    }

    internal void GiveBack(int index)
    {
        _free |= 1u << index;
        _returned.WakeOne();
    }
}
