// Memory and patterns for cases.

using System;
using Lego.Kernel;

namespace Lego.Suites;

/// <summary>A run of frames for the length of a case, with a seeded pattern to fill and check it.</summary>
public unsafe ref struct Scratch
{
    private readonly FrameAllocator _frames;
    private readonly ulong _pages;

    public Scratch(FrameAllocator frames, ulong pages)
    {
        _frames = frames;
        _pages = pages;
        Start = (byte*)frames.AllocateContiguous(pages);
    }

    public byte* Start { get; }

    public readonly uint LengthBytes => (uint)_pages * PageOperations.PageSize;

    public readonly Span<byte> Bytes => new(Start, (int)LengthBytes);

    /// <summary>Writes the seed's pattern into a part.</summary>
    public readonly void Fill(ulong seed, uint offset, uint lengthBytes)
    {
        for (uint index = 0; index < lengthBytes; index += sizeof(ulong))
        {
            *(ulong*)(Start + offset + index) = Word(seed, index);
        }
    }

    /// <summary>True when a part holds the seed's pattern.</summary>
    public readonly bool Holds(ulong seed, uint offset, uint lengthBytes)
    {
        for (uint index = 0; index < lengthBytes; index += sizeof(ulong))
        {
            if (*(ulong*)(Start + offset + index) != Word(seed, index))
            {
                return false;
            }
        }

        return true;
    }

    public readonly void Dispose() => _frames.FreeContiguous(Start, _pages);

    private static ulong Word(ulong seed, uint index)
    {
        ulong value = ((seed << 32) | index) * 0x9E3779B97F4A7C15;
        return value ^ (value >> 29);
    }
}
