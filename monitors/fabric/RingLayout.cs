// A region of memory that two components share, as the ring link uses it: one page of header, then two rings, each with one sender.
// The rack tool writes the header (kernel/devices/RingRegionHeader.cs) when it makes the region, LocalLink does for a region inside one
// machine; the rest begins as zeros. Ring A carries messages from the lower node to the higher, ring B the other way.
//
//   ring     0 u64 producer   64 u64 consumer   128 u32 receiver sleeps   256 ... data
//   record   0 u32 frame bytes (or WrapMark: the rest of the data area is unused)   4 u32 zero   8 ... the frame   padded to 64
//
// producer and consumer count bytes since the region was made and never go back; a position's place in the data area is its remainder by
// the area's length. Each word has one writer (the receiver-sleeps word is set by the receiver and cleared by either side) and its own
// cache line. Both sides treat every value they read as hostile.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Offsets inside one ring.</summary>
internal static class RingLayout
{
    internal const int ProducerOffset = 0;
    internal const int ConsumerOffset = 64;
    internal const int SleepingOffset = 128;
    internal const int DataOffset = 256;

    /// <summary>Records begin on cache lines.</summary>
    internal const int RecordAlignment = 64;
    internal const int RecordHeaderBytes = 8;
    internal const uint WrapMark = 0xFFFFFFFF;

    /// <summary>Most of a ring that is used: frames that keep cycling through more memory than the caches hold take 10 % longer.</summary>
    internal const ulong MaxDataBytes = 512 * 1024;

    /// <summary>Smallest ring: each side's least window of requests, the replies to the other side's, and what a wrap wastes.</summary>
    internal const ulong MinRingBytes = ((2UL * CallWindow.LeastBytes) + MessageHeader.SizeBytes + MessageHeader.MaxBodyBytes + DataOffset
        + PageOperations.PageSize - 1) & ~(ulong)(PageOperations.PageSize - 1);
}
