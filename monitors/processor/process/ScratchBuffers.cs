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

    private readonly int _index;

    internal Scratch(int index, byte* memory)
    {
        _index = index;
        Request = new Span<byte>(memory, PartBytes);
        Reply = new Span<byte>(memory + PartBytes, PartBytes);
    }

    public Span<byte> Request { get; }

    public Span<byte> Reply { get; }

    public void Dispose() => ScratchBuffers.GiveBack(_index);
}

/// <summary>The pool.</summary>
public static unsafe class ScratchBuffers
{
    private const int Count = 6;

    private static byte* s_memory;
    private static uint s_free;
    private static WaitQueue s_returned;

    /// <summary>Takes the memory; boot time.</summary>
    public static void Initialize(FrameAllocator frames)
    {
        s_memory = (byte*)frames.AllocateContiguous(Count * 2 * Scratch.PartBytes / PageOperations.PageSize);
        s_free = (1u << Count) - 1;
        s_returned = default;
        if (s_memory == null)
        {
            Panic.Because("ScratchBuffers.Initialize: no memory");
        }
    }

    /// <summary>A buffer of one's own until Dispose. BLOCKS while all are in use.</summary>
    public static Scratch Take()
    {
        while (s_free == 0)
        {
            s_returned.Wait();
        }

        int index = System.Numerics.BitOperations.TrailingZeroCount(s_free);
        s_free &= s_free - 1;
        return new Scratch(index, s_memory + (index * 2 * Scratch.PartBytes));
    }

    internal static void GiveBack(int index)
    {
        s_free |= 1u << index;
        s_returned.WakeOne();
    }
}
