// The ext4 superblock as it lies on the device, 1024 bytes from its beginning, and the feature bits that decide whether this code may touch
// a volume at all. Offsets: ext4 documentation, "Super Block". Only fields that are read or written here are named.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;

namespace Lego.Storage.Ext4;

/// <summary>Features that a program may ignore.</summary>
[Flags]
public enum CompatibleFeatures : uint
{
    HasJournal = 0x4,
    SparseSuper2 = 0x200,
}

/// <summary>Features without which a program must not even read.</summary>
[Flags]
public enum IncompatibleFeatures : uint
{
    FileType = 0x2,
    /// <summary>The journal must be replayed first.</summary>
    Recover = 0x4,
    Extents = 0x40,
    Wide = 0x80,
    FlexibleGroups = 0x200,
    ChecksumSeed = 0x2000,

    Supported = FileType | Extents | Wide | FlexibleGroups | ChecksumSeed,
    Required = FileType | Extents,
}

/// <summary>Features without which a program may read but must not write.</summary>
[Flags]
public enum ReadOnlyFeatures : uint
{
    SparseSuper = 0x1,
    LargeFile = 0x2,
    HugeFile = 0x8,
    ManyLinks = 0x20,
    ExtraInodeSize = 0x40,
    BigAllocation = 0x200,
    MetadataChecksums = 0x400,

    Supported = SparseSuper | LargeFile | HugeFile | ManyLinks | ExtraInodeSize | MetadataChecksums,
}

/// <summary>Bits of <see cref="Superblock.State"/>.</summary>
[Flags]
public enum VolumeState : ushort
{
    /// <summary>Everything had been written when the volume was last let go.</summary>
    Clean = 1,
    HasErrors = 2,
}

/// <summary>The on-disk superblock.</summary>
[StructLayout(LayoutKind.Explicit, Size = LengthBytes)]
public unsafe struct Superblock
{
    public const int LengthBytes = 1024;
    public const int OffsetOnDeviceBytes = 1024;
    public const ushort ExpectedMagic = 0xEF53;
    public const uint DynamicRevision = 1;
    public const byte ChecksumTypeCrc32c = 1;
    /// <summary>Bytes that the checksum covers: all before it.</summary>
    public const int ChecksummedBytes = 0x3FC;

    [FieldOffset(0x00)] public uint InodeCount;
    [FieldOffset(0x04)] public uint BlockCountLow;
    [FieldOffset(0x08)] public uint ReservedBlocksLow;
    [FieldOffset(0x0C)] public uint FreeBlocksLow;
    [FieldOffset(0x10)] public uint FreeInodes;
    [FieldOffset(0x14)] public uint FirstDataBlock;
    [FieldOffset(0x18)] public uint LogBlockSize;
    [FieldOffset(0x20)] public uint BlocksPerGroup;
    [FieldOffset(0x28)] public uint InodesPerGroup;
    [FieldOffset(0x30)] public uint WriteTime;
    [FieldOffset(0x38)] public ushort Magic;
    [FieldOffset(0x3A)] public VolumeState State;
    [FieldOffset(0x4C)] public uint Revision;
    [FieldOffset(0x54)] public uint FirstInode;
    [FieldOffset(0x58)] public ushort InodeSize;
    [FieldOffset(0x5C)] public CompatibleFeatures Compatible;
    [FieldOffset(0x60)] public IncompatibleFeatures Incompatible;
    [FieldOffset(0x64)] public ReadOnlyFeatures ReadOnly;
    [FieldOffset(0x68)] public fixed byte Uuid[16];
    [FieldOffset(0xCE)] public ushort ReservedDescriptorBlocks;
    /// <summary>Newest inode on the list of orphans; 0 = none.</summary>
    [FieldOffset(0xE8)] public uint LastOrphan;
    [FieldOffset(0xFE)] public ushort DescriptorSize;
    [FieldOffset(0x150)] public uint BlockCountHigh;
    [FieldOffset(0x154)] public uint ReservedBlocksHigh;
    [FieldOffset(0x158)] public uint FreeBlocksHigh;
    [FieldOffset(0x15E)] public ushort WantedExtraInodeSize;
    [FieldOffset(0x175)] public byte ChecksumType;
    [FieldOffset(0x248)] public uint OverheadBlocks;
    [FieldOffset(0x270)] public uint ChecksumSeed;
    [FieldOffset(0x3FC)] public uint Checksum;
}
