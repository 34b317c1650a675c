// Lines of shared mappings: one line for all who map the page, however they do; what any of them has stored reaches the owner before the
// last one goes.

using System.Collections.Generic;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class StoredLineTests
{
    private const ulong Base = ExCacheFixture.Base;
    private const ulong OtherBase = 0x20_0000_0000;
    private const ulong PrivateBase = 0x30_0000_0000;
    private const ulong Page = PageOperations.PageSize;
    private const uint First = ExCacheFixture.FirstAsid;
    private const uint Second = 8;
    private const uint Number = 1;

    [Fact]
    public void Two_mappings_of_one_process_show_the_same_page_at_once()
    {
        using ExCacheFixture machine = Make(out _);
        machine.Store(Base, 1);
        machine.Store(OtherBase, 2);
        ulong* one = PageTable.Find(machine.Space->PageTableRoot, Base);
        ulong* two = PageTable.Find(machine.Space->PageTableRoot, OtherBase);
        Assert.True(PageState.Allows(*one, MissAccess.Write) && PageState.Allows(*two, MissAccess.Write));
        Assert.Equal(*one & PageTable.AddressMask, *two & PageTable.AddressMask);
        Assert.Equal(1UL, machine.Cache.ResidentLines);
        Assert.Equal(1, machine.Memory.Requests[Opcode.Miss]);
        Assert.Single(machine.Memory.Requests);
    }

    [Fact]
    public void A_private_mapping_shows_what_is_stored_until_it_is_written_to()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other);
        machine.Load(PrivateBase, out _);
        machine.Store(other, Base, 5);
        Assert.Equal(5, Loaded(machine, machine.Space, PrivateBase));
        machine.Store(PrivateBase + 1, 6);
        machine.Store(other, Base, 7);
        Assert.Equal(5, Loaded(machine, machine.Space, PrivateBase));
        Assert.Equal(7, Loaded(machine, machine.Space, Base));
        Assert.Equal(1, machine.Memory.Requests[Opcode.Miss]);
    }

    [Fact]
    public void What_one_has_stored_who_is_gone_is_written_back_for_another_and_the_last_one_writes_it_back_himself()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other);
        machine.Load(other, Base, out _);
        machine.Store(Base, 1);
        machine.Cache.Drop(machine.Space, Base, Base + Page);
        Assert.False(machine.Memory.Requests.ContainsKey(Opcode.Flush));
        Assert.Equal(Errno.None, machine.Cache.WriteBackShared(Number, 0, ulong.MaxValue));
        Assert.Equal(1, machine.Memory.Pages[(Second, Base)][0]);
        machine.Store(Base, 2);
        machine.Cache.Drop(machine.Space, Base, Base + Page);
        machine.Cache.DropSpace(other);
        Assert.Equal(2, machine.Memory.Pages[(Second, Base)][0]);
        Assert.Equal(2, machine.Memory.Requests[Opcode.Flush]);
    }

    [Fact]
    public void A_victim_is_written_back_once_whoever_maps_it()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 1);
        machine.Store(Base, 1);
        machine.Load(PrivateBase, out _);
        machine.Store(other, Base, 3);
        machine.Memory.Requests.Clear();
        machine.Load(other, Base + Page, out _);
        Assert.Equal(1, machine.Memory.Requests.GetValueOrDefault(Opcode.Flush)
            + machine.Memory.Requests.GetValueOrDefault(Opcode.MissFlush));
        Assert.Equal(0UL, machine.Space->ResidentLines);
    }

    [Fact]
    public void A_call_that_changes_the_file_finds_no_line_that_is_stored_into()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other);
        machine.Store(Base, 1);
        machine.Store(other, Base + Page, 2);
        machine.Cache.BeginSharedChange(Number);
        Assert.Equal(Errno.None, machine.Cache.WithdrawShared(Number, 0, ulong.MaxValue));
        Assert.Equal((0UL, 0UL), (machine.Space->ResidentLines, other->ResidentLines));
        Assert.Equal(1, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal((1, 2), (machine.Memory.Pages[(First, Base)][0], machine.Memory.Pages[(Second, Base + Page)][0]));
        machine.Cache.EndSharedChange(Number);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_fetch_that_pushes_out_a_dirty_page_of_the_same_object_is_made_once(bool piggyback)
    {
        using ExCacheFixture machine = Make(out _, lines: 2, piggyback);
        for (int round = 0; round < 3; round++)
        {
            for (ulong page = 0; page < 4; page++)
            {
                Assert.Equal(FaultOutcome.Resident, machine.Store(Base + (page * Page), (byte)(page + 1)));
            }
        }

        int fetches = machine.Memory.Requests.GetValueOrDefault(Opcode.Miss) + machine.Memory.Requests.GetValueOrDefault(Opcode.MissFlush);
        int flushes = machine.Memory.Requests.GetValueOrDefault(Opcode.Flush) + machine.Memory.Requests.GetValueOrDefault(Opcode.MissFlush);
        Assert.Equal((12, 10), (fetches, flushes));
        Assert.Equal(piggyback, machine.Memory.Requests.ContainsKey(Opcode.MissFlush));
    }

    [Fact]
    public void A_fetch_that_a_change_of_the_object_overtakes_is_made_again()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other);
        machine.Store(other, Base + Page, 1);
        machine.Memory.Meanwhile = () =>
        {
            machine.Memory.Meanwhile = null;
            machine.Cache.BeginSharedChange(Number);
            machine.Cache.EndSharedChange(Number);
        };
        machine.Store(Base, 2);
        Assert.Equal(3, machine.Memory.Requests[Opcode.Miss]);
    }

    [Fact]
    public void What_cannot_be_written_back_before_a_mapping_goes_stays_mapped()
    {
        using ExCacheFixture machine = Make(out _);
        machine.Store(Base, 1);
        machine.Memory.FlushError = Errno.ENOMEM;
        machine.Cache.BeginChange(machine.Space);
        Assert.Equal(Errno.ENOMEM, machine.Cache.Leave(machine.Space, Base, Base + Page));
        machine.Cache.Settle(machine.Space, Base, Base + Page);
        machine.Cache.EndChange(machine.Space);
        Assert.Equal(1, Loaded(machine, machine.Space, Base));
        machine.Memory.FlushError = Errno.None;
        machine.Cache.BeginChange(machine.Space);
        Assert.Equal(Errno.None, machine.Cache.Leave(machine.Space, Base, Base + Page));
        machine.Cache.EndChange(machine.Space);
        Assert.Equal(1, machine.Memory.Pages[(First, Base)][0]);
    }

    [Fact]
    public void Of_many_pages_those_that_the_owner_refuses_are_kept_and_those_that_go_another_way_go_there()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other);
        machine.Store(Base, 1);
        machine.Store(Base + Page, 2);
        machine.Store(other, Base + (2 * Page), 3);
        other->VNode = 3;
        machine.Admit(3);
        machine.Memory.FlushError = Errno.EIO;
        Assert.Equal(Errno.EIO, machine.Cache.WriteBackShared(Number, 0, ulong.MaxValue));
        // The message with two, then each of the three.
        Assert.Equal((4, 3UL), (machine.Memory.Requests[Opcode.Flush], machine.Cache.ResidentLines));
        machine.Memory.FlushError = Errno.None;
        Assert.Equal(Errno.None, machine.Cache.WriteBackShared(Number, 0, ulong.MaxValue));
        Assert.Equal(6, machine.Memory.Requests[Opcode.Flush]);
        Assert.Equal((0, 3), (machine.Memory.VNodes[First], machine.Memory.VNodes[Second]));
        Assert.Equal(3, machine.Memory.Pages[(Second, Base + (2 * Page))][0]);
    }

    [Fact]
    public void A_fault_that_has_waited_without_a_claim_looks_at_no_table_that_is_gone()
    {
        using ExCacheFixture machine = Make(out AddressSpace* other, lines: 2);
        machine.Store(other, Base + Page, 1);
        machine.Load(PrivateBase, out _);
        machine.Memory.Meanwhile = () =>
        {
            machine.Memory.Meanwhile = null;
            machine.SetRanges();
            machine.Cache.BeginChange(machine.Space);
            machine.Cache.Drop(machine.Space, PrivateBase, PrivateBase + (8 * Page));
            machine.Cache.EndChange(machine.Space);
            // Whoever gets the table's frame next.
            for (int frame = 0; frame < 16; frame++)
            {
                new System.Span<byte>((byte*)machine.Frames.Allocate(), (int)Page).Fill(0x27);
            }
        };
        Assert.Equal(FaultOutcome.NotMapped,
            machine.Cache.Resolve(machine.Space, PrivateBase, MissAccess.Write, LinePlacement.OwnSet, out _));
    }

    private static byte Loaded(ExCacheFixture machine, AddressSpace* space, ulong address)
    {
        Assert.Equal(FaultOutcome.Resident, machine.Load(space, address, out byte value));
        return value;
    }

    private static ExCacheFixture Make(out AddressSpace* other, int lines = 16, bool piggyback = true)
    {
        ExCacheFixture machine = new(lines, lines, PolicyKind.Fifo, piggyback);
        Protection both = Protection.Read | Protection.Write;
        VmaRecord[] ranges =
        [
            new() { Start = Base, End = Base + (8 * Page), Kind = VmaKind.SharedFile, Protection = both, Backing = Number },
            new() { Start = OtherBase, End = OtherBase + (8 * Page), Kind = VmaKind.SharedFile, Protection = both, Backing = Number },
            new() { Start = PrivateBase, End = PrivateBase + (8 * Page), Kind = VmaKind.File, Protection = both, Backing = Number },
        ];
        machine.SetRanges(ranges);
        other = machine.AddSpace(Second);
        machine.SetRanges(other, ranges);
        machine.Cache.ShareNames(isAlone: true);
        return machine;
    }
}
