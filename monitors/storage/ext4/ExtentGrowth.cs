// How an extent tree gets room for one more entry: a full node is split beside itself, and when all up to the root are full, the tree gets
// a level more. One step at a time, after which the tree is whole. ext4 documentation, "Extent Tree". May BLOCK on the device.

using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>New nodes of the extent trees of a volume.</summary>
internal sealed unsafe class ExtentGrowth(Volume volume)
{
    private readonly Volume _volume = volume;

    /// <summary>
    /// Makes room towards a full leaf by one step: splits the highest node that is full below one that is not, or adds a root.
    /// </summary>
    internal Errno Grow(in InodeHandle inode, in ExtentPath path)
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
}
