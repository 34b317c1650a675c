using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Xunit;

namespace Lego.Tests.Manager;

public sealed class MembershipTableTests
{
    private const ulong Second = 1_000_000_000;
    private const ushort Self = 4;

    [Fact]
    public void Silence_makes_a_member_suspect_then_failed_and_only_failure_moves_the_epoch()
    {
        MembershipTable table = new(suspectNs: 3 * Second, failNs: 7 * Second);
        Assert.Equal(JoinOutcome.Joined, table.Join(Request(2), 0));
        uint joined = table.Epoch;

        table.Pass(3 * Second, Self);
        Assert.Equal((-1, MemberState.Alive), (table.NextFailure(), table[0].State));
        table.Pass(1 * Second, Self);
        Assert.Equal((-1, MemberState.Suspect), (table.NextFailure(), table[0].State));
        Assert.Equal(joined, table.Epoch);

        Assert.Equal(Errno.None, table.Heartbeat(Beat(2)));
        Assert.Equal(MemberState.Alive, table[0].State);

        table.Pass(8 * Second, Self);
        Assert.Equal(0, table.NextFailure());
        Assert.Equal(MemberState.Failed, table[0].State);
        Assert.Equal(joined + 1, table.Epoch);
        table.Pass(1 * Second, Self);
        Assert.Equal(-1, table.NextFailure());
        Assert.Equal(joined + 1, table.Epoch);
    }

    [Fact]
    public void A_life_that_leaves_is_over_at_once_and_another_one_is_not()
    {
        MembershipTable table = new(suspectNs: 3 * Second, failNs: 7 * Second);
        table.Join(Request(2), 0);
        uint joined = table.Epoch;
        Assert.Equal((-1, -1), (table.Leave(Request(3)), table.Leave(Request(2) with { Incarnation = 77 })));
        Assert.Equal((MemberState.Alive, joined), (table[0].State, table.Epoch));
        Assert.Equal(0, table.Leave(Request(2)));
        Assert.Equal((MemberState.Failed, joined + 1), (table[0].State, table.Epoch));
        Assert.Equal(-1, table.Leave(Request(2)));
        Assert.Equal(Errno.ESRCH, table.Heartbeat(Beat(2)));
        Assert.Equal(joined + 1, table.Epoch);
    }

    [Fact]
    public void Any_frame_is_a_sign_of_life()
    {
        MembershipTable table = new(suspectNs: 3 * Second, failNs: 7 * Second);
        table.Join(Request(2), 0);
        for (uint frames = 1; frames < 20; frames++)
        {
            table.Pass(4 * Second, Self);
            Assert.Equal(MemberState.Suspect, table[0].State);
            table.Hear(0, frames);
            Assert.Equal((-1, MemberState.Alive), (table.NextFailure(), table[0].State));
        }

        table.Hear(0, 19);
        table.Pass(8 * Second, Self);
        table.Hear(0, 19);
        Assert.Equal(0, table.NextFailure());
    }

    [Fact]
    public void A_failed_life_is_fenced_until_it_joins_as_another_and_an_unknown_one_has_to_join()
    {
        MembershipTable table = new();
        Assert.Equal(Errno.ENOENT, table.Heartbeat(Beat(2)));
        table.Join(Request(2), 0);
        table.Pass(60 * Second, Self);
        Assert.Equal(0, table.NextFailure());

        Assert.Equal(Errno.ESRCH, table.Heartbeat(Beat(2)));
        Assert.Equal(JoinOutcome.GivenUp, table.Join(Request(2), 0));
        Assert.False(table.IsAlive(2));
        Assert.Equal(JoinOutcome.Joined, table.Join(Request(2, incarnation: 8), 0));
        Assert.True(table.IsAlive(2));
        Assert.Equal(1, table.Count);
        Assert.Equal(Errno.ENOENT, table.Heartbeat(Beat(2)));
    }

    [Fact]
    public void A_repeated_join_changes_nothing_and_a_reboot_replaces()
    {
        MembershipTable table = new();
        table.Join(Request(2), 0);
        uint epoch = table.Epoch;
        Assert.Equal(JoinOutcome.Known, table.Join(Request(2), 0));
        Assert.Equal(epoch, table.Epoch);
        Assert.Equal(JoinOutcome.Replaced, table.Join(Request(2, incarnation: 9), 0));
        Assert.Equal(epoch + 1, table.Epoch);
    }

    [Fact]
    public void A_manager_that_rebooted_takes_up_from_the_highest_epoch_that_a_member_knows()
    {
        MembershipTable table = new();
        table.Join(Request(2), knownEpoch: 500);
        Assert.Equal(501u, table.Epoch);
        table.Join(Request(3), knownEpoch: 3);
        Assert.Equal(502u, table.Epoch);
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        MembershipTable table = new();
        Assert.Equal(JoinOutcome.Refused, table.Join(Request(0), 0));
        JoinRequest strange = Request(2);
        strange.Kind = (ComponentKind)77;
        Assert.Equal(JoinOutcome.Refused, table.Join(in strange, 0));

        for (ushort node = 1; node <= MembershipTable.MaxMembers; node++)
        {
            Assert.Equal(JoinOutcome.Joined, table.Join(Request(node), 0));
        }

        Assert.Equal(JoinOutcome.Refused, table.Join(Request(MembershipTable.MaxMembers + 1), 0));
    }

    [Fact]
    public void The_manager_itself_never_ages()
    {
        MembershipTable table = new();
        table.Join(Request(Self, kind: ComponentKind.Manager), 0);
        table.Pass(1000 * Second, Self);
        Assert.Equal(-1, table.NextFailure());
        Assert.True(table.IsAlive(Self));
    }

    [Fact]
    public unsafe void The_written_membership_reads_back()
    {
        MembershipTable table = new();
        table.Join(Request(2), 0);
        table.Join(Request(3, kind: ComponentKind.Storage), 0);
        byte[] bytes = new byte[256];
        int length = table.Write(bytes);
        Assert.Equal(sizeof(JoinReply) + (2 * sizeof(MemberRecord)), length);
        JoinReply head = MemoryMarshal.Read<JoinReply>(bytes);
        Assert.Equal(table.Epoch, head.Epoch);
        Assert.Equal(2u, head.Count);
        MemberRecord second = MemoryMarshal.Read<MemberRecord>(bytes.AsSpan(sizeof(JoinReply) + sizeof(MemberRecord)));
        Assert.Equal(3, second.Node);
        Assert.Equal(ComponentKind.Storage, second.Kind);
        Assert.Equal(MemberState.Alive, second.State);
        Assert.Equal(0, table.Write(bytes.AsSpan(0, length - 1)));
    }

    [Fact]
    public void A_table_is_complete_when_everybody_who_is_expected_has_joined()
    {
        MembershipTable table = new();
        table.Expect(ComponentKind.Memory, 3);
        Assert.Equal((false, true, false), (table.IsComplete, table.Has(ComponentKind.Memory), table.IsAlive(3)));
        Assert.Equal(JoinOutcome.Joined, table.Join(Request(3), 0));
        Assert.Equal((true, true), (table.IsComplete, table.IsAlive(3)));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(5, true)]
    public void Who_never_joins_is_given_up_by_a_manager_that_is_new_in_an_old_rack_and_awaited_while_the_rack_boots(
        uint knownEpoch, bool isGivenUp)
    {
        MembershipTable table = new(suspectNs: 10, failNs: 20);
        table.Expect(ComponentKind.Memory, 3);
        table.Join(Request(4), knownEpoch);
        table.Pass(30, self: 4);
        Assert.Equal(isGivenUp ? 0 : -1, table.NextFailure());
        Assert.Equal(isGivenUp, table.IsComplete);
    }

    private static JoinRequest Request(ushort node, uint incarnation = 7, ComponentKind kind = ComponentKind.Memory) =>
        new() { Node = node, Kind = kind, Incarnation = incarnation, CapacityBytes = 1 << 30 };

    private static HeartbeatRequest Beat(ushort node) => new() { Self = Request(node), FreeBytes = 1 << 29 };
}
