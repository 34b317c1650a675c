// Received IPv6 packets (RFC 8200): checked, their extension headers walked (4.1), put together, handed to the protocol. Nothing is
// forwarded: routing headers with segments left are refused, type 0 for ever (RFC 5095).

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>Takes packets.</summary>
public sealed class Ipv6Input
{
    /// <summary>Longer chains serve nobody but those who want to keep us busy (RFC 8504, 5.3).</summary>
    private const int MaxExtensionHeaders = 8;

    private const int MaxOptions = 16;

    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly GroupTable _groups;
    private readonly Reassembly _reassembly;
    private readonly IcmpErrors _errors;
    private readonly NetworkCounters _counters;
    private readonly IpReceiver _receiver;

    public Ipv6Input(
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
    /// <param name="isToMany">Its frame was for a group.</param>
    /// <param name="bytes">The packet, and perhaps padding.</param>
    public void Receive(int interfaceIndex, bool isToMany, ReadOnlySpan<byte> bytes)
    {
        ref IpCounters counters = ref _counters.Ipv6;
        counters.InReceives++;
        counters.InOctets += (ulong)bytes.Length;
        if (!Ipv6Header.TryParse(bytes, out Ipv6Header header))
        {
            counters.InHdrErrors++;
            return;
        }

        if (!IsPossible(interfaceIndex, header.Source, header.Destination) || !IsForUs(interfaceIndex, header.Destination))
        {
            counters.InAddrErrors++;
            return;
        }

        counters.InMcastPkts += header.Destination.IsMulticast ? 1UL : 0;
        IncomingPacket packet = PacketOf(interfaceIndex, isToMany, header);
        Walk(packet, isWhole: false);
    }

    /// <summary>Tells the source of an expired datagram (RFC 4443, 3.3); releases nothing.</summary>
    public unsafe void ReportExpired(in ExpiredReassembly expired)
    {
        Span<byte> start = stackalloc byte[Ipv6Header.MinimumMtu - Ipv6Header.SizeBytes - IcmpHeader.SizeBytes];
        start = start.Slice(0, expired.First->CopyTo(0, start));
        if (Ipv6Header.TryParseQuoted(start, out Ipv6Header header))
        {
            _errors.Send(
                PacketOf(expired.InterfaceIndex, isToMany: false, header), Icmpv6Type.TimeExceeded, IcmpTimeExceeded.Reassembly);
        }
    }

    private static IncomingPacket PacketOf(int interfaceIndex, bool isToMany, Ipv6Header header)
    {
        IncomingPacket packet = default;
        packet.InterfaceIndex = interfaceIndex;
        packet.Source = header.Source;
        packet.Destination = header.Destination;
        packet.Protocol = header.NextHeader;
        packet.ProtocolOffset = Ipv6Header.NextHeaderOffset;
        packet.HopLimit = header.HopLimit;
        packet.TrafficClass = header.TrafficClass;
        packet.IsToMany = isToMany || packet.Destination.IsMulticast;
        packet.Packet = header.Packet;
        packet.Payload = header.Payload;
        return packet;
    }

    /// <summary>Walks the extension headers, then delivers.</summary>
    private void Walk(scoped IncomingPacket packet, bool isWhole)
    {
        for (int count = 0; ; count++)
        {
            switch (packet.Protocol)
            {
                case IpProtocol.HopByHopOptions when count == 0:
                case IpProtocol.DestinationOptions:
                    if (count >= MaxExtensionHeaders || !TryOptions(ref packet))
                    {
                        return;
                    }

                    break;
                case IpProtocol.RoutingHeader:
                    if (count >= MaxExtensionHeaders || !TryRouting(ref packet))
                    {
                        return;
                    }

                    break;
                case IpProtocol.FragmentHeader when !isWhole:
                    if (!TryFragment(ref packet))
                    {
                        return;
                    }

                    break;
                case IpProtocol.NoNextHeader:
                    return;
                default:
                    Deliver(packet);
                    return;
            }
        }
    }

    private void Deliver(scoped in IncomingPacket packet)
    {
        if (_receiver.Deliver(packet))
        {
            _counters.Ipv6.InDelivers++;
            return;
        }

        _counters.Ipv6.InUnknownProtos++;
        _errors.Send(
            packet, Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.UnknownNextHeader, (uint)packet.ProtocolOffset);
    }

    private static int PayloadOffset(scoped in IncomingPacket packet) => packet.Packet.Length - packet.Payload.Length;

    private static void Advance(ref IncomingPacket packet, byte nextHeader, int headerBytes)
    {
        packet.Protocol = nextHeader;
        packet.ProtocolOffset = PayloadOffset(packet);
        packet.Payload = packet.Payload.Slice(headerBytes);
    }

    private bool TryOptions(ref IncomingPacket packet)
    {
        if (!Ipv6ExtensionHeader.TryParse(packet.Payload, out Ipv6ExtensionHeader header))
        {
            _counters.Ipv6.InTruncatedPkts++;
            return false;
        }

        ReadOnlySpan<byte> options = header.Options;
        int at = 0;
        for (int count = 0; at < options.Length; count++)
        {
            byte type = options[at];
            if (type == Ipv6Option.Pad1)
            {
                at++;
                continue;
            }

            if (count >= MaxOptions || at + 1 >= options.Length || at + 2 + options[at + 1] > options.Length)
            {
                _counters.Ipv6.InHdrErrors++;
                return false;
            }

            if (type is not (Ipv6Option.PadN or Ipv6Option.RouterAlert) && !TryUnknownOption(packet, type, at))
            {
                return false;
            }

            at += 2 + options[at + 1];
        }

        Advance(ref packet, header.NextHeader, header.LengthBytes);
        return true;
    }

    /// <summary>Does what the option's type asks for (4.2); true: go on.</summary>
    private bool TryUnknownOption(scoped in IncomingPacket packet, byte type, int at)
    {
        Ipv6OptionAction action = Ipv6Option.ActionOf(type);
        if (action == Ipv6OptionAction.Skip)
        {
            return true;
        }

        _counters.Ipv6.InHdrErrors++;
        bool isReported = action == Ipv6OptionAction.DiscardAndReport
            || (action == Ipv6OptionAction.DiscardAndReportUnlessGroup && !packet.Destination.IsMulticast);
        if (isReported)
        {
            uint pointer = (uint)(PayloadOffset(packet) + Ipv6ExtensionHeader.OptionsOffset + at);
            _errors.Send(packet, Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.UnknownOption, pointer, alsoToMany: true);
        }

        return false;
    }

    private bool TryRouting(ref IncomingPacket packet)
    {
        const int routingTypeOffset = 2;
        if (!Ipv6ExtensionHeader.TryParse(packet.Payload, out Ipv6ExtensionHeader header))
        {
            _counters.Ipv6.InTruncatedPkts++;
            return false;
        }

        if (header.SegmentsLeft != 0)
        {
            _counters.Ipv6.InHdrErrors++;
            _errors.Send(
                packet, Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.ErroneousHeader,
                (uint)(PayloadOffset(packet) + routingTypeOffset));
            return false;
        }

        Advance(ref packet, header.NextHeader, header.LengthBytes);
        return true;
    }

    /// <summary>
    /// True: the packet was whole in spite of its fragment header (RFC 6946). A whole one made of fragments is delivered here.
    /// </summary>
    private bool TryFragment(ref IncomingPacket packet)
    {
        const int unitMask = 7;
        if (!Ipv6FragmentHeader.TryParse(packet.Payload, out Ipv6FragmentHeader header))
        {
            _counters.Ipv6.InTruncatedPkts++;
            return false;
        }

        if (header.OffsetBytes == 0 && !header.MoreFragments)
        {
            Advance(ref packet, header.NextHeader, Ipv6FragmentHeader.SizeBytes);
            return true;
        }

        ReadOnlySpan<byte> payload = packet.Payload.Slice(Ipv6FragmentHeader.SizeBytes);
        if (header.MoreFragments && (payload.Length & unitMask) != 0)
        {
            _counters.Ipv6.InHdrErrors++;
            _errors.Send(
                packet, Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.ErroneousHeader, Ipv6Header.PayloadLengthOffset);
            return false;
        }

        if (payload.IsEmpty)
        {
            _counters.Ipv6.InHdrErrors++;
            return false;
        }

        // RFC 8200, 4.5: what would be longer than a packet can be.
        if (header.OffsetBytes + payload.Length > ushort.MaxValue)
        {
            _counters.Ipv6.InHdrErrors++;
            _errors.Send(
                packet, Icmpv6Type.ParameterProblem, Icmpv6ParameterProblem.ErroneousHeader, (uint)PayloadOffset(packet) + 2);
            return false;
        }

        Collect(packet, header, payload);
        return false;
    }

    private void Collect(scoped in IncomingPacket packet, scoped in Ipv6FragmentHeader header, ReadOnlySpan<byte> payload)
    {
        IncomingFragment fragment = default;
        fragment.Source = packet.Source;
        fragment.Destination = packet.Destination;
        fragment.Identification = header.Identification;
        fragment.InterfaceIndex = packet.InterfaceIndex;
        fragment.OffsetBytes = header.OffsetBytes;
        fragment.HasMore = header.MoreFragments;
        fragment.Ecn = (byte)packet.Ecn;
        // The fragment header goes along, because an error about the datagram quotes it, and is cut out in the end.
        fragment.Headers = packet.Packet.Slice(0, packet.Packet.Length - payload.Length);
        fragment.Payload = payload;
        if (!_reassembly.TryComplete(fragment, out Span<byte> whole, out int headerBytes, out byte ecn))
        {
            return;
        }

        int unfragmentable = headerBytes - Ipv6FragmentHeader.SizeBytes;
        byte next = whole[unfragmentable];
        whole.Slice(0, unfragmentable).CopyTo(whole.Slice(Ipv6FragmentHeader.SizeBytes));
        whole = whole.Slice(Ipv6FragmentHeader.SizeBytes);
        if (!TryReplaceNextHeader(whole, unfragmentable, next))
        {
            _counters.Ipv6.InHdrErrors++;
            return;
        }

        BinaryPrimitives.WriteUInt16BigEndian(whole.Slice(Ipv6Header.PayloadLengthOffset), (ushort)(whole.Length - Ipv6Header.SizeBytes));
        if (Ipv6Header.TryParse(whole, out Ipv6Header parsed))
        {
            IncomingPacket complete = PacketOf(packet.InterfaceIndex, packet.IsToMany, parsed);
            complete.TrafficClass = (byte)((complete.TrafficClass & ~3) | ecn);
            Walk(complete, isWhole: true);
        }
    }

    /// <summary>The last header before the fragment header says what the fragment header has said.</summary>
    private static bool TryReplaceNextHeader(Span<byte> packet, int headersBytes, byte next)
    {
        int field = Ipv6Header.NextHeaderOffset;
        int at = Ipv6Header.SizeBytes;
        while (at < headersBytes && Ipv6ExtensionHeader.TryParse(packet.Slice(at), out Ipv6ExtensionHeader header))
        {
            field = at;
            at += header.LengthBytes;
        }

        packet[field] = next;
        return at == headersBytes;
    }

    /// <summary>
    /// Addresses that no packet on a wire has: groups as sources (RFC 4291, 2.7), the unspecified address as destination, loopback on
    /// either side
    /// (2.5.3), and IPv4 in IPv6's clothes, which would be taken for IPv4.
    /// </summary>
    private bool IsPossible(int interfaceIndex, IpAddress source, IpAddress destination)
    {
        if (source.IsMulticast || source.IsV4 || destination.IsV4 || destination.IsUnspecified)
        {
            return false;
        }

        return _interfaces[interfaceIndex].Kind == InterfaceKind.Loopback
            || (!source.IsLoopback && !destination.IsLoopback && !source.Equals(destination));
    }

    private bool IsForUs(int interfaceIndex, IpAddress destination) => destination.IsMulticast
        ? _groups.IsJoined(destination, interfaceIndex)
        : _addresses.IsLocal(destination, interfaceIndex == InterfaceTable.LoopbackIndex ? 0 : interfaceIndex);
}
