// UDP (RFC 768). Length counts header and data; what the IP packet has beyond it is padding. The checksum covers a pseudo-header and is
// judged by whoever knows the addresses.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a datagram.</summary>
public readonly ref struct UdpHeader
{
    public const int SizeBytes = 8;
    public const int MaxPayloadBytes = ushort.MaxValue - SizeBytes;
    public const int ChecksumOffset = 6;

    private const int DestinationOffset = 2;
    private const int LengthOffset = 4;

    private readonly ReadOnlySpan<byte> _datagram;

    private UdpHeader(ReadOnlySpan<byte> datagram)
    {
        _datagram = datagram;
    }

    public ushort SourcePort => BinaryPrimitives.ReadUInt16BigEndian(_datagram);

    public ushort DestinationPort => BinaryPrimitives.ReadUInt16BigEndian(_datagram.Slice(DestinationOffset));

    /// <summary>0: the sender has computed none.</summary>
    public ushort Checksum => BinaryPrimitives.ReadUInt16BigEndian(_datagram.Slice(ChecksumOffset));

    /// <summary>Header and data, without what follows them.</summary>
    public ReadOnlySpan<byte> Datagram => _datagram;

    public ReadOnlySpan<byte> Payload => _datagram.Slice(SizeBytes);

    /// <summary>False when the length field is less than a header or more than there is.</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out UdpHeader header)
    {
        header = default;
        if (packet.Length < SizeBytes)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(packet.Slice(LengthOffset));
        if (length < SizeBytes || length > packet.Length)
        {
            return false;
        }

        header = new UdpHeader(packet.Slice(0, length));
        return true;
    }

    /// <summary>Writes the checksum into a header that has none yet and precedes two pieces of data.</summary>
    public static void WriteChecksum(
        Span<byte> header, IpAddress source, IpAddress destination, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        InternetChecksum sum = default;
        sum.AddPseudoHeader(source, destination, IpProtocol.Udp, header.Length + a.Length + b.Length);
        sum.Add(header);
        sum.Add(a);
        sum.Add(b);
        // 0 would say that there is none (RFC 768).
        BinaryPrimitives.WriteUInt16BigEndian(header.Slice(ChecksumOffset), sum.Value == 0 ? ushort.MaxValue : sum.Value);
    }

    /// <summary>Writes the header with a checksum of 0, which the caller replaces.</summary>
    public static void Write(Span<byte> to, ushort sourcePort, ushort destinationPort, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt16BigEndian(to, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(DestinationOffset), destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(LengthOffset), (ushort)(SizeBytes + payloadBytes));
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(ChecksumOffset), 0);
    }
}
