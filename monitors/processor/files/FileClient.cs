// Requests about the contents of files to the memory component that caches them (FileMessages.cs). Each is one message and BLOCKS for its
// reply. A request names the file by handle and path; the handle goes first, so a renamed or hidden file is still found.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>File contents, as the memory component serves them.</summary>
public static unsafe class FileClient
{
    /// <summary>Bytes from an offset on; fewer than asked only at the end of the file.</summary>
    public static Errno Read(in FileCaller caller, FileNode* node, ulong offset, Span<byte> to, out int lengthBytes)
    {
        FileRequest request = Request(node);
        request.Offset = offset;
        request.Length = (uint)to.Length;
        return FileCaller.ToProgram(
            caller.Rpc.Call(node->Place.FileMemory, Opcode.FileRead, caller.Context.As(RpcClass.Transfer), in request, node->Path, to, out lengthBytes));
    }

    /// <summary>Writes the first bytes of the buffer's data part. The reply says how many were taken, and where.</summary>
    public static Errno Write(
        in FileCaller caller, FileNode* node, in TransferBuffer buffer, ulong offset, int lengthBytes, FileWriteFlags flags,
        out FileWriteReply reply)
    {
        FileRequest request = Request(node);
        request.Offset = offset;
        request.Length = (uint)lengthBytes;
        request.Flags = flags;
        request.ModifyTimeNs = Clock.UnixTimeNs();
        // Path and data go out as one piece: the path is put right before the data.
        ReadOnlySpan<byte> payload = buffer.PrefixData(node->Path, lengthBytes);
        return FileCaller.ToProgram(
            caller.Rpc.Call(node->Place.FileMemory, Opcode.FileWrite, caller.Context.As(RpcClass.Transfer), in request, payload, out reply));
    }

    public static Errno Status(in FileCaller caller, FileNode* node, out FileAttributes attributes)
    {
        Errno error = Status(in caller, node->Handle, node->Path, out attributes);
        if (error == Errno.None && node->IsUnlinked && attributes.Links > 0)
        {
            // The hidden name is none of the program's.
            attributes.Links--;
        }

        return error;
    }

    /// <summary>Attributes of a file that was just looked up.</summary>
    public static Errno Status(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path, out FileAttributes attributes)
    {
        FileRequest request = new() { Handle = handle, Storage = caller.Place.Storage, PathLength = (ushort)path.Length };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileStatus, in caller.Context, in request, path, out attributes));
    }

    public static Errno Truncate(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path, ulong sizeBytes)
    {
        FileRequest request = new()
        {
            Handle = handle,
            Offset = sizeBytes,
            Storage = caller.Place.Storage,
            ModifyTimeNs = Clock.UnixTimeNs(),
            PathLength = (ushort)path.Length,
        };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileTruncate, in caller.Context, in request, path, default, out _));
    }

    /// <summary>Writes dirty bytes back; to the device unless FileWriteFlags.NoDevice.</summary>
    public static Errno Synchronize(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path, FileWriteFlags flags)
    {
        FileRequest request = new()
        {
            Handle = handle,
            Storage = caller.Place.Storage,
            PathLength = (ushort)path.Length,
            Flags = flags,
        };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileSync, caller.Context.As(RpcClass.Transfer), in request, path, default, out _));
    }

    /// <summary>Writes the dirty bytes of all files back, to the device (sync(2)).</summary>
    public static Errno SynchronizeAll(in FileCaller caller)
    {
        FileRequest request = new() { Storage = caller.Place.Storage };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileSync, caller.Context.As(RpcClass.Transfer), in request, default, default, out _));
    }

    /// <summary>
    /// The file is gone: cached pages are dropped. Nothing can be done about a failure, and nothing needs to: the pages age out.
    /// </summary>
    public static void Forget(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path)
    {
        FileRequest request = new() { Handle = handle, Storage = caller.Place.Storage, PathLength = (ushort)path.Length };
        caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileForget, in caller.Context, in request, path, default, out _);
    }

    private static FileRequest Request(FileNode* node) => new FileRequest { Handle = node->Handle, Storage = node->Place.Storage, PathLength = (ushort)node->Path.Length };
}
