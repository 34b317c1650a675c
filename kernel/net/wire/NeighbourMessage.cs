// The messages of neighbour discovery (RFC 4861, 4) after their ICMPv6 header: target, router's parameters, and the options that follow.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a neighbour solicitation or advertisement.</summary>
public readonly ref struct NeighbourMessage
{
    /// <summary>ICMPv6 header and target.</summary>
    public const int SizeBytes = IcmpHeader.SizeBytes + IpAddress.V6Bytes;

    public const uint RouterFlag = 1U << 31;
    public const uint SolicitedFlag = 1U << 30;
    public const uint OverrideFlag = 1U << 29;

    private readonly ReadOnlySpan<byte> _message;

    private NeighbourMessage(ReadOnlySpan<byte> message)
    {
        _message = message;
    }

    /// <summary>Flags of an advertisement.</summary>
    public uint Flags => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(IcmpHeader.ParameterOffset));

    public IpAddress Target => IpAddress.FromV6(_message.Slice(IcmpHeader.SizeBytes));

    public NeighbourOptions Options => new(_message.Slice(SizeBytes));

    /// <summary>False when it is too short, its target is a group or IPv4's, or an option's length does not fit (RFC 4861, 7.1).</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out NeighbourMessage parsed)
    {
        parsed = new NeighbourMessage(message);
        return message.Length >= SizeBytes && !parsed.Target.IsMulticast && !parsed.Target.IsV4
            && NeighbourOptions.AreWellFormed(message.Slice(SizeBytes));
    }

    /// <summary>Writes header and target; the checksum is 0.</summary>
    public static void Write(Span<byte> to, byte type, uint flags, IpAddress target)
    {
        IcmpHeader.Write(to, type, 0, flags);
        target.WriteV6(to.Slice(IcmpHeader.SizeBytes));
    }
}

/// <summary>A view of a router advertisement (RFC 4861, 4.2).</summary>
public readonly ref struct RouterAdvertisement
{
    public const int SizeBytes = 16;

    private const int HopLimitOffset = 4;
    private const int LifetimeOffset = 6;
    private const int ReachableOffset = 8;
    private const int RetransmitOffset = 12;

    private readonly ReadOnlySpan<byte> _message;

    private RouterAdvertisement(ReadOnlySpan<byte> message)
    {
        _message = message;
    }

    /// <summary>0: the router does not say.</summary>
    public byte HopLimit => _message[HopLimitOffset];

    /// <summary>0: not a default router.</summary>
    public ushort RouterLifetimeSeconds => BinaryPrimitives.ReadUInt16BigEndian(_message.Slice(LifetimeOffset));

    /// <summary>0: the router does not say.</summary>
    public uint ReachableMilliseconds => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(ReachableOffset));

    /// <summary>0: the router does not say.</summary>
    public uint RetransmitMilliseconds => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(RetransmitOffset));

    public NeighbourOptions Options => new(_message.Slice(SizeBytes));

    public static bool TryParse(ReadOnlySpan<byte> message, out RouterAdvertisement parsed)
    {
        parsed = new RouterAdvertisement(message);
        return message.Length >= SizeBytes && NeighbourOptions.AreWellFormed(message.Slice(SizeBytes));
    }
}

/// <summary>A view of a redirect (RFC 4861, 4.5).</summary>
public readonly ref struct RedirectMessage
{
    private const int DestinationOffset = IcmpHeader.SizeBytes + IpAddress.V6Bytes;
    private const int SizeBytes = DestinationOffset + IpAddress.V6Bytes;

    private readonly ReadOnlySpan<byte> _message;

    private RedirectMessage(ReadOnlySpan<byte> message)
    {
        _message = message;
    }

    /// <summary>The better first hop; the destination itself when that is a neighbour.</summary>
    public IpAddress Target => IpAddress.FromV6(_message.Slice(IcmpHeader.SizeBytes));

    public IpAddress Destination => IpAddress.FromV6(_message.Slice(DestinationOffset));

    public NeighbourOptions Options => new(_message.Slice(SizeBytes));

    public static bool TryParse(ReadOnlySpan<byte> message, out RedirectMessage parsed)
    {
        parsed = new RedirectMessage(message);
        return message.Length >= SizeBytes && NeighbourOptions.AreWellFormed(message.Slice(SizeBytes));
    }
}

/// <summary>Walks the options: type, length in units of 8 bytes, contents (RFC 4861, 4.6).</summary>
public ref struct NeighbourOptions
{
    public const byte SourceLinkAddress = 1;
    public const byte TargetLinkAddress = 2;
    public const byte PrefixInformation = 3;
    public const byte Mtu = 5;
    /// <summary>RFC 8106.</summary>
    public const byte RecursiveDnsServer = 25;

    /// <summary>An option with an Ethernet address.</summary>
    public const int LinkAddressBytes = 8;

    private const int UnitBytes = 8;

    private ReadOnlySpan<byte> _rest;

    public NeighbourOptions(ReadOnlySpan<byte> options)
    {
        _rest = options;
    }

    /// <summary>The next option, its type and length included.</summary>
    public bool TryNext(out ReadOnlySpan<byte> option)
    {
        option = default;
        if (_rest.Length < UnitBytes)
        {
            return false;
        }

        int length = _rest[1] * UnitBytes;
        if (length == 0 || length > _rest.Length)
        {
            return false;
        }

        option = _rest.Slice(0, length);
        _rest = _rest.Slice(length);
        return true;
    }

    /// <summary>The hardware address in the first option of a type.</summary>
    public readonly bool TryFindLinkAddress(byte type, out ulong address)
    {
        NeighbourOptions walk = this;
        while (walk.TryNext(out ReadOnlySpan<byte> option))
        {
            if (option[0] == type)
            {
                address = MacAddress.Read(option.Slice(2));
                return !MacAddress.IsGroup(address);
            }
        }

        address = 0;
        return false;
    }

    /// <summary>Whether the options fill the message; a length of 0 makes a receiver drop it (RFC 4861, 4.6).</summary>
    public static bool AreWellFormed(ReadOnlySpan<byte> options)
    {
        NeighbourOptions walk = new(options);
        while (walk.TryNext(out _))
        {
        }

        return walk._rest.IsEmpty;
    }

    public static void WriteLinkAddress(Span<byte> to, byte type, ulong address)
    {
        to[0] = type;
        to[1] = LinkAddressBytes / UnitBytes;
        MacAddress.Write(to.Slice(2), address);
    }
}

/// <summary>A view of a prefix information option (RFC 4861, 4.6.2).</summary>
public readonly ref struct PrefixInformation
{
    private const int SizeBytes = 32;
    private const int LengthOffset = 2;
    private const int FlagsOffset = 3;
    private const int ValidOffset = 4;
    private const int PreferredOffset = 8;
    private const int PrefixOffset = 16;
    private const byte OnLinkFlag = 0x80;
    private const byte AutonomousFlag = 0x40;
    private const int MaxPrefixLength = 128;

    private readonly ReadOnlySpan<byte> _option;

    private PrefixInformation(ReadOnlySpan<byte> option)
    {
        _option = option;
    }

    public int PrefixLength => _option[LengthOffset];

    public bool IsOnLink => (_option[FlagsOffset] & OnLinkFlag) != 0;

    public bool IsAutonomous => (_option[FlagsOffset] & AutonomousFlag) != 0;

    /// <summary>All ones: for ever.</summary>
    public uint ValidSeconds => BinaryPrimitives.ReadUInt32BigEndian(_option.Slice(ValidOffset));

    /// <summary>All ones: for ever.</summary>
    public uint PreferredSeconds => BinaryPrimitives.ReadUInt32BigEndian(_option.Slice(PreferredOffset));

    public IpAddress Prefix => IpAddress.FromV6(_option.Slice(PrefixOffset));

    public static bool TryParse(ReadOnlySpan<byte> option, out PrefixInformation parsed)
    {
        parsed = new PrefixInformation(option);
        return option.Length >= SizeBytes && option[LengthOffset] <= MaxPrefixLength;
    }
}
