// Tcp: a segment arrives. To which connection it belongs, and RFC 9293's checks in their order (3.10.7): sequence number, RST, SYN, ACK;
// then urgent data, text and FIN. With RFC 5961 (blind attacks: what is in the window but not exact is challenged) and RFC 7323 (PAWS).

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>A timestamp that is so old proves nothing (RFC 7323, 5.5: 24 days).</summary>
    private const ulong TimestampValidNs = 24UL * 24 * 3600 * SecondNs;

    /// <summary>Challenge acknowledgments: of one connection, and of all in a second (RFC 5961, 7).</summary>
    private const ulong ChallengeIntervalNs = 500 * MillisecondNs;
    private const uint ChallengesPerSecond = 1000;

    private ulong _challengeSecond;
    private uint _challengesLeft;

    /// <summary>A segment has arrived: the IP payload, which begins with TCP's header.</summary>
    [NoBlock]
    [NoAllocation]
    public void OnSegment(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment, uint ecn,
        SegmentChecksum checksum,
        ulong nowNs)
    {
        _counters.SegmentsIn++;
        if (!TcpHeader.TryParse(segment, out TcpHeader header))
        {
            _counters.Malformed++;
            return;
        }

        if (checksum == SegmentChecksum.Unverified && !header.IsIntact(source, destination))
        {
            _counters.BadChecksum++;
            return;
        }

        // RFC 9293, MUST-57 and MUST-63.
        if (source.IsMulticast || source.IsUnspecified || source.IsLimitedBroadcast || destination.IsMulticast
            || destination.IsLimitedBroadcast)
        {
            _counters.BadAddress++;
            return;
        }

        SocketAddress local = new(destination, header.DestinationPort, ScopeOf(destination, interfaceIndex));
        SocketAddress remote = new(source, header.SourcePort, ScopeOf(source, interfaceIndex));
        TcpConnection* connection = _table.Find(in local, in remote);
        connection = connection != null ? connection : _table.FindListener(in local, in remote);
        if (connection == null)
        {
            _counters.NoConnection++;
            AnswerUnknown(in local, in remote, interfaceIndex, in header);
        }
        else if (!PassesFilter(connection, segment, source.IsV4, interfaceIndex, ref header))
        {
            _counters.Filtered++;
        }
        else if (connection->State == TcpState.Listen)
        {
            OnListenerSegment(connection, in local, in remote, interfaceIndex, in header, nowNs);
        }
        else if (connection->State == TcpState.SynSent)
        {
            OnSynSentSegment(connection, in header, nowNs);
        }
        else
        {
            OnConnectionSegment(connection, in header, ecn, interfaceIndex, nowNs);
        }

        Bury();
    }

    /// <summary>
    /// Whether the socket's filter lets a segment pass, whose text it may shorten (tcp_filter of Linux). A connection that nobody has
    /// accepted has its listener's; TIME-WAIT is no longer a socket's.
    /// </summary>
    private static bool PassesFilter(
        TcpConnection* connection, ReadOnlySpan<byte> segment, bool isV4, uint interfaceIndex, ref TcpHeader header)
    {
        PacketFilter* filter = connection->Listener != null ? connection->Listener->Filter : connection->Filter;
        if (filter == null || connection->State == TcpState.TimeWait)
        {
            return true;
        }

        FilterView view = FilterView.Of(segment);
        view.EtherType = isV4 ? EtherType.Ipv4 : EtherType.Ipv6;
        view.InterfaceIndex = (int)interfaceIndex;
        int passing = filter->Passing(in view, header.HeaderBytes);
        return passing != 0 && TcpHeader.TryParse(segment.Slice(0, passing), out header);
    }

    private static uint ScopeOf(IpAddress address, uint interfaceIndex) => !address.IsV4 && address.IsLinkLocal ? interfaceIndex : 0;

    /// <summary>RFC 9293, 3.10.7.4, in every state from SYN-RECEIVED on.</summary>
    private void OnConnectionSegment(TcpConnection* connection, in TcpHeader header, uint ecn, uint interfaceIndex, ulong nowNs)
    {
        TcpOptions options = default;
        if (header.HeaderBytes > TcpHeader.MinimumBytes)
        {
            TcpOptions.Parse(header.Options, ref options);
        }

        connection->SegmentsReceived++;
        TcpFlags flags = header.Flags;
        uint sequence = header.Sequence;
        ReadOnlySpan<byte> text = header.Payload;
        if (connection->State == TcpState.TimeWait && TryReuse(connection, in header, ref options, interfaceIndex, nowNs))
        {
            return;
        }

        // Simultaneous open (RFC 9293, figure 8): the peer's SYN again, now with an acknowledgment of ours.
        if (connection->State == TcpState.SynReceived && (flags & (TcpFlags.Syn | TcpFlags.Rst)) == TcpFlags.Syn
            && sequence == connection->Irs)
        {
            if ((flags & TcpFlags.Ack) == 0)
            {
                ResendSyn(connection, nowNs);
                return;
            }

            flags &= ~TcpFlags.Syn;
            sequence++;
        }

        if ((connection->Facts & TcpFacts.Timestamps) != 0 && !PassesPaws(connection, ref options, flags, sequence, text.Length, nowNs))
        {
            return;
        }

        if (!Accepts(connection, ref sequence, ref text, ref flags, nowNs))
        {
            return;
        }

        if ((flags & (TcpFlags.Rst | TcpFlags.Syn)) != 0)
        {
            OnResetOrSyn(connection, flags, sequence, nowNs);
            return;
        }

        if ((flags & TcpFlags.Ack) == 0)
        {
            _counters.BadAcknowledgment++;
            return;
        }

        if (connection->State == TcpState.SynReceived && !TryEstablish(connection, in header, ref options, interfaceIndex, nowNs))
        {
            return;
        }

        if (!IsAcknowledgmentPossible(connection, header.Acknowledgment))
        {
            // Whoever guesses numbers must not move the timestamp beyond the peer's: all that the peer sends would be old then.
            _counters.BadAcknowledgment++;
            SendChallenge(connection, nowNs);
            return;
        }

        connection->LastReceivedNs = nowNs;
        connection->KeepAliveProbes = 0;
        NoteTimestamp(connection, ref options, sequence, nowNs);
        if (!OnAcknowledgment(connection, in header, ref options, flags, sequence, text.Length, nowNs)
            || connection->State == TcpState.Closed)
        {
            return;
        }

        if ((connection->Facts & TcpFacts.Ecn) != 0)
        {
            NoteCongestion(connection, flags, ecn);
        }

        if ((flags & TcpFlags.Urg) != 0)
        {
            OnUrgent(connection, header.Sequence, header.UrgentPointer);
        }

        if (text.Length > 0)
        {
            OnText(connection, sequence, text, nowNs);
        }

        if ((flags & TcpFlags.Fin) != 0 || (connection->Facts & TcpFacts.FinSeen) != 0)
        {
            OnFin(connection, flags, sequence + (uint)text.Length, nowNs);
        }

        if (connection->State != TcpState.Closed)
        {
            Output(connection, nowNs);
        }
    }

    /// <summary>
    /// First check: does any of it lie in the window (RFC 9293, table 6)? What lies outside is cut off. An answer to what does not brings a
    /// peer that is out of step back; one that answers nothing new is rationed, so that two such peers do not talk for ever.
    /// </summary>
    private bool Accepts(TcpConnection* connection, ref uint sequence, ref ReadOnlySpan<byte> text, ref TcpFlags flags, ulong nowNs)
    {
        uint window = ReceiveWindow(connection);
        uint offset = sequence - connection->RcvNxt;
        uint length = (uint)text.Length + ((flags & TcpFlags.Syn) != 0 ? 1u : 0) + ((flags & TcpFlags.Fin) != 0 ? 1u : 0);
        if (offset == 0 && length <= window)
        {
            return true;
        }

        uint lastOffset = offset + length - 1;
        bool isAcceptable = length == 0 ? offset < window || (window == 0 && offset == 0)
            : window > 0 && (offset < window || lastOffset < window);
        if (isAcceptable)
        {
            // A reset or SYN that is not exact does not become so by what is cut off.
            if ((flags & (TcpFlags.Syn | TcpFlags.Rst)) == 0 && length > 0)
            {
                Trim(connection, ref sequence, ref text, ref flags, window);
            }

            return true;
        }

        if (window == 0 && offset == 0 && (flags & TcpFlags.Syn) == 0)
        {
            // A probe of a closed window: its text is refused, its acknowledgment and reset count (RFC 9293, MUST-66).
            text = default;
            flags &= ~TcpFlags.Fin;
            connection->Facts |= TcpFacts.AckNow;
            return true;
        }

        _counters.OutOfWindow++;
        if ((flags & TcpFlags.Rst) != 0)
        {
            return false;
        }

        if (length > 0 && (flags & TcpFlags.Syn) == 0)
        {
            connection->DuplicatesReceived++;
            NoteOld(connection, sequence, sequence + length);
            if (connection->State == TcpState.TimeWait && (flags & TcpFlags.Fin) != 0)
            {
                // The peer has not seen our last acknowledgment: 2 MSL begin anew (RFC 9293, 3.10.7.4, eighth).
                BeginTimeWait(connection, nowNs);
            }

            SendAck(connection, nowNs);
        }
        else
        {
            SendChallenge(connection, nowNs);
        }

        return false;
    }

    /// <summary>Cuts off what has been received before, and what lies beyond the window.</summary>
    private void Trim(TcpConnection* connection, ref uint sequence, ref ReadOnlySpan<byte> text, ref TcpFlags flags, uint window)
    {
        if (SequenceNumber.IsBefore(sequence, connection->RcvNxt))
        {
            uint known = connection->RcvNxt - sequence;
            NoteDuplicate(connection, sequence, connection->RcvNxt);
            text = text[(int)Math.Min(known, (uint)text.Length)..];
            sequence = connection->RcvNxt;
            connection->Facts |= TcpFacts.AckNow;
        }

        uint room = window - (sequence - connection->RcvNxt);
        if ((uint)text.Length > room)
        {
            text = text[..(int)room];
            flags &= ~TcpFlags.Fin;
            connection->Facts |= TcpFacts.AckNow;
        }
        else if ((uint)text.Length == room && (flags & TcpFlags.Fin) != 0)
        {
            flags &= ~TcpFlags.Fin;
            connection->Facts |= TcpFacts.AckNow;
        }
    }

    /// <summary>
    /// Second and fourth check: a reset ends the connection if it is exact; all else could be a stranger's and is challenged.
    /// </summary>
    private void OnResetOrSyn(TcpConnection* connection, TcpFlags flags, uint sequence, ulong nowNs)
    {
        bool isReset = (flags & TcpFlags.Rst) != 0;
        if (isReset && sequence == connection->RcvNxt)
        {
            _counters.ResetsIn++;
            Errno error = connection->State switch
            {
                TcpState.SynReceived => Errno.ECONNREFUSED,
                TcpState.CloseWait => Errno.EPIPE,
                TcpState.TimeWait or TcpState.Closing or TcpState.LastAck => Errno.None,
                _ => Errno.ECONNRESET,
            };
            Finish(connection, error);
            return;
        }

        if (!isReset && connection->State == TcpState.SynReceived && connection->Listener != null && sequence != connection->Irs)
        {
            // Back to LISTEN (RFC 9293, 3.10.7.4, fourth).
            Finish(connection, Errno.ECONNREFUSED);
            return;
        }

        SendChallenge(connection, nowNs);
    }

    /// <summary>
    /// An acknowledgment in answer to what may be an attack: rationed for the connection and for all (RFC 5961, 3, 4, 5 and 7).
    /// </summary>
    private void SendChallenge(TcpConnection* connection, ulong nowNs)
    {
        ulong second = nowNs / SecondNs;
        if (second != _challengeSecond)
        {
            // Half of the budget is at random, so that nobody can learn from it whether a guess was right (CVE-2016-5696).
            _challengeSecond = second;
            _challengesLeft = (ChallengesPerSecond / 2) + (_secrets.Unforeseen(second) % ChallengesPerSecond);
        }

        if (_challengesLeft == 0 || (connection->LastChallengeNs != 0 && nowNs - connection->LastChallengeNs < ChallengeIntervalNs))
        {
            _counters.ChallengesSuppressed++;
            return;
        }

        _challengesLeft--;
        connection->LastChallengeNs = nowNs;
        _counters.ChallengeAcks++;
        SendAck(connection, nowNs);
    }

    /// <summary>
    /// Protection against wrapped sequences (RFC 7323, 5.3, R1): older than what was seen last is a duplicate from long ago.
    /// </summary>
    private bool PassesPaws(TcpConnection* connection, ref TcpOptions options, TcpFlags flags, uint sequence, int textBytes, ulong nowNs)
    {
        if ((flags & TcpFlags.Rst) != 0)
        {
            return true;
        }

        if (!options.HasTimestamps)
        {
            // RFC 7323, 3.2: a segment without the option that was agreed on may be dropped.
            _counters.OldTimestamp++;
            return false;
        }

        if (!SequenceNumber.IsBefore(options.TimestampValue, connection->TsRecent) || nowNs - connection->TsRecentNs > TimestampValidNs)
        {
            return true;
        }

        _counters.OldTimestamp++;
        if (textBytes > 0 || (flags & TcpFlags.Fin) != 0)
        {
            NoteOld(connection, sequence, sequence + (uint)textBytes);
            SendAck(connection, nowNs);
        }
        else
        {
            SendChallenge(connection, nowNs);
        }

        return false;
    }

    /// <summary>TS.Recent is the timestamp of the segment that covers Last.ACK.sent (RFC 7323, 4.3 (2) and 5.3, R3).</summary>
    private static void NoteTimestamp(TcpConnection* connection, ref TcpOptions options, uint sequence, ulong nowNs)
    {
        if ((connection->Facts & TcpFacts.Timestamps) != 0 && options.HasTimestamps
            && !SequenceNumber.IsAfter(sequence, connection->LastAckSent)
            && !SequenceNumber.IsBefore(options.TimestampValue, connection->TsRecent))
        {
            connection->TsRecent = options.TimestampValue;
            connection->TsRecentNs = nowNs;
        }
    }

    /// <summary>RFC 3168, 6.1.3: congestion experienced is echoed until the sender has said that it slowed down.</summary>
    private static void NoteCongestion(TcpConnection* connection, TcpFlags flags, uint ecn)
    {
        if ((flags & TcpFlags.Cwr) != 0)
        {
            connection->Facts &= ~TcpFacts.EcnEcho;
        }

        if (ecn == EcnCodepoint.CongestionExperienced)
        {
            connection->Facts |= TcpFacts.EcnEcho | TcpFacts.AckNow;
        }
    }

    /// <summary>A segment for nobody is answered by a reset, unless it is one (RFC 9293, 3.10.7.1).</summary>
    private void AnswerUnknown(in SocketAddress local, in SocketAddress remote, uint interfaceIndex, in TcpHeader header)
    {
        if ((header.Flags & TcpFlags.Rst) != 0)
        {
            return;
        }

        if ((header.Flags & TcpFlags.Ack) != 0)
        {
            SendBareReset(in local, in remote, interfaceIndex, header.Acknowledgment, 0, TcpFlags.Rst);
        }
        else
        {
            SendBareReset(in local, in remote, interfaceIndex, 0, header.Sequence + header.SequenceLength, TcpFlags.Rst | TcpFlags.Ack);
        }
    }
}
