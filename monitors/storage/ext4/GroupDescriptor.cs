// A block group's descriptor: where its bitmaps and inode table are, and how much in it is free. 32 bytes, or 64 with the 64bit feature.
// ext4 documentation, "Block Group Descriptors".

using System;
using System.Runtime.InteropServices;

namespace Lego.Storage.Ext4;

/// <summary>bg_flags.</summary>
[Flags]
public enum GroupFlags : ushort
{
    /// <summary>The inode bitmap has never been written: all inodes are free.</summary>
    InodesUninitialized = 1,
    /// <summary>The block bitmap has never been written: all blocks but the group's own overhead are free.</summary>
    BlocksUninitialized = 2,
}

/// <summary>The on-disk descriptor. Fields from 0x20 on exist only with 64-byte descriptors.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct GroupDescriptor
{
    public const int ChecksumOffset = 0x1E;
    public const int WideFieldsOffset = 0x20;

    [FieldOffset(0x00)] public uint BlockBitmapLow;
    [FieldOffset(0x04)] public uint InodeBitmapLow;
    [FieldOffset(0x08)] public uint InodeTableLow;
    [FieldOffset(0x0C)] public ushort FreeBlocksLow;
    [FieldOffset(0x0E)] public ushort FreeInodesLow;
    [FieldOffset(0x10)] public ushort DirectoriesLow;
    [FieldOffset(0x12)] public GroupFlags Flags;
    [FieldOffset(0x18)] public ushort BlockBitmapChecksumLow;
    [FieldOffset(0x1A)] public ushort InodeBitmapChecksumLow;
    [FieldOffset(0x1C)] public ushort UnusedInodesLow;
    [FieldOffset(0x1E)] public ushort Checksum;
    [FieldOffset(0x20)] public uint BlockBitmapHigh;
    [FieldOffset(0x24)] public uint InodeBitmapHigh;
    [FieldOffset(0x28)] public uint InodeTableHigh;
    [FieldOffset(0x2C)] public ushort FreeBlocksHigh;
    [FieldOffset(0x2E)] public ushort FreeInodesHigh;
    [FieldOffset(0x30)] public ushort DirectoriesHigh;
    [FieldOffset(0x32)] public ushort UnusedInodesHigh;
    [FieldOffset(0x38)] public ushort BlockBitmapChecksumHigh;
    [FieldOffset(0x3A)] public ushort InodeBitmapChecksumHigh;
}
