// Bytes in the order in which they came, in memory of a fixed size that belongs to the ring's owner. Never blocks. A pipe's ring is another
// kind: it takes frames as it fills (monitors/processor/files/ByteRing.cs).

using System;

namespace Lego.Common.Control;

/// <summary>A bounded queue of bytes. Zero-initialised = without memory: everything is refused.</summary>
public unsafe struct FixedRing
{
    private readonly byte* _memory;
    private readonly int _capacityBytes;
    private int _head;

    /// <summary>An empty ring over memory that the caller keeps for as long as the ring is used.</summary>
    public FixedRing(byte* memory, int capacityBytes)
    {
        _memory = memory;
        _capacityBytes = capacityBytes;
    }

    /// <summary>Bytes that wait.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes that still fit.</summary>
    public readonly int Room => _capacityBytes - Count;

    /// <summary>Takes all bytes; false when they do not fit, and then none.</summary>
    public bool TryAdd(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Room)
        {
            return false;
        }

        Pieces(Count, bytes.Length, out Span<byte> first, out Span<byte> second);
        bytes.Slice(0, first.Length).CopyTo(first);
        bytes.Slice(first.Length).CopyTo(second);
        Count += bytes.Length;
        return true;
    }

    /// <summary>The oldest bytes that lie in one piece, at most <paramref name="limit"/>.</summary>
    public readonly ReadOnlySpan<byte> Peek(int limit)
    {
        Pieces(0, Math.Min(limit, Count), out Span<byte> first, out _);
        return first;
    }

    /// <summary>
    /// <paramref name="length"/> bytes, of which <paramref name="offset"/> older ones come first, in the two pieces in which they lie. The
    /// caller knows that they are there.
    /// </summary>
    public readonly void Peek(int offset, int length, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second)
    {
        Pieces(offset, length, out Span<byte> one, out Span<byte> two);
        first = one;
        second = two;
    }

    /// <summary>Drops the oldest bytes.</summary>
    public void Remove(int count)
    {
        Count -= count;
        _head = Count == 0 ? 0 : (_head + count) % _capacityBytes;
    }

    /// <summary>Forgets what waits.</summary>
    public void Clear() => Remove(Count);

    private readonly void Pieces(int offset, int length, out Span<byte> first, out Span<byte> second)
    {
        int start = length == 0 ? 0 : (_head + offset) % _capacityBytes;
        int run = Math.Min(length, _capacityBytes - start);
        first = new Span<byte>(_memory + start, run);
        second = new Span<byte>(_memory, length - run);
    }
}
