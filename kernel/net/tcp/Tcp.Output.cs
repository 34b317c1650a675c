// Tcp: what to send. First what is lost, as the congestion window allows; then new data, as window, congestion window, Nagle's algorithm
// and silly window avoidance allow (RFC 9293, 3.7.4 and 3.8.6.2.1); then an acknowledgment, if nothing carried it.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>The layer below had no room: so long until the next try.</summary>
    private const ulong RetryNs = 10 * MillisecondNs;

    private static uint Milliseconds(ulong timeNs) => (uint)(timeNs / MillisecondNs);

    private static bool MaySend(TcpState state) =>
        state is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.Closing or TcpState.LastAck;

    /// <summary>Bytes of the send buffer that were never sent.</summary>
    private static uint NotSent(TcpConnection* connection)
    {
        if (!MaySend(connection->State))
        {
            return 0;
        }

        bool finUnderWay = (connection->Facts & TcpFacts.FinSent) != 0;
        return connection->SendBuffer.Length - (connection->SndNxt - connection->SndUna - (finUnderWay
            && connection->SndNxt != connection->SndUna ? 1u : 0));
    }

    /// <summary>Sends what may be sent now.</summary>
    private void Output(TcpConnection* connection, ulong nowNs)
    {
        if (MaySend(connection->State))
        {
            if (connection->LostBytes != 0)
            {
                RetransmitLost(connection, nowNs);
            }

            SendNew(connection, nowNs);
        }

        if ((connection->Facts & TcpFacts.AckNow) != 0)
        {
            SendAck(connection, nowNs);
        }
    }

    private void RetransmitLost(TcpConnection* connection, ulong nowNs)
    {
        // A closed window is probed by the timeout alone.
        if (connection->SndWnd == 0)
        {
            return;
        }

        for (SentSegment* segment = TcpScoreboard.FirstLost(connection); segment != null; segment = TcpScoreboard.FirstLost(connection))
        {
            uint pipe = TcpScoreboard.Pipe(connection);
            if ((pipe != 0 && pipe + Math.Min(segment->Length, connection->SndMss) > connection->Cwnd)
                || !Retransmit(connection, segment, nowNs))
            {
                return;
            }
        }
    }

    private void SendNew(TcpConnection* connection, ulong nowNs)
    {
        uint notSent = NotSent(connection);
        bool finIsDue = (connection->Facts & (TcpFacts.WriteClosed | TcpFacts.FinSent)) == TcpFacts.WriteClosed;
        if (notSent == 0 && !finIsDue)
        {
            return;
        }

        RestartAfterIdle(connection, nowNs);
        while (notSent > 0 || finIsDue)
        {
            uint window = connection->SndUna + connection->SndWnd - connection->SndNxt;
            window = (int)window > 0 ? window : 0;
            uint length = Math.Min(Math.Min(notSent, connection->SndMss), window);
            bool isLast = length == notSent;
            bool hasFin = finIsDue && isLast && window > length;
            if ((length == 0 && !hasFin) || (length < connection->SndMss && !hasFin && !MaySendPart(connection, length, isLast)))
            {
                break;
            }

            uint pipe = TcpScoreboard.Pipe(connection);
            if (pipe != 0 && pipe + length > connection->Cwnd)
            {
                break;
            }

            if (!TrySendNew(connection, length, isLast, hasFin, nowNs))
            {
                return;
            }

            notSent -= length;
            finIsDue &= !hasFin;
        }

        if ((notSent > 0 || finIsDue) && connection->SndUna == connection->SndNxt && connection->PersistDueNs == 0)
        {
            // Nothing is under way that could bring an acknowledgment: a closed or silly window is probed (RFC 9293, 3.8.6.1, MUST-36), and
            // what waits to become a full segment is sent.
            connection->PersistDueNs = nowNs + RoundTripTime.Timeout(connection);
            Arm(connection, connection->PersistDueNs);
        }
    }

    /// <summary>
    /// May a segment go that is not full? One that the window cuts: when it is half of the largest window. The last one: unless such a one
    /// is under way already (Nagle, RFC 896, as Minshall proposed: small ones wait for small ones only), or more is announced to follow.
    /// </summary>
    private static bool MaySendPart(TcpConnection* connection, uint length, bool isLast)
    {
        if (!isLast)
        {
            return length >= connection->MaxSndWnd / 2;
        }

        if ((connection->Flags & TcpSocketFlags.Cork) != 0 || (connection->Facts & TcpFacts.MoreFollows) != 0)
        {
            return false;
        }

        return (connection->Flags & TcpSocketFlags.NoDelay) != 0 || !SequenceNumber.IsAfter(connection->SmallEnd, connection->SndUna);
    }

    /// <summary>Sends data for the first time; false: not now.</summary>
    private bool TrySendNew(TcpConnection* connection, uint length, bool isLast, bool hasFin, ulong nowNs)
    {
        SegmentMarks marks = (isLast && length > 0 ? SegmentMarks.Push : SegmentMarks.None) | (hasFin ? SegmentMarks.Fin
            : SegmentMarks.None);
        uint start = connection->SndNxt;
        uint end = start + length + (hasFin ? 1u : 0);
        if (_scoreboard.Add(connection, start, end - start, marks, nowNs) == null)
        {
            RetryLater(connection, nowNs);
            return false;
        }

        TcpFlags flags = TcpFlags.Ack | (isLast && length > 0 ? TcpFlags.Psh : TcpFlags.None) | (hasFin ? TcpFlags.Fin : TcpFlags.None);
        uint ecn = EcnCodepoint.NotCapable;
        if ((connection->Facts & TcpFacts.Ecn) != 0 && length > 0)
        {
            // New data only (RFC 3168, 6.1.5), and CWR with the first of them.
            ecn = EcnCodepoint.Capable0;
            flags |= (connection->Facts & TcpFacts.EcnReduced) != 0 ? TcpFlags.Cwr : TcpFlags.None;
        }

        if (!Transmit(connection, start, start - connection->SndUna, length, flags, ecn, nowNs))
        {
            _scoreboard.Withdraw(connection);
            RetryLater(connection, nowNs);
            return false;
        }

        if (connection->SndNxt == connection->SndUna)
        {
            connection->FirstUnackedNs = nowNs;
        }

        connection->SndNxt = end;
        connection->BytesSent += length;
        connection->LastDataSentNs = nowNs;
        connection->Facts &= ~TcpFacts.EcnReduced;
        if (hasFin)
        {
            connection->Facts |= TcpFacts.FinSent;
        }

        if (length < connection->SndMss)
        {
            connection->SmallEnd = end;
        }

        if (connection->TimeoutDueNs == 0)
        {
            ArmTimeout(connection, nowNs);
        }

        ArmLossProbe(connection, nowNs);
        return true;
    }

    /// <summary>Sends a segment once more; false: not now.</summary>
    private bool Retransmit(TcpConnection* connection, SentSegment* segment, ulong nowNs)
    {
        if (segment->Has(SegmentMarks.Syn))
        {
            return TransmitSyn(connection, segment, nowNs);
        }

        if (segment->Length - (segment->Has(SegmentMarks.Fin) ? 1u : 0) > connection->SndMss
            && !_scoreboard.TrySplit(connection, segment, connection->SndMss))
        {
            RetryLater(connection, nowNs);
            return false;
        }

        bool hasFin = segment->Has(SegmentMarks.Fin);
        uint length = segment->Length - (hasFin ? 1u : 0);
        TcpFlags flags = TcpFlags.Ack | (hasFin ? TcpFlags.Fin : TcpFlags.None) | (segment->Has(SegmentMarks.Push) ? TcpFlags.Psh
            : TcpFlags.None);
        if (!Transmit(connection, segment->Start, segment->Start - connection->SndUna, length, flags, EcnCodepoint.NotCapable, nowNs))
        {
            RetryLater(connection, nowNs);
            return false;
        }

        TcpScoreboard.MarkRetransmitted(connection, segment, nowNs);
        connection->BytesRetransmitted += length;
        connection->TotalRetransmits++;
        _counters.Retransmits++;
        if (connection->TimeoutDueNs == 0)
        {
            ArmTimeout(connection, nowNs);
        }

        return true;
    }

    private void SendSyn(TcpConnection* connection, ulong nowNs)
    {
        SentSegment* segment = _scoreboard.Add(connection, connection->Iss, 1, SegmentMarks.Syn, nowNs);
        connection->SndNxt = connection->Iss + 1;
        connection->FirstUnackedNs = nowNs;
        // Without a record or a frame below, the timeout sends it.
        if (segment != null)
        {
            TransmitSyn(connection, segment, nowNs);
        }

        ArmTimeout(connection, nowNs);
    }

    /// <summary>The SYN again, for a state that has changed or an acknowledgment that was lost.</summary>
    private void ResendSyn(TcpConnection* connection, ulong nowNs)
    {
        if (connection->SentFirst != null)
        {
            TransmitSyn(connection, connection->SentFirst, nowNs);
        }
    }

    private bool TransmitSyn(TcpConnection* connection, SentSegment* segment, ulong nowNs)
    {
        bool isAnswer = connection->State == TcpState.SynReceived;
        TcpFlags flags = TcpFlags.Syn | (isAnswer ? TcpFlags.Ack : TcpFlags.None);
        if ((connection->Facts & TcpFacts.Ecn) != 0)
        {
            flags |= isAnswer ? TcpFlags.Ece : TcpFlags.Ece | TcpFlags.Cwr;
        }

        if (segment->SentNs != nowNs)
        {
            if (!isAnswer)
            {
                // A network that drops SYNs with ECN gets one without (RFC 3168, 6.1.1.1).
                flags &= ~(TcpFlags.Ece | TcpFlags.Cwr);
            }

            TcpScoreboard.MarkRetransmitted(connection, segment, nowNs);
            connection->TotalRetransmits++;
        }

        return Transmit(connection, connection->Iss, 0, 0, flags, EcnCodepoint.NotCapable, nowNs);
    }

    /// <summary>An acknowledgment without data.</summary>
    private void SendAck(TcpConnection* connection, ulong nowNs)
    {
        if (!Transmit(connection, connection->SndNxt, 0, 0, TcpFlags.Ack, EcnCodepoint.NotCapable, nowNs))
        {
            RetryLater(connection, nowNs);
        }
    }

    /// <summary>One segment of a connection, with all that every segment says: acknowledgment, window, options, checksum.</summary>
    private bool Transmit(TcpConnection* connection, uint sequence, uint offset, uint length, TcpFlags flags, uint ecn, ulong nowNs)
    {
        bool isSyn = (flags & TcpFlags.Syn) != 0;
        Span<byte> header = stackalloc byte[TcpHeader.MaximumBytes];
        int optionBytes = isSyn ? WriteSynOptions(connection, header[TcpHeader.MinimumBytes..], nowNs)
            : WriteOptions(connection, header[TcpHeader.MinimumBytes..], length, nowNs);
        header = header[..(TcpHeader.MinimumBytes + optionBytes)];
        if (!isSyn && (connection->Facts & TcpFacts.EcnEcho) != 0)
        {
            flags |= TcpFlags.Ece;
        }

        ushort urgentPointer = 0;
        if ((connection->Facts & TcpFacts.UrgentSent) != 0 && SequenceNumber.IsAfter(connection->SndUp, sequence)
            && connection->SndUp - sequence <= ushort.MaxValue)
        {
            flags |= TcpFlags.Urg;
            urgentPointer = (ushort)(connection->SndUp - sequence);
        }

        bool hasAck = (flags & TcpFlags.Ack) != 0;
        ushort window = isSyn ? (ushort)Math.Min(connection->ReceiveLimit, ushort.MaxValue) : SelectWindow(connection);
        TcpHeader.Write(header, connection->Local.Port, connection->Remote.Port, sequence, hasAck ? connection->RcvNxt : 0, flags, window,
            urgentPointer);
        ReadOnlySpan<byte> first = length == 0 ? default : connection->SendBuffer.Piece(offset, length);
        ReadOnlySpan<byte> second = (uint)first.Length == length ? default
            : connection->SendBuffer.Piece(offset + (uint)first.Length, length - (uint)first.Length);
        if (!_host.CompletesChecksum(connection))
        {
            InternetChecksum checksum = default;
            checksum.AddPseudoHeader(connection->Local.Address, connection->Remote.Address, TcpHeader.Protocol,
                header.Length + (int)length);
            checksum.Add(header);
            checksum.Add(first);
            checksum.Add(second);
            TcpHeader.SetChecksum(header, checksum.Value);
        }

        if (!_host.Send(connection, header, first, second, ecn))
        {
            return false;
        }

        _counters.SegmentsOut++;
        connection->SegmentsSent++;
        connection->LastAckSent = connection->RcvNxt;
        connection->UnackedBytes = 0;
        connection->DelayedAckDueNs = 0;
        connection->Duplicate = default;
        connection->Facts &= ~TcpFacts.AckNow;
        return true;
    }

    private int WriteOptions(TcpConnection* connection, Span<byte> destination, uint length, ulong nowNs)
    {
        bool hasTimestamps = (connection->Facts & TcpFacts.Timestamps) != 0;
        bool tellsRanges = (connection->Ranges != null || connection->Duplicate.Left != connection->Duplicate.Right) && length == 0;
        if (!tellsRanges)
        {
            return hasTimestamps ? TcpOptions.WriteTimestamps(destination, Milliseconds(nowNs) + connection->TimestampOffset,
                connection->TsRecent) : 0;
        }

        TcpOptions options = default;
        if (hasTimestamps)
        {
            options.HasTimestamps = true;
            options.TimestampValue = Milliseconds(nowNs) + connection->TimestampOffset;
            options.TimestampEcho = connection->TsRecent;
        }

        if ((connection->Facts & TcpFacts.Sack) != 0)
        {
            AddSackBlocks(connection, ref options);
        }

        return options.Write(destination);
    }

    /// <summary>
    /// A duplicate first (RFC 2883, 4), then the range that changed last (RFC 2018, 4), then the others as far as there is room.
    /// </summary>
    private static void AddSackBlocks(TcpConnection* connection, ref TcpOptions options)
    {
        int limit = options.HasTimestamps ? TcpOptions.MaximumSackBlocks - 1 : TcpOptions.MaximumSackBlocks;
        if (connection->Duplicate.Left != connection->Duplicate.Right)
        {
            options.SackBlocks[options.SackCount++] = connection->Duplicate;
        }

        ReceivedRange* latest = connection->Ranges;
        while (latest != null && !(connection->LatestRange - latest->Left < latest->Right - latest->Left))
        {
            latest = latest->Next;
        }

        if (latest != null)
        {
            AddSackBlock(latest, ref options);
        }

        for (ReceivedRange* range = connection->Ranges; range != null && options.SackCount < limit; range = range->Next)
        {
            if (range != latest)
            {
                AddSackBlock(range, ref options);
            }
        }
    }

    private static void AddSackBlock(ReceivedRange* range, ref TcpOptions options)
    {
        ref SackBlock block = ref options.SackBlocks[options.SackCount++];
        block.Left = range->Left;
        block.Right = range->Right;
    }

    /// <summary>A SYN offers all; an answer only what the peer has offered.</summary>
    private int WriteSynOptions(TcpConnection* connection, Span<byte> destination, ulong nowNs)
    {
        bool isAnswer = connection->State == TcpState.SynReceived;
        TcpOptions options = default;
        options.Mss = OwnMss((int)connection->PathLimit, connection->UserMss);
        options.IsSackPermitted = !isAnswer || (connection->Facts & TcpFacts.Sack) != 0;
        options.HasWindowScale = !isAnswer || (connection->Facts & TcpFacts.WindowScale) != 0;
        options.WindowScale = OwnScale;
        if (!isAnswer || (connection->Facts & TcpFacts.Timestamps) != 0)
        {
            options.HasTimestamps = true;
            options.TimestampValue = Milliseconds(nowNs) + connection->TimestampOffset;
            options.TimestampEcho = isAnswer ? connection->TsRecent : 0;
        }

        return options.Write(destination);
    }

    /// <summary>The MSS option: what we can receive in one segment (RFC 9293, 3.7.1; RFC 6691: options are not deducted).</summary>
    private static ushort OwnMss(int pathLimit, uint userMss) =>
        (ushort)Math.Min(Math.Min((uint)pathLimit, ushort.MaxValue), userMss != 0 ? userMss : ushort.MaxValue);

    /// <summary>A connection that sent nothing for a while starts slowly again (RFC 5681, 4.1).</summary>
    private static void RestartAfterIdle(TcpConnection* connection, ulong nowNs)
    {
        if (connection->SndUna == connection->SndNxt && nowNs - connection->LastDataSentNs > connection->RtoNs)
        {
            CongestionControl.OnIdle(connection);
        }
    }

    private void RetryLater(TcpConnection* connection, ulong nowNs)
    {
        if (connection->RetryDueNs == 0)
        {
            connection->RetryDueNs = nowNs + RetryNs;
            Arm(connection, connection->RetryDueNs);
        }
    }

    /// <summary>Ends the connection by a reset (RFC 9293, 3.10.5).</summary>
    private void Reset(TcpConnection* connection, Errno error, ulong nowNs)
    {
        if (connection->State is not (TcpState.Closed or TcpState.Listen or TcpState.SynSent or TcpState.TimeWait))
        {
            _counters.ResetsOut++;
            Transmit(connection, connection->SndNxt, 0, 0, TcpFlags.Rst | TcpFlags.Ack, EcnCodepoint.NotCapable, nowNs);
        }

        Finish(connection, error);
    }

    private void SendBareReset(in SocketAddress local, in SocketAddress remote, uint interfaceIndex, uint sequence, uint acknowledgment,
        TcpFlags flags)
    {
        _counters.ResetsOut++;
        Span<byte> segment = stackalloc byte[TcpHeader.MinimumBytes];
        TcpHeader.Write(segment, local.Port, remote.Port, sequence, acknowledgment, flags, 0, 0);
        SendBare(in local, in remote, interfaceIndex, segment);
    }

    private void SendBare(in SocketAddress local, in SocketAddress remote, uint interfaceIndex, Span<byte> segment)
    {
        InternetChecksum checksum = default;
        checksum.AddPseudoHeader(local.Address, remote.Address, TcpHeader.Protocol, segment.Length);
        checksum.Add(segment);
        TcpHeader.SetChecksum(segment, checksum.Value);
        _counters.SegmentsOut++;
        _host.SendBare(local.Address, remote.Address, interfaceIndex, segment);
    }
}
