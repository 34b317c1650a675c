// A storage component of C# for the tests of the memory monitor: what it has been asked, and how often.

using System;
using System.Collections.Generic;
using System.Text;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

/// <summary>Group 4 over a dictionary of files.</summary>
internal sealed unsafe class StorageStandIn : RpcService
{
    internal readonly Dictionary<uint, byte[]> Files = [];
    internal readonly Dictionary<string, uint> Names = [];
    internal readonly Dictionary<Opcode, int> Requests = [];

    internal FileHandle Add(string path, byte[] bytes)
    {
        uint inode = (uint)(20 + Files.Count);
        Files[inode] = bytes;
        Names[path] = inode;
        return new FileHandle { Inode = inode, Generation = 9 };
    }

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        Requests[request.Opcode] = Requests.GetValueOrDefault(request.Opcode) + 1;
        if (request.Opcode == Opcode.Open)
        {
            Open(ref request);
            return RpcDisposition.Done;
        }

        if (request.Opcode == Opcode.StorageReserve)
        {
            Reserve(ref request);
            return RpcDisposition.Done;
        }

        request.TryReadHead(out FileRequest file, out ReadOnlySpan<byte> rest);
        if (request.Opcode == Opcode.StorageSync)
        {
            request.Reply(Errno.None);
            return RpcDisposition.Done;
        }

        if (!Files.TryGetValue(file.Handle.Inode, out byte[]? bytes) || file.Handle.Generation != 9)
        {
            request.Reply(Errno.ESTALE);
            return RpcDisposition.Done;
        }

        Assert.Equal(file.Handle.Inode, Names[Encoding.UTF8.GetString(rest.Slice(0, file.PathLength))]);
        switch (request.Opcode)
        {
            case Opcode.StorageRead:
                int start = (int)Math.Min(file.Offset, (ulong)bytes.Length);
                request.Reply(Errno.None, bytes.AsSpan(start, (int)Math.Min(file.Length, (ulong)(bytes.Length - start))));
                break;
            case Opcode.StorageWrite:
                ReadOnlySpan<byte> data = rest.Slice(file.PathLength);
                Assert.Equal(file.Length, (uint)data.Length);
                Array.Resize(ref bytes, Math.Max(bytes.Length, (int)file.Offset + data.Length));
                data.CopyTo(bytes.AsSpan((int)file.Offset));
                Files[file.Handle.Inode] = bytes;
                FileWriteReply written = default;
                written.Written = (uint)data.Length;
                written.Offset = file.Offset;
                written.Size = (ulong)bytes.Length;
                written.VolumeFreeBytes = 1UL << 40;
                request.Reply(Errno.None, written);
                break;
            case Opcode.StorageTruncate:
                Array.Resize(ref bytes, (int)file.Offset);
                Files[file.Handle.Inode] = bytes;
                request.Reply(Errno.None, Describe(file.Handle, bytes));
                break;
            default:
                request.Reply(Errno.None, Describe(file.Handle, bytes));
                break;
        }

        return RpcDisposition.Done;
    }

    private static void Reserve(ref RpcRequest request)
    {
        Assert.True(request.TryReadHead(out ReserveRequest reserve, out _));
        request.Reply(Errno.None, new ReserveReply { Granted = reserve.Wanted, MaxFileBytes = 1UL << 44 });
    }

    private void Open(ref RpcRequest request)
    {
        request.TryReadHead(out OpenRequest open, out ReadOnlySpan<byte> path);
        Assert.Equal(open.Path.PathLength, path.Length);
        if (!Names.TryGetValue(Encoding.UTF8.GetString(path), out uint inode))
        {
            request.Reply(Errno.ENOENT);
            return;
        }

        OpenReply reply = default;
        reply.Attributes = Describe(new FileHandle { Inode = inode, Generation = 9 }, Files[inode]);
        reply.PathLength = (ushort)path.Length;
        request.Reply(Errno.None, reply, path);
    }

    private static FileAttributes Describe(FileHandle handle, byte[] bytes) =>
        new() { Handle = handle, Mode = 0x81ED, Size = (ulong)bytes.Length, Links = 1 };
}
