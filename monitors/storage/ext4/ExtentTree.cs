// Maps blocks of a file to blocks of the volume: look up, insert, cut off. Each step leaves a whole tree behind, so that ENOSPC in the
// middle of growing one needs no repair. ext4 documentation, "Extent Tree". May BLOCK on the device.

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

/// <summary>The extent trees of a volume's inodes.</summary>
public sealed unsafe class ExtentTree(Volume volume)
{
    private readonly Volume _volume = volume;

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
            if (!IsSane(extent))
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
    /// Enters a run of blocks into a hole of the file, and counts them in the inode. ENOSPC: no block for a tree node; the run is then
    /// not in.
    /// </summary>
    public Errno Insert(in InodeHandle inode, uint logical, ulong physical, uint count)
    {
        // A tree of the greatest depth is grown by at most one root and one split per level.
        const int maxSteps = 2 * (ExtentHeader.MaxDepth + 1);
        for (int step = 0; step < maxSteps; step++)
        {
            Errno error = TryInsert(inode, logical, physical, count, out bool inserted);
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

        if (path.LeafIndex < 0 || !IsSane(path.Leaf.Entries[path.LeafIndex]))
        {
            return Errno.EUCLEAN;
        }

        start = path.Leaf.Entries[path.LeafIndex].Start;
        count = path.Leaf.Entries[path.LeafIndex].Length;
        return Errno.None;
    }

    /// <summary>
    /// Makes blocks of one unwritten extent written, which the caller has written; what lies before and behind them becomes an unwritten extent
    /// of its own. ENOSPC: no block for a tree node; some of the splitting may be done then, and all blocks are still unwritten.
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
                error = Grow(inode, path);
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
    public Errno Truncate(in InodeHandle inode, uint from)
    {
        bool done = false;
        while (!done)
        {
            Errno error = CutLastLeaf(inode, from, out done);
            if (error != Errno.None)
            {
                return error;
            }
        }

        return CollapseRoot(inode);
    }

    private bool IsSane(in ExtentEntry extent) =>
        extent.Length != 0 && _volume.Geometry.AreBlocks(extent.Start, extent.Length);

    private Errno TryInsert(in InodeHandle inode, uint logical, ulong physical, uint count, out bool inserted)
    {
        inserted = false;
        using ExtentPath path = ExtentPath.Find(_volume, inode, logical, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        if (TryMerge(path.Leaf, path.LeafIndex, logical, physical, count, out bool firstMoved))
        {
            inserted = true;
        }
        else if (!path.Leaf.IsFull)
        {
            path.Leaf.Insert(path.LeafIndex + 1, ExtentEntry.ForExtent(logical, physical, count));
            firstMoved = path.LeafIndex < 0;
            inserted = true;
        }

        if (!inserted)
        {
            return Grow(inode, path);
        }

        path.Commit(inode, path.Depth);
        if (firstMoved)
        {
            LowerKeys(inode, path, logical);
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

    /// <summary>
    /// The leaf's first entry now begins earlier: so do the entries that lead to it, up to the first that is not a node's first.
    /// </summary>
    private static void LowerKeys(in InodeHandle inode, in ExtentPath path, uint logical)
    {
        for (int level = path.Depth - 1; level >= 0; level--)
        {
            path.Node(level).Entries[path.Index(level)].Logical = logical;
            path.Commit(inode, level);
            if (path.Index(level) != 0)
            {
                return;
            }
        }
    }

    /// <summary>
    /// Makes room towards a full leaf by one step: splits the highest node that is full below one that is not, or adds a root.
    /// </summary>
    private Errno Grow(in InodeHandle inode, in ExtentPath path)
    {
        int level = path.Depth;
        while (level > 0 && path.Node(level - 1).IsFull)
        {
            level--;
        }

        return level == 0 ? AddRoot(inode, path) : Split(inode, path, level);
    }

    /// <summary>Moves the root's entries to a block of their own; the root then points to it.</summary>
    private Errno AddRoot(in InodeHandle inode, in ExtentPath path)
    {
        ExtentNode root = path.Node(0);
        if (root.Header->Depth >= ExtentHeader.MaxDepth)
        {
            return Errno.EFBIG;
        }

        using BlockHandle block = NewNode(inode, root.Header->Depth, out ExtentNode child, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        for (int i = 0; i < root.Count; i++)
        {
            child.Insert(i, root.Entries[i]);
        }

        CommitNode(inode, block, child);
        ushort depth = (ushort)(root.Header->Depth + 1);
        uint first = root.Count > 0 ? root.Entries[0].Logical : 0;
        root.Initialize(InodeRecord.BlockAreaBytes, depth);
        root.Insert(0, ExtentEntry.ForChild(first, block.Number));
        inode.AddBlocks(1);
        inode.Commit();
        return Errno.None;
    }

    /// <summary>
    /// Moves the upper half of a full node to a new one beside it; of the last node only its last entry, so that files written from
    /// beginning to end get full nodes.
    /// </summary>
    private Errno Split(in InodeHandle inode, in ExtentPath path, int level)
    {
        ExtentNode node = path.Node(level);
        using BlockHandle block = NewNode(inode, node.Header->Depth, out ExtentNode right, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        int moved = path.Index(level) == node.Count - 1 ? 1 : node.Count / 2;
        int kept = node.Count - moved;
        for (int i = 0; i < moved; i++)
        {
            right.Insert(i, node.Entries[kept + i]);
        }

        node.Header->Entries = (ushort)kept;
        CommitNode(inode, block, right);
        path.Commit(inode, level);
        path.Node(level - 1).Insert(path.Index(level - 1) + 1, ExtentEntry.ForChild(right.Entries[0].Logical, block.Number));
        path.Commit(inode, level - 1);
        inode.AddBlocks(1);
        inode.Commit();
        return Errno.None;
    }

    private BlockHandle NewNode(in InodeHandle inode, ushort depth, out ExtentNode node, out Errno error)
    {
        node = default;
        ulong goal = _volume.Geometry.FirstBlockOfGroup((inode.Number - 1) / _volume.Geometry.InodesPerGroup);
        error = _volume.Blocks.AllocateOne(goal, out ulong number);
        if (error != Errno.None)
        {
            return default;
        }

        BlockHandle block = _volume.Cache.Create(number, BlockKind.ExtentNode, out error);
        if (error != Errno.None)
        {
            _volume.Blocks.Free(number, 1);
            return default;
        }

        node = new ExtentNode(block.Data);
        node.Initialize(_volume.Geometry.BlockBytes - ExtentNode.ChecksumBytes, depth);
        return block;
    }

    private void CommitNode(in InodeHandle inode, in BlockHandle block, ExtentNode node)
    {
        if (_volume.Geometry.HasChecksums)
        {
            *node.Checksum = node.ComputeChecksum(inode.ChecksumSeed);
        }

        block.MarkDirty();
    }

    /// <summary>Cuts the last leaf of the tree; done when nothing at or after <paramref name="from"/> is left.</summary>
    private Errno CutLastLeaf(in InodeHandle inode, uint from, out bool done)
    {
        done = true;
        ulong emptied = 0;
        using (ExtentPath path = ExtentPath.Find(_volume, inode, uint.MaxValue, out Errno error))
        {
            if (error != Errno.None)
            {
                return error;
            }

            ExtentNode leaf = path.Leaf;
            // Whatever was cut is counted in the inode, also when an error ends it there.
            error = CutEntries(inode, leaf, from);
            path.Commit(inode, path.Depth);
            inode.Commit();
            if (error != Errno.None)
            {
                return error;
            }

            if (leaf.Count != 0 || path.Depth == 0)
            {
                return Errno.None;
            }

            // One empty node goes per call: its entry in the parent, or, when it was the parent's only one, the whole chain up to the root.
            int level = path.Depth;
            while (level > 1 && path.Node(level - 1).Count == 1)
            {
                emptied = path.BlockNumber(level);
                error = _volume.Blocks.Free(emptied, 1);
                if (error != Errno.None)
                {
                    return error;
                }

                inode.RemoveBlocks(1);
                inode.Commit();
                level--;
            }

            emptied = path.BlockNumber(level);
            ExtentNode parent = path.Node(level - 1);
            parent.Remove(path.Index(level - 1));
            if (level == 1 && parent.Count == 0)
            {
                parent.Initialize(InodeRecord.BlockAreaBytes, 0);
            }

            path.Commit(inode, level - 1);
            inode.RemoveBlocks(1);
            inode.Commit();
            done = false;
        }

        return _volume.Blocks.Free(emptied, 1);
    }

    private Errno CutEntries(in InodeHandle inode, ExtentNode leaf, uint from)
    {
        while (leaf.Count > 0)
        {
            ref ExtentEntry last = ref leaf.Entries[leaf.Count - 1];
            if (!IsSane(last))
            {
                return Errno.EUCLEAN;
            }

            if ((ulong)last.Logical + last.Length <= from)
            {
                return Errno.None;
            }

            uint kept = last.Logical < from ? from - last.Logical : 0;
            uint freed = last.Length - kept;
            ulong start = last.Start + kept;
            if (kept == 0)
            {
                leaf.Remove(leaf.Count - 1);
            }
            else
            {
                last.RawLength = (ushort)(last.Unwritten ? kept + ExtentEntry.MaxLength : kept);
            }

            inode.RemoveBlocks(freed);
            Errno error = _volume.Blocks.Free(start, freed);
            if (error != Errno.None)
            {
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// While the root points to one node whose entries it could hold itself, it takes them (e2fsck asks for the shortest tree).
    /// </summary>
    private Errno CollapseRoot(in InodeHandle inode)
    {
        ExtentNode root = new(inode.Record->BlockArea);
        while (root.Header->Depth > 0 && root.Count == 1)
        {
            ulong number;
            using (ExtentPath path = ExtentPath.Find(_volume, inode, 0, out Errno error))
            {
                if (error != Errno.None)
                {
                    return error;
                }

                ExtentNode child = path.Node(1);
                if (child.Count > ExtentNode.Capacity(InodeRecord.BlockAreaBytes))
                {
                    return Errno.None;
                }

                number = path.BlockNumber(1);
                root.Initialize(InodeRecord.BlockAreaBytes, child.Header->Depth);
                for (int i = 0; i < child.Count; i++)
                {
                    root.Insert(i, child.Entries[i]);
                }
            }

            inode.RemoveBlocks(1);
            inode.Commit();
            Errno freed = _volume.Blocks.Free(number, 1);
            if (freed != Errno.None)
            {
                return freed;
            }
        }

        return Errno.None;
    }
}
