// The bytes of one datagram to send, in one piece: the stack takes it as a whole, and copying it from a program may block. Page frames next
// to each other, given back by Dispose.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A contiguous buffer for a datagram of up to 64 KB.</summary>
public readonly unsafe ref struct GatheredBytes
{
    private readonly FrameAllocator _frames;
    private readonly byte* _memory;
    private readonly int _length;

    public GatheredBytes(FrameAllocator frames, int length)
    {
        _frames = frames;
        _length = length;
        _memory = PagesOf(length) == 1 ? (byte*)frames.Allocate() : (byte*)frames.AllocateContiguous(PagesOf(length));
    }

    /// <summary>There was no memory: ENOBUFS.</summary>
    public bool IsNone => _memory == null;

    public Span<byte> Bytes => new(_memory, _length);

    public void Dispose()
    {
        if (_memory == null)
        {
            return;
        }

        if (PagesOf(_length) == 1)
        {
            _frames.Free(_memory);
        }
        else
        {
            _frames.FreeContiguous(_memory, PagesOf(_length));
        }
    }

    private static ulong PagesOf(int length) => Math.Max(1, ((ulong)length + PageOperations.PageSize - 1) / PageOperations.PageSize);
}
