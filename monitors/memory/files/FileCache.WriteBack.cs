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
    /// <summary>After so many failures in a row a page is given up: it would keep its memory for ever.</summary>
    private const byte MostFailures = 5;

    private readonly ulong _dirtyLimit;
    private ulong _dirtyPages;
    private CachedFile* _firstDirtyFile;
    private CachedFile* _lastDirtyFile;
    private ulong _dirtyFiles;
    private ulong _storageWrites;
    private ulong _storageWriteBytes;
    private ulong _writeErrors;
    /// <summary>Number of the last failure; 0 is nobody's.</summary>
    private uint _writeErrorNumber = 1;
    /// <summary>Pages whose bytes could not be stored and were given up.</summary>
    private ulong _lostPages;
    private ulong _dirtyNumber;

    /// <summary>Pages that a storage component does not have yet.</summary>
    public ulong DirtyPages => _dirtyPages;

    /// <summary>
    /// fsync(2). Failures of write-back have numbers: the caller says the last one that it knows of, hears of a later one, and gets
    /// its number to pass the next time, so each open file hears of each failure once (as with Linux's errseq_t). One that knows of none
    /// (0) hears of a failure that nobody has heard of.
    /// </summary>
    [Blocks]
    internal Errno Sync(CachedFile* file, FileWriteFlags flags, ref uint knownError)
    {
        bool needsDevice = (flags & FileWriteFlags.NoDevice) == 0;
        Errno error = WriteBack(file, needsDevice ? FileWriteFlags.Synchronous : FileWriteFlags.None, out bool isOnDevice);
        if (!needsDevice)
        {
            return error;
        }

        if (error == Errno.None && file->WriteErrorNumber > knownError && (knownError != 0 || !file->IsWriteErrorSeen))
        {
            error = file->WriteError;
        }

        knownError = _writeErrorNumber;
        file->IsWriteErrorSeen = true;
        file->LostPages = 0;
        if (error != Errno.None || file->IsObject || isOnDevice)
        {
            return error;
        }

        TransferBuffer* buffer = _buffers.Take();
        error = _store.Sync(file->Storage, file, buffer);
        _buffers.Return(buffer);
        return error;
    }

    /// <summary>Number of the last failure of a write-back; what a writer knows of from then on.</summary>
    internal uint LastWriteError => _writeErrorNumber;

    private static bool HasUnseenError(CachedFile* file) => file->WriteErrorNumber != 0 && !file->IsWriteErrorSeen && !file->IsDead;

    /// <summary>True when the storage component has all bytes of the file.</summary>
    internal static bool IsWrittenBack(CachedFile* file) => file->DirtyCount == 0 && file->WritingCount == 0;

    /// <summary>One round of the background thread: files that are dirty for long, or all while much is dirty.</summary>
    [Blocks]
    public void WriteBackInBackground()
    {
        ReturnSpace();
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

    /// <summary>sync(2) and orderly shutdown: every page that is dirty now reaches its storage component and every volume its device.
    /// The first error.</summary>
    [Blocks]
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
            ushort storage = _volumes.StorageAt(index);
            TransferBuffer* buffer = _buffers.Take();
            Errno error = _store.Sync(storage, null, buffer);
            _buffers.Return(buffer);
            first = first == Errno.None ? error : first;
        }

        return first;
    }

    /// <summary>Bytes that no storage component has and that would be lost with this component, or are lost already without anybody having
    /// been told. For the end.</summary>
    internal ulong CountUnwrittenBytes()
    {
        ulong pages = _dirtyPages;
        for (ulong bucket = 0; bucket < FileBuckets; bucket++)
        {
            for (CachedFile* file = _fileBuckets[bucket]; file != null; file = file->NextInBucket)
            {
                pages += HasUnseenError(file) ? file->LostPages : 0;
            }
        }

        return pages << PageShift;
    }

    /// <summary>Makes sure that so many frames can be had, by writing dirty pages back when need be. False = memory is
    /// exhausted.</summary>
    [Blocks]
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
    private Errno WriteBack(CachedFile* file) => WriteBack(file, FileWriteFlags.None, out _);

    /// <summary>
    /// As above. With FileWriteFlags.Synchronous the last run asks for all that the storage component has to be on its device, which is one
    /// message less; <paramref name="isOnDevice"/> tells that there was one.
    /// </summary>
    private Errno WriteBack(CachedFile* file, FileWriteFlags flags, out bool isOnDevice)
    {
        isOnDevice = false;
        if (IsWrittenBack(file))
        {
            return Errno.None;
        }

        Hold(file);
        // What is dirty now has numbers up to this one; a busy writer's later pages cannot keep this writer here, nor count for earlier
        // ones.
        ulong last = _dirtyNumber;
        Acquire(file, FileActivity.Writing);
        Errno error = Errno.None;
        while (IsDirtyUpTo(file, last) && error == Errno.None)
        {
            error = WriteRun(file, last, flags, out isOnDevice);
        }

        ReleaseActivity(file);
        Release(file);
        return error;
    }

    /// <summary>Writes some dirty file back; false when nothing could be written. The caller has no activity of its own.</summary>
    [Blocks]
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
        return WriteBack(file);
    }

    private static bool IsDirtyUpTo(CachedFile* file, ulong last) => file->FirstDirty != null && file->FirstDirty->DirtyNumber <= last;

    /// <summary>
    /// Writes one run of dirty neighbours; the last one up to the number <paramref name="last"/> with the given flags. The caller has the
    /// file's activity. Blocks.
    /// </summary>
    private Errno WriteRun(CachedFile* file, ulong last, FileWriteFlags flags, out bool isOnDevice)
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
        int pages = 0;
        CachePage* page = FindPage(file, first);
        while (pages < PagesPerTransfer && page != null && page->State == PageState.Dirty)
        {
            fixed (byte* target = buffer->Data)
            {
                PageOperations.Copy(target + (pages * PageOperations.PageSize), page->Frame);
            }

            LeaveDirtyList(page);
            page->State = PageState.Writing;
            page->WritingNumber = page->DirtyNumber;
            file->WritingCount++;
            pages++;
            page = FindPage(file, first + (ulong)pages);
        }

        ulong offset = first << PageShift;
        int length = (int)Math.Min((ulong)pages << PageShift, file->Size - offset);
        flags = IsDirtyUpTo(file, last) ? FileWriteFlags.Reserved : flags | FileWriteFlags.Reserved;
        Errno error = _store.Write(file, offset, buffer->Data.Slice(0, length), file->ModifyTimeNs, flags, buffer,
            out FileWriteReply reply);
        _buffers.Return(buffer);
        _storageWrites++;
        isOnDevice = error == Errno.None && (flags & FileWriteFlags.Synchronous) != 0;
        // The storage component has the bytes, and its device has failed to take what it had: fsync(2) fails, but the pages are not dirty.
        Errno deviceError = (flags & FileWriteFlags.Synchronous) != 0 && reply.Written == (uint)length ? error : Errno.None;
        error = deviceError != Errno.None ? Errno.None : error;
        int written = 0;
        if (error == Errno.None)
        {
            file->StoredSize = reply.Size;
            written = (int)Math.Min(reply.Written, (uint)length);
            _storageWriteBytes += (ulong)written;
            error = written < length ? Errno.ENOSPC : Errno.None;
        }

        // A file that is gone was deleted: nobody misses its bytes.
        if (error is not (Errno.None or Errno.ESTALE))
        {
            NoteWriteError(file, error);
        }

        // From the last page on: those that go back to the head of the dirty list keep their order.
        int goodPages = written == length ? pages : written >> PageShift;
        for (int index = pages - 1; index >= 0; index--)
        {
            page = FindPage(file, first + (ulong)index);
            file->WritingCount--;
            if (index < goodPages)
            {
                FinishWriting(page);
            }
            else
            {
                FailWriting(page, error);
            }
        }

        ForgetTimeWhenWritten(file);
        return error != Errno.None ? error : deviceError;
    }

    private void NoteWriteError(CachedFile* file, Errno error)
    {
        _writeErrors++;
        file->WriteError = error;
        file->WriteErrorNumber = ++_writeErrorNumber;
        file->IsWriteErrorSeen = false;
    }

    /// <summary>The page is stored, and its credit is the storage component's again.</summary>
    private void FinishWriting(CachePage* page)
    {
        page->Failures = 0;
        if (page->State == PageState.DirtyWhileWriting)
        {
            page->State = PageState.Dirty;
        }
        else
        {
            EnterRing(page);
        }
    }

    /// <summary>The page is not stored: it is dirty as before, unless trying again is of no use.</summary>
    private void FailWriting(CachePage* page, Errno error)
    {
        CachedFile* file = page->File;
        bool isHopeless = IsPermanent(error) || ++page->Failures >= MostFailures;
        if (page->State == PageState.DirtyWhileWriting)
        {
            LeaveDirtyList(page);
            _volumes.GiveBack(file->Storage);
        }

        if (!isHopeless)
        {
            page->State = PageState.Dirty;
            page->DirtyNumber = page->WritingNumber;
            EnterDirtyListFirst(page);
            return;
        }

        // As Linux: readers see the bytes for as long as the page stays, nobody stores them, and fsync has said so.
        _volumes.GiveBack(file->Storage);
        page->Failures = 0;
        EnterRing(page);
        if (error == Errno.ESTALE)
        {
            return;
        }

        _lostPages++;
        file->LostPages++;
        Log.Error($"memory: a page of inode {file->Handle.Inode} could not be stored and is lost: errno {(int)error}");
    }

    /// <summary>Errors that the same write would meet again.</summary>
    private static bool IsPermanent(Errno error) =>
        error is Errno.ESTALE or Errno.EPERM or Errno.EROFS or Errno.EFBIG or Errno.EISDIR or Errno.EINVAL;

    private void MarkDirty(CachePage* page)
    {
        if (page->File->IsObject || page->File->IsDead)
        {
            Keep(page);
            return;
        }

        switch (page->State)
        {
            case PageState.Clean:
                LeaveRing(page);
                page->State = PageState.Dirty;
                EnterDirtyListLast(page);
                break;
            case PageState.Writing:
                page->State = PageState.DirtyWhileWriting;
                EnterDirtyListLast(page);
                break;
            default:
                break;
        }
    }

    /// <summary>The newest dirty page; takes a credit.</summary>
    private void EnterDirtyListLast(CachePage* page)
    {
        CachedFile* file = page->File;
        _volumes.Take(file->Storage);
        page->DirtyNumber = ++_dirtyNumber;
        page->Next = null;
        page->Previous = file->LastDirty;
        *(file->LastDirty != null ? &file->LastDirty->Next : &file->FirstDirty) = page;
        file->LastDirty = page;
        CountDirty(file);
    }

    /// <summary>A page that could not be stored has its old place, and its credit still.</summary>
    private void EnterDirtyListFirst(CachePage* page)
    {
        CachedFile* file = page->File;
        page->Previous = null;
        page->Next = file->FirstDirty;
        *(file->FirstDirty != null ? &file->FirstDirty->Previous : &file->LastDirty) = page;
        file->FirstDirty = page;
        CountDirty(file);
    }

    private void CountDirty(CachedFile* file)
    {
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
