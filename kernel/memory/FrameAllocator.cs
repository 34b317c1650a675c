// Physical page frames of one machine. A bitmap says which frames are in use; freed frames form a doubly linked list threaded through
// the frames themselves, which makes the common Allocate and Free a handful of instructions.
// Never blocks. Callers hold the kernel lock (one lock per machine). Works on any block of memory, so host tests run this very code.

namespace Lego.Kernel;

/// <summary>Gives out 4 KB frames, or contiguous runs of them, from one block of memory.</summary>
public sealed unsafe class FrameAllocator
{
    private const ulong BitsPerWord = 64;

    private readonly byte* _start;
    private readonly ulong* _usedBits;
    private readonly ulong _totalPages;
    private ulong _firstUntouched;
    private ulong _freePages;
    private FreeFrame* _recentlyFreed;

    /// <summary>Lives in the first bytes of a free frame.</summary>
    private struct FreeFrame
    {
        internal FreeFrame* Next;
        internal FreeFrame* Previous;
    }

    /// <summary>
    /// Manages <paramref name="pages"/> frames from <paramref name="start"/> (4 KB-aligned). The first <paramref name="reservedPages"/> are
    /// in use already (until somebody frees them); the bitmap lies behind them.
    /// </summary>
    public FrameAllocator(void* start, ulong pages, ulong reservedPages = 0)
    {
        _start = (byte*)start;
        _totalPages = pages;
        _usedBits = (ulong*)(_start + (reservedPages * PageOperations.PageSize));
        ulong words = (pages + BitsPerWord - 1) / BitsPerWord;
        ulong bitmapPages = ((words * sizeof(ulong)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        for (ulong word = 0; word < words; word++)
        {
            _usedBits[word] = 0;
        }

        for (ulong page = 0; page < reservedPages + bitmapPages; page++)
        {
            SetUsed(page);
        }

        _firstUntouched = reservedPages + bitmapPages;
        _freePages = pages - _firstUntouched;
    }

    /// <summary>Frames that can still be given out.</summary>
    public ulong FreePages => _freePages;

    /// <summary>All frames, those of the bitmap included.</summary>
    public ulong TotalPages => _totalPages;

    /// <summary>
    /// First byte of the managed block; frame numbers count from here, so a table by frame number has TotalPages entries.
    /// </summary>
    public void* Start => _start;

    /// <summary>True when the address lies in a frame that this allocator manages.</summary>
    public bool Contains(void* address) => (byte*)address >= _start && (byte*)address < _start + (_totalPages * PageOperations.PageSize);

    /// <summary>One frame with arbitrary contents, or null when none is left.</summary>
    public void* Allocate()
    {
        if (_recentlyFreed != null)
        {
            FreeFrame* frame = _recentlyFreed;
            Unlink(frame);
            SetUsed(IndexOf(frame));
            _freePages--;
            return frame;
        }
        // Frames above the mark were never given out, except those that AllocateContiguous took out of the middle.
        while (_firstUntouched < _totalPages)
        {
            ulong page = _firstUntouched++;
            if (!IsUsed(page))
            {
                SetUsed(page);
                _freePages--;
                return AddressOf(page);
            }
        }

        return null;
    }

    /// <summary>One zeroed frame, or null.</summary>
    [NoBlock]
    [NoAllocation]
    public void* AllocateCleared()
    {
        void* frame = Allocate();
        if (frame != null)
        {
            PageOperations.Clear(frame);
        }

        return frame;
    }

    /// <summary>A run of frames with arbitrary contents, or null. Searches linearly: for boot time and large buffers.</summary>
    public void* AllocateContiguous(ulong pages)
    {
        if (pages == 0 || pages > _freePages)
        {
            return null;
        }

        ulong run = 0;
        for (ulong page = 0; page < _totalPages; page++)
        {
            run = IsUsed(page) ? 0 : run + 1;
            if (run == pages)
            {
                ulong first = page + 1 - pages;
                for (ulong taken = first; taken <= page; taken++)
                {
                    if (taken < _firstUntouched)
                    {
                        Unlink((FreeFrame*)AddressOf(taken));
                    }

                    SetUsed(taken);
                }

                _freePages -= pages;
                return AddressOf(first);
            }
        }

        return null;
    }

    /// <summary>Takes a frame back. Freeing what is free is a broken invariant and panics.</summary>
    [NoBlock]
    [NoAllocation]
    public void Free(void* page)
    {
        ulong index = IndexOf(page);
        if (index >= _totalPages || !IsUsed(index))
        {
            Panic.Because("FrameAllocator.Free: frame is not in use");
        }

        ClearUsed(index);
        _freePages++;
        // Above the mark the bitmap alone says that it is free.
        if (index < _firstUntouched)
        {
            Push((FreeFrame*)page);
        }
    }

    /// <summary>Takes a run of frames back.</summary>
    public void FreeContiguous(void* start, ulong pages)
    {
        for (ulong page = 0; page < pages; page++)
        {
            Free((byte*)start + (page * PageOperations.PageSize));
        }
    }

    private void Push(FreeFrame* frame)
    {
        frame->Next = _recentlyFreed;
        frame->Previous = null;
        if (_recentlyFreed != null)
        {
            _recentlyFreed->Previous = frame;
        }

        _recentlyFreed = frame;
    }

    private void Unlink(FreeFrame* frame)
    {
        if (frame->Previous != null)
        {
            frame->Previous->Next = frame->Next;
        }
        else
        {
            _recentlyFreed = frame->Next;
        }

        if (frame->Next != null)
        {
            frame->Next->Previous = frame->Previous;
        }
    }

    private ulong IndexOf(void* page) => (ulong)((byte*)page - _start) / PageOperations.PageSize;

    private void* AddressOf(ulong page) => _start + (page * PageOperations.PageSize);

    private bool IsUsed(ulong page) => ((_usedBits[page / BitsPerWord] >> (int)(page % BitsPerWord)) & 1) != 0;

    private void SetUsed(ulong page) => _usedBits[page / BitsPerWord] |= 1UL << (int)(page % BitsPerWord);

    private void ClearUsed(ulong page) => _usedBits[page / BitsPerWord] &= ~(1UL << (int)(page % BitsPerWord));
}
