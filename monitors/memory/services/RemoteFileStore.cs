// The file store of an image: messages to storage components (PathMessages.cs, StorageMessages.cs). Every request carries the full path and
// an absolute offset, so a storage component keeps no state about its callers. All methods block.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Sends the file cache's requests.</summary>
internal sealed unsafe class RemoteFileStore : FileStore
{
    private readonly RpcEndpoint _rpc;

    internal RemoteFileStore(RpcEndpoint rpc)
    {
        _rpc = rpc;
    }

    /// <inheritdoc/>
    public override Errno Find(ushort vnode, ushort storage, ReadOnlySpan<byte> path, TransferBuffer* buffer, out FileAttributes attributes)
    {
        attributes = default;
        if (path.Length > PathRequest.MaxPath)
        {
            return Errno.ENAMETOOLONG;
        }

        OpenRequest request = default;
        request.Path.PathLength = (ushort)path.Length;
        MemoryMarshal.Write(buffer->Head, in request);
        path.CopyTo(buffer->Head.Slice(sizeof(OpenRequest)));
        ReadOnlySpan<byte> head = buffer->Head.Slice(0, sizeof(OpenRequest) + path.Length);
        RpcContext context = Context(vnode, RpcClass.DemandFetch);
        Span<byte> answer = buffer->Data.Slice(0, sizeof(OpenReply) + PathRequest.MaxPath);
        Errno error = _rpc.Call(storage, Opcode.Open, context, head, default, answer, out int replyBytes);
        if (error != Errno.None)
        {
            return error;
        }

        if (!MemoryMarshal.TryRead(buffer->Data.Slice(0, replyBytes), out OpenReply reply))
        {
            return Errno.EPROTO;
        }

        attributes = reply.Attributes;
        return Errno.None;
    }

    /// <inheritdoc/>
    public override Errno Status(CachedFile* file, ushort holder, TransferBuffer* buffer, out FileAttributes attributes) =>
        Status(file, file->VNode, holder, buffer, out attributes);

    /// <inheritdoc/>
    public override Errno Confirm(CachedFile* file, ushort vnode, TransferBuffer* buffer) => Status(file, vnode, 0, buffer, out _);

    private Errno Status(CachedFile* file, ushort vnode, ushort holder, TransferBuffer* buffer, out FileAttributes attributes)
    {
        ReadOnlySpan<byte> head = Head(buffer, file, 0, 0, 0, forNode: holder);
        RpcContext context = Context(vnode, RpcClass.DemandFetch);
        Span<byte> answer = buffer->Data.Slice(0, sizeof(FileAttributes));
        Errno error = _rpc.Call(file->Storage, Opcode.StorageStatus, context, head, default, answer, out int replyBytes);
        attributes = default;
        return error != Errno.None || MemoryMarshal.TryRead(answer.Slice(0, replyBytes), out attributes) ? error : Errno.EPROTO;
    }

    /// <inheritdoc/>
    public override Errno Read(CachedFile* file, ulong offset, uint lengthBytes, TransferBuffer* buffer, out int readBytes)
    {
        ReadOnlySpan<byte> head = Head(buffer, file, offset, lengthBytes, 0);
        // One page is what a fault waits for; more is reading ahead of a program that reads on.
        RpcContext context = Context(0, lengthBytes <= PageOperations.PageSize ? RpcClass.DemandFetch : RpcClass.Transfer);
        return _rpc.Call(file->Storage, Opcode.StorageRead, context, head, default, buffer->Data.Slice(0, (int)lengthBytes), out readBytes);
    }

    /// <inheritdoc/>
    public override Errno Write(CachedFile* file, ulong offset, ReadOnlySpan<byte> bytes, ulong modifyTimeNs, FileWriteFlags flags,
        TransferBuffer* buffer, out FileWriteReply reply)
    {
        ReadOnlySpan<byte> head = Head(buffer, file, offset, (uint)bytes.Length, modifyTimeNs, flags);
        RpcContext context = Context(0, RpcClass.WriteBack);
        FileWriteReply received = default;
        Span<byte> answer = new(&received, sizeof(FileWriteReply));
        Errno error = _rpc.Call(file->Storage, Opcode.StorageWrite, context, head, bytes, answer, out int replyBytes);
        reply = received;
        return error == Errno.None && replyBytes < sizeof(FileWriteReply) ? Errno.EPROTO : error;
    }

    /// <inheritdoc/>
    public override Errno Reserve(ushort storage, in ReserveRequest request, TransferBuffer* buffer, out ReserveReply reply)
    {
        MemoryMarshal.Write(buffer->Head, in request);
        ReadOnlySpan<byte> head = buffer->Head.Slice(0, sizeof(ReserveRequest));
        RpcContext context = Context(0, RpcClass.DemandFetch);
        Errno error = _rpc.Call(storage, Opcode.StorageReserve, context, head, default, buffer->Data, out int replyBytes);
        reply = default;
        return error != Errno.None || MemoryMarshal.TryRead(buffer->Data.Slice(0, replyBytes), out reply) ? error : Errno.EPROTO;
    }

    /// <inheritdoc/>
    public override Errno Truncate(CachedFile* file, ulong size, ulong modifyTimeNs, ushort requester, TransferBuffer* buffer)
    {
        ReadOnlySpan<byte> head = Head(buffer, file, size, 0, modifyTimeNs, forNode: requester);
        RpcContext context = Context(0, RpcClass.DemandFetch);
        Span<byte> answer = buffer->Data.Slice(0, sizeof(FileAttributes));
        return _rpc.Call(file->Storage, Opcode.StorageTruncate, context, head, default, answer, out _);
    }

    /// <inheritdoc/>
    public override Errno Sync(ushort storage, CachedFile* file, TransferBuffer* buffer)
    {
        ReadOnlySpan<byte> head = Head(buffer, file, 0, 0, 0);
        return _rpc.Call(storage, Opcode.StorageSync, Context(0, RpcClass.Transfer), head, default, default, out _);
    }

    private static RpcContext Context(ushort vnode, RpcClass urgency)
    {
        RpcContext context = default;
        context.VNode = vnode;
        context.Class = urgency;
        return context;
    }

    /// <summary>Request head and path; a null file stands for the whole volume.</summary>
    private static ReadOnlySpan<byte> Head(TransferBuffer* buffer, CachedFile* file, ulong offset, uint lengthBytes, ulong modifyTimeNs,
        FileWriteFlags flags = FileWriteFlags.None, ushort forNode = 0)
    {
        FileRequest request = default;
        request.For = forNode;
        ReadOnlySpan<byte> path = default;
        if (file != null)
        {
            path = FileCache.PathOf(file);
            request.Handle = file->Handle;
            request.Storage = file->Storage;
        }

        request.Offset = offset;
        request.Length = lengthBytes;
        request.ModifyTimeNs = modifyTimeNs;
        request.Flags = flags;
        request.PathLength = (ushort)path.Length;
        MemoryMarshal.Write(buffer->Head, in request);
        path.CopyTo(buffer->Head.Slice(sizeof(FileRequest)));
        return buffer->Head.Slice(0, sizeof(FileRequest) + path.Length);
    }
}
