// The stack's time. It has no clock: its owner says what time it is whenever it calls, and all parts read it here.

namespace Lego.Kernel;

/// <summary>The time of the call that is being served.</summary>
public sealed class NetworkClock
{
    public const ulong NsPerMillisecond = 1_000_000;
    public const ulong NsPerSecond = 1_000_000_000;

    /// <summary>A deadline that never comes.</summary>
    public const ulong Never = ulong.MaxValue;

    /// <summary>Monotonic.</summary>
    public ulong NowNs { get; set; }
}
