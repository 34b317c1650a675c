// What is under way: one record per segment that was sent and not yet acknowledged, in the order of their sequence numbers. It carries what
// loss recovery has to know: when the segment was sent last, and whether it is acknowledged selectively, believed lost, or sent again.

namespace Lego.Kernel;

/// <summary>What recovery knows of a segment.</summary>
[System.Flags]
internal enum SegmentMarks : uint
{
    None = 0,

    /// <summary>Acknowledged selectively (RFC 2018).</summary>
    Sacked = 1,

    /// <summary>Believed lost.</summary>
    Lost = 2,

    /// <summary>Sent again since it was believed lost.</summary>
    Retransmitted = 4,

    /// <summary>Sent more than once: its acknowledgment measures nothing (Karn; RFC 6298, 3).</summary>
    EverRetransmitted = 8,

    Syn = 16,
    Fin = 32,
    Push = 64,
}

/// <summary>A segment under way.</summary>
internal unsafe struct SentSegment
{
    internal SentSegment* Next;
    internal SentSegment* Previous;

    /// <summary>When it was sent last.</summary>
    internal ulong SentNs;

    /// <summary>The first sequence number, and the one behind the last; SYN and FIN are counted.</summary>
    internal uint Start;
    internal uint End;
    internal SegmentMarks Marks;

    internal readonly uint Length => End - Start;

    internal readonly bool Has(SegmentMarks mark) => (Marks & mark) != 0;
}
