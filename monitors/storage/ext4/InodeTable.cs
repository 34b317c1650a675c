// Finds an inode's record in its group's inode table. An inode's checksum is checked once per stay of its block in the cache.
// May BLOCK on the device.

using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>The inodes of a volume by number.</summary>
public sealed unsafe class InodeTable(Volume volume)
{
    private readonly Volume _volume = volume;

    /// <summary>
    /// An inode in use. EUCLEAN: no file can have this number, or its record is damaged or free; EOPNOTSUPP: it needs an unknown feature.
    /// </summary>
    public InodeHandle Open(uint number, out Errno error)
    {
        if (!_volume.Geometry.IsFileInode(number))
        {
            error = Errno.EUCLEAN;
            return default;
        }

        InodeHandle inode = Locate(number, out error);
        if (error != Errno.None)
        {
            return default;
        }

        error = Check(inode);
        if (error != Errno.None)
        {
            inode.Dispose();
            return default;
        }

        return inode;
    }

    /// <summary>An inode by handle: as Open, but a free inode or another generation is ESTALE.</summary>
    public InodeHandle OpenStable(uint number, uint generation, out Errno error)
    {
        if (!_volume.Geometry.IsFileInode(number))
        {
            error = Errno.ESTALE;
            return default;
        }

        InodeHandle inode = Locate(number, out error);
        if (error != Errno.None)
        {
            return default;
        }

        bool alive = inode.Record->Generation == generation && (inode.Record->Links != 0 || _volume.Held.IsOrphan(inode.StableHandle));
        error = alive ? Check(inode) : Errno.ESTALE;
        if (error != Errno.None)
        {
            inode.Dispose();
            return default;
        }

        return inode;
    }

    /// <summary>An inode on the list of orphans: as Open, but it need not have links. EUCLEAN also when it is not in use.</summary>
    public InodeHandle OpenOrphan(uint number, out Errno error)
    {
        if (number < _volume.Geometry.FirstInode || number > _volume.Geometry.InodeCount)
        {
            error = Errno.EUCLEAN;
            return default;
        }

        InodeHandle inode = Locate(number, out error);
        if (error == Errno.None)
        {
            error = CheckRecord(inode);
            if (error != Errno.None)
            {
                inode.Dispose();
                return default;
            }
        }

        return inode;
    }

    /// <summary>The record of an inode that is about to be used, whatever is in it.</summary>
    public InodeHandle OpenFree(uint number, out Errno error) => Locate(number, out error);

    private InodeHandle Locate(uint number, out Errno error)
    {
        uint index = (number - 1) % _volume.Geometry.InodesPerGroup;
        using GroupHandle group = _volume.Groups.Open((number - 1) / _volume.Geometry.InodesPerGroup, out error);
        if (error != Errno.None)
        {
            return default;
        }

        uint perBlock = _volume.Geometry.BlockBytes / _volume.Geometry.InodeBytes;
        ulong tableBlock = group.InodeTable + (index / perBlock);
        if (!_volume.Geometry.AreBlocks(tableBlock, 1))
        {
            error = Errno.EUCLEAN;
            return default;
        }

        BlockHandle block = _volume.Cache.Read(tableBlock, BlockKind.InodeTable, out error);
        return error != Errno.None
            ? default
            : new InodeHandle(_volume, number, block, index % perBlock * _volume.Geometry.InodeBytes);
    }

    private Errno Check(in InodeHandle inode)
    {
        Errno error = CheckRecord(inode);
        bool isFree = error == Errno.None && inode.Record->Links == 0 && !_volume.Held.IsOrphan(inode.StableHandle);
        return isFree ? Errno.EUCLEAN : error;
    }

    private Errno CheckRecord(in InodeHandle inode)
    {
        ulong bit = 1UL << (int)((inode.Number - 1) % (_volume.Geometry.BlockBytes / _volume.Geometry.InodeBytes));
        if ((inode.Block.Entry->VerifiedBits & bit) == 0)
        {
            // Extra fields beyond the record's end would be a neighbour's bytes.
            bool extraFits = _volume.Geometry.InodeBytes == InodeRecord.BaseBytes
                || inode.Record->ExtraBytes <= _volume.Geometry.InodeBytes - InodeRecord.BaseBytes;
            if (!extraFits || !inode.IsIntact)
            {
                Log.Error($"ext4: inode {inode.Number} is damaged");
                return Errno.EUCLEAN;
            }

            inode.Block.Entry->VerifiedBits |= bit;
        }

        if (inode.Record->Mode == 0)
        {
            return Errno.EUCLEAN;
        }

        return (inode.Record->Flags & InodeFlags.Unsupported) != 0 ? Errno.EOPNOTSUPP : Errno.None;
    }
}
