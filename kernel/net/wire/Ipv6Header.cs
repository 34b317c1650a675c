// The IPv6 header (RFC 8200, 3).

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a packet.</summary>
public readonly ref struct Ipv6Header
{
    public const int SizeBytes = 40;
    /// <summary>Every link carries packets of this size (RFC 8200, 5).</summary>
    public const int MinimumMtu = 1280;
    public const int NextHeaderOffset = 6;

    /// <summary>Offset of the payload length, for pointers of Parameter Problem.</summary>
    public const int PayloadLengthOffset = 4;

    private const int HopLimitOffset = 7;
    private const int SourceOffset = 8;
    private const int DestinationOffset = 24;
    private const uint Version = 6U << 28;
    private const int TrafficClassShift = 20;
    private const uint FlowLabelMask = 0xFFFFF;

    private readonly ReadOnlySpan<byte> _packet;

    private Ipv6Header(ReadOnlySpan<byte> packet)
    {
        _packet = packet;
    }

    public byte TrafficClass => (byte)(BinaryPrimitives.ReadUInt32BigEndian(_packet) >> TrafficClassShift);

    public uint FlowLabel => BinaryPrimitives.ReadUInt32BigEndian(_packet) & FlowLabelMask;

    public byte NextHeader => _packet[NextHeaderOffset];

    public byte HopLimit => _packet[HopLimitOffset];

    public IpAddress Source => IpAddress.FromV6(_packet.Slice(SourceOffset));

    public IpAddress Destination => IpAddress.FromV6(_packet.Slice(DestinationOffset));

    /// <summary>Header and payload, without padding.</summary>
    public ReadOnlySpan<byte> Packet => _packet;

    public ReadOnlySpan<byte> Payload => _packet.Slice(SizeBytes);

    /// <summary>False: too short, another version, or a payload length that is more than there is.</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out Ipv6Header header)
    {
        header = default;
        if (!TryParseQuoted(packet, out _))
        {
            return false;
        }

        int total = SizeBytes + BinaryPrimitives.ReadUInt16BigEndian(packet.Slice(PayloadLengthOffset));
        if (total > packet.Length)
        {
            return false;
        }

        header = new Ipv6Header(packet.Slice(0, total));
        return true;
    }

    /// <summary>The start of a packet as an ICMPv6 error quotes it: it may end anywhere after the header.</summary>
    public static bool TryParseQuoted(ReadOnlySpan<byte> packet, out Ipv6Header header)
    {
        header = new Ipv6Header(packet);
        return packet.Length >= SizeBytes && packet[0] >> 4 == 6;
    }

    public static void Write(Span<byte> to, in Ipv6Fields fields, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(
            to, Version | ((uint)fields.TrafficClass << TrafficClassShift) | (fields.FlowLabel & FlowLabelMask));
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(PayloadLengthOffset), (ushort)payloadBytes);
        to[NextHeaderOffset] = fields.NextHeader;
        to[HopLimitOffset] = fields.HopLimit;
        fields.Source.WriteV6(to.Slice(SourceOffset));
        fields.Destination.WriteV6(to.Slice(DestinationOffset));
    }
}

/// <summary>What a header that is written says.</summary>
public struct Ipv6Fields
{
    public IpAddress Source;
    public IpAddress Destination;
    public byte NextHeader;
    public byte HopLimit;
    public byte TrafficClass;
    public uint FlowLabel;
}
