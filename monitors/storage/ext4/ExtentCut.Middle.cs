// How blocks are taken out of the middle of a file: extent by extent, each shortened at one end, removed, or cut in two, which may need
// room for one entry more (ExtentGrowth). After each step the tree is whole and the inode counts what it has. ext4 documentation, "Extent
// Tree". May BLOCK on the device.

using System;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

internal sealed unsafe partial class ExtentCut
{
    private readonly ExtentGrowth _growth = new(volume);

    /// <summary>
    /// Frees every block of a range of the file, which becomes a hole. ENOSPC: no block for a tree node; some are freed then.
    /// </summary>
    internal Errno Release(in InodeHandle inode, uint first, uint count)
    {
        ulong end = (ulong)first + count;
        for (ulong at = first; at < end;)
        {
            Errno error = ReleaseRun(inode, (uint)at, (uint)(end - at), out uint passed);
            if (error != Errno.None)
            {
                return error;
            }

            at += passed;
        }

        return CollapseRoot(inode);
    }

    /// <summary>Frees what one extent has of a range, or passes a hole; nothing is passed when the tree had to grow before.</summary>
    private Errno ReleaseRun(in InodeHandle inode, uint at, uint most, out uint passed)
    {
        passed = 0;
        ulong start = 0;
        ulong emptied = 0;
        bool isHole = false;
        using (ExtentPath path = ExtentPath.Find(_volume, inode, at, out Errno error))
        {
            if (error != Errno.None)
            {
                return error;
            }

            int index = path.LeafIndex;
            isHole = index < 0 || at - path.Leaf.Entries[index].Logical >= path.Leaf.Entries[index].Length;
            if (isHole)
            {
                ulong next = index + 1 < path.Leaf.Count ? path.Leaf.Entries[index + 1].Logical : path.NextLeafLogical;
                passed = (uint)Math.Min(next - at, most);
                return next <= at ? Errno.EUCLEAN : Errno.None;
            }

            ExtentEntry extent = path.Leaf.Entries[index];
            if (!extent.IsSane(_volume.Geometry))
            {
                return Errno.EUCLEAN;
            }

            uint before = at - extent.Logical;
            uint freed = Math.Min(extent.Length - before, most);
            if (before != 0 && before + freed < extent.Length && path.Leaf.IsFull)
            {
                return _growth.Grow(inode, path);
            }

            start = extent.Start + before;
            error = CutOut(inode, path, before, freed, out emptied);
            if (error != Errno.None)
            {
                return error;
            }

            passed = freed;
        }

        Errno result = _volume.Blocks.Free(start, passed);
        return result == Errno.None && emptied != 0 ? _volume.Blocks.Free(emptied, 1) : result;
    }

    /// <summary>Takes blocks out of the path's extent; a node that became empty is the caller's to free.</summary>
    private Errno CutOut(in InodeHandle inode, in ExtentPath path, uint before, uint freed, out ulong emptied)
    {
        emptied = 0;
        int index = path.LeafIndex;
        ExtentNode leaf = path.Leaf;
        ExtentEntry extent = leaf.Entries[index];
        uint behind = extent.Length - before - freed;
        uint unwritten = extent.Unwritten ? ExtentEntry.MaxLength : 0;
        ExtentEntry rest = ExtentEntry.ForExtent(extent.Logical + before + freed, extent.Start + before + freed, behind + unwritten);
        if (before != 0)
        {
            leaf.Entries[index].RawLength = (ushort)(before + unwritten);
            if (behind != 0)
            {
                leaf.Insert(index + 1, rest);
            }
        }
        else if (behind != 0)
        {
            leaf.Entries[index] = rest;
        }
        else
        {
            leaf.Remove(index);
        }

        path.Commit(inode, path.Depth);
        inode.RemoveBlocks(freed);
        inode.Commit();
        if (leaf.Count == 0 && path.Depth != 0)
        {
            return RemoveLeaf(inode, path, out emptied);
        }

        if (index == 0 && before == 0 && leaf.Count != 0)
        {
            path.SetKeys(inode, path.Depth, leaf.Entries[0].Logical);
        }

        return Errno.None;
    }
}
