// A part of an address space of which madvise(2) has said what becomes of it in a child. Records of one advice do not overlap; what lies
// over nothing mapped means nothing.

namespace Lego.Processor;

/// <summary>What a child gets of a range.</summary>
public enum ForkAdvice : byte
{
    /// <summary>Nothing: it is not mapped there (MADV_DONTFORK).</summary>
    Without = 0,
    /// <summary>Zeros (MADV_WIPEONFORK).</summary>
    Wiped = 1,
}

/// <summary>One such part.</summary>
public unsafe struct AdvisedRange
{
    public AdvisedRange* Next;
    public ulong Start;
    public ulong End;
    public ForkAdvice Advice;

    /// <summary>True when it has bytes in [start, end).</summary>
    public readonly bool Overlaps(ulong start, ulong end) => Start < end && start < End;
}
