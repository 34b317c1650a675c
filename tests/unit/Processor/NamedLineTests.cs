// Pages of files: one line for all spaces that map them, found again when nobody does, copied by whoever writes to it.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class NamedLineTests
{
    private const ulong Base = ExCacheFixture.Base;
    private const ulong OtherBase = 0x20_0000_0000;
    private const ulong Page = PageOperations.PageSize;
    private const uint First = ExCacheFixture.FirstAsid;
    private const uint Second = 8;
    private const int FilePages = 8;

    [Fact]
    public void A_page_of_a_file_is_fetched_once_for_all_spaces_that_map_it()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 16, ways: 16);
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (2 * Page), out byte value));
        Assert.Equal(FaultOutcome.Resident, machine.Load(other, OtherBase + Page, out byte shared));
        Assert.Equal((2, 2), (value, shared));
        Assert.Equal(1, machine.Memory.Requests[Opcode.Miss]);
        Assert.Equal(1UL, machine.Cache.ResidentLines);
        Assert.Equal((1UL, 1UL), (machine.Space->ResidentLines, other->ResidentLines));
    }

    [Fact]
    public void Who_writes_has_a_page_of_his_own_and_the_owner_hears_of_it_when_it_is_written_back()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 16, ways: 16);
        machine.Load(Base, out _);
        machine.Load(other, OtherBase + Page, out _);
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (2 * Page), 77));
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base, 78));
        machine.Load(other, OtherBase + Page, out byte value);
        Assert.Equal(2, value);
        Assert.Single(machine.Memory.Requests);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        Assert.Equal(Errno.None, machine.Cache.WriteBack(machine.Space, Base, Base + (FilePages * Page), buffer));
        Assert.Equal(77, machine.Memory.Pages[(First, Base + (2 * Page))][0]);
        Assert.Equal(78, machine.Memory.Pages[(First, Base)][0]);
        Assert.Equal(2, machine.Memory.Pages[(Second, OtherBase + Page)][0]);
    }

    [Fact]
    public void A_page_stays_when_nobody_maps_it_and_goes_as_a_clean_victim()
    {
        const int Lines = 8;
        using ExCacheFixture machine = Make(out AddressSpace* other, Lines, Lines);
        machine.Load(Base + (3 * Page), out _);
        machine.Cache.DropSpace(machine.Space);
        Assert.Equal(1UL, machine.Cache.ResidentLines);
        machine.Memory.Requests.Clear();
        machine.Load(other, OtherBase + (2 * Page), out byte value);
        Assert.Equal(3, value);
        Assert.Empty(machine.Memory.Requests);
        machine.Cache.Drop(other, OtherBase, OtherBase + (FilePages * Page));
        machine.SetRanges(other,
            new VmaRecord { Start = Base, End = Base + (100 * Page), Kind = VmaKind.Anonymous, Protection = Protection.Read });
        for (ulong page = 0; page < 100; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(other, Base + (page * Page), out _));
        }

        Assert.Empty(machine.Memory.Requests);
        Assert.Equal(0UL, machine.Counter("lines_named"));
    }

    [Fact]
    public void An_evicted_page_is_fetched_again_by_each_space_that_wants_it()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 2, ways: 1);
        for (int round = 0; round < 3; round++)
        {
            for (ulong page = 0; page < FilePages - 1; page++)
            {
                machine.Load(Base + ((page + 1) * Page), out byte value);
                machine.Load(other, OtherBase + (page * Page), out byte same);
                Assert.Equal(((byte)(page + 1), (byte)(page + 1)), (value, same));
            }
        }

        Assert.Equal(machine.Cache.ResidentLines * 2, machine.Space->ResidentLines + other->ResidentLines);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(4, 2)]
    public void Copies_and_pages_push_each_other_out_of_the_smallest_caches(int lines, int ways)
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines, ways);
        for (ulong page = 0; page < FilePages; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(other, OtherBase + (page * Page), out _));
            Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (page * Page), out _));
            Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (page * Page), (byte)(100 + page)));
        }

        for (ulong page = 0; page < FilePages - 1; page++)
        {
            machine.Load(Base + ((page + 1) * Page), out byte own);
            machine.Load(other, OtherBase + (page * Page), out byte file);
            Assert.Equal(((byte)(101 + page), (byte)(page + 1)), (own, file));
        }
    }

    [Fact]
    public void A_change_of_the_file_is_seen_by_all_who_have_not_written_to_the_page()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 16, ways: 16);
        machine.Load(Base + Page, out _);
        machine.Load(other, OtherBase, out _);
        machine.Store(Base + (2 * Page), 99);
        machine.Load(other, OtherBase + Page, out _);
        WriteFile(machine, 1, 51);
        WriteFile(machine, 2, 52);
        machine.Cache.Invalidate(IdentityOf(1), 1, 3);
        machine.Load(Base + Page, out byte first);
        machine.Load(other, OtherBase, out byte second);
        machine.Load(Base + (2 * Page), out byte written);
        machine.Load(other, OtherBase + Page, out byte third);
        Assert.Equal((51, 51, 99, 52), (first, second, written, third));
    }

    [Fact]
    public void A_fetch_that_a_change_overtakes_is_thrown_away()
    {
        using ExCacheFixture machine = Make(out _, lines: 16, ways: 16);
        bool isFirst = true;
        Poller.Register(new Once(() =>
        {
            if (isFirst && machine.Memory.Requests.ContainsKey(Opcode.Miss))
            {
                isFirst = false;
                WriteFile(machine, 1, 51);
                machine.Cache.Invalidate(IdentityOf(1), 0, ulong.MaxValue);
            }
        }));
        machine.Load(Base + Page, out byte value);
        Assert.Equal(51, value);
    }

    [Fact]
    public void Rights_follow_mprotect_but_the_files_page_is_never_writable()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 16, ways: 16);
        machine.Load(Base + Page, out _);
        machine.SetRanges(File(Base, 0, Protection.Read));
        machine.Cache.Settle(machine.Space, Base, Base + (FilePages * Page));
        Assert.Equal(FaultOutcome.NotAllowed, machine.Store(Base + Page, 5));
        machine.SetRanges(File(Base, 0, Protection.Read | Protection.Write));
        machine.Cache.Settle(machine.Space, Base, Base + (FilePages * Page));
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base + Page, 5));
        machine.Load(other, OtherBase, out byte value);
        Assert.Equal(1, value);
    }

    [Fact]
    public void With_another_processor_component_each_space_fetches_for_itself()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 16, ways: 16);
        machine.Load(Base + Page, out _);
        machine.Cache.ShareNames(isAlone: false);
        Assert.Equal(0UL, machine.Cache.ResidentLines);
        machine.Load(Base + Page, out _);
        machine.Load(other, OtherBase, out _);
        Assert.Equal(3, machine.Memory.Requests[Opcode.Miss]);
        Assert.Equal(0UL, machine.Counter("lines_named"));
    }

    [Fact]
    public void Numbers_of_objects_are_used_again_when_nobody_uses_them()
    {
        using ExCacheFixture machine = Make(out _, lines: 16, ways: 16);
        machine.Cache.Objects.Hold(1);
        machine.Load(Base + Page, out _);
        for (uint inode = 2; inode <= LineObjects.MaxObjects; inode++)
        {
            Assert.Equal(inode, machine.Cache.NumberOf(IdentityOf(inode)));
            machine.Cache.Objects.Hold(inode);
        }

        Assert.Equal(0u, machine.Cache.NumberOf(IdentityOf(5000)));
        machine.Cache.Objects.Release(1);
        Assert.Equal(1u, machine.Cache.NumberOf(IdentityOf(5000)));
        Assert.Equal(0UL, machine.Cache.ResidentLines);
        Assert.Equal(0u, machine.Cache.Objects.Find(IdentityOf(1)));
        Assert.Equal(2u, machine.Cache.NumberOf(IdentityOf(2)));
    }

    [Fact]
    public void What_a_read_has_brought_is_mapped_without_a_message_and_what_a_mapping_has_brought_is_read()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 16, ways: 16);
        Keep(machine, 2, 42);
        machine.Load(other, OtherBase + Page, out byte mapped);
        Assert.Equal(42, mapped);
        Assert.Empty(machine.Memory.Requests);
        machine.Load(Base, out _);
        machine.Load(Base + Page, out _);
        Assert.True(machine.Cache.HasPages(1, 0, 3));
        Assert.False(machine.Cache.HasPages(1, 0, 4));
        Assert.True(machine.Cache.TryFindPage(1, 1, out byte* bytes));
        Assert.Equal(1, *bytes);
    }

    [Fact]
    public void What_a_read_has_brought_is_kept_only_if_nothing_has_changed_meanwhile()
    {
        using ExCacheFixture machine = Make(out _, lines: 16, ways: 16);
        uint version = machine.Cache.Objects.VersionOf(1);
        machine.Cache.Invalidate(1, 7, 8);
        machine.Cache.KeepPage(1, 2, version, new byte[Page]);
        Assert.False(machine.Cache.HasPages(1, 2, 3));
        Keep(machine, 2, 42);
        machine.Cache.Invalidate(1, 2, 3);
        Assert.False(machine.Cache.HasPages(1, 2, 3));
        machine.Cache.ShareNames(isAlone: false);
        Keep(machine, 2, 42);
        Assert.False(machine.Cache.HasPages(1, 2, 3));
    }

    [Fact]
    public void The_rest_of_a_files_last_page_is_zeros()
    {
        using ExCacheFixture machine = Make(out _, lines: 1, ways: 1);
        byte[] whole = new byte[Page];
        whole.AsSpan().Fill(5);
        machine.Cache.KeepPage(1, 2, machine.Cache.Objects.VersionOf(1), whole);
        machine.Cache.Invalidate(1, 2, 3);
        machine.Cache.KeepPage(1, 3, machine.Cache.Objects.VersionOf(1), new byte[] { 6, 7 });
        Assert.True(machine.Cache.TryFindPage(1, 3, out byte* bytes));
        Assert.Equal((6, 7, 0, 0), (bytes[0], bytes[1], bytes[2], bytes[4095]));
    }

    [Fact]
    public void Reading_through_a_file_takes_no_page_of_a_program()
    {
        const int Ways = 8;
        using ExCacheFixture machine = Make(out _, lines: 2 * Ways, ways: Ways);
        VmaRecord memory = new()
        {
            Start = OtherBase,
            End = OtherBase + (100 * Page),
            Kind = VmaKind.Anonymous,
            Protection = (Protection)3,
        };
        machine.SetRanges(File(Base, 0, Protection.Read), memory);
        const int Own = (2 * Ways) - 2;
        for (ulong page = 0; page < Own; page++)
        {
            machine.Store(OtherBase + (page * Page), (byte)page);
        }

        for (int page = 0; page < 100; page++)
        {
            Keep(machine, page, (byte)page);
        }

        Assert.Equal(Own + 2UL, machine.Cache.ResidentLines);
        Assert.Equal((ulong)Own, machine.Space->ResidentLines);
        Assert.True(machine.Cache.HasPages(1, 98, 100));
        // Who needs room takes that line, not one that came before it.
        machine.Store(OtherBase + (Own * Page), 1);
        machine.Store(OtherBase + ((Own + 1) * Page), 1);
        Assert.Equal(Own + 2UL, machine.Space->ResidentLines);
        Keep(machine, 100, 1);
        Assert.False(machine.Cache.HasPages(1, 100, 101));
    }

    [Fact]
    public void A_write_in_two_pieces_goes_into_a_line_that_is_there_and_makes_room_for_none()
    {
        using ExCacheFixture machine = Make(out _, lines: 64, ways: 64);
        byte[] head = [1, 2, 3];
        byte[] tail = new byte[Page - 3];
        tail.AsSpan().Fill(4);
        Assert.False(machine.Cache.TryWrite(1, 2, 0, new SplitBytes(head, tail)));
        Keep(machine, 2, 42);
        Assert.True(machine.Cache.TryWrite(1, 2, 0, new SplitBytes(head, tail)));
        Assert.True(machine.Cache.TryWrite(1, 3, 0, new SplitBytes(new byte[Page])));
        Assert.True(machine.Cache.TryWrite(1, 2, 10, new SplitBytes(head, head)));
        Assert.True(machine.Cache.TryFindPage(1, 2, out byte* bytes));
        Assert.Equal([1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 1, 2, 3, 1, 2, 3, 4], new Span<byte>(bytes, 17).ToArray());
        Assert.Equal(4, bytes[Page - 1]);
        Assert.True(machine.Cache.HasWrittenBeside(1, 2, 3));
        Assert.False(machine.Cache.HasWrittenBeside(1, 2, 4));
    }

    private static void Keep(ExCacheFixture machine, int page, byte value)
    {
        byte[] bytes = new byte[Page];
        bytes[0] = value;
        machine.Cache.KeepPage(1, (ulong)page, machine.Cache.Objects.VersionOf(1), bytes);
    }

    /// <summary>Two spaces map a file, the second one from its second page on.</summary>
    private static ExCacheFixture Make(out AddressSpace* other, int lines, int ways)
    {
        ExCacheFixture machine = new(lines, ways, PolicyKind.Lru);
        machine.Cache.ShareNames(isAlone: true);
        Assert.Equal(1u, machine.Cache.NumberOf(IdentityOf(1)));
        other = machine.AddSpace(Second);
        machine.SetRanges(File(Base, 0, Protection.Read | Protection.Write));
        machine.SetRanges(other, File(OtherBase, Page, Protection.Read));
        for (int page = 0; page < FilePages + 1; page++)
        {
            WriteFile(machine, page, (byte)page);
        }

        return machine;
    }

    private static ObjectIdentity IdentityOf(uint inode) => new() { Handle = new FileHandle { Inode = inode, Generation = 4 }, Volume = 3 };

    private static VmaRecord File(ulong start, ulong offset, Protection protection) => new()
    {
        Start = start,
        End = start + (FilePages * Page),
        Kind = VmaKind.File,
        Protection = protection,
        Backing = 1,
        FileOffset = offset,
    };

    private static void WriteFile(ExCacheFixture machine, int page, byte value)
    {
        byte[] bytes = new byte[Page];
        bytes[0] = value;
        machine.Memory.Pages[(First, Base + ((ulong)page * Page))] = bytes;
        machine.Memory.Pages[(Second, OtherBase + (((ulong)page - 1) * Page))] = bytes;
    }

    /// <summary>Something that happens while a fault waits.</summary>
    private sealed class Once(Action action) : PollSource
    {
        public override bool Poll()
        {
            action();
            return false;
        }
    }
}
