// A scenario: what the programs of a run do, and what must hold afterwards.

namespace Lego.Simulation;

/// <summary>One kind of run.</summary>
internal abstract class Scenario
{
    internal abstract string Name { get; }

    /// <summary>The rack of a seed.</summary>
    internal virtual RackOptions Options(Choices choices) => new();

    /// <summary>Runs as the driver: starts programs, waits for them, checks.</summary>
    internal abstract void Drive(Rack rack, Choices choices);
}
