// The file cache of a memory component: pages of files by (file, page index), in the memory that programs leave free. Whole files are on
// one m; programs' reads, writes and mapped pages are all served from here, and a storage component sees only what misses (row L43). This
// part holds the tables, the clock that evicts clean pages (Corbato 1968), and the life of records. The other parts: Fill (read from s),
// Read, Write, WriteBack, Truncate. Methods named Try... never block and run inline in the poller; the others run in worker threads and
// may block. Callers hold the kernel lock, so code between two blocking calls is atomic.

using System;
using Lego.Common.Leases;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Pages of files, clean and dirty.</summary>
public sealed unsafe partial class FileCache : FrameReclaimer
{
    /// <summary>Pages in one transfer to or from a storage component.</summary>
    private const int PagesPerTransfer = FileRequest.MaxTransfer / PageOperations.PageSize;
    private const int PageShift = 12;
    private const ulong FileBuckets = 2048;
    private const ulong FramesPerBucket = 4;
    private const ulong HashMultiplier = 0x9E3779B97F4A7C15;
    private const int TransferBufferCount = 6;

    private readonly FramePool _pool;
    private readonly FileStore _store;
    private readonly LeaseHolders? _leases;
    private readonly TransferBuffers _buffers;
    private readonly Slab<CachedFile> _files;
    private readonly Slab<CachePage> _pages;
    private readonly CachedFile** _fileBuckets;
    private readonly CachePage** _pageBuckets;
    private readonly int _pageHashShift;
    /// <summary>The next page that the clock looks at; the ring holds all clean pages.</summary>
    private CachePage* _hand;
    private ulong _mappedPages;
    private ulong _objectPages;
    private ulong _evictions;

    /// <summary>Takes its tables from <paramref name="frames"/> at once.</summary>
    public FileCache(FrameAllocator frames, FramePool pool, FileStore store, LeaseHolders? leases = null)
    {
        _leases = leases;
        _pool = pool;
        _store = store;
        _files = new Slab<CachedFile>(frames);
        _pages = new Slab<CachePage>(frames);
        _buffers = new TransferBuffers(frames, TransferBufferCount);
        int bits = 9;
        while ((1UL << bits) < frames.TotalPages / FramesPerBucket)
        {
            bits++;
        }

        _pageHashShift = 64 - bits;
        _pageBuckets = (CachePage**)AllocateTable(frames, 1UL << bits);
        _fileBuckets = (CachedFile**)AllocateTable(frames, FileBuckets);
        _dirtyLimit = Math.Max(LeastDirtyLimit, frames.FreePages / DirtyLimitFraction);
        pool.SetReclaimer(this);
    }

    /// <summary>Pages in the cache, of whatever state.</summary>
    public ulong PageCount => _pages.InUse;

    /// <summary>Files of which something is known here.</summary>
    public ulong FileCount => _files.InUse;

    /// <summary>For a caller that asks the store itself.</summary>
    internal TransferBuffers Buffers => _buffers;

    internal FileStore Store => _store;

    /// <summary>The record of a file that has one, or null.</summary>
    public CachedFile* Find(ushort storage, FileHandle handle)
    {
        CachedFile* file = _fileBuckets[FileBucketOf(storage, handle)];
        while (file != null && !(file->Handle.Inode == handle.Inode && file->Handle.Generation == handle.Generation
            && file->Storage == storage))
        {
            file = file->NextInBucket;
        }

        return file;
    }

    /// <summary>The file's record, made when it has none; in either case its path is the given one now. Hold it before waiting.
    /// ENOMEM.</summary>
    public Errno FindOrAdd(ushort vnode, ushort storage, FileHandle handle, ReadOnlySpan<byte> path, out CachedFile* file)
    {
        file = Find(storage, handle);
        if (file == null)
        {
            _pool.EnsureReserve();
            file = _files.Allocate();
            if (file == null)
            {
                return Errno.ENOMEM;
            }

            file->Handle = handle;
            file->VNode = vnode;
            file->Storage = storage;
            file->IsLoaded = file->IsObject;
            CachedFile** bucket = &_fileBuckets[FileBucketOf(storage, handle)];
            file->NextInBucket = *bucket;
            *bucket = file;
        }

        // A long path needs a frame, which may be that of the file's last page: held, the record survives it.
        Hold(file);
        Errno error = SetPath(file, path);
        file->Users--;
        if (error != Errno.None)
        {
            FreeIfUnused(file);
        }

        return error;
    }

    /// <summary>
    /// True when somebody but the node that makes a change (0: also that one) may remember size and times of the file, and has to be told
    /// before they change.
    /// </summary>
    private bool IsRemembered(CachedFile* file, ushort except) =>
        _leases is not null && _leases.HasOthers(LeaseKey.Attributes(file->Handle.Inode), except);

    /// <summary>Has them told. Blocks; afterwards somebody may have asked again.</summary>
    private void Recall(CachedFile* file, ushort except) => _leases?.Recall(LeaseKey.Attributes(file->Handle.Inode), except);

    /// <summary>A vma maps the file.</summary>
    internal void HoldMapping(CachedFile* file, bool mayWrite)
    {
        file->Mappings++;
        file->WritableMappings += mayWrite ? 1u : 0;
    }

    /// <summary>A vma that maps the file is gone.</summary>
    internal void ReleaseMapping(CachedFile* file, bool mayWrite)
    {
        file->Mappings--;
        file->WritableMappings -= mayWrite ? 1u : 0;
        if (file->Mappings == 0 && file->IsDead)
        {
            Depart(file);
        }

        FreeIfUnused(file);
    }

    /// <summary>Keeps the record across a wait.</summary>
    internal static void Hold(CachedFile* file) => file->Users++;

    /// <summary>Ends <see cref="Hold"/>; the pointer is dead afterwards.</summary>
    internal void Release(CachedFile* file)
    {
        file->Users--;
        FreeIfUnused(file);
    }

    /// <inheritdoc/>
    public override bool TryReclaim()
    {
        if (ReapDeparted(1))
        {
            return true;
        }

        // Two rounds: the first may only clear reference bits.
        for (ulong steps = 2 * _pages.InUse; _hand != null && steps > 0; steps--)
        {
            CachePage* page = _hand;
            _hand = page->Next;
            if (page->IsReferenced)
            {
                page->IsReferenced = false;
                continue;
            }

            CachedFile* file = page->File;
            RemovePage(page);
            FreeIfUnused(file);
            _evictions++;
            return true;
        }

        return false;
    }

    /// <summary>Counters.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        _leases?.Report(ref writer, "memory.recalls"u8);
        writer.Add("memory.cache_pages"u8, _pages.InUse);
        writer.Add("memory.cache_mapped_pages"u8, _mappedPages);
        writer.Add("memory.cache_dirty_pages"u8, _dirtyPages);
        writer.Add("memory.object_pages"u8, _objectPages);
        writer.Add("memory.cache_files"u8, _files.InUse);
        writer.Add("memory.cache_evictions"u8, _evictions);
        writer.Add("memory.cache_read_hits"u8, _readHits);
        writer.Add("memory.storage_reads"u8, _storageReads);
        writer.Add("memory.storage_read_bytes"u8, _storageReadBytes);
        writer.Add("memory.storage_writes"u8, _storageWrites);
        writer.Add("memory.storage_write_bytes"u8, _storageWriteBytes);
        writer.Add("memory.storage_write_errors"u8, _writeErrors);
        writer.Add("memory.lost_pages"u8, _lostPages);
        writer.Add("memory.write_through"u8, _writesThrough);
        writer.Add("memory.shared_pages"u8, _sharedPages);
    }

    /// <summary>The file's path.</summary>
    internal static ReadOnlySpan<byte> PathOf(CachedFile* file) =>
        new(file->LongPath != null ? file->LongPath : file->Path, file->PathLength);

    private static void** AllocateTable(FrameAllocator frames, ulong entries)
    {
        ulong pages = entries * (ulong)sizeof(void*) / PageOperations.PageSize;
        byte* table = (byte*)frames.AllocateContiguous(pages);
        if (table == null)
        {
            Panic.Because("FileCache: no memory for the hash tables");
        }

        for (ulong page = 0; page < pages; page++)
        {
            PageOperations.Clear(table + (page * PageOperations.PageSize));
        }

        return (void**)table;
    }

    private static ulong FileBucketOf(ushort storage, FileHandle handle) =>
        (handle.Inode + (handle.Generation * 31UL) + (storage * 1021UL)) % FileBuckets;

    private CachePage** PageBucketOf(CachedFile* file, ulong index) =>
        &_pageBuckets[((((ulong)file / 64) + (index * 0x10001)) * HashMultiplier) >> _pageHashShift];

    internal Errno SetPath(CachedFile* file, ReadOnlySpan<byte> path)
    {
        if (path.Length > PageOperations.PageSize)
        {
            return Errno.ENAMETOOLONG;
        }

        if (PathOf(file).SequenceEqual(path))
        {
            return Errno.None;
        }

        if (path.Length > CachedFile.InlinePathBytes && file->LongPath == null)
        {
            file->LongPath = (byte*)_pool.AllocateRaw();
            if (file->LongPath == null)
            {
                return Errno.ENOMEM;
            }
        }

        byte* text = file->LongPath != null ? file->LongPath : file->Path;
        path.CopyTo(new Span<byte>(text, path.Length));
        file->PathLength = path.Length;
        return Errno.None;
    }

    private void FreeIfUnused(CachedFile* file)
    {
        if (file->PageCount != 0 || file->Mappings != 0 || file->Users != 0 || HasUnseenError(file) || (file->IsObject && !file->IsDead))
        {
            return;
        }

        if (!file->IsDead)
        {
            Unhash(file);
        }

        if (file->LongPath != null)
        {
            _pool.FreeRaw(file->LongPath);
        }

        _files.Free(file);
    }

    private void Unhash(CachedFile* file)
    {
        CachedFile** link = &_fileBuckets[FileBucketOf(file->Storage, file->Handle)];
        while (*link != file)
        {
            link = &(*link)->NextInBucket;
        }

        *link = file->NextInBucket;
    }

    /// <summary>The cached page, or null.</summary>
    private CachePage* FindPage(CachedFile* file, ulong index)
    {
        CachePage* page = *PageBucketOf(file, index);
        while (page != null && (page->File != file || page->Index != index))
        {
            page = page->NextInBucket;
        }

        return page;
    }

    /// <summary>A new clean page, contents arbitrary, or null when memory is exhausted.</summary>
    private CachePage* AddPage(CachedFile* file, ulong index)
    {
        byte* frame = (byte*)_pool.AllocateRaw();
        if (frame == null)
        {
            return null;
        }

        CachePage* page = _pages.Allocate();
        if (page == null)
        {
            _pool.FreeRaw(frame);
            return null;
        }

        page->File = file;
        page->Index = index;
        page->Frame = frame;
        page->IsReferenced = true;
        CachePage** bucket = PageBucketOf(file, index);
        page->NextInBucket = *bucket;
        *bucket = page;
        LinkToFile(page, file, file->Pages);
        file->PageCount++;
        _objectPages += file->IsObject ? 1UL : 0;
        EnterRing(page);
        return page;
    }

    /// <summary>Drops a page whatever its state, except while it is on its way to the storage component.</summary>
    private void RemovePage(CachePage* page)
    {
        CachedFile* file = page->File;
        switch (page->State)
        {
            case PageState.Clean:
                LeaveRing(page);
                break;
            case PageState.Dirty:
                LeaveDirtyList(page);
                _volumes.GiveBack(file->Storage);
                break;
            case PageState.Writing:
            case PageState.DirtyWhileWriting:
                Panic.Because("FileCache.RemovePage: the page is being written");
                break;
            default:
                break;
        }

        CachePage** link = PageBucketOf(file, page->Index);
        while (*link != page)
        {
            link = &(*link)->NextInBucket;
        }

        *link = page->NextInBucket;
        UnlinkFromFile(page, file);
        file->PageCount--;
        _objectPages -= file->IsObject ? 1UL : 0;
        if (page->IsMapped)
        {
            _mappedPages--;
        }

        _pool.FreeRaw(page->Frame);
        _pages.Free(page);
    }

    private void EnterRing(CachePage* page)
    {
        page->State = PageState.Clean;
        if (_hand == null)
        {
            page->Next = page;
            page->Previous = page;
            _hand = page;
            return;
        }
        // Just behind the hand: the last to be looked at.
        page->Next = _hand;
        page->Previous = _hand->Previous;
        _hand->Previous->Next = page;
        _hand->Previous = page;
    }

    private void LeaveRing(CachePage* page)
    {
        if (_hand == page)
        {
            _hand = page->Next == page ? null : page->Next;
        }

        page->Previous->Next = page->Next;
        page->Next->Previous = page->Previous;
        page->Next = null;
        page->Previous = null;
    }
}
