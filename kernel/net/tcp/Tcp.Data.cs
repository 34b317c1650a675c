// Tcp: the segment's text, urgent data and FIN (RFC 9293, 3.10.7.4, sixth to eighth), and acknowledgments to come (RFC 5681, 4.2).

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>An acknowledgment waits so long for company (RFC 9293, 3.8.6.3: less than 500 ms; Linux: 40 ms).</summary>
    private const ulong DelayedAckNs = 40 * MillisecondNs;

    /// <summary>Text that lies in the window and begins at or behind RCV.NXT.</summary>
    private void OnText(TcpConnection* connection, uint sequence, ReadOnlySpan<byte> text, ulong nowNs)
    {
        if (connection->State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2)
            || (connection->Facts & TcpFacts.FinReceived) != 0)
        {
            return;
        }

        if ((connection->Facts & TcpFacts.Orphaned) != 0)
        {
            // Nobody will read it: the peer must know (RFC 9293, 3.6.1, MUST-13 with RFC 2525, 2.17).
            _counters.DataAfterClose++;
            Reset(connection, Errno.None, nowNs);
            return;
        }

        if (sequence != connection->RcvNxt)
        {
            KeepOutOfOrder(connection, sequence, text);
            return;
        }

        uint taken = Take(connection, text);
        if (taken < (uint)text.Length)
        {
            taken += MakeRoom(connection, text[(int)taken..]);
        }

        if (taken == 0)
        {
            _counters.NoMemory++;
            connection->Facts |= TcpFacts.AckNow;
            return;
        }

        MeasureReceiveRoundTrip(connection, nowNs);
        if (connection->Ranges != null)
        {
            JoinRanges(connection);
            connection->Facts |= TcpFacts.AckNow;
        }

        NoteSegmentSize(connection, (uint)text.Length);
        ScheduleAck(connection, taken, nowNs);
        _host.Changed(connection);
    }

    /// <summary>
    /// Memory is short: what came out of order goes first, this connection's, then others'. Gives what could be written after all.
    /// </summary>
    private uint MakeRoom(TcpConnection* connection, ReadOnlySpan<byte> text)
    {
        DropOutOfOrder(connection);
        uint taken = Take(connection, text);
        for (TcpConnection* other = _all; other != null && taken < (uint)text.Length && _ranges.InUse > 0; other = other->AllNext)
        {
            if (other->Ranges != null)
            {
                DropOutOfOrder(other);
                taken += Take(connection, text[(int)taken..]);
            }
        }

        return taken;
    }

    /// <summary>Text at RCV.NXT becomes part of the stream; gives how much there was memory for.</summary>
    private uint Take(TcpConnection* connection, ReadOnlySpan<byte> text)
    {
        uint taken = connection->ReceiveBuffer.Append(_memory, text);
        connection->RcvNxt += taken;
        connection->BytesReceived += taken;
        return taken;
    }

    /// <summary>More than a full segment is acknowledged at once, and every one within the delay (RFC 5681, 4.2).</summary>
    private void ScheduleAck(TcpConnection* connection, uint bytes, ulong nowNs)
    {
        connection->UnackedBytes += bytes;
        connection->LastTextReceivedNs = nowNs;
        if (connection->UnackedBytes > connection->RcvMss)
        {
            connection->Facts |= TcpFacts.AckNow;
        }
        else if (connection->QuickAcks > 0)
        {
            connection->QuickAcks--;
            connection->Facts |= TcpFacts.AckNow;
        }
        else if (connection->DelayedAckDueNs == 0)
        {
            connection->DelayedAckDueNs = nowNs + DelayedAckNs;
            Arm(connection, connection->DelayedAckDueNs);
        }
    }

    private static void NoteSegmentSize(TcpConnection* connection, uint bytes)
    {
        if (bytes > connection->RcvMss)
        {
            connection->RcvMss = Math.Min(bytes, MaximumSegmentBytes);
        }
    }

    /// <summary>Text behind a hole is kept at its place, and the hole is told at once (RFC 5681, 4.2; RFC 2018).</summary>
    private void KeepOutOfOrder(TcpConnection* connection, uint sequence, ReadOnlySpan<byte> text)
    {
        connection->Facts |= TcpFacts.AckNow;
        connection->OutOfOrderReceived++;
        _counters.OutOfOrder++;
        uint end = sequence + (uint)text.Length;
        uint offset = connection->ReceiveBuffer.Length + (sequence - connection->RcvNxt);
        if (_memory.IsUnderPressure || !CanAddRange(connection, sequence, end))
        {
            _counters.OutOfOrderDropped++;
            return;
        }

        if (connection->ReceiveBuffer.Write(_memory, offset, text) < (uint)text.Length)
        {
            DropOutOfOrder(connection);
            return;
        }

        AddRange(connection, sequence, end);
    }

    /// <summary>Does the range touch one that there is, or may there be another?</summary>
    private static bool CanAddRange(TcpConnection* connection, uint left, uint right)
    {
        for (ReceivedRange* range = connection->Ranges; range != null; range = range->Next)
        {
            if (!SequenceNumber.IsBefore(right, range->Left) && !SequenceNumber.IsAfter(left, range->Right))
            {
                return true;
            }
        }

        return connection->RangeCount < ReceivedRange.MaximumPerConnection;
    }

    private void AddRange(TcpConnection* connection, uint left, uint right)
    {
        connection->LatestRange = left;
        ReceivedRange** link = &connection->Ranges;
        while (*link != null && SequenceNumber.IsBefore((*link)->Right, left))
        {
            link = &(*link)->Next;
        }

        ReceivedRange* range = *link;
        if (range == null || SequenceNumber.IsBefore(right, range->Left))
        {
            range = _ranges.Allocate();
            if (range == null)
            {
                // The text is there and nobody knows: it is replaced when it comes again.
                _counters.OutOfOrderDropped++;
                return;
            }

            range->Left = left;
            range->Right = right;
            range->Next = *link;
            *link = range;
            connection->RangeCount++;
            return;
        }

        if (!SequenceNumber.IsBefore(left, range->Left) && !SequenceNumber.IsAfter(right, range->Right))
        {
            NoteDuplicate(connection, left, right);
        }

        range->Left = SequenceNumber.Min(range->Left, left);
        range->Right = SequenceNumber.Max(range->Right, right);
        while (range->Next != null && !SequenceNumber.IsBefore(range->Right, range->Next->Left))
        {
            ReceivedRange* next = range->Next;
            range->Right = SequenceNumber.Max(range->Right, next->Right);
            range->Next = next->Next;
            connection->RangeCount--;
            _ranges.Free(next);
        }
    }

    /// <summary>RCV.NXT has reached the first range: it is in order now.</summary>
    private void JoinRanges(TcpConnection* connection)
    {
        while (connection->Ranges != null && !SequenceNumber.IsAfter(connection->Ranges->Left, connection->RcvNxt))
        {
            ReceivedRange* range = connection->Ranges;
            if (SequenceNumber.IsAfter(range->Right, connection->RcvNxt))
            {
                uint bytes = range->Right - connection->RcvNxt;
                connection->ReceiveBuffer.Extend(bytes);
                connection->RcvNxt += bytes;
                connection->BytesReceived += bytes;
            }

            connection->Ranges = range->Next;
            connection->RangeCount--;
            _ranges.Free(range);
        }
    }

    /// <summary>Forgets what came out of order; the peer must keep it until it is acknowledged (RFC 2018, 8).</summary>
    private void DropOutOfOrder(TcpConnection* connection)
    {
        uint end = connection->RcvNxt;
        while (connection->Ranges != null)
        {
            ReceivedRange* range = connection->Ranges;
            end = range->Right;
            connection->Ranges = range->Next;
            _counters.OutOfOrderDropped++;
            _ranges.Free(range);
        }

        connection->RangeCount = 0;
        connection->ReceiveBuffer.DropBeyond(_memory,
            Math.Max(connection->ReceiveLimit, connection->ReceiveBuffer.Length + (end - connection->RcvNxt)));
    }

    /// <summary>
    /// What was refused is told as a duplicate only if it has been received before: else the peer would never send it again.
    /// </summary>
    private static void NoteOld(TcpConnection* connection, uint left, uint right)
    {
        if (!SequenceNumber.IsAfter(right, connection->RcvNxt))
        {
            NoteDuplicate(connection, left, right);
        }
    }

    /// <summary>A duplicate is told with the next acknowledgment (RFC 2883).</summary>
    private static void NoteDuplicate(TcpConnection* connection, uint left, uint right)
    {
        if ((connection->Facts & TcpFacts.Sack) != 0)
        {
            connection->Duplicate.Left = left;
            connection->Duplicate.Right = right;
        }
    }

    /// <summary>The peer sends urgent data up to a byte before the pointer (RFC 9293, 3.8.5).</summary>
    private void OnUrgent(TcpConnection* connection, uint sequence, ushort pointer)
    {
        uint urgent = sequence + pointer;
        bool isKnown = (connection->Facts & TcpFacts.UrgentReceived) != 0 && !SequenceNumber.IsAfter(urgent, connection->RcvUp);
        if (isKnown || !SequenceNumber.IsAfter(urgent, ReadSequence(connection))
            || connection->State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
        {
            return;
        }

        connection->RcvUp = urgent;
        connection->Facts = (connection->Facts & ~TcpFacts.UrgentTaken) | TcpFacts.UrgentReceived;
        _host.UrgentCame(connection);
        _host.Changed(connection);
    }

    /// <summary>The sequence number of the next byte to be read.</summary>
    private static uint ReadSequence(TcpConnection* connection) =>
        connection->RcvNxt - connection->ReceiveBuffer.Length - ((connection->Facts & TcpFacts.FinReceived) != 0 ? 1u : 0);

    /// <summary>
    /// Bytes that a read may take: a read stops at the urgent byte, before it and, when it is in the stream, not beyond it.
    /// </summary>
    private static uint ReadLimit(TcpConnection* connection)
    {
        if ((connection->Facts & TcpFacts.UrgentReceived) == 0)
        {
            return connection->ReceiveBuffer.Length;
        }

        uint before = connection->RcvUp - 1 - ReadSequence(connection);
        return before == 0 && (connection->Flags & TcpSocketFlags.OutOfBandInline) != 0 ? connection->ReceiveBuffer.Length
            : Math.Min(before, connection->ReceiveBuffer.Length);
    }

    /// <summary>A read that begins at the urgent byte begins behind it, unless the byte belongs to the stream.</summary>
    private void SkipUrgent(TcpConnection* connection)
    {
        bool isInline = (connection->Flags & TcpSocketFlags.OutOfBandInline) != 0;
        if (IsAtMark(connection) && !isInline && connection->ReceiveBuffer.Length > 0)
        {
            TakeUrgentByte(connection);
            connection->ReceiveBuffer.Consume(_memory, 1, connection->Ranges == null);
        }

        ForgetUrgent(connection);
    }

    /// <summary>
    /// The pointer counts until the user has read the urgent byte or stepped over it; a byte that was stepped over is lost, as on Linux.
    /// </summary>
    private static void ForgetUrgent(TcpConnection* connection)
    {
        if ((connection->Facts & TcpFacts.UrgentReceived) != 0
            && SequenceNumber.IsAfter(ReadSequence(connection), connection->RcvUp - 1))
        {
            connection->Facts &= ~(TcpFacts.UrgentReceived | TcpFacts.UrgentByteReady);
        }
    }

    /// <summary>
    /// MSG_OOB. EINVAL: there is no urgent byte, it has been read, or it is in the stream. EAGAIN: told of, and not here yet.
    /// </summary>
    private Errno ReadUrgent(TcpConnection* connection, Span<byte> destination, TcpTransfer how, out int count)
    {
        count = 0;
        if (connection->State == TcpState.Listen)
        {
            return Errno.ENOTCONN;
        }

        if ((connection->Flags & TcpSocketFlags.OutOfBandInline) != 0)
        {
            return Errno.EINVAL;
        }

        if ((connection->Facts & TcpFacts.UrgentReceived) != 0)
        {
            TakeUrgentByte(connection);
        }

        if ((connection->Facts & TcpFacts.UrgentByteReady) == 0)
        {
            return (connection->Facts & (TcpFacts.UrgentReceived | TcpFacts.UrgentTaken)) == TcpFacts.UrgentReceived ? Errno.EAGAIN
                : Errno.EINVAL;
        }

        if (destination.Length > 0)
        {
            destination[0] = connection->UrgentByte;
            count = 1;
            if ((how & TcpTransfer.Peek) == 0)
            {
                connection->Facts &= ~TcpFacts.UrgentByteReady;
            }
        }

        return Errno.None;
    }

    /// <summary>The urgent byte has arrived and was not taken yet.</summary>
    private static bool HasUrgentByte(TcpConnection* connection) =>
        (connection->Facts & (TcpFacts.UrgentReceived | TcpFacts.UrgentTaken)) == TcpFacts.UrgentReceived
        && connection->RcvUp - 1 - ReadSequence(connection) < connection->ReceiveBuffer.Length;

    /// <summary>The urgent byte, once it is here, can be read out of band; once.</summary>
    private static void TakeUrgentByte(TcpConnection* connection)
    {
        if (HasUrgentByte(connection))
        {
            connection->UrgentByte = connection->ReceiveBuffer.Piece(connection->RcvUp - 1 - ReadSequence(connection), 1)[0];
            connection->Facts |= TcpFacts.UrgentByteReady | TcpFacts.UrgentTaken;
        }
    }

    /// <summary>The peer sends no more (RFC 9293, 3.10.7.4, eighth). A FIN behind a hole is remembered until the hole is filled.</summary>
    private void OnFin(TcpConnection* connection, TcpFlags flags, uint finSequence, ulong nowNs)
    {
        if ((flags & TcpFlags.Fin) != 0 && (connection->Facts & TcpFacts.FinSeen) == 0)
        {
            connection->Facts |= TcpFacts.FinSeen;
            connection->PeerFin = finSequence;
        }

        if ((connection->Facts & TcpFacts.FinReceived) != 0 || connection->PeerFin != connection->RcvNxt)
        {
            connection->Facts |= (flags & TcpFlags.Fin) != 0 ? TcpFacts.AckNow : TcpFacts.None;
            return;
        }

        connection->Facts |= TcpFacts.FinReceived | TcpFacts.AckNow;
        connection->RcvNxt++;
        connection->RcvAdv = SequenceNumber.Max(connection->RcvAdv, connection->RcvNxt);
        switch (connection->State)
        {
            case TcpState.Established:
                connection->State = TcpState.CloseWait;
                break;
            case TcpState.FinWait1:
                connection->State = TcpState.Closing;
                break;
            case TcpState.FinWait2:
                BeginTimeWait(connection, nowNs);
                break;
        }

        if ((connection->Facts & TcpFacts.Orphaned) == 0)
        {
            _host.Changed(connection);
        }
    }
}
