// Changes of a file as a whole: its size (truncate(2), O_TRUNC), its attributes, its end (unlink).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Sets the size to the request's Offset, at the storage component first, which knows the volume's limit. With GrowOnly a file
    /// that is as long stays as it is: who gave it space before has changed its times, and that behind its end is not to go.</summary>
    [Blocks]
    internal Errno Truncate(CachedFile* file, in FileRequest request)
    {
        bool growsOnly = (request.Flags & FileWriteFlags.GrowOnly) != 0;
        Errno error = growsOnly ? Load(file) : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        Acquire(file, FileActivity.Truncating);
        if (file->IsDead)
        {
            error = Errno.ESTALE;
        }
        else if (!growsOnly || file->IsObject || request.Offset > file->Size)
        {
            FileRequest wanted = request;
            wanted.Offset = growsOnly ? Math.Max(request.Offset, file->Size) : request.Offset;
            error = TruncateExclusive(file, in wanted);
        }

        ReleaseActivity(file);
        return error;
    }

    private const ulong SectorsPerPage = PageOperations.PageSize / 512;

    private Errno TruncateExclusive(CachedFile* file, in FileRequest request)
    {
        ulong size = request.Offset;
        ulong timeNs = request.ModifyTimeNs != 0 ? request.ModifyTimeNs : Clock.UnixTimeNs();
        if (!file->IsObject)
        {
            // Who asks now waits for the end of this (Status).
            Recall(file, request.For);
            TransferBuffer* buffer = _buffers.Take();
            Errno error = _store.Truncate(file, size, timeNs, request.For, buffer);
            _buffers.Return(buffer);
            if (error != Errno.None)
            {
                return error;
            }

            file->StoredSize = size;
        }

        DropPagesInSlices(file, AddressLayout.PageUp(size) >> PageShift);
        ClearTail(file, size);
        file->Size = size;
        file->IsLoaded = true;
        // What is still dirty was written before: its write-back must not set the times back.
        file->ModifyTimeNs = IsWrittenBack(file) && !file->IsObject ? 0 : Math.Max(file->ModifyTimeNs, timeNs);
        return Errno.None;
    }

    /// <summary>
    /// Attributes as stored, with the size and times of what has not been stored yet. <paramref name="holder"/> will remember them (0 =
    /// nobody will): from here on changes are called back, and one that has been called back already is waited for.
    /// </summary>
    [Blocks]
    internal Errno Status(CachedFile* file, ushort holder, out FileAttributes attributes)
    {
        if (file->IsObject)
        {
            attributes = StatusOfObject(file);
            return Errno.None;
        }

        if (holder != 0)
        {
            _leases?.Grant(LeaseKey.Attributes(file->Handle.Inode), holder);
        }

        TransferBuffer* buffer = _buffers.Take();
        Errno error = _store.Status(file, holder, buffer, out attributes);
        _buffers.Return(buffer);
        WaitWhileTruncating(file);
        if (error == Errno.None && file->IsLoaded)
        {
            attributes.Size = file->Size;
            if (!IsWrittenBack(file))
            {
                attributes.ModifyTimeNs = file->ModifyTimeNs != 0 ? file->ModifyTimeNs : attributes.ModifyTimeNs;
                attributes.ChangeTimeNs = Math.Max(attributes.ChangeTimeNs, file->ModifyTimeNs);
                // Blocks that write-back will allocate, as ext4's delayed allocation counts them.
                attributes.Blocks = Math.Max(attributes.Blocks, (file->DirtyCount + file->WritingCount) * SectorsPerPage);
            }
        }

        return error;
    }

    /// <summary>True when <see cref="Forget"/> need not wait and is short.</summary>
    internal static bool CanForgetNow(CachedFile* file) => file->Activity == FileActivity.None && file->PageCount < PagesPerSlice;

    /// <summary>The file was deleted: nothing of it is written any more. Mapped pages stay until they are unmapped. May block.</summary>
    internal void Forget(CachedFile* file)
    {
        Hold(file);
        Acquire(file, FileActivity.Truncating);
        if (file->Mappings == 0)
        {
            DropPagesInSlices(file, 0);
        }

        MarkDead(file);
        ReleaseActivity(file);
        Release(file);
    }

    /// <summary><see cref="Forget"/> for a file of which <see cref="CanForgetNow"/> holds. Never blocks.</summary>
    [NoBlock]
    internal void ForgetNow(CachedFile* file)
    {
        Hold(file);
        MarkDead(file);
        Release(file);
    }

    private void MarkDead(CachedFile* file)
    {
        if (file->IsDead)
        {
            return;
        }

        Unhash(file);
        file->IsDead = true;
        if (file->Mappings == 0)
        {
            Depart(file);
            return;
        }

        // An object's pages have nobody else to store them anyway.
        for (CachePage* page = file->IsObject ? null : file->Pages; page != null; page = page->NextOfFile)
        {
            Keep(page);
        }
    }

    /// <summary>Nobody stores the page any more, or ever does; it goes with its file.</summary>
    private void Keep(CachePage* page)
    {
        if (page->State == PageState.Clean)
        {
            LeaveRing(page);
        }
        else if (page->State == PageState.Dirty)
        {
            LeaveDirtyList(page);
            _volumes.GiveBack(page->File->Storage);
        }

        page->State = PageState.Kept;
    }

    /// <summary>Bytes behind the end of a file read as zero when it grows again.</summary>
    private void ClearTail(CachedFile* file, ulong size)
    {
        int inPage = (int)(size & (PageOperations.PageSize - 1));
        CachePage* page = inPage == 0 ? null : FindPage(file, size >> PageShift);
        if (page != null)
        {
            new Span<byte>(page->Frame + inPage, PageOperations.PageSize - inPage).Clear();
        }
    }
}
