// The ethernet link: fabric frames in Ethernet frames of EtherType 0x88B5 (IEEE 802 local experimental 1), for any number of peers on one
// card. A node's address is 52:54:00:4c:00:NODE, so an address needs no resolution. After the 14 bytes of Ethernet header come
// two zero bytes, which put the message header and the body on 8-byte boundaries. Frames get lost, doubled, reordered and changed;
// the endpoint copes. A hub returns one's own frames, and a switch floods: whatever is not for this node is dropped here.

using System;
using System.Buffers.Binary;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Frames over a network card.</summary>
public sealed unsafe class EthernetLink : Link
{
    public const ushort EtherType = 0x88B5;

    private const ulong AddressBase = CardAddress.FabricBase;
    private const byte AddressByte4 = (byte)((AddressBase >> 8) & 0xFF);
    private const int PrefixBytes = 16;
    private const int AddressBytes = 6;
    private const int EtherTypeOffset = 12;
    private const int PrefixAndHeaderBytes = PrefixBytes + MessageHeader.SizeBytes;
    private const int OutstandingBytes = 224 * 1024;
    /// <summary>Foreign frames dropped in one call, so that a flood of them cannot hold the poller.</summary>
    private const int MaxForeignFrames = 32;

    private readonly NetDevice _device;
    private readonly byte _node;
    private ulong _full;
    private ulong _ignored;

    /// <summary>
    /// The card's address should be <see cref="CardAddress.FabricBase"/> + node; the link sends with that address in any case.
    /// </summary>
    public EthernetLink(NetDevice device, ushort node)
    {
        _device = device;
        _node = (byte)node;
    }

    /// <inheritdoc/>
    public override int MaxFrameBytes =>
        Math.Min(_device.MaxFrameBytes - PrefixBytes, MessageHeader.SizeBytes + MessageHeader.MaxBodyBytes) & ~7;

    /// <inheritdoc/>
    public override int WindowBytes => OutstandingBytes;

    /// <inheritdoc/>
    public override LinkTraits Traits => LinkTraits.None;

    /// <inheritdoc/>
    public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Span<byte> first = stackalloc byte[PrefixAndHeaderBytes];
        WriteAddress(first, (byte)destinationNode);
        WriteAddress(first.Slice(AddressBytes), _node);
        BinaryPrimitives.WriteUInt16BigEndian(first.Slice(EtherTypeOffset), EtherType);
        first[EtherTypeOffset + 2] = 0;
        first[EtherTypeOffset + 3] = 0;
        header.CopyTo(first.Slice(PrefixBytes));
        if (_device.TrySend(first, a, b))
        {
            return true;
        }

        _full++;
        return false;
    }

    /// <inheritdoc/>
    public override bool TryReceive(out ReadOnlySpan<byte> frame)
    {
        for (int tries = 0; tries < MaxForeignFrames; tries++)
        {
            if (!_device.TryReceive(out ReadOnlySpan<byte> received))
            {
                break;
            }

            if (IsForThisNode(received))
            {
                frame = received.Slice(PrefixBytes);
                return true;
            }

            _ignored++;
            _device.ReleaseReceived();
        }

        frame = default;
        return false;
    }

    /// <inheritdoc/>
    public override void Release() => _device.ReleaseReceived();

    /// <inheritdoc/>
    public override void ArmWakeup() => _device.ArmWakeup();

    /// <inheritdoc/>
    public override void DisarmWakeup() => _device.DisarmWakeup();

    /// <inheritdoc/>
    public override void AddTo(ref LinkCounters totals)
    {
        totals.Full += _full;
        totals.Ignored += _ignored;
    }

    private static void WriteAddress(Span<byte> to, byte node)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, (uint)(AddressBase >> 16));
        to[4] = AddressByte4;
        to[5] = node;
    }

    private static bool IsRackAddress(ReadOnlySpan<byte> address) =>
        BinaryPrimitives.ReadUInt32BigEndian(address) == (uint)(AddressBase >> 16) && address[4] == AddressByte4;

    private bool IsForThisNode(ReadOnlySpan<byte> received) =>
        received.Length >= PrefixAndHeaderBytes
        && BinaryPrimitives.ReadUInt16BigEndian(received.Slice(EtherTypeOffset)) == EtherType
        && IsRackAddress(received) && received[AddressBytes - 1] == _node
        && IsRackAddress(received.Slice(AddressBytes)) && received[(2 * AddressBytes) - 1] != _node;
}
