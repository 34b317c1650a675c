// The file cache against plain byte arrays: whatever is read, written, truncated, evicted and written back, programs see the model's bytes,
// and after a flush the storage component holds them.

using System;
using System.Linq;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Xunit;
using static Lego.Tests.Memory.FileCacheCalls;

namespace Lego.Tests.Memory;

public sealed unsafe class FileCacheTests
{
    [Theory]
    [InlineData(1, 16, 8_000)]
    [InlineData(2, 3, 8_000)]
    [InlineData(3, 3, 8_000)]
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
    public void The_end_of_a_large_file_gives_back_few_pages_at_once_and_all_of_them_by_and_by()
    {
        using MemoryFixture fixture = new(64);
        CachedFile* file = LargeObject(fixture);
        fixture.Files.ReleaseMapping(file, mayWrite: true);
        Assert.Equal(LargePages, fixture.Files.PageCount);
        ulong left = LargePages;
        while (fixture.Files.ReapDeparted(SlicePages))
        {
            Assert.InRange(left - fixture.Files.PageCount, 1UL, SlicePages);
            left = fixture.Files.PageCount;
        }

        Assert.Equal(0UL, left);
    }

    [Fact]
    public void Whoever_needs_frames_has_those_of_files_that_are_gone_first()
    {
        using MemoryFixture fixture = new(64);
        CachedFile* file = LargeObject(fixture);
        fixture.Files.ReleaseMapping(file, mayWrite: true);
        ulong free = fixture.Frames.FreePages;
        Assert.True(fixture.Pool.TryMakeRoom(free + (LargePages / 2)));
        Assert.InRange(fixture.Files.PageCount, 1UL, LargePages / 2);
    }

    [Fact]
    public void A_truncation_of_a_large_file_lets_others_run_however_little_it_cuts()
    {
        using MemoryFixture fixture = new(64);
        CachedFile* file = LargeObject(fixture, isDead: false);
        Turns turns = new();
        Poller.Register(turns);
        Assert.Equal(Errno.None, fixture.Files.Truncate(file, To((LargePages - 1) * Page)));
        Poller.Reset();
        Assert.Equal(LargePages - 1, fixture.Files.PageCount);
        Assert.InRange(turns.Count, (LargePages / SlicePages) - 1, LargePages);
        fixture.Files.ForgetNow(file);
        fixture.Files.ReleaseMapping(file, mayWrite: true);
        while (fixture.Files.ReapDeparted(SlicePages))
        {
        }

        Assert.Equal(0UL, fixture.Files.PageCount);
    }

    private const ulong SlicePages = 2048;
    private const ulong LargePages = 3 * SlicePages;

    /// <summary>A memory object that is mapped, of more pages than a handler gives back; dead: nothing but the mapping keeps it.</summary>
    private static CachedFile* LargeObject(MemoryFixture fixture, bool isDead = true)
    {
        Assert.Equal(Errno.None, fixture.Files.FindOrAdd(1, MemoryObjects.Storage, new FileHandle { Inode = 1 }, [], out CachedFile* file));
        fixture.Files.HoldMapping(file, mayWrite: true);
        for (ulong page = 0; page < LargePages; page += 8)
        {
            Assert.Equal(Errno.None, fixture.Files.Write(file, new FileRequest { Offset = page * Page }, new byte[8 * Page], out _));
        }

        if (isDead)
        {
            fixture.Files.ForgetNow(file);
        }

        return file;
    }

    /// <summary>Counts how often others could have run.</summary>
    private sealed class Turns : PollSource
    {
        internal ulong Count { get; private set; }

        public override bool Poll()
        {
            Count++;
            return false;
        }
    }
}
