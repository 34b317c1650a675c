// How the end of a file is cut off its extent tree: leaf by leaf from the last one, each with its nodes that become empty; what is left
// moves back into the root when it fits there. After each step the tree is whole and the inode counts what it has. ext4 documentation,
// "Extent Tree". May BLOCK on the device.

using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Frees blocks and nodes of the extent trees of a volume.</summary>
internal sealed unsafe partial class ExtentCut(Volume volume)
{
    private readonly Volume _volume = volume;

    /// <summary>Frees every block of the file from <paramref name="from"/> on, and nodes that become empty.</summary>
    internal Errno Truncate(in InodeHandle inode, uint from)
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

            error = RemoveLeaf(inode, path, out emptied);
            if (error != Errno.None)
            {
                return error;
            }

            done = false;
        }

        return _volume.Blocks.Free(emptied, 1);
    }

    /// <summary>
    /// Takes an empty leaf out of the tree: its entry in the parent, or, when it was the parent's only one, the whole chain up to the root.
    /// The caller frees the topmost block that went, when it has let go of the path.
    /// </summary>
    private Errno RemoveLeaf(in InodeHandle inode, in ExtentPath path, out ulong emptied)
    {
        int level = path.Depth;
        emptied = path.BlockNumber(level);
        while (level > 1 && path.Node(level - 1).Count == 1)
        {
            Errno error = _volume.Blocks.Free(emptied, 1);
            if (error != Errno.None)
            {
                return error;
            }

            inode.RemoveBlocks(1);
            inode.Commit();
            level--;
            emptied = path.BlockNumber(level);
        }

        ExtentNode parent = path.Node(level - 1);
        bool wasFirst = path.Index(level - 1) == 0;
        parent.Remove(path.Index(level - 1));
        if (level == 1 && parent.Count == 0)
        {
            parent.Initialize(InodeRecord.BlockAreaBytes, 0);
        }

        path.Commit(inode, level - 1);
        if (wasFirst && parent.Count != 0)
        {
            path.SetKeys(inode, level - 1, parent.Entries[0].Logical);
        }

        inode.RemoveBlocks(1);
        inode.Commit();
        return Errno.None;
    }

    private Errno CutEntries(in InodeHandle inode, ExtentNode leaf, uint from)
    {
        while (leaf.Count > 0)
        {
            ref ExtentEntry last = ref leaf.Entries[leaf.Count - 1];
            if (!last.IsSane(_volume.Geometry))
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
