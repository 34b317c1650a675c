// A checked description of an executable: what must be mapped where. Building it (ElfReader) is the only place that trusts nothing; the
// loader may then add and compare without fear of overflow.

using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;

namespace Lego.Memory;

/// <summary>One PT_LOAD segment. Address + MemoryBytes stays below TaskSize, FileOffset + FileBytes inside the file.</summary>
internal struct ProgramSegment
{
    internal ulong Address;
    internal ulong MemoryBytes;
    internal ulong FileOffset;
    internal ulong FileBytes;
    internal Protection Protection;
}

/// <summary>Everything that the loader needs of an ELF file.</summary>
internal struct ProgramImage
{
    internal const int MaxSegments = 32;

    internal ulong Entry;
    /// <summary>Address of the program headers in memory (AT_PHDR), 0 when no segment holds them.</summary>
    internal ulong ProgramHeaders;
    internal ushort ProgramHeaderCount;
    internal bool NeedsInterpreter;
    internal bool HasExecutableStack;
    internal int SegmentCount;
    internal SegmentList Segments;

    [InlineArray(MaxSegments)]
    internal struct SegmentList
    {
        private ProgramSegment _first;
    }
}
