// A 64 KB queue of bytes in frames that exist only while they hold something: an idle pipe costs no memory. The user takes pieces of
// contiguous room or data, so bytes are copied once on each side. Never blocks; the user locks where its copies may block.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Bytes in the order in which they came. Zero-initialised = empty.</summary>
public unsafe struct ByteRing
{
    /// <summary>Bytes that a pipe holds (pipe(7)).</summary>
    public const int CapacityBytes = PageCount * PageOperations.PageSize;

    private const int PageCount = 16;

    private Pages _pages;
    /// <summary>Bytes read and written since creation; their difference is what is in the ring.</summary>
    private ulong _read;
    private ulong _written;
    /// <summary>What a ring that was limited does not hold of that.</summary>
    private int _withheldBytes;

    [InlineArray(PageCount)]
    private struct Pages
    {
        private nuint _first;
    }

    public readonly int Count => (int)(_written - _read);

    /// <summary>Bytes that this one holds.</summary>
    public readonly int Capacity => CapacityBytes - _withheldBytes;

    public readonly int Room => Capacity - Count;

    public readonly bool IsEmpty => _written == _read;

    /// <summary>Contiguous room for the next bytes; empty when the ring is full, or (Room > 0) when memory is exhausted.</summary>
    public Span<byte> NextRoom(FrameAllocator frames)
    {
        if (Room == 0)
        {
            return default;
        }

        ref nuint page = ref PageAt(_written);
        if (page == 0)
        {
            page = (nuint)frames.Allocate();
            if (page == 0)
            {
                return default;
            }
        }

        int inPage = (int)(_written % PageOperations.PageSize);
        return new Span<byte>((byte*)page + inPage, Math.Min(PageOperations.PageSize - inPage, Room));
    }

    /// <summary>The first bytes of the last NextRoom have been filled.</summary>
    public void Commit(int lengthBytes) => _written += (ulong)lengthBytes;

    /// <summary>The next bytes, as far as they are contiguous.</summary>
    public readonly ReadOnlySpan<byte> NextData()
    {
        if (IsEmpty)
        {
            return default;
        }

        int inPage = (int)(_read % PageOperations.PageSize);
        nuint page = _pages[(int)(_read / PageOperations.PageSize % PageCount)];
        return new ReadOnlySpan<byte>((byte*)page + inPage, Math.Min(PageOperations.PageSize - inPage, Count));
    }

    /// <summary>The bytes that follow after so many others, as far as they are contiguous; there are more than these.</summary>
    public readonly ReadOnlySpan<byte> DataFrom(int offsetBytes)
    {
        ulong position = _read + (ulong)offsetBytes;
        int inPage = (int)(position % PageOperations.PageSize);
        nuint page = _pages[(int)(position / PageOperations.PageSize % PageCount)];
        return new ReadOnlySpan<byte>((byte*)page + inPage, Math.Min(PageOperations.PageSize - inPage, Count - offsetBytes));
    }

    /// <summary>The first bytes of the last NextData have been used.</summary>
    public void Consume(FrameAllocator frames, int lengthBytes)
    {
        if (lengthBytes == 0)
        {
            return;
        }

        ref nuint page = ref PageAt(_read);
        _read += (ulong)lengthBytes;
        // The writer of a nearly full ring may be at work in the first part of the frame whose last part was just read.
        if (_read % PageOperations.PageSize == 0 && !Unsafe.AreSame(ref page, ref PageAt(_written)))
        {
            Free(frames, ref page);
        }
    }

    /// <summary>Copies as much as fits; bytes taken.</summary>
    public int Append(FrameAllocator frames, ReadOnlySpan<byte> bytes)
    {
        int taken = 0;
        while (taken < bytes.Length)
        {
            Span<byte> room = NextRoom(frames);
            if (room.IsEmpty)
            {
                break;
            }

            int chunk = Math.Min(room.Length, bytes.Length - taken);
            bytes.Slice(taken, chunk).CopyTo(room);
            Commit(chunk);
            taken += chunk;
        }

        return taken;
    }

    /// <summary>Has an empty ring hold no more than so many bytes.</summary>
    public void Limit(int capacityBytes) => _withheldBytes = CapacityBytes - capacityBytes;

    /// <summary>Forgets everything and gives the frames back.</summary>
    public void Clear(FrameAllocator frames)
    {
        for (int index = 0; index < PageCount; index++)
        {
            Free(frames, ref _pages[index]);
        }

        _read = 0;
        _written = 0;
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    private ref nuint PageAt(ulong position) => ref _pages[(int)(position / PageOperations.PageSize % PageCount)];

    private static void Free(FrameAllocator frames, ref nuint page)
    {
        if (page != 0)
        {
            frames.Free((void*)page);
            page = 0;
        }
    }
}
