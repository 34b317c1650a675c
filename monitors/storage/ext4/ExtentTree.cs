// Maps blocks of a file to blocks of the volume: look up, insert, mark as written. How a full tree gets room is ExtentGrowth, how blocks
// are cut off ExtentCut. Each step of either leaves a whole tree behind, so that ENOSPC in the middle needs no repair. ext4 documentation,
// "Extent Tree". May BLOCK on the device.

using System;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>A run of a file's blocks that are alike.</summary>
public struct Mapping
{
    /// <summary>First block of the volume; 0 = a hole.</summary>
    public ulong Physical;
    /// <summary>Blocks in the run from the one asked for on, at least 1.</summary>
    public uint Count;
    /// <summary>Has space but reads as zeros.</summary>
    public bool Unwritten;

    public readonly bool IsHole => Physical == 0;
}

/// <summary>Whether blocks have been written, or read as zeros whatever is in them.</summary>
public enum BlockState { Written, Unwritten }

/// <summary>The extent trees of a volume's inodes.</summary>
public sealed unsafe class ExtentTree(Volume volume)
{
    /// <summary>Longest unwritten extent.</summary>
    public const uint MaxUnwritten = ExtentEntry.MaxLength - 1;

    private readonly Volume _volume = volume;
    private readonly ExtentGrowth _growth = new(volume);
    private readonly ExtentCut _cut = new(volume);

    /// <summary>What is at <paramref name="logical"/> and how far it goes. EUCLEAN: a damaged tree.</summary>
    public Errno Map(in InodeHandle inode, uint logical, out Mapping mapping)
    {
        mapping = default;
        using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        int index = path.LeafIndex;
        if (index >= 0)
        {
            ref readonly ExtentEntry extent = ref path.Leaf.Entries[index];
            if (!extent.IsSane(_volume.Geometry))
            {
                return Errno.EUCLEAN;
            }

            uint skip = logical - extent.Logical;
            if (skip < extent.Length)
            {
                mapping = new Mapping { Physical = extent.Start + skip, Count = extent.Length - skip, Unwritten = extent.Unwritten };
                return Errno.None;
            }
        }

        ulong next = index + 1 < path.Leaf.Count ? path.Leaf.Entries[index + 1].Logical : path.NextLeafLogical;
        if (next <= logical)
        {
            return Errno.EUCLEAN;
        }

        mapping.Count = (uint)Math.Min(next - logical, uint.MaxValue);
        return Errno.None;
    }

    /// <summary>Where a new block of the file had best be: after the block that precedes it, else in the inode's group.</summary>
    public ulong Goal(in InodeHandle inode, uint logical)
    {
        using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
        if (error != Errno.None || path.LeafIndex < 0)
        {
            return _volume.Geometry.FirstBlockOfGroup((inode.Number - 1) / _volume.Geometry.InodesPerGroup);
        }

        ref readonly ExtentEntry extent = ref path.Leaf.Entries[path.LeafIndex];
        return extent.Start + extent.Length;
    }

    /// <summary>
    /// Enters a run of blocks into a hole of the file, and counts them in the inode; an unwritten run has at most MaxUnwritten. ENOSPC: no
    /// block for a tree node; the run is then not in.
    /// </summary>
    public Errno Insert(in InodeHandle inode, uint logical, ulong physical, uint count, BlockState state = BlockState.Written)
    {
        // A tree of the greatest depth is grown by at most one root and one split per level.
        const int maxSteps = 2 * (ExtentHeader.MaxDepth + 1);
        for (int step = 0; step < maxSteps; step++)
        {
            Errno error = TryInsert(inode, logical, physical, count, state, out bool inserted);
            if (error != Errno.None || inserted)
            {
                return error;
            }
        }

        return Errno.EUCLEAN;
    }

    /// <summary>All blocks of the unwritten extent that <paramref name="logical"/> lies in.</summary>
    public Errno FindUnwritten(in InodeHandle inode, uint logical, out ulong start, out uint count)
    {
        start = 0;
        count = 0;
        using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        if (path.LeafIndex < 0 || !path.Leaf.Entries[path.LeafIndex].IsSane(_volume.Geometry))
        {
            return Errno.EUCLEAN;
        }

        start = path.Leaf.Entries[path.LeafIndex].Start;
        count = path.Leaf.Entries[path.LeafIndex].Length;
        return Errno.None;
    }

    /// <summary>
    /// Makes blocks of one unwritten extent written, which the caller has written; what lies before and behind them becomes an unwritten
    /// extent of its own. ENOSPC: no block for a tree node; some of the splitting may be done then, and all blocks are still unwritten.
    /// </summary>
    public Errno MarkWritten(in InodeHandle inode, uint logical, uint count)
    {
        Errno error = SplitBefore(inode, logical);
        if (error == Errno.None && logical + (ulong)count <= uint.MaxValue)
        {
            error = SplitBefore(inode, logical + count);
        }

        return error == Errno.None ? MarkWritten(inode, logical) : error;
    }

    /// <summary>Has an unwritten extent begin at <paramref name="logical"/> if that lies inside one.</summary>
    private Errno SplitBefore(in InodeHandle inode, uint logical)
    {
        const int maxSteps = 2 * (ExtentHeader.MaxDepth + 1);
        for (int step = 0; step < maxSteps; step++)
        {
            using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
            if (error != Errno.None || path.LeafIndex < 0)
            {
                return error;
            }

            ref ExtentEntry extent = ref path.Leaf.Entries[path.LeafIndex];
            uint before = logical - extent.Logical;
            if (before == 0 || before >= extent.Length || !extent.Unwritten)
            {
                return Errno.None;
            }

            if (path.Leaf.IsFull)
            {
                error = _growth.Grow(inode, path);
                if (error != Errno.None)
                {
                    return error;
                }

                continue;
            }

            ExtentEntry rest = ExtentEntry.ForExtent(logical, extent.Start + before, extent.Length - before + ExtentEntry.MaxLength);
            extent.RawLength = (ushort)(before + ExtentEntry.MaxLength);
            path.Leaf.Insert(path.LeafIndex + 1, rest);
            path.Commit(inode, path.Depth);
            return Errno.None;
        }

        return Errno.EUCLEAN;
    }

    /// <summary>Marks the extent that <paramref name="logical"/> lies in as written; the caller has written all its blocks.</summary>
    public Errno MarkWritten(in InodeHandle inode, uint logical)
    {
        using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        if (path.LeafIndex < 0)
        {
            return Errno.EUCLEAN;
        }

        ref ExtentEntry extent = ref path.Leaf.Entries[path.LeafIndex];
        extent.RawLength = (ushort)extent.Length;
        path.Commit(inode, path.Depth);
        return Errno.None;
    }

    /// <summary>Frees every block of the file from <paramref name="from"/> on, and nodes that become empty.</summary>
    public Errno Truncate(in InodeHandle inode, uint from) => _cut.Truncate(inode, from);

    /// <summary>Frees every block of a range of the file. ENOSPC: no block for a tree node; some are freed then.</summary>
    public Errno Release(in InodeHandle inode, uint first, uint count) => _cut.Release(inode, first, count);

    private Errno TryInsert(in InodeHandle inode, uint logical, ulong physical, uint count, BlockState state, out bool inserted)
    {
        inserted = false;
        using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        bool firstMoved = false;
        if (state == BlockState.Written && TryMerge(path.Leaf, path.LeafIndex, logical, physical, count, out firstMoved))
        {
            inserted = true;
        }
        else if (!path.Leaf.IsFull)
        {
            uint length = state == BlockState.Unwritten ? count + ExtentEntry.MaxLength : count;
            path.Leaf.Insert(path.LeafIndex + 1, ExtentEntry.ForExtent(logical, physical, length));
            firstMoved = path.LeafIndex < 0;
            inserted = true;
        }

        if (!inserted)
        {
            return _growth.Grow(inode, path);
        }

        path.Commit(inode, path.Depth);
        if (firstMoved)
        {
            path.SetKeys(inode, path.Depth, logical);
        }

        inode.AddBlocks(count);
        inode.Commit();
        return Errno.None;
    }

    /// <summary>Lengthens a neighbour instead of adding an entry.</summary>
    private static bool TryMerge(ExtentNode leaf, int index, uint logical, ulong physical, uint count, out bool firstMoved)
    {
        firstMoved = false;
        if (index >= 0)
        {
            ref ExtentEntry left = ref leaf.Entries[index];
            if (!left.Unwritten && left.Logical + left.Length == logical && left.Start + left.Length == physical
                && left.Length + count <= ExtentEntry.MaxLength)
            {
                left.RawLength = (ushort)(left.Length + count);
                return true;
            }
        }

        if (index + 1 < leaf.Count)
        {
            ref ExtentEntry right = ref leaf.Entries[index + 1];
            if (!right.Unwritten && logical + count == right.Logical && physical + count == right.Start
                && right.Length + count <= ExtentEntry.MaxLength)
            {
                right = ExtentEntry.ForExtent(logical, physical, right.Length + count);
                firstMoved = index < 0;
                return true;
            }
        }

        return false;
    }
}
