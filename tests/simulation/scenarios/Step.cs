// One operation of a generated program. What the numbers mean is the scenario's affair; RandomPlans.cs makes them.

namespace Lego.Simulation;

/// <summary>An operation and its operands.</summary>
internal readonly record struct Step(int Kind, int A, int B, int C);
