// A queue of bytes in frames that exist only while they hold something: an idle pipe costs no memory. It holds 64 KB, or as much as it is
// made to hold; beyond 64 KB its frames are listed in a frame of their own. The user takes pieces of contiguous room or data, so bytes are
// copied once on each side. Never blocks; the user locks where its copies may block.

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
    /// <summary>Frames that a frame can list.</summary>
    private const int ListedPages = PageOperations.PageSize / sizeof(ulong);

    private Pages _pages;
    /// <summary>The list of a ring that is, or was, larger; else null.</summary>
    private nuint* _list;
    /// <summary>Bytes read and written since creation; their difference is what is in the ring.</summary>
    private ulong _read;
    private ulong _written;
    /// <summary>What it does not hold of 64 KB; negative: it holds more.</summary>
    private int _withheldBytes;

    [InlineArray(PageCount)]
    private struct Pages
    {
        private nuint _first;
    }

    public readonly int Count => (int)(_written - _read);

    /// <summary>Bytes before the next one in its page; 0 in an empty ring, and where the next one opens a page.</summary>
    public readonly int BytesInLastPage => IsEmpty ? 0 : (int)(_written % PageOperations.PageSize);

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

    /// <summary>The last bytes that were committed, and that nobody has read, go.</summary>
    public void Retract(int lengthBytes) => _written -= (ulong)lengthBytes;

    /// <summary>The next bytes, as far as they are contiguous.</summary>
    public readonly ReadOnlySpan<byte> NextData()
    {
        if (IsEmpty)
        {
            return default;
        }

        int inPage = (int)(_read % PageOperations.PageSize);
        nuint page = FrameAt(_read);
        return new ReadOnlySpan<byte>((byte*)page + inPage, Math.Min(PageOperations.PageSize - inPage, Count));
    }

    /// <summary>The bytes that follow after so many others, as far as they are contiguous; there are more than these.</summary>
    public readonly ReadOnlySpan<byte> DataFrom(int offsetBytes)
    {
        ulong position = _read + (ulong)offsetBytes;
        int inPage = (int)(position % PageOperations.PageSize);
        nuint page = FrameAt(position);
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

    /// <summary>
    /// Has it hold another number of bytes, a power of two pages up to 2 MB, with what is in it. EBUSY: that is more; ENOMEM. Nobody copies
    /// meanwhile.
    /// </summary>
    public Errno Resize(FrameAllocator frames, int capacityBytes)
    {
        if (Count > capacityBytes)
        {
            return Errno.EBUSY;
        }

        if (capacityBytes > CapacityBytes && _list == null)
        {
            Errno error = MakeList(frames);
            if (error != Errno.None)
            {
                return error;
            }
        }

        Limit(capacityBytes);
        return Errno.None;
    }

    /// <summary>The frames go into a list. The first and the last bytes of a full ring may share one: they are parted.</summary>
    private Errno MakeList(FrameAllocator frames)
    {
        nuint* list = (nuint*)frames.AllocateCleared();
        ulong first = _read / PageOperations.PageSize;
        bool isShared = !IsEmpty && (_written - 1) / PageOperations.PageSize == first + PageCount;
        byte* parted = list == null || !isShared ? null : (byte*)frames.Allocate();
        if (list == null || (isShared && parted == null))
        {
            if (list != null)
            {
                frames.Free(list);
            }

            return Errno.ENOMEM;
        }

        for (ulong page = first; page < first + PageCount; page++)
        {
            list[page % ListedPages] = _pages[(int)(page % PageCount)];
            _pages[(int)(page % PageCount)] = 0;
        }

        if (isShared)
        {
            PageOperations.CopyBytes(parted, (byte*)list[first % ListedPages], PageOperations.PageSize);
            list[(first + PageCount) % ListedPages] = (nuint)parted;
        }

        _list = list;
        return Errno.None;
    }

    /// <summary>Forgets everything and gives the frames back.</summary>
    public void Clear(FrameAllocator frames)
    {
        for (int index = 0; _list != null && index < ListedPages; index++)
        {
            Free(frames, ref _list[index]);
        }

        if (_list != null)
        {
            frames.Free(_list);
            _list = null;
        }

        for (int index = 0; index < PageCount; index++)
        {
            Free(frames, ref _pages[index]);
        }

        _read = 0;
        _written = 0;
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    private ref nuint PageAt(ulong position)
    {
        if (_list != null)
        {
            return ref _list[position / PageOperations.PageSize % ListedPages];
        }

        return ref _pages[(int)(position / PageOperations.PageSize % PageCount)];
    }

    private readonly nuint FrameAt(ulong position) => _list != null
        ? _list[position / PageOperations.PageSize % ListedPages]
        : _pages[(int)(position / PageOperations.PageSize % PageCount)];

    private static void Free(FrameAllocator frames, ref nuint page)
    {
        if (page != 0)
        {
            frames.Free((void*)page);
            page = 0;
        }
    }
}
