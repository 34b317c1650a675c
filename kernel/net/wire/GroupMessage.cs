// What hosts and routers say about multicast groups: IGMPv2 (RFC 2236) and IGMPv3 (RFC 3376) for IPv4, MLDv1 (RFC 2710) and MLDv2 (RFC
// 3810) for IPv6. The stack joins groups as a whole, from any source, so reports are records without sources.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>IGMP messages.</summary>
public readonly ref struct IgmpMessage
{
    public const int SizeBytes = 8;
    public const int ChecksumOffset = 2;

    public const byte Query = 0x11;
    public const byte ReportV1 = 0x12;
    public const byte ReportV2 = 0x16;
    public const byte Leave = 0x17;
    public const byte ReportV3 = 0x22;

    /// <summary>A version 3 report with one record without sources.</summary>
    public const int ReportV3Bytes = 16;

    private const int GroupOffset = 4;
    private const int RecordCountOffset = 6;
    private const int RecordOffset = 8;
    private const int RecordGroupOffset = 12;
    private const int QueryV3Bytes = 12;

    private readonly ReadOnlySpan<byte> _message;

    private IgmpMessage(ReadOnlySpan<byte> message)
    {
        _message = message;
    }

    public byte Type => _message[0];

    /// <summary>Of a query: within which time to answer, in tenths of a second; 0 in version 1.</summary>
    public byte MaxResponse => _message[1];

    public uint Group => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(GroupOffset));

    /// <summary>Longer queries are version 3's (RFC 3376, 7.1).</summary>
    public bool IsVersion3 => _message.Length >= QueryV3Bytes;

    /// <summary>False when it is too short or its checksum is wrong.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out IgmpMessage parsed)
    {
        parsed = new IgmpMessage(message);
        return message.Length >= SizeBytes && ChecksumField.IsIntact(message);
    }

    /// <summary>A version 2 report or leave message, whole.</summary>
    public static void Write(Span<byte> to, byte type, uint group)
    {
        to.Slice(0, SizeBytes).Clear();
        to[0] = type;
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(GroupOffset), group);
        ChecksumField.Write(to.Slice(0, SizeBytes), ChecksumOffset);
    }

    /// <summary>A version 3 report about one group, whole.</summary>
    public static void WriteV3(Span<byte> to, GroupRecord record, uint group)
    {
        to.Slice(0, ReportV3Bytes).Clear();
        to[0] = ReportV3;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(RecordCountOffset), 1);
        to[RecordOffset] = (byte)record;
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(RecordGroupOffset), group);
        ChecksumField.Write(to.Slice(0, ReportV3Bytes), ChecksumOffset);
    }
}

/// <summary>MLD messages; their checksum is ICMPv6's.</summary>
public static class MldMessage
{
    /// <summary>A version 1 message, and the part of a query that all versions share.</summary>
    public const int SizeBytes = IcmpHeader.SizeBytes + IpAddress.V6Bytes;

    /// <summary>A version 2 report with one record without sources.</summary>
    public const int ReportV2Bytes = IcmpHeader.SizeBytes + RecordHeaderBytes + IpAddress.V6Bytes;

    /// <summary>Queries of this length and more are version 2's (RFC 3810, 8.1).</summary>
    public const int QueryV2Bytes = 28;

    private const int RecordHeaderBytes = 4;

    /// <summary>A report about one group, without its checksum.</summary>
    public static void WriteReportV2(Span<byte> to, GroupRecord record, IpAddress group)
    {
        to.Slice(0, ReportV2Bytes).Clear();
        IcmpHeader.Write(to, Icmpv6Type.ListenerReportV2, 0, 1);
        to[IcmpHeader.SizeBytes] = (byte)record;
        group.WriteV6(to.Slice(IcmpHeader.SizeBytes + RecordHeaderBytes));
    }

    /// <summary>A version 1 report or done message, without its checksum.</summary>
    public static void WriteV1(Span<byte> to, byte type, IpAddress group)
    {
        IcmpHeader.Write(to, type, 0, 0);
        group.WriteV6(to.Slice(IcmpHeader.SizeBytes));
    }
}

/// <summary>Types of group records (RFC 3376, 4.2.12; RFC 3810, 5.2.12).</summary>
public enum GroupRecord : byte
{
    ModeIsInclude = 1,
    ModeIsExclude = 2,
    ChangeToInclude = 3,
    ChangeToExclude = 4,
}
