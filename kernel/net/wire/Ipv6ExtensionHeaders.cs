// The chain of IPv6 extension headers (RFC 8200, 4). One header at a time: the walker (ip/Ipv6Input) decides what each means.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of an options or a routing header: next header, length in units of 8 bytes beyond the first 8, contents.</summary>
public readonly ref struct Ipv6ExtensionHeader
{
    private const int UnitBytes = 8;
    private const int SegmentsLeftOffset = 3;

    /// <summary>Offset of the options in an options header.</summary>
    public const int OptionsOffset = 2;

    private readonly ReadOnlySpan<byte> _header;

    private Ipv6ExtensionHeader(ReadOnlySpan<byte> header)
    {
        _header = header;
    }

    public byte NextHeader => _header[0];

    public int LengthBytes => _header.Length;

    /// <summary>The options' type-length-value bytes.</summary>
    public ReadOnlySpan<byte> Options => _header.Slice(OptionsOffset);

    public byte SegmentsLeft => _header[SegmentsLeftOffset];

    /// <summary>False when the packet ends before the header does.</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out Ipv6ExtensionHeader header)
    {
        header = default;
        if (packet.Length < UnitBytes)
        {
            return false;
        }

        int length = (packet[1] + 1) * UnitBytes;
        if (length > packet.Length)
        {
            return false;
        }

        header = new Ipv6ExtensionHeader(packet.Slice(0, length));
        return true;
    }
}

/// <summary>A view of the fragment header (RFC 8200, 4.5).</summary>
public readonly ref struct Ipv6FragmentHeader
{
    public const int SizeBytes = 8;

    private const int OffsetOffset = 2;
    private const int IdentificationOffset = 4;
    private const ushort OffsetMask = 0xFFF8;
    private const ushort MoreFragmentsBit = 1;

    private readonly ReadOnlySpan<byte> _header;

    private Ipv6FragmentHeader(ReadOnlySpan<byte> header)
    {
        _header = header;
    }

    public byte NextHeader => _header[0];

    /// <summary>Of the fragment's first byte in the fragmentable part.</summary>
    public int OffsetBytes => BinaryPrimitives.ReadUInt16BigEndian(_header.Slice(OffsetOffset)) & OffsetMask;

    public bool MoreFragments => (BinaryPrimitives.ReadUInt16BigEndian(_header.Slice(OffsetOffset)) & MoreFragmentsBit) != 0;

    public uint Identification => BinaryPrimitives.ReadUInt32BigEndian(_header.Slice(IdentificationOffset));

    public static bool TryParse(ReadOnlySpan<byte> packet, out Ipv6FragmentHeader header)
    {
        header = new Ipv6FragmentHeader(packet);
        return packet.Length >= SizeBytes;
    }

    public static void Write(Span<byte> to, byte nextHeader, int offsetBytes, bool moreFragments, uint identification)
    {
        to[0] = nextHeader;
        to[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(OffsetOffset), (ushort)(offsetBytes | (moreFragments ? MoreFragmentsBit : 0)));
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(IdentificationOffset), identification);
    }
}

/// <summary>Option types of hop-by-hop and destination options, and what an unknown one's top bits demand (RFC 8200, 4.2).</summary>
public static class Ipv6Option
{
    public const byte Pad1 = 0;
    public const byte PadN = 1;
    /// <summary>RFC 2711.</summary>
    public const byte RouterAlert = 5;

    /// <summary>The highest-order two bits of an option type.</summary>
    public static Ipv6OptionAction ActionOf(byte type) => (Ipv6OptionAction)(type >> 6);
}

/// <summary>What becomes of a packet with an option that the node does not know.</summary>
public enum Ipv6OptionAction
{
    Skip = 0,
    Discard = 1,
    DiscardAndReport = 2,
    DiscardAndReportUnlessGroup = 3,
}
