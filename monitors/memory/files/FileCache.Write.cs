// Writing into the cache: one round trip between processor and memory component; the storage component learns of it later (write-back),
// except when its volume is nearly full. Then every write goes through at once, so that ENOSPC reaches the right write(2).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>ext4 with 4 KB blocks: a file ends here (EFBIG).</summary>
    private const ulong MaxFileBytes = 1UL << 44;

    private readonly VolumeSpaces _volumes = new();
    private ulong _writesThrough;

    /// <summary>Takes the bytes when that needs nobody else; reply and error are valid with Done, missing with NeedsFetch.</summary>
    internal CacheOutcome TryWrite(CachedFile* file, in FileRequest request, ReadOnlySpan<byte> bytes, out FileWriteReply reply,
        out Errno error, out ulong missing)
    {
        reply = default;
        error = Errno.None;
        missing = 0;
        if (!file->IsLoaded || file->Activity == FileActivity.Truncating)
        {
            return CacheOutcome.NeedsWorker;
        }

        ulong offset = (request.Flags & FileWriteFlags.Append) != 0 ? file->Size : request.Offset;
        ulong end = offset + (ulong)bytes.Length;
        if (end < offset || end > MaxFileBytes)
        {
            error = Errno.EFBIG;
            return CacheOutcome.Done;
        }

        ulong pages = bytes.Length == 0 ? 0 : ((end - 1) >> PageShift) - (offset >> PageShift) + 1;
        if (MustWriteThrough(file, request.Flags, bytes.Length) || _dirtyPages + pages > _dirtyLimit || !_pool.TryMakeRoom(pages))
        {
            return CacheOutcome.NeedsWorker;
        }

        if (bytes.Length > 0 && (IsPartOfStoredPageMissing(file, offset, out missing) || IsPartOfStoredPageMissing(file, end, out missing)))
        {
            return CacheOutcome.NeedsFetch;
        }

        int written = Put(file, offset, bytes, request.ModifyTimeNs);
        if (written < bytes.Length)
        {
            error = written == 0 ? Errno.ENOMEM : Errno.None;
        }

        reply.Written = (uint)written;
        reply.Offset = offset;
        reply.Size = file->Size;
        return CacheOutcome.Done;
    }

    /// <summary>Takes the bytes with all waiting that it needs. Blocks. ENOSPC, EFBIG, ENOMEM, ESTALE and what the storage says.</summary>
    internal Errno Write(CachedFile* file, in FileRequest request, ReadOnlySpan<byte> bytes, out FileWriteReply reply)
    {
        reply = default;
        while (true)
        {
            Errno error = Load(file);
            if (error != Errno.None)
            {
                return error;
            }

            if (MustWriteThrough(file, request.Flags, bytes.Length))
            {
                return WriteThrough(file, request, bytes, out reply);
            }

            while (_dirtyPages + (ulong)PagesPerTransfer + 1 > _dirtyLimit)
            {
                if (!WriteBackSome())
                {
                    return WriteThrough(file, request, bytes, out reply);
                }
            }

            if (!MakeRoom(PagesPerTransfer + 1))
            {
                return WriteThrough(file, request, bytes, out reply);
            }

            WaitWhileTruncating(file);
            switch (TryWrite(file, request, bytes, out reply, out error, out ulong missing))
            {
                case CacheOutcome.Done:
                    return error;
                case CacheOutcome.NeedsFetch:
                    error = Fetch(file, missing, FetchReason.Read);
                    if (error != Errno.None)
                    {
                        return error;
                    }

                    break;
                default:
                    // Somebody else used up what was made ready above; prepare again.
                    break;
            }
        }
    }

    private bool MustWriteThrough(CachedFile* file, FileWriteFlags flags, int lengthBytes) =>
        (flags & FileWriteFlags.Synchronous) != 0
        || !_volumes.HasRoom(file->VNode, file->Storage, (_dirtyPages << PageShift) + (ulong)lengthBytes);

    internal static void WaitWhileTruncating(CachedFile* file)
    {
        while (file->Activity == FileActivity.Truncating)
        {
            file->Idle.Wait();
        }
    }

    /// <summary>True when a write that begins or ends at this offset keeps a part of a page that is stored but not cached.</summary>
    private bool IsPartOfStoredPageMissing(CachedFile* file, ulong border, out ulong index)
    {
        index = border >> PageShift;
        return !AddressLayout.IsPageAligned(border) && index << PageShift < file->StoredSize && FindPage(file, index) == null;
    }

    /// <summary>Copies the bytes into pages, which become dirty; absent ones are made. Returns how many fitted.</summary>
    private int Put(CachedFile* file, ulong offset, ReadOnlySpan<byte> bytes, ulong timeNs)
    {
        int copied = 0;
        while (copied < bytes.Length)
        {
            ulong position = offset + (ulong)copied;
            int inPage = (int)(position & (PageOperations.PageSize - 1));
            int part = Math.Min(bytes.Length - copied, PageOperations.PageSize - inPage);
            CachePage* page = FindPage(file, position >> PageShift);
            if (page == null)
            {
                page = AddPage(file, position >> PageShift);
                if (page == null)
                {
                    break;
                }

                if (part < PageOperations.PageSize)
                {
                    PageOperations.Clear(page->Frame);
                }
            }

            page->IsReferenced = true;
            CopyInto(page->Frame + inPage, bytes.Slice(copied, part));
            MarkDirty(page);
            copied += part;
        }

        if (copied > 0)
        {
            file->Size = Math.Max(file->Size, offset + (ulong)copied);
            file->ModifyTimeNs = timeNs != 0 ? timeNs : Clock.UnixTimeNs();
        }

        return copied;
    }

    private static void CopyInto(byte* target, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* source = bytes)
        {
            PageOperations.CopyBytes(target, source, (ulong)bytes.Length);
        }
    }

    /// <summary>Writes at the storage component first and updates what is cached; no page becomes dirty. Blocks.</summary>
    private Errno WriteThrough(CachedFile* file, in FileRequest request, ReadOnlySpan<byte> bytes, out FileWriteReply reply)
    {
        reply = default;
        _writesThrough++;
        // Earlier writes first: they were accepted and must not lose their space to this one.
        Errno error = WriteBack(file);
        if (error != Errno.None)
        {
            return error;
        }

        Acquire(file, FileActivity.Truncating);
        ulong offset = (request.Flags & FileWriteFlags.Append) != 0 ? file->Size : request.Offset;
        TransferBuffer* buffer = _buffers.Take();
        if (offset + (ulong)bytes.Length < offset || offset + (ulong)bytes.Length > MaxFileBytes)
        {
            error = Errno.EFBIG;
        }
        else
        {
            error = _store.Write(file, offset, bytes, request.ModifyTimeNs, buffer, out reply);
            _storageWrites++;
        }

        if (error == Errno.None)
        {
            _volumes.Learn(file->VNode, file->Storage, reply.VolumeFreeBytes);
            int written = (int)Math.Min(reply.Written, (uint)bytes.Length);
            error = written == 0 && bytes.Length > 0 ? Errno.ENOSPC : Errno.None;
            _storageWriteBytes += (ulong)written;
            UpdatePages(file, offset, bytes.Slice(0, written));
            file->StoredSize = reply.Size;
            file->Size = Math.Max(file->Size, offset + (ulong)written);
            reply.Offset = offset;
            reply.Size = file->Size;
        }

        if (error == Errno.None && (request.Flags & FileWriteFlags.Synchronous) != 0)
        {
            error = _store.Sync(file->VNode, file->Storage, file, buffer);
        }

        _buffers.Return(buffer);
        ReleaseActivity(file);
        return error;
    }

    private void UpdatePages(CachedFile* file, ulong offset, ReadOnlySpan<byte> bytes)
    {
        int copied = 0;
        while (copied < bytes.Length)
        {
            ulong position = offset + (ulong)copied;
            int inPage = (int)(position & (PageOperations.PageSize - 1));
            int part = Math.Min(bytes.Length - copied, PageOperations.PageSize - inPage);
            CachePage* page = FindPage(file, position >> PageShift);
            if (page != null)
            {
                CopyInto(page->Frame + inPage, bytes.Slice(copied, part));
            }

            copied += part;
        }
    }
}
