// Bytes that lie in one place or in two: a program's buffer that begins in one page and ends in the next, whose lines are anywhere.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Bytes in up to two pieces; the second is empty when there is one.</summary>
public readonly unsafe ref struct SplitBytes(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail)
{
    /// <summary>All bytes in one piece.</summary>
    public SplitBytes(ReadOnlySpan<byte> bytes)
        : this(bytes, default)
    {
    }

    public ReadOnlySpan<byte> Head { get; } = head;

    public ReadOnlySpan<byte> Tail { get; } = tail;

    public int Length => Head.Length + Tail.Length;

    /// <summary>Copies all of them to where nothing of them is.</summary>
    public void CopyTo(byte* to)
    {
        fixed (byte* from = Head)
        {
            PageOperations.CopyBytes(to, from, (ulong)Head.Length);
        }

        fixed (byte* from = Tail)
        {
            PageOperations.CopyBytes(to + Head.Length, from, (ulong)Tail.Length);
        }
    }
}
