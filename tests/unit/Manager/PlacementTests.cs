using System;
using System.Linq;
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

        Assert.Equal(Errno.None, placement.ChooseProcessor(0, out ushort node));
        Assert.Equal(5, node);
        _members[1].State = MemberState.Suspect;
        placement.ChooseProcessor(0, out node);
        Assert.Equal(6, node);
    }

    [Theory]
    [InlineData(PlacementPolicy.LeastLoaded)]
    [InlineData(PlacementPolicy.RoundRobin)]
    public void A_memory_component_that_is_drained_is_given_no_regions_even_if_the_others_are_suspect(PlacementPolicy policy)
    {
        Join(2, ComponentKind.Memory);
        Join(3, ComponentKind.Memory);
        Placement placement = new(_members, policy);
        OwnerRun[] runs = new OwnerRun[OwnerRun.Most];
        _members[0].IsDraining = true;
        _members[1].State = MemberState.Suspect;
        Assert.Equal(Errno.None, placement.ChooseOwners(new ConsultRequest { RegionBytes = Gigabyte, Count = 4 }, 3, runs, out int count));
        Assert.Equal((1, (ushort)3, 4u), (count, runs[0].Owner, runs[0].Count));
        _members[1].IsDraining = true;
        Assert.Equal(
            Errno.EHOSTDOWN, placement.ChooseOwners(new ConsultRequest { RegionBytes = Gigabyte, Count = 1 }, 3, runs, out _));
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
            placement.ChooseProcessor(0, out ushort node);
            _members[_members.Find(node)].Processes++;
        }

        Assert.All(new[] { 0, 1, 2 }, index => Assert.Equal(10u, _members[index].Processes));
    }

    [Fact]
    public void After_uneven_kills_the_next_ten_programs_go_where_the_model_says()
    {
        int[] killed = [3, 9, 0];
        Placement placement = PlacementOnThree(ProcessPolicy.Fewest);
        StartMany(placement, 30);
        int[] model = [10 - killed[0], 10 - killed[1], 10 - killed[2]];
        for (int index = 0; index < model.Length; index++)
        {
            // What the component says when the last of them has ended; two more are on their way to the second one.
            _members[index].Processes = (uint)model[index];
        }

        _members[1].Starting = 2;
        model[1] += 2;
        for (int program = 0; program < 10; program++)
        {
            int expected = Array.IndexOf(model, model.Min());
            model[expected]++;
            placement.ChooseProcessor(0, out ushort node);
            _members[_members.Find(node)].Processes++;
            Assert.Equal(expected, _members.Find(node));
        }
    }

    [Fact]
    public void Spread_takes_turns_by_node_whatever_the_load()
    {
        Placement placement = PlacementOnThree(ProcessPolicy.Spread);
        _members[1].Processes = 100;
        Assert.Equal([1, 2, 3, 1, 2, 3], StartMany(placement, 6));
        _members[2].State = MemberState.Failed;
        Assert.Equal([1, 2, 1], StartMany(placement, 3));
    }

    [Fact]
    public void Packed_fills_one_before_the_next_and_then_evens_out()
    {
        const int Full = (int)Placement.PackedProcesses;
        Placement placement = PlacementOnThree(ProcessPolicy.Packed);
        ushort[] nodes = StartMany(placement, (3 * Full) + 3);
        Assert.Equal(Enumerable.Range(0, nodes.Length).Select(number => (ushort)(1 + (number < 3 * Full ? number / Full : number % Full))),
            nodes);
        _members[1].Processes = 1;
        Assert.Equal([2], StartMany(placement, 1));
    }

    [Fact]
    public void A_processor_that_the_user_names_is_taken_unless_it_has_failed()
    {
        Placement placement = PlacementOnThree(ProcessPolicy.Fewest);
        Join(4, ComponentKind.Memory);
        _members[2].Processes = 100;
        Assert.Equal(Errno.None, placement.ChooseProcessor(3, out ushort node));
        Assert.Equal(3, node);
        _members[2].State = MemberState.Failed;
        Assert.Equal(Errno.EHOSTDOWN, placement.ChooseProcessor(3, out _));
        Assert.Equal(Errno.EHOSTDOWN, placement.ChooseProcessor(4, out _));
    }

    [Fact]
    public void A_new_region_goes_to_the_least_loaded_memory_that_has_a_free_region()
    {
        // Row L48 of the plan: busy, idle but nearly full, idle with room.
        Join(1, ComponentKind.Memory, free: 3 * Gigabyte, requests: 10000);
        Join(2, ComponentKind.Memory, free: Gigabyte / 2);
        Join(3, ComponentKind.Memory, free: 3 * Gigabyte);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        Assert.Equal(Errno.None, ChooseOwner(placement, Consult(3 * Gigabyte), asker: 1, out ushort node));
        Assert.Equal(3, node);
    }

    [Fact]
    public void Regions_given_away_count_as_used_until_heartbeats_tell_what_is()
    {
        Join(1, ComponentKind.Memory);
        Join(2, ComponentKind.Memory);
        Join(3, ComponentKind.Memory);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        OwnerRun[] runs = new OwnerRun[OwnerRun.Most];
        ConsultRequest request = Consult(4 * Gigabyte) with { Count = 6 };
        Assert.Equal(Errno.None, placement.ChooseOwners(in request, 1, runs, out int count));
        Assert.Equal([(1, 1u), (2, 1u), (3, 1u), (1, 1u), (2, 1u), (3, 1u)], runs.Take(count).Select(run => ((int)run.Owner, run.Count)));
        Assert.Equal(12 * Gigabyte, placement.MemoryBytes);
        HeartbeatRequest heartbeat = new() { FreeBytes = 4 * Gigabyte };
        for (int beat = 0; beat < 40; beat++)
        {
            heartbeat.Self = new JoinRequest { Node = 2, Kind = ComponentKind.Memory, Incarnation = 1 };
            Assert.Equal(Errno.None, _members.Heartbeat(in heartbeat));
        }

        Assert.Equal(Errno.None, ChooseOwner(placement, Consult(4 * Gigabyte), 1, out ushort node));
        Assert.Equal(2, node);
    }

    [Theory]
    [InlineData(PlacementPolicy.LeastLoaded)]
    [InlineData(PlacementPolicy.RoundRobin)]
    public void Terabytes_of_regions_are_given_away_in_one_reply(PlacementPolicy policy)
    {
        Join(1, ComponentKind.Memory);
        Join(2, ComponentKind.Memory);
        Placement placement = new(_members, policy);
        OwnerRun[] runs = new OwnerRun[OwnerRun.Most];
        ConsultRequest request = Consult(4 * Gigabyte) with { Count = 100_000 };
        Assert.Equal(Errno.None, placement.ChooseOwners(in request, 1, runs, out int count));
        Assert.Equal(100_000u, (uint)runs.Take(count).Sum(run => run.Count));
        Assert.InRange(runs.Take(count).Where(run => run.Owner == 1).Sum(run => run.Count), 45_000, 55_000);
    }

    [Fact]
    public void When_no_memory_has_a_whole_region_the_roomiest_gets_it()
    {
        Join(1, ComponentKind.Memory, free: Gigabyte / 4);
        Join(2, ComponentKind.Memory, free: Gigabyte / 2);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        Assert.Equal(Errno.None, ChooseOwner(placement, Consult(Gigabyte / 4), asker: 1, out ushort node));
        Assert.Equal(2, node);
    }

    [Fact]
    public void The_asker_s_own_figures_count_at_once()
    {
        Join(1, ComponentKind.Memory, free: 4 * Gigabyte);
        Join(2, ComponentKind.Memory, free: 3 * Gigabyte);
        Placement placement = new(_members, PlacementPolicy.LeastLoaded);
        ChooseOwner(placement, Consult(Gigabyte / 8), asker: 1, out ushort node);
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
        Assert.Equal(Errno.EHOSTDOWN, placement.ChooseProcessor(0, out _));
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
        Assert.Equal(Errno.None, ChooseOwner(placement, Consult(Gigabyte), 2, out node));
        Assert.Equal(2, node);
    }

    private Placement PlacementOnThree(ProcessPolicy policy)
    {
        Join(1, ComponentKind.Processor);
        Join(2, ComponentKind.Processor);
        Join(3, ComponentKind.Processor);
        return new Placement(_members, PlacementPolicy.LeastLoaded, policy);
    }

    /// <summary>Where so many programs go that are started and do not end.</summary>
    private ushort[] StartMany(Placement placement, int count)
    {
        ushort[] nodes = new ushort[count];
        for (int program = 0; program < count; program++)
        {
            Assert.Equal(Errno.None, placement.ChooseProcessor(0, out nodes[program]));
            _members[_members.Find(nodes[program])].Processes++;
        }

        return nodes;
    }

    private static Errno ChooseOwner(Placement placement, in ConsultRequest request, ushort asker, out ushort node)
    {
        OwnerRun[] runs = new OwnerRun[OwnerRun.Most];
        Errno error = placement.ChooseOwners(in request, asker, runs, out int count);
        Assert.Equal(error == Errno.None ? 1 : 0, count);
        node = runs[0].Owner;
        return error;
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
