// How much slower than a quiet host this one is. Limits that catch hangs are stretched by it, so that a loaded host does not look like a hang. Measured
// once at the start of a run: the time that threads on every core take for a piece of work beside the processor time that they get for it.

using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;

namespace Lego.Rack.Tests;

/// <summary>The factor for limits.</summary>
internal static class HostSpeed
{
    private const int MeasuredMs = 300;

    /// <summary>Load may grow after the measurement.</summary>
    private const double Allowance = 1.5;

    private static readonly Lazy<double> s_factor = new(Measure);

    /// <summary>A limit for a quiet host, as it is on this one.</summary>
    internal static TimeSpan Scale(TimeSpan limit) => limit * s_factor.Value;

    private static double Measure()
    {
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        Thread[] threads = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(Work))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        double got = (Process.GetCurrentProcess().TotalProcessorTime - before) / (Stopwatch.GetElapsedTime(start) * threads.Length);
        return Math.Max(1, Allowance / Math.Clamp(got, 0.02, 1));
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
