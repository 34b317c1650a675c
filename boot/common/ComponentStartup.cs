// What every component does between "the machine is up" and "the monitor serves": join the links to the other components, make the
// endpoint, become a member of the rack. An image with one component begins with Begin and ends with Run; solo makes one of these for each
// of its four and joins them itself. Boot thread only.

using System;
using Lego.Common;
using Lego.Common.Control;
using Lego.Common.Membership;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Boot;

/// <summary>The parts that all components have.</summary>
public sealed class ComponentStartup
{
    private readonly MachineStartup _machine;
    private readonly ushort _manager;

    /// <summary>A component whose endpoint has its peers; <paramref name="manager"/> is the manager's node.</summary>
    public ComponentStartup(MachineStartup machine, ComponentKind kind, RpcEndpoint endpoint, ushort manager)
    {
        _machine = machine;
        _manager = manager;
        Kind = kind;
        Endpoint = endpoint;
        Poller.Register(endpoint);
    }

    public ComponentKind Kind { get; }

    public RpcEndpoint Endpoint { get; }

    public MachineStartup Machine => _machine;

    public ushort Manager => _manager;

    /// <summary>Starts a machine that is one component: its peers are those of the boot line. <paramref name="workers"/>: threads for
    /// requests that block.</summary>
    public static ComponentStartup Begin(ComponentKind kind, int workers)
    {
        MachineStartup machine = new(ComponentNames.Of(kind));
        uint incarnation = new ComponentLife(machine.Devices.Entropy).NewIncarnation();
        RpcEndpoint endpoint = new(machine.Node, machine.Frames, workers, incarnation);
        RackLinks.Join(endpoint, machine.Devices, machine.Node, PeerText, machine.Frames);
        ushort manager = kind == ComponentKind.Manager ? machine.Node : PeerList.First(PeerText, ComponentKind.Manager);
        if (manager == 0)
        {
            Panic.Because("ComponentStartup.Begin: peers= names no manager component");
        }

        machine.Control.Add(new FabricStatistics(endpoint));
        return new ComponentStartup(machine, kind, endpoint, manager);
    }

    /// <summary>The peers= word of the boot line.</summary>
    public static ReadOnlySpan<byte> PeerText => BootArguments.TryGet("peers"u8, out ReadOnlySpan<byte> text) ? text : default;

    /// <summary>Adds the monitor's part of the control channel.</summary>
    public void Add(ControlService service) => _machine.Control.Add(service);

    /// <summary>
    /// Starts membership: joins the manager in the background. The monitor's services must be registered by now. The watcher hears of the
    /// ends of other components; the life ends what this one has when the rack has given it up.
    /// </summary>
    public void JoinRack(ulong capacityBytes, LoadSource load, ComponentLife life, PeerWatcher? watcher = null)
    {
        JoinRequest self = new() { Node = Endpoint.Node, Kind = Kind, CapacityBytes = capacityBytes };
        if (watcher != null)
        {
            Endpoint.Watch(watcher);
        }

        MembershipClient membership = new(Endpoint, _manager, in self, load, life);
        _machine.Control.Add(new MembershipControl(membership));
        membership.Start();
    }

    /// <summary>The last step of a Main.</summary>
    public void Run() => _machine.Run();
}
