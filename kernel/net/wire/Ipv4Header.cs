// The IPv4 header (RFC 791, 3.1). Options are skipped; the only one that is sent is the router alert (RFC 2113).

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

    /// <summary>Copied on fragmentation, control, number 20, 4 bytes, value 0.</summary>
    private const uint RouterAlertOption = 0x9404_0000;
    private const byte Version = 4 << 4;
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

    /// <summary>As the header says: of a quoted packet, more than there is.</summary>
    public int TotalLength => BinaryPrimitives.ReadUInt16BigEndian(_packet.Slice(TotalLengthOffset));

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

    /// <summary>Makes the header of a first fragment that of the whole packet, which it precedes.</summary>
    public static void MakeWhole(Span<byte> packet, int headerBytes)
    {
        BinaryPrimitives.WriteUInt16BigEndian(packet.Slice(TotalLengthOffset), (ushort)packet.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.Slice(FragmentOffset), 0);
        BinaryPrimitives.WriteUInt16BigEndian(packet.Slice(ChecksumOffset), 0);
        ChecksumField.Write(packet.Slice(0, headerBytes), ChecksumOffset);
    }

    /// <summary>Fills in what a program may leave out of a header (raw(7)): source and identification if 0, length, checksum.</summary>
    public static void Complete(Span<byte> header, IpAddress source, ushort identification, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt16BigEndian(header.Slice(TotalLengthOffset), (ushort)(header.Length + payloadBytes));
        if (BinaryPrimitives.ReadUInt32BigEndian(header.Slice(SourceOffset)) == 0)
        {
            source.WriteV4(header.Slice(SourceOffset));
        }

        if (BinaryPrimitives.ReadUInt16BigEndian(header.Slice(IdentificationOffset)) == 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header.Slice(IdentificationOffset), identification);
        }

        BinaryPrimitives.WriteUInt16BigEndian(header.Slice(ChecksumOffset), 0);
        ChecksumField.Write(header, ChecksumOffset);
    }

    /// <summary>Writes a header with its checksum; how many bytes it has.</summary>
    public static int Write(Span<byte> to, in Ipv4Fields fields, int payloadBytes)
    {
        int headerBytes = SizeBytes;
        if (fields.HasRouterAlert)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to.Slice(SizeBytes), RouterAlertOption);
            headerBytes += sizeof(uint);
        }

        to[0] = (byte)(Version | (headerBytes / sizeof(uint)));
        to[1] = fields.TypeOfService;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(TotalLengthOffset), (ushort)(headerBytes + payloadBytes));
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(IdentificationOffset), fields.Identification);
        BinaryPrimitives.WriteUInt16BigEndian(
            to.Slice(FragmentOffset), (ushort)(fields.Flags | (fields.OffsetBytes / OffsetUnitBytes)));
        to[TimeToLiveOffset] = fields.TimeToLive;
        to[ProtocolOffset] = fields.Protocol;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(ChecksumOffset), 0);
        fields.Source.WriteV4(to.Slice(SourceOffset));
        fields.Destination.WriteV4(to.Slice(DestinationOffset));
        ChecksumField.Write(to.Slice(0, headerBytes), ChecksumOffset);
        return headerBytes;
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
    public bool HasRouterAlert;
}
