// Writing into the cache: one round trip between processor and memory component; the storage component learns of it later (write-back), but
// has reserved the space before (VolumeSpaces). When it has none left to reserve, every write goes through at once, so that ENOSPC reaches
// the right write(2).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Pages of space that are reserved at a time, when the volume has plenty.</summary>
    private const uint ReservedPages = 4096;

    private readonly VolumeSpaces _volumes = new();
    private ulong _writesThrough;
    private ulong _reservations;

    /// <summary>Takes the bytes when that needs nobody else; reply and error are valid with Done, missing with NeedsFetch.</summary>
    internal CacheOutcome TryWrite(CachedFile* file, in FileRequest request, ReadOnlySpan<byte> bytes, out FileWriteReply reply,
        out Errno error, out ulong missing)
    {
        reply = default;
        error = Errno.None;
        missing = 0;
        // Nobody ought to: who writes holds the open file, and with it the file at its storage component, until the answer has come. But a
        // page that became dirty here would stay for ever.
        if (file->IsDead)
        {
            error = Errno.ESTALE;
            return CacheOutcome.Done;
        }

        if (!file->IsLoaded || file->Activity == FileActivity.Truncating || IsSynchronous(file, in request)
            || IsRemembered(file, request.For))
        {
            return CacheOutcome.NeedsWorker;
        }

        ulong offset = (request.Flags & FileWriteFlags.Append) != 0 ? file->Size : request.Offset;
        error = CutAtLimit(file, offset, ref bytes);
        if (error != Errno.None)
        {
            return CacheOutcome.Done;
        }

        ulong end = offset + (ulong)bytes.Length;
        ulong pages = PagesOf(offset, bytes.Length);
        if (file->IsObject && !HasRoomForObject(file, offset >> PageShift, pages))
        {
            error = Errno.ENOSPC;
            return CacheOutcome.Done;
        }

        if (!HasSpace(file, pages) || !_pool.TryMakeRoom(pages))
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

    /// <summary>Takes the bytes with all waiting that it needs. ENOSPC, EFBIG, ENOMEM, ESTALE and what the storage says.</summary>
    [Blocks]
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

            // An append may begin anywhere in a page: one page more than the bytes fill.
            ulong pages = PagesOf(request.Offset, bytes.Length) + 1;
            if (IsSynchronous(file, in request) || !TryPrepareSpace(file, pages) || !MakeRoom(PagesPerTransfer + 1))
            {
                return file->IsObject ? Errno.ENOSPC : WriteThrough(file, request, bytes, out reply);
            }

            Recall(file, request.For);
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

    /// <summary>Bytes of a file's volume that are reserved here and not used yet.</summary>
    internal ulong ReservedBytes(CachedFile* file) => _volumes.CreditsOf(file->Storage) * PageOperations.PageSize;

    /// <summary>
    /// False: the pages that are missing would make memory objects more than half of all memory, the size of a tmpfs (tmpfs(5)). Stores
    /// into mappings have no call that could fail, and are not asked.
    /// </summary>
    private bool HasRoomForObject(CachedFile* file, ulong first, ulong pages)
    {
        ulong missing = 0;
        for (ulong index = first; index < first + pages && _objectPages + pages > _pool.TotalFrames / 2; index++)
        {
            missing += FindPage(file, index) == null ? 1UL : 0;
        }

        return _objectPages + missing <= _pool.TotalFrames / 2;
    }

    /// <summary>A memory object is written through to nothing.</summary>
    private static bool IsSynchronous(CachedFile* file, in FileRequest request) =>
        (request.Flags & FileWriteFlags.Synchronous) != 0 && !file->IsObject;

    /// <summary>True when so many pages of the file may become dirty now.</summary>
    private bool HasSpace(CachedFile* file, ulong pages) => file->IsObject || file->IsDead
        || (_volumes.HasCredits(file->Storage, pages) && _dirtyPages + pages <= _dirtyLimit);

    /// <summary>Reserves space on the volume for pages that are to become dirty, and writes others back while too many are. False: there
    /// is none, so that they must be written through.</summary>
    [Blocks]
    private bool TryPrepareSpace(CachedFile* file, ulong pages)
    {
        if (file->IsObject || file->IsDead)
        {
            return true;
        }

        if (!_volumes.HasCredits(file->Storage, pages) && !ReserveSpace(file, (uint)pages))
        {
            return false;
        }

        while (_dirtyPages + (ulong)PagesPerTransfer + 1 > _dirtyLimit)
        {
            if (!WriteBackSome())
            {
                return false;
            }
        }

        return true;
    }

    private static ulong PagesOf(ulong offset, int lengthBytes) =>
        lengthBytes == 0 ? 0 : ((offset + (ulong)lengthBytes - 1) >> PageShift) - (offset >> PageShift) + 1;

    /// <summary>A write stops at the end of the volume's range; EFBIG when it begins there.</summary>
    private Errno CutAtLimit(CachedFile* file, ulong offset, ref ReadOnlySpan<byte> bytes)
    {
        ulong limit = _volumes.MaxFileBytes(file->Storage);
        if (bytes.Length > 0 && offset >= limit)
        {
            return Errno.EFBIG;
        }

        bytes = bytes.Slice(0, (int)Math.Min((ulong)bytes.Length, limit - Math.Min(offset, limit)));
        return Errno.None;
    }

    /// <summary>Has space for so many pages reserved, and for more if the volume has plenty. False: it has not; then nothing is reserved
    /// for pages that are not dirty, so that a write through the cache can have it all.</summary>
    [Blocks]
    private bool ReserveSpace(CachedFile* file, uint pages)
    {
        ReserveRequest request = default;
        request.Returned = (uint)Math.Min(_volumes.TakeAll(file->Storage), uint.MaxValue);
        request.Least = pages;
        request.Wanted = Math.Max(pages, (uint)Math.Min(ReservedPages, _dirtyLimit));
        TransferBuffer* buffer = _buffers.Take();
        Errno error = _store.Reserve(file->Storage, in request, buffer, out ReserveReply reply);
        _buffers.Return(buffer);
        _reservations++;
        if (error == Errno.None)
        {
            _volumes.Grant(file->Storage, reply.Granted, reply.MaxFileBytes);
        }

        return error == Errno.None && reply.Granted >= pages && _volumes.HasCredits(file->Storage, pages);
    }

    /// <summary>Nothing is dirty: the space that is reserved all the same goes back, so that names can have it.</summary>
    [Blocks]
    private void ReturnSpace()
    {
        for (int index = 0; index < _volumes.Count && _dirtyPages == 0; index++)
        {
            ushort storage = _volumes.StorageAt(index);
            ReserveRequest request = default;
            request.Returned = (uint)Math.Min(_volumes.TakeAll(storage), uint.MaxValue);
            if (request.Returned != 0)
            {
                TransferBuffer* buffer = _buffers.Take();
                _store.Reserve(storage, in request, buffer, out _);
                _buffers.Return(buffer);
            }
        }
    }

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

    /// <summary>Writes at the storage component first and updates what is cached; no page becomes dirty.</summary>
    [Blocks]
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
        error = file->IsDead ? Errno.ESTALE : CutAtLimit(file, offset, ref bytes);
        if (error == Errno.None)
        {
            // Who asks now waits for the end of this (Status).
            Recall(file, request.For);
            // Two messages in one: the bytes, and all that the storage component has to its device.
            FileWriteFlags flags = request.Flags & FileWriteFlags.Synchronous;
            error = _store.Write(file, offset, bytes, request.ModifyTimeNs, flags, buffer, out reply);
            _storageWrites++;
        }

        int written = (int)Math.Min(reply.Written, (uint)bytes.Length);
        // Of a device that fails the storage component says so, and has the bytes.
        if (error == Errno.None || written > 0)
        {
            _volumes.Learn(file->Storage);
            error = error == Errno.None && written == 0 && bytes.Length > 0 ? Errno.ENOSPC : error;
            _storageWriteBytes += (ulong)written;
            UpdatePages(file, offset, bytes.Slice(0, written));
            file->StoredSize = reply.Size;
            file->Size = Math.Max(file->Size, offset + (ulong)written);
            reply.Offset = offset;
            reply.Size = file->Size;
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
