// Lines after a fork: parent and child map the same ones until one of them writes.

using System.Linq;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class SharedLineTests
{
    private const ulong Base = ExCacheFixture.Base;
    private const ulong Page = PageOperations.PageSize;
    private const uint Child = 8;

    [Fact]
    public void A_child_finds_its_parents_lines_and_a_write_of_either_is_its_own()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 16, PolicyKind.Fifo);
        machine.Store(Base, 1);
        machine.Store(Base + Page, 2);
        machine.Load(Base + (2 * Page), out _);
        AddressSpace* child = Fork(machine);
        Assert.Equal(3UL, machine.Cache.ResidentLines);
        machine.Memory.Requests.Clear();
        machine.Store(Base, 11);
        machine.Store(child, Base + Page, 22);
        machine.Store(child, Base + (2 * Page), 33);
        Assert.Equal([11, 2, 0], Values(machine, machine.Space));
        Assert.Equal([1, 22, 33], Values(machine, child));
        Assert.Empty(machine.Memory.Requests);
    }

    [Fact]
    public void Who_is_left_alone_with_a_line_writes_to_it_without_a_copy()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 16, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Cache.DropSpace(child);
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base, 5));
        Assert.Equal(0UL, machine.Counter("fills_copied"));
        Assert.Equal(1UL, machine.Cache.ResidentLines);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        machine.Cache.WriteBack(machine.Space, Base, Base + Page, buffer);
        Assert.Equal(5, machine.Memory.Pages[(ExCacheFixture.FirstAsid, Base)][0]);
    }

    [Fact]
    public void A_line_knows_how_many_map_it()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 16, PolicyKind.Fifo);
        machine.Store(Base, 1);
        ulong* entry = PageTable.Find(machine.Space->PageTableRoot, Base);
        Assert.Equal(1U, machine.Cache.MappersOf(*entry));
        AddressSpace* child = Fork(machine);
        Fork(machine, child, Child + 1);
        Assert.Equal(3U, machine.Cache.MappersOf(*entry));
        machine.Store(child, Base, 2);
        Assert.Equal(2U, machine.Cache.MappersOf(*entry));
    }

    [Fact]
    public void The_end_of_the_parent_leaves_the_child_its_lines()
    {
        using ExCacheFixture machine = new(lines: 16, ways: 16, PolicyKind.Fifo);
        machine.Store(Base, 1);
        machine.Store(Base + Page, 2);
        AddressSpace* child = Fork(machine);
        AddressSpace* grandchild = Fork(machine, child, Child + 1);
        machine.Cache.DropSpace(machine.Space);
        machine.Store(child, Base, 9);
        Assert.Equal([9, 2, 0], Values(machine, child));
        Assert.Equal([1, 2, 0], Values(machine, grandchild));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(4, 2)]
    public void A_shared_line_may_be_evicted_and_each_space_gets_its_page_from_its_owner(int lines, int ways)
    {
        using ExCacheFixture machine = new(lines, ways, PolicyKind.Lru);
        machine.Store(Base, 1);
        machine.Store(Base + Page, 2);
        AddressSpace* child = Fork(machine);
        for (byte round = 0; round < 4; round++)
        {
            machine.Store(child, Base, (byte)(100 + round));
            Assert.Equal([1, 2, 0], Values(machine, machine.Space));
            Assert.Equal([100 + round, 2, 0], Values(machine, child));
            for (ulong page = 10; page < 20; page++)
            {
                machine.Load(Base + (page * Page), out _);
            }
        }
    }

    [Fact]
    public void A_fork_writes_nothing_back_and_a_dirty_line_leaves_in_one_message_for_all_who_map_it()
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        machine.Store(Base, 1);
        machine.Store(Base + Page, 2);
        AddressSpace* child = Fork(machine);
        AddressSpace* grandchild = Fork(machine, child, Child + 1);
        Assert.Empty(machine.Memory.Requests);
        Crowd(machine);
        Assert.Equal(2, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal(2UL, machine.Counter("flushes"));
        foreach (uint asid in new[] { ExCacheFixture.FirstAsid, Child, Child + 1 })
        {
            Assert.Equal(1, machine.Memory.Pages[(asid, Base)][0]);
            Assert.Equal(2, machine.Memory.Pages[(asid, Base + Page)][0]);
        }

        Assert.Equal([1, 2, 0], Values(machine, machine.Space));
        Assert.Equal([1, 2, 0], Values(machine, child));
        Assert.Equal([1, 2, 0], Values(machine, grandchild));
    }

    [Fact]
    public void Who_copies_a_dirty_line_has_a_dirty_page_before_he_has_written()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Cache.Resolve(child, Base, MissAccess.Write, LinePlacement.OwnSet, out ulong* copy);
        Assert.True(machine.Cache.IsDirty(*copy));
        // The parent, alone with the line, has what it wrote.
        Assert.True(machine.Cache.IsDirty(*PageTable.Find(machine.Space->PageTableRoot, Base)));
        for (int round = 0; round < 3; round++)
        {
            Crowd(machine);
        }

        Assert.Equal([1, 0, 0], Values(machine, child));
        Assert.Equal([1, 0, 0], Values(machine, machine.Space));
    }

    [Fact]
    public void The_end_of_one_space_is_told_nobody_and_loses_the_others_nothing()
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        AddressSpace* grandchild = Fork(machine, child, Child + 1);
        machine.Cache.DropSpace(child);
        machine.Cache.DropSpace(machine.Space);
        Assert.Empty(machine.Memory.Requests);
        Crowd(machine, grandchild);
        Assert.Equal([1, 0, 0], Values(machine, grandchild));
        Assert.False(machine.Memory.Pages.ContainsKey((Child, Base)));
    }

    [Fact]
    public void A_write_back_that_fails_leaves_the_page_with_all_who_map_it()
    {
        using ExCacheFixture machine = new(lines: 1, ways: 1, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Memory.FlushError = Errno.ENOMEM;
        Assert.Equal(FaultOutcome.OutOfMemory, machine.Load(Base + (9 * Page), out _));
        Assert.Equal(FaultOutcome.OutOfMemory, machine.Store(child, Base, 2));
        machine.Memory.FlushError = Errno.None;
        Assert.Equal(FaultOutcome.Resident, machine.Store(child, Base, 2));
        Assert.Equal([1, 0, 0], Values(machine, machine.Space));
        Assert.Equal([2, 0, 0], Values(machine, child));
    }

    [Fact]
    public void All_spaces_of_a_line_stay_while_it_is_written_back()
    {
        using ExCacheFixture machine = new(lines: 1, ways: 1, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Memory.Meanwhile = () => Assert.Equal((1U, 1U), (machine.Space->InFlight, child->InFlight - child->Fills));
        AddressSpace* grandchild = machine.AddSpace(Child + 1);
        machine.SetRanges(grandchild, machine.Space->Ranges[0]);
        machine.Load(grandchild, Base + Page, out _);
        Assert.Equal((0U, 0U), (machine.Space->InFlight, child->InFlight));
    }

    [Fact]
    public void A_line_that_leaves_one_space_is_no_victim_until_that_is_settled_and_stays_for_the_other()
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Cache.BeginChange(child);
        machine.Cache.Leave(child, Base, Base + Page);
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.Leave(machine.Space, Base, Base + Page);
        machine.Cache.Drop(child, Base, Base + Page);
        machine.Cache.EndChange(child);
        AddressSpace* other = machine.AddSpace(Child + 1);
        machine.SetRanges(other, machine.Space->Ranges[0]);
        Crowd(machine, other);
        Assert.Empty(machine.Memory.Requests);
        machine.Cache.Settle(machine.Space, Base, Base + Page);
        machine.Cache.EndChange(machine.Space);
        Crowd(machine, other);
        Assert.Equal(1, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal([1, 0, 0], Values(machine, machine.Space));
    }

    [Fact]
    public void A_dirty_line_with_more_owners_than_a_message_can_name_is_written_back_before_the_next_fork()
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        machine.Store(Base, 1);
        for (uint child = 1; child < FlushRequest.MaxCount; child++)
        {
            Fork(machine, machine.Space, Child + child);
        }

        Assert.Empty(machine.Memory.Requests);
        AddressSpace* last = Fork(machine, machine.Space, Child + FlushRequest.MaxCount);
        Assert.Equal(1, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal(FlushRequest.MaxCount, machine.Memory.Pages.Count(page => page.Value[0] == 1 && page.Key.Asid != last->Asid));
        Crowd(machine);
        Assert.Equal(1, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal([1, 0, 0], Values(machine, last));
    }

    [Fact]
    public void Cleaning_a_range_cleans_what_it_shares_for_all()
    {
        using ExCacheFixture machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Store(child, Base + Page, 2);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        Assert.Equal(Errno.None, machine.Cache.WriteBack(child, Base, Base + (2 * Page), buffer));
        Assert.Equal(1, machine.Memory.Pages[(ExCacheFixture.FirstAsid, Base)][0]);
        Assert.Equal(1, machine.Memory.Pages[(Child, Base)][0]);
        Assert.Equal(2, machine.Memory.Pages[(Child, Base + Page)][0]);
        Assert.False(machine.Cache.IsDirty(*PageTable.Find(machine.Space->PageTableRoot, Base)));
        Assert.Equal(2U, machine.Cache.MappersOf(*PageTable.Find(machine.Space->PageTableRoot, Base)));
        machine.Memory.Requests.Clear();
        machine.Cache.DropSpace(child);
        machine.Cache.DropSpace(machine.Space);
        Assert.Empty(machine.Memory.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_line_that_is_cleaned_while_it_leaves_another_space_is_not_written_back_there_and_goes_on_leaving(bool agrees)
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* child = Fork(machine);
        machine.Cache.BeginChange(child);
        machine.Cache.Leave(child, Base, Base + Page);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        Assert.Equal(Errno.None, machine.Cache.WriteBack(machine.Space, Base, Base + Page, buffer));
        Assert.Equal(1, machine.Memory.Pages[(ExCacheFixture.FirstAsid, Base)][0]);
        Crowd(machine);
        Assert.Equal(1, machine.Memory.Requests[Opcode.Flush]);
        if (agrees)
        {
            machine.Cache.Drop(child, Base, Base + Page);
        }
        else
        {
            machine.Cache.Settle(child, Base, Base + Page);
        }

        machine.Cache.EndChange(child);
        Crowd(machine);
        Crowd(machine, child);
        Assert.Equal(!agrees, machine.Memory.Pages.ContainsKey((Child, Base)));
        Assert.Equal([1, 0, 0], Values(machine, machine.Space));
        Assert.Equal([agrees ? 0 : 1, 0, 0], Values(machine, child));
    }

    [Fact]
    public void A_fork_does_not_wait_for_a_space_that_a_line_is_leaving()
    {
        using ExCacheFixture machine = new(lines: 4, ways: 4, PolicyKind.Fifo);
        machine.Store(Base, 1);
        AddressSpace* leaving = Fork(machine);
        for (uint child = 2; child < FlushRequest.MaxCount; child++)
        {
            Fork(machine, machine.Space, Child + child);
        }

        machine.Cache.BeginChange(leaving);
        machine.Cache.Leave(leaving, Base, Base + Page);
        AddressSpace* last = Fork(machine, machine.Space, Child + FlushRequest.MaxCount);
        Assert.Equal(1, machine.Memory.Requests[Opcode.Flush]);
        Assert.False(machine.Memory.Pages.ContainsKey((Child, Base)));
        Assert.Equal([1, 0, 0], Values(machine, last));
        machine.Cache.Settle(leaving, Base, Base + Page);
        machine.Cache.EndChange(leaving);
        Crowd(machine, last);
        Assert.Equal([1, 0, 0], Values(machine, leaving));
    }

    /// <summary>Enough pages to push others out.</summary>
    private static void Crowd(ExCacheFixture machine) => Crowd(machine, machine.Space);

    private static void Crowd(ExCacheFixture machine, AddressSpace* space)
    {
        for (ulong page = 10; page < 20; page++)
        {
            machine.Load(space, Base + (page * Page), out _);
        }
    }

    /// <summary>What fork does at this component, and what the home does with the pages.</summary>
    private static AddressSpace* Fork(ExCacheFixture machine) => Fork(machine, machine.Space, Child);

    private static AddressSpace* Fork(ExCacheFixture machine, AddressSpace* parent, uint asid)
    {
        AddressSpace* child = machine.AddSpace(asid);
        VmaRecord range = parent->Ranges[0];
        machine.SetRanges(child, range);
        Assert.Equal(Errno.None, machine.Cache.CopyStates(parent, child));
        foreach ((uint owner, ulong address) in machine.Memory.Pages.Keys.ToArray())
        {
            if (owner == parent->Asid)
            {
                machine.Memory.Pages[(asid, address)] = machine.Memory.Pages[(owner, address)];
            }
        }

        return child;
    }

    private static int[] Values(ExCacheFixture machine, AddressSpace* space)
    {
        int[] values = new int[3];
        for (int page = 0; page < values.Length; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Load(space, Base + ((ulong)page * Page), out byte value));
            values[page] = value;
        }

        return values;
    }
}
