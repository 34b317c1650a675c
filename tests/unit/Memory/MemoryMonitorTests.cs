// The memory monitor as the rack sees it: a processor component, a storage component and a manager that talk to it by messages only.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
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

/// <summary>The manager's Consult, granting to a given owner.</summary>
internal sealed class ManagerStandIn : RpcService
{
    internal ushort Owner = 2;
    internal readonly List<ConsultRequest> Consultations = [];

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        request.TryReadHead(out ConsultRequest consult, out _);
        Consultations.Add(consult);
        ConsultReply reply = default;
        reply.Owner = Owner;
        request.Reply(Errno.None, reply);
        return RpcDisposition.Done;
    }
}

public sealed unsafe class MemoryMonitorTests : IDisposable
{
    private const int Page = PageOperations.PageSize;
    private const ushort P = 1;
    private const ushort M = 2;
    private const ushort S = 3;
    private const ushort G = 4;

    private readonly HostFrames _hostFrames = new(64);
    private readonly HostFrames _memoryFrames = new(32);
    private readonly RpcEndpoint _p;
    private readonly RpcEndpoint _m;
    private readonly StorageStandIn _storage = new();
    private readonly ManagerStandIn _manager = new();
    private readonly MemoryMonitor _monitor;

    public MemoryMonitorTests()
    {
        FrameAllocator frames = _hostFrames.Allocator;
        Poller.Reset();
        _p = new RpcEndpoint(P, frames, 0);
        RpcEndpoint m = new(M, frames, 0);
        _m = m;
        RpcEndpoint s = new(S, frames, 0);
        RpcEndpoint g = new(G, frames, 0);
        Join(frames, _p, P, m, M);
        Join(frames, m, M, s, S);
        Join(frames, m, M, g, G);
        s.Register(4, _storage);
        g.Register(5, _manager);
        _monitor = new MemoryMonitor(m, _memoryFrames.Allocator, G, MemoryMonitor.DefaultRegionBytes);
        foreach (RpcEndpoint endpoint in new[] { _p, m, s, g })
        {
            Poller.Register(endpoint);
        }
    }

    public void Dispose()
    {
        Poller.Reset();
        _hostFrames.Dispose();
        _memoryFrames.Dispose();
    }

    [Fact]
    public void A_file_that_becomes_shorter_takes_the_pages_behind_its_end_out_of_mappings_and_refuses_late_ones()
    {
        Start(1);
        byte[] bytes = [.. Filled(1), .. Filled(2), .. Filled(3)];
        FileHandle handle = _storage.Add("/cut", bytes);
        byte[] path = "/cut"u8.ToArray();
        MapRequest map = new()
        {
            Length = 3 * Page,
            Protection = Protection.Read | Protection.Write,
            Flags = (uint)MapFlags.Private,
            File = handle,
            PathLength = (ushort)path.Length,
            Backing = 77,
            Storage = S,
        };
        Assert.Equal(Errno.None, Space(Opcode.Map, 1, map, path, out ulong address, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address && vma.Backing == 77);
        Assert.Equal(2, Missed(1, address + Page)[0]);
        Assert.Equal(Errno.None, Flush(1, (address, 8), (address + Page, 9)));
        FileRequest cut = new() { Handle = handle, Offset = 100, Storage = S, PathLength = (ushort)path.Length };
        Assert.Equal(Errno.None, _p.Call(M, Opcode.FileTruncate, Context(0), cut, path, default, out _));
        Assert.Equal(8, Missed(1, address)[0]);
        Assert.Equal(Errno.EIO, Miss(1, address + Page, MissAccess.Read, out _));
        Assert.Equal(Errno.EFAULT, Flush(1, (address + Page, 9)));
        Assert.Equal(Errno.EIO, Miss(1, address + Page, MissAccess.Read, out _));
    }

    [Fact]
    public void Discarded_pages_are_zero_again_and_their_mapping_stays()
    {
        Start(1);
        ulong address = Map(1, 4 * Page);
        Assert.Equal(Errno.None, Flush(1, (address, 1), (address + Page, 2), (address + (2 * Page), 3)));
        RangeRequest request = new() { Address = address + Page, Length = Page };
        Assert.Equal(Errno.None, Space(Opcode.Discard, 1, request, [], out _, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address && vma.End == address + (4 * Page));
        Assert.Equal(1, Missed(1, address)[0]);
        Assert.Empty(Missed(1, address + Page));
        Assert.Equal(3, Missed(1, address + (2 * Page))[0]);
    }

    [Fact]
    public void A_refused_request_answers_with_the_ranges_as_they_are()
    {
        Start(1);
        ulong address = Map(1, 4 * Page);
        Assert.Equal(Errno.None, Space(Opcode.Unmap, 1, new RangeRequest { Address = address + (2 * Page), Length = Page }, [], out _, out _));
        RangeRequest protect = new() { Address = address, Length = 4 * Page, Protection = Protection.Read };
        Assert.Equal(Errno.ENOMEM, Space(Opcode.Protect, 1, protect, [], out _, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address && vma.End == address + (2 * Page) && vma.Protection == Protection.Read);
        Assert.Contains(vmas, vma => vma.Start == address + (3 * Page) && vma.Protection == (Protection.Read | Protection.Write));
    }

    [Fact]
    public void A_break_below_the_heap_or_far_beyond_all_memory_changes_nothing()
    {
        Start(1);
        ulong start = Break(1, 0);
        Assert.Equal(start + Page, Break(1, start + Page));
        Assert.Equal(start + Page, Break(1, start - (8 * Page)));
        Assert.Equal(start + Page, Break(1, start + (1UL << 46)));
        Assert.Equal(start + Page, Break(1, 0));
    }

    [Fact]
    public void The_spaces_of_a_processor_component_end_with_its_life_and_the_next_one_finds_their_names_free()
    {
        Start(1);
        ulong address = Map(1, 4 * Page);
        Assert.Equal(Errno.None, Flush(1, (address, 1), (address + Page, 2)));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 1, new ForkRequest { ChildAsid = 2 }, [], out _, out _));
        Assert.Equal(2UL, Counter("memory.spaces"));
        _m.Watch(new Departures(_monitor));
        _p.BeginLife(77);
        Start(1);
        Assert.Equal(1UL, Counter("memory.spaces"));
        Assert.Equal(Errno.ESRCH, Miss(2, address, MissAccess.Read, out _));
        Assert.Equal(Errno.None, Exit(1));
        Assert.Equal(0UL, Counter("memory.spaces"));
        Assert.Equal(0UL, Counter("memory.frames_used"));
    }

    [Fact]
    public void A_program_is_loaded_and_its_pages_travel_only_when_they_are_missed()
    {
        byte[] program = SmallProgram();
        _storage.Add("/bin/program", program);
        Errno error = Execute(5, "/bin/program", out ExecuteReply reply, out VmaRecord[] vmas, out RegionRecord[] regions);
        Assert.Equal(Errno.None, error);
        Assert.Contains(vmas, vma => vma.Kind == VmaKind.Stack && vma.End == AddressLayout.StackTop);
        Assert.All(regions, region => Assert.Equal(M, region.Owner));
        Assert.Equal(2, _manager.Consultations.Count);
        Assert.Equal(Errno.None, Miss(5, 0x40_0000, MissAccess.Execute, out byte[] page));
        Assert.Equal(program.AsSpan(0, Page).ToArray(), page);
        Assert.Equal(AddressLayout.StackTop, reply.StackTop);
        Assert.Equal(Errno.None, Miss(5, reply.StackTop - Page, MissAccess.Write, out page));
        Assert.Empty(page);
        Assert.Equal(Errno.None, Miss(5, 0x40_3000, MissAccess.Write, out page));
        Assert.Empty(page);
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal(0UL, Counter("memory.frames_used"));
        Assert.Equal(Errno.ESRCH, Miss(5, 0x40_0000, MissAccess.Read, out _));
    }

    [Fact]
    public void Written_back_pages_come_back_also_when_the_flush_rides_on_a_miss()
    {
        Start(5);
        ulong address = Map(5, 64 * Page);
        Assert.Equal(Errno.None, Flush(5, (address, 1), (address + Page, 2)));
        Assert.Equal(Errno.None, MissFlush(5, address, 5, address + (2 * Page), 3, out byte[] page));
        Assert.Equal(Filled(1), page);
        Assert.Equal(Errno.None, MissFlush(5, address + Page, 5, address, 4, out page));
        Assert.Equal(Filled(2), page);
        Assert.Equal(Errno.None, Miss(5, address, MissAccess.Read, out page));
        Assert.Equal(Filled(4), page);
        Assert.Equal(Errno.None, Miss(5, address + (2 * Page), MissAccess.Read, out page));
        Assert.Equal(Filled(3), page);
        Assert.Equal(4UL, Counter("memory.pages_written_back"));
        Assert.Equal(0UL, Counter("memory.violations"));
    }

    [Fact]
    public void Parent_and_child_each_see_their_own_pages_after_fork()
    {
        Start(5);
        ulong address = Map(5, 64 * Page);
        Assert.Equal(Errno.None, Flush(5, (address, 1), (address + Page, 2)));
        ulong frames = Counter("memory.frames_used");
        ForkRequest fork = default;
        fork.ChildAsid = 6;
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, fork, [], out _, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address);
        Assert.Equal(frames, Counter("memory.frames_used"));
        Assert.Equal(Errno.None, Flush(6, (address, 7)));
        Assert.Equal(Errno.None, Flush(5, (address + Page, 8)));
        Assert.Equal(Filled(1), Missed(5, address));
        Assert.Equal(Filled(8), Missed(5, address + Page));
        Assert.Equal(Filled(7), Missed(6, address));
        Assert.Equal(Filled(2), Missed(6, address + Page));
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal(Filled(2), Missed(6, address + Page));
        Assert.Equal(Errno.None, Exit(6));
        Assert.Equal(0UL, Counter("memory.frames_used"));
    }

    [Fact]
    public void A_page_that_several_spaces_write_back_comes_once_and_takes_one_frame_until_one_of_them_changes_it()
    {
        Start(5);
        ulong address = Map(5, 4 * Page);
        Assert.Equal(Errno.None, Flush(5, (address, 1)));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, new ForkRequest { ChildAsid = 6 }, [], out _, out _));
        ulong frames = Counter("memory.frames_used");
        FlushEntry[] owners = [new() { Address = address, Asid = 5 }, new() { Address = address, Asid = 6 }];
        Assert.Equal(Errno.None, FlushToAll(owners, 7));
        Assert.Equal(frames, Counter("memory.frames_used"));
        Assert.Equal(Filled(7), Missed(5, address));
        Assert.Equal(Filled(7), Missed(6, address));
        Assert.Equal(Errno.None, Flush(6, (address, 8)));
        Assert.Equal(Filled(7), Missed(5, address));
        Assert.Equal(Filled(8), Missed(6, address));
        // A child that is not there yet gets what its parent has.
        owners[1].Asid = 9;
        Assert.Equal(Errno.ESRCH, FlushToAll(owners, 9));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, new ForkRequest { ChildAsid = 9 }, [], out _, out _));
        Assert.Equal(Filled(9), Missed(9, address));
        owners[1].Page = 1;
        Assert.Equal(Errno.EPROTO, FlushToAll(owners, 1));
        foreach (uint asid in new uint[] { 5, 6, 9 })
        {
            Assert.Equal(Errno.None, Exit(asid));
        }

        Assert.Equal(0UL, Counter("memory.frames_used"));
    }

    [Fact]
    public void Every_access_is_checked_against_space_mapping_and_protection()
    {
        Start(5);
        ulong address = Map(5, 4 * Page, Protection.Read);
        ulong writable = Map(5, 4 * Page);
        ulong violations = Counter("memory.violations");
        Assert.Equal(Errno.EACCES, Miss(5, address, MissAccess.Write, out _));
        Assert.Equal(Errno.EACCES, Miss(5, writable, MissAccess.Execute, out _));
        Assert.Equal(Errno.EACCES, Flush(5, (address, 1)));
        Assert.Equal(Errno.ESRCH, Miss(99, address, MissAccess.Read, out _));
        Assert.Equal(Errno.ESRCH, Miss(5, address, MissAccess.Read, out _, vnode: 2));
        Assert.Equal(Errno.EFAULT, Flush(5, (0x1234_5000, 1)));
        Assert.Equal(Errno.EPROTO, Raw(Opcode.MissFlush, 5, new byte[100]));
        Assert.Equal(Errno.EPROTO, Raw(Opcode.Flush, 5, [255, 255, 255, 255, 0, 0, 0, 0]));
        Assert.Equal(Errno.EPROTO, Raw(Opcode.Miss, 5, []));
        Assert.Equal(violations + 9, Counter("memory.violations"));
        Assert.Equal(Errno.EFAULT, Miss(5, 0x1234_5000, MissAccess.Read, out _));
        // A dead victim must not harm the miss that it rides on.
        Assert.Equal(Errno.None, MissFlush(5, writable, 99, writable, 1, out byte[] page));
        Assert.Empty(page);
        RangeRequest protect = new() { Address = writable, Length = Page, Protection = Protection.Read };
        Assert.Equal(Errno.None, Space(Opcode.Protect, 5, protect, [], out _, out _));
        // Written before the mprotect, written back after it.
        Assert.Equal(Errno.None, Flush(5, (writable, 3)));
        Assert.Equal(Filled(3), Missed(5, writable));
    }

    [Fact]
    public void The_manager_is_asked_once_for_all_new_regions_and_the_home_keeps_those_meant_for_others()
    {
        Start(5);
        int before = _manager.Consultations.Count;
        ulong big = Map(5, 3UL << 30);
        Assert.Equal(before + 1, _manager.Consultations.Count);
        Assert.InRange(_manager.Consultations[^1].Count, 3U, 4U);
        Assert.Equal(1UL << 30, _manager.Consultations[^1].RegionBytes);
        Assert.Equal(Errno.None, Miss(5, big, MissAccess.Read, out _));
        Map(5, 100 * Page);
        Assert.Equal(before + 1, _manager.Consultations.Count);
        _manager.Owner = 77;
        MapRequest request = MapOf(5UL << 30, Protection.Read);
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, [], out ulong kept, out _));
        Assert.Equal(Errno.None, Miss(5, kept, MissAccess.Read, out _));
        Assert.NotEqual(0UL, Counter("memory.regions_kept"));
        Assert.Equal(Errno.None, Miss(5, big, MissAccess.Read, out _));
    }

    [Fact]
    public void The_break_moves_by_linux_rules_and_answers_where_it_is()
    {
        Start(5);
        ulong start = Break(5, 0);
        Assert.Equal(0UL, start % Page);
        Assert.Equal(start + 10, Break(5, start + 10));
        Assert.Equal(start + (5 * Page), Break(5, start + (5 * Page)));
        Assert.Equal(Errno.None, Flush(5, (start + (4 * Page), 6)));
        Assert.Equal(Filled(6), Missed(5, start + (4 * Page)));
        Assert.Equal(start + Page, Break(5, start + Page));
        Assert.Equal(Errno.EFAULT, Miss(5, start + (4 * Page), MissAccess.Read, out _));
        Assert.Equal(start + (5 * Page), Break(5, start + (5 * Page)));
        Assert.Empty(Missed(5, start + (4 * Page)));
        Assert.Equal(start + (5 * Page), Break(5, start - Page));
        Assert.Equal(start + (5 * Page), Break(5, ulong.MaxValue));
        MapRequest obstacle = MapOf(Page, Protection.Read);
        obstacle.Address = start + (8 * Page);
        obstacle.Flags |= (uint)MapFlags.Fixed;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, obstacle, [], out _, out _));
        Assert.Equal(start + (5 * Page), Break(5, start + (9 * Page)));
        Assert.Equal(start + (7 * Page), Break(5, start + (7 * Page)));
        Assert.Equal(start + (7 * Page), Break(5, start + (8 * Page)));
    }

    [Fact]
    public void A_file_is_read_from_storage_once_and_written_in_one_round_trip()
    {
        byte[] bytes = new byte[100_000];
        new Random(3).NextBytes(bytes);
        FileHandle handle = _storage.Add("/data", (byte[])bytes.Clone());
        for (int round = 0; round < 2; round++)
        {
            for (int offset = 0; offset < bytes.Length; offset += 10_000)
            {
                Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, (ulong)offset, 10_000, [], out byte[] part));
                Assert.Equal(bytes.AsSpan(offset, 10_000).ToArray(), part);
            }
        }

        Assert.Equal(2, _storage.Requests[Opcode.StorageRead]);
        Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, 99_990, 100, [], out byte[] tail));
        Assert.Equal(10, tail.Length);
        Assert.Equal(Errno.None, FileCall(Opcode.FileWrite, handle, 5, 0, [1], out _));
        int requests = _storage.Requests.Values.Sum();
        Assert.Equal(Errno.None, FileCall(Opcode.FileWrite, handle, 200_000, 0, [1, 2, 3], out _));
        Assert.Equal(requests, _storage.Requests.Values.Sum());
        Assert.Equal(Errno.None, FileCall(Opcode.FileStatus, handle, 0, 0, [], out byte[] attributes));
        Assert.Equal(200_003UL, MemoryMarshal.Read<FileAttributes>(attributes).Size);
        Assert.Equal(Errno.None, FileCall(Opcode.FileSync, handle, 0, 0, [], out _));
        Assert.Equal(200_003, _storage.Files[handle.Inode].Length);
        Assert.Equal(1, _storage.Files[handle.Inode][5]);
        Assert.Equal(Errno.None, FileCall(Opcode.FileTruncate, handle, 7, 0, [], out _));
        Assert.Equal(7, _storage.Files[handle.Inode].Length);
        Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, 0, 100, [], out byte[] rest));
        Assert.Equal(7, rest.Length);
        Assert.Equal(Errno.None, FileCall(Opcode.FileForget, handle, 0, 0, [], out _));
        _storage.Files.Remove(handle.Inode);
        Assert.Equal(Errno.ESTALE, FileCall(Opcode.FileRead, handle, 0, 100, [], out _));
    }

    [Fact]
    public void A_write_is_stored_also_when_the_frame_for_it_was_the_last_one_of_its_file()
    {
        const int Plenty = 200;
        const int Few = 30;
        FileHandle handle = _storage.Add("/data", Filled(0));
        // Somewhere on the way down the only frame that can be had is that of the file's only page.
        for (byte value = 1; _memoryFrames.Allocator.FreePages > Few; _memoryFrames.Allocator.Allocate())
        {
            if (_memoryFrames.Allocator.FreePages > Plenty)
            {
                continue;
            }

            Assert.Equal(Errno.None, FileCall(Opcode.FileWrite, handle, 0, 0, Filled(value), out _));
            Assert.Equal(Errno.None, FileCall(Opcode.FileSync, handle, 0, 0, [], out _));
            Assert.Equal(value, _storage.Files[handle.Inode][0]);
            value++;
        }

        Assert.NotEqual(0UL, Counter("memory.cache_evictions"));
    }

    [Fact]
    public void A_stream_is_read_ahead_so_that_most_of_its_reads_are_answered_at_once()
    {
        byte[] bytes = new byte[4 << 20];
        new Random(5).NextBytes(bytes);
        FileHandle handle = _storage.Add("/data", bytes);
        for (int offset = 0; offset < bytes.Length; offset += 32_768)
        {
            Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, (ulong)offset, 32_768, [], out byte[] part));
            Assert.True(part.AsSpan().SequenceEqual(bytes.AsSpan(offset, 32_768)));
        }

        Assert.InRange(_storage.Requests[Opcode.StorageRead], 74, 75);
    }

    [Fact]
    public void Pages_of_a_mapped_file_come_from_the_cache_and_a_private_write_stays_private()
    {
        byte[] bytes = new byte[(3 * Page) + 100];
        new Random(4).NextBytes(bytes);
        FileHandle handle = _storage.Add("/mapped", (byte[])bytes.Clone());
        Start(5);
        MapRequest request = MapOf(8 * Page, Protection.Read | Protection.Write);
        request.Flags = (uint)MapFlags.Private;
        request.File = handle;
        request.FileOffset = Page;
        request.Storage = S;
        request.PathLength = 7;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, "/mapped\0"u8.ToArray(), out ulong address, out _));
        Assert.Equal(bytes.AsSpan(Page, Page).ToArray(), Missed(5, address));
        byte[] last = Missed(5, address + (2 * Page));
        Assert.Equal(bytes.AsSpan(3 * Page).ToArray(), last.AsSpan(0, 100).ToArray());
        Assert.True(last.AsSpan(100).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(Errno.EIO, Miss(5, address + (3 * Page), MissAccess.Read, out _));
        Assert.Equal(Errno.None, Flush(5, (address, 9)));
        Assert.Equal(Filled(9), Missed(5, address));
        Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, Page, Page, [], out byte[] inFile, "/mapped"));
        Assert.Equal(bytes.AsSpan(Page, Page).ToArray(), inFile);
        MapRequest shared = request;
        shared.Flags = (uint)MapFlags.Shared;
        Assert.Equal(Errno.EACCES, Space(Opcode.Map, 5, shared, "/mapped\0"u8.ToArray(), out _, out _));
    }

    [Fact]
    public void What_comes_back_from_a_shared_mapping_is_in_the_file_up_to_its_end_and_on_its_way_to_the_volume()
    {
        FileHandle handle = _storage.Add("/mapped", new byte[Page + 100]);
        Start(5);
        MapRequest request = MapOf(4 * Page, Protection.Read | Protection.Write);
        request.Flags = (uint)MapFlags.Shared;
        request.Allowed = Protection.Read | Protection.Write;
        request.File = handle;
        request.Storage = S;
        request.PathLength = 7;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, "/mapped\0"u8.ToArray(), out ulong address, out _));
        Missed(5, address);
        Assert.Equal(Errno.None, Flush(5, (address, 9)));
        Assert.Equal(Errno.None, Flush(5, (address + Page, 8)));
        Assert.Equal(Errno.EFAULT, Flush(5, (address + (2 * Page), 7)));
        byte[] last = Missed(5, address + Page);
        Assert.True(last.AsSpan(0, 100).IndexOfAnyExcept((byte)8) < 0 && last.AsSpan(100).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, 0, 4 * Page, [], out byte[] inFile, "/mapped"));
        Assert.Equal([.. Filled(9), .. Filled(8).AsSpan(0, 100)], inFile);
        Assert.Equal(Errno.None, FileCall(Opcode.FileSync, handle, 0, 0, [], out _, "/mapped"));
        Assert.Equal(inFile, _storage.Files[handle.Inode]);
    }

    [Fact]
    public void A_memory_object_is_zeros_up_to_its_size_and_ends_when_it_is_forgotten_and_unmapped()
    {
        FileHandle handle = new() { Inode = ((uint)P << MemoryObjects.NodeShift) + 1 };
        Start(5);
        ulong files = Counter("memory.cache_files");
        MapRequest request = MapOf(2 * Page, Protection.Read | Protection.Write);
        request.Flags = (uint)(MapFlags.Shared | MapFlags.Anonymous);
        request.Allowed = Protection.Read | Protection.Write;
        request.File = handle;
        request.Storage = MemoryObjects.Storage;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, [], out ulong address, out _));
        Assert.True(Missed(5, address).AsSpan().IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(Errno.None, Flush(5, (address + Page, 3)));
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, [], out ulong again, out _));
        Assert.Equal(Filled(3), Missed(5, again + Page));
        Assert.Equal(Errno.None, FileCall(Opcode.FileForget, handle, 0, 0, [], out _, "", MemoryObjects.Storage));
        Assert.Equal(Filled(3), Missed(5, again + Page));
        Assert.Equal(Errno.None, Space(Opcode.Unmap, 5, new RangeRequest { Address = address, Length = 2 * Page }, [], out _, out _));
        Assert.Equal(Errno.None, Space(Opcode.Unmap, 5, new RangeRequest { Address = again, Length = 2 * Page }, [], out _, out _));
        Assert.Equal(files, Counter("memory.cache_files"));
    }

    [Fact]
    public void The_victim_of_a_miss_that_fails_is_taken_over_all_the_same()
    {
        FileHandle handle = _storage.Add("/mapped", new byte[20 * Page]);
        Start(5);
        ulong memory = Map(5, Page);
        MapRequest request = MapOf(4 * Page, Protection.Read);
        request.Flags = (uint)MapFlags.Private;
        request.File = handle;
        request.Storage = S;
        request.PathLength = 7;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, "/mapped\0"u8.ToArray(), out ulong address, out _));
        _storage.Files.Remove(handle.Inode);
        Assert.Equal(Errno.ESTALE, MissFlush(5, address, 5, memory, 3, out _));
        Assert.Equal(Filled(3), Missed(5, memory));
        Assert.Equal(Errno.EFAULT, MissFlush(5, 0x1234_5000, 5, memory, 4, out _));
        Assert.Equal(Filled(4), Missed(5, memory));
    }

    [Fact]
    public void When_memory_is_exhausted_the_processor_component_is_told()
    {
        Start(5);
        ulong address = Map(5, 1UL << 30);
        Errno error = Errno.None;
        ulong stored = 0;
        while (error == Errno.None)
        {
            error = Flush(5, (address + (stored * Page), 1));
            stored++;
        }

        Assert.Equal(Errno.ENOMEM, error);
        Assert.InRange(stored, 6000UL, 8192UL);
        Assert.Equal(Errno.None, Exit(5));
        Start(6);
        Assert.Equal(Errno.None, Flush(6, (Map(6, Page), 1)));
    }

    private static void Join(FrameAllocator frames, RpcEndpoint low, ushort lowNode, RpcEndpoint high, ushort highNode)
    {
        Assert.Equal(Errno.None, LocalLink.CreatePair(frames, lowNode, highNode, out RingLink? lowLink, out RingLink? highLink));
        low.Attach(highNode, lowLink!);
        high.Attach(lowNode, highLink!);
    }

    private static byte[] Filled(byte value) => Enumerable.Repeat(value, Page).ToArray();

    private static RpcContext Context(uint asid, ushort vnode = 1) => new() { VNode = vnode, Asid = asid, Class = RpcClass.DemandFetch };

    /// <summary>Text and data in one segment, some bss.</summary>
    private static byte[] SmallProgram()
    {
        byte[] bytes = new byte[(2 * Page) + 300];
        new Random(1).NextBytes(bytes);
        byte[] header = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0];
        header.CopyTo(bytes, 0);
        ulong[] words = [0x40_0100, 64, 0];
        MemoryMarshal.AsBytes(words.AsSpan()).CopyTo(bytes.AsSpan(24));
        ushort[] halves = [0, 0, 64, 56, 1, 0, 0, 0];
        MemoryMarshal.AsBytes(halves.AsSpan()).CopyTo(bytes.AsSpan(48));
        uint[] type = [1, 7];
        MemoryMarshal.AsBytes(type.AsSpan()).CopyTo(bytes.AsSpan(64));
        ulong[] segment = [0, 0x40_0000, 0x40_0000, (ulong)bytes.Length, 6 * Page, Page];
        MemoryMarshal.AsBytes(segment.AsSpan()).CopyTo(bytes.AsSpan(72));
        return bytes;
    }

    private void Start(uint asid)
    {
        if (!_storage.Names.ContainsKey("/bin/program"))
        {
            _storage.Add("/bin/program", SmallProgram());
        }

        Assert.Equal(Errno.None, Execute(asid, "/bin/program", out _, out _, out _));
    }

    private Errno Execute(uint asid, string path, out ExecuteReply reply, out VmaRecord[] vmas, out RegionRecord[] regions)
    {
        ExecuteRequest request = default;
        request.Storage = S;
        request.File = new FileHandle { Inode = _storage.Names[path], Generation = 9 };
        request.FilePathLength = (ushort)path.Length;
        byte[] body = new byte[65_536];
        Errno error = _p.Call(M, Opcode.Execute, Context(asid), request, Encoding.UTF8.GetBytes(path), body, out int length);
        reply = error == Errno.None ? MemoryMarshal.Read<ExecuteReply>(body) : default;
        ReadOnlySpan<byte> records = body.AsSpan(sizeof(ExecuteReply));
        vmas = MemoryMarshal.Cast<byte, VmaRecord>(records.Slice(0, (int)reply.VmaCount * sizeof(VmaRecord))).ToArray();
        records = records.Slice(vmas.Length * sizeof(VmaRecord));
        regions = MemoryMarshal.Cast<byte, RegionRecord>(records.Slice(0, (int)reply.RegionCount * sizeof(RegionRecord))).ToArray();
        return error;
    }

    private Errno Space<T>(Opcode opcode, uint asid, T request, byte[] payload, out ulong address, out VmaRecord[] vmas) where T : unmanaged
    {
        byte[] body = new byte[65_536];
        Errno error = _p.Call(M, opcode, Context(asid), request, payload, body, out int length);
        SpaceReply reply = length >= sizeof(SpaceReply) ? MemoryMarshal.Read<SpaceReply>(body) : default;
        address = reply.Address;
        vmas = MemoryMarshal.Cast<byte, VmaRecord>(body.AsSpan(sizeof(SpaceReply), (int)reply.VmaCount * sizeof(VmaRecord))).ToArray();
        return error;
    }

    private static MapRequest MapOf(ulong length, Protection protection) => new()
    {
        Length = length,
        Protection = protection,
        Flags = (uint)(MapFlags.Private | MapFlags.Anonymous),
    };

    private ulong Map(uint asid, ulong length, Protection protection = Protection.Read | Protection.Write)
    {
        Assert.Equal(Errno.None, Space(Opcode.Map, asid, MapOf(length, protection), [], out ulong address, out _));
        return address;
    }

    private ulong Break(uint asid, ulong wanted)
    {
        RangeRequest request = new() { Address = wanted };
        Assert.Equal(Errno.None, Space(Opcode.Break, asid, request, [], out ulong address, out _));
        return address;
    }

    private Errno Exit(uint asid) => Raw(Opcode.Exit, asid, []);

    private Errno Raw(Opcode opcode, uint asid, byte[] body) => _p.Call(M, opcode, Context(asid), body, [], new byte[65_536], out _);

    private byte[] Missed(uint asid, ulong address)
    {
        Assert.Equal(Errno.None, Miss(asid, address, MissAccess.Read, out byte[] page));
        return page;
    }

    private Errno Miss(uint asid, ulong address, MissAccess access, out byte[] page, ushort vnode = 1)
    {
        MissRequest request = new() { Address = address, Access = access };
        byte[] reply = new byte[Page];
        Errno error = _p.Call(M, Opcode.Miss, Context(asid, vnode), request, [], reply, out int length);
        page = reply.AsSpan(0, length).ToArray();
        return error;
    }

    private Errno MissFlush(uint asid, ulong address, uint victimAsid, ulong victim, byte value, out byte[] page)
    {
        MissFlushRequest request = default;
        request.Miss = new MissRequest { Address = address, Access = MissAccess.Read };
        request.VictimAddress = victim;
        request.VictimAsid = victimAsid;
        byte[] reply = new byte[Page];
        Errno error = _p.Call(M, Opcode.MissFlush, Context(asid), request, Filled(value), reply, out int length);
        page = reply.AsSpan(0, length).ToArray();
        return error;
    }

    private Errno Flush(uint asid, params (ulong Address, byte Value)[] pages)
    {
        FlushRequest request = new() { Count = (uint)pages.Length, Pages = (uint)pages.Length };
        FlushEntry[] entries = pages.Select((page, index) => new FlushEntry { Address = page.Address, Asid = asid, Page = (uint)index }).ToArray();
        byte[] payload = [.. MemoryMarshal.AsBytes(entries.AsSpan()), .. pages.SelectMany(page => Filled(page.Value))];
        return _p.Call(M, Opcode.Flush, Context(asid), request, payload, [], out _);
    }

    private Errno FlushToAll(FlushEntry[] owners, byte value)
    {
        FlushRequest request = new() { Count = (uint)owners.Length, Pages = 1 };
        byte[] payload = [.. MemoryMarshal.AsBytes(owners.AsSpan()), .. Filled(value)];
        return _p.Call(M, Opcode.Flush, Context(owners[0].Asid), request, payload, [], out _);
    }

    private Errno FileCall(
        Opcode opcode, FileHandle handle, ulong offset, uint length, byte[] bytes, out byte[] reply, string path = "/data",
        ushort storage = S)
    {
        FileRequest request = default;
        request.Handle = handle;
        request.Offset = offset;
        request.Length = length;
        request.Storage = storage;
        request.PathLength = (ushort)path.Length;
        byte[] body = new byte[FileRequest.MaxTransfer];
        Errno error = _p.Call(M, opcode, Context(5), request, [.. Encoding.UTF8.GetBytes(path), .. bytes], body, out int replyLength);
        reply = body.AsSpan(0, replyLength).ToArray();
        return error;
    }

    private ulong Counter(string name)
    {
        byte[] buffer = new byte[8192];
        StatisticsWriter writer = new(buffer);
        _monitor.Report(ref writer);
        Assert.False(writer.Truncated);
        string[] lines = Encoding.ASCII.GetString(writer.Text).Split('\n');
        return ulong.Parse(lines.Single(line => line.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1]);
    }

    private sealed class Departures(MemoryMonitor monitor) : PeerWatcher
    {
        public override void Departed(ushort node) => monitor.Departed(node);
    }
}
