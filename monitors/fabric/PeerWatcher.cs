// What a monitor wants to hear about other components: that one has ended, whose state it keeps. Called in the poller or in the
// membership's thread, so it must not block, nor take long.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Hears of the ends of other components' lives.</summary>
public abstract class PeerWatcher
{
    /// <summary>
    /// The component on a node has been given up, or lives again as another incarnation: all that the former one had is nobody's.
    /// </summary>
    [NoBlock]
    public abstract void Departed(ushort node);
}
