// What the rack tool writes at the start of the shared memory of a pair of components before it starts them: who the two are, where the
// two rings lie, and in which PCI slot each finds the doorbell to the other. The other machine can overwrite it, so it is copied and
// checked once.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>The first 40 bytes of a ring region, little endian.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct RingRegionHeader
{
    /// <summary>"RRNG" in memory order.</summary>
    public const uint ExpectedMagic = 0x474E_5252;
    public const uint ExpectedVersion = 1;
    /// <summary>Rings start on a page and are whole pages, so that control words and data have cache lines of their own.</summary>
    public const ulong RingAlignmentBytes = 4096;

    public uint Magic;
    public uint Version;
    /// <summary>The smaller node id; ring A carries its messages to the other.</summary>
    public ushort NodeLow;
    public ushort NodeHigh;
    public byte DoorbellSlotLow;
    public byte DoorbellSlotHigh;
    public ushort Reserved;
    public ulong RingAOffset;
    public ulong RingBOffset;
    /// <summary>Length of each ring, control words included.</summary>
    public ulong RingBytes;

    /// <summary>Copies and checks the header. EINVAL: not a ring region, or its rings do not fit into it.</summary>
    public static unsafe Errno TryRead(SharedRegion region, out RingRegionHeader header)
    {
        header = default;
        if (region.LengthBytes < (ulong)sizeof(RingRegionHeader))
        {
            return Errno.EINVAL;
        }

        RingRegionHeader copy = *(RingRegionHeader*)region.Base;
        bool sound = copy.Magic == ExpectedMagic && copy.Version == ExpectedVersion && copy.NodeLow < copy.NodeHigh
            && copy.RingBytes >= RingAlignmentBytes && copy.RingBytes % RingAlignmentBytes == 0
            && Fits(copy.RingAOffset, copy.RingBytes, region.LengthBytes) && Fits(copy.RingBOffset, copy.RingBytes, region.LengthBytes)
            && (copy.RingAOffset + copy.RingBytes <= copy.RingBOffset || copy.RingBOffset + copy.RingBytes <= copy.RingAOffset);
        if (!sound)
        {
            return Errno.EINVAL;
        }

        header = copy;
        return Errno.None;
    }

    /// <summary>The header itself lies below the first possible ring.</summary>
    private static bool Fits(ulong offset, ulong ringBytes, ulong regionBytes) =>
        offset >= RingAlignmentBytes && offset % RingAlignmentBytes == 0 && ringBytes <= regionBytes && offset <= regionBytes - ringBytes;
}
