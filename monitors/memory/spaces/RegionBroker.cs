// Who owns new vRegions: the question that a home memory component puts to the manager (GMM). May block.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Names owners of vRegions.</summary>
public abstract class RegionBroker
{
    /// <summary>
    /// The owners of all the contiguous regions asked for, in order, in at most OwnerRun.Most runs; <paramref name="rackBytes"/> is what
    /// all memory components have together.
    /// </summary>
    [Blocks]
    public abstract Errno Consult(ushort vnode, uint asid, in RegionDemand demand, Span<OwnerRun> runs, out int count, out ulong rackBytes);
}
