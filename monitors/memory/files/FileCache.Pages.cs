// The list of a file's pages, and walks of it. A gigabyte is 262,144 pages, too many for a handler, in which no other request is served: a
// truncation looks at them in slices, and a file that nobody can reach any more (deleted or an ended memory object, and mapped no longer)
// departs: its pages are given back by a thread of its own, a slice at a time, or by whoever runs short of frames.

using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Pages of a slice: some 200 us of an emulated CPU.</summary>
    private const ulong PagesPerSlice = 2048;

    /// <summary>Files that have departed, linked by NextInBucket, each held and with pages left.</summary>
    private CachedFile* _departed;
    private WaitQueue _departures;

    /// <summary>The reaper of files: gives back what has departed, a slice at a time, and waits for more. Does not return.</summary>
    public void ReapForever()
    {
        while (true)
        {
            if (ReapDeparted(PagesPerSlice))
            {
                Scheduler.Yield();
            }
            else
            {
                _departures.Wait();
            }
        }
    }

    /// <summary>Gives back so many pages at most of files that have departed; false when there are none.</summary>
    [NoBlock]
    internal bool ReapDeparted(ulong mostPages)
    {
        CachedFile* file = _departed;
        if (file == null)
        {
            return false;
        }

        DropSome(file->Pages, 0, mostPages);
        if (file->PageCount == 0)
        {
            _departed = file->NextInBucket;
            Release(file);
        }

        return true;
    }

    /// <summary>Nobody can reach a dead file's pages any more: few go at once, many by and by.</summary>
    private void Depart(CachedFile* file)
    {
        if (file->PageCount <= PagesPerSlice)
        {
            DropSome(file->Pages, 0, ulong.MaxValue);
            return;
        }

        Hold(file);
        file->NextInBucket = _departed;
        _departed = file;
        _departures.WakeOne();
    }

    /// <summary>
    /// Drops all pages from an index on, in slices between which others run. The caller has the file's activity Truncating, so that no page
    /// is being written and none is added; some may be given up meanwhile.
    /// </summary>
    [Blocks]
    private void DropPagesInSlices(CachedFile* file, ulong firstIndex)
    {
        // Keeps the place on the list while others run.
        CachePage place = new() { File = file, State = PageState.Kept };
        CachePage* page = DropSome(file->Pages, firstIndex, PagesPerSlice);
        while (page != null)
        {
            LinkToFile(&place, file, page);
            Scheduler.Yield();
            page = place.NextOfFile;
            UnlinkFromFile(&place, file);
            page = DropSome(page, firstIndex, PagesPerSlice);
        }
    }

    /// <summary>Looks at so many pages of a list, and drops those from an index on; gives the next one to look at.</summary>
    private CachePage* DropSome(CachePage* page, ulong firstIndex, ulong looks)
    {
        for (; page != null && looks > 0; looks--)
        {
            CachePage* next = page->NextOfFile;
            // What has no frame is somebody's place.
            if (page->Index >= firstIndex && page->Frame != null)
            {
                RemovePage(page);
            }

            page = next;
        }

        return page;
    }

    /// <summary>Puts a page before another one of its file (null: the file has none).</summary>
    private static void LinkToFile(CachePage* page, CachedFile* file, CachePage* next)
    {
        CachePage* previous = next == null ? null : next->PreviousOfFile;
        page->NextOfFile = next;
        page->PreviousOfFile = previous;
        *(previous != null ? &previous->NextOfFile : &file->Pages) = page;
        if (next != null)
        {
            next->PreviousOfFile = page;
        }
    }

    private static void UnlinkFromFile(CachePage* page, CachedFile* file)
    {
        *(page->PreviousOfFile != null ? &page->PreviousOfFile->NextOfFile : &file->Pages) = page->NextOfFile;
        if (page->NextOfFile != null)
        {
            page->NextOfFile->PreviousOfFile = page->PreviousOfFile;
        }
    }
}
