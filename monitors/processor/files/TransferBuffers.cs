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
    /// <summary>Room for a message head and two paths.</summary>
    public const int RequestBytes = 12 * 1024;

    /// <summary>Room for the data of one message.</summary>
    public const int DataBytes = FileRequest.MaxTransfer;

    private readonly int _index;
    private readonly byte* _memory;

    internal TransferBuffer(int index, byte* memory)
    {
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

    public void Dispose() => TransferBuffers.GiveBack(_index);
}

/// <summary>The pool.</summary>
public static unsafe class TransferBuffers
{
    private const int Count = 12;
    private const int BufferBytes = TransferBuffer.RequestBytes + TransferBuffer.DataBytes;

    private static byte* s_memory;
    private static uint s_free;
    private static WaitQueue s_returned;

    /// <summary>Takes the memory; boot time.</summary>
    public static void Initialize(FrameAllocator frames)
    {
        s_memory = (byte*)frames.AllocateContiguous(Count * BufferBytes / PageOperations.PageSize);
        s_free = (1u << Count) - 1;
        s_returned = default;
        if (s_memory == null)
        {
            Panic.Because("TransferBuffers.Initialize: no memory");
        }
    }

    /// <summary>A buffer of one's own until Dispose. BLOCKS while all are in use.</summary>
    public static TransferBuffer Take()
    {
        while (s_free == 0)
        {
            s_returned.Wait();
        }

        int index = BitOperations.TrailingZeroCount(s_free);
        s_free &= s_free - 1;
        return new TransferBuffer(index, s_memory + (index * BufferBytes));
    }

    internal static void GiveBack(int index)
    {
        s_free |= 1u << index;
        s_returned.WakeOne();
    }
}
