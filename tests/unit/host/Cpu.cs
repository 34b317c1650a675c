// Host stand-in for kernel/machine: the processor.

using System;
using System.Diagnostics;

namespace Lego.Kernel;

/// <summary>One host thread plays one CPU.</summary>
public static unsafe class Cpu
{
    public static int Index => 0;

    /// <summary>Of some CPU, the same on every host.</summary>
    public static uint Features => 0xBFEBFBFF;

    public static void Identify(uint leaf, uint subleaf, uint* results)
    {
        new Span<uint>(results, 4).Clear();
        results[3] = leaf == 1 ? Features : 0;
    }

    public static void Pause() => System.Threading.Thread.SpinWait(1);

    /// <summary>A free-running counter, as the time stamp counter is.</summary>
    public static ulong Timestamp() => (ulong)Stopwatch.GetTimestamp();
}
