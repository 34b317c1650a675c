// The file cache against plain byte arrays: whatever is read, written, truncated, evicted and written back, programs see the model's bytes,
// and after a flush the storage component holds them.

using System;
using System.Linq;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class FileCacheTests
{
    private const int Page = PageOperations.PageSize;

    [Theory]
    [InlineData(1, 16, 20_000)]
    [InlineData(2, 3, 20_000)]
    [InlineData(3, 3, 20_000)]
    public void Random_reads_writes_and_truncations_see_the_bytes_of_the_model(int seed, int megabytes, int operations)
    {
        using MemoryFixture fixture = new((ulong)megabytes);
        Random random = new(seed);
        const int FileCount = 3;
        const int MaxBytes = 600_000;
        byte[][] model = new byte[FileCount][];
        FakeFileStore.StoredFile[] stored = new FakeFileStore.StoredFile[FileCount];
        CachedFile*[] files = new CachedFile*[FileCount];
        for (int index = 0; index < FileCount; index++)
        {
            model[index] = Noise(random, random.Next(MaxBytes));
            stored[index] = fixture.Store.Add($"/{index}", (byte[])model[index].Clone());
            files[index] = fixture.Hold(stored[index], $"/{index}");
        }

        for (int step = 0; step < operations; step++)
        {
            int which = random.Next(FileCount);
            int offset = random.Next(3) == 0 ? random.Next(MaxBytes) / Page * Page : random.Next(MaxBytes);
            switch (random.Next(12))
            {
                case < 6:
                    byte[] buffer = new byte[random.Next(1, FileRequest.MaxTransfer)];
                    Assert.Equal(Errno.None, fixture.Files.Read(files[which], (ulong)offset, buffer, out int read));
                    int expected = Math.Clamp(model[which].Length - offset, 0, buffer.Length);
                    Assert.Equal(expected, read);
                    Span<byte> wanted = model[which].AsSpan(Math.Min(offset, model[which].Length), read);
                    Assert.True(buffer.AsSpan(0, read).SequenceEqual(wanted), $"step {step}");
                    break;
                case < 10:
                    byte[] bytes = Noise(random, random.Next(4) == 0 ? Page : random.Next(1, FileRequest.MaxTransfer));
                    bool append = random.Next(5) == 0;
                    int at = append ? model[which].Length : offset;
                    FileRequest request = default;
                    request.Offset = (ulong)offset;
                    bool synchronous = random.Next(50) == 0;
                    request.Flags = append ? FileWriteFlags.Append : synchronous ? FileWriteFlags.Synchronous : FileWriteFlags.None;
                    Assert.Equal(Errno.None, fixture.Files.Write(files[which], request, bytes, out FileWriteReply reply));
                    Assert.Equal((uint)bytes.Length, reply.Written);
                    Assert.Equal((ulong)at, reply.Offset);
                    if (at + bytes.Length > model[which].Length)
                    {
                        Array.Resize(ref model[which], at + bytes.Length);
                    }

                    bytes.CopyTo(model[which], at);
                    Assert.Equal((ulong)model[which].Length, reply.Size);
                    break;
                case 10:
                    int size = random.Next(2) == 0 ? offset : model[which].Length / 2;
                    Assert.Equal(Errno.None, fixture.Files.Truncate(files[which], To((ulong)size)));
                    Array.Resize(ref model[which], size);
                    break;
                default:
                    uint known = 0;
                    Assert.Equal(Errno.None, fixture.Files.Sync(files[which], FileWriteFlags.None, ref known));
                    Assert.Equal(model[which], stored[which].Bytes);
                    break;
            }

            Assert.Equal(Errno.None, fixture.Files.Status(files[which], 0, out FileAttributes attributes));
            Assert.Equal((ulong)model[which].Length, attributes.Size);
        }

        Assert.Equal(Errno.None, fixture.Files.WriteBackAll());
        Assert.Equal(0UL, fixture.Files.DirtyPages);
        for (int index = 0; index < FileCount; index++)
        {
            Assert.Equal(model[index], stored[index].Bytes);
            fixture.Files.Release(files[index]);
        }
    }

    [Fact]
    public void A_sequential_reader_asks_the_storage_component_once_for_fourteen_pages()
    {
        using MemoryFixture fixture = new(32);
        byte[] bytes = Noise(new Random(5), 4 << 20);
        CachedFile* file = fixture.Hold(fixture.Store.Add("/file", bytes));
        byte[] buffer = new byte[Page];
        for (int offset = 0; offset < bytes.Length; offset += Page)
        {
            Assert.Equal(Errno.None, fixture.Files.Read(file, (ulong)offset, buffer, out _));
        }

        int firstPass = fixture.Store.Reads;
        Assert.InRange(firstPass, 1, (bytes.Length / Page / 14) + 1);
        for (int offset = 0; offset < bytes.Length; offset += Page)
        {
            Assert.Equal(Errno.None, fixture.Files.Read(file, (ulong)offset, buffer, out _));
        }

        Assert.Equal(firstPass, fixture.Store.Reads);
    }

    [Fact]
    public void A_volume_is_written_to_only_by_write_back()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        byte[] bytes = Noise(new Random(6), 100 * Page);
        for (int offset = 0; offset < bytes.Length; offset += Page)
        {
            FileRequest request = default;
            request.Flags = FileWriteFlags.Append;
            Assert.Equal(Errno.None, fixture.Files.Write(file, request, bytes.AsSpan(offset, Page), out _));
        }

        Assert.Equal(0, fixture.Store.Writes);
        Assert.Equal(1, fixture.Store.Reserves);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal((0, 1), (fixture.Store.Syncs, fixture.Store.SynchronousWrites));
        Assert.InRange(fixture.Store.Writes, 2, 10);
        Assert.Equal(bytes, stored.Bytes);
    }

    [Theory]
    [InlineData(Errno.None)]
    [InlineData(Errno.EIO)]
    public void A_synchronous_write_is_one_message_and_shows_in_the_cache_even_if_the_device_fails(Errno device)
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", new byte[Page]);
        CachedFile* file = fixture.Hold(stored);
        byte[] page = new byte[Page];
        Assert.Equal(Errno.None, fixture.Files.Read(file, 0, page, out _));
        fixture.Store.DeviceError = device;
        Assert.Equal(device, fixture.Files.Write(file, new FileRequest { Flags = FileWriteFlags.Synchronous }, [7], out _));
        Assert.Equal((1, 0, 1), (fixture.Store.Writes, fixture.Store.Syncs, fixture.Store.SynchronousWrites));
        Assert.Equal(Errno.None, fixture.Files.Read(file, 0, page, out _));
        Assert.Equal(7, page[0]);
    }

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
    public void A_failed_background_write_keeps_the_bytes_and_is_reported_by_the_next_sync()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", new byte[Page]);
        CachedFile* file = fixture.Hold(stored);
        byte[] bytes = Noise(new Random(8), 5 * Page);
        FileRequest request = default;
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, bytes.AsSpan(0, 1), out _));
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, bytes, out _));
        fixture.Store.FailWritesWith = Errno.EIO;
        Assert.Equal(Errno.EIO, fixture.Files.WriteBackAll());
        Assert.Equal(5UL, fixture.Files.DirtyPages);
        fixture.Store.FailWritesWith = Errno.None;
        uint known = 0;
        Assert.Equal(Errno.EIO, fixture.Files.Sync(file, FileWriteFlags.None, ref known));
        Assert.Equal(Errno.None, fixture.Files.Sync(file, FileWriteFlags.None, ref known));
        Assert.Equal(bytes, stored.Bytes);
    }

    [Fact]
    public void Bytes_written_while_a_read_of_the_same_page_is_on_its_way_are_not_overwritten_by_it()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", new byte[40 * Page]);
        CachedFile* file = fixture.Hold(stored);
        FileRequest request = default;
        byte[] fresh = Enumerable.Repeat((byte)7, Page).ToArray();
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, fresh, out _));
        fixture.Store.DuringRead = () =>
        {
            fixture.Store.DuringRead = null;
            FileRequest second = default;
            second.Offset = 21 * Page;
            Assert.Equal(CacheOutcome.Done, fixture.Files.TryWrite(file, second, fresh, out _, out Errno error, out _));
            Assert.Equal(Errno.None, error);
        };
        byte[] buffer = new byte[4 * Page];
        Assert.Equal(Errno.None, fixture.Files.Read(file, 20 * Page, buffer, out _));
        Assert.True(buffer.AsSpan(Page, Page).SequenceEqual(fresh));
        Assert.True(buffer.AsSpan(2 * Page).IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void The_time_of_the_last_write_travels_with_the_write_back()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", new byte[Page]);
        CachedFile* file = fixture.Hold(stored);
        FileRequest request = default;
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, [1], out _));
        ulong before = Clock.UnixTimeNs();
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, [2], out _));
        ulong after = Clock.UnixTimeNs();
        Assert.Equal(Errno.None, fixture.Files.Status(file, 0, out FileAttributes attributes));
        Assert.InRange(attributes.ModifyTimeNs, before, after);
        System.Threading.Thread.Sleep(20);
        Assert.Equal(Errno.None, Sync(fixture, file, FileWriteFlags.NoDevice));
        Assert.Equal(0, fixture.Store.Syncs);
        Assert.InRange(stored.ModifyTimeNs, before, after);
    }

    [Fact]
    public void A_deleted_file_is_never_written_and_its_mapped_pages_stay_until_they_are_unmapped()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", Noise(new Random(9), 20 * Page));
        CachedFile* file = fixture.Hold(stored);
        ulong free = fixture.Frames.FreePages;
        AddressSpace* space = fixture.NewSpace(1);
        MapWish wish = default;
        wish.Length = 20 * Page;
        wish.File = file;
        wish.Protection = Protection.Read;
        wish.Flags = MapFlags.Private;
        Assert.Equal(Errno.None, fixture.MapGranted(space, wish, out ulong address));
        Assert.Equal(Errno.None, fixture.Files.Fetch(file, 0, FetchReason.Mapping));
        FileRequest request = default;
        Assert.Equal(Errno.None, fixture.Files.Write(file, request, [1, 2, 3], out _));
        int writes = fixture.Store.Writes;
        fixture.Files.Forget(file);
        fixture.Files.Release(file);
        Assert.Equal(0UL, fixture.Files.DirtyPages);
        Assert.Equal(CacheOutcome.Done, fixture.Files.TryGetPage(file, 0, out byte* frame, out _));
        Assert.Equal(1, frame[0]);
        Assert.Equal(Errno.None, fixture.Files.WriteBackAll());
        Assert.Equal(writes, fixture.Store.Writes);
        Assert.True(fixture.Files.Find(MemoryFixture.Storage, FakeFileStore.HandleOf(stored)) == null);
        Assert.Equal(Errno.None, fixture.Spaces.Unmap(space, address, 20 * Page));
        Assert.Equal(0UL, fixture.Files.PageCount);
        fixture.Spaces.Destroy(space);
        Assert.InRange(fixture.Frames.FreePages, free - 8, free);
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
    public void A_sync_writes_every_page_that_was_dirty_when_it_began_whatever_is_written_meanwhile()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        byte[] page = Enumerable.Repeat((byte)7, Page).ToArray();
        foreach (ulong index in new ulong[] { 0, 100, 200 })
        {
            Assert.Equal(Errno.None, fixture.Files.Write(file, new FileRequest { Offset = index * Page }, page, out _));
        }

        ulong next = 101;
        fixture.Store.DuringWrite = () =>
        {
            // Another process appends to the run that is written next.
            for (int count = 0; count < 13; count++, next++)
            {
                FileRequest request = new() { Offset = next * Page };
                Assert.Equal(CacheOutcome.Done, fixture.Files.TryWrite(file, request, page, out _, out _, out _));
            }
        };
        Assert.Equal(Errno.None, Sync(fixture, file));
        fixture.Store.DuringWrite = null;
        Assert.All(new[] { 0, 100, 200 }, index => Assert.Equal(7, stored.Bytes[index * Page]));
        Assert.True(fixture.Files.DirtyPages > 0);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(0UL, fixture.Files.DirtyPages);
    }

    [Fact]
    public void A_page_that_is_written_to_while_a_failing_write_back_has_it_is_still_an_old_one()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, [1, 2, 3], out _));
        fixture.Store.FailWritesWith = Errno.EIO;
        fixture.Store.DuringWrite = () => Assert.Equal(CacheOutcome.Done, fixture.Files.TryWrite(file, default, [4], out _, out _, out _));
        Assert.Equal(Errno.EIO, fixture.Files.WriteBackAll());
        fixture.Store.DuringWrite = null;
        fixture.Store.FailWritesWith = Errno.None;
        Assert.Equal(1UL, fixture.Files.DirtyPages);
        Assert.Equal(Errno.EIO, Sync(fixture, file));
        Assert.Equal([4, 2, 3], stored.Bytes);
        fixture.Files.WriteBackInBackground();
        Assert.Equal(0UL, fixture.Store.ReservedPages);
    }

    [Fact]
    public void A_failed_write_back_is_reported_once_to_each_who_knew_of_none()
    {
        using MemoryFixture fixture = new(32);
        CachedFile* file = fixture.Hold(fixture.Store.Add("/file", []));
        CachedFile* other = fixture.Hold(fixture.Store.Add("/other", []), "/other");
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, [1], out _));
        uint first = fixture.Files.LastWriteError;
        uint second = fixture.Files.LastWriteError;
        fixture.Store.FailWritesWith = Errno.EIO;
        Assert.Equal(Errno.EIO, fixture.Files.WriteBackAll());
        fixture.Store.FailWritesWith = Errno.None;

        Assert.Equal(Errno.None, Sync(fixture, other));
        Assert.Equal(Errno.EIO, fixture.Files.Sync(file, FileWriteFlags.None, ref first));
        Assert.Equal(Errno.EIO, fixture.Files.Sync(file, FileWriteFlags.None, ref second));
        Assert.Equal(Errno.None, fixture.Files.Sync(file, FileWriteFlags.None, ref first));
        Assert.Equal(Errno.None, fixture.Files.Sync(file, FileWriteFlags.None, ref second));
        // Opened later: somebody has heard of it.
        Assert.Equal(Errno.None, Sync(fixture, file));
    }

    [Theory]
    [InlineData(Errno.EPERM, 1)]
    [InlineData(Errno.EIO, 5)]
    public void Bytes_that_can_never_be_stored_do_not_keep_their_memory_and_somebody_hears_of_it(Errno error, int attempts)
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, new byte[3 * Page], out _));
        fixture.Files.Release(file);
        fixture.Store.FailWritesWith = error;
        for (int attempt = 0; attempt < attempts; attempt++)
        {
            Assert.Equal(3UL, fixture.Files.DirtyPages);
            Assert.Equal(error, fixture.Files.WriteBackAll());
        }

        Assert.Equal(0UL, fixture.Files.DirtyPages);
        while (fixture.Files.TryReclaim())
        {
        }

        Assert.Equal(0UL, fixture.Files.PageCount);
        Assert.Equal(3UL * Page, fixture.Files.CountUnwrittenBytes());
        file = fixture.Hold(stored);
        Assert.Equal(error, Sync(fixture, file));
        Assert.Equal(0UL, fixture.Files.CountUnwrittenBytes());
        fixture.Files.Release(file);
        fixture.Files.WriteBackInBackground();
        Assert.Equal(0UL, fixture.Store.ReservedPages);
    }

    [Fact]
    public void A_truncation_is_newer_than_the_writes_before_it_also_when_they_are_stored_after_it()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", []);
        CachedFile* file = fixture.Hold(stored);
        Assert.Equal(Errno.None, fixture.Files.Write(file, new FileRequest { ModifyTimeNs = 1000 }, new byte[3 * Page], out _));
        Assert.Equal(Errno.None, fixture.Files.Truncate(file, new FileRequest { Offset = 2 * Page, ModifyTimeNs = 2000 }));
        Assert.Equal(2000UL, stored.ModifyTimeNs);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(2000UL, stored.ModifyTimeNs);
        Assert.Equal(Errno.None, fixture.Files.Status(file, 0, out FileAttributes attributes));
        Assert.Equal(2000UL, attributes.ModifyTimeNs);
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
    public void A_forgotten_file_takes_no_more_writes()
    {
        using MemoryFixture fixture = new(32);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", new byte[Page]);
        CachedFile* file = fixture.Hold(stored);
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, [1], out _));
        fixture.Files.Forget(file);
        Assert.Equal(Errno.ESTALE, fixture.Files.Write(file, default, [1], out _));
        Assert.Equal(Errno.ESTALE, fixture.Files.Write(file, new FileRequest { Flags = FileWriteFlags.Synchronous }, [1], out _));
        Assert.Equal(Errno.ESTALE, fixture.Files.Truncate(file, To(10)));
        Assert.Equal((0UL, 0UL), (fixture.Files.DirtyPages, fixture.Files.PageCount));
        fixture.Files.Release(file);
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

    private static FileRequest To(ulong size) => new() { Offset = size };

    [Fact]
    public void Fsync_of_a_file_with_one_changed_page_is_one_message_to_the_storage_component()
    {
        using MemoryFixture fixture = new(64);
        CachedFile* file = fixture.Hold(fixture.Store.Add("/file", new byte[8 * Page]));
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, new byte[] { 1 }, out _));
        Assert.Equal(Errno.None, Sync(fixture, file));
        int writes = fixture.Store.Writes;
        Assert.Equal(Errno.None, fixture.Files.Write(file, new FileRequest { Offset = Page }, new byte[] { 2 }, out _));
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal((writes + 1, 0), (fixture.Store.Writes, fixture.Store.Syncs));
        // What is written back already may still be in the storage component's memory.
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal((writes + 1, 1), (fixture.Store.Writes, fixture.Store.Syncs));
    }

    [Fact]
    public void Fsync_fails_when_the_device_does_and_what_the_storage_component_has_is_not_written_again()
    {
        using MemoryFixture fixture = new(64);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/file", new byte[Page]);
        CachedFile* file = fixture.Hold(stored);
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, new byte[] { 1 }, out _));
        Assert.Equal(Errno.None, fixture.Files.Write(file, default, new byte[] { 2 }, out _));
        fixture.Store.DeviceError = Errno.EIO;
        Assert.Equal(Errno.EIO, Sync(fixture, file));
        Assert.Equal(0UL, fixture.Files.DirtyPages);
        Assert.Equal(2, stored.Bytes[0]);
        Assert.Equal(Errno.None, Sync(fixture, file));
        Assert.Equal(1, fixture.Store.Syncs);
    }

    private static Errno Sync(MemoryFixture fixture, CachedFile* file, FileWriteFlags flags = FileWriteFlags.None)
    {
        uint known = 0;
        return fixture.Files.Sync(file, flags, ref known);
    }

    private static byte[] Noise(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
