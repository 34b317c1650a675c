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
    public GroupHandle Open(uint group, out Errno error)
    {
        uint perBlock = _volume.Geometry.BlockBytes / _volume.Geometry.DescriptorBytes;
        ulong number = _volume.Geometry.FirstDataBlock + 1 + (group / perBlock);
        BlockHandle block = _volume.Cache.Read(number, BlockKind.Descriptors, out error);
        return error != Errno.None
            ? default
            : new GroupHandle(_volume, group, block, group % perBlock * _volume.Geometry.DescriptorBytes);
    }

    /// <summary>
    /// Checks every descriptor's checksum, places and counts, and adds up what is free (the superblock's sums may be old after a crash).
    /// EUCLEAN when a descriptor is wrong.
    /// </summary>
    public Errno Verify(out ulong freeBlocks, out uint freeInodes)
    {
        freeBlocks = 0;
        freeInodes = 0;
        ulong tableBlocks = InodeTableBlocks;
        for (uint number = 0; number < _volume.Geometry.GroupCount; number++)
        {
            using GroupHandle group = Open(number, out Errno error);
            if (error != Errno.None)
            {
                return error;
            }

            if (!group.IsIntact || !_volume.Geometry.AreBlocks(group.BlockBitmap, 1) || !_volume.Geometry.AreBlocks(group.InodeBitmap, 1)
                || !_volume.Geometry.AreBlocks(group.InodeTable, tableBlocks)
                || group.FreeBlocks > _volume.Geometry.BlocksInGroup(number) || group.FreeInodes > _volume.Geometry.InodesPerGroup)
            {
                Log.Error($"ext4: descriptor of group {number} is damaged");
                return Errno.EUCLEAN;
            }

            freeBlocks += group.FreeBlocks;
            freeInodes += group.FreeInodes;
        }

        return Errno.None;
    }
}
