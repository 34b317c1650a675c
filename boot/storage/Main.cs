// The storage image: one ext4 volume, served by path.

using System.Runtime;
using Lego.Common.Membership;
using Lego.Common.VNodes;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage;
using Lego.Storage.Ext4;

namespace Lego.Boot;

/// <summary>Entry of the image.</summary>
public static class StorageImage
{
    /// <summary>Threads for requests; all may wait for the disk.</summary>
    private const int Workers = 8;

    [RuntimeExport("KernelMain")]
    private static void Main()
    {
        ComponentStartup component = ComponentStartup.Begin(ComponentKind.Storage, Workers);
        // Mounting reads the disk: its completions come through the poller, which runs while this thread waits.
        Volume volume = StorageVolume.Mount(component.Machine);
        var monitor = new StorageMonitor(volume, component.Machine.Frames, component.Endpoint);
        component.Endpoint.Register(StorageMonitor.OpcodeGroup, monitor);
        VNodeService.Register(component.Endpoint, component.Manager, new Lego.Storage.VNodeRequests(monitor));
        monitor.StartWriteBack();
        component.Add(new StorageControl(monitor));
        component.JoinRack(
            component.Machine.Devices.Disk(0).SectorCount * BlockDevice.SectorSize, new StorageLoad(volume),
            new ComponentLife(component.Machine.Devices.Entropy), new StorageWatcher(monitor));
        component.Run();
    }
}
