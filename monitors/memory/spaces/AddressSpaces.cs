// All address spaces of this home memory component, and its parts of others: creation, look-up by (vnode, asid), fork and end.
// The other parts of this class are the operations of mmap(2) and its relatives, one file each; they follow Linux's mm/mmap.c,
// mm/mprotect.c and mm/mremap.c in what they return for which arguments and in which order they check. Never blocks: an operation that
// needs new vRegions changes nothing, returns EINPROGRESS with the regions, and is run again after the manager has named their owner.
// Callers hold the kernel lock.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Creates, finds, copies and ends address spaces, and changes their mappings.</summary>
public sealed unsafe partial class AddressSpaces
{
    private const ulong BucketCount = PageOperations.PageSize / 8;
    private const ulong MaxSpaces = 4096;

    /// <summary>No node has this number.</summary>
    public const ushort EveryProcessor = 0;

    private readonly FramePool _pool;
    private readonly FrameMap _frames;
    private readonly VmaTree _vmas;
    private readonly RegionTable _regions;
    private readonly FileCache _files;
    private readonly Slab<AddressSpace> _spaces;
    private readonly AddressSpace** _buckets;
    private uint _lastNumber;
    private ulong _forks;
    /// <summary>Bytes of all memory components, as far as is known.</summary>
    private ulong _rackBytes;

    /// <summary>Takes its tables from <paramref name="frames"/>; <paramref name="regionBytes"/> is a power of two.</summary>
    public AddressSpaces(FrameAllocator frames, FramePool pool, FrameMap map, FileCache files, ulong regionBytes, ushort self)
    {
        _pool = pool;
        _frames = map;
        _files = files;
        _vmas = new VmaTree(frames, pool);
        _regions = new RegionTable(frames, pool, regionBytes, self);
        _rackBytes = pool.TotalFrames * PageOperations.PageSize;
        _spaces = new Slab<AddressSpace>(frames, MaxSpaces);
        _buckets = (AddressSpace**)frames.AllocateCleared();
        if (_buckets == null)
        {
            Panic.Because("AddressSpaces: no memory for the table");
        }
    }

    /// <summary>Address spaces that exist.</summary>
    public ulong Count => _spaces.InUse;

    /// <summary>Spaces whose home this is.</summary>
    public ulong HomeCount => _spaces.InUse - _parts;

    /// <summary>The space, or null. On the hot path of every miss.</summary>
    public AddressSpace* Find(ushort vnode, uint asid)
    {
        AddressSpace* space = _buckets[BucketOf(vnode, asid)];
        while (space != null && (space->Asid != asid || space->VNode != vnode))
        {
            space = space->NextInBucket;
        }

        return space;
    }

    /// <summary>An empty space that nobody can find yet, so that a loader may wait while it fills it. ENOMEM.</summary>
    public Errno Create(ushort vnode, uint asid, out AddressSpace* space)
    {
        _pool.EnsureReserve();
        space = _spaces.Allocate();
        if (space == null)
        {
            return Errno.ENOMEM;
        }

        space->VNode = vnode;
        space->Asid = asid;
        space->Number = ++_lastNumber;
        return Errno.None;
    }

    /// <summary>From now on messages can name the space. EEXIST when the name is taken.</summary>
    public Errno Publish(AddressSpace* space)
    {
        if (Find(space->VNode, space->Asid) != null)
        {
            return Errno.EEXIST;
        }

        AddressSpace** bucket = &_buckets[BucketOf(space->VNode, space->Asid)];
        space->NextInBucket = *bucket;
        *bucket = space;
        return Errno.None;
    }

    /// <summary>Ends a space: all its frames, vmas and regions are free afterwards.</summary>
    public void Destroy(AddressSpace* space)
    {
        AddressSpace** link = &_buckets[BucketOf(space->VNode, space->Asid)];
        while (*link != null && *link != space)
        {
            link = &(*link)->NextInBucket;
        }

        if (*link == space)
        {
            *link = space->NextInBucket;
        }

        _parts -= space->IsPart ? 1UL : 0;
        _frames.Drop(space);
        if (space->Frozen != null)
        {
            _vmas.Free(space->Frozen);
        }

        while (space->First != null)
        {
            RemoveVma(space, space->First);
        }

        _regions.Drop(space);
        _spaces.Free(space);
    }

    /// <summary>Pages of a vNode's spaces that have frames here; one that several spaces share counts for each.</summary>
    internal ulong CountPages(ushort vnode)
    {
        ulong count = 0;
        for (ulong bucket = 0; bucket < BucketCount; bucket++)
        {
            for (AddressSpace* space = _buckets[bucket]; space != null; space = space->NextInBucket)
            {
                for (BlockMapping* mapping = space->VNode == vnode ? space->Blocks : null; mapping != null; mapping = mapping->Next)
                {
                    count += mapping->Block->Used;
                }
            }
        }

        return count;
    }

    /// <summary>
    /// A component's life has ended: so have the spaces that it made as a processor component, whose next life names its spaces from the
    /// beginning, and the parts of those that it was home to.
    /// </summary>
    /// <param name="node">Its node, or EveryProcessor.</param>
    public void DestroyAllOf(ushort node)
    {
        for (ulong bucket = 0; bucket < BucketCount; bucket++)
        {
            AddressSpace* next;
            for (AddressSpace* space = _buckets[bucket]; space != null; space = next)
            {
                next = space->NextInBucket;
                if (node == EveryProcessor || space->Processor == node || space->Home == node)
                {
                    Destroy(space);
                }
            }
        }
    }

    /// <summary>fork(2): a child with the same mappings and the same pages, copy-on-write. EEXIST, ENOMEM; then there is no
    /// child.</summary>
    public Errno Fork(AddressSpace* parent, uint childAsid, out AddressSpace* child)
    {
        Errno error = Create(parent->VNode, childAsid, out child);
        if (error != Errno.None)
        {
            return error;
        }

        child->BreakStart = parent->BreakStart;
        child->Break = parent->Break;
        child->Home = parent->Home;
        child->HasParts = parent->HasParts;
        child->Moves = parent->Moves;
        child->FormerOwners = parent->FormerOwners;
        child->HasLeftovers = parent->HasLeftovers;
        _parts += child->IsPart ? 1UL : 0;
        error = _regions.Copy(parent, child);
        if (error == Errno.None)
        {
            error = CopyVmas(parent, child);
        }

        if (error == Errno.None)
        {
            error = _frames.Share(parent, child);
        }

        if (error == Errno.None)
        {
            error = Publish(child);
        }

        if (error != Errno.None)
        {
            Destroy(child);
            child = null;
            return error;
        }

        _forks++;
        return Errno.None;
    }

    /// <summary>
    /// A mapped file has become shorter: pages that mappings have for themselves behind its new end are gone, too (mmap(2): SIGBUS). Best
    /// effort when there is no memory to copy a shared block.
    /// </summary>
    public void CutMappings(CachedFile* file, ulong sizeBytes)
    {
        ulong end = AddressLayout.PageUp(sizeBytes);
        for (ulong bucket = 0; bucket < BucketCount && file->Mappings != 0; bucket++)
        {
            for (AddressSpace* space = _buckets[bucket]; space != null; space = space->NextInBucket)
            {
                for (Vma* vma = space->First; vma != null; vma = vma->Next)
                {
                    ulong length = vma->End - vma->Start;
                    ulong kept = end <= vma->FileOffset ? 0 : end - vma->FileOffset;
                    if (vma->File == file && kept < length)
                    {
                        _frames.Remove(space, vma->Start + kept, vma->End);
                    }
                }
            }
        }
    }

    /// <summary>Bytes of one vRegion.</summary>
    public ulong RegionBytes => _regions.RegionBytes;

    /// <summary>Counters.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.spaces"u8, _spaces.InUse);
        writer.Add("memory.vmas"u8, _vmas.InUse);
        writer.Add("memory.region_runs"u8, _regions.InUse);
        writer.Add("memory.fork_spaces"u8, _forks);
        writer.Add("memory.parts"u8, _parts);
        ReportOwners(ref writer);
    }

    private static ulong BucketOf(ushort vnode, uint asid) => (asid + (vnode * 61UL)) % BucketCount;

    private Errno CopyVmas(AddressSpace* parent, AddressSpace* child)
    {
        for (Vma* vma = parent->First; vma != null; vma = vma->Next)
        {
            Vma* copy = _vmas.Allocate();
            if (copy == null)
            {
                return Errno.ENOMEM;
            }

            CopyContent(copy, vma);
            _vmas.Insert(child, copy);
        }

        return Errno.None;
    }

    /// <summary>Everything of a vma but its links; holds the file once more.</summary>
    private void CopyContent(Vma* to, Vma* from)
    {
        to->Start = from->Start;
        to->End = from->End;
        to->Kind = from->Kind;
        to->Protection = from->Protection;
        to->Traits = from->Traits;
        to->File = from->File;
        to->FileOffset = from->FileOffset;
        to->Backing = from->Backing;
        if (to->File != null)
        {
            _files.HoldMapping(to->File, to->MayBeWritten);
        }
    }

    private void RemoveVma(AddressSpace* space, Vma* vma)
    {
        VmaTree.Remove(space, vma);
        CachedFile* file = vma->File;
        bool mayWrite = vma->MayBeWritten;
        _vmas.Free(vma);
        if (file != null)
        {
            _files.ReleaseMapping(file, mayWrite);
        }
    }

    /// <summary>Cuts a vma in two at an address inside it. ENOMEM, also when the space has too many vmas.</summary>
    private Errno SplitAt(AddressSpace* space, Vma* vma, ulong address)
    {
        if (space->VmaCount >= AddressLayout.MaxVmas)
        {
            return Errno.ENOMEM;
        }

        Vma* upper = _vmas.Allocate();
        if (upper == null)
        {
            return Errno.ENOMEM;
        }

        CopyContent(upper, vma);
        upper->Start = address;
        if (upper->File != null)
        {
            upper->FileOffset += address - vma->Start;
        }

        vma->End = address;
        _vmas.Insert(space, upper);
        return Errno.None;
    }

    /// <summary>Joins neighbours that nothing distinguishes, from the one before <paramref name="start"/> to the one at <paramref
    /// name="end"/>.</summary>
    private void JoinNeighbours(AddressSpace* space, ulong start, ulong end)
    {
        Vma* vma = VmaTree.FindAtOrAbove(space, start == 0 ? 0 : start - 1);
        while (vma != null && vma->Next != null && vma->Start < end)
        {
            Vma* next = vma->Next;
            if (!next->Continues(vma))
            {
                vma = next;
                continue;
            }

            RemoveVma(space, next, out ulong joinedEnd, out VmaTraits traits);
            vma->End = joinedEnd;
            vma->Traits |= traits;
        }
    }

    private void RemoveVma(AddressSpace* space, Vma* vma, out ulong end, out VmaTraits traits)
    {
        end = vma->End;
        traits = vma->Traits;
        RemoveVma(space, vma);
    }
}
