// The memory monitor and the storage monitor together, on a real ext4 volume: programs load from it, a full volume says so at the right
// write, and e2fsck and debugfs judge what write-back left behind.

using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Storage;
using Lego.Tests.Common;
using Lego.Tests.Storage;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class MemoryWithStorageTests
{
    private const int Page = PageOperations.PageSize;
    private const ushort P = 1;
    private const ushort M = 2;
    private const ushort S = 3;

    /// <summary>A processor component's endpoint, joined to m, which is joined to s.</summary>
    private sealed class Rack : IDisposable
    {
        private readonly HostFrames _frames = new(64);
        private readonly HostFrames _memoryFrames;
        private readonly RpcEndpoint _p;
        private readonly RpcEndpoint _m;
        private readonly RpcEndpoint _s;

        internal Rack(VolumeImage image, ulong memoryMegabytes)
        {
            _memoryFrames = new HostFrames(memoryMegabytes);
            FrameAllocator frames = _frames.Allocator;
            _p = new RpcEndpoint(P, frames, 0);
            _m = new RpcEndpoint(M, frames, 0);
            _s = new RpcEndpoint(S, frames, 0);
            Join(_p, P, _m, M);
            Join(_m, M, _s, S);
            Join(_p, P, _s, S);
            Storage = new StorageMonitor(image.Mount(), frames);
            _s.Register(StorageMonitor.OpcodeGroup, Storage);
            Monitor = new MemoryMonitor(_m, _memoryFrames.Allocator, 0, MemoryMonitor.DefaultRegionBytes);
            Poller.Reset();
            Poller.Register(_p);
            Poller.Register(_m);
            Poller.Register(_s);
        }

        internal MemoryMonitor Monitor { get; }

        internal StorageMonitor Storage { get; }

        private static RpcContext Context => new() { Asid = 5 };

        public void Dispose()
        {
            Poller.Reset();
            _frames.Dispose();
            _memoryFrames.Dispose();
        }

        internal FileHandle Create(string path) => Open(path, PathFlags.Create);

        internal FileHandle Open(string path, PathFlags flags)
        {
            OpenRequest open = new() { Mode = 0x1A4 };
            open.Path.Flags = flags;
            open.Path.PathLength = (ushort)path.Length;
            byte[] reply = new byte[5000];
            Assert.Equal(Errno.None, _p.Call(S, Opcode.Open, Context, open, Encoding.UTF8.GetBytes(path), reply, out _));
            return MemoryMarshal.Read<OpenReply>(reply).Attributes.Handle;
        }

        internal Errno MakeDirectory(string path)
        {
            MakeNodeRequest make = new() { Mode = 0x41ED };
            make.Path.PathLength = (ushort)path.Length;
            return _p.Call(S, Opcode.MakeNode, Context, make, Encoding.UTF8.GetBytes(path), new byte[500], out _);
        }

        internal Errno File(Opcode opcode, string path, FileHandle handle, ulong offset, uint length, byte[] bytes, out byte[] reply,
            FileWriteFlags flags = FileWriteFlags.None)
        {
            FileRequest request = new()
            {
                Handle = handle,
                Offset = offset,
                Length = length,
                Storage = S,
                PathLength = (ushort)path.Length,
                Flags = flags,
            };
            byte[] body = new byte[FileRequest.MaxTransfer];
            Errno error = _p.Call(M, opcode, Context, request, [.. Encoding.UTF8.GetBytes(path), .. bytes], body, out int replyLength);
            reply = body.AsSpan(0, replyLength).ToArray();
            return error;
        }

        internal Errno Execute(string path, out ExecuteReply reply)
        {
            ExecuteRequest request = new() { Storage = S };
            request.File = Open(path, PathFlags.None);
            request.FilePathLength = (ushort)path.Length;
            byte[] body = new byte[60_000];
            Errno error = _p.Call(M, Opcode.Execute, Context, request, Encoding.UTF8.GetBytes(path), body, out _);
            reply = error == Errno.None ? MemoryMarshal.Read<ExecuteReply>(body) : default;
            return error;
        }

        internal byte[] Miss(ulong address)
        {
            MissRequest request = new() { Address = address, Access = MissAccess.Read };
            byte[] reply = new byte[Page];
            Assert.Equal(Errno.None, _p.Call(M, Opcode.Miss, Context, request, [], reply, out int length));
            return length == 0 ? new byte[Page] : reply;
        }

        private void Join(RpcEndpoint low, ushort lowNode, RpcEndpoint high, ushort highNode)
        {
            FrameAllocator frames = _frames.Allocator;
            Assert.Equal(Errno.None, LocalLink.CreatePair(frames, lowNode, highNode, out RingLink? lowLink, out RingLink? highLink));
            low.Attach(highNode, lowLink!);
            high.Attach(lowNode, highLink!);
        }
    }

    [Fact]
    public void A_program_behind_a_symbolic_link_is_loaded_from_the_volume_page_by_page()
    {
        string program = System.IO.File.Exists("/bin/busybox") ? "/bin/busybox" : "/usr/bin/busybox";
        if (!System.IO.File.Exists(program))
        {
            return;
        }

        using VolumeImage image = new("16M", "", root =>
        {
            Directory.CreateDirectory(Path.Combine(root, "bin"));
            System.IO.File.Copy(program, Path.Combine(root, "bin/busybox"));
            System.IO.File.CreateSymbolicLink(Path.Combine(root, "bin/sh"), "busybox");
        });
        using Rack rack = new(image, 32);
        Assert.Equal(Errno.None, rack.Execute("/bin/sh", out ExecuteReply reply));
        byte[] bytes = System.IO.File.ReadAllBytes(program);
        int table = (int)BitConverter.ToUInt64(bytes, 32);
        for (int index = 0; index < BitConverter.ToUInt16(bytes, 56); index++)
        {
            int at = table + (index * 56);
            if (BitConverter.ToUInt32(bytes, at) != 1)
            {
                continue;
            }

            ulong offset = BitConverter.ToUInt64(bytes, at + 8);
            ulong bias = BitConverter.ToUInt16(bytes, 16) == 3 ? AddressLayout.PositionIndependentBase : 0;
            ulong address = BitConverter.ToUInt64(bytes, at + 16) + bias;
            ulong fileBytes = BitConverter.ToUInt64(bytes, at + 32);
            for (ulong done = 0; done < fileBytes;)
            {
                ulong inPage = (address + done) & (Page - 1);
                int part = (int)Math.Min(Page - inPage, fileBytes - done);
                byte[] page = rack.Miss(address + done - inPage);
                Assert.True(page.AsSpan((int)inPage, part).SequenceEqual(bytes.AsSpan((int)(offset + done), part)));
                done += (ulong)part;
            }
        }
    }

    [Fact]
    public void What_was_written_is_on_the_volume_after_the_flush_and_the_volume_is_sound()
    {
        using VolumeImage image = new("32M");
        byte[] expected = new byte[5_000_000];
        new Random(1).NextBytes(expected);
        using (Rack rack = new(image, 8))
        {
            FileHandle handle = rack.Create("/data");
            for (int offset = 0; offset < expected.Length; offset += 30_000)
            {
                byte[] part = expected.AsSpan(offset, Math.Min(30_000, expected.Length - offset)).ToArray();
                Assert.Equal(Errno.None, rack.File(Opcode.FileWrite, "/data", handle, 0, 0, part, out _, FileWriteFlags.Append));
            }

            Assert.Equal(Errno.None, rack.File(Opcode.FileRead, "/data", handle, 1_000_000, 50_000, [], out byte[] middle));
            Assert.True(middle.AsSpan().SequenceEqual(expected.AsSpan(1_000_000, 50_000)));
            Assert.Equal(Errno.None, rack.File(Opcode.FileTruncate, "/data", handle, 4_444_444, 0, [], out _));
            Assert.Equal(Errno.None, rack.File(Opcode.FileWrite, "/data", handle, 4_500_000, 0, [7], out _));
            Assert.Equal(Errno.None, rack.Monitor.Flush());
            Assert.Equal(Errno.None, rack.Storage.Sync());
        }

        image.AssertSound();
        byte[] result = image.ReadBack("/data");
        Assert.Equal(4_500_001, result.Length);
        Assert.True(result.AsSpan(0, 4_444_444).SequenceEqual(expected.AsSpan(0, 4_444_444)));
        Assert.Equal(7, result[^1]);
        Assert.True(result.AsSpan(4_444_444, 4_500_000 - 4_444_444).IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void A_full_volume_refuses_a_write_and_keeps_every_byte_that_it_accepted()
    {
        using VolumeImage image = new("16M");
        ulong accepted = 0;
        using (Rack rack = new(image, 32))
        {
            FileHandle handle = rack.Create("/data");
            byte[] part = Enumerable.Repeat((byte)'x', 50_000).ToArray();
            Errno error = Errno.None;
            while (error == Errno.None)
            {
                error = rack.File(Opcode.FileWrite, "/data", handle, 0, 0, part, out byte[] reply, FileWriteFlags.Append);
                accepted += error == Errno.None ? MemoryMarshal.Read<FileWriteReply>(reply).Written : 0;
            }

            Assert.Equal(Errno.ENOSPC, error);
            Assert.InRange(accepted, 10_000_000UL, 16_000_000UL);
            Assert.Equal(Errno.None, rack.File(Opcode.FileSync, "/data", handle, 0, 0, [], out _));
            Assert.Equal(Errno.None, rack.Monitor.Flush());
        }

        image.AssertSound();
        byte[] result = image.ReadBack("/data");
        Assert.Equal(accepted, (ulong)result.Length);
        Assert.True(result.AsSpan().IndexOfAnyExcept((byte)'x') < 0);
    }

    [Fact]
    public void A_volume_that_names_fill_refuses_the_write_that_does_not_fit_and_stores_all_that_it_accepted()
    {
        using VolumeImage image = new("16M");
        ulong end = 0;
        using (Rack rack = new(image, 32))
        {
            FileHandle handle = rack.Create("/data");
            byte[] part = Enumerable.Repeat((byte)'x', 4096).ToArray();
            Assert.Equal(Errno.None, rack.File(Opcode.FileWrite, "/data", handle, 0, 0, part, out _, FileWriteFlags.Append));
            int made = 0;
            while (rack.MakeDirectory($"/d{made}") == Errno.None)
            {
                made++;
            }

            Assert.True(made > 1000);
            Errno error = Errno.None;
            while (error == Errno.None)
            {
                error = rack.File(Opcode.FileWrite, "/data", handle, 0, 0, part, out byte[] reply, FileWriteFlags.Append);
                end = error == Errno.None ? MemoryMarshal.Read<FileWriteReply>(reply).Size : end;
            }

            Assert.Equal(Errno.ENOSPC, error);
            Assert.Equal(Errno.None, rack.File(Opcode.FileSync, "/data", handle, 0, 0, [], out _));
            Assert.Equal(Errno.None, rack.Monitor.Flush());
        }

        image.AssertSound();
        Assert.Equal(end, (ulong)image.ReadBack("/data").Length);
    }

    [Theory]
    [InlineData("-b 1024", 1L << 42)]
    [InlineData("-b 4096", 1L << 44)]
    public void The_last_block_of_the_volumes_range_cannot_be_written(string options, long blocksEnd)
    {
        using VolumeImage image = new("16M", options);
        using Rack rack = new(image, 32);
        FileHandle handle = rack.Create("/data");
        ulong limit = (ulong)blocksEnd - (options == "-b 1024" ? 1024UL : 4096UL);
        foreach (FileWriteFlags flags in new[] { FileWriteFlags.None, FileWriteFlags.Synchronous, FileWriteFlags.None })
        {
            Assert.Equal(Errno.EFBIG, rack.File(Opcode.FileWrite, "/data", handle, limit, 0, new byte[10], out _, flags));
        }

        Assert.Equal(Errno.None, rack.File(Opcode.FileWrite, "/data", handle, limit - 5, 0, new byte[10], out byte[] reply));
        Assert.Equal(5u, MemoryMarshal.Read<FileWriteReply>(reply).Written);
        Assert.Equal(Errno.None, rack.Monitor.Flush());
        image.AssertSound();
    }

    [Theory]
    [InlineData(FileWriteFlags.NoDevice, false)]
    [InlineData(FileWriteFlags.NoDevice, true)]
    [InlineData(FileWriteFlags.None, false)]
    [InlineData(FileWriteFlags.None, true)]
    public void Every_answer_to_a_sync_says_which_failure_is_the_last(FileWriteFlags flags, bool isDirty)
    {
        using VolumeImage image = new("16M");
        using Rack rack = new(image, 32);
        FileHandle handle = rack.Create("/data");
        if (isDirty)
        {
            Assert.Equal(Errno.None, rack.File(Opcode.FileWrite, "/data", handle, 0, 0, new byte[10], out _));
        }

        Assert.Equal(Errno.None, rack.File(Opcode.FileSync, "/data", handle, 0, 0, [], out byte[] reply, flags));
        Assert.Equal(sizeof(uint), reply.Length);
    }
}
