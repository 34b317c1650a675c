// The header of a TCP segment (RFC 9293, 3.1): a view of received bytes, and writing. Fields are big-endian on the wire.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>Control bits of a segment (RFC 9293, 3.1; ECE and CWR: RFC 3168, 6.1).</summary>
[Flags]
public enum TcpFlags : byte
{
    None = 0,
    Fin = 0x01,
    Syn = 0x02,
    Rst = 0x04,
    Psh = 0x08,
    Ack = 0x10,
    Urg = 0x20,
    Ece = 0x40,
    Cwr = 0x80,
}

/// <summary>A received segment whose length and data offset have been checked.</summary>
public readonly ref struct TcpHeader
{
    /// <summary>A header without options.</summary>
    public const int MinimumBytes = 20;

    /// <summary>The largest header that the data offset can tell.</summary>
    public const int MaximumBytes = 60;

    /// <summary>TCP's number in the IP header.</summary>
    public const byte Protocol = 6;

    private const int SourcePortOffset = 0;
    private const int DestinationPortOffset = 2;
    private const int SequenceOffset = 4;
    private const int AcknowledgmentOffset = 8;
    private const int DataOffsetOffset = 12;
    private const int FlagsOffset = 13;
    private const int WindowOffset = 14;
    private const int ChecksumOffset = 16;
    private const int UrgentPointerOffset = 18;

    private readonly ReadOnlySpan<byte> _segment;

    private TcpHeader(ReadOnlySpan<byte> segment, int headerBytes)
    {
        _segment = segment;
        HeaderBytes = headerBytes;
    }

    public ushort SourcePort => BinaryPrimitives.ReadUInt16BigEndian(_segment[SourcePortOffset..]);

    public ushort DestinationPort => BinaryPrimitives.ReadUInt16BigEndian(_segment[DestinationPortOffset..]);

    /// <summary>SEG.SEQ.</summary>
    public uint Sequence => BinaryPrimitives.ReadUInt32BigEndian(_segment[SequenceOffset..]);

    /// <summary>SEG.ACK; meaningful with <see cref="TcpFlags.Ack"/>.</summary>
    public uint Acknowledgment => BinaryPrimitives.ReadUInt32BigEndian(_segment[AcknowledgmentOffset..]);

    /// <summary>Bytes of header and options.</summary>
    public int HeaderBytes { get; }

    public TcpFlags Flags => (TcpFlags)_segment[FlagsOffset];

    /// <summary>SEG.WND, not scaled.</summary>
    public ushort Window => BinaryPrimitives.ReadUInt16BigEndian(_segment[WindowOffset..]);

    /// <summary>SEG.UP; meaningful with <see cref="TcpFlags.Urg"/>.</summary>
    public ushort UrgentPointer => BinaryPrimitives.ReadUInt16BigEndian(_segment[UrgentPointerOffset..]);

    /// <summary>The options' bytes as they came.</summary>
    public ReadOnlySpan<byte> Options => _segment[MinimumBytes..HeaderBytes];

    public ReadOnlySpan<byte> Payload => _segment[HeaderBytes..];

    /// <summary>SEG.LEN: the payload's bytes, and one each for SYN and FIN.</summary>
    public uint SequenceLength =>
        (uint)(_segment.Length - HeaderBytes) + ((Flags & TcpFlags.Syn) != 0 ? 1u : 0) + ((Flags & TcpFlags.Fin) != 0 ? 1u : 0);

    /// <summary>False for bytes that are too short for the header that they announce. The checksum is looked at separately.</summary>
    public static bool TryParse(ReadOnlySpan<byte> segment, out TcpHeader header)
    {
        header = default;
        if (segment.Length < MinimumBytes)
        {
            return false;
        }

        int headerBytes = (segment[DataOffsetOffset] >> 4) * sizeof(uint);
        if (headerBytes < MinimumBytes || headerBytes > segment.Length)
        {
            return false;
        }

        header = new TcpHeader(segment, headerBytes);
        return true;
    }

    /// <summary>True when the checksum over pseudo-header and segment is right.</summary>
    public bool IsIntact(IpAddress source, IpAddress destination)
    {
        InternetChecksum checksum = default;
        checksum.AddPseudoHeader(source, destination, Protocol, _segment.Length);
        checksum.Add(_segment);
        return checksum.IsIntact;
    }

    /// <summary>
    /// Writes a header whose options are in place already, behind the first 20 bytes; the destination's length is the header's, a multiple
    /// of four. The checksum is left 0.
    /// </summary>
    public static void Write(Span<byte> header, ushort sourcePort, ushort destinationPort, uint sequence, uint acknowledgment,
        TcpFlags flags,
        ushort window, ushort urgentPointer)
    {
        BinaryPrimitives.WriteUInt16BigEndian(header[SourcePortOffset..], sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(header[DestinationPortOffset..], destinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(header[SequenceOffset..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(header[AcknowledgmentOffset..], acknowledgment);
        header[DataOffsetOffset] = (byte)((header.Length / sizeof(uint)) << 4);
        header[FlagsOffset] = (byte)flags;
        BinaryPrimitives.WriteUInt16BigEndian(header[WindowOffset..], window);
        BinaryPrimitives.WriteUInt16BigEndian(header[ChecksumOffset..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[UrgentPointerOffset..], urgentPointer);
    }

    /// <summary>Sets the checksum field.</summary>
    public static void SetChecksum(Span<byte> header, ushort checksum) =>
        BinaryPrimitives.WriteUInt16BigEndian(header[ChecksumOffset..], checksum);
}
