// The solo image: all four monitors in one machine, joined by links in its memory. The same messages flow as in a rack, so a program
// behaves the same; what it does not pay is distance. The rack tool sees one machine, served by the manager's part of the control channel.
//
// Memory: memory= on the boot line goes to the memory monitor, as its own machine's would; the other monitors share what remains.

using System.Runtime;
using Lego.Common.Membership;
using Lego.Common.VNodes;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Lego.Memory;
using Lego.Processor;
using Lego.Storage;
using Lego.Storage.Ext4;

namespace Lego.Boot;

/// <summary>Entry of the image.</summary>
public static unsafe class SoloImage
{
    private const int Workers = 4;
    private const ushort ProcessorNode = 1;
    private const ushort MemoryNode = 2;
    private const ushort StorageNode = 3;
    private const ushort ManagerNode = 4;

    /// <summary>What the memory monitor gets when the boot line does not say: this part of the free frames.</summary>
    private const ulong DefaultShareNumerator = 3;
    private const ulong DefaultShareDenominator = 4;

    [RuntimeExport("KernelMain")]
    private static void Main()
    {
        var machine = new MachineStartup("solo"u8);
        FrameAllocator memoryFrames = TakeMemory(machine.Frames);
        RpcEndpoint[] endpoints = JoinAll(machine.Frames);
        // One machine, one fabric.* report: the processor's view, as in a rack.
        machine.Control.Add(new FabricStatistics(endpoints[ProcessorNode]));

        var manager = new ComponentStartup(machine, ComponentKind.Manager, endpoints[ManagerNode], ManagerNode);
        ManagerOptions options = ManagerOptions.FromBootLine();
        var managers = new ManagerMonitor(manager.Endpoint, machine.Transmitter, machine.Frames, in options);
        managers.Control.Expect(ProcessorNode);
        managers.Control.Expect(MemoryNode);
        managers.Control.Expect(StorageNode);
        manager.Add(managers.Control);
        manager.Add(managers);
        managers.Start();

        StartProcessor(new ComponentStartup(machine, ComponentKind.Processor, endpoints[ProcessorNode], ManagerNode));
        // Shut down in this order: the file cache writes to the volume, then the volume to the disk.
        StartMemory(new ComponentStartup(machine, ComponentKind.Memory, endpoints[MemoryNode], ManagerNode), memoryFrames);
        StartStorage(new ComponentStartup(machine, ComponentKind.Storage, endpoints[StorageNode], ManagerNode));
        machine.Run();
    }

    private static FrameAllocator TakeMemory(FrameAllocator frames)
    {
        ulong freeBytes = frames.FreePages * PageOperations.PageSize;
        ulong wanted = BootArguments.GetSize("memory"u8, freeBytes / DefaultShareDenominator * DefaultShareNumerator);
        ulong pages = wanted / PageOperations.PageSize;
        void* start = frames.AllocateContiguous(pages);
        if (start == null)
        {
            Log.Error($"memory={wanted >> 20} MB does not fit into {freeBytes >> 20} MB of free RAM");
            Panic.Because("SoloImage: memory= asks for more than the machine has");
        }

        return new FrameAllocator(start, pages);
    }

    /// <summary>Endpoints of nodes 1 to 4 by node, each joined with each other by a local link.</summary>
    private static RpcEndpoint[] JoinAll(FrameAllocator frames)
    {
        var endpoints = new RpcEndpoint[ManagerNode + 1];
        for (ushort node = ProcessorNode; node <= ManagerNode; node++)
        {
            endpoints[node] = new RpcEndpoint(node, frames, Workers);
        }

        for (ushort low = ProcessorNode; low <= ManagerNode; low++)
        {
            for (ushort high = (ushort)(low + 1); high <= ManagerNode; high++)
            {
                if (LocalLink.CreatePair(frames, low, high, out RingLink? lowEnd, out RingLink? highEnd) != Errno.None)
                {
                    Panic.Because("SoloImage: no memory for the links");
                }

                endpoints[low].Attach(high, lowEnd!);
                endpoints[high].Attach(low, highEnd!);
            }
        }

        return endpoints;
    }

    private static void StartProcessor(ComponentStartup component)
    {
        MachineStartup machine = component.Machine;
        var monitor = new ProcessorMonitor(
            component.Endpoint, machine.Frames, component.Manager, machine.Devices.Entropy, machine.Devices.CardFor(CardRole.Programs));
        monitor.StartThreads(isOnly: true);
        component.Add(new ProcessorControl(monitor));
        component.JoinRack(
            monitor.ExCache.LineCount * PageOperations.PageSize, new ProcessorLoad(monitor),
            new ProcessorLife(machine.Devices.Entropy, monitor),
            new ProcessorWatcher(monitor));
    }

    private static void StartMemory(ComponentStartup component, FrameAllocator frames)
    {
        ulong regionBytes = BootArguments.GetSize("region"u8, MemoryMonitor.DefaultRegionBytes);
        var monitor = new MemoryMonitor(component.Endpoint, frames, component.Manager, regionBytes);
        monitor.StartThreads();
        component.Add(new MemoryControl(monitor));
        component.JoinRack(monitor.FreeBytes, new MemoryLoad(monitor), new MemoryLife(component.Machine.Devices.Entropy, monitor),
            new MemoryWatcher(monitor));
    }

    private static void StartStorage(ComponentStartup component)
    {
        Volume volume = StorageVolume.Mount(component.Machine);
        var monitor = new StorageMonitor(volume, component.Machine.Frames, component.Endpoint);
        component.Endpoint.Register(StorageMonitor.OpcodeGroup, monitor);
        VNodeService.Register(component.Endpoint, component.Manager, new Lego.Storage.VNodeRequests(monitor));
        monitor.StartWriteBack();
        component.Add(new StorageControl(monitor));
        component.JoinRack(
            component.Machine.Devices.Disk(0).SectorCount * BlockDevice.SectorSize, new StorageLoad(volume),
            new ComponentLife(component.Machine.Devices.Entropy), new StorageWatcher(monitor));
    }
}
