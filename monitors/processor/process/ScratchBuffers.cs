// Large buffers for messages with many records, strings or pages, made at boot because nothing of that size fits on a kernel stack. A user holds at
// most one at a time and gives it back before it blocks on another process; so taking one may wait (BLOCK), but always ends.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One buffer with a part for a request and a part for its reply.</summary>
public readonly unsafe ref struct Scratch
{
    /// <summary>Bytes of each part: what one message can carry.</summary>
    public const int PartBytes = 64 * 1024;

    private readonly ScratchBuffers _pool;
    private readonly int _index;

    internal Scratch(ScratchBuffers pool, int index, byte* memory)
    {
        _pool = pool;
        _index = index;
        Request = new Span<byte>(memory, PartBytes);
        Reply = new Span<byte>(memory + PartBytes, PartBytes);
    }

    public Span<byte> Request { get; }

    public Span<byte> Reply { get; }

    public void Dispose() => _pool.GiveBack(_index);
}

/// <summary>The pool.</summary>
public sealed unsafe class ScratchBuffers
{
    private const int Count = 6;

    private readonly byte* _memory;
    private uint _free = (1u << Count) - 1;
    private WaitQueue _returned;

    /// <summary>Takes the memory; boot time.</summary>
    public ScratchBuffers(FrameAllocator frames)
    {
        _memory = (byte*)frames.AllocateContiguous(Count * 2 * Scratch.PartBytes / PageOperations.PageSize);
        if (_memory == null)
        {
            Panic.Because("ScratchBuffers: no memory");
        }
    }

    /// <summary>A buffer of one's own until Dispose. BLOCKS while all are in use.</summary>
    public Scratch Take()
    {
        while (_free == 0)
        {
            _returned.Wait();
        }

        int index = System.Numerics.BitOperations.TrailingZeroCount(_free);
        _free &= _free - 1;
        return new Scratch(this, index, _memory + (index * 2 * Scratch.PartBytes));
    }

    internal void GiveBack(int index)
    {
        _free |= 1u << index;
        _returned.WakeOne();
    }
}
