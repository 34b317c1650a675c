// Tcp: what an acknowledgment changes (RFC 9293, 3.10.7.4, fifth check): the send window, the round-trip time, what is believed lost, the
// congestion window, and the states that wait for the FIN to be acknowledged. Timers: the retransmission timeout begins anew only when new
// data are acknowledged (RFC 6298, 5.3), so neither duplicates nor window updates put a loss off.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>Duplicate acknowledgments that mean a loss, for a peer without SACK (RFC 5681, 3.2).</summary>
    private const uint DuplicateThreshold = 3;

    /// <summary>
    /// Not for what was never sent, and not older than any segment can be, which the largest window tells (RFC 5961, 5.2).
    /// </summary>
    private static bool IsAcknowledgmentPossible(TcpConnection* connection, uint ack) =>
        ack - connection->SndUna <= connection->SndNxt - connection->SndUna || connection->SndUna - ack <= connection->MaxSndWnd;

    /// <summary>A possible acknowledgment. False: the connection is over.</summary>
    private bool OnAcknowledgment(TcpConnection* connection, in TcpHeader header, scoped ref TcpOptions options, TcpFlags flags,
        uint sequence, int textBytes, ulong nowNs)
    {
        uint ack = header.Acknowledgment;
        uint flight = connection->SndNxt - connection->SndUna;
        uint advance = ack - connection->SndUna;
        bool isOld = advance > flight;
        uint windowBefore = connection->SndWnd;
        bool isWindowChanged = !isOld && UpdateSendWindow(connection, header.Window, sequence, ack);
        if (flight == 0 && !isWindowChanged)
        {
            return true;
        }

        AckOutcome outcome = default;
        if (options.SackCount > 0 && (connection->Facts & TcpFacts.Sack) != 0)
        {
            _scoreboard.Sack(connection, ref options, ack, nowNs, ref outcome);
        }

        if (isOld)
        {
            return true;
        }

        if (advance > 0)
        {
            Advance(connection, ack, advance, ref outcome, nowNs);
        }

        if (connection->SndWnd == 0)
        {
            // The peer lives and may close its window as long as it likes (RFC 9293, 3.8.6.1).
            connection->Retries = 0;
        }

        if ((flags & TcpFlags.Ece) != 0 && (connection->Facts & TcpFacts.Ecn) != 0)
        {
            OnEcnEcho(connection, flight, nowNs);
        }

        if (flight > 0)
        {
            MeasureRoundTrip(connection, ref outcome, ref options, advance, nowNs);
            bool isDuplicate = advance == 0 && textBytes == 0 && !isWindowChanged && (flags & TcpFlags.Fin) == 0;
            Recover(connection, ref outcome, isDuplicate, advance, flight, nowNs);
        }

        if (windowBefore == 0 && connection->SndWnd != 0)
        {
            OnWindowOpened(connection);
        }

        return !AdvanceState(connection, nowNs);
    }

    /// <summary>SND.WND follows the latest segment (RFC 9293, 3.10.7.4: SND.WL1, SND.WL2). True when it changed.</summary>
    private static bool UpdateSendWindow(TcpConnection* connection, ushort window, uint sequence, uint ack)
    {
        if (!SequenceNumber.IsBefore(connection->SndWl1, sequence)
            && !(connection->SndWl1 == sequence && !SequenceNumber.IsAfter(connection->SndWl2, ack)))
        {
            return false;
        }

        uint scaled = (uint)window << connection->SndScale;
        connection->SndWl1 = sequence;
        connection->SndWl2 = ack;
        if (scaled == connection->SndWnd)
        {
            return false;
        }

        connection->SndWnd = scaled;
        connection->MaxSndWnd = Math.Max(connection->MaxSndWnd, scaled);
        return true;
    }

    /// <summary>SND.UNA advances: acknowledged data leave the buffer, and the timers begin anew.</summary>
    private void Advance(TcpConnection* connection, uint ack, uint advance, ref AckOutcome outcome, ulong nowNs)
    {
        bool finAcknowledged = (connection->Facts & TcpFacts.FinSent) != 0 && ack == connection->SndNxt;
        uint data = advance - (finAcknowledged ? 1u : 0);
        _scoreboard.Acknowledge(connection, ack, nowNs, ref outcome);
        connection->SndUna = ack;
        connection->SendBuffer.Consume(_memory, data, isEmptyBeyond: true);
        connection->BytesAcked += data;
        connection->Retries = 0;
        connection->Backoff = 0;
        connection->PersistDueNs = 0;
        connection->FirstUnackedNs = nowNs;
        connection->SoftError = Errno.None;
        outcome.AckedBytes = advance;
        if ((connection->Facts & TcpFacts.UrgentSent) != 0 && !SequenceNumber.IsBefore(ack, connection->SndUp))
        {
            connection->Facts &= ~TcpFacts.UrgentSent;
        }

        if (connection->SndUna == connection->SndNxt)
        {
            // RFC 6298, 5.2: all is acknowledged.
            connection->TimeoutDueNs = 0;
            connection->LossProbeDueNs = 0;
            connection->ReorderDueNs = 0;
        }
        else
        {
            ArmTimeout(connection, nowNs);
        }

        if (data > 0 && (connection->Facts & TcpFacts.Orphaned) == 0)
        {
            GrowSendBuffer(connection);
            _host.Changed(connection);
        }
    }

    /// <summary>The send buffer holds twice what may be under way, so that it is never what limits the sender.</summary>
    private void GrowSendBuffer(TcpConnection* connection)
    {
        if ((connection->Facts & TcpFacts.SendBufferFixed) == 0 && 2 * connection->Cwnd > connection->SendLimit && !_memory.IsUnderPressure)
        {
            connection->SendLimit = Math.Min(2 * connection->Cwnd, _limits.SendBufferBytes);
        }
    }

    /// <summary>
    /// From a segment that was sent once, or from the echoed timestamp (RFC 7323, 4: RTTM), which is right for retransmissions, too.
    /// </summary>
    private static void MeasureRoundTrip(TcpConnection* connection, ref AckOutcome outcome, scoped ref TcpOptions options, uint advance,
        ulong nowNs)
    {
        if (outcome.RttNs != 0)
        {
            RoundTripTime.Sample(connection, outcome.RttNs, nowNs);
        }
        else if (advance > 0 && outcome.HasRetransmitted && options.HasTimestamps && options.TimestampEcho != 0
            && (connection->Facts & TcpFacts.Timestamps) != 0)
        {
            uint elapsedMs = Milliseconds(nowNs) + connection->TimestampOffset - options.TimestampEcho;
            if (elapsedMs < RoundTripTime.MaximumRtoNs / MillisecondNs)
            {
                RoundTripTime.Sample(connection, elapsedMs * MillisecondNs, nowNs);
            }
        }
    }

    /// <summary>Finds losses, and moves between the phases of recovery.</summary>
    private void Recover(TcpConnection* connection, ref AckOutcome outcome, bool isDuplicate, uint advance, uint flight, ulong nowNs)
    {
        bool hasSack = (connection->Facts & TcpFacts.Sack) != 0;
        if (outcome.HasDuplicate && hasSack)
        {
            OnDuplicateTold(connection);
        }

        if (connection->Recovery != TcpRecovery.Open && !SequenceNumber.IsBefore(connection->SndUna, connection->RecoveryPoint))
        {
            EndRecovery(connection, hasSack);
        }

        if (hasSack)
        {
            if (connection->SackedBytes != 0 || connection->Recovery != TcpRecovery.Open || outcome.HasRetransmitted)
            {
                DetectLosses(connection, nowNs);
            }
        }
        else
        {
            CountDuplicates(connection, isDuplicate, advance, nowNs);
        }

        CheckProbe(connection, ref outcome, flight, nowNs);
        if (connection->Recovery != TcpRecovery.Fast && outcome.AckedBytes > 0)
        {
            CongestionControl.OnAcknowledged(connection, outcome.AckedBytes, flight, nowNs);
        }

        if (outcome.AckedBytes > 0)
        {
            ArmLossProbe(connection, nowNs);
        }
    }

    /// <summary>RACK (RFC 8985, 6.2).</summary>
    private void DetectLosses(TcpConnection* connection, ulong nowNs)
    {
        ulong laterNs = Rack.DetectLoss(connection, nowNs);
        connection->ReorderDueNs = laterNs == 0 ? 0 : nowNs + laterNs;
        if (laterNs != 0)
        {
            connection->LossProbeDueNs = 0;
            Arm(connection, connection->ReorderDueNs);
        }

        if (connection->LostBytes > 0 && connection->Recovery == TcpRecovery.Open)
        {
            BeginFastRecovery(connection, nowNs);
        }
    }

    /// <summary>NewReno (RFC 6582) for a peer without SACK: three duplicates, then one segment for each partial acknowledgment.</summary>
    private void CountDuplicates(TcpConnection* connection, bool isDuplicate, uint advance, ulong nowNs)
    {
        if (isDuplicate)
        {
            connection->DuplicateAcks++;
            if (connection->DuplicateAcks == DuplicateThreshold && connection->Recovery == TcpRecovery.Open
                && SequenceNumber.IsAfter(connection->SndUna, connection->RecoveryPoint))
            {
                TcpScoreboard.MarkLost(connection, connection->SentFirst);
                BeginFastRecovery(connection, nowNs);
            }

            return;
        }

        if (advance == 0)
        {
            return;
        }

        if (connection->Recovery != TcpRecovery.Fast)
        {
            connection->DuplicateAcks = 0;
            return;
        }

        // A partial acknowledgment: the segment behind it is lost as well. The duplicates that stood for what it covers are used up.
        uint covered = Math.Max(1, advance / connection->SndMss) - 1;
        connection->DuplicateAcks -= Math.Min(covered, connection->DuplicateAcks);
        if (connection->SentFirst != null && !connection->SentFirst->Has(SegmentMarks.Retransmitted))
        {
            // At once, whatever the pipe says (RFC 6582, 3.2, step 3).
            TcpScoreboard.MarkLost(connection, connection->SentFirst);
            Retransmit(connection, connection->SentFirst, nowNs);
        }
    }

    private void BeginFastRecovery(TcpConnection* connection, ulong nowNs)
    {
        _counters.FastRecoveries++;
        CongestionControl.OnCongestion(connection, connection->SndNxt - connection->SndUna);
        connection->Recovery = TcpRecovery.Fast;
        connection->RecoveryPoint = connection->SndNxt;
        connection->LossProbeDueNs = 0;
        connection->Facts |= TcpFacts.EcnReduced;
        connection->EcnPoint = connection->SndNxt;
        // The first is sent whatever the pipe says (RFC 6675, 5, step 4.3).
        SentSegment* lost = TcpScoreboard.FirstLost(connection);
        if (lost != null)
        {
            Retransmit(connection, lost, nowNs);
        }
    }

    private static void EndRecovery(TcpConnection* connection, bool hasSack)
    {
        if (connection->Recovery == TcpRecovery.Fast)
        {
            // RFC 6582, 3.2, step 3, full acknowledgments: no burst.
            uint flight = connection->SndNxt - connection->SndUna;
            connection->Cwnd = hasSack ? connection->Ssthresh
                : Math.Min(connection->Ssthresh, Math.Max(flight, connection->SndMss) + connection->SndMss);
        }

        connection->Recovery = TcpRecovery.Open;
        connection->DuplicateAcks = 0;
        Rack.OnRecovered(connection);
    }

    /// <summary>The peer got something twice (RFC 2883): a probe's copy, or a retransmission that nothing was lost for.</summary>
    private static void OnDuplicateTold(TcpConnection* connection)
    {
        if ((connection->Facts & TcpFacts.ProbeSent) != 0 && (connection->Facts & TcpFacts.ProbeRetransmitted) != 0)
        {
            // The original had arrived: no loss was repaired (RFC 8985, 7.4.2).
            connection->Facts &= ~(TcpFacts.ProbeSent | TcpFacts.ProbeRetransmitted);
            return;
        }

        Rack.OnDuplicate(connection);
    }

    /// <summary>What became of a tail loss probe (RFC 8985, 7.4): if it repaired a loss, that was congestion like any other.</summary>
    private void CheckProbe(TcpConnection* connection, ref AckOutcome outcome, uint flight, ulong nowNs)
    {
        if ((connection->Facts & TcpFacts.ProbeSent) == 0 || SequenceNumber.IsBefore(connection->SndUna, connection->ProbeEnd))
        {
            return;
        }

        bool hasRepaired = (connection->Facts & TcpFacts.ProbeRetransmitted) != 0;
        if (!hasRepaired)
        {
            connection->Facts &= ~TcpFacts.ProbeSent;
        }
        else if (SequenceNumber.IsAfter(connection->SndUna, connection->ProbeEnd) || outcome.AckedBytes == 0)
        {
            // A duplicate acknowledgment of the probe means that both copies arrived.
            connection->Facts &= ~(TcpFacts.ProbeSent | TcpFacts.ProbeRetransmitted);
            if (outcome.AckedBytes > 0 && connection->Recovery == TcpRecovery.Open)
            {
                CongestionControl.OnCongestion(connection, flight);
                connection->Facts |= TcpFacts.EcnReduced;
            }
        }
    }

    /// <summary>The peer's packets meet congestion: once per window of data (RFC 3168, 6.1.2).</summary>
    private static void OnEcnEcho(TcpConnection* connection, uint flight, ulong nowNs)
    {
        if (connection->Recovery != TcpRecovery.Open || SequenceNumber.IsBefore(connection->SndUna, connection->EcnPoint))
        {
            return;
        }

        CongestionControl.OnCongestion(connection, flight);
        connection->EcnPoint = connection->SndNxt;
        connection->Facts |= TcpFacts.EcnReduced;
    }

    /// <summary>A closed window opens. What was sent into it, if anything, was refused: it is sent again at once.</summary>
    private static void OnWindowOpened(TcpConnection* connection)
    {
        connection->PersistDueNs = 0;
        connection->Backoff = 0;
        connection->Retries = 0;
        TcpScoreboard.MarkAllLost(connection);
    }

    /// <summary>The states that wait for our FIN's acknowledgment. True: the connection is over.</summary>
    private bool AdvanceState(TcpConnection* connection, ulong nowNs)
    {
        if ((connection->Facts & TcpFacts.FinSent) == 0 || connection->SndUna != connection->SndNxt)
        {
            return false;
        }

        switch (connection->State)
        {
            case TcpState.FinWait1:
                connection->State = TcpState.FinWait2;
                if ((connection->Facts & TcpFacts.Orphaned) != 0)
                {
                    BeginFinTimeout(connection, nowNs);
                }
                else
                {
                    _host.Changed(connection);
                }

                break;
            case TcpState.Closing:
                BeginTimeWait(connection, nowNs);
                break;
            case TcpState.LastAck:
                Finish(connection, Errno.None);
                return true;
        }

        return false;
    }
}
