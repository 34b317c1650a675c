// What the manager says and asks of vNodes at a memory component (group 8).

using System;
using Lego.Common.VNodes;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>The memory component's part of vNodes.</summary>
internal sealed class VNodeRequests(FileCache files, AddressSpaces spaces) : VNodeHost
{
    /// <inheritdoc/>
    public override Errno Admit(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> root) => Errno.None;

    /// <inheritdoc/>
    public override void Forget(ushort vnode) => files.ForgetVNode(vnode);

    /// <inheritdoc/>
    public override VNodeUsage UsageOf(ushort vnode) => new() { MemoryBytes = spaces.CountPages(vnode) * PageOperations.PageSize };
}
