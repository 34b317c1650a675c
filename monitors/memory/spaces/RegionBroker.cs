// Who owns a new vRegion: the question that a home memory component puts to the manager (GMM). May block.

using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Names owners of vRegions.</summary>
public abstract class RegionBroker
{
    /// <summary>One owner for all of the contiguous regions asked for.</summary>
    [Blocks]
    public abstract Errno Consult(ushort vnode, uint asid, in RegionDemand demand, out ushort owner);
}
