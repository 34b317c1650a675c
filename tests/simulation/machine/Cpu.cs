// Simulation stand-in for kernel/machine: the one CPU of a simulated machine.

using System;

namespace Lego.Kernel;

public static unsafe class Cpu
{
    /// <summary>Of some CPU, the same on every host.</summary>
    public static uint Features => 0xBFEBFBFF;

    public static void Identify(uint leaf, uint subleaf, uint* results)
    {
        new Span<uint>(results, 4).Clear();
        results[3] = leaf == 1 ? Features : 0;
    }

    public static int Index => 0;

    public static void Pause()
    {
    }

    /// <summary>The time stamp counter; one tick a nanosecond.</summary>
    public static ulong Timestamp() => Clock.NowNs();
}
