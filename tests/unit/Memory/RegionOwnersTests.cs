// A space over two memory components, as processor components and the manager see it: which messages go where, and which pages are there.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class RegionOwnersTests : MemoryMonitorFixture
{
    private const ushort M2 = 5;
    private const ulong Region = MemoryMonitor.DefaultRegionBytes;

    private readonly HostFrames _frames = new(16);
    private readonly HostFrames _owned = new(16);
    private readonly RpcEndpoint _other;
    private readonly MemoryMonitor _owner;

    public RegionOwnersTests()
    {
        _other = new RpcEndpoint(M2, _frames.Allocator, 0);
        Join(_frames.Allocator, Processor, P, _other, M2);
        Join(_frames.Allocator, Endpoint, M, _other, M2);
        _owner = new MemoryMonitor(_other, _owned.Allocator, 0, Region);
        Poller.Register(_other);
        foreach (RpcEndpoint endpoint in new[] { Processor, Endpoint, _other })
        {
            endpoint.VNodes.Admit(1, [P, M, M2]);
        }
    }

    protected override void Disposing()
    {
        _frames.Dispose();
        _owned.Dispose();
    }

    [Fact]
    public void New_regions_cost_one_question_and_one_grant_and_their_pages_are_their_owner_s()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        Assert.Equal((1UL, 1UL, 0UL), (Counter("memory.consultations"), Counter("memory.runs_granted"), Counter("memory.runs_kept")));
        Assert.Equal((1UL, 1UL, 2 * Region), (Counter($"memory.regions.{M2}.runs"), Counter($"memory.regions.{M2}.spaces"),
            Counter($"memory.regions.{M2}.bytes")));
        Assert.Equal(1UL, Counter($"memory.regions.{M}.spaces"));
        Assert.Equal(1UL, OwnerCounter("memory.parts"));
        Assert.Equal(Errno.None, FlushTo(M2, 5, address, 7));
        Assert.Equal(Filled(7), MissedAt(M2, 5, address));
        Assert.Equal(Errno.EREMOTE, MissAt(M, 5, address, out _));
        Assert.Equal(Errno.EREMOTE, FlushTo(M, 5, address, 8));
        Assert.Equal(Errno.EREMOTE, MissAt(M2, 5, BorderOf(address), out _));
        Assert.Equal((2UL, 1UL), (Counter("memory.wrong_owner"), OwnerCounter("memory.wrong_owner")));
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal((0UL, 0UL, 0UL), (OwnerCounter("memory.parts"), OwnerCounter("memory.spaces"), OwnerCounter("memory.frames_used")));
    }

    [Fact]
    public void A_child_has_its_own_pages_at_every_owner_and_they_end_with_it()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        Assert.Equal(Errno.None, FlushTo(M2, 5, address, 7));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, new ForkRequest { ChildAsid = 6 }, [], out _, out _));
        Assert.Equal(Errno.None, FlushTo(M2, 6, address, 9));
        Assert.Equal(Filled(7), MissedAt(M2, 5, address));
        Assert.Equal(Filled(9), MissedAt(M2, 6, address));
        Assert.Equal(Errno.None, Exit(6));
        Assert.Equal(Errno.ESRCH, MissAt(M2, 6, address, out _));
        Assert.Equal(Filled(7), MissedAt(M2, 5, address));
    }

    [Fact]
    public void What_is_unmapped_or_discarded_is_forgotten_by_its_owner_too()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        Assert.Equal(Errno.None, FlushTo(M2, 5, address, 7));
        Assert.Equal(Errno.None, FlushTo(M2, 5, address + Page, 8));
        RangeRequest range = new() { Address = address, Length = Page };
        Assert.Equal(Errno.None, Space(Opcode.Discard, 5, range, [], out _, out _));
        Assert.Equal(1UL, OwnerCounter("memory.frames_used"));
        Assert.Empty(MissedAt(M2, 5, address));
        Assert.Equal(Errno.None, Space(Opcode.Unmap, 5, range with { Length = 2 * Page }, [], out _, out _));
        Assert.Equal(0UL, OwnerCounter("memory.frames_used"));
    }

    [Fact]
    public void Moved_pages_change_their_owners_and_a_move_that_fails_loses_none()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        ulong border = BorderOf(address);
        Assert.Equal(Errno.None, FlushTo(M2, 5, border - Page, 7));
        Assert.Equal(Errno.None, FlushTo(M, 5, border, 8));
        RemapRequest remap = new()
        {
            OldAddress = border - Page,
            OldLength = 2 * Page,
            NewLength = 2 * Page,
            NewAddress = border + (16 * Page),
            Flags = (uint)(RemapFlags.MayMove | RemapFlags.Fixed),
        };
        Assert.Equal(Errno.None, Space(Opcode.Remap, 5, remap, [], out ulong moved, out _));
        Assert.Equal(border + (16 * Page), moved);
        Assert.Equal(Filled(7), MissedAt(M, 5, moved));
        Assert.Equal(Filled(8), MissedAt(M, 5, moved + Page));
        Assert.Equal((1UL, 0UL), (OwnerCounter("memory.pages_sent"), OwnerCounter("memory.frames_used")));
        remap = remap with { OldAddress = moved, NewAddress = border - (2 * Page) };
        Assert.Equal(Errno.None, Space(Opcode.Remap, 5, remap, [], out moved, out _));
        Assert.Equal(Filled(7), MissedAt(M2, 5, moved));
        Assert.Equal(Filled(8), MissedAt(M2, 5, moved + Page));
        remap = remap with { OldAddress = moved, NewAddress = 0x1000 };
        Assert.Equal(Errno.EPERM, Space(Opcode.Remap, 5, remap, [], out _, out _));
        Assert.Equal(Filled(7), MissedAt(M2, 5, moved));
        Assert.Equal(Filled(8), MissedAt(M2, 5, moved + Page));
    }

    [Fact]
    public void Pages_that_change_their_owner_go_fourteen_in_a_message()
    {
        const int Pages = 30;
        Start(5);
        ulong border = BorderOf(MapOverBoth(5));
        ulong from = border - (Pages * Page);
        for (int index = 0; index < Pages; index++)
        {
            Assert.Equal(Errno.None, FlushTo(M2, 5, from + ((ulong)index * Page), (byte)(index + 1)));
        }

        RemapRequest remap = new()
        {
            OldAddress = from,
            OldLength = Pages * Page,
            NewLength = Pages * Page,
            NewAddress = border + (16 * Page),
            Flags = (uint)(RemapFlags.MayMove | RemapFlags.Fixed),
        };
        Assert.Equal(Errno.None, Space(Opcode.Remap, 5, remap, [], out ulong moved, out _));
        Assert.Equal(((ulong)Pages, 3UL), (OwnerCounter("memory.pages_sent"), OwnerCounter("memory.page_messages")));
        for (int index = 0; index < Pages; index++)
        {
            Assert.Equal(Filled((byte)(index + 1)), MissedAt(M, 5, moved + ((ulong)index * Page)));
        }
    }

    [Fact]
    public void Parts_end_with_the_life_of_their_processor_and_of_their_home()
    {
        foreach (ushort departed in new[] { P, M })
        {
            Start(5);
            MapOverBoth(5);
            Assert.Equal(1UL, OwnerCounter("memory.parts"));
            _owner.Departed(departed);
            Assert.Equal((0UL, 0UL), (OwnerCounter("memory.parts"), OwnerCounter("memory.vmas")));
            Assert.Equal(Errno.None, Exit(5));
        }
    }

    [Fact]
    public void Only_the_home_of_a_space_may_change_its_parts()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        RangeRequest range = new() { Address = address, Length = Page };
        Assert.Equal(Errno.EREMOTE, Processor.Call(M2, Opcode.Discard, Context(5), range, default, [], out _));
        Assert.Equal(Errno.EREMOTE, Processor.Call(M2, Opcode.Exit, Context(5), [], [], [], out _));
        Assert.Equal(Errno.ESRCH, Processor.Call(M2, Opcode.CopyPages, Context(5), default(CopyPagesRequest), default, [], out _));
        Assert.Equal(1UL, OwnerCounter("memory.parts"));
    }

    [Fact]
    public void A_new_space_of_an_old_name_finds_nothing_of_the_old_one_at_an_owner()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        Assert.Equal(Errno.None, FlushTo(M2, 5, address, 7));
        // The home has lost the old space without a word to the owner.
        Monitor.Departed(P);
        Start(5);
        Assert.Equal(address, MapOverBoth(5));
        Assert.Empty(MissedAt(M2, 5, address));
        Assert.Equal(1UL, OwnerCounter("memory.parts"));
    }

    [Fact]
    public void A_space_that_grows_by_regions_of_changing_owners_never_has_too_many()
    {
        Start(5);
        ulong address = Map(5, Region / 2);
        for (ulong region = 1; region <= 200; region++)
        {
            Manager.Owners = [region % 2 == 0 ? M : M2];
            Assert.Equal(Errno.None, MapFixed(5, RegionOf(address) - (region * Region)));
        }

        Assert.True(Counter("memory.region_runs") < 60);
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal(0UL, OwnerCounter("memory.parts"));
    }

    [Fact]
    public void An_owner_whose_regions_the_home_cannot_remember_keeps_no_part()
    {
        Start(5);
        Manager.Owners = [M];
        ulong place = 0x100 * Region;
        while (MapFixed(5, place) == Errno.None)
        {
            place += 2 * Region;
        }

        Manager.Owners = [M2];
        Assert.Equal(Errno.ENOMEM, MapFixed(5, place));
        Assert.Equal((1UL, 0UL), (Counter("memory.runs_granted"), OwnerCounter("memory.parts")));
    }

    [Fact]
    public void Memory_that_an_owner_has_lost_with_a_life_cannot_be_moved()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        Assert.Equal(Errno.None, FlushTo(M2, 5, address, 7));
        // The owner begins anew, and is given other regions of the space.
        _owner.Departed(M);
        Assert.Equal(Errno.None, MapFixed(5, RegionOf(address) - (8 * Region)));
        Assert.Equal(1UL, OwnerCounter("memory.parts"));
        RemapRequest remap = new()
        {
            OldAddress = address,
            OldLength = Page,
            NewLength = Page,
            NewAddress = BorderOf(address) + (16 * Page),
            Flags = (uint)(RemapFlags.MayMove | RemapFlags.Fixed),
        };
        Assert.Equal(Errno.ENOMEM, Space(Opcode.Remap, 5, remap, [], out _, out _));
        Assert.Equal(Errno.EREMOTE, MissAt(M2, 5, address, out _));
    }

    [Fact]
    public void A_piece_on_its_way_is_served_by_nobody_and_a_phase_that_comes_late_does_nothing()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        Assert.Equal(Errno.None, FlushTo(M2, 5, address, 7));
        // The home expects no page, so the owner keeps it, and does not serve it until it is told to.
        Assert.Equal(Errno.EREMOTE, Move(MovePhase.Send, address, 10));
        Assert.Equal(Errno.EREMOTE, MissAt(M2, 5, address, out _));
        Assert.Equal(Errno.EREMOTE, FlushTo(M2, 5, address, 8));
        Assert.Equal(Errno.ESTALE, Move(MovePhase.Own, address, 10));
        Assert.Equal(Errno.EREMOTE, MissAt(M2, 5, address, out _));
        Assert.Equal(Errno.None, Move(MovePhase.Own, address, 11));
        Assert.Equal(Errno.ESTALE, Move(MovePhase.Forget, address, 9));
        Assert.Equal(Filled(7), MissedAt(M2, 5, address));
        Assert.Equal(Errno.None, Move(MovePhase.Forget, address, 12));
        Assert.Equal(Errno.EREMOTE, MissAt(M2, 5, address, out _));
        Assert.Equal(0UL, OwnerCounter("memory.frames_used"));
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal(0UL, OwnerCounter("memory.spaces"));
    }

    [Fact]
    public void Owners_are_told_to_whoever_asks_the_home_and_a_flush_of_a_page_of_two_owners_says_so()
    {
        Start(5);
        ulong address = MapOverBoth(5);
        RegionRecord[] records = new RegionRecord[RegionRecord.Most];
        Span<byte> reply = MemoryMarshal.AsBytes(records.AsSpan());
        Assert.Equal(Errno.None, Processor.Call(M, Opcode.Owners, Context(5), [], [], reply, out int bytes));
        RegionRecord[] told = records[..(bytes / sizeof(RegionRecord))];
        Assert.Contains(told, record => record.Owner == M2 && address >= record.Start && address < record.Start + record.Length);
        Assert.Equal(Errno.ESRCH, Processor.Call(M, Opcode.Owners, Context(99), [], [], reply, out _));
        Assert.Equal(Errno.ESRCH, Processor.Call(M2, Opcode.Owners, Context(5), [], [], reply, out _));
        FlushRequest request = new() { Count = 3, Pages = 1 };
        FlushEntry[] entries =
        [
            new FlushEntry { Address = 0x1000, Asid = 5 }, new FlushEntry { Address = address, Asid = 5 }, new FlushEntry { Asid = 99 },
        ];
        byte[] payload = [.. MemoryMarshal.AsBytes(entries.AsSpan()), .. Filled(1)];
        Assert.Equal(Errno.EREMOTE, Processor.Call(M, Opcode.Flush, Context(5), request, payload, [], out _));
    }

    private Errno Move(MovePhase phase, ulong address, uint step)
    {
        MoveRequest request = new() { Start = address, Length = Page, Number = 1, Step = step, Phase = phase, Peer = M, Processor = P };
        return Endpoint.Call(M2, Opcode.Move, Context(5), request, default, out MoveReply _);
    }

    /// <summary>
    /// Maps into three regions: the highest is the home's since the program was loaded, the others are the other component's.
    /// </summary>
    private ulong MapOverBoth(uint asid)
    {
        Manager.Owners = [M2];
        return Map(asid, 2 * Region);
    }

    private static ulong RegionOf(ulong address) => address & ~(Region - 1);

    private Errno MapFixed(uint asid, ulong address)
    {
        MapRequest map = new()
        {
            Address = address,
            Length = Page,
            Protection = Protection.Read | Protection.Write,
            Flags = (uint)(MapFlags.Private | MapFlags.Anonymous | MapFlags.Fixed),
        };
        return Space(Opcode.Map, asid, map, [], out _, out _);
    }

    /// <summary>Where the home's region begins.</summary>
    private static ulong BorderOf(ulong address) => (address + (2 * Region)) & ~(Region - 1);

    private Errno MissAt(ushort node, uint asid, ulong address, out byte[] page)
    {
        MissRequest request = new() { Address = address, Access = MissAccess.Read };
        byte[] reply = new byte[Page];
        Errno error = Processor.Call(node, Opcode.Miss, Context(asid), request, [], reply, out int length);
        page = reply.AsSpan(0, length).ToArray();
        return error;
    }

    private byte[] MissedAt(ushort node, uint asid, ulong address)
    {
        Assert.Equal(Errno.None, MissAt(node, asid, address, out byte[] page));
        return page;
    }

    private Errno FlushTo(ushort node, uint asid, ulong address, byte value)
    {
        FlushRequest request = new() { Count = 1, Pages = 1 };
        FlushEntry[] entries = [new FlushEntry { Address = address, Asid = asid }];
        byte[] payload = [.. MemoryMarshal.AsBytes(entries.AsSpan()), .. Filled(value)];
        return Processor.Call(node, Opcode.Flush, Context(asid), request, payload, [], out _);
    }

    private ulong OwnerCounter(string name) => CounterOf(_owner, name);
}
