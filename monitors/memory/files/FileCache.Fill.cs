// Filling the cache from a storage component: one reader per file at a time, read-ahead for sequential access (the transfers that follow
// the one a program waits for are fetched after it has been answered) and for mapped files (row L40).
// A full transfer (14 pages) is fetched at the start of a file, where a sequential reader goes on, and for small files; elsewhere a few
// pages.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Who needs a page; decides how many come with it.</summary>
internal enum FetchReason
{
    Read,
    Mapping,
}

public sealed unsafe partial class FileCache
{
    private const int RandomAccessPages = 4;
    /// <summary>Transfers fetched ahead of a sequential reader.</summary>
    private const int TransfersAhead = 4;
    /// <summary>A mapped file is read ahead when so many of a transfer's pages are absent: 80 %.</summary>
    private const int AbsentPagesForReadAhead = PagesPerTransfer * 4 / 5;

    private ulong _storageReads;
    private ulong _storageReadBytes;

    /// <summary>Learns the file's size from the storage component unless it is known. ESTALE and what the storage says.</summary>
    [Blocks]
    internal Errno Load(CachedFile* file)
    {
        if (file->IsLoaded)
        {
            return Errno.None;
        }

        Acquire(file, FileActivity.Reading);
        Errno error = Errno.None;
        if (!file->IsLoaded)
        {
            TransferBuffer* buffer = _buffers.Take();
            error = _store.Status(file, 0, buffer, out FileAttributes attributes);
            _buffers.Return(buffer);
            if (error == Errno.None)
            {
                Learn(file, attributes);
            }
        }

        ReleaseActivity(file);
        return error;
    }

    /// <summary>Takes the stored size over when nothing newer is here.</summary>
    internal static void Learn(CachedFile* file, in FileAttributes attributes)
    {
        if (!file->IsLoaded)
        {
            file->Size = attributes.Size;
            file->StoredSize = attributes.Size;
            file->IsLoaded = true;
        }
    }

    /// <summary>Brings a page, and what read-ahead adds, into the cache. The page may be gone again when memory is very
    /// short.</summary>
    [Blocks]
    internal Errno Fetch(CachedFile* file, ulong index, FetchReason reason)
    {
        Errno error = Load(file);
        if (error != Errno.None)
        {
            return error;
        }

        if (!MakeRoom(PagesPerTransfer) && !MakeRoom(1))
        {
            return Errno.ENOMEM;
        }

        Acquire(file, FileActivity.Reading);
        error = FindPage(file, index) != null ? Errno.None : FetchExclusive(file, index, reason);
        ReleaseActivity(file);
        return error;
    }

    /// <summary>After a miss has been answered: what its reader will want next, if it reads sequentially. Blocks; the caller holds
    /// the file.</summary>
    internal void ReadAhead(CachedFile* file, ulong missedIndex)
    {
        bool isStream = missedIndex != 0 && file->NextSequentialPage == missedIndex + PagesPerTransfer;
        for (int transfers = 0; isStream && transfers < TransfersAhead; transfers++)
        {
            ulong next = file->NextSequentialPage;
            // Only memory that is free or clean: reading ahead must not push anybody's data out to the storage component.
            if (next << PageShift >= file->StoredSize || !_pool.TryMakeRoom(PagesPerTransfer)
                || Fetch(file, next, FetchReason.Read) != Errno.None)
            {
                return;
            }
        }
    }

    private Errno FetchExclusive(CachedFile* file, ulong index, FetchReason reason)
    {
        if (file->IsDead)
        {
            return Errno.EIO;
        }
        // Behind the stored end there is nothing to ask for: a hole in front of dirty pages.
        ulong offset = index << PageShift;
        if (offset >= file->StoredSize)
        {
            CachePage* hole = AddPage(file, index);
            if (hole == null)
            {
                return Errno.ENOMEM;
            }

            PageOperations.Clear(hole->Frame);
            return Errno.None;
        }

        bool isFull = index == file->NextSequentialPage || file->StoredSize <= FileRequest.MaxTransfer
            || (reason == FetchReason.Mapping && AbsentPages(file, index) >= AbsentPagesForReadAhead);
        ulong wanted = (ulong)(isFull ? PagesPerTransfer : RandomAccessPages) << PageShift;
        uint length = (uint)Math.Min(wanted, file->StoredSize - offset);
        TransferBuffer* buffer = _buffers.Take();
        Errno error = _store.Read(file, offset, length, buffer, out int readBytes);
        _storageReads++;
        if (error == Errno.None)
        {
            _storageReadBytes += (ulong)readBytes;
            file->NextSequentialPage = index + (wanted >> PageShift);
            error = Insert(file, index, buffer->Data.Slice(0, readBytes));
        }

        _buffers.Return(buffer);
        return error;
    }

    private int AbsentPages(CachedFile* file, ulong index)
    {
        int absent = 0;
        for (int page = 0; page < PagesPerTransfer; page++)
        {
            absent += FindPage(file, index + (ulong)page) == null ? 1 : 0;
        }

        return absent;
    }

    /// <summary>Adds the pages that are still missing; those written meanwhile are newer than what was read. The first one comes last: when
    /// memory is so short that it takes the frames of the others, the page that was asked for is there.</summary>
    private Errno Insert(CachedFile* file, ulong index, ReadOnlySpan<byte> bytes)
    {
        for (int number = Math.Max(0, bytes.Length - 1) / PageOperations.PageSize; number >= 0; number--)
        {
            if (FindPage(file, index + (ulong)number) != null)
            {
                continue;
            }

            CachePage* page = AddPage(file, index + (ulong)number);
            if (page != null)
            {
                ReadOnlySpan<byte> present = bytes.Slice(number * PageOperations.PageSize);
                present = present.Slice(0, Math.Min(present.Length, PageOperations.PageSize));
                Span<byte> frame = new(page->Frame, PageOperations.PageSize);
                present.CopyTo(frame);
                frame.Slice(present.Length).Clear();
            }
        }

        return FindPage(file, index) != null ? Errno.None : Errno.ENOMEM;
    }

    /// <summary>Waits until no other worker is at the storage component for this file.</summary>
    private static void Acquire(CachedFile* file, FileActivity activity)
    {
        while (file->Activity != FileActivity.None)
        {
            file->Idle.Wait();
        }

        file->Activity = activity;
    }

    private static void ReleaseActivity(CachedFile* file)
    {
        file->Activity = FileActivity.None;
        file->Idle.WakeAll();
    }
}
