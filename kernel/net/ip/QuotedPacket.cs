// The start of a packet of ours, as an ICMP error quotes it: the addresses, the protocol, and the bytes with the ports.

using System;

namespace Lego.Kernel;

/// <summary>Reads quoted packets.</summary>
public static class QuotedPacket
{
    /// <summary>Extension headers and ports that are looked at when the quotation is our own.</summary>
    public const int MaxHeadersBytes = 64;

    private const int PortBytes = 8;
    private const int MaxExtensionHeaders = 4;

    /// <summary>Fills in what the quotation tells. False: it is cut off before the ports, or of a later fragment.</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out IncomingError error) =>
        TryFindPayload(packet, out error) && error.Payload.Length >= PortBytes;

    /// <summary>
    /// Whether a packet is, or may be, an ICMP error itself, about which nothing may be said (RFC 1122, 3.2.2; RFC 4443, 2.4(e)).
    /// </summary>
    public static bool IsError(ReadOnlySpan<byte> packet)
    {
        if (!TryFindPayload(packet, out IncomingError error))
        {
            return true;
        }

        return error.Protocol switch
        {
            IpProtocol.Icmp => error.Payload.IsEmpty || IcmpType.IsError(error.Payload[0]),
            IpProtocol.Icmpv6 => error.Payload.IsEmpty || Icmpv6Type.IsError(error.Payload[0]),
            _ => false,
        };
    }

    private static bool TryFindPayload(ReadOnlySpan<byte> packet, out IncomingError error)
    {
        error = default;
        return !packet.IsEmpty && (packet[0] >> 4 == 4 ? TryParseIpv4(packet, ref error) : TryParseIpv6(packet, ref error));
    }

    private static bool TryParseIpv4(ReadOnlySpan<byte> packet, ref IncomingError error)
    {
        if (!Ipv4Header.TryParseQuoted(packet, out Ipv4Header header) || header.OffsetBytes != 0)
        {
            return false;
        }

        error.Source = header.Source;
        error.Destination = header.Destination;
        error.Protocol = header.Protocol;
        error.Payload = header.Payload;
        return true;
    }

    private static bool TryParseIpv6(ReadOnlySpan<byte> packet, ref IncomingError error)
    {
        if (!Ipv6Header.TryParseQuoted(packet, out Ipv6Header header))
        {
            return false;
        }

        byte next = header.NextHeader;
        ReadOnlySpan<byte> rest = packet.Slice(Ipv6Header.SizeBytes);
        for (int count = 0; count < MaxExtensionHeaders && IsExtension(next); count++)
        {
            if (next == IpProtocol.FragmentHeader)
            {
                if (!Ipv6FragmentHeader.TryParse(rest, out Ipv6FragmentHeader fragment) || fragment.OffsetBytes != 0)
                {
                    return false;
                }

                next = fragment.NextHeader;
                rest = rest.Slice(Ipv6FragmentHeader.SizeBytes);
            }
            else if (Ipv6ExtensionHeader.TryParse(rest, out Ipv6ExtensionHeader extension))
            {
                next = extension.NextHeader;
                rest = rest.Slice(extension.LengthBytes);
            }
            else
            {
                return false;
            }
        }

        error.Source = header.Source;
        error.Destination = header.Destination;
        error.Protocol = next;
        error.Payload = rest;
        return !error.Source.IsV4 && !error.Destination.IsV4;
    }

    private static bool IsExtension(byte next) => next is IpProtocol.HopByHopOptions or IpProtocol.RoutingHeader
        or IpProtocol.FragmentHeader or IpProtocol.DestinationOptions;
}
