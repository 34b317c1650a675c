// Ethernet II framing (RFC 894): destination, source, EtherType, payload. The frame check sequence is the card's business.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a frame.</summary>
public readonly ref struct EthernetHeader
{
    public const int SizeBytes = 14;
    /// <summary>Smaller values are lengths of IEEE 802.3 frames, which carry no IP here.</summary>
    public const ushort FirstEtherType = 0x600;

    private const int SourceOffset = 6;
    private const int EtherTypeOffset = 12;

    private readonly ReadOnlySpan<byte> _frame;

    private EthernetHeader(ReadOnlySpan<byte> frame)
    {
        _frame = frame;
    }

    public ulong Destination => MacAddress.Read(_frame);

    public ulong Source => MacAddress.Read(_frame.Slice(SourceOffset));

    public ushort EtherType => BinaryPrimitives.ReadUInt16BigEndian(_frame.Slice(EtherTypeOffset));

    /// <summary>Whatever follows the header, padding included.</summary>
    public ReadOnlySpan<byte> Payload => _frame.Slice(SizeBytes);

    /// <summary>False when the frame is shorter than a header.</summary>
    public static bool TryParse(ReadOnlySpan<byte> frame, out EthernetHeader header)
    {
        header = new EthernetHeader(frame);
        return frame.Length >= SizeBytes;
    }

    public static void Write(Span<byte> to, ulong destination, ulong source, ushort etherType)
    {
        MacAddress.Write(to, destination);
        MacAddress.Write(to.Slice(SourceOffset), source);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(EtherTypeOffset), etherType);
    }
}

/// <summary>EtherTypes that the stack knows (IANA, IEEE 802 Numbers).</summary>
public static class EtherType
{
    public const ushort Ipv4 = 0x0800;
    public const ushort Arp = 0x0806;
    public const ushort Ipv6 = 0x86DD;
}
