// What the manager says of vNodes at a storage component (group 8): where the root of each is. BLOCKS on the device and the volume's lock.

using System;
using Lego.Common.VNodes;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage;

/// <summary>The storage component's part of vNodes.</summary>
public sealed class VNodeRequests(StorageMonitor storage) : VNodeHost
{
    /// <inheritdoc/>
    public override Errno Admit(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> root) =>
        storage.AddRoot(in vnode, name, root);

    /// <inheritdoc/>
    public override Errno Next(ushort after, out AdmitRequest vnode, Span<byte> nameAndRoot) =>
        storage.NextVNode(after, out vnode, nameAndRoot);

    /// <inheritdoc/>
    public override void Forget(ushort vnode) => storage.ForgetRoot(vnode);
}
