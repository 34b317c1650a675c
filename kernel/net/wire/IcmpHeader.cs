// ICMP for IPv4 (RFC 792) and for IPv6 (RFC 4443): the same eight bytes, other numbers.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a message of either version: type, code, checksum, four bytes by type, the rest.</summary>
public readonly ref struct IcmpHeader
{
    public const int SizeBytes = 8;
    public const int ChecksumOffset = 2;
    public const int ParameterOffset = 4;

    private const int SequenceOffset = 6;

    private readonly ReadOnlySpan<byte> _message;

    private IcmpHeader(ReadOnlySpan<byte> message)
    {
        _message = message;
    }

    public byte Type => _message[0];

    public byte Code => _message[1];

    /// <summary>Identifier and sequence number of an echo, the MTU of Packet Too Big, the pointer of Parameter Problem.</summary>
    public uint Parameter => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(ParameterOffset));

    /// <summary>Of an echo (its identifier).</summary>
    public ushort Identifier => BinaryPrimitives.ReadUInt16BigEndian(_message.Slice(ParameterOffset));

    /// <summary>Of an echo; the next hop's MTU in IPv4's "fragmentation needed" (RFC 1191, 4).</summary>
    public ushort Sequence => BinaryPrimitives.ReadUInt16BigEndian(_message.Slice(SequenceOffset));

    public ReadOnlySpan<byte> Body => _message.Slice(SizeBytes);

    /// <summary>False when it is shorter than a header. The checksum is judged by the caller, who knows the addresses.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out IcmpHeader header)
    {
        header = new IcmpHeader(message);
        return message.Length >= SizeBytes;
    }

    /// <summary>Writes the header with a checksum of 0, which the caller replaces.</summary>
    public static void Write(Span<byte> to, byte type, byte code, uint parameter)
    {
        to[0] = type;
        to[1] = code;
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(ChecksumOffset), 0);
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(ParameterOffset), parameter);
    }
}

/// <summary>Types of ICMP for IPv4 (IANA, ICMP Parameters).</summary>
public static class IcmpType
{
    public const byte EchoReply = 0;
    public const byte DestinationUnreachable = 3;
    public const byte SourceQuench = 4;
    public const byte Redirect = 5;
    public const byte Echo = 8;
    public const byte TimeExceeded = 11;
    public const byte ParameterProblem = 12;

    /// <summary>Whether the message reports an error, so that none may be sent about it (RFC 1122, 3.2.2).</summary>
    public static bool IsError(byte type) => type is DestinationUnreachable or SourceQuench or Redirect or TimeExceeded or ParameterProblem;
}

/// <summary>Codes of IPv4's Destination Unreachable.</summary>
public static class IcmpUnreachable
{
    public const byte Network = 0;
    public const byte Host = 1;
    public const byte Protocol = 2;
    public const byte Port = 3;
    public const byte FragmentationNeeded = 4;
    public const byte SourceRouteFailed = 5;
}

/// <summary>Types of ICMPv6.</summary>
public static class Icmpv6Type
{
    public const byte DestinationUnreachable = 1;
    public const byte PacketTooBig = 2;
    public const byte TimeExceeded = 3;
    public const byte ParameterProblem = 4;
    public const byte EchoRequest = 128;
    public const byte EchoReply = 129;
    public const byte ListenerQuery = 130;
    public const byte ListenerReport = 131;
    public const byte ListenerDone = 132;
    public const byte RouterSolicitation = 133;
    public const byte RouterAdvertisement = 134;
    public const byte NeighbourSolicitation = 135;
    public const byte NeighbourAdvertisement = 136;
    public const byte Redirect = 137;
    public const byte ListenerReportV2 = 143;

    /// <summary>Error messages have the top bit clear (RFC 4443, 2.1).</summary>
    public static bool IsError(byte type) => type < 128;
}

/// <summary>Codes of ICMPv6's Destination Unreachable.</summary>
public static class Icmpv6Unreachable
{
    public const byte NoRoute = 0;
    public const byte Prohibited = 1;
    public const byte Address = 3;
    public const byte Port = 4;
}

/// <summary>Codes of Time Exceeded, the same in both versions.</summary>
public static class IcmpTimeExceeded
{
    public const byte HopLimit = 0;
    public const byte Reassembly = 1;
}

/// <summary>Codes of ICMPv6's Parameter Problem.</summary>
public static class Icmpv6ParameterProblem
{
    public const byte ErroneousHeader = 0;
    public const byte UnknownNextHeader = 1;
    public const byte UnknownOption = 2;
}
