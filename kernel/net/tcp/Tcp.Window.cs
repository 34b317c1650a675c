// Tcp: the receive window, which never moves back, opens in large steps only (RFC 9293, 3.8.6.2.2), and is told when it has; and the
// receive buffer, which grows with what the user reads.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>The window that was announced and not used yet: RCV.WND.</summary>
    private static uint ReceiveWindow(TcpConnection* connection)
    {
        uint window = connection->RcvAdv - connection->RcvNxt;
        return (int)window > 0 ? window : 0;
    }

    /// <summary>The window has room for a large step that the peer does not know of: it is told.</summary>
    private void AnnounceWindow(TcpConnection* connection, ulong nowNs)
    {
        if (connection->State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
        {
            return;
        }

        uint announced = ReceiveWindow(connection);
        uint free = FreeWindow(connection);
        // Twice the step of SelectWindow while the peer has room, so that a reader does not send an acknowledgment per read; a peer whose
        // window is nearly closed hears of every step.
        uint step = Math.Min(connection->ReceiveLimit / 2, (announced < 2 * connection->RcvMss ? 1u : 2u) * connection->RcvMss);
        if (free >= announced + step && announced <= Math.Min(connection->ReceiveLimit, WidestWindow(connection)) / 2)
        {
            SendAck(connection, nowNs);
        }
    }

    /// <summary>The window that could be offered.</summary>
    private uint FreeWindow(TcpConnection* connection)
    {
        uint limit = connection->WindowClamp == 0 ? connection->ReceiveLimit : Math.Min(connection->ReceiveLimit, connection->WindowClamp);
        if (_memory.IsUnderPressure)
        {
            limit = Math.Min(limit, InitialReceiveBytes / 4);
        }

        uint free = limit > connection->ReceiveBuffer.Length ? limit - connection->ReceiveBuffer.Length : 0;
        return Math.Min(free, WidestWindow(connection));
    }

    /// <summary>
    /// What the window field can say. Without the option for scaling that is less than many a buffer, and to repeat it would look like a
    /// duplicate acknowledgment.
    /// </summary>
    private static uint WidestWindow(TcpConnection* connection) => (uint)ushort.MaxValue << connection->RcvScale;

    /// <summary>RCV.WND for a segment that is about to be sent, as its window field (not of a SYN).</summary>
    private ushort SelectWindow(TcpConnection* connection)
    {
        uint announced = ReceiveWindow(connection);
        uint free = FreeWindow(connection);
        uint step = Math.Min(connection->ReceiveLimit / 2, connection->RcvMss);
        uint window = free >= announced + step ? free : announced;
        // Rounded up when there is room, so that the edge does not move back by the digits that scaling cuts off (RFC 7323, 2.4); a peer
        // that sends single bytes would push it on for ever otherwise.
        uint scaled = (window + (1u << connection->RcvScale) - 1) >> connection->RcvScale;
        scaled = scaled << connection->RcvScale > free ? window >> connection->RcvScale : scaled;
        scaled = Math.Min(scaled, ushort.MaxValue);
        connection->RcvAdv = SequenceNumber.Max(connection->RcvAdv, connection->RcvNxt + (scaled << connection->RcvScale));
        return (ushort)scaled;
    }

    /// <summary>
    /// The receive buffer grows to twice what the user reads in a round trip, so that the window never limits a reader that keeps up (Fisk
    /// and Feng, "Dynamic right-sizing in TCP", 2001).
    /// </summary>
    private void TuneReceiveBuffer(TcpConnection* connection, uint readBytes, ulong nowNs)
    {
        connection->TuneReadBytes += readBytes;
        if (connection->ReceiveRttNs == 0 || nowNs - connection->TuneStartNs < connection->ReceiveRttNs)
        {
            return;
        }

        uint wanted = Math.Min(2 * connection->TuneReadBytes, _limits.ReceiveBufferBytes);
        if (wanted > connection->ReceiveLimit && (connection->Facts & TcpFacts.ReceiveBufferFixed) == 0 && !_memory.IsUnderPressure)
        {
            connection->ReceiveLimit = wanted;
        }

        connection->TuneReadBytes = 0;
        connection->TuneStartNs = nowNs;
    }

    /// <summary>The receiver's round trip: a window's worth of data takes at least one.</summary>
    private static void MeasureReceiveRoundTrip(TcpConnection* connection, ulong nowNs)
    {
        if (connection->ReceiveRttStartNs != 0 && SequenceNumber.IsBefore(connection->RcvNxt, connection->ReceiveRttEdge))
        {
            return;
        }

        if (connection->ReceiveRttStartNs != 0)
        {
            ulong rttNs = Math.Max(1, nowNs - connection->ReceiveRttStartNs);
            connection->ReceiveRttNs = connection->ReceiveRttNs == 0 ? rttNs
                : Math.Min(rttNs, connection->ReceiveRttNs - (connection->ReceiveRttNs / 8) + (rttNs / 8));
        }

        connection->ReceiveRttStartNs = nowNs;
        connection->ReceiveRttEdge = connection->RcvAdv;
    }
}
