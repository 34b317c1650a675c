// One socket of datagrams as the stack sees it: UDP, ping (ICMP echo), raw IP, or packets of the link layer. They differ in how
// datagrams are addressed and framed; names, options, and the bounded queues of what has come are the same.

using System;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Which protocol an endpoint speaks.</summary>
public enum DatagramKind : byte
{
    Udp = 0,
    /// <summary>SOCK_DGRAM, IPPROTO_ICMP (icmp(7)).</summary>
    Ping = 1,
    /// <summary>SOCK_RAW over IP (raw(7)).</summary>
    Raw = 2,
    /// <summary>AF_PACKET, frames with their header (packet(7)).</summary>
    Frame = 3,
    /// <summary>AF_PACKET, SOCK_DGRAM: frames without it.</summary>
    CookedFrame = 4,
}

/// <summary>Options that are on or off.</summary>
[Flags]
public enum DatagramOptions : uint
{
    None = 0,
    ReuseAddress = 1 << 0,
    ReusePort = 1 << 1,
    Broadcast = 1 << 2,
    /// <summary>IPV6_V6ONLY.</summary>
    OnlyV6 = 1 << 3,
    /// <summary>IP_MULTICAST_LOOP; on at first.</summary>
    MulticastLoop = 1 << 4,
    /// <summary>IP_MULTICAST_ALL: datagrams to any group that somebody here has joined; on at first.</summary>
    MulticastAll = 1 << 5,
    /// <summary>IP_HDRINCL.</summary>
    HeaderIncluded = 1 << 6,
    /// <summary>IP_RECVERR, IPV6_RECVERR.</summary>
    ReceiveErrors = 1 << 7,
    /// <summary>SO_NO_CHECK, IPv4 only.</summary>
    NoChecksum = 1 << 8,
    /// <summary>PACKET_IGNORE_OUTGOING.</summary>
    IgnoreOutgoing = 1 << 9,
}

/// <summary>An endpoint. Made by <see cref="DatagramEndpoints"/>; fields under "options" are set by the socket directly.</summary>
public unsafe struct DatagramEndpoint
{
    /// <summary>Of SO_RCVBUF, in bytes of memory (net.core.rmem_default).</summary>
    public const int DefaultReceiveBytes = 212992;

    /// <summary>ETH_P_ALL.</summary>
    public const ushort AllEtherTypes = 3;

    public DatagramKind Kind;
    /// <summary>Of AF_INET6, not of AF_INET.</summary>
    public bool IsV6;
    /// <summary>Of raw endpoints: the protocol; of ping: ICMP's or ICMPv6's.</summary>
    public byte Protocol;
    /// <summary>Of packet endpoints: which frames; <see cref="AllEtherTypes"/> for all, 0 for none.</summary>
    public ushort EtherType;

    /// <summary>Its own name; the port of a ping endpoint is its identifier.</summary>
    public SocketAddress Local;
    public SocketAddress Remote;
    public bool IsBound;
    public bool IsConnected;
    /// <summary>The local address was chosen with the peer and goes with it.</summary>
    internal bool IsAddressChosen;
    /// <summary>The user has named the port, which stays when the peer goes.</summary>
    internal bool IsPortNamed;
    public bool IsReadShut;
    public bool IsWriteShut;

    /// <summary>Whose it is, for those who hear of changes.</summary>
    public nint Owner;

    // Options.
    public DatagramOptions Options;
    /// <summary>SO_BINDTODEVICE; of packet endpoints, sll_ifindex. 0: all.</summary>
    public int InterfaceIndex;
    /// <summary>IP_MULTICAST_IF; 0: as the routes say.</summary>
    public int MulticastInterface;
    /// <summary>IP_MULTICAST_IF by address: the source of what is sent to groups.</summary>
    public IpAddress MulticastSource;
    /// <summary>IP_TTL, IPV6_UNICAST_HOPS; -1: the default.</summary>
    public short HopLimit;
    public short MulticastHopLimit;
    /// <summary>IP_TOS, IPV6_TCLASS.</summary>
    public byte TrafficClass;
    /// <summary>IP_MTU_DISCOVER.</summary>
    public FragmentPolicy Fragments;
    /// <summary>IPV6_CHECKSUM of raw endpoints: offset of the checksum that the stack fills in and judges; -1: none.</summary>
    public int ChecksumOffset;
    /// <summary>SO_RCVBUF.</summary>
    public int ReceiveBytes;
    /// <summary>Who made it, for SO_REUSEPORT: only one user's endpoints share a port.</summary>
    public uint UserId;
    /// <summary>ICMP_FILTER, ICMP6_FILTER.</summary>
    public IcmpFilter Filter;
    /// <summary>SO_ATTACH_FILTER; the owner's. Null: none.</summary>
    public PacketFilter* Program;

    /// <summary>Datagrams that have come.</summary>
    public PacketQueue Received;
    /// <summary>MSG_ERRQUEUE.</summary>
    public PacketQueue Errors;
    /// <summary>SO_ERROR.</summary>
    public Errno Error;
    /// <summary>Datagrams for which there was no room (SO_RXQ_OVFL, the drops of /proc/net/udp).</summary>
    public ulong Drops;

    internal GroupJoin* Groups;
    internal DatagramEndpoint* Next;
    internal DatagramEndpoint* Previous;
    internal DatagramEndpoint* NextInBucket;

    public readonly bool Has(DatagramOptions option) => (Options & option) != 0;

    /// <summary>Whether it takes packets of a version.</summary>
    public readonly bool Takes(bool isV4) => isV4 ? !IsV6 || (Kind == DatagramKind.Udp && !Has(DatagramOptions.OnlyV6)) : IsV6;

    /// <summary>POLLIN.</summary>
    public readonly bool IsReadable => !Received.IsEmpty || IsReadShut;

    /// <summary>POLLERR.</summary>
    public readonly bool HasError => Error != Errno.None || !Errors.IsEmpty;
}

/// <summary>A bit for each type of ICMP message: set for those that are not delivered.</summary>
[InlineArray(Words)]
public struct IcmpFilter
{
    private const int Words = 4;

    private ulong _first;

    public readonly bool Blocks(byte type) => (this[type / 64] & (1UL << (type % 64))) != 0;
}

/// <summary>A group that an endpoint has joined.</summary>
internal unsafe struct GroupJoin
{
    internal GroupJoin* Next;
    internal IpAddress Group;
    internal int InterfaceIndex;
}

/// <summary>What goes with one datagram that is sent (sendmsg(2) with its control messages).</summary>
public struct DatagramSend
{
    /// <summary>Without one it goes to the endpoint's peer.</summary>
    public bool HasDestination;
    public SocketAddress Destination;
    /// <summary>IP_PKTINFO, IPV6_PKTINFO; unspecified: none.</summary>
    public IpAddress Source;
    /// <summary>The same; of packet endpoints, sll_ifindex. 0: none.</summary>
    public int InterfaceIndex;
    /// <summary>IP_TTL, IPV6_HOPLIMIT; -1: the endpoint's.</summary>
    public short HopLimit;
    /// <summary>IP_TOS, IPV6_TCLASS; -1: the endpoint's.</summary>
    public short TrafficClass;
    /// <summary>Of cooked packet endpoints: to whom, and what.</summary>
    public ulong LinkAddress;
    public ushort EtherType;

    /// <summary>To the endpoint's peer, with the endpoint's options.</summary>
    public static DatagramSend ToPeer
    {
        get
        {
            DatagramSend send = default;
            send.HopLimit = OutgoingPacket.DefaultHopLimit;
            send.TrafficClass = -1;
            return send;
        }
    }
}
