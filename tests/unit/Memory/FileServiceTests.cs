// Files through the memory monitor: read, written, mapped, cut, and those that are memory only.

using System;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class FileServiceTests : MemoryMonitorFixture
{
    [Fact]
    public void A_file_that_becomes_shorter_takes_the_pages_behind_its_end_out_of_mappings_and_refuses_late_ones()
    {
        Start(1);
        byte[] bytes = [.. Filled(1), .. Filled(2), .. Filled(3)];
        FileHandle handle = Storage.Add("/cut", bytes);
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
        Assert.Equal(Errno.None, Processor.Call(M, Opcode.FileTruncate, Context(0), cut, path, default, out _));
        Assert.Equal(8, Missed(1, address)[0]);
        Assert.Equal(Errno.EIO, Miss(1, address + Page, MissAccess.Read, out _));
        Assert.Equal(Errno.EFAULT, Flush(1, (address + Page, 9)));
        Assert.Equal(Errno.EIO, Miss(1, address + Page, MissAccess.Read, out _));
    }

    [Fact]
    public void A_file_is_read_from_storage_once_and_written_in_one_round_trip()
    {
        byte[] bytes = new byte[100_000];
        new Random(3).NextBytes(bytes);
        FileHandle handle = Storage.Add("/data", (byte[])bytes.Clone());
        for (int round = 0; round < 2; round++)
        {
            for (int offset = 0; offset < bytes.Length; offset += 10_000)
            {
                Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, (ulong)offset, 10_000, [], out byte[] part));
                Assert.Equal(bytes.AsSpan(offset, 10_000).ToArray(), part);
            }
        }

        Assert.Equal(2, Storage.Requests[Opcode.StorageRead]);
        Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, 99_990, 100, [], out byte[] tail));
        Assert.Equal(10, tail.Length);
        Assert.Equal(Errno.None, FileCall(Opcode.FileWrite, handle, 5, 0, [1], out _));
        int requests = Storage.Requests.Values.Sum();
        Assert.Equal(Errno.None, FileCall(Opcode.FileWrite, handle, 200_000, 0, [1, 2, 3], out _));
        Assert.Equal(requests, Storage.Requests.Values.Sum());
        Assert.Equal(Errno.None, FileCall(Opcode.FileStatus, handle, 0, 0, [], out byte[] attributes));
        Assert.Equal(200_003UL, MemoryMarshal.Read<FileAttributes>(attributes).Size);
        Assert.Equal(Errno.None, FileCall(Opcode.FileSync, handle, 0, 0, [], out _));
        Assert.Equal(200_003, Storage.Files[handle.Inode].Length);
        Assert.Equal(1, Storage.Files[handle.Inode][5]);
        Assert.Equal(Errno.None, FileCall(Opcode.FileTruncate, handle, 7, 0, [], out _));
        Assert.Equal(7, Storage.Files[handle.Inode].Length);
        Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, 0, 100, [], out byte[] rest));
        Assert.Equal(7, rest.Length);
        Assert.Equal(Errno.None, FileCall(Opcode.FileForget, handle, 0, 0, [], out _));
        Storage.Files.Remove(handle.Inode);
        Assert.Equal(Errno.ESTALE, FileCall(Opcode.FileRead, handle, 0, 100, [], out _));
    }

    [Fact]
    public void A_write_is_stored_also_when_the_frame_for_it_was_the_last_one_of_its_file()
    {
        const int Plenty = 200;
        const int Few = 30;
        FileHandle handle = Storage.Add("/data", Filled(0));
        // Somewhere on the way down the only frame that can be had is that of the file's only page.
        for (byte value = 1; MemoryFrames.Allocator.FreePages > Few; MemoryFrames.Allocator.Allocate())
        {
            if (MemoryFrames.Allocator.FreePages > Plenty)
            {
                continue;
            }

            Assert.Equal(Errno.None, FileCall(Opcode.FileWrite, handle, 0, 0, Filled(value), out _));
            Assert.Equal(Errno.None, FileCall(Opcode.FileSync, handle, 0, 0, [], out _));
            Assert.Equal(value, Storage.Files[handle.Inode][0]);
            value++;
        }

        Assert.NotEqual(0UL, Counter("memory.cache_evictions"));
    }

    [Fact]
    public void A_stream_is_read_ahead_so_that_most_of_its_reads_are_answered_at_once()
    {
        byte[] bytes = new byte[4 << 20];
        new Random(5).NextBytes(bytes);
        FileHandle handle = Storage.Add("/data", bytes);
        for (int offset = 0; offset < bytes.Length; offset += 32_768)
        {
            Assert.Equal(Errno.None, FileCall(Opcode.FileRead, handle, (ulong)offset, 32_768, [], out byte[] part));
            Assert.True(part.AsSpan().SequenceEqual(bytes.AsSpan(offset, 32_768)));
        }

        Assert.InRange(Storage.Requests[Opcode.StorageRead], 74, 75);
    }

    [Fact]
    public void Pages_of_a_mapped_file_come_from_the_cache_and_a_private_write_stays_private()
    {
        byte[] bytes = new byte[(3 * Page) + 100];
        new Random(4).NextBytes(bytes);
        FileHandle handle = Storage.Add("/mapped", (byte[])bytes.Clone());
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
        FileHandle handle = Storage.Add("/mapped", new byte[Page + 100]);
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
        Assert.Equal(inFile, Storage.Files[handle.Inode]);
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
}
