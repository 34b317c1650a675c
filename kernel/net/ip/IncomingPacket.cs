// A packet that has arrived for this node, whole, as the protocols above IP get it.

using System;

namespace Lego.Kernel;

/// <summary>A view; valid until the receiver returns.</summary>
public ref struct IncomingPacket
{
    public int InterfaceIndex;
    public IpAddress Source;
    public IpAddress Destination;
    public byte Protocol;
    public byte HopLimit;
    public byte TrafficClass;

    /// <summary>It came in a frame to many, or its destination is a group or a broadcast address: no error may be sent about it.</summary>
    public bool IsToMany;

    /// <summary>From the IP header on, for errors that quote it.</summary>
    public ReadOnlySpan<byte> Packet;

    /// <summary>What the last header says next.</summary>
    public ReadOnlySpan<byte> Payload;

    /// <summary>Offset in Packet of the field that has told Protocol, for pointers of Parameter Problem.</summary>
    public int ProtocolOffset;

    /// <summary>The two bits of congestion notification (RFC 3168).</summary>
    public readonly uint Ecn => TrafficClass & 3U;

    public readonly bool IsV4 => Source.IsV4;

    /// <summary>
    /// What a filter sees of it whose offset 0 is so far behind the IP header's beginning. Nobody knows the frame any more.
    /// </summary>
    public readonly FilterView ViewFrom(int start) => new()
    {
        Head = Packet,
        Start = start,
        LinkStart = -1,
        EtherType = IsV4 ? EtherType.Ipv4 : EtherType.Ipv6,
        LinkType = !IsToMany ? LinkPacketType.Host : Destination.IsMulticast ? LinkPacketType.Multicast : LinkPacketType.Broadcast,
        InterfaceIndex = InterfaceIndex,
    };
}

/// <summary>An error report that quotes a packet of ours.</summary>
public ref struct IncomingError
{
    public int InterfaceIndex;
    /// <summary>Who reports.</summary>
    public IpAddress Reporter;
    public byte Type;
    public byte Code;
    /// <summary>What it means to a program.</summary>
    public Errno Error;
    /// <summary>Whether it ends a connection attempt (RFC 1122, 4.2.3.9: hard errors) or is only noted.</summary>
    public bool IsHard;
    /// <summary>The path's MTU, of packets that were too long; else 0.</summary>
    public int MtuBytes;
    /// <summary>Of the quoted packet: we are its source.</summary>
    public IpAddress Source;
    public IpAddress Destination;
    public byte Protocol;
    /// <summary>The quoted packet behind its IP headers: at least the 8 bytes with the ports, or the protocols are not told.</summary>
    public ReadOnlySpan<byte> Payload;

    public readonly bool IsV4 => Source.IsV4;
}

/// <summary>The protocols above IP; the stack implements it.</summary>
public abstract class IpReceiver
{
    /// <summary>Takes a packet. False: nobody knows the protocol.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool Deliver(scoped in IncomingPacket packet);

    /// <summary>Takes an error report.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void DeliverError(scoped in IncomingError error);
}
