// The bytes of a datagram of the stack, given to a program. The caller has taken the packet out of its queue, or holds it: the copy BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Copies packets to programs.</summary>
public static unsafe class PacketCopy
{
    /// <summary>
    /// Gives as much as the message has room for and notes what was cut off; the length is what recvmsg(2) returns. EFAULT.
    /// </summary>
    public static Errno Give(Packet* packet, ref SocketMessage message, out int length)
    {
        length = (int)Math.Min((ulong)packet->Length, message.Data.RemainingBytes);
        Errno error = Errno.None;
        for (int offset = 0; offset < length && error == Errno.None;)
        {
            ReadOnlySpan<byte> piece = packet->PieceAt(offset);
            error = message.Data.Give(piece.Slice(0, Math.Min(piece.Length, length - offset)), out int moved);
            offset += moved;
        }

        message.Received |= length < packet->Length ? MessageFlags.Truncated : MessageFlags.None;
        length = message.Has(MessageFlags.Truncated) ? packet->Length : length;
        return error;
    }
}
