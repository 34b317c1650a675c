// Fixed-size kernel objects cut from page frames (Bonwick 1994, without colouring). Each page begins with a header; objects follow it.
// A page whose last object is freed goes back to the frame allocator, except one that is kept to spare a boundary workload the traffic.
// Never blocks. Callers hold the kernel lock.

using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Allocates zeroed objects of one unmanaged type.</summary>
public sealed unsafe class Slab<T> where T : unmanaged
{
    private const int HeaderBytes = 64;

    private readonly FrameAllocator _frames;
    private readonly ulong _limit;
    private PageHeader* _pagesWithRoom;
    private PageHeader* _spare;
    private ulong _inUse;

    private struct PageHeader
    {
        internal PageHeader* Next;
        internal PageHeader* Previous;
        internal FreeItem* Free;
        internal int Used;
        internal int Untouched;
    }

    private struct FreeItem
    {
        internal FreeItem* Next;
    }

    /// <summary>At most <paramref name="limit"/> objects at a time, so that one kind cannot eat the machine.</summary>
    public Slab(FrameAllocator frames, ulong limit = ulong.MaxValue)
    {
        _frames = frames;
        _limit = limit;
        if (Capacity < 1)
        {
            Panic.Because("Slab: the type is larger than a page");
        }
    }

    /// <summary>Objects given out and not yet freed.</summary>
    public ulong InUse => _inUse;

    private static int ItemBytes => (sizeof(T) + 7) & ~7;

    private static int Capacity => (PageOperations.PageSize - HeaderBytes) / ItemBytes;

    /// <summary>A zeroed object, or null when memory or the limit is exhausted.</summary>
    [NoBlock]
    [NoAllocation]
    public T* Allocate()
    {
        if (_inUse >= _limit)
        {
            return null;
        }

        PageHeader* page = _pagesWithRoom;
        if (page == null)
        {
            page = TakePage();
            if (page == null)
            {
                return null;
            }
        }

        byte* item;
        if (page->Free != null)
        {
            item = (byte*)page->Free;
            page->Free = page->Free->Next;
        }
        else
        {
            item = (byte*)page + HeaderBytes + (page->Untouched * ItemBytes);
            page->Untouched++;
        }

        page->Used++;
        if (page->Used == Capacity)
        {
            Unlink(page);
        }

        _inUse++;
        Unsafe.InitBlockUnaligned(item, 0, (uint)sizeof(T));
        return (T*)item;
    }

    /// <summary>Gives an object back.</summary>
    [NoBlock]
    [NoAllocation]
    public void Free(T* item)
    {
        PageHeader* page = (PageHeader*)((nuint)item & ~(nuint)(PageOperations.PageSize - 1));
        FreeItem* free = (FreeItem*)item;
        free->Next = page->Free;
        page->Free = free;
        if (page->Used == Capacity)
        {
            Link(page);
        }

        page->Used--;
        _inUse--;
        if (page->Used == 0)
        {
            ReleasePage(page);
        }
    }

    private PageHeader* TakePage()
    {
        PageHeader* page = _spare;
        _spare = null;
        if (page == null)
        {
            page = (PageHeader*)_frames.Allocate();
            if (page == null)
            {
                return null;
            }
        }

        page->Free = null;
        page->Used = 0;
        page->Untouched = 0;
        Link(page);
        return page;
    }

    private void ReleasePage(PageHeader* page)
    {
        Unlink(page);
        if (_spare == null)
        {
            _spare = page;
        }
        else
        {
            _frames.Free(page);
        }
    }

    private void Link(PageHeader* page)
    {
        page->Previous = null;
        page->Next = _pagesWithRoom;
        if (_pagesWithRoom != null)
        {
            _pagesWithRoom->Previous = page;
        }

        _pagesWithRoom = page;
    }

    private void Unlink(PageHeader* page)
    {
        if (page->Previous != null)
        {
            page->Previous->Next = page->Next;
        }
        else
        {
            _pagesWithRoom = page->Next;
        }

        if (page->Next != null)
        {
            page->Next->Previous = page->Previous;
        }
    }
}
