// The structures in which attributes reach programs: struct stat, struct statx, struct statfs of x86-64 Linux (include/uapi/asm/stat.h,
// include/uapi/linux/stat.h, include/uapi/asm-generic/statfs.h). Sizes and offsets are checked by a host test.

using System.Runtime.InteropServices;
using Lego.Fabric.Messages;

namespace Lego.Processor;

/// <summary>struct stat, 144 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StatusRecord
{
    public ulong Device;
    public ulong Inode;
    public ulong Links;
    public uint Mode;
    public uint UserId;
    public uint GroupId;
    public uint Padding;
    public ulong SpecialDevice;
    public long Size;
    public long BlockSize;
    public long Blocks;
    public TimeSpecification AccessTime;
    public TimeSpecification ModifyTime;
    public TimeSpecification ChangeTime;
    public long Reserved0;
    public long Reserved1;
    public long Reserved2;

    public static StatusRecord From(in FileStatus status)
    {
        ref readonly FileAttributes attributes = ref status.Attributes;
        return new StatusRecord
        {
            Device = status.Device,
            Inode = attributes.Handle.Inode,
            Links = attributes.Links,
            Mode = attributes.Mode,
            UserId = attributes.UserId,
            GroupId = attributes.GroupId,
            SpecialDevice = attributes.DeviceNumber,
            Size = (long)attributes.Size,
            BlockSize = attributes.BlockSize,
            Blocks = (long)attributes.Blocks,
            AccessTime = TimeSpecification.FromFileTime(attributes.AccessTimeNs),
            ModifyTime = TimeSpecification.FromFileTime(attributes.ModifyTimeNs),
            ChangeTime = TimeSpecification.FromFileTime(attributes.ChangeTimeNs),
        };
    }
}

/// <summary>struct statx_timestamp, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ExtendedTime
{
    public long Seconds;
    public uint Nanoseconds;
    public uint Reserved;

    public static ExtendedTime FromFileTime(ulong fileTime)
    {
        TimeSpecification time = TimeSpecification.FromFileTime(fileTime);
        return new ExtendedTime { Seconds = time.Seconds, Nanoseconds = (uint)time.Nanoseconds };
    }
}

/// <summary>struct statx, 256 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
public struct ExtendedStatusRecord
{
    /// <summary>STATX_BASIC_STATS: all that struct stat has.</summary>
    private const uint BasicStatistics = 0x7FF;
    private const uint HasBirthTime = 0x800;
    private const uint HasMountId = 0x1000;
    private const ulong MountRoot = 0x2000;
    /// <summary>ext4's root directory.</summary>
    private const uint RootInode = 2;

    public uint Mask;
    public uint BlockSize;
    public ulong Attributes;
    public uint Links;
    public uint UserId;
    public uint GroupId;
    public ushort Mode;
    public ushort Padding0;
    public ulong Inode;
    public ulong Size;
    public ulong Blocks;
    public ulong AttributesMask;
    public ExtendedTime AccessTime;
    public ExtendedTime BirthTime;
    public ExtendedTime ChangeTime;
    public ExtendedTime ModifyTime;
    public uint SpecialDeviceMajor;
    public uint SpecialDeviceMinor;
    public uint DeviceMajor;
    public uint DeviceMinor;
    /// <summary>The number in /proc/self/mountinfo.</summary>
    public ulong MountId;

    public static ExtendedStatusRecord From(in FileStatus status)
    {
        ref readonly FileAttributes attributes = ref status.Attributes;
        return new ExtendedStatusRecord
        {
            Mask = BasicStatistics | HasMountId | (attributes.BirthTimeNs != 0 ? HasBirthTime : 0),
            BlockSize = attributes.BlockSize,
            Links = attributes.Links,
            UserId = attributes.UserId,
            GroupId = attributes.GroupId,
            Mode = (ushort)attributes.Mode,
            Inode = attributes.Handle.Inode,
            Size = attributes.Size,
            Blocks = attributes.Blocks,
            AccessTime = ExtendedTime.FromFileTime(attributes.AccessTimeNs),
            ChangeTime = ExtendedTime.FromFileTime(attributes.ChangeTimeNs),
            ModifyTime = ExtendedTime.FromFileTime(attributes.ModifyTimeNs),
            BirthTime = ExtendedTime.FromFileTime(attributes.BirthTimeNs),
            AttributesMask = MountRoot,
            Attributes = status.Device == DeviceNumber.Volume && attributes.Handle.Inode == RootInode ? MountRoot : 0,
            MountId = MountNumbers.Of(status.Device),
            SpecialDeviceMajor = Major(attributes.DeviceNumber),
            SpecialDeviceMinor = Minor(attributes.DeviceNumber),
            DeviceMajor = Major(status.Device),
            DeviceMinor = Minor(status.Device),
        };
    }

    /// <summary>Major part of a 32-bit device number (makedev(3)).</summary>
    private static uint Major(uint device) => (device >> 8) & 0xFFF;

    private static uint Minor(uint device) => (device & 0xFF) | ((device >> 12) & 0xFFF00);
}

/// <summary>struct statfs, 120 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
public struct VolumeStatusRecord
{
    public long Type;
    public long BlockSize;
    public ulong Blocks;
    public ulong FreeBlocks;
    public ulong AvailableBlocks;
    public ulong Files;
    public ulong FreeFiles;
    public int Id0;
    public int Id1;
    public long NameLength;
    public long FragmentSize;
    public long Flags;
}
