// Leases between two processor components, a memory and a storage component, all joined by links in memory: who remembers something is
// called back before a change of it is answered, and nobody else is.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Storage;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Storage;

public sealed unsafe class LeaseTests : IDisposable
{
    private const ushort First = 1;
    private const ushort M = 2;
    private const ushort S = 3;
    private const ushort Second = 4;
    private const uint RootInode = 2;

    private readonly VolumeImage _image = new("16M");
    private readonly HostFrames _frames = new(64);
    private readonly HostFrames _memoryFrames = new(16);
    private readonly RpcEndpoint[] _endpoints = new RpcEndpoint[Second + 1];
    private readonly Listener _first = new();
    private readonly Listener _second = new();

    public LeaseTests()
    {
        Poller.Reset();
        for (ushort node = First; node <= Second; node++)
        {
            _endpoints[node] = new RpcEndpoint(node, _frames.Allocator, 0);
            Poller.Register(_endpoints[node]);
        }

        for (ushort low = First; low <= Second; low++)
        {
            for (ushort high = (ushort)(low + 1); high <= Second; high++)
            {
                Assert.Equal(Errno.None, LocalLink.CreatePair(_frames.Allocator, low, high, out RingLink? lowLink, out RingLink? highLink));
                _endpoints[low].Attach(high, lowLink!);
                _endpoints[high].Attach(low, highLink!);
            }
        }

        _endpoints[S].Register(StorageMonitor.OpcodeGroup, new StorageMonitor(_image.Mount(), _frames.Allocator, _endpoints[S]));
        _ = new MemoryMonitor(_endpoints[M], _memoryFrames.Allocator, 0, MemoryMonitor.DefaultRegionBytes);
        const byte group = (byte)((ushort)Opcode.Recall >> 8);
        _endpoints[First].Register(group, _first);
        _endpoints[Second].Register(group, _second);
    }

    private static RpcContext Context => new() { Asid = 5 };

    public void Dispose()
    {
        Poller.Reset();
        _frames.Dispose();
        _memoryFrames.Dispose();
        _image.Dispose();
    }

    [Fact]
    public void Who_remembers_a_file_is_told_of_its_change_once_and_nobody_else_is()
    {
        uint inode = Open(First, "/f", PathFlags.Create | PathFlags.Lease, out OpenReply made, out _).Inode;
        Assert.Equal([LeaseKey.Name(RootInode, "f"u8), LeaseKey.Attributes(RootInode)], KeysOf(made.Changed));
        Assert.Empty(_first.Recalled);

        Assert.Equal([LeaseKey.Attributes(inode), LeaseKey.Access(inode)], ChangeMode(Second, "/f"));
        Assert.Contains(LeaseKey.Access(inode), _first.Recalled);
        Assert.Empty(_second.Recalled);

        _first.Recalled.Clear();
        ChangeMode(Second, "/f");
        Assert.Empty(_first.Recalled);
    }

    [Fact]
    public void Own_changes_are_told_by_the_reply_alone()
    {
        uint inode = Open(First, "/f", PathFlags.Create | PathFlags.Lease, out _, out _).Inode;
        Assert.Equal([LeaseKey.Attributes(inode), LeaseKey.Access(inode)], ChangeMode(First, "/f"));
        Assert.Empty(_first.Recalled);
    }

    [Fact]
    public void That_a_name_is_missing_is_called_back_before_it_is_made()
    {
        Assert.Equal(Errno.ENOENT, TryOpen(First, "/missing", PathFlags.Lease, out byte[] reply));
        uint key = LeaseKey.Name(RootInode, "missing"u8);
        Assert.Equal([LeaseKey.Access(RootInode), key], MemoryMarshal.Cast<byte, uint>(reply).ToArray());
        Open(Second, "/other", PathFlags.Create, out _, out _);
        Assert.DoesNotContain(key, _first.Recalled);
        Open(Second, "/missing", PathFlags.Create, out _, out _);
        Assert.Contains(key, _first.Recalled);
    }

    [Fact]
    public void A_directory_that_moves_takes_everything_that_is_remembered_with_it()
    {
        MakeNodeRequest make = new() { Mode = 0x41ED };
        make.Path.PathLength = 2;
        Assert.Equal(Errno.None, _endpoints[Second].Call(S, Opcode.MakeNode, Context, make, "/d"u8, new byte[500], out _));
        Assert.Equal(Errno.ENOENT, TryOpen(First, "/d/f", PathFlags.Lease, out _));
        TwoPathRequest rename = new() { NewLength = 2 };
        rename.Old.PathLength = 2;
        Assert.Equal(Errno.None, _endpoints[Second].Call(S, Opcode.Rename, Context, rename, "/d/e"u8, new byte[9000], out _));
        Assert.True(_first.LostEverything);
    }

    [Fact]
    public void Size_and_times_are_called_back_by_the_memory_component_before_another_one_writes()
    {
        FileHandle handle = Open(Second, "/f", PathFlags.Create, out _, out _);
        byte[] written = "bytes"u8.ToArray();
        Assert.Equal(Errno.None, File(Second, Opcode.FileWrite, handle, written, out _));
        Assert.Equal(Errno.None, File(First, Opcode.FileStatus, handle, [], out byte[] reply));
        Assert.Equal(5UL, MemoryMarshal.Read<FileAttributes>(reply).Size);

        Assert.Equal(Errno.None, File(First, Opcode.FileWrite, handle, written, out _));
        Assert.Empty(_first.Recalled);
        Assert.Equal(Errno.None, File(First, Opcode.FileStatus, handle, [], out _));
        Assert.Equal(Errno.None, File(Second, Opcode.FileWrite, handle, written, out _));
        Assert.Equal([LeaseKey.Attributes(handle.Inode)], _first.Recalled);
        Assert.Empty(_second.Recalled);
    }

    [Fact]
    public void Holds_that_come_with_an_unlink_are_given_back_by_it()
    {
        FileHandle handle = Open(First, "/f", PathFlags.Create | PathFlags.Hold, out _, out _);
        UnlinkRequest unlink = new() { Released = new ReleaseRecord { Entry = new ReleaseEntry { Handle = handle, Holds = 1 } } };
        unlink.Path.PathLength = 2;
        byte[] reply = new byte[sizeof(UnlinkReply)];
        Assert.Equal(Errno.None, _endpoints[First].Call(S, Opcode.Unlink, Context, unlink, "/f"u8, reply, out _));
        UnlinkReply lost = MemoryMarshal.Read<UnlinkReply>(reply);
        Assert.Equal((handle.Inode, 0u, LostNameFlags.None), (lost.Handle.Inode, lost.LinksLeft, lost.Flags));
    }

    [Fact]
    public void Who_holds_a_file_is_told_that_it_loses_a_name()
    {
        uint inode = Open(First, "/f", PathFlags.Create | PathFlags.Hold, out _, out _).Inode;
        UnlinkRequest unlink = default;
        unlink.Path.PathLength = 2;
        Assert.Equal(Errno.None, _endpoints[Second].Call(S, Opcode.Unlink, Context, unlink, "/f"u8, new byte[sizeof(UnlinkReply)], out _));
        Assert.Contains(LeaseKey.Access(inode), _first.Recalled);
    }

    private FileHandle Open(ushort from, string path, PathFlags flags, out OpenReply reply, out byte[] body)
    {
        Assert.Equal(Errno.None, TryOpen(from, path, flags, out body));
        reply = MemoryMarshal.Read<OpenReply>(body);
        return reply.Attributes.Handle;
    }

    private Errno TryOpen(ushort from, string path, PathFlags flags, out byte[] reply)
    {
        OpenRequest open = new() { Mode = 0x1A4 };
        open.Path.Flags = flags;
        open.Path.PathLength = (ushort)path.Length;
        byte[] body = new byte[9000];
        Errno error = _endpoints[from].Call(S, Opcode.Open, Context, open, Encoding.UTF8.GetBytes(path), body, out int length);
        reply = body[..length];
        return error;
    }

    private uint[] ChangeMode(ushort from, string path)
    {
        SetAttributesRequest change = new() { Mask = AttributeMask.Mode, Mode = 0x180 };
        change.Path.PathLength = (ushort)path.Length;
        byte[] body = new byte[sizeof(ChangeReply)];
        Assert.Equal(Errno.None, _endpoints[from]
            .Call(S, Opcode.SetAttributes, Context, change, Encoding.UTF8.GetBytes(path), body, out _));
        return KeysOf(MemoryMarshal.Read<ChangeReply>(body).Changed);
    }

    private Errno File(ushort from, Opcode opcode, FileHandle handle, byte[] bytes, out byte[] reply)
    {
        FileRequest request = new() { Handle = handle, Length = (uint)bytes.Length, Storage = S, PathLength = 2, For = from };
        byte[] body = new byte[500];
        Errno error = _endpoints[from].Call(M, opcode, Context, request, [.. "/f"u8, .. bytes], body, out int length);
        reply = body[..length];
        return error;
    }

    private static uint[] KeysOf(LeaseKeys keys) => LeaseKeys.Of(&keys).ToArray();

    /// <summary>A processor component that notes what it is to forget.</summary>
    private sealed class Listener : RpcService
    {
        internal List<uint> Recalled { get; } = [];

        internal bool LostEverything { get; private set; }

        public override RpcDisposition TryHandle(ref RpcRequest request)
        {
            Assert.True(request.TryReadHead(out RecallRequest head, out ReadOnlySpan<byte> rest));
            LostEverything |= head.Count == LeaseKeys.Everything;
            Recalled.AddRange(MemoryMarshal.Cast<byte, uint>(rest).ToArray());
            request.Reply(Errno.None);
            return RpcDisposition.Done;
        }
    }
}
