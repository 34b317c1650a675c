// The processor image: runs programs; their memory and files are elsewhere.

using System.Runtime;
using Lego.Common;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;

namespace Lego.Boot;

/// <summary>Entry of the image.</summary>
public static class ProcessorImage
{
    /// <summary>Threads for requests that wait (standard input that a program does not read yet).</summary>
    private const int Workers = 4;

    [RuntimeExport("KernelMain")]
    private static void Main()
    {
        ComponentStartup component = ComponentStartup.Begin(ComponentKind.Processor, Workers);
        MachineStartup machine = component.Machine;
        var monitor = new ProcessorMonitor(
            component.Endpoint, machine.Frames, component.Manager, machine.Devices.Entropy, machine.Devices.CardFor(CardRole.Programs));
        monitor.StartThreads(isOnly: PeerList.First(ComponentStartup.PeerText, ComponentKind.Processor) == 0);
        component.Add(new ProcessorControl(monitor));
        component.JoinRack(
            monitor.ExCache.LineCount * PageOperations.PageSize, new ProcessorLoad(monitor),
            new ProcessorLife(machine.Devices.Entropy, monitor),
            new ProcessorWatcher(monitor));
        component.Run();
    }
}
