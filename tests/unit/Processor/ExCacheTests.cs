using System;
using System.Collections.Generic;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class ExCacheTests
{
    private const ulong Base = ExCacheFixture.Base;

    [Theory]
    [InlineData(PolicyKind.Fifo, true)]
    [InlineData(PolicyKind.Fifo, false)]
    [InlineData(PolicyKind.Lru, true)]
    [InlineData(PolicyKind.Clock, true)]
    [InlineData(PolicyKind.Random, false)]
    public void Memory_eight_times_the_cache_reads_back_what_was_written(PolicyKind policy, bool piggyback)
    {
        const int Lines = 64;
        using ExCacheFixture machine = new(Lines, 8, policy, piggyback);
        Random random = new(11);
        Dictionary<ulong, byte> expected = [];
        for (int step = 0; step < 20_000; step++)
        {
            ulong address = Base + ((ulong)random.Next(8 * Lines) * 4096) + (ulong)random.Next(4096);
            if (random.Next(3) == 0)
            {
                byte value = (byte)random.Next(256);
                Assert.Equal(FaultOutcome.Resident, machine.Store(address, value));
                expected[address] = value;
            }
            else
            {
                Assert.Equal(FaultOutcome.Resident, machine.Load(address, out byte value));
                Assert.Equal(expected.GetValueOrDefault(address), value);
            }
        }

        Assert.True(machine.Cache.ResidentLines <= Lines);
        Assert.Equal(machine.Space->ResidentLines, machine.Cache.ResidentLines);
    }

    [Fact]
    public void Touching_fresh_memory_smaller_than_the_cache_sends_nothing()
    {
        using ExCacheFixture machine = new(lines: 64, ways: 4, PolicyKind.Fifo);
        for (ulong page = 0; page < 64; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (page * 4096), 1));
        }

        Assert.Empty(machine.Memory.Requests);
        Assert.Equal(64UL, machine.Counter("fills_zero"));
        Assert.Equal(0UL, machine.Counter("fills_from_memory"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_write_sweep_sends_one_message_a_miss_with_piggyback_and_two_without(bool piggyback)
    {
        const int Lines = 32;
        using ExCacheFixture machine = new(Lines, 4, PolicyKind.Fifo, piggyback);
        Sweep(machine, 4 * Lines, write: true);
        machine.Memory.Requests.Clear();
        Sweep(machine, 4 * Lines, write: true);
        int misses = 4 * Lines;
        Assert.Equal(piggyback ? misses : 0, machine.Memory.Requests.GetValueOrDefault(Opcode.MissFlush));
        Assert.Equal(piggyback ? 0 : misses, machine.Memory.Requests.GetValueOrDefault(Opcode.Miss));
        Assert.Equal(piggyback ? 0 : misses, machine.Memory.Requests.GetValueOrDefault(Opcode.Flush));
        Assert.Equal(machine.Counter("evictions"), machine.Counter("flushes"));
    }

    [Fact]
    public unsafe void A_victim_of_another_vNode_goes_in_a_message_of_its_own()
    {
        const ushort First = 3;
        const ushort Second = 4;
        const uint OtherAsid = 8;
        using ExCacheFixture machine = new(lines: 1, ways: 1, PolicyKind.Fifo, piggyback: true);
        machine.Cache.Limit = new NoLimit();
        machine.Admit(First);
        machine.Admit(Second);
        AddressSpace* other = machine.AddSpace(OtherAsid);
        machine.SetRanges(other, new VmaRecord
        {
            Start = ExCacheFixture.Base,
            End = ExCacheFixture.Base + ExCacheFixture.RangeBytes,
            Kind = VmaKind.Anonymous,
            Protection = Protection.Read | Protection.Write,
        });
        machine.Space->VNode = First;
        other->VNode = Second;
        for (byte round = 1; round < 4; round++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Store(ExCacheFixture.Base, round));
            Assert.Equal(FaultOutcome.Resident, machine.Store(other, ExCacheFixture.Base, (byte)(10 * round)));
            Assert.Equal(FaultOutcome.Resident, machine.Load(ExCacheFixture.Base, out byte ofFirst));
            Assert.Equal(FaultOutcome.Resident, machine.Load(other, ExCacheFixture.Base, out byte ofSecond));
            Assert.Equal((round, (byte)(10 * round)), (ofFirst, ofSecond));
        }

        Assert.Equal((First, Second), (machine.Memory.VNodes[ExCacheFixture.FirstAsid], machine.Memory.VNodes[OtherAsid]));
        Assert.False(machine.Memory.Requests.ContainsKey(Opcode.MissFlush));
    }

    [Fact]
    public void A_read_sweep_after_loading_writes_nothing_back()
    {
        const int Lines = 32;
        using ExCacheFixture machine = new(Lines, 4, PolicyKind.Fifo);
        Sweep(machine, 8 * Lines, write: true);
        Sweep(machine, 8 * Lines, write: false);
        machine.Memory.Requests.Clear();
        Sweep(machine, 8 * Lines, write: false);
        Assert.Equal(8 * Lines, machine.Memory.Requests[Opcode.Miss]);
        Assert.Single(machine.Memory.Requests);
    }

    [Fact]
    public void Clean_zero_lines_are_dropped_without_a_message()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        Sweep(machine, 100, write: false);
        Sweep(machine, 100, write: false);
        Assert.Empty(machine.Memory.Requests);
        Assert.Equal(200UL, machine.Counter("fills_zero"));
    }

    [Fact]
    public unsafe void Pages_of_the_vdso_are_copied_from_the_machine_and_dropped_without_a_message()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.SetRanges(
            new VmaRecord { Start = Base, End = Base + 4096, Kind = VmaKind.VdsoData, Protection = Protection.Read },
            new VmaRecord
            {
                Start = Base + 4096,
                End = Base + 8192,
                Kind = VmaKind.VdsoCode,
                Protection = Protection.Read | Protection.Execute,
            },
            new VmaRecord { Start = Base + 8192, End = Base + (64 * 4096), Kind = VmaKind.Anonymous, Protection = Protection.Read });
        for (int round = 0; round < 2; round++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(Base, out byte data));
            Assert.Equal(*Vdso.DataPage, data);
            Assert.Equal(FaultOutcome.Resident, machine.Load(Base + 8191, out byte code));
            Assert.Equal(Vdso.CodePage[4095], code);
            Assert.Equal(FaultOutcome.NotAllowed, machine.Store(Base + 4096, 1));
            for (ulong page = 2; page < 64; page++)
            {
                Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (page * 4096), out byte value));
                Assert.Equal(0, value);
            }
        }

        Assert.Empty(machine.Memory.Requests);
    }

    [Fact]
    public void Addresses_and_rights_outside_the_ranges_fault()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.SetRanges(
            new VmaRecord { Start = Base, End = Base + 4096, Kind = VmaKind.Anonymous, Protection = Protection.Read },
            new VmaRecord { Start = Base + 8192, End = Base + 12288, Kind = VmaKind.Anonymous, Protection = Protection.None });
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base, out _));
        Assert.Equal(FaultOutcome.NotAllowed, machine.Store(Base, 1));
        Assert.Equal(FaultOutcome.NotMapped, machine.Load(Base + 4096, out _));
        Assert.Equal(FaultOutcome.NotMapped, machine.Load(Base - 1, out _));
        Assert.Equal(FaultOutcome.NotAllowed, machine.Load(Base + 8192, out _));
        Assert.Equal(FaultOutcome.NotMapped, machine.Load(Base + 12288, out _));
    }

    [Theory]
    [InlineData(Errno.EFAULT, FaultOutcome.NotMapped)]
    [InlineData(Errno.EACCES, FaultOutcome.NotAllowed)]
    [InlineData(Errno.EIO, FaultOutcome.BeyondFile)]
    [InlineData(Errno.ESRCH, FaultOutcome.Unreachable)]
    public void A_refused_miss_leaves_the_cache_usable(Errno error, FaultOutcome expected)
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        Sweep(machine, 8, write: true);
        machine.Memory.MissError = error;
        Assert.Equal(expected, machine.Load(Base, out _));
        Assert.Equal(expected, machine.Load(Base, out _));
        machine.Memory.MissError = Errno.None;
        for (ulong page = 0; page < 8; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (page * 4096), out byte value));
            Assert.Equal((byte)(page + 1), value);
        }

        Assert.Equal(0u, machine.Space->InFlight);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_victim_that_the_owner_has_no_frame_for_is_not_lost(bool piggyback)
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo, piggyback);
        Sweep(machine, 4, write: true);
        machine.Memory.FlushError = Errno.ENOMEM;
        Assert.Equal(FaultOutcome.OutOfMemory, machine.Store(Base + (9 * 4096), 1));
        machine.Memory.FlushError = Errno.None;
        for (ulong page = 0; page < 4; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (page * 4096), out byte value));
            Assert.Equal((byte)(page + 1), value);
        }
    }

    [Fact]
    public void Dropped_ranges_read_as_zero_and_free_their_lines()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 4, PolicyKind.Lru);
        Sweep(machine, 40, write: true);
        machine.Cache.Drop(machine.Space, Base, Base + (40 * 4096));
        Assert.Equal(0UL, machine.Cache.ResidentLines);
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base, out byte value));
        Assert.Equal(0, value);
    }

    [Fact]
    public void Write_back_cleans_every_dirty_line_in_batches_of_fourteen()
    {
        using ExCacheFixture machine = new(lines: 64, ways: 64, PolicyKind.Fifo);
        Sweep(machine, 50, write: true);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        Assert.Equal(Errno.None, machine.Cache.WriteBack(machine.Space, Base, Base + ExCacheFixture.RangeBytes, buffer));
        Assert.Equal(4, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal(50, machine.Memory.Pages.Count);
        Assert.Equal(50UL, machine.Cache.ResidentLines);
        Assert.Equal(Errno.None, machine.Cache.WriteBack(machine.Space, Base, Base + ExCacheFixture.RangeBytes, buffer));
        Assert.Equal(4, machine.Memory.Requests[Opcode.Flush]);
    }

    [Fact]
    public void A_forked_page_table_knows_what_is_remote_and_what_was_never_touched()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        Sweep(machine, 16, write: true);
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (100 * 4096), out _));
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        machine.Cache.WriteBack(machine.Space, Base, Base + ExCacheFixture.RangeBytes, buffer);
        AddressSpace child = default;
        child.PageTableRoot = PageTable.CreateUser(machine.Frames);
        Assert.Equal(Errno.None, machine.Cache.CopyStates(machine.Space, &child));
        Assert.Equal(machine.Space->ResidentLines, child.ResidentLines);
        // Others push out what both have resident.
        for (ulong page = 300; page < 320; page++)
        {
            machine.Load(Base + (page * 4096), out _);
        }

        for (ulong page = 0; page < 16; page++)
        {
            Assert.Equal(PageState.Remote, *PageTable.Find(child.PageTableRoot, Base + (page * 4096)));
        }

        Assert.Equal(PageState.Untouched, *PageTable.Find(child.PageTableRoot, Base + (100 * 4096)));
        Assert.Equal(PageState.Untouched, *PageTable.Find(child.PageTableRoot, Base + (200 * 4096)));
    }

    [Fact]
    public void A_dropped_space_gives_back_every_frame()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 4, PolicyKind.Clock);
        // The fabric takes its message buffers at first use.
        Sweep(machine, 100, write: true);
        machine.Cache.Drop(machine.Space, Base, Base + ExCacheFixture.RangeBytes);
        ulong before = machine.Frames.FreePages;
        ulong root = PageTable.CreateUser(machine.Frames);
        ulong old = machine.Space->PageTableRoot;
        machine.Space->PageTableRoot = root;
        Sweep(machine, 3000, write: true);
        machine.Cache.DropSpace(machine.Space);
        machine.Space->PageTableRoot = old;
        Assert.Equal(before, machine.Frames.FreePages);
        Assert.Equal(0UL, machine.Cache.ResidentLines);
    }

    [Fact]
    public void Overflow_lines_hold_pages_of_one_set_side_by_side()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 1, PolicyKind.Fifo);
        Assert.True(machine.Cache.HasOverflowLines);
        ulong conflict = Base + (16 * 4096);
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base, 1));
        for (ulong page = 0; page < 20; page++)
        {
            ulong address = conflict + (page * 16 * 4096);
            Assert.Equal(FaultOutcome.Resident,
                machine.Cache.Resolve(machine.Space, address, MissAccess.Write, LinePlacement.Overflow, out ulong* entry));
            *entry |= PageTable.Dirty;
            *ExCache.PageOf(*entry) = (byte)(page + 2);
            Assert.True(PageState.IsPresent(*PageTable.Find(machine.Space->PageTableRoot, Base)));
        }

        Assert.Equal(20UL, machine.Counter("fills_overflow"));
        for (ulong page = 0; page < 20; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(conflict + (page * 16 * 4096), out byte value));
            Assert.Equal((byte)(page + 2), value);
        }

        machine.Cache.DropSpace(machine.Space);
        machine.Space->PageTableRoot = PageTable.CreateUser(machine.Frames);
        Assert.Equal(0UL, machine.Cache.ResidentLines);
    }

    [Fact]
    public void Protecting_a_range_changes_what_resident_lines_allow()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 4, PolicyKind.Fifo);
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base, 5));
        machine.SetRanges(new VmaRecord { Start = Base, End = Base + 4096, Kind = VmaKind.Anonymous, Protection = Protection.None });
        machine.Cache.Settle(machine.Space, Base, Base + 4096);
        Assert.Equal(FaultOutcome.NotAllowed, machine.Load(Base, out _));
        machine.SetRanges(new VmaRecord { Start = Base, End = Base + 4096, Kind = VmaKind.Anonymous, Protection = Protection.Read });
        machine.Cache.Settle(machine.Space, Base, Base + 4096);
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base, out byte value));
        Assert.Equal(5, value);
        Assert.Equal(FaultOutcome.NotAllowed, machine.Store(Base, 6));
    }

    [Fact]
    public void Moved_pages_keep_their_contents()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 4, PolicyKind.Fifo);
        Sweep(machine, 8, write: true);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        machine.Cache.WriteBack(machine.Space, Base, Base + (8 * 4096), buffer);
        ulong target = Base + (1000 * 4096);
        foreach (ulong page in new ulong[] { 0, 1, 2, 3, 4, 5, 6, 7 })
        {
            machine.Memory.Pages[(7, target + (page * 4096))] = machine.Memory.Pages[(7, Base + (page * 4096))];
        }

        machine.Cache.MoveStates(machine.Space, Base, target, 8 * 4096);
        for (ulong page = 0; page < 8; page++)
        {
            machine.Load(target + (page * 4096), out byte moved);
            Assert.Equal((byte)(page + 1), moved);
            machine.Load(Base + (page * 4096), out byte old);
            Assert.Equal(0, old);
        }
    }

    private static void Sweep(ExCacheFixture machine, int pages, bool write)
    {
        for (ulong page = 0; page < (ulong)pages; page++)
        {
            ulong address = Base + (page * 4096);
            Assert.Equal(FaultOutcome.Resident, write ? machine.Store(address, (byte)(page + 1)) : machine.Load(address, out _));
        }
    }

    private sealed unsafe class NoLimit : PageLimit
    {
        public override bool MayTouch(AddressSpace* space) => true;
    }
}
