// The sizes and places of a volume, taken from its superblock once, checked, and from then on immune to whatever the device says.
// All arithmetic on block, group and inode numbers of the ext4 code goes through here. Does not block.

using System;
using System.Numerics;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Checked, unchanging facts about one volume.</summary>
public struct Geometry
{
    public const uint RootInode = 2;
    public const int SectorBytes = 512;
    private const uint MinBlockBytes = 1024;
    private const uint MaxLogBlockSize = 2;
    private const uint NarrowDescriptorBytes = 32;
    private const uint WideDescriptorBytes = 64;
    private const uint MinInodeBytes = 128;

    public uint BlockBytes;
    public uint SectorsPerBlock;
    public ulong BlockCount;
    public ulong ReservedBlocks;
    public uint FirstDataBlock;
    public uint BlocksPerGroup;
    public uint GroupCount;
    public uint InodesPerGroup;
    public uint InodeCount;
    public uint FirstInode;
    public uint InodeBytes;
    /// <summary>Bytes of an inode past the first 128 that hold fixed fields (i_extra_isize of a new inode).</summary>
    public ushort ExtraInodeBytes;
    public uint DescriptorBytes;
    public uint DescriptorBlocks;
    public uint ReservedDescriptorBlocks;
    public bool HasChecksums;
    public uint ChecksumSeed;
    public bool HasManyLinks;
    public bool SparseSuperblocks;

    /// <summary>Block that holds the superblock, and where in it.</summary>
    public readonly ulong SuperblockBlock => Superblock.OffsetOnDeviceBytes / BlockBytes;

    public readonly uint SuperblockOffsetBytes => Superblock.OffsetOnDeviceBytes % BlockBytes;

    public readonly bool WideDescriptors => DescriptorBytes >= WideDescriptorBytes;

    /// <summary>
    /// Checks a superblock against the device's size. EINVAL: not ext4; EOPNOTSUPP: a feature that this code does not know, or a journal
    /// that must be replayed first; EUCLEAN: contradictory numbers or a wrong checksum.
    /// </summary>
    public static unsafe Errno TryParse(Superblock* super, ulong deviceSectors, out Geometry geometry, out bool mustNotWrite)
    {
        geometry = default;
        mustNotWrite = false;
        if (super->Magic != Superblock.ExpectedMagic || super->Revision != Superblock.DynamicRevision)
        {
            return Errno.EINVAL;
        }

        if ((super->Incompatible & ~IncompatibleFeatures.Supported) != 0
            || (super->Incompatible & IncompatibleFeatures.Required) != IncompatibleFeatures.Required
            || (super->ReadOnly & ReadOnlyFeatures.BigAllocation) != 0)
        {
            return Errno.EOPNOTSUPP;
        }

        mustNotWrite = (super->ReadOnly & ~ReadOnlyFeatures.Supported) != 0 || (super->Compatible & CompatibleFeatures.SparseSuper2) != 0;
        geometry.HasChecksums = (super->ReadOnly & ReadOnlyFeatures.MetadataChecksums) != 0;
        if (geometry.HasChecksums)
        {
            if (super->ChecksumType != Superblock.ChecksumTypeCrc32c)
            {
                return Errno.EOPNOTSUPP;
            }

            if (super->Checksum != Crc32c.Add(Crc32c.Start, new ReadOnlySpan<byte>(super, Superblock.ChecksummedBytes)))
            {
                return Errno.EUCLEAN;
            }

            geometry.ChecksumSeed = (super->Incompatible & IncompatibleFeatures.ChecksumSeed) != 0
                ? super->ChecksumSeed
                : Crc32c.Add(Crc32c.Start, new ReadOnlySpan<byte>(super->Uuid, 16));
        }

        return geometry.TakeSizes(super, deviceSectors) ? Errno.None : Errno.EUCLEAN;
    }

    /// <summary>Group that a block lies in; the block must be one of the volume's.</summary>
    public readonly uint GroupOfBlock(ulong block) => (uint)((block - FirstDataBlock) / BlocksPerGroup);

    public readonly ulong FirstBlockOfGroup(uint group) => FirstDataBlock + ((ulong)group * BlocksPerGroup);

    /// <summary>Blocks of a group; the last one may be short.</summary>
    public readonly uint BlocksInGroup(uint group) => (uint)Math.Min(BlocksPerGroup, BlockCount - FirstBlockOfGroup(group));

    public readonly bool IsBlock(ulong block) => block >= FirstDataBlock && block < BlockCount;

    /// <summary>
    /// Whether all <paramref name="count"/> blocks from <paramref name="first"/> on are the volume's, and none is the first (boot) block.
    /// </summary>
    public readonly bool AreBlocks(ulong first, ulong count) =>
        first > FirstDataBlock && first < BlockCount && count <= BlockCount - first;

    /// <summary>Whether a directory entry may name this inode: the root or one past the reserved ones.</summary>
    public readonly bool IsFileInode(uint inode) => inode == RootInode || (inode >= FirstInode && inode <= InodeCount);

    /// <summary>Superblock and descriptor copies at the head of a group: in groups 0, 1 and powers of 3, 5, 7 (sparse_super).</summary>
    public readonly bool HasCopies(uint group) =>
        !SparseSuperblocks || group <= 1 || IsPower(group, 3) || IsPower(group, 5) || IsPower(group, 7);

    public readonly uint OverheadBlocks(uint group) => HasCopies(group) ? 1 + DescriptorBlocks + ReservedDescriptorBlocks : 0;

    private static bool IsPower(uint value, uint factor)
    {
        ulong power = factor;
        while (power < value)
        {
            power *= factor;
        }

        return power == value;
    }

    private unsafe bool TakeSizes(Superblock* super, ulong deviceSectors)
    {
        if (super->LogBlockSize > MaxLogBlockSize)
        {
            return false;
        }

        bool wide = (super->Incompatible & IncompatibleFeatures.Wide) != 0;
        BlockBytes = MinBlockBytes << (int)super->LogBlockSize;
        SectorsPerBlock = BlockBytes / SectorBytes;
        BlockCount = super->BlockCountLow | (wide ? (ulong)super->BlockCountHigh << 32 : 0);
        ReservedBlocks = super->ReservedBlocksLow | (wide ? (ulong)super->ReservedBlocksHigh << 32 : 0);
        FirstDataBlock = super->FirstDataBlock;
        BlocksPerGroup = super->BlocksPerGroup;
        InodesPerGroup = super->InodesPerGroup;
        InodeCount = super->InodeCount;
        FirstInode = super->FirstInode;
        InodeBytes = super->InodeSize;
        DescriptorBytes = wide ? super->DescriptorSize : NarrowDescriptorBytes;
        ReservedDescriptorBlocks = super->ReservedDescriptorBlocks;
        HasManyLinks = (super->ReadOnly & ReadOnlyFeatures.ManyLinks) != 0;
        SparseSuperblocks = (super->ReadOnly & ReadOnlyFeatures.SparseSuper) != 0;
        uint bitsPerBlock = BlockBytes * 8;
        if (BlockCount > deviceSectors / SectorsPerBlock
            || FirstDataBlock != (BlockBytes == MinBlockBytes ? 1u : 0u)
            || BlockCount <= FirstDataBlock + 1
            || ReservedBlocks > BlockCount
            || BlocksPerGroup == 0 || BlocksPerGroup > bitsPerBlock || BlocksPerGroup % 8 != 0
            || InodesPerGroup == 0 || InodesPerGroup > bitsPerBlock || InodesPerGroup % 8 != 0
            || InodeBytes < MinInodeBytes || InodeBytes > BlockBytes || !BitOperations.IsPow2(InodeBytes)
            || DescriptorBytes < (wide ? WideDescriptorBytes : NarrowDescriptorBytes) || DescriptorBytes > BlockBytes
            || !BitOperations.IsPow2(DescriptorBytes)
            || FirstInode <= RootInode)
        {
            return false;
        }

        ulong groups = (BlockCount - FirstDataBlock + BlocksPerGroup - 1) / BlocksPerGroup;
        ulong descriptorBlocks = ((groups * DescriptorBytes) + BlockBytes - 1) / BlockBytes;
        if (groups * InodesPerGroup != InodeCount || descriptorBlocks >= BlocksPerGroup || FirstInode > InodeCount
            || FirstDataBlock + 1 + descriptorBlocks > BlockCount)
        {
            return false;
        }

        GroupCount = (uint)groups;
        DescriptorBlocks = (uint)descriptorBlocks;
        uint room = InodeBytes - MinInodeBytes;
        ExtraInodeBytes = (ushort)Math.Min(room, InodeRecord.KnownExtraBytes);
        return true;
    }
}
