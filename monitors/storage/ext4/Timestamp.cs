// ext4's times: 32 bits of signed seconds, and in large inodes 32 more of which 2 extend the seconds and 30 count nanoseconds
// (ext4 documentation, "Inode Timestamps"). The rest of the rack counts nanoseconds since the epoch in 64 bits.

namespace Lego.Storage.Ext4;

/// <summary>Conversions between nanoseconds since the epoch and the two on-disk words.</summary>
public static class Timestamp
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;
    private const int EpochBits = 2;
    private const uint EpochMask = 3;

    /// <summary>Nanoseconds since the epoch; a time before 1970 or a nonsensical one reads as 0.</summary>
    public static ulong ToNanoseconds(uint seconds, uint extra)
    {
        long whole = (int)seconds + ((long)(extra & EpochMask) << 32);
        ulong nanoseconds = extra >> EpochBits;
        return whole < 0 || nanoseconds >= NanosecondsPerSecond ? 0 : ((ulong)whole * NanosecondsPerSecond) + nanoseconds;
    }

    public static uint Seconds(ulong timeNs) => (uint)(timeNs / NanosecondsPerSecond);

    /// <summary>The second word: how many times 2^32 seconds the signed first word is short, and the nanoseconds.</summary>
    public static uint Extra(ulong timeNs)
    {
        long seconds = (long)(timeNs / NanosecondsPerSecond);
        uint epoch = (uint)((seconds - (int)(uint)seconds) >> 32) & EpochMask;
        return epoch | ((uint)(timeNs % NanosecondsPerSecond) << EpochBits);
    }
}
