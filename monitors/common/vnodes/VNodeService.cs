// Group 8: what the manager says and asks of vNodes (VNodeMessages.cs). Nobody else may: EPERM. A vNode is admitted here once its host has
// taken it, so no request of it is served before.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Common.VNodes;

/// <summary>Serves group 8 on a processor, memory or storage component.</summary>
public sealed unsafe class VNodeService(RpcEndpoint endpoint, ushort manager, VNodeHost host) : RpcService
{
    /// <summary>The group that it serves.</summary>
    public const byte OpcodeGroup = (byte)((ushort)Opcode.AdmitVNode >> 8);

    /// <summary>Makes the service; boot time.</summary>
    public static void Register(RpcEndpoint endpoint, ushort manager, VNodeHost host) =>
        endpoint.Register(OpcodeGroup, new VNodeService(endpoint, manager, host));

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) => opcode is Opcode.VNodeStatus or Opcode.NextVNode;

    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (request.Source == manager)
        {
            return RpcDisposition.Deferred;
        }

        request.Reply(Errno.EPERM);
        return RpcDisposition.Done;
    }

    /// <inheritdoc/>
    public override void Handle(ref RpcRequest request)
    {
        if (request.Opcode == Opcode.AdmitVNode)
        {
            request.Reply(Admit(in request));
            return;
        }

        if (!request.TryReadHead(out VNodeRequest wanted, out _) || (wanted.VNode == 0 && request.Opcode != Opcode.NextVNode))
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        switch (request.Opcode)
        {
            case Opcode.EndVNode:
                host.End(wanted.VNode);
                ReplyUsage(ref request, wanted.VNode);
                break;
            case Opcode.ForgetVNode:
                endpoint.VNodes.Forget(wanted.VNode);
                host.Forget(wanted.VNode);
                request.Reply(Errno.None);
                break;
            case Opcode.VNodeStatus:
                ReplyUsage(ref request, wanted.VNode);
                break;
            case Opcode.NextVNode:
                ReplyNext(ref request, wanted.VNode);
                break;
            default:
                request.Reply(Errno.EOPNOTSUPP);
                break;
        }
    }

    private void ReplyUsage(ref RpcRequest request, ushort vnode)
    {
        VNodeUsage usage = host.UsageOf(vnode);
        request.Reply(Errno.None, in usage);
    }

    private void ReplyNext(ref RpcRequest request, ushort after)
    {
        Span<byte> texts = stackalloc byte[AdmitRequest.MaxName + AdmitRequest.MaxRoot];
        Errno error = host.Next(after, out AdmitRequest vnode, texts);
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        Span<ushort> nodes = stackalloc ushort[RpcEndpoint.MaxNode];
        vnode.NodeCount = (ushort)endpoint.VNodes.WriteNodes(vnode.VNode, nodes);
        Span<byte> answer = stackalloc byte[sizeof(AdmitRequest) + AdmitRequest.MaxName + AdmitRequest.MaxRoot
            + (RpcEndpoint.MaxNode * sizeof(ushort))];
        MemoryMarshal.Write(answer, in vnode);
        int length = sizeof(AdmitRequest);
        texts.Slice(0, vnode.NameLength + vnode.RootLength).CopyTo(answer.Slice(length));
        length += vnode.NameLength + vnode.RootLength;
        ReadOnlySpan<byte> list = MemoryMarshal.AsBytes(nodes.Slice(0, vnode.NodeCount));
        list.CopyTo(answer.Slice(length));
        request.Reply(Errno.None, answer.Slice(0, length + list.Length));
    }

    private Errno Admit(in RpcRequest request)
    {
        if (!request.TryReadHead(out AdmitRequest admit, out ReadOnlySpan<byte> rest)
            || rest.Length != admit.NameLength + admit.RootLength + (admit.NodeCount * sizeof(ushort))
            || admit.RootLength is 0 or > AdmitRequest.MaxRoot || admit.NameLength is 0 or > AdmitRequest.MaxName
            || admit.NodeCount > RpcEndpoint.MaxNode)
        {
            return Errno.EPROTO;
        }

        ReadOnlySpan<byte> name = rest.Slice(0, admit.NameLength);
        ReadOnlySpan<byte> root = rest.Slice(admit.NameLength, admit.RootLength);
        Span<ushort> nodes = stackalloc ushort[RpcEndpoint.MaxNode];
        nodes = nodes.Slice(0, admit.NodeCount);
        rest.Slice(admit.NameLength + admit.RootLength).CopyTo(MemoryMarshal.AsBytes(nodes));
        Errno error = endpoint.VNodes.IsFree(admit.VNode) ? host.Admit(in admit, name, root) : Errno.EEXIST;
        return error == Errno.None ? endpoint.VNodes.Admit(admit.VNode, nodes) : error;
    }
}
