// The manager image: the global managers and the programs of the rack tool.

using System.Runtime;
using Lego.Common;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;

namespace Lego.Boot;

/// <summary>Entry of the image.</summary>
public static class ManagerImage
{
    /// <summary>Threads for requests that have to wait: a manager answers all at once.</summary>
    private const int Workers = 0;

    [RuntimeExport("KernelMain")]
    private static void Main()
    {
        ComponentStartup component = ComponentStartup.Begin(ComponentKind.Manager, Workers);
        ManagerOptions options = ManagerOptions.FromBootLine();
        MachineStartup machine = component.Machine;
        var manager = new ManagerMonitor(component.Endpoint, machine.Transmitter, machine.Frames, in options);
        var peers = new PeerList(ComponentStartup.PeerText);
        while (peers.Next(out ComponentKind kind, out ushort node))
        {
            manager.Expect(kind, node);
        }

        component.Add(manager.Control);
        component.Add(manager);
        manager.Start();
        component.Run();
    }
}
