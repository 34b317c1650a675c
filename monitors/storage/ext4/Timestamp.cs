// ext4's times: 32 bits of signed seconds, and in large inodes 32 more of which 2 extend the seconds and 30 count nanoseconds
// (ext4 documentation, "Inode Timestamps"). Messages carry them as FileTime.cs says.

using Lego.Fabric.Messages;

namespace Lego.Storage.Ext4;

/// <summary>Conversions between times of messages and the two on-disk words.</summary>
public static class Timestamp
{
    private const uint NanosecondsPerSecond = 1_000_000_000;
    private const int EpochBits = 2;
    private const uint EpochMask = 3;

    /// <summary>The time that the words say; nonsensical nanoseconds count as none.</summary>
    public static ulong ToWire(uint seconds, uint extra)
    {
        uint nanoseconds = extra >> EpochBits;
        return FileTime.Of((int)seconds + ((long)(extra & EpochMask) << 32), nanoseconds < NanosecondsPerSecond ? nanoseconds : 0);
    }

    /// <summary>The first word, in an inode that has the second.</summary>
    public static uint Seconds(ulong time) => (uint)FileTime.SecondsOf(time);

    /// <summary>The only word of an inode without room for the second: what is later than 2038 becomes 2038.</summary>
    public static uint ShortSeconds(ulong time)
    {
        long seconds = FileTime.SecondsOf(time);
        return seconds > FileTime.LastShortSecond ? (uint)FileTime.LastShortSecond : (uint)seconds;
    }

    /// <summary>The second word: how many times 2^32 seconds the signed first word is short, and the nanoseconds.</summary>
    public static uint Extra(ulong time)
    {
        long seconds = FileTime.SecondsOf(time);
        uint epoch = (uint)((seconds - (int)(uint)seconds) >> 32) & EpochMask;
        return epoch | (FileTime.NanosecondsOf(time) << EpochBits);
    }
}
