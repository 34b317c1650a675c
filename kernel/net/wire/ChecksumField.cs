// The checksum field of a message that lies in one piece.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>Judges and fills in checksums.</summary>
public static class ChecksumField
{
    /// <summary>Of an IPv4 header, an ICMP or an IGMP message.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> message)
    {
        InternetChecksum sum = default;
        sum.Add(message);
        return sum.IsIntact;
    }

    /// <summary>Of a UDP datagram or an ICMPv6 message.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination, byte protocol)
    {
        InternetChecksum sum = default;
        sum.AddPseudoHeader(source, destination, protocol, message.Length);
        sum.Add(message);
        return sum.IsIntact;
    }

    /// <summary>Of an IPv4 header, an ICMP or an IGMP message whose field is 0 so far.</summary>
    public static void Write(Span<byte> message, int offset)
    {
        InternetChecksum sum = default;
        sum.Add(message);
        BinaryPrimitives.WriteUInt16BigEndian(message.Slice(offset), sum.Value);
    }

    /// <summary>Of an ICMPv6 message whose field is 0 so far.</summary>
    public static void Write(Span<byte> message, int offset, IpAddress source, IpAddress destination, byte protocol)
    {
        InternetChecksum sum = default;
        sum.AddPseudoHeader(source, destination, protocol, message.Length);
        sum.Add(message);
        BinaryPrimitives.WriteUInt16BigEndian(message.Slice(offset), sum.Value);
    }
}
