// How much slower than a quiet host this one is: the time that threads on every core take for a piece of work beside the processor time
// that they get for it. Limits that catch hangs are stretched by it, so that a loaded host does not look like a hang. What runs with the
// host's leftover time (LeftoverTime.cs) does not count: it gives way to these threads.

using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;

namespace Lego.Racks;

/// <summary>The host's measured speed.</summary>
internal static class HostSpeed
{
    private const int MeasuredMs = 300;

    /// <summary>Load may grow after the measurement.</summary>
    private const double Allowance = 1.5;

    /// <summary>Threads that get less of the cores than this share them with others.</summary>
    private const double QuietShare = 0.75;

    private static readonly Lazy<double> s_factor = new(() => Math.Max(1, Allowance / Math.Clamp(MeasureShare(), 0.02, 1)));

    /// <summary>True when others compute at this moment; takes the measurement's time.</summary>
    internal static bool IsBusy => MeasureShare() < QuietShare;

    /// <summary>A limit for a quiet host, as it is on this one; measured at the first call.</summary>
    internal static TimeSpan Scale(TimeSpan limit) => limit * s_factor.Value;

    /// <summary>The part of the cores' time that threads on each of them get.</summary>
    private static double MeasureShare()
    {
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        Thread[] threads = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(Work))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        return (Process.GetCurrentProcess().TotalProcessorTime - before) / (Stopwatch.GetElapsedTime(start) * threads.Length);
    }

    private static void Work()
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < MeasuredMs)
        {
            Thread.SpinWait(1000);
        }
    }
}
