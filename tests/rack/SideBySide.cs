// Which tests run side by side. A rack of its own and the same program on the host need no more than a core between them, so two such
// classes run at a time. What looks at all machines of this checkout, takes the rack without a name, or stops machines to see how long
// others wait runs afterwards, one class after the other.

using Lego.Rack.Tests;
using Xunit;

[assembly: CollectionBehavior(MaxParallelThreads = Alone.Otherwise)]

namespace Lego.Rack.Tests;

/// <summary>The classes of tests that nothing may run beside.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    /// <summary>What such a class names as its collection.</summary>
    public const string Name = "alone";

    /// <summary>How many of the other classes run at a time.</summary>
    internal const int Otherwise = 2;
}
