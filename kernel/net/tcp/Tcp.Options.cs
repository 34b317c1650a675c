// Tcp: options of connections, what a call would find, and what is shown of them.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    private const uint DefaultKeepIdleSeconds = 7200;
    private const uint DefaultKeepIntervalSeconds = 75;
    private const uint DefaultKeepCount = 9;
    private const uint DefaultSynCount = 6;

    /// <summary>Linux's bounds of the options (tcp(7)).</summary>
    private const int MaximumKeepSeconds = 32767;
    private const int MaximumKeepCount = 127;
    private const int MinimumUserMss = 88;
    private const int MaximumUserMss = 32767;

    /// <summary>What a call would find.</summary>
    public TcpReadiness Poll(TcpConnection* connection)
    {
        if (connection->State == TcpState.Listen)
        {
            return connection->AcceptFirst != null ? TcpReadiness.Readable : TcpReadiness.None;
        }

        TcpReadiness readiness = connection->Error != Errno.None ? TcpReadiness.Error : TcpReadiness.None;
        bool isReadClosed = (connection->Facts & (TcpFacts.FinReceived | TcpFacts.ReadClosed)) != 0;
        bool isWriteClosed = (connection->Facts & TcpFacts.WriteClosed) != 0;
        if (connection->State == TcpState.Closed || (isReadClosed && isWriteClosed))
        {
            readiness |= TcpReadiness.HungUp | TcpReadiness.Writable;
        }

        if (isReadClosed || (connection->State == TcpState.Closed && (connection->Facts & TcpFacts.Failed) != 0))
        {
            readiness |= TcpReadiness.Readable | TcpReadiness.PeerClosed;
        }

        // At the mark a read begins behind the urgent byte.
        if (ReadLimit(connection) > 0 || (IsAtMark(connection) && connection->ReceiveBuffer.Length > 1))
        {
            readiness |= TcpReadiness.Readable;
        }

        if ((connection->Facts & TcpFacts.UrgentByteReady) != 0 || HasUrgentByte(connection))
        {
            readiness |= TcpReadiness.Urgent;
        }

        // A third of the buffer must be free, so that writers do not wake up for every acknowledgment (Linux: sk_stream_is_writeable).
        bool isOpen = connection->State is TcpState.Established or TcpState.CloseWait;
        if ((isOpen && WriteRoom(connection) >= connection->SendLimit / 3) || isWriteClosed)
        {
            readiness |= TcpReadiness.Writable;
        }

        return readiness;
    }

    /// <summary>The pending error, which is then no longer pending (SO_ERROR).</summary>
    public Errno TakeError(TcpConnection* connection)
    {
        Errno error = connection->Error;
        connection->Error = Errno.None;
        return error;
    }

    /// <summary>Sets an option. EINVAL: out of its range. EISCONN: too late.</summary>
    public Errno SetOption(TcpConnection* connection, TcpOption option, int value, ulong nowNs)
    {
        switch (option)
        {
            case TcpOption.NoDelay:
                SetFlag(connection, TcpSocketFlags.NoDelay, value != 0);
                Output(connection, nowNs);
                break;
            case TcpOption.Cork:
                SetFlag(connection, TcpSocketFlags.Cork, value != 0);
                Output(connection, nowNs);
                break;
            case TcpOption.KeepAlive:
                SetFlag(connection, TcpSocketFlags.KeepAlive, value != 0);
                BeginKeepAlive(connection, nowNs);
                break;
            case TcpOption.KeepIdleSeconds when value is >= 1 and <= MaximumKeepSeconds:
                connection->KeepIdleSeconds = (uint)value;
                BeginKeepAlive(connection, nowNs);
                break;
            case TcpOption.KeepIntervalSeconds when value is >= 1 and <= MaximumKeepSeconds:
                connection->KeepIntervalSeconds = (uint)value;
                break;
            case TcpOption.KeepCount when value is >= 1 and <= MaximumKeepCount:
                connection->KeepCount = (uint)value;
                break;
            case TcpOption.UserTimeoutMs when value >= 0:
                connection->UserTimeoutMs = (uint)value;
                break;
            case TcpOption.MaximumSegment when value == 0 || value is >= MinimumUserMss and <= MaximumUserMss:
                connection->UserMss = (uint)value;
                break;
            case TcpOption.SynCount when value is >= 1 and <= MaximumKeepCount:
                connection->SynCount = (uint)value;
                break;
            case TcpOption.WindowClamp when value >= 0:
                connection->WindowClamp = value == 0 ? 0 : Math.Max((uint)value, MinimumBufferBytes / 2);
                break;
            case TcpOption.FinTimeoutSeconds:
                connection->FinTimeoutSeconds = value;
                break;
            case TcpOption.QuickAck:
                SetQuickAck(connection, value != 0, nowNs);
                break;
            case TcpOption.SendBuffer when value >= 0:
                connection->SendLimit = Math.Clamp((uint)value, MinimumBufferBytes * 2, StreamBuffer.MaximumBytes);
                connection->Facts |= TcpFacts.SendBufferFixed;
                break;
            case TcpOption.ReceiveBuffer when value >= 0:
                connection->ReceiveLimit = Math.Clamp((uint)value, MinimumBufferBytes, StreamBuffer.MaximumBytes);
                connection->Facts |= TcpFacts.ReceiveBufferFixed;
                break;
            case TcpOption.Congestion when value is (int)TcpCongestion.Cubic or (int)TcpCongestion.NewReno:
                connection->Congestion = (TcpCongestion)value;
                connection->Cubic = default;
                break;
            default:
                return Errno.EINVAL;
        }

        Bury();
        return Errno.None;
    }

    /// <summary>An option as it stands, defaults filled in.</summary>
    public int GetOption(TcpConnection* connection, TcpOption option) => option switch
    {
        TcpOption.NoDelay => Has(connection, TcpSocketFlags.NoDelay) ? 1 : 0,
        TcpOption.Cork => Has(connection, TcpSocketFlags.Cork) ? 1 : 0,
        TcpOption.KeepAlive => Has(connection, TcpSocketFlags.KeepAlive) ? 1 : 0,
        TcpOption.KeepIdleSeconds => (int)OrDefault(connection->KeepIdleSeconds, DefaultKeepIdleSeconds),
        TcpOption.KeepIntervalSeconds => (int)OrDefault(connection->KeepIntervalSeconds, DefaultKeepIntervalSeconds),
        TcpOption.KeepCount => (int)OrDefault(connection->KeepCount, DefaultKeepCount),
        TcpOption.UserTimeoutMs => (int)connection->UserTimeoutMs,
        TcpOption.MaximumSegment => (int)(connection->SndMss != 0 ? connection->SndMss : OrDefault(connection->UserMss, DefaultMssV4)),
        TcpOption.SynCount => (int)OrDefault(connection->SynCount, DefaultSynCount),
        TcpOption.WindowClamp => (int)connection->WindowClamp,
        TcpOption.FinTimeoutSeconds => connection->FinTimeoutSeconds != 0 ? connection->FinTimeoutSeconds : (int)(FinTimeoutNs / SecondNs),
        TcpOption.QuickAck => (connection->Facts & TcpFacts.Interactive) == 0 ? 1 : 0,
        TcpOption.SendBuffer => (int)connection->SendLimit,
        TcpOption.ReceiveBuffer => (int)connection->ReceiveLimit,
        TcpOption.Congestion => (int)connection->Congestion,
        _ => 0,
    };

    /// <summary>The connection as it stands.</summary>
    public void Describe(TcpConnection* connection, ulong nowNs, out TcpInfo info)
    {
        info = default;
        info.State = connection->State;
        info.Recovery = connection->Recovery;
        info.HasTimestamps = (connection->Facts & TcpFacts.Timestamps) != 0;
        info.HasSack = (connection->Facts & TcpFacts.Sack) != 0;
        info.HasWindowScale = (connection->Facts & TcpFacts.WindowScale) != 0;
        info.HasEcn = (connection->Facts & TcpFacts.Ecn) != 0;
        info.SendScale = connection->SndScale;
        info.ReceiveScale = connection->RcvScale;
        info.Retries = connection->Retries;
        info.KeepAliveProbes = connection->KeepAliveProbes;
        info.Backoff = connection->Backoff;
        info.RtoNs = connection->RtoNs;
        info.SmoothedRttNs = connection->SmoothedRttNs;
        info.RttVariationNs = connection->RttVariationNs;
        info.MinimumRttNs = connection->MinimumRttNs;
        info.SendMss = connection->SndMss;
        info.ReceiveMss = connection->RcvMss;
        info.PathLimit = connection->PathLimit;
        info.Cwnd = connection->Cwnd;
        info.Ssthresh = connection->Ssthresh;
        info.ReceiveWindow = ReceiveWindow(connection);
        info.SendWindow = connection->SndWnd;
        info.UnackedBytes = connection->SndNxt - connection->SndUna;
        info.SackedBytes = connection->SackedBytes;
        info.LostBytes = connection->LostBytes;
        info.RetransmittedBytes = connection->RetransmittedBytes;
        info.SendQueueBytes = connection->SendBuffer.Length;
        info.NotSentBytes = NotSent(connection);
        info.ReceiveQueueBytes = connection->State == TcpState.Listen ? (uint)connection->AcceptCount : connection->ReceiveBuffer.Length;
        info.TotalRetransmits = connection->TotalRetransmits;
        info.BytesSent = connection->BytesSent;
        info.BytesAcked = connection->BytesAcked;
        info.BytesReceived = connection->BytesReceived;
        info.BytesRetransmitted = connection->BytesRetransmitted;
        info.SegmentsSent = connection->SegmentsSent;
        info.SegmentsReceived = connection->SegmentsReceived;
        info.LastSentNs = connection->LastDataSentNs;
        info.LastReceivedNs = connection->LastReceivedNs;
        info.LastTextReceivedNs = connection->LastTextReceivedNs;
        info.ReceiveRttNs = connection->ReceiveRttNs;
        info.OutOfOrderReceived = connection->OutOfOrderReceived;
        DescribeTimer(connection, ref info);
    }

    private static void DescribeTimer(TcpConnection* connection, ref TcpInfo info)
    {
        info.TimerKind = connection->State == TcpState.TimeWait ? 3 : connection->PersistDueNs != 0 ? 4 : connection->TimeoutDueNs != 0 ? 1
            : connection->KeepAliveDueNs != 0 ? 2 : 0;
        info.TimerNs = info.TimerKind switch
        {
            3 => connection->LifetimeDueNs,
            4 => connection->PersistDueNs,
            1 => connection->TimeoutDueNs,
            2 => connection->KeepAliveDueNs,
            _ => 0,
        };
    }

    private static bool Has(TcpConnection* connection, TcpSocketFlags flag) => (connection->Flags & flag) != 0;

    private static uint OrDefault(uint value, uint otherwise) => value != 0 ? value : otherwise;

    private static void SetFlag(TcpConnection* connection, TcpSocketFlags flag, bool isOn) =>
        connection->Flags = isOn ? connection->Flags | flag : connection->Flags & ~flag;

    private void SetQuickAck(TcpConnection* connection, bool isOn, ulong nowNs)
    {
        if (!isOn)
        {
            connection->QuickAcks = 0;
            connection->Facts |= TcpFacts.Interactive;
            return;
        }

        connection->QuickAcks = InitialQuickAcks;
        connection->Facts &= ~TcpFacts.Interactive;
        if (connection->UnackedBytes > 0 && connection->State is TcpState.Established or TcpState.CloseWait)
        {
            SendAck(connection, nowNs);
        }
    }
}
