// RACK and TLP (RFC 8985): a segment is lost when one that was sent sufficiently later has arrived; and when the acknowledgments cease, a
// probe brings one forth before the retransmission timeout. For connections with selective acknowledgments.

using System;

namespace Lego.Kernel;

/// <summary>Detects losses by time.</summary>
internal static unsafe class Rack
{
    /// <summary>
    /// So many segments acknowledged selectively mean a loss, where no reordering was ever seen (RFC 8985, 6.2.1, step 4).
    /// </summary>
    private const uint DuplicateThreshold = 3;

    /// <summary>The reordering window that duplicates have widened shrinks again after so many recoveries.</summary>
    private const int PersistRecoveries = 16;

    /// <summary>How long a peer may delay an acknowledgment (RFC 8985, 7.2, WCDelAckT).</summary>
    private const ulong WorstDelayedAckNs = 200_000_000;

    /// <summary>A probe is not sent sooner: it would meet the acknowledgment.</summary>
    private const ulong MinimumProbeNs = 2_000_000;

    /// <summary>A segment has arrived that had not before (steps 1 to 3).</summary>
    internal static void OnDelivered(TcpConnection* connection, SentSegment* segment, ulong nowNs)
    {
        ulong rtt = nowNs - segment->SentNs;
        bool wasRetransmitted = segment->Has(SegmentMarks.EverRetransmitted);
        // An acknowledgment sooner than any round trip is of an earlier transmission.
        if (wasRetransmitted && rtt < connection->MinimumRttNs)
        {
            return;
        }

        connection->RackRttNs = rtt;
        if (IsSentAfter(segment->SentNs, segment->End, connection->RackSentNs, connection->RackEnd))
        {
            connection->RackSentNs = segment->SentNs;
            connection->RackEnd = segment->End;
        }

        if (SequenceNumber.IsAfter(segment->End, connection->RackForward))
        {
            connection->RackForward = segment->End;
        }
        else if (!wasRetransmitted && SequenceNumber.IsBefore(segment->End, connection->RackForward))
        {
            connection->Facts |= TcpFacts.ReorderingSeen;
        }
    }

    /// <summary>Marks what must be lost by now (step 5); gives the time until the next look, or 0.</summary>
    internal static ulong DetectLoss(TcpConnection* connection, ulong nowNs)
    {
        ulong window = connection->RackRttNs + ReorderingWindow(connection);
        ulong laterNs = 0;
        for (SentSegment* segment = connection->SentFirst; segment != null; segment = segment->Next)
        {
            if (!SequenceNumber.IsBefore(segment->Start, connection->RackForward) && !segment->Has(SegmentMarks.EverRetransmitted))
            {
                // First sent after all that have arrived, as is everything behind it.
                break;
            }

            if (segment->Has(SegmentMarks.Sacked) || segment->Has(SegmentMarks.Lost)
                || !IsSentAfter(connection->RackSentNs, connection->RackEnd, segment->SentNs, segment->End))
            {
                continue;
            }

            if (segment->SentNs + window <= nowNs)
            {
                TcpScoreboard.MarkLost(connection, segment);
            }
            else
            {
                laterNs = Math.Max(laterNs, segment->SentNs + window - nowNs);
            }
        }

        return laterNs;
    }

    /// <summary>What a retransmission timeout says of the segments (RFC 8985, 6.3): the first is lost, and those that are as old.</summary>
    internal static void MarkOnTimeout(TcpConnection* connection, ulong nowNs)
    {
        ulong window = connection->RackRttNs + ReorderingWindow(connection);
        for (SentSegment* segment = connection->SentFirst; segment != null; segment = segment->Next)
        {
            if (segment == connection->SentFirst || segment->SentNs + window <= nowNs)
            {
                TcpScoreboard.MarkLost(connection, segment);
            }
        }
    }

    /// <summary>A duplicate was told: the window was too small (step 4). Once per round trip.</summary>
    internal static void OnDuplicate(TcpConnection* connection)
    {
        if (!SequenceNumber.IsBefore(connection->SndUna, connection->RackDuplicateRound))
        {
            connection->RackDuplicateRound = connection->SndNxt;
            connection->RackWindowSteps++;
            connection->RackPersist = PersistRecoveries;
            connection->Facts |= TcpFacts.ReorderingSeen;
        }
    }

    /// <summary>A recovery is over.</summary>
    internal static void OnRecovered(TcpConnection* connection)
    {
        if (connection->RackPersist > 0 && --connection->RackPersist == 0)
        {
            connection->RackWindowSteps = 0;
        }
    }

    /// <summary>The time after which a probe is sent (RFC 8985, 7.2).</summary>
    internal static ulong ProbeTimeout(TcpConnection* connection)
    {
        if (connection->SmoothedRttNs == 0)
        {
            return RoundTripTime.InitialRtoNs;
        }

        bool isAlone = connection->SentFirst == connection->SentLast;
        return Math.Max((2 * connection->SmoothedRttNs) + (isAlone ? WorstDelayedAckNs : 0), MinimumProbeNs);
    }

    private static ulong ReorderingWindow(TcpConnection* connection)
    {
        bool mayReorder = (connection->Facts & TcpFacts.ReorderingSeen) != 0;
        if (!mayReorder && (connection->Recovery != TcpRecovery.Open || connection->SackedSegments >= DuplicateThreshold))
        {
            return 0;
        }

        return Math.Min((connection->RackWindowSteps + 1) * (connection->MinimumRttNs / 4), connection->SmoothedRttNs);
    }

    private static bool IsSentAfter(ulong sentNs, uint end, ulong otherNs, uint otherEnd) =>
        sentNs > otherNs || (sentNs == otherNs && SequenceNumber.IsAfter(end, otherEnd));
}
