// What the manager says and asks of vNodes at a processor component (group 8).

using System;
using Lego.Common.VNodes;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The processor component's part of vNodes.</summary>
internal sealed class VNodeRequests(VNodes vnodes, FileSystem files) : VNodeHost
{
    /// <inheritdoc/>
    public override Errno Admit(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> root)
    {
        // Rounded up: none would mean no limit.
        ulong pages = (vnode.MemoryBytes / PageOperations.PageSize) + (vnode.MemoryBytes % PageOperations.PageSize == 0 ? 0UL : 1);
        vnodes.SetLimits(vnode.VNode, vnode.Processes, pages);
        return Errno.None;
    }

    /// <inheritdoc/>
    public override void Forget(ushort vnode)
    {
        vnodes.Forget(vnode);
        files.SharedMemory.Clear(vnode);
        files.Segments.Clear(vnode);
        files.Processes.Semaphores.Clear(vnode);
        files.Processes.Messages.Clear(vnode);
        files.Queues.Clear(vnode);
    }

    /// <inheritdoc/>
    public override void End(ushort vnode) => vnodes.End(vnode);

    /// <inheritdoc/>
    public override VNodeUsage UsageOf(ushort vnode) => vnodes.UsageOf(vnode);
}
