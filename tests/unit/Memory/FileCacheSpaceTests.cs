// Room for the file cache: what a volume has left for its pages, what memory has, and who is refused when there is none.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Xunit;
using static Lego.Tests.Memory.FileCacheCalls;

namespace Lego.Tests.Memory;

public sealed unsafe class FileCacheSpaceTests
{
    [Theory]
    [InlineData(200 * Page)]
    [InlineData(3000 * Page)]
    public void A_full_volume_refuses_the_very_write_that_does_not_fit(int capacityBytes)
    {
        using MemoryFixture fixture = new(64);
        fixture.Store.CapacityBytes = (ulong)capacityBytes;
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        byte[] bytes = Noise(new Random(7), 10_000);
        ulong accepted = 0;
        Errno error;
        while (true)
        {
            FileRequest request = default;
            request.Flags = FileWriteFlags.Append;
            error = fixture.Files.Write(file, request, bytes, out FileWriteReply reply);
            if (error != Errno.None)
            {
                break;
            }

            accepted += reply.Written;
        }

        Assert.Equal(Errno.ENOSPC, error);
        Assert.Equal((ulong)capacityBytes, accepted);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(accepted, (ulong)stored.Bytes.Length);
    }

    [Fact]
    public void Anonymous_memory_takes_the_frames_of_clean_and_of_dirty_file_pages()
    {
        using MemoryFixture fixture = new(8);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", Noise(new Random(10), 4 << 20));
        CachedFile* file = fixture.Hold(stored);
        byte[] buffer = new byte[FileRequest.MaxTransfer];
        for (ulong offset = 0; offset < 4 << 20; offset += (ulong)buffer.Length)
        {
            Assert.Equal(Errno.None, fixture.Files.Read(file, offset, buffer, out _));
        }

        FileRequest request = default;
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, buffer, out _));
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, buffer, out _));
        Assert.True(fixture.Files.DirtyPages > 0);
        AddressSpace* space = fixture.NewSpace(1);
        ulong stored1 = 0;
        byte* page = (byte*)fixture.Frames.Allocate();
        while (true)
        {
            Errno error = fixture.Map.Store(space, AddressLayout.MapBase - ((stored1 + 1) * Page), page);
            if (error == Errno.ENOMEM && fixture.Files.MakeRoom(1))
            {
                continue;
            }

            if (error != Errno.None)
            {
                break;
            }

            stored1++;
        }

        Assert.Equal(0UL, fixture.Files.PageCount);
        Assert.True(stored1 > fixture.Frames.TotalPages / 2);
        fixture.Spaces.Destroy(space);
        fixture.ReapAll();
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
        Assert.Equal(Errno.None, fixture.Files.Read(file, 0, buffer, out _));
    }

    [Fact]
    public void Space_that_somebody_else_takes_is_refused_to_the_write_that_needs_it_and_to_none_before()
    {
        using MemoryFixture fixture = new(32);
        fixture.Store.CapacityBytes = 1000 * Page;
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        FileRequest append = new() { Flags = FileWriteFlags.Append };
        ulong accepted = 0;
        for (int count = 0; count < 100; count++)
        {
            Assert.Equal(Errno.None, fixture.Files.Write(file, append, new byte[2 * Page], out FileWriteReply reply));
            accepted += reply.Written;
        }

        // Names, or another memory component, take all that is not reserved.
        fixture.Store.Add("/other", new byte[fixture.Store.FreePages * Page]);
        Errno error = Errno.None;
        while (error == Errno.None)
        {
            error = fixture.Files.Write(file, append, new byte[2 * Page], out FileWriteReply reply);
            accepted += reply.Written;
        }

        Assert.Equal(Errno.ENOSPC, error);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(accepted, (ulong)stored.Bytes.Length);
        Assert.Equal(0UL, fixture.Store.ReservedPages);
        Assert.Equal(0UL, fixture.Store.FreePages);
    }

    [Fact]
    public void Reserved_space_is_given_back_by_pages_that_are_never_written_and_when_nothing_is_dirty()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        FileRequest append = new() { Flags = FileWriteFlags.Append };
        Assert.Equal(Errno.None, fixture.Files.Write(file, append, new byte[10 * Page], out _));
        ulong reserved = fixture.Store.ReservedPages;
        Assert.True(reserved >= 10);
        Assert.Equal(Errno.None, fixture.Files.Truncate(file, To(3 * Page)));
        Assert.Equal(reserved, fixture.Store.ReservedPages);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(reserved - 3, fixture.Store.ReservedPages);

        fixture.Files.WriteBackInBackground();
        Assert.Equal(0UL, fixture.Store.ReservedPages);
    }

    [Fact]
    public void A_write_ends_at_the_end_of_the_volumes_range_and_none_begins_there()
    {
        using MemoryFixture fixture = new(32);
        fixture.Store.MaxFileBytes = 1000;
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        FileRequest request = default;
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, new byte[10], out _));
        request.Offset = 990;
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, new byte[100], out FileWriteReply reply));
        Assert.Equal(10u, reply.Written);
        request.Offset = 1000;
        Assert.Equal(Errno.EFBIG, fixture.Files.Write(file, request, new byte[1], out _));
        request.Offset = ulong.MaxValue;
        Assert.Equal(Errno.EFBIG, fixture.Files.Write(file, request, new byte[1], out _));
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(1000, stored.Bytes.Length);
    }

    [Fact]
    public void Making_room_for_a_size_never_shortens_a_file()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, Noise(new Random(1), 5 * Page), out _));
        Assert.Equal(Errno.None, fixture.Files.Truncate(file, new FileRequest { Offset = 3 * Page, Flags = FileWriteFlags.GrowOnly }));
        Assert.Equal(Errno.None, fixture.Files.Status(file, 0, out FileAttributes attributes));
        Assert.Equal(5UL * Page, attributes.Size);
        Assert.Equal(Errno.None, fixture.Files.Truncate(file, new FileRequest { Offset = 9 * Page, Flags = FileWriteFlags.GrowOnly }));
        Assert.Equal(9 * Page, stored.Bytes.Length);
    }

    [Fact]
    public void A_read_that_is_larger_than_the_memory_left_comes_to_its_end()
    {
        using MemoryFixture fixture = new(4);
        byte[] bytes = Noise(new Random(11), FileRequest.MaxTransfer);
        CachedFile* file = fixture.Hold(fixture.Store.Add("/file", bytes));
        System.Collections.Generic.List<nint> taken = [];
        for (void* frame = fixture.Pool.AllocateRaw(); frame != null; frame = fixture.Pool.AllocateRaw())
        {
            taken.Add((nint)frame);
        }

        // Three pages, and what the records of pages need.
        for (int count = 0; count < 4; count++)
        {
            fixture.Pool.FreeRaw((void*)taken[^1]);
            taken.RemoveAt(taken.Count - 1);
        }

        byte[] buffer = new byte[FileRequest.MaxTransfer];
        Assert.Equal(Errno.None, fixture.Files.Read(file, 0, buffer, out int read));
        Assert.Equal(bytes, buffer);
        Assert.InRange(fixture.Store.Reads, 2, 14);
        Assert.InRange(fixture.Files.PageCount, 1UL, 4UL);
    }
}
