// A checked description of an executable: what must be mapped where. Building it (ElfReader) is the only place that trusts nothing; the
// loader may then add and compare without fear of overflow.

using System;
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
    /// <summary>The largest of the segments'; a load address is a multiple of it.</summary>
    internal ulong Alignment;
    /// <summary>Address of the program headers in memory (AT_PHDR), 0 when no segment holds them.</summary>
    internal ulong ProgramHeaders;
    internal ushort ProgramHeaderCount;
    /// <summary>ET_DYN: the file may lie anywhere.</summary>
    internal bool IsMovable;
    /// <summary>Of the name that PT_INTERP gives, with its terminator; 0 = the program starts by itself.</summary>
    internal uint InterpreterBytes;
    internal ulong InterpreterOffset;
    internal bool HasExecutableStack;
    internal int SegmentCount;
    internal SegmentList Segments;

    /// <summary>Where the first segment's page begins and the last segment ends.</summary>
    internal readonly void GetExtent(out ulong start, out ulong end)
    {
        start = ulong.MaxValue;
        end = 0;
        for (int index = 0; index < SegmentCount; index++)
        {
            start = Math.Min(start, AddressLayout.PageDown(Segments[index].Address));
            end = Math.Max(end, Segments[index].Address + Segments[index].MemoryBytes);
        }
    }

    [InlineArray(MaxSegments)]
    internal struct SegmentList
    {
        private ProgramSegment _first;
    }
}
