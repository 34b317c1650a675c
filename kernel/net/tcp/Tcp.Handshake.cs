// Tcp: how connections begin (RFC 9293, 3.5, 3.10.7.2 and 3.10.7.3). A SYN to a listener makes a connection in SYN-RECEIVED as long as the
// listener has few of them; beyond that it is answered by a cookie (Tcp.Cookies.cs). TIME-WAIT gives way to a SYN that is certainly new
// (RFC 6191).

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>Connections in SYN-RECEIVED of one listener; its backlog when that is smaller, but not fewer than the least.</summary>
    private const int MaximumHalfOpen = 256;
    private const int LeastHalfOpen = 8;

    /// <summary>
    /// Connections that a listener has room for beyond its backlog when they come by a card. Servers ask for little (busybox's httpd for 9,
    /// Python's for 5), and a client of the wire that comes in a burst learns of a full queue by time-outs of seconds only. Programs of
    /// this node see the bound that Linux has.
    /// </summary>
    private const int RoomForTheWire = 128;

    /// <summary>The first segments are acknowledged at once, while the peer's window opens (Linux: TCP_MAX_QUICKACKS).</summary>
    private const uint InitialQuickAcks = 16;

    /// <summary>Our window scale: the largest buffer's. Zero-based: 65535 bytes need none.</summary>
    private byte OwnScale
    {
        get
        {
            byte scale = 0;
            while (scale < TcpOptions.MaximumWindowScale && (_limits.ReceiveBufferBytes >> scale) > ushort.MaxValue)
            {
                scale++;
            }

            return scale;
        }
    }

    /// <summary>Active open.</summary>
    private Errno Open(TcpConnection* connection, IpAddress source, in SocketAddress remote, ulong nowNs)
    {
        ushort number = connection->Port != null ? connection->Local.Port : _table.ChooseEphemeral(source, in remote);
        SocketAddress local = new(source, number, ScopeOf(source, remote.Scope));
        if (number == 0 || _table.Find(in local, in remote) != null)
        {
            return Errno.EADDRNOTAVAIL;
        }

        connection->Local = local;
        if (connection->Port == null && !_table.TryHold(connection, isBound: false))
        {
            connection->Local = connection->LocalAsNamed;
            return Errno.ENOBUFS;
        }

        connection->Error = Errno.None;

        connection->Remote = remote;
        Begin(connection, nowNs);
        connection->State = TcpState.SynSent;
        connection->RcvScale = OwnScale;
        if (Ecn == TcpEcn.Active)
        {
            connection->Facts |= TcpFacts.Ecn;
        }

        _table.Add(connection);
        _counters.Opened++;
        SendSyn(connection, nowNs);
        return Errno.EINPROGRESS;
    }

    /// <summary>What both kinds of open set: our initial sequence number, timers and windows.</summary>
    private void Begin(TcpConnection* connection, ulong nowNs)
    {
        connection->Iss = _secrets.InitialSequence(in connection->Local, in connection->Remote, nowNs);
        connection->TimestampOffset = _secrets.TimestampOffset(in connection->Local, in connection->Remote);
        BeginSending(connection);
    }

    private void BeginSending(TcpConnection* connection)
    {
        connection->SndUna = connection->Iss;
        connection->SndNxt = connection->Iss;
        connection->SndUp = connection->Iss;
        connection->RecoveryPoint = connection->Iss;
        connection->RackForward = connection->Iss;
        connection->RackEnd = connection->Iss;
        connection->RackDuplicateRound = connection->Iss;
        connection->EcnPoint = connection->Iss;
        connection->SmallEnd = connection->Iss;
        connection->PathLimit = (uint)_host.PayloadLimit(connection->Local.Address, connection->Remote.Address, connection->Remote.Scope);
        connection->PeerMss = connection->Remote.Address.IsV4 ? DefaultMssV4 : DefaultMssV6;
        connection->Retries = 0;
        connection->Backoff = 0;
        connection->SoftError = Errno.None;
        RoundTripTime.Begin(connection);
        UpdateSegmentSize(connection);
    }

    private static void BeginReceiving(TcpConnection* connection, uint peerSequence)
    {
        connection->Irs = peerSequence;
        connection->RcvNxt = peerSequence + 1;
        connection->RcvUp = connection->RcvNxt;
        connection->RcvAdv = connection->RcvNxt + Math.Min(connection->ReceiveLimit, ushort.MaxValue);
        connection->LastAckSent = connection->RcvNxt;
        connection->ReceiveRttEdge = connection->RcvAdv;
        connection->QuickAcks = InitialQuickAcks;
    }

    /// <summary>
    /// Eff.snd.MSS (RFC 9293, 3.7.1): the least of the peer's, the path's and the user's, less the options of every segment.
    /// </summary>
    private static void UpdateSegmentSize(TcpConnection* connection)
    {
        uint limit = Math.Min(connection->PeerMss, connection->PathLimit);
        if (connection->UserMss != 0)
        {
            limit = Math.Min(limit, connection->UserMss);
        }

        uint options = (connection->Facts & TcpFacts.Timestamps) != 0 ? (uint)TcpOptions.TimestampsBytes : 0;
        limit = limit > options ? limit - options : 0;
        connection->SndMss = Math.Clamp(limit, MinimumMss, MaximumSegmentBytes);
        // The peer's segments are taken for small until larger ones come, so that acknowledgments are rather too many than too few.
        connection->RcvMss = connection->RcvMss == 0 ? Math.Min(connection->SndMss, DefaultMssV4) : connection->RcvMss;
    }

    /// <summary>The peer's SYN says what it can; what we offer as well is agreed.</summary>
    private void Agree(TcpConnection* connection, scoped ref TcpOptions options, ulong nowNs)
    {
        if (options.Mss != 0)
        {
            connection->PeerMss = Math.Max(options.Mss, MinimumMss);
        }

        if (options.HasWindowScale)
        {
            connection->Facts |= TcpFacts.WindowScale;
            connection->SndScale = options.WindowScale;
            connection->RcvScale = OwnScale;
        }
        else
        {
            connection->SndScale = 0;
            connection->RcvScale = 0;
        }

        if (options.IsSackPermitted)
        {
            connection->Facts |= TcpFacts.Sack;
        }

        if (options.HasTimestamps)
        {
            connection->Facts |= TcpFacts.Timestamps;
            connection->TsRecent = options.TimestampValue;
            connection->TsRecentNs = nowNs;
        }

        UpdateSegmentSize(connection);
    }

    /// <summary>LISTEN (RFC 9293, 3.10.7.2).</summary>
    private void OnListenerSegment(TcpConnection* listener, in SocketAddress local, in SocketAddress remote, uint interfaceIndex,
        in TcpHeader header, ulong nowNs)
    {
        if ((header.Flags & TcpFlags.Rst) != 0)
        {
            return;
        }

        if ((header.Flags & TcpFlags.Ack) != 0)
        {
            if ((header.Flags & TcpFlags.Syn) != 0 || !TryAcceptCookie(listener, in local, in remote, interfaceIndex, in header, nowNs))
            {
                AnswerUnknown(in local, in remote, interfaceIndex, in header);
            }

            return;
        }

        // A SYN with a FIN is nothing that a client sends.
        if ((header.Flags & (TcpFlags.Syn | TcpFlags.Fin)) != TcpFlags.Syn)
        {
            _counters.NoConnection++;
            return;
        }

        if (listener->AcceptCount > BacklogOf(listener, interfaceIndex))
        {
            _counters.BacklogFull++;
            return;
        }

        TcpOptions options = default;
        TcpOptions.Parse(header.Options, ref options);
        TcpConnection* child = listener->HalfOpenCount >= Math.Clamp(listener->BacklogLimit, LeastHalfOpen, MaximumHalfOpen) ? null
            : MakeChild(listener, in local, in remote);
        if (child == null)
        {
            SendCookie(listener, in local, in remote, interfaceIndex, in header, ref options, nowNs);
            return;
        }

        Begin(child, nowNs);
        BeginReceiving(child, header.Sequence);
        Agree(child, ref options, nowNs);
        if (Ecn != TcpEcn.Off && (header.Flags & (TcpFlags.Ece | TcpFlags.Cwr)) == (TcpFlags.Ece | TcpFlags.Cwr))
        {
            child->Facts |= TcpFacts.Ecn;
        }

        // The window of a SYN is never scaled (RFC 7323, 2.2).
        SetSendWindow(child, header.Window, header.Sequence, child->Iss);
        child->State = TcpState.SynReceived;
        AddHalfOpen(listener, child);
        SendSyn(child, nowNs);
    }

    /// <summary>Connections that may wait for accept, one more being let in as on Linux.</summary>
    private static int BacklogOf(TcpConnection* listener, uint interfaceIndex) =>
        listener->BacklogLimit + (interfaceIndex == InterfaceTable.LoopbackIndex ? 0 : RoomForTheWire);

    /// <summary>A connection with the listener's settings and the two ends; null without memory.</summary>
    private TcpConnection* MakeChild(TcpConnection* listener, in SocketAddress local, in SocketAddress remote)
    {
        TcpConnection* child = Create(local.Address);
        if (child == null)
        {
            return null;
        }

        child->Local = local;
        child->LocalAsNamed = new SocketAddress(listener->LocalAsNamed.Address, 0);
        child->Remote = remote;
        if (!_table.TryHold(child, isBound: false))
        {
            Free(child);
            return null;
        }

        child->Facts |= TcpFacts.Passive;
        Inherit(child, listener);
        child->Listener = listener;
        _table.Add(child);
        return child;
    }

    /// <summary>SYN-SENT (RFC 9293, 3.10.7.3).</summary>
    private void OnSynSentSegment(TcpConnection* connection, in TcpHeader header, ulong nowNs)
    {
        TcpFlags flags = header.Flags;
        bool hasAck = (flags & TcpFlags.Ack) != 0;
        if (hasAck && header.Acknowledgment != connection->SndNxt)
        {
            // Only the SYN is under way, so only its number can be acknowledged.
            _counters.BadAcknowledgment++;
            if ((flags & TcpFlags.Rst) == 0)
            {
                SendBareReset(in connection->Local, in connection->Remote, connection->Remote.Scope, header.Acknowledgment, 0,
                    TcpFlags.Rst);
            }

            return;
        }

        if ((flags & TcpFlags.Rst) != 0)
        {
            if (hasAck)
            {
                _counters.ResetsIn++;
                Finish(connection, Errno.ECONNREFUSED);
            }

            return;
        }

        if ((flags & TcpFlags.Syn) == 0)
        {
            return;
        }

        TcpOptions options = default;
        TcpOptions.Parse(header.Options, ref options);
        BeginReceiving(connection, header.Sequence);
        Agree(connection, ref options, nowNs);
        AgreeOnEcn(connection, flags);
        SetSendWindow(connection, header.Window, header.Sequence, hasAck ? header.Acknowledgment : connection->Iss);
        connection->LastReceivedNs = nowNs;
        if (!hasAck)
        {
            // Simultaneous open: the SYN is sent once more, now with an acknowledgment.
            connection->State = TcpState.SynReceived;
            ResendSyn(connection, nowNs);
            return;
        }

        AcknowledgeSyn(connection, header.Acknowledgment, nowNs);
        Establish(connection, nowNs);
        connection->Facts |= TcpFacts.AckNow;
        _host.Changed(connection);
        ReadOnlySpan<byte> text = header.Payload;
        if (text.Length > 0 && (uint)text.Length <= ReceiveWindow(connection))
        {
            OnText(connection, connection->RcvNxt, text, nowNs);
        }

        if ((flags & TcpFlags.Fin) != 0)
        {
            OnFin(connection, flags, header.Sequence + 1 + (uint)text.Length, nowNs);
        }

        Output(connection, nowNs);
    }

    /// <summary>A SYN-ACK with ECE and without CWR agrees (RFC 3168, 6.1.1).</summary>
    private static void AgreeOnEcn(TcpConnection* connection, TcpFlags flags)
    {
        TcpFlags expected = (flags & TcpFlags.Ack) != 0 ? TcpFlags.Ece : TcpFlags.Ece | TcpFlags.Cwr;
        if ((flags & (TcpFlags.Ece | TcpFlags.Cwr)) != expected)
        {
            connection->Facts &= ~TcpFacts.Ecn;
        }
    }

    /// <summary>
    /// SYN-RECEIVED, fifth check: an acknowledgment of our SYN makes the connection. False: the segment needs no more.
    /// </summary>
    private bool TryEstablish(TcpConnection* connection, in TcpHeader header, scoped ref TcpOptions options, uint interfaceIndex,
        ulong nowNs)
    {
        if (header.Acknowledgment != connection->SndNxt)
        {
            _counters.BadAcknowledgment++;
            SendBareReset(in connection->Local, in connection->Remote, interfaceIndex, header.Acknowledgment, 0, TcpFlags.Rst);
            return false;
        }

        TcpConnection* listener = connection->Listener;
        if (listener != null && listener->AcceptCount > BacklogOf(listener, interfaceIndex))
        {
            // The SYN-ACK will be sent again, and with it this acknowledgment comes again.
            _counters.BacklogFull++;
            return false;
        }

        AcknowledgeSyn(connection, header.Acknowledgment, nowNs);
        SetSendWindow(connection, (uint)header.Window << connection->SndScale, header.Sequence, header.Acknowledgment);
        Establish(connection, nowNs);
        if (listener != null)
        {
            RemoveHalfOpen(connection);
            AddAcceptable(listener, connection);
            _host.Changed(listener);
        }
        else
        {
            _host.Changed(connection);
        }

        return true;
    }

    private void AcknowledgeSyn(TcpConnection* connection, uint ack, ulong nowNs)
    {
        AckOutcome outcome = default;
        bool wasResent = connection->Retries > 0;
        _scoreboard.Acknowledge(connection, ack, nowNs, ref outcome);
        connection->SndUna = ack;
        if (outcome.RttNs != 0)
        {
            RoundTripTime.Sample(connection, outcome.RttNs, nowNs);
        }
        else if (wasResent)
        {
            connection->RtoNs = RoundTripTime.RtoAfterLostSynNs;
        }

        connection->TimeoutDueNs = 0;
        connection->Retries = 0;
        connection->Backoff = 0;
    }

    private void Establish(TcpConnection* connection, ulong nowNs)
    {
        connection->State = TcpState.Established;
        connection->Facts |= TcpFacts.WasEstablished;
        CongestionControl.Begin(connection);
        connection->LastReceivedNs = nowNs;
        connection->LastDataSentNs = nowNs;
        connection->TuneStartNs = nowNs;
        BeginKeepAlive(connection, nowNs);
        if ((connection->Facts & TcpFacts.WriteClosed) != 0)
        {
            connection->State = TcpState.FinWait1;
        }
    }

    private void SetSendWindow(TcpConnection* connection, uint window, uint sequence, uint ack)
    {
        connection->SndWnd = window;
        connection->MaxSndWnd = Math.Max(connection->MaxSndWnd, window);
        connection->SndWl1 = sequence;
        connection->SndWl2 = ack;
    }

    /// <summary>
    /// A SYN to a connection in TIME-WAIT that is later than all that was received begins a new one (RFC 6191; RFC 9293, MAY-2).
    /// </summary>
    private bool TryReuse(TcpConnection* connection, in TcpHeader header, scoped ref TcpOptions options, uint interfaceIndex, ulong nowNs)
    {
        if ((header.Flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst)) != TcpFlags.Syn)
        {
            return false;
        }

        bool hasTimestamps = (connection->Facts & TcpFacts.Timestamps) != 0 && options.HasTimestamps;
        bool isNew = hasTimestamps && options.TimestampValue != connection->TsRecent
            ? SequenceNumber.IsAfter(options.TimestampValue, connection->TsRecent)
            : SequenceNumber.IsAfter(header.Sequence, connection->RcvNxt);
        TcpConnection* listener = _table.FindListener(in connection->Local, in connection->Remote);
        if (!isNew || listener == null)
        {
            return false;
        }

        SocketAddress local = connection->Local;
        SocketAddress remote = connection->Remote;
        Finish(connection, Errno.None);
        OnListenerSegment(listener, in local, in remote, interfaceIndex, in header, nowNs);
        return true;
    }
}
