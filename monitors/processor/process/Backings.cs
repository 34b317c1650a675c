// The files behind mappings and programs. A file that is mapped or runs must outlive its names, as an open one does (mmap(2), unlink(2)),
// and one that runs is not written to (ETXTBSY, execve(2)). So each mapped file has a number, that of its object in the ExCache
// (LineObjects), which goes to the home memory component with the mapping and comes back in the records of all ranges that still map it
// (VmaRecord.Backing), through splits, moves and forks. An address space holds each file that its ranges name once, and the program that it
// was made for as long as it lives.
//
// What a file is, only a higher layer knows (BackingOwner). What may BLOCK says so. All files of this component; made at boot.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Whoever knows what a backing is.</summary>
public abstract unsafe class BackingOwner
{
    /// <summary>
    /// Looks a program up for execve with the process's rights. The reply's buffer gets an OpenReply and the canonical path behind it; the
    /// backing has one hold. ETXTBSY when somebody may write to it, EACCES when it is no regular file, ENFILE, errors of Open.
    /// </summary>
    [Blocks]
    public abstract Errno OpenProgram(Process* process, ReadOnlySpan<byte> path, Span<byte> reply, out OpenReply found, out int pathLength,
        out uint backing);

    /// <summary>A process has a file mapped that its parent had mapped, or leaves the space that maps it.</summary>
    public virtual void Used(void* file, uint processId, bool begins)
    {
    }

    /// <summary>Nobody maps the file any more. BLOCKS.</summary>
    public abstract void Release(void* file);
}

/// <summary>Mapped files by number.</summary>
public sealed unsafe class Backings
{
    private readonly Slab<SpaceBacking> _links;
    private readonly ExCache _cache;
    private readonly Entry* _entries;

    /// <summary>A file with a number.</summary>
    private struct Entry
    {
        /// <summary>Null: nobody maps it.</summary>
        public void* File;
        /// <summary>Spaces, and calls that are about to map it.</summary>
        public uint Holds;
        /// <summary>Spaces that run it.</summary>
        public uint Programs;
    }

    /// <summary>Takes the memory; boot time.</summary>
    public Backings(FrameAllocator frames, ExCache cache)
    {
        _cache = cache;
        _links = new Slab<SpaceBacking>(frames);
        ulong pages = ((LineObjects.MaxObjects * (ulong)sizeof(Entry)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        _entries = (Entry*)frames.AllocateContiguous(pages);
        if (_entries == null)
        {
            Panic.Because("Backings: no memory at boot");
        }

        new Span<Entry>(_entries, (int)LineObjects.MaxObjects).Clear();
    }

    /// <summary>Whoever knows what files are; boot time.</summary>
    public BackingOwner? Owner { get; set; }

    /// <summary>A file that nobody maps is about to be mapped under the number of its object, with one hold.</summary>
    public void Create(void* file, uint number)
    {
        *EntryOf(number) = new Entry { File = file, Holds = 1 };
        _cache.Objects.Hold(number);
    }

    /// <summary>One more hold.</summary>
    public void Hold(uint backing) => EntryOf(backing)->Holds++;

    /// <summary>One hold less; the last one releases the file. BLOCKS then.</summary>
    public void Drop(uint backing)
    {
        Entry* entry = EntryOf(backing);
        if (--entry->Holds == 0)
        {
            void* file = entry->File;
            entry->File = null;
            _cache.Objects.Release(backing);
            Owner!.Release(file);
        }
    }

    /// <summary>A process begins or ceases to use what a space maps.</summary>
    public void Tell(AddressSpace* space, uint processId, bool begins)
    {
        for (SpaceBacking* link = space->Backings; link != null; link = link->Next)
        {
            Owner!.Used(EntryOf(link->Backing)->File, processId, begins);
        }
    }

    /// <summary>The file behind a number that a space holds; null for one that none does.</summary>
    public void* FileOf(uint backing) => backing is 0 or > LineObjects.MaxObjects ? null : EntryOf(backing)->File;

    /// <summary>True when some space runs the file.</summary>
    public bool IsProgram(uint backing) => backing != 0 && EntryOf(backing)->Programs != 0;

    /// <summary>A space uses a file that somebody holds. ENOMEM.</summary>
    public Errno Add(AddressSpace* space, uint backing, BackingUse use)
    {
        for (SpaceBacking* link = space->Backings; link != null; link = link->Next)
        {
            if (link->Backing == backing && link->Use == use)
            {
                return Errno.None;
            }
        }

        SpaceBacking* added = _links.Allocate();
        if (added == null)
        {
            return Errno.ENOMEM;
        }

        added->Backing = backing;
        added->Use = use;
        added->Next = space->Backings;
        space->Backings = added;
        EntryOf(backing)->Holds++;
        EntryOf(backing)->Programs += use == BackingUse.Program ? 1u : 0;
        return Errno.None;
    }

    /// <summary>A child uses what its parent uses. ENOMEM; then the child has a part of it.</summary>
    public Errno Copy(AddressSpace* parent, AddressSpace* child)
    {
        Errno error = Errno.None;
        for (SpaceBacking* link = parent->Backings; link != null && error == Errno.None; link = link->Next)
        {
            error = Add(child, link->Backing, link->Use);
        }

        return error;
    }

    /// <summary>
    /// Takes the files that no range names any more off a space's list and gives them as a list for <see cref="Release"/>. The caller holds
    /// the space, so that none is missed which a map call is about to name.
    /// </summary>
    public static SpaceBacking* Prune(AddressSpace* space)
    {
        if (space->Backings == null)
        {
            return null;
        }

        for (int index = 0; index < space->Ranges.Count; index++)
        {
            uint backing = space->Ranges[index].Backing;
            for (SpaceBacking* link = space->Backings; link != null && backing != 0; link = link->Next)
            {
                link->IsNamed |= link->Backing == backing;
            }
        }

        SpaceBacking* gone = null;
        for (SpaceBacking** at = &space->Backings; *at != null;)
        {
            SpaceBacking* link = *at;
            if (link->IsNamed || link->Use == BackingUse.Program)
            {
                link->IsNamed = false;
                at = &link->Next;
                continue;
            }

            *at = link->Next;
            link->Next = gone;
            gone = link;
        }

        return gone;
    }

    /// <summary>Gives up a list of uses.</summary>
    [Blocks]
    public void Release(SpaceBacking* list)
    {
        while (list != null)
        {
            SpaceBacking* link = list;
            list = link->Next;
            uint backing = link->Backing;
            EntryOf(backing)->Programs -= link->Use == BackingUse.Program ? 1u : 0;
            _links.Free(link);
            Drop(backing);
        }
    }

    private Entry* EntryOf(uint backing) => _entries + (backing - 1);
}
