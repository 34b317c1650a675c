// How often other CPUs are interrupted because translations have become stale: once for many pages, and never for rights that are given.

using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class ShootdownTests
{
    private const ulong Base = ExCacheFixture.Base;
    private const ulong Page = PageOperations.PageSize;
    private const int Pages = 64;
    private const ulong End = Base + (Pages * Page);
    private const uint Number = 1;

    [Fact]
    public void Unmapping_pages_interrupts_once_for_them_and_once_for_their_tables()
    {
        using ExCacheFixture machine = Touched();
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.Leave(machine.Space, Base, End);
        Assert.Equal(0UL, PageTable.Interruptions);
        machine.Cache.Drop(machine.Space, Base, End);
        machine.Cache.EndChange(machine.Space);
        Assert.Equal((2UL, 0UL), (PageTable.Interruptions, machine.Cache.ResidentLines));
    }

    [Fact]
    public void Changing_rights_of_pages_interrupts_once_and_giving_a_page_rights_not_at_all()
    {
        using ExCacheFixture machine = Touched();
        machine.SetRanges(new VmaRecord { Start = Base, End = End, Kind = VmaKind.Anonymous, Protection = Protection.Read });
        machine.Cache.BeginChange(machine.Space);
        machine.Cache.Settle(machine.Space, Base, End);
        machine.Cache.EndChange(machine.Space);
        Assert.Equal(1UL, PageTable.Interruptions);
        machine.SetRanges(
            new VmaRecord { Start = Base, End = End, Kind = VmaKind.Anonymous, Protection = Protection.Read | Protection.Write });
        Assert.Equal(FaultOutcome.Resident, machine.Store(Base, 2));
        Assert.Equal(1UL, PageTable.Interruptions);
    }

    [Fact]
    public void A_fork_takes_the_right_to_write_from_all_pages_of_a_table_with_one_interrupt()
    {
        using ExCacheFixture machine = Touched();
        AddressSpace* child = machine.AddSpace(ExCacheFixture.FirstAsid + 1);
        Assert.Equal(Errno.None, machine.Cache.CopyStates(machine.Space, child));
        Assert.Equal(1UL, PageTable.Interruptions);
        machine.Load(child, End - Page, out byte value);
        Assert.Equal(Pages, value);
    }

    [Fact]
    public void Moving_pages_interrupts_once_for_a_message_of_them_and_once_for_those_that_go()
    {
        using ExCacheFixture machine = Touched();
        byte[] buffer = new byte[ExCache.FlushBufferBytes];
        machine.Cache.BeginChange(machine.Space);
        Assert.Equal(Errno.None, machine.Cache.WriteBack(machine.Space, Base, End, buffer));
        Assert.Equal((ulong)machine.Memory.Requests[Opcode.Flush], PageTable.Interruptions);
        machine.Cache.MoveStates(machine.Space, Base, Base + (1UL << 30), End - Base);
        machine.Cache.EndChange(machine.Space);
        Assert.Equal((ulong)machine.Memory.Requests[Opcode.Flush] + 2, PageTable.Interruptions);
    }

    [Fact]
    public void Pages_of_a_shared_mapping_go_with_two_interrupts_and_the_one_that_was_stored_into_with_a_message()
    {
        using ExCacheFixture machine = Shared();
        machine.Store(Base + (9 * Page), 7);
        machine.Cache.BeginChange(machine.Space);
        Assert.Equal(Errno.None, machine.Cache.Leave(machine.Space, Base, End));
        machine.Cache.EndChange(machine.Space);
        // All lose the right to write; all go.
        Assert.Equal((2UL, 1), (PageTable.Interruptions, machine.Memory.Requests[Opcode.Flush]));
        Assert.Equal(7, machine.Memory.Pages[(ExCacheFixture.FirstAsid, Base + (9 * Page))][0]);
    }

    [Theory]
    [InlineData("unmap", 6)]
    [InlineData("exit", 6)]
    [InlineData("withdraw", 5)]
    [InlineData("publish", 5)]
    public void Pages_that_a_shared_mapping_has_stored_into_go_back_by_messages_of_many_with_an_interrupt_for_each_message(
        string how, int interruptions)
    {
        using ExCacheFixture machine = Shared();
        for (int page = 0; page < Pages; page++)
        {
            machine.Store(Base + ((ulong)page * Page), (byte)(page + 1));
        }

        PageTable.Interruptions = 0;
        Errno error = Errno.None;
        switch (how)
        {
            case "unmap":
                machine.Cache.BeginChange(machine.Space);
                error = machine.Cache.Leave(machine.Space, Base, End);
                machine.Cache.EndChange(machine.Space);
                break;
            case "exit":
                machine.Cache.DropSpace(machine.Space);
                break;
            case "withdraw":
                error = machine.Cache.WithdrawShared(Number, 0, ulong.MaxValue);
                break;
            default:
                error = machine.Cache.WriteBackShared(Number, 0, Pages);
                break;
        }

        // Unmapping first takes the right to write from all: one interrupt more.
        int messages = (Pages + FlushRequest.MaxPages - 1) / FlushRequest.MaxPages;
        Assert.Equal((Errno.None, messages), (error, machine.Memory.Requests[Opcode.Flush]));
        Assert.Equal((ulong)interruptions, PageTable.Interruptions);
        Assert.Equal(how == "publish" ? (ulong)Pages : 0, machine.Cache.ResidentLines);
        for (int page = 0; page < Pages; page++)
        {
            Assert.Equal(page + 1, machine.Memory.Pages[(ExCacheFixture.FirstAsid, Base + ((ulong)page * Page))][0]);
        }
    }

    [Fact]
    public void The_choice_of_a_victim_interrupts_once_for_all_lines_that_have_been_used()
    {
        using ExCacheFixture machine = Touched(PolicyKind.Lru);
        Assert.Equal(FaultOutcome.Resident, machine.Store(End, 1));
        Assert.Equal(2UL, PageTable.Interruptions);
    }

    private static ExCacheFixture Shared()
    {
        ExCacheFixture machine = new(Pages, Pages, PolicyKind.Fifo);
        machine.SetRanges(new VmaRecord
        {
            Start = Base,
            End = End,
            Kind = VmaKind.SharedFile,
            Protection = Protection.Read | Protection.Write,
            Backing = Number,
        });
        machine.Cache.ShareNames(isAlone: true);
        for (ulong address = Base; address < End; address += Page)
        {
            machine.Load(address, out _);
        }

        PageTable.Interruptions = 0;
        return machine;
    }

    private static ExCacheFixture Touched(PolicyKind policy = PolicyKind.Fifo)
    {
        ExCacheFixture machine = new(Pages, Pages, policy);
        for (int page = 0; page < Pages; page++)
        {
            Assert.Equal(FaultOutcome.Resident, machine.Store(Base + ((ulong)page * Page), (byte)(page + 1)));
        }

        PageTable.Interruptions = 0;
        return machine;
    }
}
