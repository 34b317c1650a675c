// How the storage monitor appears to the parts that all components share: its load in heartbeats, its counters and its write-back at
// shutdown. Used by the storage image and by solo.

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
