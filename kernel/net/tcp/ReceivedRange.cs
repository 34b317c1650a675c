// Which sequence numbers beyond RCV.NXT have arrived: a sorted list of ranges that do not touch each other. Bounded per connection, so that
// a peer that sends every other byte costs little.

namespace Lego.Kernel;

/// <summary>Consecutive sequence numbers that have arrived out of order.</summary>
internal unsafe struct ReceivedRange
{
    /// <summary>More ranges of one connection are not kept: what would make another one is dropped and comes again.</summary>
    internal const int MaximumPerConnection = 64;

    internal ReceivedRange* Next;
    internal uint Left;
    internal uint Right;
}
