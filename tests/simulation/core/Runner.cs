// Runs one seed of a scenario and says how it ended. A seed is run twice, and both runs must do the same: a seed that does not replay is a
// failure of the simulation itself.

using System;

namespace Lego.Simulation;

/// <summary>How a run ended.</summary>
internal sealed record RunResult(string? Failure, ulong Digest, ulong Choices, ulong SimulatedNs, Trace Trace);

/// <summary>Runs seeds.</summary>
internal static class Runner
{
    /// <summary>Runs a seed once.</summary>
    internal static RunResult Run(Scenario scenario, ulong seed, int traceLines = 0)
    {
        Statics.Restore();
        Trace trace = new(traceLines);
        Simulation simulation = new(seed, trace);
        using Rack rack = new(simulation, scenario.Options(simulation.Choices));
        simulation.Run(() =>
        {
            rack.AwaitReady();
            scenario.Drive(rack, simulation.Choices);
        });
        return new RunResult(simulation.Failure, simulation.Choices.Digest, simulation.Choices.Count, simulation.NowNs, trace);
    }
}
