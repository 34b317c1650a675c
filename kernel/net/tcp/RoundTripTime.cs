// The retransmission timeout (RFC 6298) from measured round trips. Times are nanoseconds.

using System;

namespace Lego.Kernel;

/// <summary>SRTT, RTTVAR and RTO of a connection.</summary>
internal static unsafe class RoundTripTime
{
    /// <summary>Before the first measurement (RFC 6298, 2.1).</summary>
    internal const ulong InitialRtoNs = 1_000_000_000;

    /// <summary>
    /// Linux's bound; RFC 6298, 2.4, asks for a second, which a tail of lost segments on a local network would wait in vain.
    /// </summary>
    internal const ulong MinimumRtoNs = 200_000_000;

    /// <summary>RFC 6298, 2.5.</summary>
    internal const ulong MaximumRtoNs = 120_000_000_000;

    /// <summary>After a SYN was sent again, data begin with this (RFC 6298, 5.7).</summary>
    internal const ulong RtoAfterLostSynNs = 3_000_000_000;

    private const ulong GranularityNs = 1_000_000;

    /// <summary>RACK's window for the minimum (RFC 8985, 6.2).</summary>
    private const ulong MinimumWindowNs = 300_000_000_000;

    internal static void Begin(TcpConnection* connection) => connection->RtoNs = InitialRtoNs;

    /// <summary>Takes a measurement into account.</summary>
    internal static void Sample(TcpConnection* connection, ulong rttNs, ulong nowNs)
    {
        rttNs = Math.Max(rttNs, 1);
        if (connection->MinimumRttNs == 0 || rttNs <= connection->MinimumRttNs || nowNs - connection->MinimumRttTakenNs > MinimumWindowNs)
        {
            connection->MinimumRttNs = rttNs;
            connection->MinimumRttTakenNs = nowNs;
        }

        ulong smoothed = connection->SmoothedRttNs;
        if (smoothed == 0)
        {
            connection->SmoothedRttNs = rttNs;
            connection->RttVariationNs = rttNs / 2;
        }
        else
        {
            ulong deviation = smoothed > rttNs ? smoothed - rttNs : rttNs - smoothed;
            connection->RttVariationNs = connection->RttVariationNs - (connection->RttVariationNs / 4) + (deviation / 4);
            connection->SmoothedRttNs = smoothed - (smoothed / 8) + (rttNs / 8);
        }

        ulong rto = connection->SmoothedRttNs + Math.Max(GranularityNs, 4 * connection->RttVariationNs);
        connection->RtoNs = Math.Min(Math.Max(rto, MinimumRtoNs), MaximumRtoNs);
    }

    /// <summary>The timeout with its backoff (RFC 6298, 5.5).</summary>
    internal static ulong Timeout(TcpConnection* connection)
    {
        const int sufficientShift = 10;
        return Math.Min(connection->RtoNs << Math.Min(connection->Backoff, sufficientShift), MaximumRtoNs);
    }
}
