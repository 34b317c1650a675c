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
    public void A_shared_line_is_a_clean_victim_and_each_space_gets_its_page_from_its_owner(int lines, int ways)
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

    /// <summary>What fork does at this component, and what the home does with the pages.</summary>
    private static AddressSpace* Fork(ExCacheFixture machine) => Fork(machine, machine.Space, Child);

    private static AddressSpace* Fork(ExCacheFixture machine, AddressSpace* parent, uint asid)
    {
        AddressSpace* child = machine.AddSpace(asid);
        VmaRecord range = parent->Ranges[0];
        machine.SetRanges(child, range);
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        Assert.Equal(Errno.None, machine.Cache.WriteBack(parent, range.Start, range.End, buffer));
        foreach ((uint owner, ulong address) in machine.Memory.Pages.Keys.ToArray())
        {
            if (owner == parent->Asid)
            {
                machine.Memory.Pages[(asid, address)] = machine.Memory.Pages[(owner, address)];
            }
        }

        Assert.Equal(Errno.None, machine.Cache.CopyStates(parent, child));
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
