// Requests about the contents of files to the memory component that caches them (FileMessages.cs). Each is one message and BLOCKS for its
// reply. A request names the file by handle and path; the handle goes first, so a renamed or hidden file is still found. What is kept of
// the file here (KeptWrites.cs) and concerns the request goes before it.

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
        node->IsAtMemory = true;
        KeptOf(in caller).WriteOut(node, offset, offset + (ulong)to.Length);
        FileRequest request = Request(node);
        request.Offset = offset;
        request.Length = (uint)to.Length;
        return FileCaller.ToProgram(
            caller.Rpc.Call(node->Place.FileMemory, Opcode.FileRead, caller.Context.As(RpcClass.Transfer), in request, node->Path, to,
                out lengthBytes));
    }

    /// <summary>Writes the first bytes of the buffer's data part. The reply says how many were taken, and where.</summary>
    public static Errno Write(
        in FileCaller caller, FileNode* node, in TransferBuffer buffer, ulong offset, int lengthBytes, FileWriteFlags flags,
        out FileWriteReply reply)
    {
        KeptOf(in caller).WriteOut(node);
        return Write(in caller, node, in buffer, offset, lengthBytes, flags, Clock.UnixTimeNs(), out reply);
    }

    /// <summary>The same for bytes that a program wrote at another time and that were kept since (KeptWrites).</summary>
    internal static Errno WriteKept(
        in FileCaller caller, FileNode* node, in TransferBuffer buffer, ulong offset, int lengthBytes, FileWriteFlags flags, ulong timeNs,
        out FileWriteReply reply) =>
        Write(in caller, node, in buffer, offset, lengthBytes, flags, timeNs, out reply);

    private static Errno Write(
        in FileCaller caller, FileNode* node, in TransferBuffer buffer, ulong offset, int lengthBytes, FileWriteFlags flags, ulong timeNs,
        out FileWriteReply reply)
    {
        FileRequest request = Request(node);
        request.Offset = offset;
        request.Length = (uint)lengthBytes;
        request.Flags = flags;
        request.ModifyTimeNs = timeNs;
        request.For = caller.Rpc.Node;
        node->IsAtMemory = true;
        uint key = LeaseKey.Attributes(node->Handle.Inode);
        caller.Leases.Clock.BeginChange(key);
        // Path and data go out as one piece: the path is put right before the data.
        ReadOnlySpan<byte> payload = buffer.PrefixData(node->Path, lengthBytes);
        Errno error = caller.Rpc.Call(node->Place.FileMemory, Opcode.FileWrite, caller.Context.As(RpcClass.Transfer), in request, payload,
            out reply);
        caller.Leases.Clock.EndChange(key);
        return FileCaller.ToProgram(error);
    }

    public static Errno Status(in FileCaller caller, FileNode* node, out FileAttributes attributes)
    {
        FileCaller nodes = caller;
        nodes.Place = node->Place;
        Errno error = Status(in nodes, node->Handle, node->Path, out attributes);
        if (error == Errno.None && node->IsUnlinked)
        {
            // The cache may have the attributes of before the last name went.
            attributes.Links = 0;
        }

        return error;
    }

    /// <summary>Attributes of a regular file, remembered or asked for.</summary>
    public static Errno Status(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path, out FileAttributes attributes)
    {
        ushort storage = caller.Place.Storage;
        if (caller.Leases.Attributes.TryFind(storage, in handle, out attributes))
        {
            return Errno.None;
        }

        KeptOf(in caller).WriteOut(storage, in handle);
        ulong moment = caller.Leases.Clock.Now;
        FileRequest request = new() { Handle = handle, Storage = storage, PathLength = (ushort)path.Length, For = caller.Rpc.Node };
        Errno error = caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileStatus, in caller.Context, in request, path, out attributes);
        if (error == Errno.None && storage != MemoryObjects.Storage)
        {
            caller.Leases.Attributes.Remember(storage, in attributes, moment);
        }

        return FileCaller.ToProgram(error);
    }

    /// <summary>Sets the size; with FileWriteFlags.GrowOnly a longer file stays as it is.</summary>
    public static Errno Truncate(
        in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path, ulong sizeBytes, FileWriteFlags flags = FileWriteFlags.None)
    {
        KeptOf(in caller).WriteOut(caller.Place.Storage, in handle);
        FileRequest request = new()
        {
            Handle = handle,
            Offset = sizeBytes,
            Flags = flags,
            Storage = caller.Place.Storage,
            ModifyTimeNs = Clock.UnixTimeNs(),
            PathLength = (ushort)path.Length,
            For = caller.Rpc.Node,
        };
        uint key = LeaseKey.Attributes(handle.Inode);
        caller.Leases.Clock.BeginChange(key);
        Errno error = caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileTruncate, in caller.Context, in request, path, default, out _);
        caller.Leases.Clock.EndChange(key);
        return FileCaller.ToProgram(error);
    }

    /// <summary>Writes dirty bytes back, not to the device.</summary>
    public static Errno WriteBack(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path)
    {
        uint known = 0;
        return Synchronize(in caller, in handle, path, FileWriteFlags.NoDevice, ref known);
    }

    /// <summary>fsync(2). <paramref name="knownError"/>: the open file's number of the last failed write-back that it knows of.</summary>
    public static Errno Synchronize(in FileCaller caller, FileNode* node, ref uint knownError)
    {
        if (KeptOf(in caller).TrySynchronize(node, knownError))
        {
            return Errno.None;
        }

        FileCaller nodes = caller;
        nodes.Place = node->Place;
        return Synchronize(in nodes, in node->Handle, node->Path, FileWriteFlags.None, ref knownError);
    }

    private static Errno Synchronize(
        in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path, FileWriteFlags flags, ref uint knownError)
    {
        KeptOf(in caller).WriteOut(caller.Place.Storage, in handle);
        FileRequest request = new()
        {
            Handle = handle,
            Storage = caller.Place.Storage,
            PathLength = (ushort)path.Length,
            Flags = flags,
            Length = knownError,
        };
        Errno error = caller.Rpc.Call(
            caller.Place.FileMemory, Opcode.FileSync, caller.Context.As(RpcClass.Transfer), in request, path, out uint newest);
        knownError = newest != 0 ? newest : knownError;
        return FileCaller.ToProgram(error);
    }

    /// <summary>Writes the dirty bytes of all files back, to the device (sync(2)).</summary>
    public static Errno SynchronizeAll(in FileCaller caller)
    {
        KeptOf(in caller).WriteOutAll();
        FileRequest request = new() { Storage = caller.Place.Storage };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileSync, caller.Context.As(RpcClass.Transfer), in request, default, default,
                out _));
    }

    /// <summary>
    /// The file is gone: cached pages are dropped. Nothing can be done about a failure, and nothing needs to: the pages age out.
    /// </summary>
    public static void Forget(in FileCaller caller, in FileHandle handle, ReadOnlySpan<byte> path)
    {
        FileRequest request = new() { Handle = handle, Storage = caller.Place.Storage, PathLength = (ushort)path.Length };
        caller.Rpc.Call(caller.Place.FileMemory, Opcode.FileForget, in caller.Context, in request, path, default, out _);
    }

    private static KeptWrites KeptOf(in FileCaller caller) => FileSystem.Of(caller.Processes).Kept;

    private static FileRequest Request(FileNode* node) =>
        new() { Handle = node->Handle, Storage = node->Place.Storage, PathLength = (ushort)node->Path.Length };
}
