// How much may be under way: slow start and congestion avoidance (RFC 5681) with NewReno's or CUBIC's window, the initial window of RFC
// 6928, and what a loss, a timeout, an ECE and an idle time do to it. Windows are bytes. Integers only: the kernel saves no floating point
// registers.

using System;

namespace Lego.Kernel;

/// <summary>The congestion window.</summary>
internal static unsafe class CongestionControl
{
    private const uint InitialSegments = 10;
    private const uint InitialBytes = 14600;
    private const uint InfiniteSsthresh = int.MaxValue;

    /// <summary>RFC 3465, 2.3: an acknowledgment of many segments counts as one of two, so that no burst follows.</summary>
    private const uint SlowStartSegments = 2;

    /// <summary>min(10 * MSS, max(2 * MSS, 14600)) (RFC 6928, 2).</summary>
    internal static uint InitialWindow(uint mss) => Math.Min(InitialSegments * mss, Math.Max(2 * mss, InitialBytes));

    internal static void Begin(TcpConnection* connection)
    {
        connection->Cwnd = InitialWindow(connection->SndMss);
        connection->Ssthresh = InfiniteSsthresh;
        connection->Cubic = default;
    }

    /// <summary>Bytes were acknowledged outside fast recovery. <paramref name="flightBytes"/>: what was under way before.</summary>
    internal static void OnAcknowledged(TcpConnection* connection, uint ackedBytes, uint flightBytes, ulong nowNs)
    {
        uint mss = connection->SndMss;
        if (connection->Cwnd < connection->Ssthresh)
        {
            // The window grows only when it is what limits the sender (RFC 9438, 5.8; RFC 7661).
            if (2 * flightBytes >= connection->Cwnd)
            {
                uint step = connection->Recovery == TcpRecovery.Loss ? mss : SlowStartSegments * mss;
                connection->Cwnd = Bounded(connection->Cwnd + Math.Min(ackedBytes, step));
            }

            return;
        }

        if (flightBytes + (3 * mss) < connection->Cwnd)
        {
            return;
        }

        if (connection->Congestion == TcpCongestion.Cubic)
        {
            connection->Cwnd = Bounded(Lego.Kernel.Cubic.Grow(connection, ackedBytes, nowNs));
            return;
        }

        connection->AckedBytes += ackedBytes;
        if (connection->AckedBytes >= connection->Cwnd)
        {
            connection->AckedBytes -= connection->Cwnd;
            connection->Cwnd = Bounded(connection->Cwnd + mss);
        }
    }

    /// <summary>Segments were lost, or a router said that they nearly were: half of the flight, or CUBIC's share of it.</summary>
    internal static void OnCongestion(TcpConnection* connection, uint flightBytes)
    {
        Reduce(connection, flightBytes);
        connection->Cwnd = connection->Ssthresh;
    }

    /// <summary>
    /// A retransmission timeout: one segment (RFC 5681, 3.1). The threshold is set by the first of several timeouts of the same data.
    /// </summary>
    internal static void OnTimeout(TcpConnection* connection, uint flightBytes, bool isFirst)
    {
        if (isFirst)
        {
            Reduce(connection, flightBytes);
        }

        connection->Cwnd = connection->SndMss;
    }

    /// <summary>Nothing was sent for longer than a timeout: the window says nothing about the path any more (RFC 5681, 4.1).</summary>
    internal static void OnIdle(TcpConnection* connection)
    {
        connection->Cwnd = Math.Min(connection->Cwnd, InitialWindow(connection->SndMss));
        connection->Cubic.EpochNs = 0;
    }

    private static void Reduce(TcpConnection* connection, uint flightBytes)
    {
        bool isCubic = connection->Congestion == TcpCongestion.Cubic;
        uint reduced = isCubic ? Lego.Kernel.Cubic.Reduce(connection, flightBytes) : flightBytes / 2;
        connection->Ssthresh = Math.Max(reduced, 2 * connection->SndMss);
        connection->AckedBytes = 0;
    }

    private static uint Bounded(uint window) => Math.Min(window, StreamBuffer.MaximumBytes * 2);
}
