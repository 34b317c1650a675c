// Plans of generated scenarios: programs of random steps, which CsCheck makes and shrinks.

using System.Linq;
using CsCheck;

namespace Lego.Simulation;

/// <summary>Generators of programs.</summary>
internal static class RandomPlans
{
    private const int MostOperand = 15;

    /// <summary>Programs of some steps each, with kinds below <paramref name="kinds"/>.</summary>
    internal static Gen<Step[][]> Programs(int kinds, int fewestPrograms, int mostPrograms, int fewestSteps, int mostSteps) =>
        Programs([.. Enumerable.Range(0, kinds)], fewestPrograms, mostPrograms, fewestSteps, mostSteps);

    /// <summary>Programs of some steps each, of these kinds; one that is named twice comes twice as often.</summary>
    internal static Gen<Step[][]> Programs(int[] kinds, int fewestPrograms, int mostPrograms, int fewestSteps, int mostSteps) =>
        Gen.Select(Gen.OneOfConst(kinds), Gen.Int[0, MostOperand], Gen.Int[0, MostOperand], Gen.Int[0, MostOperand],
            (kind, a, b, c) => new Step(kind, a, b, c)).Array[fewestSteps, mostSteps].Array[fewestPrograms, mostPrograms];
}
