// From the next hop to its hardware address: groups and broadcasts by rule, others by the neighbour cache, which is made to ask by ARP
// (RFC 826) or by neighbour solicitations (RFC 4861, 7.2.2).

using System;

namespace Lego.Kernel;

/// <summary>Sends packets to neighbours.</summary>
public sealed unsafe class NeighbourOutput : NeighbourHost
{
    /// <summary>Hop limit by which receivers know that a message comes from the link (RFC 4861, 3.1).</summary>
    public const byte OnLinkHopLimit = 255;

    private const int SolicitationBytes = NeighbourMessage.SizeBytes + NeighbourOptions.LinkAddressBytes;

    private readonly LinkSender _link;
    private readonly NeighbourTable _neighbours;
    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly PacketStore _packets;
    private readonly NetworkCounters _counters;
    private readonly IpReceiver _receiver;

    public NeighbourOutput(
        LinkSender link, NeighbourTable neighbours, InterfaceTable interfaces, AddressTable addresses, PacketStore packets,
        NetworkCounters counters,
        IpReceiver receiver)
    {
        _link = link;
        _neighbours = neighbours;
        _interfaces = interfaces;
        _addresses = addresses;
        _packets = packets;
        _counters = counters;
        _receiver = receiver;
    }

    /// <summary>
    /// Sends an IP packet to a next hop, or keeps it until the hop's address is known. ENETDOWN, ENOBUFS, EHOSTUNREACH for a hop that has
    /// just failed to answer.
    /// </summary>
    /// <param name="interfaceIndex">The link.</param>
    /// <param name="nextHop">Router or destination.</param>
    /// <param name="source">The packet's source, which the question names if it is ours.</param>
    /// <param name="head">Room for the Ethernet header, then the first bytes of the packet.</param>
    /// <param name="a">More bytes.</param>
    /// <param name="b">Still more.</param>
    public Errno Send(int interfaceIndex, IpAddress nextHop, IpAddress source, Span<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        ushort etherType = nextHop.IsV4 ? EtherType.Ipv4 : EtherType.Ipv6;
        if (_interfaces[interfaceIndex].Kind == InterfaceKind.Loopback)
        {
            return _link.Send(interfaceIndex, 0, etherType, head, a, b);
        }

        if (nextHop.IsMulticast)
        {
            ulong group = nextHop.IsV4 ? MacAddress.OfIpv4Group(nextHop.V4) : MacAddress.OfIpv6Group((uint)nextHop.Second);
            return _link.Send(interfaceIndex, group, etherType, head, a, b);
        }

        if (_addresses.IsBroadcast(nextHop, interfaceIndex))
        {
            return _link.Send(interfaceIndex, MacAddress.Broadcast, etherType, head, a, b);
        }

        if (!_interfaces.IsRunning(interfaceIndex))
        {
            return Errno.ENETDOWN;
        }

        if (_neighbours.TryResolve(this, interfaceIndex, nextHop, source, out ulong hardwareAddress, out Neighbour* entry, out Errno error))
        {
            return _link.Send(interfaceIndex, hardwareAddress, etherType, head, a, b);
        }

        if (entry == null)
        {
            return error;
        }

        Packet* packet = _packets.Copy(head, a, b);
        if (packet == null)
        {
            return Errno.ENOBUFS;
        }

        packet->EtherType = etherType;
        packet->InterfaceIndex = interfaceIndex;
        _neighbours.Wait(entry, packet);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override void Ask(int interfaceIndex, IpAddress target, ulong hardwareAddress, IpAddress sourceHint)
    {
        bool isOurs = !sourceHint.IsUnspecified && sourceHint.IsV4 == target.IsV4 && !sourceHint.IsLoopback
            && _addresses.IsLocal(sourceHint, interfaceIndex);
        IpAddress source = isOurs ? sourceHint : _addresses.SourceFor(target, interfaceIndex);
        if (target.IsV4)
        {
            SendArp(
                interfaceIndex, hardwareAddress == 0 ? MacAddress.Broadcast : hardwareAddress, ArpPacket.Request, source.V4, 0, target.V4);
        }
        else
        {
            SendSolicitation(interfaceIndex, target, hardwareAddress, source);
        }
    }

    /// <summary>Sends an ARP packet.</summary>
    public void SendArp(int interfaceIndex, ulong to, ushort operation, uint sender, ulong targetHardware, uint target)
    {
        Span<byte> frame = stackalloc byte[EthernetHeader.SizeBytes + ArpPacket.SizeBytes];
        ArpPacket.Write(
            frame.Slice(EthernetHeader.SizeBytes), operation, _interfaces[interfaceIndex].HardwareAddress, sender, targetHardware, target);
        _link.Send(interfaceIndex, to, EtherType.Arp, frame, default, default);
    }

    /// <summary>
    /// Sends a neighbour solicitation; from the unspecified address it asks whether anybody has the target already (RFC 4862, 5.4.2) and
    /// names no hardware address.
    /// </summary>
    public void SendSolicitation(int interfaceIndex, IpAddress target, ulong hardwareAddress, IpAddress source)
    {
        Span<byte> message = stackalloc byte[SolicitationBytes];
        NeighbourMessage.Write(message, Icmpv6Type.NeighbourSolicitation, 0, target);
        if (source.IsUnspecified)
        {
            message = message.Slice(0, NeighbourMessage.SizeBytes);
        }
        else
        {
            NeighbourOptions.WriteLinkAddress(
                message.Slice(NeighbourMessage.SizeBytes), NeighbourOptions.SourceLinkAddress, _interfaces[interfaceIndex].HardwareAddress);
        }

        IpAddress destination = hardwareAddress == 0 ? SolicitedNodeGroup(target) : target;
        ulong to = hardwareAddress == 0 ? MacAddress.OfIpv6Group((uint)destination.Second) : hardwareAddress;
        _counters.Icmpv6.OutNeighborSolicits++;
        SendOnLink(interfaceIndex, to, source, destination, message);
    }

    /// <summary>Sends an ICMPv6 message of neighbour discovery, whose checksum is filled in here, to a known hardware address.</summary>
    public void SendOnLink(int interfaceIndex, ulong to, IpAddress source, IpAddress destination, Span<byte> message)
    {
        ChecksumField.Write(message, IcmpHeader.ChecksumOffset, source, destination, IpProtocol.Icmpv6);
        Span<byte> head = stackalloc byte[EthernetHeader.SizeBytes + Ipv6Header.SizeBytes];
        Ipv6Fields fields = default;
        fields.Source = source;
        fields.Destination = destination;
        fields.NextHeader = IpProtocol.Icmpv6;
        fields.HopLimit = OnLinkHopLimit;
        Ipv6Header.Write(head.Slice(EthernetHeader.SizeBytes), fields, message.Length);
        _counters.Icmpv6.OutMsgs++;
        _counters.Ipv6.OutRequests++;
        if (_link.Send(interfaceIndex, to, EtherType.Ipv6, head, message, default) != Errno.None)
        {
            _counters.Ipv6.OutDiscards++;
        }
    }

    /// <summary>The group in which the owner of an address listens to questions about it (RFC 4291, 2.7.1).</summary>
    public static IpAddress SolicitedNodeGroup(IpAddress address)
    {
        const ulong prefix = 0xFF02UL << 48;
        const ulong low = 0x0000_0001_FF00_0000;
        const ulong copied = 0xFF_FFFF;
        return IpAddress.FromV6(prefix, low | (address.Second & copied));
    }

    /// <inheritdoc/>
    public override void SendWaiting(int interfaceIndex, ulong hardwareAddress, Packet* packet)
    {
        Span<byte> head = packet->FirstPiece;
        ReadOnlySpan<byte> a = packet->PieceAt(head.Length);
        ReadOnlySpan<byte> b = packet->PieceAt(head.Length + a.Length);
        if (head.Length + a.Length + b.Length < packet->Length)
        {
            _interfaces[interfaceIndex].Counters.SendDrops++;
        }
        else
        {
            _link.Send(interfaceIndex, hardwareAddress, packet->EtherType, head, a, b);
        }

        _packets.Release(packet);
    }

    /// <inheritdoc/>
    public override void GiveUp(Packet* packet)
    {
        Span<byte> start = stackalloc byte[Ipv6Header.SizeBytes + QuotedPacket.MaxHeadersBytes];
        start = start.Slice(0, packet->CopyTo(EthernetHeader.SizeBytes, start));
        int interfaceIndex = packet->InterfaceIndex;
        _packets.Release(packet);
        if (QuotedPacket.TryParse(start, out IncomingError error))
        {
            error.InterfaceIndex = interfaceIndex;
            error.Reporter = error.Source;
            error.Type = error.IsV4 ? IcmpType.DestinationUnreachable : Icmpv6Type.DestinationUnreachable;
            error.Code = error.IsV4 ? IcmpUnreachable.Host : Icmpv6Unreachable.Address;
            error.Error = Errno.EHOSTUNREACH;
            _receiver.DeliverError(error);
        }
    }
}
