// An inode as it lies in the inode table: 128 bytes of the original layout and, in 256-byte inodes, i_extra_isize further bytes of fields,
// then extended attributes that this code leaves alone. ext4 documentation, "Index Nodes".

using System;
using System.Runtime.InteropServices;

namespace Lego.Storage.Ext4;

/// <summary>i_flags bits that matter here.</summary>
[Flags]
public enum InodeFlags : uint
{
    Immutable = 0x10,
    AppendOnly = 0x20,
    NoAccessTime = 0x80,
    Encrypted = 0x800,
    /// <summary>The directory has a hash tree.</summary>
    Indexed = 0x1000,
    /// <summary>i_blocks counts blocks of the file system, not sectors.</summary>
    HugeFile = 0x40000,
    Extents = 0x80000,
    Verity = 0x100000,
    AttributeValue = 0x200000,
    InlineData = 0x10000000,

    /// <summary>Files with these need code that is not here.</summary>
    Unsupported = Encrypted | Verity | AttributeValue | InlineData,
}

/// <summary>The on-disk inode.</summary>
[StructLayout(LayoutKind.Explicit, Size = 0xA0)]
public unsafe struct InodeRecord
{
    public const int BaseBytes = 128;
    public const int BlockAreaBytes = 60;
    /// <summary>Extra fields that this code knows: up to and including i_projid.</summary>
    public const ushort KnownExtraBytes = 32;
    /// <summary>i_extra_isize from which i_checksum_hi exists, and from which all nanosecond fields exist.</summary>
    public const ushort ExtraForChecksum = 4;
    public const ushort ExtraForTimes = 24;
    public const int ChecksumLowOffset = 0x7C;
    public const int ChecksumHighOffset = 0x82;

    [FieldOffset(0x00)] public ushort Mode;
    [FieldOffset(0x02)] public ushort UserIdLow;
    [FieldOffset(0x04)] public uint SizeLow;
    [FieldOffset(0x08)] public uint AccessTime;
    [FieldOffset(0x0C)] public uint ChangeTime;
    [FieldOffset(0x10)] public uint ModifyTime;
    /// <summary>Of an orphan: the next one's number (OrphanList).</summary>
    [FieldOffset(0x14)] public uint DeleteTime;
    [FieldOffset(0x18)] public ushort GroupIdLow;
    [FieldOffset(0x1A)] public ushort Links;
    [FieldOffset(0x1C)] public uint BlocksLow;
    [FieldOffset(0x20)] public InodeFlags Flags;
    /// <summary>Extent tree root, a short symbolic link's target, or a device number.</summary>
    [FieldOffset(0x28)] public fixed byte BlockArea[BlockAreaBytes];
    [FieldOffset(0x28)] public uint OldDeviceNumber;
    [FieldOffset(0x2C)] public uint NewDeviceNumber;
    [FieldOffset(0x64)] public uint Generation;
    [FieldOffset(0x68)] public uint AttributeBlockLow;
    [FieldOffset(0x6C)] public uint SizeHigh;
    [FieldOffset(0x74)] public ushort BlocksHigh;
    [FieldOffset(0x76)] public ushort AttributeBlockHigh;
    [FieldOffset(0x78)] public ushort UserIdHigh;
    [FieldOffset(0x7A)] public ushort GroupIdHigh;
    [FieldOffset(0x7C)] public ushort ChecksumLow;
    [FieldOffset(0x80)] public ushort ExtraBytes;
    [FieldOffset(0x82)] public ushort ChecksumHigh;
    [FieldOffset(0x84)] public uint ChangeTimeExtra;
    [FieldOffset(0x88)] public uint ModifyTimeExtra;
    [FieldOffset(0x8C)] public uint AccessTimeExtra;
    [FieldOffset(0x90)] public uint CreateTime;
    [FieldOffset(0x94)] public uint CreateTimeExtra;
}
