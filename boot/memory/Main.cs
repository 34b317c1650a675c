// The memory image: home of processes, owner of vRegions, cache of files.

using System.Runtime;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;

namespace Lego.Boot;

/// <summary>Entry of the image.</summary>
public static class MemoryImage
{
    /// <summary>Threads for requests that wait for a storage component or the manager.</summary>
    private const int Workers = 8;

    [RuntimeExport("KernelMain")]
    private static void Main()
    {
        ComponentStartup component = ComponentStartup.Begin(ComponentKind.Memory, Workers);
        ulong regionBytes = BootArguments.GetSize("region"u8, MemoryMonitor.DefaultRegionBytes);
        var monitor = new MemoryMonitor(component.Endpoint, component.Machine.Frames, component.Manager, regionBytes);
        monitor.StartThreads();
        component.Add(new MemoryControl(monitor));
        component.JoinRack(monitor.FreeBytes, new MemoryLoad(monitor), new MemoryLife(component.Machine.Devices.Entropy, monitor),
            new MemoryWatcher(monitor));
        component.Run();
    }
}
