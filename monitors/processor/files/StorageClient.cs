// Requests about names to the storage component (PathMessages.cs). Each is one message and BLOCKS for its reply. Errors are the storage
// component's, those of the fabric turned into EIO.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The name space, as the storage component serves it.</summary>
public static unsafe class StorageClient
{
    /// <summary>Looks a path up or creates it. The canonical path lies in the buffer until its next use.</summary>
    public static Errno Open(
        in FileCaller caller, in TransferBuffer buffer, ReadOnlySpan<byte> path, PathFlags flags, uint mode, uint access,
        out OpenReply reply, out ReadOnlySpan<byte> canonicalPath)
    {
        reply = default;
        canonicalPath = default;
        OpenRequest request = new() { Path = Request(in caller, path, flags), Mode = mode, Access = access };
        Span<byte> answer = buffer.Data.Slice(0, sizeof(OpenReply) + PathRequest.MaxPath);
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.Open, in caller.Context, in request, path, answer, out int length);
        if (error != Errno.None)
        {
            return FileCaller.ToProgram(error);
        }

        ReadOnlySpan<byte> body = answer.Slice(0, length);
        if (!MemoryMarshal.TryRead(body, out reply) || sizeof(OpenReply) + reply.PathLength > length)
        {
            return Errno.EIO;
        }

        canonicalPath = body.Slice(sizeof(OpenReply), reply.PathLength);
        return Errno.None;
    }

    /// <summary>mkdir, mknod, symlink.</summary>
    public static Errno MakeNode(
        in FileCaller caller, in TransferBuffer buffer, ReadOnlySpan<byte> path, uint mode, uint deviceNumber, ReadOnlySpan<byte> target)
    {
        MakeNodeRequest request = new()
        {
            Path = Request(in caller, path, PathFlags.NoFollow),
            Mode = mode,
            DeviceNumber = deviceNumber,
            TargetLength = (ushort)target.Length,
        };
        ReadOnlySpan<byte> strings = Join(in buffer, path, target);
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.MakeNode, in caller.Context, in request, strings, out FileAttributes _));
    }

    /// <summary>unlink, or rmdir with PathFlags.Directory.</summary>
    public static Errno Unlink(in FileCaller caller, ReadOnlySpan<byte> path, PathFlags flags, out UnlinkReply reply)
    {
        UnlinkRequest request = new() { Path = Request(in caller, path, flags | PathFlags.NoFollow) };
        return FileCaller.ToProgram(caller.Rpc.Call(caller.Place.Storage, Opcode.Unlink, in caller.Context, in request, path, out reply));
    }

    public static Errno Rename(
        in FileCaller caller, in TransferBuffer buffer, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath, PathFlags flags,
        out RenameReply reply)
    {
        TwoPathRequest request = TwoPaths(in caller, oldPath, newPath, flags);
        ReadOnlySpan<byte> strings = Join(in buffer, oldPath, newPath);
        return FileCaller.ToProgram(caller.Rpc.Call(caller.Place.Storage, Opcode.Rename, in caller.Context, in request, strings, out reply));
    }

    /// <summary>A hard link; PathFlags.NoFollow links a symbolic link itself.</summary>
    public static Errno Link(
        in FileCaller caller, in TransferBuffer buffer, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath, PathFlags flags)
    {
        TwoPathRequest request = TwoPaths(in caller, oldPath, newPath, flags);
        ReadOnlySpan<byte> strings = Join(in buffer, oldPath, newPath);
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.Link, in caller.Context, in request, strings, out FileAttributes _));
    }

    /// <summary>A symbolic link's target.</summary>
    public static Errno ReadLink(in FileCaller caller, ReadOnlySpan<byte> path, Span<byte> target, out int lengthBytes)
    {
        PathRequest request = Request(in caller, path, PathFlags.NoFollow);
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.ReadLink, in caller.Context, in request, path, target, out lengthBytes));
    }

    /// <summary>Entries from a cookie on; nothing at the end.</summary>
    public static Errno ReadDirectory(in FileCaller caller, ReadOnlySpan<byte> path, ulong cookie, Span<byte> entries, out int lengthBytes)
    {
        ReadDirectoryRequest request = new()
        {
            Path = Request(in caller, path, PathFlags.None),
            Cookie = cookie,
            MaxBytes = (uint)entries.Length,
        };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.ReadDirectory, in caller.Context, in request, path, entries, out lengthBytes));
    }

    /// <summary>chmod, chown, utimensat; the request's Path is filled in here.</summary>
    public static Errno SetAttributes(in FileCaller caller, ReadOnlySpan<byte> path, PathFlags flags, SetAttributesRequest request)
    {
        request.Path = Request(in caller, path, flags);
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.SetAttributes, in caller.Context, in request, path, out FileAttributes _));
    }

    public static Errno VolumeStatus(in FileCaller caller, ReadOnlySpan<byte> path, out VolumeStatusReply reply)
    {
        PathRequest request = Request(in caller, path, PathFlags.None);
        return FileCaller.ToProgram(caller.Rpc.Call(caller.Place.Storage, Opcode.VolumeStatus, in caller.Context, in request, path, out reply));
    }

    /// <summary>Attributes of an open directory (for a regular file the memory component knows better).</summary>
    public static Errno Status(in FileCaller caller, FileNode* node, out FileAttributes attributes)
    {
        ReadOnlySpan<byte> path = node->Path;
        FileRequest request = new() { Handle = node->Handle, Storage = node->Place.Storage, PathLength = (ushort)path.Length };
        return FileCaller.ToProgram(
            caller.Rpc.Call(node->Place.Storage, Opcode.StorageStatus, in caller.Context, in request, path, out attributes));
    }

    /// <summary>Everything written reaches the device (sync(2), directories).</summary>
    public static Errno Synchronize(in FileCaller caller)
    {
        FileRequest request = new() { Storage = caller.Place.Storage };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.StorageSync, caller.Context.As(RpcClass.Transfer), in request, default, default, out _));
    }

    private static PathRequest Request(in FileCaller caller, ReadOnlySpan<byte> path, PathFlags flags) => new()
    {
        Flags = flags,
        PathLength = (ushort)path.Length,
        UserId = caller.UserId,
        GroupId = caller.GroupId,
        TimeNs = Clock.UnixTimeNs(),
    };

    private static TwoPathRequest TwoPaths(in FileCaller caller, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath, PathFlags flags) => new TwoPathRequest { Old = Request(in caller, oldPath, flags), NewLength = (ushort)newPath.Length };

    private static ReadOnlySpan<byte> Join(in TransferBuffer buffer, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        first.CopyTo(buffer.Request);
        second.CopyTo(buffer.Request.Slice(first.Length));
        return buffer.Request.Slice(0, first.Length + second.Length);
    }
}
