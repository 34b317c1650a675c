// The sender's records of what is under way (RFC 6675's scoreboard): adding, acknowledging, marking. The sums in the connection follow the
// marks, so that the pipe is known without a walk:
//   SackedBytes + SackedSegments   of records that are Sacked
//   LostBytes                      of records that are Lost and wait to be sent again
//   RetransmittedBytes             of records that were sent again and are neither Lost nor Sacked

using System;

namespace Lego.Kernel;

/// <summary>What one acknowledgment has told.</summary>
internal struct AckOutcome
{
    /// <summary>Sequence numbers newly acknowledged cumulatively, and selectively.</summary>
    internal uint AckedBytes;
    internal uint SackedBytes;

    /// <summary>The round trip of the oldest segment newly acknowledged that was sent once; 0 = none.</summary>
    internal ulong RttNs;

    /// <summary>A retransmitted segment was acknowledged.</summary>
    internal bool HasRetransmitted;

    /// <summary>The peer told of a duplicate (RFC 2883).</summary>
    internal bool HasDuplicate;
}

/// <summary>Changes the records of connections.</summary>
internal sealed unsafe class TcpScoreboard
{
    private readonly Slab<SentSegment> _segments;

    internal TcpScoreboard(FrameAllocator frames, ulong limit)
    {
        _segments = new Slab<SentSegment>(frames, limit);
    }

    /// <summary>Records of all connections.</summary>
    internal ulong InUse => _segments.InUse;

    /// <summary>
    /// What is believed to be in the network, bytes (RFC 6675, 4, SetPipe). Duplicate acknowledgments stand for segments that have left.
    /// </summary>
    internal static uint Pipe(TcpConnection* connection)
    {
        uint flight = connection->SndNxt - connection->SndUna;
        uint gone = connection->SackedBytes + connection->LostBytes + (connection->DuplicateAcks * connection->SndMss);
        return flight > gone ? flight - gone : 0;
    }

    /// <summary>A record for what is about to be sent for the first time; null without memory.</summary>
    internal SentSegment* Add(TcpConnection* connection, uint start, uint lengthBytes, SegmentMarks marks, ulong nowNs)
    {
        SentSegment* segment = _segments.Allocate();
        if (segment == null)
        {
            return null;
        }

        segment->Start = start;
        segment->End = start + lengthBytes;
        segment->Marks = marks;
        segment->SentNs = nowNs;
        segment->Previous = connection->SentLast;
        if (connection->SentLast != null)
        {
            connection->SentLast->Next = segment;
        }
        else
        {
            connection->SentFirst = segment;
        }

        connection->SentLast = segment;
        return segment;
    }

    /// <summary>The latest record was not sent after all.</summary>
    internal void Withdraw(TcpConnection* connection) => Remove(connection, connection->SentLast);

    /// <summary>Everything before a sequence number has arrived.</summary>
    internal void Acknowledge(TcpConnection* connection, uint ack, ulong nowNs, ref AckOutcome outcome)
    {
        while (connection->SentFirst != null && SequenceNumber.IsBefore(connection->SentFirst->Start, ack))
        {
            SentSegment* segment = connection->SentFirst;
            if (SequenceNumber.IsAfter(segment->End, ack))
            {
                uint part = ack - segment->Start;
                Uncount(connection, segment, part);
                segment->Start = ack;
                return;
            }

            if (!segment->Has(SegmentMarks.Sacked))
            {
                Deliver(connection, segment, nowNs, ref outcome);
            }

            Remove(connection, segment);
        }
    }

    /// <summary>Marks what the blocks cover. The first may tell of a duplicate instead (RFC 2883, 4).</summary>
    internal void Sack(TcpConnection* connection, scoped ref TcpOptions options, uint ack, ulong nowNs, ref AckOutcome outcome)
    {
        for (int index = 0; index < options.SackCount; index++)
        {
            SackBlock block = options.SackBlocks[index];
            if (!SequenceNumber.IsBefore(block.Left, block.Right))
            {
                continue;
            }

            bool isInFirst = index == 0 && options.SackCount > 1 && !SequenceNumber.IsBefore(block.Left, options.SackBlocks[1].Left)
                && !SequenceNumber.IsAfter(block.Right, options.SackBlocks[1].Right);
            if (index == 0 && (SequenceNumber.IsBefore(block.Left, ack) || isInFirst))
            {
                outcome.HasDuplicate = true;
                continue;
            }

            // What was never sent cannot have arrived.
            if (SequenceNumber.IsBefore(block.Left, ack) || SequenceNumber.IsAfter(block.Right, connection->SndNxt))
            {
                continue;
            }

            MarkSacked(connection, block, nowNs, ref outcome);
        }
    }

    /// <summary>The segment is believed lost and waits to be sent again.</summary>
    internal static void MarkLost(TcpConnection* connection, SentSegment* segment)
    {
        if (segment->Has(SegmentMarks.Lost) || segment->Has(SegmentMarks.Sacked))
        {
            return;
        }

        if (segment->Has(SegmentMarks.Retransmitted))
        {
            connection->RetransmittedBytes -= segment->Length;
        }

        segment->Marks = (segment->Marks & ~SegmentMarks.Retransmitted) | SegmentMarks.Lost;
        connection->LostBytes += segment->Length;
        if (connection->LostHint == null || SequenceNumber.IsBefore(segment->Start, connection->LostHint->Start))
        {
            connection->LostHint = segment;
        }
    }

    /// <summary>All that was not acknowledged selectively is believed lost.</summary>
    internal static void MarkAllLost(TcpConnection* connection)
    {
        for (SentSegment* segment = connection->SentFirst; segment != null; segment = segment->Next)
        {
            MarkLost(connection, segment);
        }
    }

    /// <summary>
    /// The peer has dropped what it had told of: the first segment would be acknowledged cumulatively if it were there (RFC 2018, 8). All
    /// that was acknowledged selectively is forgotten.
    /// </summary>
    internal static void ForgetSacked(TcpConnection* connection)
    {
        for (SentSegment* segment = connection->SentFirst; segment != null; segment = segment->Next)
        {
            segment->Marks &= ~SegmentMarks.Sacked;
        }

        connection->SackedBytes = 0;
        connection->SackedSegments = 0;
    }

    /// <summary>The first segment that waits to be sent again, or null.</summary>
    internal static SentSegment* FirstLost(TcpConnection* connection)
    {
        if (connection->LostBytes == 0)
        {
            return null;
        }

        SentSegment* segment = connection->LostHint == null ? connection->SentFirst : connection->LostHint;
        while (segment != null && !segment->Has(SegmentMarks.Lost))
        {
            segment = segment->Next;
        }

        connection->LostHint = segment;
        return segment;
    }

    /// <summary>The segment has been sent once more.</summary>
    internal static void MarkRetransmitted(TcpConnection* connection, SentSegment* segment, ulong nowNs)
    {
        if (segment->Has(SegmentMarks.Lost))
        {
            connection->LostBytes -= segment->Length;
        }

        if (!segment->Has(SegmentMarks.Retransmitted))
        {
            connection->RetransmittedBytes += segment->Length;
        }

        segment->Marks = (segment->Marks & ~SegmentMarks.Lost) | SegmentMarks.Retransmitted | SegmentMarks.EverRetransmitted;
        segment->SentNs = nowNs;
    }

    /// <summary>Cuts a record in two, the first of which has so many bytes; false without memory.</summary>
    internal bool TrySplit(TcpConnection* connection, SentSegment* segment, uint lengthBytes)
    {
        SentSegment* rest = _segments.Allocate();
        if (rest == null)
        {
            return false;
        }

        *rest = *segment;
        rest->Start = segment->Start + lengthBytes;
        rest->Marks &= ~SegmentMarks.Syn;
        segment->End = rest->Start;
        segment->Marks &= ~(SegmentMarks.Fin | SegmentMarks.Push);
        rest->Previous = segment;
        segment->Next = rest;
        if (rest->Next != null)
        {
            rest->Next->Previous = rest;
        }
        else
        {
            connection->SentLast = rest;
        }

        if (segment->Has(SegmentMarks.Sacked))
        {
            connection->SackedSegments++;
        }

        return true;
    }

    /// <summary>Frees all records.</summary>
    internal void Clear(TcpConnection* connection)
    {
        while (connection->SentFirst != null)
        {
            Remove(connection, connection->SentFirst);
        }
    }

    private static void MarkSacked(TcpConnection* connection, SackBlock block, ulong nowNs, ref AckOutcome outcome)
    {
        for (SentSegment* segment = connection->SentFirst; segment != null
            && SequenceNumber.IsBefore(segment->Start, block.Right); segment = segment->Next)
        {
            if (segment->Has(SegmentMarks.Sacked) || SequenceNumber.IsBefore(segment->Start, block.Left)
                || SequenceNumber.IsAfter(segment->End, block.Right))
            {
                continue;
            }

            Deliver(connection, segment, nowNs, ref outcome);
            Uncount(connection, segment, segment->Length);
            segment->Marks = (segment->Marks & ~(SegmentMarks.Lost | SegmentMarks.Retransmitted)) | SegmentMarks.Sacked;
            connection->SackedBytes += segment->Length;
            connection->SackedSegments++;
            outcome.SackedBytes += segment->Length;
        }
    }

    /// <summary>A segment has arrived: it may measure the round trip and says what was sent before it.</summary>
    private static void Deliver(TcpConnection* connection, SentSegment* segment, ulong nowNs, ref AckOutcome outcome)
    {
        if (segment->Has(SegmentMarks.EverRetransmitted))
        {
            outcome.HasRetransmitted = true;
        }
        else if (outcome.RttNs == 0)
        {
            outcome.RttNs = Math.Max(1, nowNs - segment->SentNs);
        }

        Rack.OnDelivered(connection, segment, nowNs);
    }

    private void Remove(TcpConnection* connection, SentSegment* segment)
    {
        Uncount(connection, segment, segment->Length);
        connection->SackedSegments -= segment->Has(SegmentMarks.Sacked) ? 1u : 0;
        if (connection->LostHint == segment)
        {
            connection->LostHint = segment->Next;
        }

        if (segment->Previous != null)
        {
            segment->Previous->Next = segment->Next;
        }
        else
        {
            connection->SentFirst = segment->Next;
        }

        if (segment->Next != null)
        {
            segment->Next->Previous = segment->Previous;
        }
        else
        {
            connection->SentLast = segment->Previous;
        }

        _segments.Free(segment);
    }

    /// <summary>So many bytes of the record no longer count under its marks.</summary>
    private static void Uncount(TcpConnection* connection, SentSegment* segment, uint lengthBytes)
    {
        if (segment->Has(SegmentMarks.Sacked))
        {
            connection->SackedBytes -= lengthBytes;
        }
        else if (segment->Has(SegmentMarks.Lost))
        {
            connection->LostBytes -= lengthBytes;
        }
        else if (segment->Has(SegmentMarks.Retransmitted))
        {
            connection->RetransmittedBytes -= lengthBytes;
        }
    }
}
