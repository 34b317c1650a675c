// Ethernet addresses as numbers: first byte on the wire in bits 40 to 47, as NetDevice has them.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>What the 48 bits of a hardware address mean, and where they stand.</summary>
public static class MacAddress
{
    public const int SizeBytes = 6;
    public const ulong Broadcast = 0xFFFF_FFFF_FFFF;

    /// <summary>The I/G bit (IEEE 802.3, 3.2.3): first bit on the wire of a group address, broadcast included.</summary>
    private const ulong GroupBit = 1UL << 40;

    private const ulong Ipv4MulticastPrefix = 0x0100_5E00_0000;
    private const uint Ipv4MulticastMask = 0x7F_FFFF;
    private const ulong Ipv6MulticastPrefix = 0x3333_0000_0000;

    public static bool IsGroup(ulong address) => (address & GroupBit) != 0;

    /// <summary>Where an IPv4 group's frames go (RFC 1112, 6.4).</summary>
    public static ulong OfIpv4Group(uint group) => Ipv4MulticastPrefix | (group & Ipv4MulticastMask);

    /// <summary>Where an IPv6 group's frames go (RFC 2464, 7).</summary>
    /// <param name="lastFourBytes">The low 32 bits of the group's address.</param>
    public static ulong OfIpv6Group(uint lastFourBytes) => Ipv6MulticastPrefix | lastFourBytes;

    /// <summary>The interface identifier of an Ethernet card: modified EUI-64 (RFC 4291, appendix A).</summary>
    public static ulong InterfaceIdentifier(ulong address) =>
        (((address >> 24) << 40) | (0xFFFEUL << 24) | (address & 0xFF_FFFF)) ^ (1UL << 57);

    public static ulong Read(ReadOnlySpan<byte> from) =>
        ((ulong)BinaryPrimitives.ReadUInt32BigEndian(from) << 16) | BinaryPrimitives.ReadUInt16BigEndian(from.Slice(4));

    public static void Write(Span<byte> to, ulong address)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, (uint)(address >> 16));
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(4), (ushort)address);
    }
}
