// CUBIC's window (RFC 9438) in integers: W(t) = C * (t - K)^3 + WMax with C = 0.4 and beta = 0.7; t and K in milliseconds, windows in
// bytes. The products stay below 2^63: times are cut at 100 s, beyond which the window has long reached its bound.

using System;

namespace Lego.Kernel;

/// <summary>RFC 9438, 4.</summary>
internal static unsafe class Cubic
{
    private const long MaximumMs = 100_000;
    private const ulong MillisecondNs = 1_000_000;

    /// <summary>C = 4/10 segments per second cubed; a cubic millisecond is 10^-9 of a cubic second.</summary>
    private const long CNumerator = 4;
    private const long CDenominator = 10_000_000_000;
    private const long RestScale = 1000;

    /// <summary>Reno's slope that has the same mean window: 3 * (1 - beta) / (1 + beta) = 9/17 (RFC 9438, 4.3).</summary>
    private const ulong AlphaNumerator = 9;
    private const ulong AlphaDenominator = 17;

    /// <summary>The window after an acknowledgment in congestion avoidance.</summary>
    internal static uint Grow(TcpConnection* connection, uint ackedBytes, ulong nowNs)
    {
        ref CubicState state = ref connection->Cubic;
        uint window = connection->Cwnd;
        if (state.EpochNs == 0)
        {
            Begin(ref state, window, connection->SndMss, nowNs);
        }

        connection->AckedBytes += ackedBytes;
        uint reno = GrowReno(ref state, window, connection->SndMss, ackedBytes);
        long elapsedMs = (long)((nowNs - state.EpochNs) / MillisecondNs);
        if (Function(in state, elapsedMs, connection->SndMss) < reno)
        {
            connection->AckedBytes = 0;
            return Math.Max(window, reno);
        }

        // Where the window should be one round trip from now, but no more than half as much again (RFC 9438, 4.2).
        long target = Function(in state, elapsedMs + (long)(connection->SmoothedRttNs / MillisecondNs), connection->SndMss);
        target = Math.Clamp(target, window, window + (window / 2));
        uint step = (uint)((target - window) * Math.Min(connection->AckedBytes, window) / window);
        if (step > 0)
        {
            connection->AckedBytes = 0;
        }

        return window + step;
    }

    /// <summary>
    /// The window after a loss, 0.7 of the flight; the old one is remembered, less when it had not come back to the one before.
    /// </summary>
    internal static uint Reduce(TcpConnection* connection, uint flightBytes)
    {
        ref CubicState state = ref connection->Cubic;
        uint window = connection->Cwnd;
        // Fast convergence (RFC 9438, 4.7): (1 + beta) / 2.
        state.WMax = window < state.WMax ? (uint)((ulong)window * 17 / 20) : window;
        state.EpochNs = 0;
        return (uint)((ulong)flightBytes * 7 / 10);
    }

    private static void Begin(ref CubicState state, uint window, uint mss, ulong nowNs)
    {
        state.EpochNs = nowNs;
        state.RenoWindow = window;
        state.RenoAcked = 0;
        if (window >= state.WMax)
        {
            state.KMs = 0;
            state.WMax = window;
            return;
        }

        // K = cubic root of (WMax - cwnd) / C, in seconds and segments.
        state.KMs = CubicRoot((ulong)(state.WMax - window) / mss * (CDenominator / CNumerator));
    }

    /// <summary>W(t) of RFC 9438, figure 1; not below zero.</summary>
    private static long Function(in CubicState state, long timeMs, uint mss)
    {
        long distance = Math.Clamp(timeMs - state.KMs, -MaximumMs, MaximumMs);
        long cube = distance * distance * distance;
        // The whole segments and the rest apart, so that no product overflows.
        long whole = cube / CDenominator * CNumerator * mss;
        long rest = cube % CDenominator * CNumerator / RestScale * mss / (CDenominator / RestScale);
        return Math.Max(0, whole + rest + state.WMax);
    }

    private static uint GrowReno(ref CubicState state, uint window, uint mss, uint ackedBytes)
    {
        state.RenoAcked += ackedBytes * AlphaNumerator;
        ulong perSegment = window * AlphaDenominator;
        if (state.RenoAcked >= perSegment)
        {
            state.RenoAcked -= perSegment;
            state.RenoWindow += mss;
        }

        return state.RenoWindow;
    }

    /// <summary>The integer part of the cubic root, a bit at a time (Warren, Hacker's Delight, 11-2).</summary>
    private static uint CubicRoot(ulong value)
    {
        ulong root = 0;
        for (int shift = 63; shift >= 0; shift -= 3)
        {
            root *= 2;
            ulong step = (3 * root * (root + 1)) + 1;
            if (value >> shift >= step)
            {
                value -= step << shift;
                root++;
            }
        }

        return (uint)root;
    }
}
