// How changed pages of the file cache come to the volume: in the background, by sync, after failures, and with what times.

using System;
using System.Linq;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Xunit;
using static Lego.Tests.Memory.FileCacheCalls;

namespace Lego.Tests.Memory;

public sealed unsafe class FileCacheSyncTests
{
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
}
