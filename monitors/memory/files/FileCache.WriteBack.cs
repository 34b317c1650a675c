// Dirty pages and their way to the storage component: in runs of neighbouring pages, oldest file first, one writer per file.
// A page on its way can be read and written to; it cannot be evicted, so a failed write loses nothing.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    private const ulong LeastDirtyLimit = 64;
    /// <summary>Dirty pages may take this fraction of the memory before writers have to wait.</summary>
    private const ulong DirtyLimitFraction = 4;
    /// <summary>Above this fraction of the limit the background thread writes without regard to age.</summary>
    private const ulong BackgroundFraction = 2;
    /// <summary>Linux: dirty_expire_centisecs is 30 s; a rack loses m more easily than a PC loses power.</summary>
    private const ulong OldAgeNs = 5_000_000_000;

    private readonly ulong _dirtyLimit;
    private ulong _dirtyPages;
    private CachedFile* _firstDirtyFile;
    private CachedFile* _lastDirtyFile;
    private ulong _dirtyFiles;
    private ulong _storageWrites;
    private ulong _storageWriteBytes;
    private ulong _writeErrors;

    /// <summary>Pages that a storage component does not have yet.</summary>
    public ulong DirtyPages => _dirtyPages;

    /// <summary>fsync(2). Blocks. Reports an earlier background failure once.</summary>
    internal Errno Sync(CachedFile* file, FileWriteFlags flags)
    {
        Errno error = WriteBack(file);
        if (error == Errno.None)
        {
            error = file->WriteError;
        }

        file->WriteError = Errno.None;
        if (error != Errno.None || (flags & FileWriteFlags.NoDevice) != 0)
        {
            return error;
        }

        TransferBuffer* buffer = _buffers.Take();
        error = _store.Sync(file->VNode, file->Storage, file, buffer);
        _buffers.Return(buffer);
        return error;
    }

    /// <summary>True when the storage component has all bytes of the file.</summary>
    internal static bool IsWrittenBack(CachedFile* file) => file->DirtyCount == 0 && file->WritingCount == 0;

    /// <summary>One round of the background thread: files that are dirty for long, or all while much is dirty. Blocks.</summary>
    public void WriteBackInBackground()
    {
        for (ulong rounds = _dirtyFiles; rounds > 0 && _firstDirtyFile != null; rounds--)
        {
            CachedFile* file = _firstDirtyFile;
            bool isOld = Clock.NowNs() - file->DirtySinceNs > OldAgeNs;
            if (!isOld && _dirtyPages <= _dirtyLimit / BackgroundFraction)
            {
                return;
            }

            WriteBackHead();
        }
    }

    /// <summary>Orderly shutdown: every dirty page reaches its storage component and every volume its device. Blocks.</summary>
    public Errno WriteBackAll()
    {
        Errno first = Errno.None;
        for (ulong rounds = _dirtyFiles; rounds > 0 && _firstDirtyFile != null; rounds--)
        {
            Errno error = WriteBackHead();
            first = first == Errno.None ? error : first;
        }

        for (int index = 0; index < _volumes.Count; index++)
        {
            _volumes.Get(index, out ushort vnode, out ushort storage);
            TransferBuffer* buffer = _buffers.Take();
            Errno error = _store.Sync(vnode, storage, null, buffer);
            _buffers.Return(buffer);
            first = first == Errno.None ? error : first;
        }

        return first;
    }

    /// <summary>Makes sure that so many frames can be had, by writing dirty pages back when need be. Blocks. False = memory is
    /// exhausted.</summary>
    internal bool MakeRoom(int frames)
    {
        while (!_pool.TryMakeRoom((ulong)frames))
        {
            if (!WriteBackSome())
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Writes everything that is dirty now. Blocks.</summary>
    private Errno WriteBack(CachedFile* file)
    {
        if (IsWrittenBack(file))
        {
            return Errno.None;
        }

        Hold(file);
        Acquire(file, FileActivity.Writing);
        Errno error = Errno.None;
        // Bounded by what was dirty at the beginning, so that a busy writer cannot keep this one here.
        for (long left = file->DirtyCount; left > 0 && file->FirstDirty != null && error == Errno.None;)
        {
            error = WriteRun(file, out int pages);
            left -= pages;
        }

        ReleaseActivity(file);
        Release(file);
        return error;
    }

    /// <summary>Writes some dirty file back; false when nothing could be written. The caller has no activity of its own. Blocks.</summary>
    private bool WriteBackSome()
    {
        for (ulong rounds = _dirtyFiles; rounds > 0 && _firstDirtyFile != null; rounds--)
        {
            if (WriteBackHead() == Errno.None)
            {
                return true;
            }
        }

        return false;
    }

    private Errno WriteBackHead()
    {
        CachedFile* file = _firstDirtyFile;
        // To the back of the queue, so that a file that cannot be written does not block the others.
        UnlinkDirtyFile(file);
        LinkDirtyFile(file);
        Hold(file);
        Errno error = WriteBack(file);
        if (error != Errno.None)
        {
            file->WriteError = error;
        }

        Release(file);
        return error;
    }

    /// <summary>Writes one run of dirty neighbours. The caller has the file's activity. Blocks.</summary>
    private Errno WriteRun(CachedFile* file, out int pages)
    {
        ulong first = file->FirstDirty->Index;
        for (int back = 1; back < PagesPerTransfer && first > 0; back++)
        {
            CachePage* before = FindPage(file, first - 1);
            if (before == null || before->State != PageState.Dirty)
            {
                break;
            }

            first--;
        }

        TransferBuffer* buffer = _buffers.Take();
        pages = 0;
        CachePage* page = FindPage(file, first);
        while (pages < PagesPerTransfer && page != null && page->State == PageState.Dirty)
        {
            fixed (byte* target = buffer->Data)
            {
                PageOperations.Copy(target + (pages * PageOperations.PageSize), page->Frame);
            }

            LeaveDirtyList(page);
            page->State = PageState.Writing;
            file->WritingCount++;
            pages++;
            page = FindPage(file, first + (ulong)pages);
        }

        ulong offset = first << PageShift;
        int length = (int)Math.Min((ulong)pages << PageShift, file->Size - offset);
        Errno error = _store.Write(file, offset, buffer->Data.Slice(0, length), file->ModifyTimeNs, buffer, out FileWriteReply reply);
        _buffers.Return(buffer);
        _storageWrites++;
        int written = 0;
        if (error == Errno.None)
        {
            _volumes.Learn(file->VNode, file->Storage, reply.VolumeFreeBytes);
            file->StoredSize = reply.Size;
            written = (int)Math.Min(reply.Written, (uint)length);
            _storageWriteBytes += (ulong)written;
            error = written < length ? Errno.ENOSPC : Errno.None;
        }

        if (error != Errno.None)
        {
            _writeErrors++;
        }

        int goodPages = written == length ? pages : written >> PageShift;
        for (int index = 0; index < pages; index++)
        {
            FinishWriting(FindPage(file, first + (ulong)index), index < goodPages);
        }

        ForgetTimeWhenWritten(file);
        return error;
    }

    private void FinishWriting(CachePage* page, bool isStored)
    {
        CachedFile* file = page->File;
        file->WritingCount--;
        if (page->State == PageState.DirtyWhileWriting)
        {
            page->State = PageState.Dirty;
        }
        else if (isStored)
        {
            EnterRing(page);
        }
        else
        {
            page->State = PageState.Dirty;
            EnterDirtyList(page);
        }
    }

    private void MarkDirty(CachePage* page)
    {
        switch (page->State)
        {
            case PageState.Clean:
                LeaveRing(page);
                page->State = PageState.Dirty;
                EnterDirtyList(page);
                break;
            case PageState.Writing:
                page->State = PageState.DirtyWhileWriting;
                EnterDirtyList(page);
                break;
            default:
                break;
        }
    }

    private void EnterDirtyList(CachePage* page)
    {
        CachedFile* file = page->File;
        page->Next = null;
        page->Previous = file->LastDirty;
        *(file->LastDirty != null ? &file->LastDirty->Next : &file->FirstDirty) = page;
        file->LastDirty = page;
        _dirtyPages++;
        if (file->DirtyCount++ == 0)
        {
            LinkDirtyFile(file);
        }
    }

    private void LeaveDirtyList(CachePage* page)
    {
        CachedFile* file = page->File;
        *(page->Previous != null ? &page->Previous->Next : &file->FirstDirty) = page->Next;
        *(page->Next != null ? &page->Next->Previous : &file->LastDirty) = page->Previous;
        page->Next = null;
        page->Previous = null;
        _dirtyPages--;
        if (--file->DirtyCount == 0)
        {
            UnlinkDirtyFile(file);
        }
    }

    private static void ForgetTimeWhenWritten(CachedFile* file)
    {
        if (IsWrittenBack(file))
        {
            file->ModifyTimeNs = 0;
        }
    }

    private void LinkDirtyFile(CachedFile* file)
    {
        file->DirtySinceNs = Clock.NowNs();
        file->NextDirty = null;
        file->PreviousDirty = _lastDirtyFile;
        if (_lastDirtyFile != null)
        {
            _lastDirtyFile->NextDirty = file;
        }
        else
        {
            _firstDirtyFile = file;
        }

        _lastDirtyFile = file;
        _dirtyFiles++;
    }

    private void UnlinkDirtyFile(CachedFile* file)
    {
        if (file->PreviousDirty != null)
        {
            file->PreviousDirty->NextDirty = file->NextDirty;
        }
        else
        {
            _firstDirtyFile = file->NextDirty;
        }

        if (file->NextDirty != null)
        {
            file->NextDirty->PreviousDirty = file->PreviousDirty;
        }
        else
        {
            _lastDirtyFile = file->PreviousDirty;
        }

        _dirtyFiles--;
    }
}
