// Frames that a node has sent, oldest first, in a ring of 1 MB: a length of 4 bytes before each. A full ring is a card that has no room.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.NetStack;

/// <summary>The card.</summary>
public sealed unsafe class SentFrames : FrameSink
{
    private const ulong Pages = 256;
    private const uint Capacity = (uint)Pages * PageOperations.PageSize;

    private readonly byte* _ring;
    private ulong _written;
    private ulong _taken;

    public SentFrames(FrameAllocator frames)
    {
        _ring = (byte*)frames.AllocateContiguous(Pages);
    }

    public override bool Send(int interfaceIndex, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int length = header.Length + a.Length + b.Length;
        if (_written - _taken + sizeof(int) + (ulong)length > Capacity)
        {
            return false;
        }

        Put(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in length)));
        Put(header);
        Put(a);
        Put(b);
        return true;
    }

    /// <summary>
    /// Copies the oldest frame and forgets it: its length, 0 when there is none. When the buffer is too small, minus the length, and the
    /// frame stays.
    /// </summary>
    public int Take(Span<byte> buffer)
    {
        if (_written == _taken)
        {
            return 0;
        }

        int length = 0;
        Get(_taken, new Span<byte>(&length, sizeof(int)));
        if (length > buffer.Length)
        {
            return -length;
        }

        Get(_taken + sizeof(int), buffer.Slice(0, length));
        _taken += sizeof(int) + (ulong)length;
        return length;
    }

    private void Put(scoped ReadOnlySpan<byte> bytes)
    {
        int at = (int)(_written % Capacity);
        int first = Math.Min(bytes.Length, (int)Capacity - at);
        bytes.Slice(0, first).CopyTo(new Span<byte>(_ring + at, first));
        bytes.Slice(first).CopyTo(new Span<byte>(_ring, bytes.Length - first));
        _written += (ulong)bytes.Length;
    }

    private void Get(ulong position, Span<byte> bytes)
    {
        int at = (int)(position % Capacity);
        int first = Math.Min(bytes.Length, (int)Capacity - at);
        new ReadOnlySpan<byte>(_ring + at, first).CopyTo(bytes);
        new ReadOnlySpan<byte>(_ring, bytes.Length - first).CopyTo(bytes.Slice(first));
    }
}
