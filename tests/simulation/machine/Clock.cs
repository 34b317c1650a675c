// Simulation stand-in for kernel/machine: simulated time. Reading the clock takes time, so that a loop that waits for a time ends.

namespace Lego.Kernel;

/// <summary>The time of the run.</summary>
public static class Clock
{
    private const ulong ReadingNs = 20;

    public const ulong TicksPerSecond = 1_000_000_000;

    /// <summary>Nanoseconds since the run began.</summary>
    public static ulong NowNs()
    {
        Simulation.Simulation simulation = Simulation.Simulation.Machine.Simulation;
        simulation.Spend(ReadingNs);
        return simulation.NowNs;
    }

    /// <summary>Nanoseconds since 1970.</summary>
    public static ulong UnixTimeNs()
    {
        Simulation.Simulation simulation = Simulation.Simulation.Machine.Simulation;
        simulation.Spend(ReadingNs);
        return simulation.UnixTimeNs;
    }
}
