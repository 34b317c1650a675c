// The way from an extent tree's root (in the inode) to one leaf: a pinned, checked node per level and the entry taken in each.
// Finding it may BLOCK on the device.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Nodes from the root (level 0) to the leaf (level Depth), pinned until disposed of.</summary>
public unsafe ref struct ExtentPath
{
    private readonly Volume _volume;
    private Levels _levels;

    private struct Level
    {
        /// <summary>Null for the root.</summary>
        public CachedBlock* Block;
        public byte* Bytes;
        public int Index;
    }

    [InlineArray(ExtentHeader.MaxDepth + 1)]
    private struct Levels
    {
        private Level _first;
    }

    private ExtentPath(Volume volume)
    {
        _volume = volume;
    }

    /// <summary>Level of the leaf.</summary>
    public int Depth { get; private set; }

    /// <summary>
    /// First logical block after the entry taken in the leaf, as far as it is known from above: where the next leaf begins.
    /// </summary>
    public ulong NextLeafLogical { get; private set; }

    public readonly ExtentNode Leaf => Node(Depth);

    /// <summary>The entry in the leaf that begins at or before the block sought; -1 = none.</summary>
    public readonly int LeafIndex => _levels[Depth].Index;

    public readonly ExtentNode Node(int level) => new(_levels[level].Bytes);

    public readonly int Index(int level) => _levels[level].Index;

    /// <summary>Number of the block that holds a node below the root.</summary>
    public readonly ulong BlockNumber(int level) => _levels[level].Block->Number;

    /// <summary>Walks to the leaf where <paramref name="logical"/> is or belongs. EUCLEAN: a damaged tree.</summary>
    public static ExtentPath Find(Volume volume, in InodeHandle inode, uint logical, out Errno error)
    {
        ExtentPath path = new(volume);
        error = path.Descend(inode, logical);
        if (error != Errno.None)
        {
            path.Dispose();
            return default;
        }

        return path;
    }

    /// <summary>A node was changed: checksum and write-back, or the inode's record.</summary>
    public readonly void Commit(in InodeHandle inode, int level)
    {
        CachedBlock* block = _levels[level].Block;
        if (block == null)
        {
            inode.Commit();
            return;
        }

        if (_volume.Geometry.HasChecksums)
        {
            *Node(level).Checksum = Node(level).ComputeChecksum(inode.ChecksumSeed);
        }

        block->Dirty = true;
    }

    /// <summary>
    /// A node's first entry now begins elsewhere: so do the entries that lead to it, up to the first that is not a node's first.
    /// </summary>
    public readonly void SetKeys(in InodeHandle inode, int nodeLevel, uint logical)
    {
        for (int level = nodeLevel - 1; level >= 0; level--)
        {
            Node(level).Entries[Index(level)].Logical = logical;
            Commit(inode, level);
            if (Index(level) != 0)
            {
                return;
            }
        }
    }

    public void Dispose()
    {
        for (int level = 1; level <= Depth; level++)
        {
            if (_levels[level].Block != null)
            {
                _levels[level].Block->Pins--;
                _levels[level].Block = null;
            }
        }
    }

    private Errno Descend(in InodeHandle inode, uint logical)
    {
        NextLeafLogical = 1UL << 32;
        ExtentNode root = new(inode.Record->BlockArea);
        uint depth = root.Header->Depth;
        if (!inode.HasExtents || depth > ExtentHeader.MaxDepth || !root.IsValid(InodeRecord.BlockAreaBytes, depth))
        {
            return Errno.EUCLEAN;
        }

        _levels[0].Bytes = inode.Record->BlockArea;
        for (int level = 0; level < depth; level++)
        {
            ExtentNode node = Node(level);
            if (node.Count == 0)
            {
                return Errno.EUCLEAN;
            }

            int index = System.Math.Max(node.Search(logical), 0);
            _levels[level].Index = index;
            if (index + 1 < node.Count)
            {
                NextLeafLogical = System.Math.Min(NextLeafLogical, node.Entries[index + 1].Logical);
            }

            Errno error = Enter(inode, level + 1, node.Entries[index].Child, (uint)(depth - level - 1));
            if (error != Errno.None)
            {
                return error;
            }
        }

        _levels[Depth].Index = Leaf.Search(logical);
        return Errno.None;
    }

    private Errno Enter(in InodeHandle inode, int level, ulong number, uint depth)
    {
        if (!_volume.Geometry.AreBlocks(number, 1))
        {
            return Errno.EUCLEAN;
        }

        using BlockHandle block = _volume.Cache.Read(number, BlockKind.ExtentNode, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        ExtentNode node = new(block.Data);
        uint area = _volume.Geometry.BlockBytes - ExtentNode.ChecksumBytes;
        if (!node.IsValid(area, depth) || node.Count == 0)
        {
            return Errno.EUCLEAN;
        }

        if (_volume.Geometry.HasChecksums && !block.IsVerified)
        {
            if (*node.Checksum != node.ComputeChecksum(inode.ChecksumSeed))
            {
                return Errno.EUCLEAN;
            }

            block.SetVerified();
        }

        // The path's own pin; `block` gives its back.
        block.Entry->Pins++;
        _levels[level].Block = block.Entry;
        _levels[level].Bytes = block.Data;
        Depth = level;
        return Errno.None;
    }
}
