// An IP address of either version: 16 bytes as they stand in an IPv6 header. IPv4 addresses are kept IPv4-mapped, ::ffff:a.b.c.d
// (RFC 4291, 2.5.5.2), so one table serves both. Nothing here depends on the host's byte order but the two words, which are only compared.

using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>An IPv4 or IPv6 address. Zero-initialised = the unspecified IPv6 address.</summary>
public readonly struct IpAddress
{
    /// <summary>Bytes of an IPv6 address.</summary>
    public const int V6Bytes = 16;

    /// <summary>Bytes of an IPv4 address.</summary>
    public const int V4Bytes = 4;

    private const int MappedPrefixBytes = 12;

    /// <summary>Bytes 8 to 11 of a mapped address, 00 00 ff ff, as a little-endian word.</summary>
    private const uint MappedWord = 0xFFFF0000;

    // The bytes as they lie in memory, so that a header's address is read by two loads.
    private readonly ulong _first;
    private readonly ulong _second;

    private IpAddress(ulong first, ulong second)
    {
        _first = first;
        _second = second;
    }

    /// <summary>0.0.0.0: any IPv4 address.</summary>
    public static IpAddress AnyV4 => FromV4(0);

    /// <summary>The address, of which 0x7F000001 is 127.0.0.1.</summary>
    public static IpAddress FromV4(uint address) => new(0, MappedWord | ((ulong)BinaryPrimitives.ReverseEndianness(address) << 32));

    /// <summary>The first four bytes, in network order.</summary>
    public static IpAddress FromV4(ReadOnlySpan<byte> bytes) => new(0, MappedWord | ((ulong)MemoryMarshal.Read<uint>(bytes) << 32));

    /// <summary>The first sixteen bytes, in network order.</summary>
    public static IpAddress FromV6(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<IpAddress>(bytes);

    /// <summary>The address of which these are the first and the second eight bytes, read as big-endian numbers.</summary>
    public static IpAddress FromV6(ulong first, ulong second) =>
        new(BinaryPrimitives.ReverseEndianness(first), BinaryPrimitives.ReverseEndianness(second));

    /// <summary>True for an IPv4 address.</summary>
    public bool IsV4 => _first == 0 && (uint)_second == MappedWord;

    /// <summary>The IPv4 address as a number: 127.0.0.1 is 0x7F000001. Meaningless for IPv6.</summary>
    public uint V4 => BinaryPrimitives.ReverseEndianness((uint)(_second >> 32));

    /// <summary>The first eight bytes as a big-endian number: the prefix of an IPv6 unicast address.</summary>
    public ulong First => BinaryPrimitives.ReverseEndianness(_first);

    /// <summary>The last eight bytes as a big-endian number: the interface identifier of an IPv6 unicast address.</summary>
    public ulong Second => BinaryPrimitives.ReverseEndianness(_second);

    /// <summary>:: or 0.0.0.0.</summary>
    public bool IsUnspecified => _first == 0 && (_second == 0 || _second == MappedWord);

    /// <summary>127.0.0.0/8 or ::1.</summary>
    public bool IsLoopback => IsV4 ? V4 >> 24 == 127 : _first == 0 && Second == 1;

    /// <summary>224.0.0.0/4 or ff00::/8.</summary>
    public bool IsMulticast => IsV4 ? V4 >> 28 == 0xE : (byte)_first == 0xFF;

    /// <summary>255.255.255.255.</summary>
    public bool IsLimitedBroadcast => IsV4 && V4 == 0xFFFFFFFF;

    /// <summary>169.254.0.0/16 or fe80::/10.</summary>
    public bool IsLinkLocal => IsV4 ? V4 >> 16 == 0xA9FE : First >> 54 == 0x3FA;

    /// <summary>The bytes in memory order, first eight and last eight, for hashes and checksums.</summary>
    internal ulong FirstWord => _first;

    internal ulong SecondWord => _second;

    public bool Equals(IpAddress other) => _first == other._first && _second == other._second;

    /// <summary>Writes 16 bytes; an IPv4 address is written mapped.</summary>
    public void WriteV6(Span<byte> destination) => MemoryMarshal.Write(destination, in this);

    /// <summary>Writes the 4 bytes of an IPv4 address.</summary>
    public void WriteV4(Span<byte> destination)
    {
        uint bytes = (uint)(_second >> 32);
        MemoryMarshal.Write(destination, in bytes);
    }

    /// <summary>True when the first bits, counted in the version's own address, are those of the other address.</summary>
    public bool HasPrefix(IpAddress prefix, int lengthBits)
    {
        if (IsV4 != prefix.IsV4)
        {
            return false;
        }

        int length = lengthBits + (IsV4 ? MappedPrefixBytes * 8 : 0);
        ulong first = First ^ prefix.First;
        ulong second = Second ^ prefix.Second;
        return length <= 64 ? length == 0 || first >> (64 - length) == 0
            : first == 0 && second >> (128 - length) == 0;
    }
}
