// Received IPv4 packets (RFC 791; RFC 1122, 3.2.1): checked, put together, handed to the protocol. Nothing is forwarded.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>Takes packets.</summary>
public sealed class Ipv4Input
{
    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly GroupTable _groups;
    private readonly Reassembly _reassembly;
    private readonly IcmpErrors _errors;
    private readonly NetworkCounters _counters;
    private readonly IpReceiver _receiver;

    public Ipv4Input(
        InterfaceTable interfaces, AddressTable addresses, GroupTable groups, Reassembly reassembly, IcmpErrors errors,
        NetworkCounters counters,
        IpReceiver receiver)
    {
        _interfaces = interfaces;
        _addresses = addresses;
        _groups = groups;
        _reassembly = reassembly;
        _errors = errors;
        _counters = counters;
        _receiver = receiver;
    }

    /// <summary>Takes a packet.</summary>
    /// <param name="interfaceIndex">Where it came.</param>
    /// <param name="isToMany">Its frame was for a group or for all.</param>
    /// <param name="bytes">The packet, and perhaps padding.</param>
    public void Receive(int interfaceIndex, bool isToMany, ReadOnlySpan<byte> bytes)
    {
        ref IpCounters counters = ref _counters.Ipv4;
        counters.InReceives++;
        counters.InOctets += (ulong)bytes.Length;
        if (!Ipv4Header.TryParse(bytes, out Ipv4Header header))
        {
            counters.InHdrErrors++;
            return;
        }

        IpAddress source = header.Source;
        IpAddress destination = header.Destination;
        bool isBroadcast = _addresses.IsBroadcast(destination, interfaceIndex);
        if (!IsPossible(interfaceIndex, source, destination) || !IsForUs(interfaceIndex, header, isBroadcast))
        {
            counters.InAddrErrors++;
            return;
        }

        counters.InMcastPkts += destination.IsMulticast ? 1UL : 0;
        counters.InBcastPkts += isBroadcast ? 1UL : 0;
        if (header.MoreFragments || header.OffsetBytes != 0)
        {
            ReceiveFragment(interfaceIndex, isToMany, header, ref counters);
        }
        else
        {
            Deliver(interfaceIndex, isToMany, header, header.TypeOfService);
        }
    }

    /// <summary>Tells the source of an expired datagram (RFC 792, time exceeded, code 1); releases nothing.</summary>
    public unsafe void ReportExpired(in ExpiredReassembly expired)
    {
        Span<byte> start = stackalloc byte[Ipv4Header.MaxSizeBytes + IcmpHeader.SizeBytes];
        start = start.Slice(0, expired.First->CopyTo(0, start));
        scoped IncomingPacket packet = default;
        packet.InterfaceIndex = expired.InterfaceIndex;
        packet.Source = expired.Source;
        packet.Destination = expired.Destination;
        packet.IsToMany = expired.Destination.IsMulticast || _addresses.IsBroadcast(expired.Destination, expired.InterfaceIndex);
        packet.Packet = start;
        _errors.Send(packet, IcmpType.TimeExceeded, IcmpTimeExceeded.Reassembly);
    }

    private void ReceiveFragment(int interfaceIndex, bool isToMany, scoped in Ipv4Header header, ref IpCounters counters)
    {
        const int unitMask = 7;
        ReadOnlySpan<byte> payload = header.Payload;
        if (payload.IsEmpty || (header.MoreFragments && (payload.Length & unitMask) != 0))
        {
            counters.InHdrErrors++;
            return;
        }

        IncomingFragment fragment = default;
        fragment.Source = header.Source;
        fragment.Destination = header.Destination;
        fragment.Identification = header.Identification;
        fragment.Protocol = header.Protocol;
        fragment.InterfaceIndex = interfaceIndex;
        fragment.OffsetBytes = header.OffsetBytes;
        fragment.HasMore = header.MoreFragments;
        fragment.Ecn = (byte)(header.TypeOfService & 3);
        fragment.Headers = header.Header;
        fragment.Payload = payload;
        if (_reassembly.TryComplete(fragment, out Span<byte> packet, out int headerBytes, out byte ecn))
        {
            Ipv4Header.MakeWhole(packet, headerBytes);
            if (Ipv4Header.TryParse(packet, out Ipv4Header whole))
            {
                Deliver(interfaceIndex, isToMany, whole, (byte)((whole.TypeOfService & ~3) | ecn));
            }
        }
    }

    private void Deliver(int interfaceIndex, bool isToMany, scoped in Ipv4Header header, byte typeOfService)
    {
        IncomingPacket packet = default;
        packet.InterfaceIndex = interfaceIndex;
        packet.Source = header.Source;
        packet.Destination = header.Destination;
        packet.Protocol = header.Protocol;
        packet.HopLimit = header.TimeToLive;
        packet.TrafficClass = typeOfService;
        packet.IsToMany = isToMany || packet.Destination.IsMulticast || _addresses.IsBroadcast(packet.Destination, interfaceIndex);
        packet.Packet = header.Packet;
        packet.Payload = header.Payload;
        if (_receiver.Deliver(packet))
        {
            _counters.Ipv4.InDelivers++;
        }
        else
        {
            _counters.Ipv4.InUnknownProtos++;
            _errors.Send(packet, IcmpType.DestinationUnreachable, IcmpUnreachable.Protocol);
        }
    }

    /// <summary>
    /// Addresses that no packet on a wire has (RFC 1122, 3.2.1.3): groups and broadcasts as sources, loopback on either side.
    /// </summary>
    private bool IsPossible(int interfaceIndex, IpAddress source, IpAddress destination)
    {
        const uint firstGroup = 0xE0;
        uint network = source.V4 >> 24;
        if (network >= firstGroup || (network == 0 && !source.IsUnspecified) || _addresses.IsBroadcast(source, interfaceIndex))
        {
            return false;
        }

        return _interfaces[interfaceIndex].Kind == InterfaceKind.Loopback
            || (!source.IsLoopback && !destination.IsLoopback && !source.Equals(destination));
    }

    private bool IsForUs(int interfaceIndex, scoped in Ipv4Header header, bool isBroadcast)
    {
        IpAddress destination = header.Destination;
        return destination.IsMulticast
            ? _groups.IsJoined(destination, interfaceIndex)
            : isBroadcast || _addresses.IsLocal(destination, interfaceIndex)
                || (header.Protocol == IpProtocol.Udp && AwaitsAddress(interfaceIndex));
    }

    /// <summary>
    /// A card without an IPv4 address takes datagrams that its own hardware address was named for: a DHCP server's answer goes to the
    /// address that it is
    /// about to give (RFC 2131, 4.1).
    /// </summary>
    private bool AwaitsAddress(int interfaceIndex)
    {
        for (int index = 0; index < _addresses.Capacity; index++)
        {
            if (_addresses[index].InterfaceIndex == interfaceIndex && _addresses[index].Address.IsV4)
            {
                return false;
            }
        }

        return true;
    }
}
