// The volume of a storage machine: the first disk, mounted with a share of the machine's memory as its metadata cache. Used by the storage
// image and by solo.

using System;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Boot;

/// <summary>Opens the volume of this machine.</summary>
public static class StorageVolume
{
    /// <summary>Share of the machine's free frames that the metadata cache may use: one in this many.</summary>
    private const ulong CacheShare = 4;
    private const ulong SectorsPerMegabyte = 2048;

    /// <summary>
    /// Mounts the first disk. Without a usable one there is nothing to serve: the machine ends, and the tool shows the reason.
    /// </summary>
    public static Volume Mount(MachineStartup machine)
    {
        if (machine.Devices.DiskCount == 0)
        {
            Panic.Because("StorageVolume.Mount: no disk (virtio-blk) on this machine");
        }

        BlockDevice disk = machine.Devices.Disk(0);
        Errno error = Volume.Mount(disk, machine.Frames, (uint)(machine.Frames.FreePages / CacheShare), out Volume? volume);
        if (error != Errno.None)
        {
            Log.Error($"cannot mount: {Reason(error)}, disk of {disk.SectorCount / SectorsPerMegabyte} MB, errno {(int)error}");
            DebugExit.Unusable();
        }

        return volume!;
    }

    private static ReadOnlySpan<byte> Reason(Errno error) => error switch
    {
        Errno.EINVAL => "no ext4 file system is on it"u8,
        Errno.EOPNOTSUPP => "it has a feature that is not supported, or a journal to be replayed: run e2fsck -f on it"u8,
        Errno.EUCLEAN => "it is damaged: run e2fsck -f on it"u8,
        Errno.EIO => "its disk cannot be read"u8,
        Errno.ENOMEM => "it needs more memory than the machine has"u8,
        _ => "it failed"u8,
    };
}
