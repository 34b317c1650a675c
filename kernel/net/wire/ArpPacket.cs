// ARP for IPv4 over Ethernet (RFC 826): 28 bytes; other hardware or protocol types are not ours.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a request or a reply.</summary>
public readonly ref struct ArpPacket
{
    public const int SizeBytes = 28;
    public const ushort Request = 1;
    public const ushort Reply = 2;

    private const ushort EthernetHardware = 1;
    private const int ProtocolOffset = 2;
    private const int LengthsOffset = 4;
    private const ushort Lengths = (MacAddress.SizeBytes << 8) | sizeof(uint);
    private const int OperationOffset = 6;
    private const int SenderHardwareOffset = 8;
    private const int SenderProtocolOffset = 14;
    private const int TargetHardwareOffset = 18;
    private const int TargetProtocolOffset = 24;

    private readonly ReadOnlySpan<byte> _packet;

    private ArpPacket(ReadOnlySpan<byte> packet)
    {
        _packet = packet;
    }

    public ushort Operation => BinaryPrimitives.ReadUInt16BigEndian(_packet.Slice(OperationOffset));

    public ulong SenderHardware => MacAddress.Read(_packet.Slice(SenderHardwareOffset));

    public uint SenderProtocol => BinaryPrimitives.ReadUInt32BigEndian(_packet.Slice(SenderProtocolOffset));

    public ulong TargetHardware => MacAddress.Read(_packet.Slice(TargetHardwareOffset));

    public uint TargetProtocol => BinaryPrimitives.ReadUInt32BigEndian(_packet.Slice(TargetProtocolOffset));

    /// <summary>False when it is too short or not about IPv4 over Ethernet.</summary>
    public static bool TryParse(ReadOnlySpan<byte> packet, out ArpPacket parsed)
    {
        parsed = new ArpPacket(packet);
        return packet.Length >= SizeBytes
            && BinaryPrimitives.ReadUInt16BigEndian(packet) == EthernetHardware
            && BinaryPrimitives.ReadUInt16BigEndian(packet.Slice(ProtocolOffset)) == EtherType.Ipv4
            && BinaryPrimitives.ReadUInt16BigEndian(packet.Slice(LengthsOffset)) == Lengths;
    }

    public static void Write(
        Span<byte> to, ushort operation, ulong senderHardware, uint senderProtocol, ulong targetHardware, uint targetProtocol)
    {
        BinaryPrimitives.WriteUInt16BigEndian(to, EthernetHardware);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(ProtocolOffset), EtherType.Ipv4);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(LengthsOffset), Lengths);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(OperationOffset), operation);
        MacAddress.Write(to.Slice(SenderHardwareOffset), senderHardware);
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(SenderProtocolOffset), senderProtocol);
        MacAddress.Write(to.Slice(TargetHardwareOffset), targetHardware);
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(TargetProtocolOffset), targetProtocol);
    }
}
