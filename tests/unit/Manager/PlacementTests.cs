using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Xunit;

namespace Lego.Tests.Manager;

public sealed class PlacementTests
{
    private const ulong Gigabyte = 1UL << 30;

    private readonly MembershipTable _members = new();

    [Fact]
    public void A_program_goes_to_the_processor_with_the_fewest_processes()
    {
        Join(1, ComponentKind.Processor);
        Join(5, ComponentKind.Processor);
        Join(6, ComponentKind.Processor);
        _members[0].Processes = 2;
        _members[1].Processes = 1;
        _members[2].Processes = 1;
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);

        Assert.Equal(Errno.None, placement.ChooseProcessor(out ushort node));
        Assert.Equal(5, node);
        _members[1].State = MemberState.Suspect;
        placement.ChooseProcessor(out node);
        Assert.Equal(6, node);
    }

    [Fact]
    public void Thirty_programs_spread_evenly_over_three_processors()
    {
        Join(1, ComponentKind.Processor);
        Join(2, ComponentKind.Processor);
        Join(3, ComponentKind.Processor);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        for (int program = 0; program < 30; program++)
        {
            placement.ChooseProcessor(out ushort node);
            _members[_members.Find(node)].Processes++;
        }

        Assert.All(new[] { 0, 1, 2 }, index => Assert.Equal(10u, _members[index].Processes));
    }

    [Fact]
    public void A_new_region_goes_to_the_least_loaded_memory_that_has_a_free_region()
    {
        // Row L48 of the plan: busy, idle but nearly full, idle with room.
        Join(1, ComponentKind.Memory, free: 3 * Gigabyte, requests: 10000);
        Join(2, ComponentKind.Memory, free: Gigabyte / 2);
        Join(3, ComponentKind.Memory, free: 3 * Gigabyte);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        Assert.Equal(Errno.None, placement.ChooseOwner(Consult(3 * Gigabyte), asker: 1, out ushort node));
        Assert.Equal(3, node);
    }

    [Fact]
    public void When_no_memory_has_a_whole_region_the_roomiest_gets_it()
    {
        Join(1, ComponentKind.Memory, free: Gigabyte / 4);
        Join(2, ComponentKind.Memory, free: Gigabyte / 2);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        Assert.Equal(Errno.None, placement.ChooseOwner(Consult(Gigabyte / 4), asker: 1, out ushort node));
        Assert.Equal(2, node);
    }

    [Fact]
    public void The_asker_s_own_figures_count_at_once()
    {
        Join(1, ComponentKind.Memory, free: 4 * Gigabyte);
        Join(2, ComponentKind.Memory, free: 3 * Gigabyte);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        placement.ChooseOwner(Consult(Gigabyte / 8), asker: 1, out ushort node);
        Assert.Equal(2, node);
    }

    [Fact]
    public void Round_robin_takes_turns_and_skips_the_failed()
    {
        Join(1, ComponentKind.Memory);
        Join(9, ComponentKind.Storage);
        Join(2, ComponentKind.Memory);
        Join(3, ComponentKind.Memory);
        _members[2].State = MemberState.Failed;
        Placement placement = new(_members, PlacementPolicy.RoundRobin);
        ushort[] chosen = new ushort[4];
        for (int turn = 0; turn < chosen.Length; turn++)
        {
            placement.ChooseHome(out chosen[turn]);
        }

        Assert.Equal(new ushort[] { 1, 3, 1, 3 }, chosen);
    }

    [Fact]
    public void Without_a_living_component_placement_says_so()
    {
        Placement placement = new(_members, PlacementPolicy.RoundRobin);
        Assert.Equal(Errno.EHOSTDOWN, placement.ChooseHome(out _));
        Assert.Equal(Errno.EHOSTDOWN, placement.ChooseProcessor(out _));
        Assert.Equal(Errno.EHOSTDOWN, placement.Place(out _));
        Join(2, ComponentKind.Memory);
        Assert.Equal(Errno.EHOSTDOWN, placement.Place(out _));
        Join(3, ComponentKind.Storage);
        Assert.Equal(Errno.None, placement.Place(out PlaceReply place));
        Assert.Equal((2, 3, 2), (place.HomeMemory, place.Storage, place.FileMemory));
    }

    [Fact]
    public void All_programs_live_and_cache_files_at_one_memory_until_it_has_failed()
    {
        Join(1, ComponentKind.Storage);
        Join(2, ComponentKind.Memory, free: Gigabyte);
        Join(3, ComponentKind.Memory);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        AssertPlacedAt(3);
        _members[2].FreeBytes = 0;
        AssertPlacedAt(3);
        _members[2].State = MemberState.Suspect;
        AssertPlacedAt(3);
        _members[2].State = MemberState.Failed;
        AssertPlacedAt(2);
        _members[2].State = MemberState.Alive;
        AssertPlacedAt(2);

        void AssertPlacedAt(ushort memory)
        {
            Assert.Equal(Errno.None, placement.Place(out PlaceReply place));
            Assert.Equal((memory, memory), (place.HomeMemory, place.FileMemory));
        }
    }

    [Fact]
    public void A_suspect_is_given_work_only_when_there_is_nobody_else()
    {
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        Join(1, ComponentKind.Memory);
        Join(2, ComponentKind.Memory, free: Gigabyte);
        _members[0].State = MemberState.Suspect;
        Assert.Equal(Errno.None, placement.ChooseHome(out ushort node));
        Assert.Equal(2, node);
        _members[1].State = MemberState.Suspect;
        Assert.Equal(Errno.None, placement.ChooseHome(out node));
        Assert.Equal(1, node);
        _members[0].State = MemberState.Failed;
        Assert.Equal(Errno.None, placement.ChooseOwner(Consult(Gigabyte), 2, out node));
        Assert.Equal(2, node);
    }

    private static ConsultRequest Consult(ulong free) =>
        new() { RegionBytes = Gigabyte, Count = 1, FreeBytes = free, TotalBytes = 4 * Gigabyte };

    private void Join(ushort node, ComponentKind kind, ulong free = 4 * Gigabyte, ulong requests = 0)
    {
        _members.Join(new JoinRequest { Node = node, Kind = kind, Incarnation = 1, CapacityBytes = 4 * Gigabyte }, 0);
        int index = _members.Find(node);
        _members[index].FreeBytes = free;
        _members[index].RecentRequests = requests;
    }
}
