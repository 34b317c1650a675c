// The descriptors of a process: numbers, the open files that they name, and close-on-exec flags (open(2), dup(2), fcntl(2)). The table
// grows by pages of entries up to MaxDescriptors; an entry is a pointer whose lowest bit is the close-on-exec flag. Shared by processes
// that were cloned with CLONE_FILES. Closing may BLOCK.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Descriptors of one process, or of several that share them.</summary>
public unsafe struct FileTable
{
    /// <summary>Most descriptors of a process; the hard limit of RLIMIT_NOFILE.</summary>
    public const int MaxDescriptors = EntriesPerPage * PageCount;

    private const int EntriesPerPage = PageOperations.PageSize / sizeof(ulong);
    private const int PageCount = 64;
    private const ulong CloseOnExecBit = 1;

    private ObjectPointer<FileSystem> _files;
    private uint _references;
    /// <summary>All descriptors below are in use.</summary>
    private int _firstMaybeFree;
    private Pages _pages;

    [InlineArray(PageCount)]
    private struct Pages
    {
        private nuint _first;
    }

    private readonly FileSystem Files => _files.Target;

    /// <summary>The table of a process; null when it has ended.</summary>
    public static FileTable* Of(Process* process) => process->Resources == null ? null : ((ProcessFiles*)process->Resources)->Table;

    /// <summary>An empty table; null when memory is exhausted.</summary>
    public static FileTable* Create(FileSystem files)
    {
        FileTable* table = files.Tables.Allocate();
        if (table != null)
        {
            table->_files = files.Self;
            table->_references = 1;
        }

        return table;
    }

    /// <summary>A copy whose descriptors name the same open files; null when memory is exhausted.</summary>
    public static FileTable* Fork(FileTable* parent)
    {
        FileTable* child = Create(parent->Files);
        if (child == null)
        {
            return null;
        }

        for (int page = 0; page < PageCount; page++)
        {
            ulong* entries = (ulong*)parent->_pages[page];
            if (entries == null)
            {
                continue;
            }

            void* copy = parent->Files.Frames.Allocate();
            if (copy == null)
            {
                // The entries so far have their references: an ordinary release undoes them.
                Release(child);
                return null;
            }

            PageOperations.Copy(copy, entries);
            child->_pages[page] = (nuint)copy;
            for (int index = 0; index < EntriesPerPage; index++)
            {
                OpenFile* file = FileOf(entries[index]);
                if (file != null)
                {
                    file->References++;
                }
            }
        }

        child->_firstMaybeFree = parent->_firstMaybeFree;
        return child;
    }

    /// <summary>True when several processes use the table.</summary>
    public readonly bool IsShared => _references > 1;

    /// <summary>Another process uses the same table (CLONE_FILES).</summary>
    public static FileTable* Share(FileTable* table)
    {
        table->_references++;
        return table;
    }

    /// <summary>A process no longer uses the table; the last one closes everything. May BLOCK.</summary>
    public static void Release(FileTable* table)
    {
        if (--table->_references != 0)
        {
            return;
        }

        table->Close(0, MaxDescriptors - 1, OnlyMarked.No);
        for (int page = 0; page < PageCount; page++)
        {
            if (table->_pages[page] != 0)
            {
                table->Files.Frames.Free((void*)table->_pages[page]);
            }
        }

        table->Files.Tables.Free(table);
    }

    /// <summary>Closes what is marked close-on-exec. May BLOCK.</summary>
    public void CloseOnExec() => Close(0, MaxDescriptors - 1, OnlyMarked.Yes);

    /// <summary>Whose record locks those of its descriptors are.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public LockOwner Owner => new((ulong)Unsafe.AsPointer(ref this), isOpenFile: false);

    /// <summary>The open file of a descriptor, or null (EBADF).</summary>
    public readonly OpenFile* Find(ulong descriptor) => FileOf(EntryValue(descriptor));

    /// <summary>
    /// Gives an open file the lowest free descriptor from <paramref name="lowest"/> on and below <paramref name="limit"/>; the
    /// reference passes
    /// to the table. EMFILE, ENOMEM: the caller keeps its reference.
    /// </summary>
    public Errno Install(OpenFile* file, bool closeOnExec, ulong lowest, ulong limit, out int descriptor)
    {
        descriptor = -1;
        ulong end = Math.Min(limit, MaxDescriptors);
        for (ulong candidate = Math.Max(lowest, (ulong)_firstMaybeFree); candidate < end; candidate++)
        {
            if (EntryValue(candidate) != 0)
            {
                continue;
            }

            ulong* entry = EntryFor(candidate);
            if (entry == null)
            {
                return Errno.ENOMEM;
            }

            *entry = (ulong)file | (closeOnExec ? CloseOnExecBit : 0);
            if (lowest <= (ulong)_firstMaybeFree)
            {
                _firstMaybeFree = (int)candidate + 1;
            }

            descriptor = (int)candidate;
            return Errno.None;
        }

        return Errno.EMFILE;
    }

    /// <summary>True when <see cref="Install"/> would find a descriptor; open checks it before it creates a file.</summary>
    public readonly bool HasFree(ulong limit)
    {
        ulong end = Math.Min(limit, MaxDescriptors);
        for (ulong candidate = (ulong)_firstMaybeFree; candidate < end; candidate++)
        {
            if (EntryValue(candidate) == 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Makes a descriptor name an open file (dup2), closing what it named. The reference passes to the table. ENOMEM. May BLOCK.
    /// </summary>
    public Errno Replace(ulong descriptor, OpenFile* file, bool closeOnExec)
    {
        ulong* entry = EntryFor(descriptor);
        if (entry == null)
        {
            return Errno.ENOMEM;
        }

        OpenFile* old = FileOf(*entry);
        *entry = (ulong)file | (closeOnExec ? CloseOnExecBit : 0);
        if (old != null)
        {
            Closed(old);
            OpenFile.Release(old);
        }

        return Errno.None;
    }

    /// <summary>Closes a descriptor. EBADF. May BLOCK.</summary>
    public Errno Close(ulong descriptor)
    {
        OpenFile* file = Find(descriptor);
        if (file == null)
        {
            return Errno.EBADF;
        }

        *EntryFor(descriptor) = 0;
        _firstMaybeFree = Math.Min(_firstMaybeFree, (int)descriptor);
        Closed(file);
        OpenFile.Release(file);
        return Errno.None;
    }

    /// <summary>Closes all descriptors from first to last (close_range(2)), or only the marked ones. May BLOCK.</summary>
    public void Close(ulong first, ulong last, OnlyMarked marked)
    {
        for (ulong descriptor = first; descriptor <= last && descriptor < MaxDescriptors; descriptor++)
        {
            if (_pages[(int)(descriptor / EntriesPerPage)] == 0)
            {
                descriptor |= EntriesPerPage - 1;
                continue;
            }

            if (Find(descriptor) != null && (marked == OnlyMarked.No || IsCloseOnExec(descriptor)))
            {
                Close(descriptor);
            }
        }
    }

    /// <summary>The flag of an open descriptor.</summary>
    public readonly bool IsCloseOnExec(ulong descriptor) => (EntryValue(descriptor) & CloseOnExecBit) != 0;

    /// <summary>Changes the flag of an open descriptor.</summary>
    public void SetCloseOnExec(ulong descriptor, bool closeOnExec)
    {
        ulong* entry = EntryFor(descriptor);
        *entry = (*entry & ~CloseOnExecBit) | (closeOnExec ? CloseOnExecBit : 0);
    }

    /// <summary>The lowest open descriptor from one on, or -1 (/proc/PID/fd).</summary>
    public readonly int NextOpen(ulong from)
    {
        for (ulong descriptor = from; descriptor < MaxDescriptors; descriptor++)
        {
            if (_pages[(int)(descriptor / EntriesPerPage)] == 0)
            {
                descriptor |= EntriesPerPage - 1;
            }
            else if (EntryValue(descriptor) != 0)
            {
                return (int)descriptor;
            }
        }

        return -1;
    }

    /// <summary>
    /// What a process loses with the first descriptor that it closes: record locks, word of a queue (mq_close(3)) and of a directory.
    /// </summary>
    private void Closed(OpenFile* file)
    {
        FileLocks.Closed(Owner, file);
        file->Operations.Files.Inotify.EndNotice(file, Owner);
        if (file->Kind == FileKind.PosixQueue)
        {
            Files.Queues.StopListening(Process.Current, file->Queue);
        }
    }

    private static OpenFile* FileOf(ulong entry) => (OpenFile*)(entry & ~CloseOnExecBit);

    private readonly ulong EntryValue(ulong descriptor)
    {
        if (descriptor >= MaxDescriptors)
        {
            return 0;
        }

        ulong* entries = (ulong*)_pages[(int)(descriptor / EntriesPerPage)];
        return entries == null ? 0 : entries[descriptor % EntriesPerPage];
    }

    /// <summary>The entry of a descriptor below MaxDescriptors, its page made when needed; null when memory is exhausted.</summary>
    private ulong* EntryFor(ulong descriptor)
    {
        ref nuint page = ref _pages[(int)(descriptor / EntriesPerPage)];
        if (page == 0)
        {
            page = (nuint)Files.Frames.AllocateCleared();
            if (page == 0)
            {
                return null;
            }
        }

        return (ulong*)page + (descriptor % EntriesPerPage);
    }
}

/// <summary>Whether a range is closed in full or only its close-on-exec descriptors.</summary>
public enum OnlyMarked : byte
{
    No = 0,
    Yes = 1,
}
