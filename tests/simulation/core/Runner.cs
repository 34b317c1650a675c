// Runs seeds: makes a seed's plan, runs it on a rack, runs it again and compares, and shrinks the plan of a seed that fails. A seed
// that does not replay is a failure of the simulation itself.

using CsCheck;

namespace Lego.Simulation;

/// <summary>How a run ended.</summary>
internal sealed record RunResult(string? Failure, ulong Digest, ulong Choices, ulong SimulatedNs, Trace Trace, string Waits);

/// <summary>A seed that failed, with the smallest plan that still does.</summary>
internal sealed record FailedSeed(ulong Seed, Scenario Scenario, Step[][] Plan, RunResult Result);

/// <summary>Runs seeds of scenarios.</summary>
internal static class Runner
{
    /// <summary>A plan's own stream of random numbers; the schedule has another.</summary>
    private const uint PlanStream = 7;
    private const int ShrinkRuns = 400;
    private const int TraceLines = 4000;

    /// <summary>Null: the seed holds.</summary>
    internal static FailedSeed? Try(Scenario scenario, ulong seed, bool twice, bool shrinks)
    {
        Step[][] plan = scenario.Plans.Generate(new PCG(PlanStream, seed), null, out Size size);
        RunResult first = Run(scenario, plan, seed, 0);
        if (first.Failure != null)
        {
            plan = !shrinks ? plan : Shrink(scenario, plan, size, seed);
            return new FailedSeed(seed, scenario, plan, Run(scenario, plan, seed, TraceLines));
        }

        if (!twice)
        {
            return null;
        }

        RunResult second = Run(scenario, plan, seed, 0);
        return first.Digest == second.Digest
            ? null
            : new FailedSeed(seed, scenario, plan, second with
            {
                Failure = $"the seed does not replay: digests {first.Digest:x} and {second.Digest:x}",
            });
    }

    /// <summary>Runs a plan once.</summary>
    internal static RunResult Run(Scenario scenario, Step[][] plan, ulong seed, int traceLines)
    {
        Statics.Restore();
        Trace trace = new(traceLines);
        Simulation simulation = new(seed, trace);
        using Rack rack = new(simulation, scenario.Options(simulation.Choices));
        simulation.Run(() =>
        {
            rack.AwaitReady();
            scenario.Drive(rack, plan, simulation.Choices);
        });
        return new RunResult(simulation.Failure, simulation.Choices.Digest, simulation.Choices.Count, simulation.NowNs, trace,
            simulation.Waits);
    }

    /// <summary>CsCheck's random shrinking: any smaller plan that fails as well, until none is found.</summary>
    private static Step[][] Shrink(Scenario scenario, Step[][] smallest, Size size, ulong seed)
    {
        PCG random = new(PlanStream + 1, seed);
        for (int run = 0; run < ShrinkRuns; run++)
        {
            Step[][] candidate = scenario.Plans.Generate(random, size, out Size candidateSize);
            if (Size.IsLessThan(candidateSize, size) && Run(scenario, candidate, seed, 0).Failure != null)
            {
                smallest = candidate;
                size = candidateSize;
            }
        }

        return smallest;
    }
}
