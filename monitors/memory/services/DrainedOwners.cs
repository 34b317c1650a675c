// Memory components that are to own no vRegions of this home's spaces: they are given none, and what they have moves away.

using System;

namespace Lego.Memory;

/// <summary>A set of nodes.</summary>
internal sealed class DrainedOwners
{
    private const int Nodes = 256;

    private readonly bool[] _isDrained = new bool[Nodes];
    private int _count;

    internal bool IsEmpty => _count == 0;

    /// <summary>One entry for each node.</summary>
    internal ReadOnlySpan<bool> All => _isDrained;

    internal bool Contains(ushort node) => node < Nodes && _isDrained[node];

    internal void Set(ushort node, bool isDrained)
    {
        if (node < Nodes && _isDrained[node] != isDrained)
        {
            _isDrained[node] = isDrained;
            _count += isDrained ? 1 : -1;
        }
    }
}
