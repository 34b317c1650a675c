// The IPv4 header (RFC 791, 3.1). Options are skipped: nothing here sends or obeys any.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a packet whose header is whole and intact.</summary>
public readonly ref struct Ipv4Header
{
    /// <summary>Without options.</summary>
    public const int SizeBytes = 20;
    public const int MaxSizeBytes = 60;
    public const int MaxPacketBytes = ushort.MaxValue;
    public const int ChecksumOffset = 10;

    public const ushort DontFragmentFlag = 0x4000;
    public const ushort MoreFragmentsFlag = 0x2000;

    private const byte VersionAndLength = 0x45;
    private const int TotalLengthOffset = 2;
    private const int IdentificationOffset = 4;
    private const int FragmentOffset = 6;
    private const ushort OffsetMask = 0x1FFF;
    private const int OffsetUnitBytes = 8;
    private const int TimeToLiveOffset = 8;
    private const int ProtocolOffset = 9;
    private const int SourceOffset = 12;
    private const int DestinationOffset = 16;

    private readonly ReadOnlySpan<byte> _packet;
    private readonly int _headerBytes;

    private Ipv4Header(ReadOnlySpan<byte> packet, int headerBytes)
    {
        _packet = packet;
        _headerBytes = headerBytes;
    }

    public byte TypeOfService => _packet[1];

    public ushort Identification => BinaryPrimitives.ReadUInt16BigEndian(_packet.Slice(IdentificationOffset));

    public bool DontFragment => (Fragment & DontFragmentFlag) != 0;

    public bool MoreFragments => (Fragment & MoreFragmentsFlag) != 0;

    public int OffsetBytes => (Fragment & OffsetMask) * OffsetUnitBytes;

    public byte TimeToLive => _packet[TimeToLiveOffset];

    public byte Protocol => _packet[ProtocolOffset];

    public IpAddress Source => IpAddress.FromV4(_packet.Slice(SourceOffset));

    public IpAddress Destination => IpAddress.FromV4(_packet.Slice(DestinationOffset));

    /// <summary>Header and payload, without padding.</summary>
    public ReadOnlySpan<byte> Packet => _packet;

    public ReadOnlySpan<byte> Header => _packet.Slice(0, _headerBytes);

    public ReadOnlySpan<byte> Payload => _packet.Slice(_headerBytes);

    private ushort Fragment => BinaryPrimitives.ReadUInt16BigEndian(_packet.Slice(FragmentOffset));

    /// <summary>False: too short, another version, lengths that contradict each other, or a wrong checksum (RFC 1122, 3.2.1).</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out Ipv4Header header)
    {
        header = default;
        if (!TryParseQuoted(packet, out Ipv4Header parsed))
        {
            return false;
        }

        int total = BinaryPrimitives.ReadUInt16BigEndian(packet.Slice(TotalLengthOffset));
        if (total < parsed._headerBytes || total > packet.Length || !ChecksumField.IsIntact(parsed.Header))
        {
            return false;
        }

        header = new Ipv4Header(packet.Slice(0, total), parsed._headerBytes);
        return true;
    }

    /// <summary>The start of a packet as an ICMP error quotes it: lengths and checksum mean nothing there.</summary>
    public static bool TryParseQuoted(ReadOnlySpan<byte> packet, out Ipv4Header header)
    {
        header = default;
        if (packet.Length < SizeBytes || packet[0] >> 4 != 4)
        {
            return false;
        }

        int headerBytes = (packet[0] & 0xF) * sizeof(uint);
        if (headerBytes < SizeBytes || headerBytes > packet.Length)
        {
            return false;
        }

        header = new Ipv4Header(packet, headerBytes);
        return true;
    }

    /// <summary>Writes a header without options, with its checksum.</summary>
    /// <param name="to">Where the 20 bytes go.</param>
    /// <param name="fields">What it says.</param>
    /// <param name="payloadBytes">Of this packet.</param>
    public static void Write(Span<byte> to, in Ipv4Fields fields, int payloadBytes)
    {
        to[0] = VersionAndLength;
        to[1] = fields.TypeOfService;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(TotalLengthOffset), (ushort)(SizeBytes + payloadBytes));
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(IdentificationOffset), fields.Identification);
        BinaryPrimitives.WriteUInt16BigEndian(
            to.Slice(FragmentOffset), (ushort)(fields.Flags | (fields.OffsetBytes / OffsetUnitBytes)));
        to[TimeToLiveOffset] = fields.TimeToLive;
        to[ProtocolOffset] = fields.Protocol;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(ChecksumOffset), 0);
        fields.Source.WriteV4(to.Slice(SourceOffset));
        fields.Destination.WriteV4(to.Slice(DestinationOffset));
        ChecksumField.Write(to.Slice(0, SizeBytes), ChecksumOffset);
    }
}

/// <summary>What a header that is written says.</summary>
public struct Ipv4Fields
{
    public IpAddress Source;
    public IpAddress Destination;
    public byte Protocol;
    public byte TimeToLive;
    public byte TypeOfService;
    public ushort Identification;
    /// <summary>DontFragmentFlag, MoreFragmentsFlag.</summary>
    public ushort Flags;
    /// <summary>A multiple of 8.</summary>
    public int OffsetBytes;
}
