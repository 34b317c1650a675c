// Files of the volume as the backings of mappings: a mapped file's node is held like an open one's, and what changes in the file shows in
// its lines, those that somebody maps and those that only wait for the next one: a write, a truncation. Private pages of a mapping keep
// their contents, unless the file no longer reaches them (mmap(2)). Lines of shared mappings are the file's own pages, and may be newer
// than what the memory component has. So who reads the file by call has them written back first (Publish), and who changes it by call takes
// them away first and keeps them away until it is done (BeginChange, EndChange), also those of a mapping that is made meanwhile.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Nodes behind ranges.</summary>
public sealed unsafe class FileMappings : BackingOwner
{
    private const int PageShift = 12;

    private readonly FileSystem _files;

    /// <summary>Boot time.</summary>
    public FileMappings(FileSystem files)
    {
        _files = files;
    }

    private Backings Backings => _files.Processes.Backings;

    private Spaces Spaces => _files.Processes.Spaces;

    private ExCache Cache => _files.Processes.Cache;

    /// <summary>
    /// The number of a file that is about to be mapped, with one hold (Backings.Drop). ENFILE. The caller holds the node.
    /// </summary>
    [Blocks]
    public Errno Acquire(FileNode* node, out uint backing)
    {
        node->IsAtMemory = true;
        // A failure is the next fsync's.
        _files.Kept.WriteOut(node);
        if (node->Backing != 0)
        {
            Backings.Hold(node->Backing);
        }
        else
        {
            node->Backing = Cache.NumberOf(node->Identity);
            if (node->Backing != 0)
            {
                Backings.Create(node, node->Backing);
                node->References++;
                if (node->UnmappedChanges != 0)
                {
                    // Kept away until the last of these calls has ended. Nobody has a number busy that was not in use.
                    Backings.Hold(node->Backing);
                    Cache.BeginSharedChange(node->Backing);
                }
            }
        }

        backing = node->Backing;
        return backing == 0 ? Errno.ENFILE : Errno.None;
    }

    /// <summary>True while some process runs the file: it is not written to (ETXTBSY).</summary>
    public bool IsProgram(FileNode* node) => Backings.IsProgram(node->Backing);

    /// <summary>True when a shared mapping in a space that is in use shows the file.</summary>
    public bool IsShared(FileNode* node)
    {
        for (AddressSpace* space = node->Backing == 0 ? null : Spaces.First; space != null; space = space->Next)
        {
            for (int index = 0; space->Users != 0 && index < space->Ranges.Count; index++)
            {
                if (space->Ranges[index].Backing == node->Backing && space->Ranges[index].Kind == VmaKind.SharedFile)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>What programs have stored into shared mappings of [from, to) is at the memory component afterwards. BLOCKS.</summary>
    public Errno Publish(FileNode* node, ulong from, ulong to) =>
        node->Backing == 0 ? Errno.None : Cache.WriteBackShared(node->Backing, from >> PageShift, PageUp(to) >> PageShift);

    /// <summary>
    /// A call is about to change bytes [from, to) of a file, or its size: no line shows them to shared mappings until
    /// <see cref="EndChange"/>, which gets the node and <paramref name="backing"/>; in between the caller touches no memory of a program.
    /// On an error there is nothing to end.
    /// </summary>
    [Blocks]
    public Errno BeginChange(FileNode* node, ulong from, ulong to, out uint backing)
    {
        node->Changes++;
        node->WrittenSize = 0;
        backing = node->Backing;
        if (backing == 0)
        {
            node->UnmappedChanges++;
            return Errno.None;
        }

        Backings.Hold(backing);
        Cache.BeginSharedChange(backing);
        Errno error = Cache.WithdrawShared(backing, from >> PageShift, PageUp(to) >> PageShift);
        if (error != Errno.None)
        {
            EndChange(node, backing);
        }

        return error;
    }

    /// <summary>The change is made, or has failed. BLOCKS when the file is no longer mapped.</summary>
    public void EndChange(FileNode* node, uint backing)
    {
        uint busy = backing;
        if (backing == 0 && --node->UnmappedChanges == 0)
        {
            // Mapped since (Acquire), or 0.
            busy = node->Backing;
        }

        if (busy != 0)
        {
            Cache.EndSharedChange(busy);
            Backings.Drop(busy);
        }
    }

    /// <summary>
    /// Everything that programs have stored into shared mappings is at memory components (sync(2)). BLOCKS; the first error.
    /// </summary>
    public Errno PublishAll()
    {
        Errno first = Errno.None;
        for (uint backing = 1; backing <= LineObjects.MaxObjects; backing++)
        {
            if (Backings.FileOf(backing) != null)
            {
                Backings.Hold(backing);
                Errno error = Cache.WriteBackShared(backing, 0, ulong.MaxValue);
                first = first == Errno.None ? error : first;
                Backings.Drop(backing);
            }
        }

        return first;
    }

    /// <summary>
    /// What programs have stored into shared mappings of files of the volume is at memory components; false when there are no such
    /// mappings. BLOCKS.
    /// </summary>
    public bool WriteBackShared()
    {
        bool any = false;
        for (uint backing = 1; backing <= LineObjects.MaxObjects; backing++)
        {
            FileNode* node = (FileNode*)Backings.FileOf(backing);
            if (node != null && node->Memory == null && IsShared(node))
            {
                any = true;
                Backings.Hold(backing);
                Cache.WriteBackShared(backing, 0, ulong.MaxValue);
                Backings.Drop(backing);
            }
        }

        return any;
    }

    /// <summary>
    /// Bytes of a file were written at the memory component, and if <paramref name="isAlone"/>, nobody else has changed the file meanwhile:
    /// lines that still show the old ones get them, or are dropped.
    /// </summary>
    [Blocks]
    public void Changed(FileNode* node, ulong from, ReadOnlySpan<byte> bytes, bool isAlone)
    {
        ObjectIdentity identity = node->Identity;
        uint number = isAlone && node->Backing == 0 && bytes.Length < FileLines.StreamBytes ? Cache.NumberOf(in identity) : 0;
        if (number != 0)
        {
            Cache.Rewrite(number, from, bytes);
        }
        else
        {
            Changed(node, from, from + (ulong)bytes.Length);
        }
    }

    [Blocks]
    private void Changed(FileNode* node, ulong from, ulong to)
    {
        Cache.Invalidate(node->Identity, from / PageOperations.PageSize, PageUp(to) / PageOperations.PageSize);
        Follow(node, from, to, ulong.MaxValue);
    }

    /// <summary>Nobody knows what a write or a truncation that has failed has changed.</summary>
    [Blocks]
    public void MayHaveChanged(FileNode* node) => Changed(node, 0, ulong.MaxValue);

    /// <summary>A file has another size: nothing of it is mapped behind its end, and its last page ends in zeros.</summary>
    [Blocks]
    public void Resized(FileNode* node, ulong sizeBytes)
    {
        Cache.Invalidate(node->Identity, sizeBytes / PageOperations.PageSize, ulong.MaxValue);
        Follow(node, 0, ulong.MaxValue, sizeBytes);
    }

    /// <inheritdoc/>
    public override void Used(void* file, uint processId, bool begins)
    {
        MemoryFile* memory = ((FileNode*)file)->Memory;
        if (memory != null && memory->Segment != null)
        {
            SharedSegments.Used(memory->Segment, processId, begins);
        }
    }

    /// <inheritdoc/>
    public override void Release(void* file)
    {
        FileNode* node = (FileNode*)file;
        node->Backing = 0;
        if (node->Memory != null && node->Memory->Segment != null)
        {
            _files.Segments.EndIfUnused(node->Memory->Segment);
        }

        _files.Nodes.Release(node);
    }

    /// <inheritdoc/>
    public override Errno OpenProgram(Process* process, ReadOnlySpan<byte> path, Span<byte> reply, out OpenReply found, out int pathLength,
        out uint backing)
    {
        backing = 0;
        found = default;
        // The home reads the program's interpreter as well.
        _files.Kept.WriteOutAll();
        Errno error = FileOpening.FindProgram(process, path, out FileNode* program, out found.Attributes);
        if (error != Errno.None)
        {
            pathLength = 0;
            return error;
        }

        using NodeRef node = NodeRef.Adopt(program);
        pathLength = node.Node->Path.Length;
        node.Node->Path.CopyTo(reply.Slice(sizeof(OpenReply)));
        bool isElsewhere = node.Node->Memory != null && node.Node->Place.FileMemory != process->Place.HomeMemory;
        error = node.Node->Writers != 0 ? Errno.ETXTBSY : isElsewhere ? Errno.ENOEXEC : Publish(node.Node, 0, ulong.MaxValue);
        return error != Errno.None ? error : Acquire(node.Node, out backing);
    }

    /// <summary>
    /// All spaces that are in use, one after the other; each is held while its lines are looked at, and so is the next on the list.
    /// </summary>
    private void Follow(FileNode* node, ulong from, ulong to, ulong sizeBytes)
    {
        uint backing = node->Backing;
        AddressSpace* space = backing == 0 ? null : HoldFrom(Spaces.First);

        while (space != null)
        {
            if (Uses(space, backing))
            {
                Follow(space, backing, from, to, sizeBytes);
            }

            AddressSpace* next = HoldFrom(space->Next);
            Spaces.Release(space);
            space = next;
        }
    }

    /// <summary>
    /// Holds the first space in use from one on. A space without users is ending and is looked at by nobody; to hold it would end it twice.
    /// </summary>
    private static AddressSpace* HoldFrom(AddressSpace* space)
    {
        while (space != null && space->Users == 0)
        {
            space = space->Next;
        }

        if (space != null)
        {
            Spaces.Hold(space);
        }

        return space;
    }

    private static bool Uses(AddressSpace* space, uint backing)
    {
        SpaceBacking* link = space->Backings;
        while (link != null && link->Backing != backing)
        {
            link = link->Next;
        }

        return link != null;
    }

    private void Follow(AddressSpace* space, uint backing, ulong from, ulong to, ulong sizeBytes)
    {
        ExCache cache = Cache;
        cache.BeginChange(space);
        for (int index = 0; index < space->Ranges.Count; index++)
        {
            VmaRecord range = space->Ranges[index];
            if (range.Backing != backing || range.Kind == VmaKind.SharedFile)
            {
                continue;
            }

            ulong stale = AddressOf(in range, from & ~(PageOperations.PageSize - 1UL));
            cache.DropClean(space, stale, Math.Max(stale, AddressOf(in range, PageUp(to))));
            cache.Drop(space, AddressOf(in range, PageUp(sizeBytes)), range.End);
        }

        cache.EndChange(space);
    }

    /// <summary>Where a range shows an offset of its file, moved into the range.</summary>
    private static ulong AddressOf(in VmaRecord range, ulong offset)
    {
        ulong length = range.End - range.Start;
        return range.Start + (offset <= range.FileOffset ? 0 : Math.Min(offset - range.FileOffset, length));
    }

    private static ulong PageUp(ulong offset) =>
        offset > ulong.MaxValue - PageOperations.PageSize
            ? ulong.MaxValue
            : (offset + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1UL);
}
