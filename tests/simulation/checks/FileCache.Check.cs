// What holds of the file cache between any two pieces of kernel code that run without a break: every page belongs to a file that can be
// found, or that is dead, and is on its list; files and the cache count their pages right. A part of the class, because it looks where
// nobody else may.

using Lego.Kernel;
using Lego.Simulation;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Throws what does not hold.</summary>
    internal void CheckInvariants()
    {
        for (ulong bucket = 0; bucket < FileBuckets; bucket++)
        {
            for (CachedFile* file = _fileBuckets[bucket]; file != null; file = file->NextInBucket)
            {
                Check.That(!file->IsDead, "a dead file can be found");
                CheckFile(file);
            }
        }

        ulong pages = 0;
        for (ulong bucket = 0; bucket < 1UL << (64 - _pageHashShift); bucket++)
        {
            for (CachePage* page = _pageBuckets[bucket]; page != null; page = page->NextInBucket)
            {
                pages++;
                CachedFile* file = page->File;
                Check.That(file->IsDead || Find(file->Storage, file->Handle) == file,
                    $"page {page->Index} is of a file {file->Handle.Inode} that nobody can find");
            }
        }

        Check.Equal(_pages.InUse, pages, "pages that can be found in the file cache");
    }

    private static void CheckFile(CachedFile* file)
    {
        ulong count = 0;
        for (CachePage* page = file->Pages; page != null; page = page->NextOfFile)
        {
            // What has no frame is somebody's place on the list.
            count += page->Frame != null ? 1UL : 0;
            Check.That(page->File == file, $"a page on the list of file {file->Handle.Inode} is another one's");
        }

        Check.Equal(count, file->PageCount, $"counter of the pages of file {file->Handle.Inode}");
    }
}
