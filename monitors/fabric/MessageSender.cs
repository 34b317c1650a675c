// Messages to frames: one frame where the link's frames are long enough (ring always, ethernet with jumbo frames up to a page), else
// equal fragments. Used for requests and replies alike.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Puts messages on links.</summary>
internal sealed unsafe class MessageSender
{
    /// <summary>How often a lossy link's full transmit ring is tried again before the rest of a message counts as lost.</summary>
    private const int FullLinkTries = 20_000;

    /// <summary>Bytes of all frames that were sent.</summary>
    internal ulong BytesSent { get; private set; }

    /// <summary>
    /// Where to write the header of a message: on a ring right where the frame will lie, elsewhere in <paramref name="local"/>. The caller
    /// fills in every field but those that say length, fragment and checksum, then calls Close. Null: no room on the link.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static MessageHeader* Open(Peer peer, MessageHeader* local, int bodyBytes)
    {
        MessageHeader* header = peer.Ring is { } ring ? (MessageHeader*)ring.Reserve(MessageHeader.SizeBytes + bodyBytes) : local;
        if (header != null)
        {
            header->BodyBytes = (uint)bodyBytes;
            header->FragmentIndex = 0;
            header->FragmentCount = 1;
            header->Checksum = 0;
        }

        return header;
    }

    /// <summary>Adds the body and sends. False: no room on the link.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Close(Peer peer, MessageHeader* header, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        if (peer.Ring is not { } ring)
        {
            return Transmit(peer, header, head, headBytes, payload, payloadBytes);
        }

        byte* body = (byte*)(header + 1);
        if (headBytes != 0)
        {
            FrameCopy.Bytes(body, head, headBytes);
        }

        if (payloadBytes != 0)
        {
            FrameCopy.Bytes(body + headBytes, payload, payloadBytes);
        }

        BytesSent += (ulong)(MessageHeader.SizeBytes + headBytes + payloadBytes);
        ring.Publish();
        return true;
    }

    /// <summary>Sends a whole message over any link; fills in length, fragment fields and checksum. False: no room on the link.</summary>
    internal bool Transmit(Peer peer, MessageHeader* header, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        int bodyBytes = headBytes + payloadBytes;
        header->BodyBytes = (uint)bodyBytes;
        if (bodyBytes > peer.MaxFrameBytes - MessageHeader.SizeBytes)
        {
            return TransmitFragments(peer, header, head, headBytes, payload, payloadBytes);
        }

        header->FragmentIndex = 0;
        header->FragmentCount = 1;
        return TransmitFrame(peer, header, new ReadOnlySpan<byte>(head, headBytes), new ReadOnlySpan<byte>(payload, payloadBytes));
    }

    /// <summary>
    /// Sends a message that its sender will not send again: a full transmit ring is tried for a while. False: it was dropped.
    /// </summary>
    internal bool TransmitOnce(Peer peer, MessageHeader* header, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        for (int tries = 0; header->FragmentCount == 1 && tries < FullLinkTries; tries++)
        {
            Cpu.Pause();
            if (Transmit(peer, header, head, headBytes, payload, payloadBytes))
            {
                return true;
            }
        }

        return false;
    }

    private bool TransmitFrame(Peer peer, MessageHeader* header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (peer.Checksum == ChecksumUse.Required)
        {
            header->Flags |= MessageFlags.Checksummed;
            header->Checksum = MessageFrame.ChecksumOf(*header, a, b);
        }

        if (!peer.Link.TrySend(peer.Node, new ReadOnlySpan<byte>(header, MessageHeader.SizeBytes), a, b))
        {
            return false;
        }

        BytesSent += (ulong)(MessageHeader.SizeBytes + a.Length + b.Length);
        return true;
    }

    private bool TransmitFragments(Peer peer, MessageHeader* header, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        uint bodyBytes = header->BodyBytes;
        uint room = (uint)(peer.MaxFrameBytes - MessageHeader.SizeBytes) & ~7u;
        // Rounding the shares up may leave fewer of them; the second step settles it.
        uint unit = MessageHeader.FragmentUnit(bodyBytes, (bodyBytes + room - 1) / room);
        uint count = (bodyBytes + unit - 1) / unit;
        unit = MessageHeader.FragmentUnit(bodyBytes, count);
        if (count > MessageHeader.MaxFragments)
        {
            Panic.Because("MessageSender.TransmitFragments: the link's frames are too short");
        }

        header->FragmentCount = (ushort)count;
        for (uint index = 0; index < count; index++)
        {
            int offset = (int)(index * unit);
            int part = Math.Min((int)unit, (int)bodyBytes - offset);
            int fromHead = Math.Clamp(headBytes - offset, 0, part);
            header->FragmentIndex = (ushort)index;
            ReadOnlySpan<byte> a = new(head + Math.Min(offset, headBytes), fromHead);
            ReadOnlySpan<byte> b = new(payload + Math.Max(0, offset - headBytes), part - fromHead);
            if (!TransmitPersistently(peer, header, a, b))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>For frames that have nobody to keep them: waits a little for the card to drain its ring.</summary>
    private bool TransmitPersistently(Peer peer, MessageHeader* header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        for (int tries = 0; !TransmitFrame(peer, header, a, b); tries++)
        {
            if (tries == FullLinkTries || peer.Reliable)
            {
                return false;
            }

            Cpu.Pause();
        }

        return true;
    }
}
