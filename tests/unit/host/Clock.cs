// Host stand-in for kernel/machine: the clock. A test that needs to own time sets Frozen.

using System;
using System.Diagnostics;

namespace Lego.Kernel;

/// <summary>Host time, or a time that a test sets.</summary>
public static class Clock
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    /// <summary>When set on this test's thread, NowNs returns it; the test moves it forward.</summary>
    [ThreadStatic]
    public static ulong? Frozen;

    /// <summary>Nanoseconds since the process started.</summary>
    public static ulong NowNs() => Frozen ?? (ulong)Stopwatch.GetElapsedTime(Start).TotalNanoseconds;

    /// <summary>Nanoseconds since 1970.</summary>
    public static ulong UnixTimeNs() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
