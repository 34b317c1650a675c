// A scenario: what the programs of a run do, and what must hold afterwards. Plans are generated, so that a failing one can be shrunk; a
// directed scenario, which only the order of events varies, has an empty plan.

using System;
using System.Linq;
using CsCheck;

namespace Lego.Simulation;

/// <summary>One kind of run.</summary>
internal abstract class Scenario
{
    internal abstract string Name { get; }

    /// <summary>What programs do.</summary>
    internal virtual Gen<Step[][]> Plans => Gen.Const(Array.Empty<Step[]>());

    /// <summary>The rack of a seed.</summary>
    internal virtual RackOptions Options(Choices choices) => RackOptions.Any(choices);

    /// <summary>Runs as the driver: starts programs, waits for them, checks.</summary>
    internal abstract void Drive(Rack rack, Step[][] plan, Choices choices);

    /// <summary>A step for people.</summary>
    internal virtual string Describe(Step step) => step.ToString();

    internal string Describe(Step[][] plan) =>
        string.Join('\n', plan.Select((steps, index) => $"  program {index}: {string.Join("; ", steps.Select(Describe))}"));
}
