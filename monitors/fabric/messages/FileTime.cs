// Times of files on the wire: nanoseconds since 1970 in 64 bits without a sign, wide enough for all that ext4 can keep (1901 to 2446).
// What lies before 1970 is counted modulo 2^64, so the last 2^31 seconds of the range stand for 1901 to 1969; no later time gets so far.

namespace Lego.Fabric.Messages;

/// <summary>Conversions between wire times, and seconds and nanoseconds.</summary>
public static class FileTime
{
    /// <summary>Range of ext4's times with large inodes, and the end of it with 128-byte ones (2038).</summary>
    public const long FirstSecond = int.MinValue;
    public const long LastSecond = 15_032_385_535;
    public const long LastShortSecond = int.MaxValue;

    private const ulong NanosecondsPerSecond = 1_000_000_000;
    /// <summary>Wire times from here on lie before 1970.</summary>
    private const ulong FirstNegative = ulong.MaxValue - (((ulong)int.MaxValue + 1) * NanosecondsPerSecond) + 1;

    /// <summary>
    /// A time out of the range becomes the range's nearest, and the range's first and last second have no parts, as in Linux
    /// (timestamp_truncate).
    /// </summary>
    public static ulong Of(long seconds, uint nanoseconds)
    {
        if (seconds <= FirstSecond)
        {
            return FirstNegative;
        }

        return seconds >= LastSecond ? (ulong)LastSecond * NanosecondsPerSecond : ((ulong)seconds * NanosecondsPerSecond) + nanoseconds;
    }

    /// <summary>
    /// Whether a file that is read now gets a new time of access (relatime, mount(8)): if it was not read since it changed, or not for a
    /// day.
    /// </summary>
    public static bool IsReadDue(ulong access, ulong modify, ulong change, ulong now)
    {
        const ulong DaySeconds = 24 * 60 * 60;
        ulong ordered = Ordered(access);
        return ordered <= Ordered(modify) || ordered <= Ordered(change) || Ordered(now) >= ordered + (DaySeconds * NanosecondsPerSecond);
    }

    /// <summary>Seconds since 1970, rounded down.</summary>
    public static long SecondsOf(ulong time) =>
        time < FirstNegative
            ? (long)(time / NanosecondsPerSecond)
            : (long)((time - FirstNegative) / NanosecondsPerSecond) + FirstSecond;

    /// <summary>A number that grows with the time, also across 1970.</summary>
    private static ulong Ordered(ulong time) => unchecked(time - FirstNegative);

    /// <summary>Nanoseconds of the second.</summary>
    public static uint NanosecondsOf(ulong time) =>
        (uint)((time < FirstNegative ? time : time - FirstNegative) % NanosecondsPerSecond);
}
