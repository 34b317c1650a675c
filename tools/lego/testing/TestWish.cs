// Which tests somebody wants, as the options of `./lego test` say it.

namespace Lego.Tool;

/// <summary>What somebody wants tested: a part of a name, how many seeds, or one seed; once: seeds are not run again to compare.</summary>
internal sealed record TestWish(string? Filter, ulong Seeds, ulong? Seed, bool Once);
