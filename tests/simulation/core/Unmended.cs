// Does the simulation find what it is for? Each patch in unmended/ takes the mend of one interleaving defect out again, where a name is
// given here: the test of the simulation (./lego test --only unmended) builds a copy of the sources with all patches and expects each
// name's scenario to fail. The sources themselves never ask.

namespace Lego.Simulation;

/// <summary>The mend that is taken out in this run.</summary>
public static class Unmended
{
    internal static string? Name { get; set; }

    /// <summary>Asked by patched sources only.</summary>
    public static bool Has(string name) => Name == name;
}
