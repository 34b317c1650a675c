// Changes of a file as a whole: its size (truncate(2), O_TRUNC), its attributes, its end (unlink).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Sets the size, at the storage component first, which knows the volume's limit. With GrowOnly a file that is as long is left
    /// as it is. Time 0 = now. Blocks.</summary>
    internal Errno Truncate(CachedFile* file, ulong size, FileWriteFlags flags = FileWriteFlags.None, ulong timeNs = 0)
    {
        bool growsOnly = (flags & FileWriteFlags.GrowOnly) != 0;
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
        else if (!growsOnly || size > file->Size)
        {
            error = TruncateExclusive(file, size, timeNs != 0 ? timeNs : Clock.UnixTimeNs());
        }

        ReleaseActivity(file);
        return error;
    }

    private Errno TruncateExclusive(CachedFile* file, ulong size, ulong timeNs)
    {
        TransferBuffer* buffer = _buffers.Take();
        Errno error = _store.Truncate(file, size, timeNs, buffer);
        _buffers.Return(buffer);
        if (error != Errno.None)
        {
            return error;
        }

        DropPagesInSlices(file, AddressLayout.PageUp(size) >> PageShift);
        ClearTail(file, size);
        file->Size = size;
        file->StoredSize = size;
        file->IsLoaded = true;
        // What is still dirty was written before: its write-back must not set the times back.
        file->ModifyTimeNs = IsWrittenBack(file) ? 0 : Math.Max(file->ModifyTimeNs, timeNs);
        return Errno.None;
    }

    /// <summary>Attributes as stored, with the size and times of what has not been stored yet. Blocks.</summary>
    internal Errno Status(CachedFile* file, out FileAttributes attributes)
    {
        TransferBuffer* buffer = _buffers.Take();
        Errno error = _store.Status(file, buffer, out attributes);
        _buffers.Return(buffer);
        if (error == Errno.None && file->IsLoaded)
        {
            attributes.Size = file->Size;
            if (!IsWrittenBack(file))
            {
                attributes.ModifyTimeNs = file->ModifyTimeNs != 0 ? file->ModifyTimeNs : attributes.ModifyTimeNs;
                attributes.ChangeTimeNs = Math.Max(attributes.ChangeTimeNs, file->ModifyTimeNs);
                // Blocks that write-back will allocate, as ext4's delayed allocation counts them.
                const ulong SectorsPerPage = PageOperations.PageSize / 512;
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
            DropPages(file, 0, ulong.MaxValue);
        }

        for (CachePage* page = file->Pages; page != null; page = page->NextOfFile)
        {
            MakeOrphan(page);
        }
    }

    private void MakeOrphan(CachePage* page)
    {
        if (page->State == PageState.Clean)
        {
            LeaveRing(page);
        }
        else if (page->State == PageState.Dirty)
        {
            LeaveDirtyList(page);
            _volumes.GiveBack(page->File->VNode, page->File->Storage);
        }

        page->State = PageState.Orphan;
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
