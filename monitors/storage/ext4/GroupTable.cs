// The table of group descriptors: opens one, and checks the whole table when the volume is mounted. May BLOCK on the device.

using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>All block groups of a volume.</summary>
public sealed class GroupTable(Volume volume)
{
    private readonly Volume _volume = volume;

    /// <summary>Blocks of each group's inode table.</summary>
    public ulong InodeTableBlocks =>
        (((ulong)_volume.Geometry.InodesPerGroup * _volume.Geometry.InodeBytes) + _volume.Geometry.BlockBytes - 1)
        / _volume.Geometry.BlockBytes;

    /// <summary>The descriptor of a group below GroupCount.</summary>
    public GroupHandle Open(uint group, out Errno error) => OpenCopy(group, 0, out error);

    /// <summary>
    /// Checks every descriptor's checksum, places and counts, and adds up what is free (the superblock's sums may be old after a crash).
    /// EUCLEAN when a descriptor is wrong and cannot be restored.
    /// </summary>
    public Errno Verify(out ulong freeBlocks, out uint freeInodes)
    {
        freeBlocks = 0;
        freeInodes = 0;
        for (uint number = 0; number < _volume.Geometry.GroupCount; number++)
        {
            using GroupHandle group = Open(number, out Errno error);
            if (error == Errno.None && !group.IsSound)
            {
                Log.Error($"ext4: descriptor of group {number} is damaged");
                error = Restore(in group);
            }

            if (error != Errno.None)
            {
                return error;
            }

            freeBlocks += group.FreeBlocks;
            freeInodes += group.FreeInodes;
        }

        return Errno.None;
    }

    /// <summary>A descriptor in the table, or in the copy of the table that another group has.</summary>
    private GroupHandle OpenCopy(uint group, uint keeper, out Errno error)
    {
        ref readonly Geometry geometry = ref _volume.Geometry;
        uint perBlock = geometry.BlockBytes / geometry.DescriptorBytes;
        ulong number = geometry.FirstBlockOfGroup(keeper) + 1 + (group / perBlock);
        BlockHandle block = _volume.Cache.Read(number, BlockKind.Descriptors, out error);
        return error != Errno.None ? default : new GroupHandle(_volume, group, block, group % perBlock * geometry.DescriptorBytes);
    }

    /// <summary>
    /// Takes a damaged descriptor from the first copy that is sound, as Linux's e2fsck does. Copies are as old as the volume, so what is
    /// free is counted anew, and the volume is marked for e2fsck. With checksums a copy is not enough (its flags and its bitmaps' checksums
    /// are old): EUCLEAN then, and when there is no sound copy.
    /// </summary>
    private Errno Restore(in GroupHandle group)
    {
        ref readonly Geometry geometry = ref _volume.Geometry;
        for (uint keeper = 1; keeper < geometry.GroupCount && !geometry.HasChecksums && !_volume.ReadOnly; keeper++)
        {
            if (!geometry.HasCopies(keeper) || geometry.BlocksInGroup(keeper) <= geometry.DescriptorBlocks)
            {
                continue;
            }

            using GroupHandle copy = OpenCopy(group.Number, keeper, out Errno error);
            if (error != Errno.None || !copy.IsSound)
            {
                continue;
            }

            using BlockHandle blocks = _volume.Cache.Read(copy.BlockBitmap, BlockKind.BlockBitmap, out error);
            if (error != Errno.None)
            {
                return error;
            }

            using BlockHandle inodes = _volume.Cache.Read(copy.InodeBitmap, BlockKind.InodeBitmap, out error);
            if (error != Errno.None)
            {
                return error;
            }

            group.CopyFrom(in copy);
            group.SetFreeBlocks(geometry.BlocksInGroup(group.Number) - Bitmap.CountSet(blocks.Bytes, geometry.BlocksInGroup(group.Number)));
            group.SetFreeInodes(geometry.InodesPerGroup - Bitmap.CountSet(inodes.Bytes, geometry.InodesPerGroup));
            group.Commit();
            _volume.MarkDamaged();
            Log.Warn($"ext4: it was restored from its copy in group {keeper}");
            return Errno.None;
        }

        return Errno.EUCLEAN;
    }
}
