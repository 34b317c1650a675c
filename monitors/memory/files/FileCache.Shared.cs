// Pages that come back from shared mappings, and memory objects. A processor component keeps one copy of a page that its programs share
// (excache/) and sends it here when it is dirty and leaves, when somebody reads or writes the file by call, or asks for it to be stored. It
// is then a page like any that write(2) has changed. What lies behind the end of the file is nobody's: a page there is refused, and the
// rest of the last page is zeros, as it would be read from the volume. Its sender may remember the file's times, and is told like everybody
// else. There is no call that could fail for want of space on the volume, so such a failure is one of write-back: fsync and msync tell it.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    private ulong _sharedPages;

    /// <summary>Takes a whole page when that needs nobody else. EFAULT: the file does not reach so far any more.</summary>
    internal CacheOutcome TryTakePage(CachedFile* file, ulong index, byte* bytes, out Errno error)
    {
        error = Errno.None;
        if (!file->IsLoaded || file->Activity == FileActivity.Truncating || IsRemembered(file, except: 0))
        {
            return CacheOutcome.NeedsWorker;
        }

        if (index << PageShift >= file->Size)
        {
            error = Errno.EFAULT;
            return CacheOutcome.Done;
        }

        CachePage* page = FindPage(file, index);
        bool needsSpace = page == null || page->State is PageState.Clean or PageState.Writing;
        if ((needsSpace && !HasSpace(file, 1)) || (page == null && (page = AddPage(file, index)) == null))
        {
            return CacheOutcome.NeedsWorker;
        }

        PageOperations.Copy(page->Frame, bytes);
        page->IsReferenced = true;
        MarkDirty(page);
        ClearTail(file, file->Size);
        // Stores into a memory object leave its times alone, as on Linux.
        file->ModifyTimeNs = file->IsObject ? file->ModifyTimeNs : Clock.UnixTimeNs();
        _sharedPages++;
        return CacheOutcome.Done;
    }

    /// <summary>Takes a page with all waiting that it needs. Blocks; the caller holds the file. ENOMEM, EFAULT as above; ESTALE.</summary>
    internal Errno TakePage(CachedFile* file, ulong index, byte* bytes)
    {
        while (true)
        {
            Errno error = Load(file);
            if (error != Errno.None)
            {
                return error;
            }

            if (!TryPrepareSpace(file, 1))
            {
                return StorePage(file, index, new ReadOnlySpan<byte>(bytes, PageOperations.PageSize));
            }

            if (!MakeRoom(1))
            {
                return Errno.ENOMEM;
            }

            Recall(file, except: 0);
            WaitWhileTruncating(file);
            if (TryTakePage(file, index, bytes, out error) == CacheOutcome.Done)
            {
                return error;
            }
        }
    }

    /// <summary>The objects that a processor component has made end with it.</summary>
    /// <param name="processor">Its node, or AddressSpaces.EveryProcessor.</param>
    internal void ForgetObjectsOf(ushort processor)
    {
        for (ulong bucket = 0; bucket < FileBuckets; bucket++)
        {
            CachedFile* next;
            for (CachedFile* file = _fileBuckets[bucket]; file != null; file = next)
            {
                next = file->NextInBucket;
                bool isIts = processor == AddressSpaces.EveryProcessor || file->Handle.Inode >> MemoryObjects.NodeShift == processor;
                if (file->IsObject && isIts)
                {
                    ForgetNow(file);
                }
            }
        }
    }

    /// <summary>The volume has no space to promise: the page goes there at once, and if there is none it is lost, as any that cannot be
    /// written back.</summary>
    [Blocks]
    private Errno StorePage(CachedFile* file, ulong index, ReadOnlySpan<byte> page)
    {
        ulong offset = index << PageShift;
        if (offset >= file->Size)
        {
            return Errno.EFAULT;
        }

        FileRequest request = new() { Offset = offset };
        int length = (int)Math.Min((ulong)page.Length, file->Size - offset);
        Errno error = WriteThrough(file, request, page.Slice(0, length), out FileWriteReply reply);
        if (error == Errno.None && reply.Written < (uint)length)
        {
            error = Errno.ENOSPC;
        }

        if (error is not (Errno.None or Errno.ESTALE))
        {
            NoteWriteError(file, error);
            _lostPages++;
            file->LostPages++;
        }

        return Errno.None;
    }

    private static FileAttributes StatusOfObject(CachedFile* file)
    {
        FileAttributes attributes = default;
        attributes.Handle = file->Handle;
        attributes.Mode = FileMode.Regular;
        attributes.BlockSize = PageOperations.PageSize;
        attributes.Links = file->WritableMappings;
        attributes.Size = file->Size;
        attributes.Blocks = file->PageCount * SectorsPerPage;
        attributes.ModifyTimeNs = file->ModifyTimeNs;
        attributes.ChangeTimeNs = file->ModifyTimeNs;
        return attributes;
    }
}
