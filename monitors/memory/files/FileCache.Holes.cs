// Holes of memory objects (lseek(2), SEEK_DATA and SEEK_HOLE; fallocate(2), FALLOC_FL_PUNCH_HOLE): a page that was never written, or has been punched, is
// in no frame and reads as zeros. Files of a volume have their holes there; nobody asks here for them.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Where an object's first data from an offset on begin, or its first hole. ENXIO: there are none; EINVAL: no object. Blocks.</summary>
    internal Errno Seek(CachedFile* file, ulong offset, bool isHole, out ulong found)
    {
        found = offset;
        if (!file->IsObject)
        {
            return Errno.EINVAL;
        }

        WaitWhileTruncating(file);
        if (offset >= file->Size)
        {
            return Errno.ENXIO;
        }

        ulong index = isHole ? FirstAbsent(file, offset >> PageShift) : FirstPresent(file, offset >> PageShift);
        found = index > file->Size >> PageShift ? file->Size : Math.Min(Math.Max(index << PageShift, offset), file->Size);
        return !isHole && found == file->Size ? Errno.ENXIO : Errno.None;
    }

    /// <summary>Bytes [from, to) of an object become zeros, and its whole pages are given back. The caller has the activity Truncating.</summary>
    private void Punch(CachedFile* file, ulong from, ulong to)
    {
        ulong first = AddressLayout.PageUp(from) >> PageShift;
        ulong end = to >> PageShift;
        ClearInPage(file, from, Math.Min(to, first << PageShift));
        ClearInPage(file, Math.Max(from, end << PageShift), end < first ? 0 : to);
        CachePage* next;
        for (CachePage* page = file->Pages; page != null; page = next)
        {
            next = page->NextOfFile;
            if (page->Index >= first && page->Index < end)
            {
                RemovePage(page);
            }
        }
    }

    private void ClearInPage(CachedFile* file, ulong from, ulong to)
    {
        CachePage* page = from < to ? FindPage(file, from >> PageShift) : null;
        if (page != null)
        {
            new Span<byte>(page->Frame + (from & (PageOperations.PageSize - 1)), (int)(to - from)).Clear();
        }
    }

    private static ulong FirstPresent(CachedFile* file, ulong index)
    {
        ulong found = ulong.MaxValue;
        for (CachePage* page = file->Pages; page != null; page = page->NextOfFile)
        {
            found = page->Index >= index ? Math.Min(found, page->Index) : found;
        }

        return found;
    }

    private ulong FirstAbsent(CachedFile* file, ulong index)
    {
        while (FindPage(file, index) != null)
        {
            index++;
        }

        return index;
    }
}
