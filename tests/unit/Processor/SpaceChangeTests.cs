// Changes of a space's ranges as the ExCache sees them: agree first, then forget; and the errors of write-backs that others pay for.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class SpaceChangeTests
{
    private const ulong Base = ExCacheFixture.Base;
    private const ulong Page = PageOperations.PageSize;
    private const ulong TableBytes = 2UL << 20;

    [Fact]
    public void Lines_of_memory_that_may_go_are_no_victims_and_are_as_before_when_the_home_refuses()
    {
        const int Ways = 4;
        using ExCacheFixture machine = new(Ways, Ways, PolicyKind.Fifo);
        machine.Store(Base, 1);
        machine.Store(Base + Page, 2);
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.Leave(machine.Space, Base, Base + (2 * Page));
        machine.Cache.EndChange(machine.Space);
        for (ulong page = 100; page < 120; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (page * Page), 3));
        }

        Assert.False(machine.Memory.Pages.ContainsKey((7, Base)));
        Assert.False(machine.Memory.Pages.ContainsKey((7, Base + Page)));
        machine.Cache.Settle(machine.Space, Base, Base + (2 * Page));
        machine.Load(Base, out byte first);
        machine.Load(Base + Page, out byte second);
        Assert.Equal((1, 2), (first, second));
        for (ulong page = 100; page < 120; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (page * Page), 3));
        }

        Assert.Equal(1, machine.Memory.Pages[(7, Base)][0]);
    }

    [Fact]
    public void Memory_that_the_home_has_agreed_to_forget_is_zero_afterwards_and_is_never_written_back()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Lru);
        machine.Store(Base, 1);
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.Leave(machine.Space, Base, Base + Page);
        machine.Cache.Drop(machine.Space, Base, Base + Page);
        machine.Cache.EndChange(machine.Space);
        machine.Load(Base, out byte value);
        Assert.Equal(0, value);
        Assert.Empty(machine.Memory.Pages);
    }

    [Fact]
    public void A_fault_in_a_space_that_is_being_changed_waits_and_looks_at_the_new_ranges()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.Cache.BeginChange(machine.Space);
        Poller.Register(new Later(() =>
        {
            machine.SetRanges();
            machine.Cache.EndChange(machine.Space);
        }));
        Assert.Equal(FaultOutcome.NotMapped, machine.Load(Base, out _));
        Assert.Equal(0UL, machine.Cache.ResidentLines);
    }

    [Fact]
    public void Lines_follow_what_a_partly_done_change_has_left()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        for (ulong page = 0; page < 3; page++)
        {
            machine.Store(Base + (page * Page), 9);
        }

        machine.SetRanges(
            new VmaRecord { Start = Base, End = Base + Page, Kind = VmaKind.Anonymous, Protection = Protection.Read },
            new VmaRecord
            {
                Start = Base + (2 * Page),
                End = Base + (3 * Page),
                Kind = VmaKind.Anonymous,
                Protection = Protection.Read | Protection.Write,
            });
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.Settle(machine.Space, Base, Base + (3 * Page));
        machine.Cache.EndChange(machine.Space);
        Assert.Equal(FaultOutcome.NotAllowed, machine.Store(Base, 1));
        Assert.Equal(FaultOutcome.NotMapped, machine.Load(Base + Page, out _));
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (2 * Page), 1));
        Assert.Equal(2UL, machine.Cache.ResidentLines);
    }

    [Theory]
    [InlineData(Errno.EFAULT)]
    [InlineData(Errno.EACCES)]
    [InlineData(Errno.ESRCH)]
    public void A_page_that_its_owner_disowns_is_dropped_and_harms_nobody_else(Errno error)
    {
        using ExCacheFixture machine = new(lines: 1, ways: 1, PolicyKind.Fifo, piggyback: false);
        machine.Memory.Pages[(7, Base + Page)] = new byte[PageOperations.PageSize];
        machine.Store(Base, 1);
        machine.Memory.FlushError = error;
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (5 * Page), out _));
        Assert.Equal(1UL, machine.Counter("disowned"));
    }

    [Fact]
    public void A_page_that_cannot_be_written_back_stays_with_the_rights_that_its_range_has_by_then()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        for (ulong page = 0; page < 8; page++)
        {
            machine.Store(Base + (page * Page), 7);
        }

        machine.Memory.FlushError = Errno.ENOMEM;
        machine.Memory.Meanwhile = () => machine.SetRanges(new VmaRecord
        {
            Start = Base,
            End = Base + ExCacheFixture.RangeBytes,
            Kind = VmaKind.Anonymous,
            Protection = Protection.Read,
        });
        Assert.Equal(FaultOutcome.OutOfMemory, machine.Load(Base + (9 * Page), out _));
        Assert.Equal(FaultOutcome.NotAllowed, machine.Store(Base, 8));
        machine.Load(Base, out byte value);
        Assert.Equal(7, value);
        machine.Memory.FlushError = Errno.None;
        machine.Memory.Meanwhile = null;
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (9 * Page), out _));
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (10 * Page), out _));
        Assert.Equal(7, machine.Memory.Pages[(7, Base + Page)][0]);
    }

    [Fact]
    public void What_has_changed_at_its_owner_is_fetched_anew_and_what_the_program_has_changed_stays()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.SetRanges(new VmaRecord
        {
            Start = Base,
            End = Base + (4 * Page),
            Kind = VmaKind.File,
            Protection = Protection.Read | Protection.Write,
        });
        machine.Memory.Pages[(7, Base)] = Filled(1);
        machine.Memory.Pages[(7, Base + Page)] = Filled(1);
        machine.Load(Base, out _);
        machine.Store(Base + Page, 9);
        machine.Memory.Pages[(7, Base)] = Filled(2);
        machine.Memory.Pages[(7, Base + Page)] = Filled(2);
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.DropClean(machine.Space, Base, Base + (4 * Page));
        machine.Cache.EndChange(machine.Space);
        machine.Load(Base, out byte clean);
        machine.Load(Base + Page, out byte own);
        Assert.Equal((2, 9), (clean, own));
    }

    private static byte[] Filled(byte value)
    {
        byte[] page = new byte[PageOperations.PageSize];
        Array.Fill(page, value);
        return page;
    }

    [Fact]
    public void Page_tables_go_with_the_memory_that_they_were_made_for()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.Store(Base - Page + ExCacheFixture.RangeBytes, 1);
        ulong free = machine.Frames.FreePages;
        for (ulong table = 0; table < 600; table++)
        {
            ulong address = Base + (table * TableBytes) + Page;
            machine.Store(address, 1);
            machine.Cache.Drop(machine.Space, address, address + Page);
        }

        Assert.Equal(free, machine.Frames.FreePages);
        machine.Load(Base - Page + ExCacheFixture.RangeBytes, out byte kept);
        Assert.Equal(1, kept);
    }

    [Fact]
    public void Page_tables_without_end_leave_frames_for_everything_else()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        FaultOutcome outcome = FaultOutcome.Resident;
        machine.SetRanges(new VmaRecord { Start = Base, End = Base + (1UL << 45), Kind = VmaKind.Anonymous, Protection = Protection.Read });
        for (ulong table = 0; outcome == FaultOutcome.Resident; table++)
        {
            outcome = machine.Load(Base + (table * TableBytes), out _);
        }

        Assert.Equal(FaultOutcome.OutOfKernelMemory, outcome);
        Assert.True(machine.Frames.FreePages > 100);
        machine.Cache.Drop(machine.Space, 0, PageTable.UserEnd);
        Assert.Equal(FaultOutcome.Resident, machine.Load(Base + (1UL << 40), out _));
    }

    [Fact]
    public void A_space_is_dropped_whole_even_if_its_home_has_left_out_ranges_that_have_lines()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        ulong free = machine.Frames.FreePages;
        ulong old = machine.Space->PageTableRoot;
        machine.Space->PageTableRoot = PageTable.CreateUser(machine.Frames);
        machine.Store(Base, 1);
        machine.SetRanges();
        machine.Cache.DropSpace(machine.Space);
        machine.Space->PageTableRoot = old;
        Assert.Equal(0UL, machine.Cache.ResidentLines);
        Assert.Equal(free, machine.Frames.FreePages);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_move_needs_no_more_page_tables_than_were_set_aside(int seed)
    {
        using ExCacheFixture machine = new(lines: 64, ways: 64, PolicyKind.Fifo);
        Random random = new(seed);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        for (int round = 0; round < 60; round++)
        {
            ulong length = ((ulong)random.NextInt64(1, 1L << random.Next(1, 19)) * Page) + Page;
            ulong from = Base + ((ulong)random.Next(1 << 10) * Page);
            ulong to = (0x20_0000_0000 + ((ulong)random.NextInt64(1L << 30) * Page)) & ~(Page - 1);
            for (int page = 0; page < 10; page++)
            {
                machine.Store(from + ((ulong)random.NextInt64((long)(length / Page)) * Page), 1);
            }

            Assert.Equal(Errno.None, machine.Cache.WriteBack(machine.Space, from, from + length, buffer));
            ulong most = ExCache.TablesToMove(machine.Space, from, length);
            ulong sources = TablesOf(machine.Space);
            machine.Cache.MoveStates(machine.Space, from, to, length);
            Assert.InRange(TablesOf(machine.Space), 1UL, sources + most);
            machine.Cache.Drop(machine.Space, 0, PageTable.UserEnd);
            Assert.Equal(0UL, TablesOf(machine.Space));
        }
    }

    [Fact]
    public void What_the_processor_sets_in_an_entry_while_the_kernel_changes_it_is_not_lost()
    {
        ulong entry = PageTable.Present;
        ulong stores = 0;
        ulong collected = 0;
        bool ends = false;
        ulong* at = &entry;
        ulong* counted = &stores;
        System.Threading.Thread hardware = new(() =>
        {
            for (int store = 0; store < 100_000; store++)
            {
                // The next store counts only when the one before has been taken note of.
                while ((System.Threading.Volatile.Read(ref *at) & PageTable.Dirty) != 0)
                {
                }

                PageTable.SetBits(at, PageTable.Dirty | PageTable.Accessed);
                ++*counted;
            }

            System.Threading.Volatile.Write(ref ends, true);
        });
        hardware.Start();
        while (!System.Threading.Volatile.Read(ref ends) || (entry & PageTable.Dirty) != 0)
        {
            PageTable.ClearBits(&entry, PageTable.Accessed);
            PageTable.ReplaceBits(&entry, PageTable.Accessed | PageTable.Dirty, PageTable.Present);
            collected += (PageTable.Exchange(&entry, PageTable.Present) & PageTable.Dirty) != 0 ? 1UL : 0;
        }

        hardware.Join();
        Assert.Equal(stores, collected);
    }

    private static ulong TablesOf(AddressSpace* space)
    {
        ExCache.Measure(space, out _, out ulong tables);
        return tables;
    }

    /// <summary>Does something the second time that it is polled.</summary>
    private sealed class Later(Action action) : PollSource
    {
        private int _polls;

        public override bool Poll()
        {
            if (++_polls == 2)
            {
                action();
            }

            return _polls == 2;
        }
    }
}
