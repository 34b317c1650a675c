// How the storage monitor appears to the parts that all components share: its load in heartbeats, its counters and its write-back at shutdown.
// Used by the storage image and by solo.

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

    public override void Shutdown()
    {
        Errno error = monitor.ShutDown();
        if (error != Errno.None)
        {
            Log.Error($"the volume could not be written: errno {(int)error}");
        }
    }
}

/// <summary>Opens the volume of this machine.</summary>
public static class StorageVolume
{
    /// <summary>Share of the machine's free frames that the metadata cache may use: one in this many.</summary>
    private const ulong CacheShare = 4;

    /// <summary>Mounts the first disk. Panics without a usable one: there is nothing to serve, and the tool shows the line before.</summary>
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
            Log.Error($"no ext4 volume on the disk of {disk.SectorCount / 2048} MB: errno {(int)error}");
            Panic.Because("StorageVolume.Mount: the disk cannot be used");
        }

        return volume!;
    }
}
