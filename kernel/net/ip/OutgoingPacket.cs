// What a protocol says about a packet that it sends.

namespace Lego.Kernel;

/// <summary>Whether a packet may be cut (ip(7), IP_MTU_DISCOVER; RFC 1191).</summary>
public enum FragmentPolicy : byte
{
    /// <summary>IP_PMTUDISC_DONT: cut when needed, by routers too.</summary>
    Always = 0,
    /// <summary>IP_PMTUDISC_WANT: learn the path's MTU; cut here what is longer.</summary>
    PathMtu = 1,
    /// <summary>IP_PMTUDISC_DO: never; EMSGSIZE for what is longer than the path's MTU.</summary>
    Never = 2,
    /// <summary>IP_PMTUDISC_PROBE: never, and the path's known MTU does not count.</summary>
    Probe = 3,
}

/// <summary>The fields of a packet, all but its bytes.</summary>
public struct OutgoingPacket
{
    /// <summary>HopLimit: the default.</summary>
    public const short DefaultHopLimit = -1;

    /// <summary>Unspecified: the stack chooses.</summary>
    public IpAddress Source;
    public IpAddress Destination;
    public byte Protocol;
    public byte TrafficClass;
    public short HopLimit;
    public FragmentPolicy Fragments;
    /// <summary>0: as the routes say.</summary>
    public int InterfaceIndex;
    public uint FlowLabel;
    /// <summary>It may be sent from the unspecified address if the node has no other (DHCP, reports of groups).</summary>
    public bool MayLackSource;
    /// <summary>Carries an IPv6 hop-by-hop or IPv4 router alert: reports of group membership (RFC 2711, RFC 2113).</summary>
    public bool HasRouterAlert;
    /// <summary>A packet to a group that this node has joined, or to all, comes back to it (IP_MULTICAST_LOOP).</summary>
    public bool LoopsBack;

    public OutgoingPacket(IpAddress source, IpAddress destination, byte protocol)
    {
        this = default;
        Source = source;
        Destination = destination;
        Protocol = protocol;
        HopLimit = DefaultHopLimit;
        Fragments = FragmentPolicy.PathMtu;
    }
}
