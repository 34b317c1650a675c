// A component's membership against a manager made of C#: two endpoints over a local link.

using System;
using System.Runtime.InteropServices;
using Lego.Common.Membership;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Common;

public sealed unsafe class MembershipClientTests : IDisposable
{
    private const ushort Node = 2;
    private const ushort ManagerNode = 4;

    private readonly HostFrames _frames = new(megabytes: 8);
    private readonly RpcEndpoint _component;
    private readonly RpcEndpoint _manager;
    private readonly FakeManager _rack = new();
    private readonly MembershipClient _client;
    private readonly CountedLife _life = new();

    public MembershipClientTests()
    {
        Poller.Reset();
        Scheduler.ForgetSpawned();
        FrameAllocator frames = _frames.Allocator;
        Assert.Equal(Errno.None, LocalLink.CreatePair(frames, Node, ManagerNode, out RingLink? low, out RingLink? high));
        _component = new RpcEndpoint(Node, frames, 0, 5);
        _manager = new RpcEndpoint(ManagerNode, frames, 0);
        _component.Attach(ManagerNode, low!);
        _manager.Attach(Node, high!);
        _manager.Register(MembershipClient.OpcodeGroup, _rack);
        JoinRequest self = new() { Node = Node, Kind = ComponentKind.Memory, CapacityBytes = 1000 };
        _client = new MembershipClient(_component, ManagerNode, in self, new FixedLoad(), _life);
        _component.Register(MembershipClient.OpcodeGroup, _client);
        Poller.Register(_component);
        Poller.Register(_manager);
    }

    public void Dispose()
    {
        Poller.Reset();
        _frames.Dispose();
    }

    [Fact]
    public void Joining_takes_over_the_membership_and_its_epoch()
    {
        Assert.Equal(Errno.None, _client.Join());
        Assert.True(_client.Joined);
        Assert.Equal(7u, _client.Epoch);
        Assert.Equal(7u, _component.Epoch);
        Assert.Equal(MemberState.Alive, _client.StateOf(Node));
        Assert.Equal(MemberState.Failed, _client.StateOf(99));
        Assert.Equal((5u, 1000ul), (_rack.LastJoin.Incarnation, _rack.LastJoin.CapacityBytes));
    }

    [Fact]
    public void A_heartbeat_carries_the_load()
    {
        _client.Join();
        Assert.Equal(Errno.None, _client.Beat());
        Assert.Equal((600ul, 3u), (_rack.LastBeat.FreeBytes, _rack.LastBeat.Threads));
    }

    [Fact]
    public void A_life_that_was_given_up_ends_what_it_has_and_comes_back_under_another_name()
    {
        _client.Join();
        _rack.BeatStatus = Errno.ESRCH;
        Assert.Equal(Errno.ESRCH, _client.Beat());
        Assert.False(_client.Joined);
        _life.AtEnd = () =>
        {
            // Nothing that the former life still tries gets out.
            Assert.Equal(Errno.ESTALE, _component.Call(ManagerNode, Opcode.Echo, default, default, default, default, out _));
        };
        _client.StartAnew();
        Assert.Equal(1, _life.Ends);
        Assert.Equal(Errno.None, _client.Join());
        Assert.Equal(101u, _rack.LastJoin.Incarnation);
        Assert.True(_client.Joined);
    }

    [Fact]
    public void A_manager_that_rebooted_is_joined_again_by_the_same_life()
    {
        _client.Join();
        _rack.BeatStatus = Errno.ENOENT;
        Assert.Equal(Errno.ENOENT, _client.Beat());
        Assert.False(_client.Joined);
        Assert.Equal(Errno.None, _client.Join());
        Assert.Equal((5u, 0), (_rack.LastJoin.Incarnation, _life.Ends));
    }

    [Fact]
    public void A_push_is_taken_over_an_older_one_is_not_and_nonsense_is_refused()
    {
        _client.Join();
        _manager.Epoch = 9;
        Assert.Equal(Errno.None, Push(FakeManager.Membership(9, MemberState.Failed)));
        Assert.Equal(9u, _component.Epoch);
        Assert.Equal(MemberState.Failed, _client.StateOf(Node));
        Assert.Equal(Errno.None, Push(FakeManager.Membership(8, MemberState.Alive)));
        Assert.Equal(9u, _component.Epoch);
        Assert.Equal(MemberState.Failed, _client.StateOf(Node));

        Assert.Equal(Errno.EINVAL, Push([1, 2, 3]));
        Assert.Equal(Errno.EINVAL, Push(FakeManager.Membership(10, MemberState.Alive)[..^1]));
        byte[] manyMembers = FakeManager.Membership(10, MemberState.Alive);
        BitConverter.TryWriteBytes(manyMembers.AsSpan(sizeof(uint)), uint.MaxValue);
        Assert.Equal(Errno.EINVAL, Push(manyMembers));
        Assert.Equal(9u, _component.Epoch);
    }

    [Fact]
    public void A_component_that_missed_a_push_learns_the_epoch_from_its_next_heartbeat()
    {
        _client.Join();
        _rack.Epoch = 12;
        _manager.Epoch = 12;
        Assert.Equal(Errno.None, _client.Beat());
        Assert.Equal(12u, _component.Epoch);
    }

    private Errno Push(byte[] body) => _manager.Call(Node, Opcode.Membership, default, body, default, default, out _);

    private sealed class FixedLoad : LoadSource
    {
        public override void Measure(out ComponentLoad load) => load = new ComponentLoad { FreeBytes = 600, Threads = 3 };
    }

    private sealed class CountedLife() : ComponentLife(null)
    {
        private uint _names = 100;

        public int Ends { get; private set; }

        public Action? AtEnd { get; set; }

        public override uint NewIncarnation() => ++_names;

        public override void End()
        {
            Ends++;
            AtEnd?.Invoke();
        }
    }

    private sealed class FakeManager : RpcService
    {
        public JoinRequest LastJoin;
        public HeartbeatRequest LastBeat;

        public uint Epoch { get; set; } = 7;

        public Errno BeatStatus { get; set; }

        public static byte[] Membership(uint epoch, MemberState state, uint incarnation = 0)
        {
            byte[] body = new byte[sizeof(JoinReply) + sizeof(MemberRecord)];
            MemoryMarshal.Write(body, new JoinReply { Epoch = epoch, Count = 1 });
            MemberRecord member = new() { Node = Node, Kind = ComponentKind.Memory, State = state, Incarnation = incarnation };
            MemoryMarshal.Write(body.AsSpan(sizeof(JoinReply)), member);
            return body;
        }

        public override RpcDisposition TryHandle(ref RpcRequest request)
        {
            Errno status = Errno.None;
            if (request.Opcode == Opcode.Join)
            {
                Assert.True(request.TryReadHead(out LastJoin, out _));
            }
            else
            {
                Assert.True(request.TryReadHead(out LastBeat, out _));
                status = BeatStatus;
            }

            byte[] body = Membership(Epoch, MemberState.Alive);
            request.Reply(status, status == Errno.None ? body : default);
            return RpcDisposition.Done;
        }
    }
}
