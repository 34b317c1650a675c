// One neighbour: an address on a link, the hardware address behind it, and how sure we are (RFC 4861, 7.3.2; ARP's entries are kept
// alike, as in Linux).

namespace Lego.Kernel;

/// <summary>Neighbour unreachability detection's states, with Linux's numbers (NUD_*, rtnetlink(7)).</summary>
public enum NeighbourState : byte
{
    None = 0,
    /// <summary>Asked; no answer yet. Packets wait.</summary>
    Incomplete = 0x01,
    Reachable = 0x02,
    /// <summary>Known, not confirmed lately; used without asking.</summary>
    Stale = 0x04,
    /// <summary>Used while stale: confirmation is hoped for from the protocols above.</summary>
    Delay = 0x08,
    /// <summary>Being asked directly.</summary>
    Probe = 0x10,
    /// <summary>Has not answered; not asked again until the entry is given up.</summary>
    Failed = 0x20,
    Permanent = 0x80,
}

/// <summary>An entry of the neighbour cache.</summary>
public unsafe struct Neighbour
{
    public IpAddress Address;
    public int InterfaceIndex;
    public ulong HardwareAddress;
    public NeighbourState State;
    public bool IsRouter;
    /// <summary>When it was last used for sending: the oldest goes when the table is full.</summary>
    public ulong UsedNs;
    /// <summary>When it was last confirmed.</summary>
    public ulong ConfirmedNs;
    /// <summary>When its state changed last.</summary>
    public ulong UpdatedNs;
    /// <summary>Questions since it was last confirmed or used while stale.</summary>
    public int Probes;

    /// <summary>When its state changes by itself; NetworkClock.Never for states that only events change.</summary>
    internal ulong DeadlineNs;
    /// <summary>The packet that waits for the address; the newest one (RFC 4861, 7.2.2).</summary>
    internal Packet* Waiting;
    internal Neighbour* NextInBucket;

    /// <summary>Whether packets can be sent to its hardware address.</summary>
    public readonly bool IsUsable =>
        State is NeighbourState.Reachable or NeighbourState.Stale or NeighbourState.Delay or NeighbourState.Probe
            or NeighbourState.Permanent;
}
