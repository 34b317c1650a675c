// The unit of the address map: 64 consecutive pages of one address space (a clustered page table, Talluri, Hill and Khalidi, SOSP'95).
// Clustering keeps the hash table small, and it makes fork cheap: a child shares its parent's blocks, 2,048 of them for 512 MB, and a block
// is copied only when one of its holders writes a page back (as On-demand-fork, EuroSys'21, shares page tables).

using System.Runtime.InteropServices;

namespace Lego.Memory;

/// <summary>Frame numbers of 64 pages, 0 = the page has no frame. Shared by References address spaces until one of them changes
/// it.</summary>
internal unsafe struct PageBlock
{
    internal const int PagesShift = 6;
    internal const int Pages = 1 << PagesShift;

    internal uint References;
    /// <summary>How many of Frames are not 0.</summary>
    internal uint Used;
    internal fixed uint Frames[Pages];
}

/// <summary>One address space's use of a block; linked into the space's list so that fork and exit find all of them.</summary>
internal unsafe struct BlockMapping
{
    /// <summary>Space number and block number, see <see cref="FrameMap"/>.</summary>
    internal ulong Key;
    internal PageBlock* Block;
    internal BlockMapping* Next;
    internal BlockMapping* Previous;
}

/// <summary>One bucket of the hash table: exactly one 64-byte cache line, three entries and a link for the rare fourth.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal unsafe struct Bucket
{
    internal const int Entries = 3;

    /// <summary>0 = free entry.</summary>
    internal fixed ulong Keys[Entries];
    internal BlockMapping* Mapping0;
    internal BlockMapping* Mapping1;
    internal BlockMapping* Mapping2;
    internal Bucket* Overflow;
}
