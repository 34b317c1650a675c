// What a component does about vNodes beside refusing who is not admitted (VNodeTable): the service of group 8 calls it.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Common.VNodes;

/// <summary>A component's part of vNodes.</summary>
public abstract class VNodeHost
{
    /// <summary>A vNode is new here, or its limits are others. An error says why it cannot be used here. May BLOCK.</summary>
    public abstract Errno Admit(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> root);

    /// <summary>A vNode is known no more.</summary>
    public abstract void Forget(ushort vnode);

    /// <summary>Ends its processes; where there are none, nothing.</summary>
    public virtual void End(ushort vnode)
    {
    }

    /// <summary>
    /// What Admit was last told of the vNode with the lowest number above another's: its name, then its root. ENOENT: there is none, or
    /// this component is not the one that remembers.
    /// </summary>
    public virtual Errno Next(ushort after, out AdmitRequest vnode, Span<byte> nameAndRoot)
    {
        vnode = default;
        return Errno.ENOENT;
    }

    /// <summary>What it uses here.</summary>
    public virtual VNodeUsage UsageOf(ushort vnode) => default;
}
