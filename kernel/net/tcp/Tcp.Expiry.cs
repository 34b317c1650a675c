// Tcp: timers. Each is a time in the connection; OnTime looks at the connections whose node in the heap is due and does what has come. The
// retransmission timeout (RFC 6298) covers SYN, data and FIN in every state that has them under way, CLOSING and LAST-ACK included; a
// closed window is probed by it, too, once a byte is under way, without an end as long as the peer answers (RFC 9293, 3.8.6.1).

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>2 MSL. RFC 9293 takes 2 minutes for the MSL; Linux waits for 60 s in all.</summary>
    private const ulong TimeWaitNs = 60 * SecondNs;

    /// <summary>
    /// R2 (RFC 9293, 3.8.3), as counts of Linux: data are given up after 15 timeouts, an orphan's after 8, a SYN-ACK after 5.
    /// </summary>
    private const int MaximumRetries = 15;
    private const int MaximumOrphanRetries = 8;
    private const int MaximumSynAckRetries = 5;

    /// <summary>
    /// After so many timeouts of full segments a router may be dropping them silently (RFC 2923, 2.1): smaller ones are tried.
    /// </summary>
    private const int BlackHoleRetries = 3;

    /// <summary>When <see cref="OnTime"/> wants to be called; ulong.MaxValue: not before something else happens. May be early.</summary>
    public ulong NextDeadlineNs => _timers.First == null ? ulong.MaxValue : _timers.First->Timer.DueNs;

    /// <summary>Does what is due.</summary>
    [NoBlock]
    [NoAllocation]
    public void OnTime(ulong nowNs)
    {
        while (_timers.First != null && _timers.First->Timer.DueNs <= nowNs)
        {
            TcpConnection* connection = _timers.First;
            _timers.Remove(connection);
            Expire(connection, nowNs);
            if (connection->State != TcpState.Closed)
            {
                ArmNext(connection);
            }

            Bury();
        }
    }

    private void Expire(TcpConnection* connection, ulong nowNs)
    {
        if (IsDue(ref connection->LifetimeDueNs, nowNs))
        {
            Finish(connection, Errno.None);
            return;
        }

        if (IsDue(ref connection->TimeoutDueNs, nowNs))
        {
            OnRetransmissionTimeout(connection, nowNs);
        }

        if (connection->State != TcpState.Closed && IsDue(ref connection->PersistDueNs, nowNs))
        {
            OnPersist(connection, nowNs);
        }

        if (connection->State == TcpState.Closed)
        {
            return;
        }

        if (IsDue(ref connection->ReorderDueNs, nowNs))
        {
            DetectLosses(connection, nowNs);
            Output(connection, nowNs);
        }

        if (IsDue(ref connection->LossProbeDueNs, nowNs))
        {
            SendLossProbe(connection, nowNs);
        }

        if (IsDue(ref connection->DelayedAckDueNs, nowNs))
        {
            SendAck(connection, nowNs);
        }

        if (IsDue(ref connection->RetryDueNs, nowNs))
        {
            Output(connection, nowNs);
        }

        if (IsDue(ref connection->KeepAliveDueNs, nowNs))
        {
            OnKeepAlive(connection, nowNs);
        }
    }

    private static bool IsDue(ref ulong timer, ulong nowNs)
    {
        if (timer == 0 || timer > nowNs)
        {
            return false;
        }

        timer = 0;
        return true;
    }

    private void ArmNext(TcpConnection* connection)
    {
        ArmIfSet(connection, connection->TimeoutDueNs);
        ArmIfSet(connection, connection->LossProbeDueNs);
        ArmIfSet(connection, connection->ReorderDueNs);
        ArmIfSet(connection, connection->PersistDueNs);
        ArmIfSet(connection, connection->RetryDueNs);
        ArmIfSet(connection, connection->DelayedAckDueNs);
        ArmIfSet(connection, connection->KeepAliveDueNs);
        ArmIfSet(connection, connection->LifetimeDueNs);
    }

    private void ArmIfSet(TcpConnection* connection, ulong dueNs)
    {
        if (dueNs != 0)
        {
            Arm(connection, dueNs);
        }
    }

    private static void StopTimers(TcpConnection* connection)
    {
        connection->TimeoutDueNs = 0;
        connection->LossProbeDueNs = 0;
        connection->ReorderDueNs = 0;
        connection->PersistDueNs = 0;
        connection->RetryDueNs = 0;
        connection->DelayedAckDueNs = 0;
        connection->KeepAliveDueNs = 0;
        connection->LifetimeDueNs = 0;
    }

    /// <summary>The timeout begins anew; a user's own (RFC 5482) may end sooner.</summary>
    private void ArmTimeout(TcpConnection* connection, ulong nowNs)
    {
        connection->TimeoutDueNs = nowNs + RoundTripTime.Timeout(connection);
        if (connection->UserTimeoutMs != 0)
        {
            ulong end = connection->FirstUnackedNs + (connection->UserTimeoutMs * MillisecondNs);
            connection->TimeoutDueNs = Math.Min(connection->TimeoutDueNs, Math.Max(end, nowNs + MillisecondNs));
        }

        Arm(connection, connection->TimeoutDueNs);
    }

    /// <summary>RFC 8985, 7.2: after new data, and after an acknowledgment of some, unless a recovery is under way.</summary>
    private void ArmLossProbe(TcpConnection* connection, ulong nowNs)
    {
        const TcpFacts needed = TcpFacts.Sack;
        if ((connection->Facts & (needed | TcpFacts.ProbeSent)) != needed || connection->Recovery != TcpRecovery.Open
            || connection->SackedBytes != 0
            || connection->SndUna == connection->SndNxt)
        {
            connection->LossProbeDueNs = 0;
            return;
        }

        ulong due = nowNs + Rack.ProbeTimeout(connection);
        // The timeout comes first, or nearly: it does the same.
        connection->LossProbeDueNs = due < connection->TimeoutDueNs ? due : 0;
        if (connection->LossProbeDueNs != 0)
        {
            Arm(connection, due);
        }
    }

    /// <summary>RFC 8985, 7.3: new data if there are and the window allows, else the last segment once more.</summary>
    private void SendLossProbe(TcpConnection* connection, ulong nowNs)
    {
        if (connection->SentLast == null || connection->SndWnd == 0)
        {
            return;
        }

        _counters.LossProbes++;
        connection->Facts |= TcpFacts.ProbeSent;
        uint notSent = NotSent(connection);
        uint window = connection->SndUna + connection->SndWnd - connection->SndNxt;
        if (notSent > 0 && (int)window >= (int)Math.Min(notSent, connection->SndMss))
        {
            uint length = Math.Min(notSent, connection->SndMss);
            TrySendNew(connection, length, length == notSent, hasFin: false, nowNs);
        }
        else if (Retransmit(connection, connection->SentLast, nowNs))
        {
            connection->Facts |= TcpFacts.ProbeRetransmitted;
        }

        connection->ProbeEnd = connection->SndNxt;
        ArmTimeout(connection, nowNs);
    }

    /// <summary>RFC 6298, 5.4 to 5.7.</summary>
    private void OnRetransmissionTimeout(TcpConnection* connection, ulong nowNs)
    {
        if (connection->SndUna == connection->SndNxt)
        {
            return;
        }

        if (IsGivenUp(connection, nowNs))
        {
            Errno error = connection->SoftError != Errno.None ? connection->SoftError : Errno.ETIMEDOUT;
            if (connection->State == TcpState.SynSent || connection->State == TcpState.SynReceived)
            {
                Finish(connection, error);
            }
            else
            {
                Reset(connection, error, nowNs);
            }

            return;
        }

        _counters.Timeouts++;
        connection->Retries++;
        connection->Backoff++;
        connection->LossProbeDueNs = 0;
        connection->ReorderDueNs = 0;
        connection->Facts &= ~(TcpFacts.ProbeSent | TcpFacts.ProbeRetransmitted);
        if (connection->State == TcpState.SynSent || connection->State == TcpState.SynReceived)
        {
            RepeatSyn(connection, nowNs);
        }
        else if (connection->SndWnd == 0)
        {
            // A probe of a closed window says nothing about congestion.
            Retransmit(connection, connection->SentFirst, nowNs);
        }
        else
        {
            BeginLossRecovery(connection, nowNs);
        }

        ArmTimeout(connection, nowNs);
    }

    private void RepeatSyn(TcpConnection* connection, ulong nowNs)
    {
        if (connection->SentFirst == null)
        {
            _scoreboard.Add(connection, connection->Iss, 1, SegmentMarks.Syn, nowNs);
        }

        ResendSyn(connection, nowNs);
    }

    private void BeginLossRecovery(TcpConnection* connection, ulong nowNs)
    {
        if (connection->Retries == BlackHoleRetries && connection->SentFirst->Length >= connection->SndMss)
        {
            uint least = connection->Remote.Address.IsV4 ? DefaultMssV4 : DefaultMssV6;
            connection->PathLimit = Math.Min(connection->PathLimit, least);
            UpdateSegmentSize(connection);
        }

        bool isFirst = connection->Recovery != TcpRecovery.Loss || !SequenceNumber.IsBefore(connection->SndUna, connection->RecoveryPoint);
        CongestionControl.OnTimeout(connection, connection->SndNxt - connection->SndUna, isFirst && connection->Retries == 1);
        connection->Recovery = TcpRecovery.Loss;
        connection->RecoveryPoint = connection->SndNxt;
        connection->DuplicateAcks = 0;
        connection->EcnPoint = connection->SndNxt;
        connection->Facts |= TcpFacts.EcnReduced;
        if (connection->SentFirst->Has(SegmentMarks.Sacked))
        {
            TcpScoreboard.ForgetSacked(connection);
        }

        if ((connection->Facts & TcpFacts.Sack) != 0)
        {
            Rack.MarkOnTimeout(connection, nowNs);
        }
        else
        {
            TcpScoreboard.MarkAllLost(connection);
        }

        SentSegment* first = TcpScoreboard.FirstLost(connection);
        if (first != null)
        {
            Retransmit(connection, first, nowNs);
        }
    }

    /// <summary>R2: enough timeouts in a row, or the user's time is over.</summary>
    private static bool IsGivenUp(TcpConnection* connection, ulong nowNs)
    {
        if (connection->UserTimeoutMs != 0)
        {
            return nowNs - connection->FirstUnackedNs >= connection->UserTimeoutMs * MillisecondNs;
        }

        int limit = connection->State switch
        {
            TcpState.SynSent => (int)OrDefault(connection->SynCount, DefaultSynCount),
            TcpState.SynReceived => MaximumSynAckRetries,
            _ => (connection->Facts & TcpFacts.Orphaned) != 0 ? MaximumOrphanRetries : MaximumRetries,
        };
        return connection->Retries >= limit;
    }

    /// <summary>
    /// Data wait and nothing is under way: what the window allows goes, however little (RFC 9293, 3.8.6.2.1, the override), or one byte
    /// into a closed window (3.8.6.1), which from then on the retransmission timeout repeats.
    /// </summary>
    private void OnPersist(TcpConnection* connection, ulong nowNs)
    {
        uint notSent = NotSent(connection);
        bool finIsDue = (connection->Facts & (TcpFacts.WriteClosed | TcpFacts.FinSent)) == TcpFacts.WriteClosed;
        if (connection->SndUna != connection->SndNxt || (notSent == 0 && !finIsDue))
        {
            return;
        }

        uint length = Math.Min(Math.Min(notSent, connection->SndMss), Math.Max(connection->SndWnd, 1));
        bool isLast = length == notSent;
        TrySendNew(connection, length, isLast, finIsDue && isLast && (notSent == 0 || connection->SndWnd > length), nowNs);
        // Nagle's algorithm does not wait for the answer to a probe.
        connection->SmallEnd = connection->SndUna;
    }

    private void BeginKeepAlive(TcpConnection* connection, ulong nowNs)
    {
        connection->KeepAliveProbes = 0;
        connection->KeepAliveDueNs = 0;
        if ((connection->Flags & TcpSocketFlags.KeepAlive) != 0 && connection->State is TcpState.Established or TcpState.CloseWait)
        {
            connection->KeepAliveDueNs = nowNs + (OrDefault(connection->KeepIdleSeconds, DefaultKeepIdleSeconds) * SecondNs);
            Arm(connection, connection->KeepAliveDueNs);
        }
    }

    /// <summary>RFC 9293, 3.8.4: a segment before the window, which the peer must answer.</summary>
    private void OnKeepAlive(TcpConnection* connection, ulong nowNs)
    {
        if (connection->State is not (TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.FinWait2))
        {
            return;
        }

        ulong idleNs = OrDefault(connection->KeepIdleSeconds, DefaultKeepIdleSeconds) * SecondNs;
        ulong intervalNs = OrDefault(connection->KeepIntervalSeconds, DefaultKeepIntervalSeconds) * SecondNs;
        ulong quietNs = nowNs - connection->LastReceivedNs;
        if (quietNs < idleNs || connection->SndUna != connection->SndNxt)
        {
            // Something came, or the retransmission timeout is on watch.
            connection->KeepAliveDueNs = (quietNs < idleNs ? connection->LastReceivedNs : nowNs) + idleNs;
            connection->KeepAliveProbes = 0;
            Arm(connection, connection->KeepAliveDueNs);
            return;
        }

        bool isOver = connection->UserTimeoutMs != 0 ? connection->KeepAliveProbes > 0
            && quietNs >= connection->UserTimeoutMs * MillisecondNs
            : connection->KeepAliveProbes >= (int)OrDefault(connection->KeepCount, DefaultKeepCount);
        if (isOver)
        {
            Reset(connection, connection->SoftError != Errno.None ? connection->SoftError : Errno.ETIMEDOUT, nowNs);
            return;
        }

        connection->KeepAliveProbes++;
        Transmit(connection, connection->SndNxt - 1, 0, 0, TcpFlags.Ack, EcnCodepoint.NotCapable, nowNs);
        connection->KeepAliveDueNs = nowNs + intervalNs;
        Arm(connection, connection->KeepAliveDueNs);
    }

    /// <summary>Both FINs are acknowledged, ours and, as far as we know, the peer's: the tables keep the two ends for 2 MSL.</summary>
    private void BeginTimeWait(TcpConnection* connection, ulong nowNs)
    {
        bool isNew = connection->State != TcpState.TimeWait;
        _timeWaitCount += isNew ? 1u : 0;
        connection->State = TcpState.TimeWait;
        StopTimers(connection);
        connection->LifetimeDueNs = nowNs + TimeWaitNs;
        Arm(connection, connection->LifetimeDueNs);
        if ((connection->Facts & TcpFacts.Orphaned) != 0)
        {
            AddAbandoned(connection);
        }
        else if (isNew)
        {
            _host.Changed(connection);
        }
    }

    /// <summary>Nobody waits for the peer's FIN any more: it gets some time and no more (Linux: tcp_fin_timeout, TCP_LINGER2).</summary>
    private void BeginFinTimeout(TcpConnection* connection, ulong nowNs)
    {
        if (connection->FinTimeoutSeconds < 0)
        {
            Reset(connection, Errno.None, nowNs);
            return;
        }

        connection->LifetimeDueNs = nowNs + (connection->FinTimeoutSeconds == 0 ? FinTimeoutNs
            : (ulong)connection->FinTimeoutSeconds * SecondNs);
        Arm(connection, connection->LifetimeDueNs);
    }
}
