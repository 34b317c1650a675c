// Which components may speak for which vNode. Every request says in its header for which one it is made, and the endpoint looks here before
// any service sees it (RpcEndpoint.Serving.cs): who has not been admitted to a vNode cannot use its number, whatever the request asks. The
// manager says who is admitted (VNodeMessages.cs); a component's admissions end with its life. VNode 0 is the rack itself. A manager that
// has begun anew does not know the vNodes yet; until it has heard of them (IsLearning) nobody is refused, but put off with EAGAIN.
//
// A number's place is its remainder by Most, and the manager gives no number whose place is taken: so a look-up is one comparison.
// Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>The vNodes that a component has heard of.</summary>
public sealed class VNodeTable
{
    /// <summary>Most vNodes at a time.</summary>
    public const int Most = 64;

    private const int WordBits = 64;
    private const int WordsOfNode = (RpcEndpoint.MaxNode + 1) / WordBits;

    private readonly ushort[] _numbers = new ushort[Most];
    private readonly ulong[] _admitted = new ulong[Most * WordsOfNode];

    /// <summary>Requests that were refused because their sender is not admitted to the vNode that they name.</summary>
    public ulong Violations { get; private set; }

    /// <summary>True while this component cannot know yet which vNodes there are.</summary>
    public bool IsLearning { get; set; }

    /// <summary>The place of a vNode's records in tables of <see cref="Most"/>.</summary>
    public static int PlaceOf(ushort vnode) => vnode % Most;

    /// <summary>True when a vNode is known; the rack itself, 0, always is.</summary>
    public bool Has(ushort vnode) => vnode == 0 || _numbers[PlaceOf(vnode)] == vnode;

    /// <summary>True when no other vNode has a number's place.</summary>
    public bool IsFree(ushort vnode) => vnode != 0 && (_numbers[PlaceOf(vnode)] == 0 || Has(vnode));

    /// <summary>Whether a component may speak for a vNode. EPERM, and counted: it may not; EAGAIN: that is not known yet.</summary>
    public Errno Check(ushort vnode, ushort node)
    {
        if (vnode == 0)
        {
            return Errno.None;
        }

        int place = PlaceOf(vnode);
        if (_numbers[place] == vnode && node <= RpcEndpoint.MaxNode && (WordOf(place, node) & BitOf(node)) != 0)
        {
            return Errno.None;
        }

        if (IsLearning)
        {
            return Errno.EAGAIN;
        }

        Violations++;
        return Errno.EPERM;
    }

    /// <summary>Writes the components that may speak for a vNode; how many.</summary>
    public int WriteNodes(ushort vnode, Span<ushort> nodes)
    {
        int count = 0;
        for (ushort node = 1; node <= RpcEndpoint.MaxNode && vnode != 0 && Has(vnode); node++)
        {
            if ((WordOf(PlaceOf(vnode), node) & BitOf(node)) != 0)
            {
                nodes[count++] = node;
            }
        }

        return count;
    }

    /// <summary>These components, and no others, may speak for a vNode from now on. EEXIST: another one has its place; EINVAL.</summary>
    public Errno Admit(ushort vnode, ReadOnlySpan<ushort> nodes)
    {
        int place = PlaceOf(vnode);
        if (!IsFree(vnode))
        {
            return vnode == 0 ? Errno.EINVAL : Errno.EEXIST;
        }

        _numbers[place] = vnode;
        _admitted.AsSpan(place * WordsOfNode, WordsOfNode).Clear();
        foreach (ushort node in nodes)
        {
            if (node <= RpcEndpoint.MaxNode)
            {
                WordOf(place, node) |= BitOf(node);
            }
        }

        return Errno.None;
    }

    /// <summary>A vNode is known no more: nobody may speak for it.</summary>
    public void Forget(ushort vnode)
    {
        int place = PlaceOf(vnode);
        if (vnode != 0 && _numbers[place] == vnode)
        {
            _numbers[place] = 0;
            _admitted.AsSpan(place * WordsOfNode, WordsOfNode).Clear();
        }
    }

    /// <summary>A component's life has ended: its next one is not admitted anywhere until the manager says so.</summary>
    public void Departed(ushort node)
    {
        for (int place = 0; place < Most && node <= RpcEndpoint.MaxNode; place++)
        {
            WordOf(place, node) &= ~BitOf(node);
        }
    }

    private ref ulong WordOf(int place, ushort node) => ref _admitted[(place * WordsOfNode) + (node / WordBits)];

    private static ulong BitOf(ushort node) => 1UL << (node % WordBits);
}
