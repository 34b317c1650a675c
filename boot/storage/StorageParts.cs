// How the storage monitor appears to the parts that all components share: its load in heartbeats, its counters and its write-back at
// shutdown. Used by the storage image and by solo.

using System;
using Lego.Common.Control;
using Lego.Common.Membership;
using Lego.Fabric;
using Lego.Kernel;
using Lego.Storage;
using Lego.Storage.Ext4;

namespace Lego.Boot;

/// <summary>Load of a storage machine.</summary>
public sealed class StorageLoad(Volume volume) : LoadSource
{
    public override void Measure(out ComponentLoad load) => load = new ComponentLoad { FreeBytes = volume.FreeBytes };
}

/// <summary>What a storage machine remembers of components that are gone.</summary>
public sealed class StorageWatcher(StorageMonitor monitor) : PeerWatcher
{
    public override void Departed(ushort node) => monitor.Departed(node);
}

/// <summary>Counters and shutdown of a storage machine.</summary>
public sealed class StorageControl(StorageMonitor monitor) : ControlService
{
    public override void Report(ref StatisticsWriter writer) => monitor.Report(ref writer);

    public override Errno Shutdown()
    {
        Errno error = monitor.ShutDown();
        if (error != Errno.None)
        {
            Log.Error($"data loss: the volume could not be written, errno {(int)error}; e2fsck should see it");
        }

        return error;
    }
}

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
