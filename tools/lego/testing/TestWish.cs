namespace Lego.Tool;

/// <summary>What somebody wants tested: a part of a name, how many seeds, or one seed.</summary>
public sealed record TestWish(string? Filter, ulong Seeds, ulong? Seed);
