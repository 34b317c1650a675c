// Large buffers for messages with many records, strings or pages, made at boot because nothing of that size fits on a kernel stack. A user
// holds at most one at a time and gives it back before it blocks on another process; so taking one may wait (BLOCK), but always ends.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One buffer with a part for a request and a part for its reply.</summary>
public readonly unsafe ref struct Scratch
{
    /// <summary>Bytes of each part: what one message can carry.</summary>
    public const int PartBytes = 64 * 1024;

    private readonly BufferPool _pool;
    private readonly byte* _memory;

    internal Scratch(BufferPool pool)
    {
        _pool = pool;
        _memory = pool.Take();
    }

    public Span<byte> Request => new(_memory, PartBytes);

    public Span<byte> Reply => new(_memory + PartBytes, PartBytes);

    public void Dispose() => _pool.GiveBack(_memory);
}

/// <summary>The pool.</summary>
public sealed class ScratchBuffers(FrameAllocator frames)
{
    private const int Count = 6;

    private readonly BufferPool _pool = new(frames, Count, 2 * Scratch.PartBytes);

    /// <summary>A buffer of one's own until Dispose. BLOCKS while all are in use.</summary>
    public Scratch Take() => new(_pool);
}
