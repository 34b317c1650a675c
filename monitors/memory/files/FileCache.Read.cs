// Reading from the cache: the bytes of a FileRead and the page of a mapped file. Inline in the poller; what is not resident is reported so
// that a worker can fetch it.

using System;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Outcome of an inline attempt.</summary>
internal enum CacheOutcome
{
    Done,
    /// <summary>A page (given back) must be fetched first.</summary>
    NeedsFetch,
    /// <summary>Something that may block is needed: size unknown, size changing, memory short, or a write that must go through.</summary>
    NeedsWorker,
}

public sealed unsafe partial class FileCache
{
    private ulong _readHits;

    /// <summary>The cached page of a mapping; null with Done and no error: zeros. The hot path of text and data faults.</summary>
    internal CacheOutcome TryGetPage(CachedFile* file, ulong index, out byte* frame, out Errno error)
    {
        frame = null;
        error = Errno.None;
        if (!file->IsLoaded || file->Activity == FileActivity.Truncating)
        {
            return CacheOutcome.NeedsWorker;
        }

        if (index << PageShift >= file->Size)
        {
            error = Errno.EIO;
            return CacheOutcome.Done;
        }

        CachePage* page = FindPage(file, index);
        if (page == null)
        {
            return file->IsObject ? CacheOutcome.Done : CacheOutcome.NeedsFetch;
        }

        page->IsReferenced = true;
        if (!page->IsMapped)
        {
            page->IsMapped = true;
            _mappedPages++;
        }

        frame = page->Frame;
        return CacheOutcome.Done;
    }

    /// <summary>The bytes where they lie, when they lie in one cached page; false says nothing but that.</summary>
    internal bool TryReadInPlace(CachedFile* file, ulong offset, uint lengthBytes, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        uint inPage = (uint)(offset & (PageOperations.PageSize - 1));
        if (!file->IsLoaded || file->Activity == FileActivity.Truncating || offset >= file->Size
            || inPage + (ulong)lengthBytes > PageOperations.PageSize)
        {
            return false;
        }

        CachePage* page = FindPage(file, offset >> PageShift);
        if (page == null)
        {
            return false;
        }

        page->IsReferenced = true;
        _readHits++;
        bytes = new ReadOnlySpan<byte>(page->Frame + inPage, (int)Math.Min(lengthBytes, file->Size - offset));
        return true;
    }

    /// <summary>Copies up to buffer.Length bytes; on NeedsFetch <paramref name="missing"/> is the first absent page, and
    /// <paramref name="readBytes"/> bytes before it have been copied.</summary>
    internal CacheOutcome TryRead(CachedFile* file, ulong offset, Span<byte> buffer, out int readBytes, out ulong missing)
    {
        readBytes = 0;
        missing = 0;
        if (!file->IsLoaded || file->Activity == FileActivity.Truncating)
        {
            return CacheOutcome.NeedsWorker;
        }

        if (offset >= file->Size)
        {
            return CacheOutcome.Done;
        }

        int length = (int)Math.Min((ulong)buffer.Length, file->Size - offset);
        int copied = 0;
        while (copied < length)
        {
            ulong position = offset + (ulong)copied;
            CachePage* page = FindPage(file, position >> PageShift);
            int inPage = (int)(position & (PageOperations.PageSize - 1));
            int part = Math.Min(length - copied, PageOperations.PageSize - inPage);
            if (page == null && file->IsObject)
            {
                buffer.Slice(copied, part).Clear();
                copied += part;
                continue;
            }

            if (page == null)
            {
                missing = position >> PageShift;
                readBytes = copied;
                return CacheOutcome.NeedsFetch;
            }

            page->IsReferenced = true;
            fixed (byte* target = buffer)
            {
                PageOperations.CopyBytes(target + copied, page->Frame + inPage, (ulong)part);
            }

            copied += part;
        }

        _readHits++;
        readBytes = length;
        return CacheOutcome.Done;
    }

    /// <summary>Reads with all waiting that it needs; fewer bytes at the end of the file. Each page is copied as soon as it is there, so a
    /// read that is larger than the memory left comes to its end. <paramref name="lastFetched"/>: the last page that was missing. Blocks;
    /// the caller holds the file.</summary>
    internal Errno Read(CachedFile* file, ulong offset, Span<byte> buffer, out int readBytes, out ulong lastFetched)
    {
        readBytes = 0;
        lastFetched = 0;
        while (true)
        {
            Errno error = Load(file);
            if (error != Errno.None)
            {
                return error;
            }

            WaitWhileTruncating(file);
            CacheOutcome outcome = TryRead(file, offset + (ulong)readBytes, buffer.Slice(readBytes), out int part, out ulong missing);
            readBytes += part;
            if (outcome == CacheOutcome.Done)
            {
                return Errno.None;
            }

            if (outcome == CacheOutcome.NeedsFetch)
            {
                lastFetched = missing;
                error = Fetch(file, missing, FetchReason.Read);
                if (error != Errno.None)
                {
                    return error;
                }
            }
        }
    }

    /// <summary>As above, for callers that read no stream.</summary>
    internal Errno Read(CachedFile* file, ulong offset, Span<byte> buffer, out int readBytes) =>
        Read(file, offset, buffer, out readBytes, out _);
}
