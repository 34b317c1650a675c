// Lives and their names: who is believed to be who, what becomes of what a former self has sent or was sent, however late it arrives.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class LivesTests : IDisposable
{
    private readonly FabricFixture _rack = new();
    private readonly Departures _departures = new();

    public LivesTests()
    {
        _rack.Two.Watch(_departures);
        _rack.Service.ReplyBytes = 0;
    }

    public void Dispose() => _rack.Dispose();

    [Fact]
    public void Strangers_meet_with_the_first_call()
    {
        _rack.Join(meet: false);
        Assert.Equal(0u, _rack.One.IncarnationOf(2));
        Assert.Equal(Errno.None, Call(_rack.One, 1));
        Assert.Equal((_rack.Two.Incarnation, _rack.One.Incarnation), (_rack.One.IncarnationOf(2), _rack.Two.IncarnationOf(1)));
        Assert.Empty(_departures.Nodes);
    }

    [Fact]
    public void A_call_to_a_component_that_boots_later_waits_for_it()
    {
        _rack.Join(meet: false);
        Poller.Reset();
        Poller.Register(_rack.One);
        ulong number = 1;
        PendingCall* call = _rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        Poller.PollAll();
        Assert.False(call->IsDone);
        Poller.Register(_rack.Two);
        Assert.Equal(Errno.None, _rack.One.Complete(call, out _));
    }

    [Fact]
    public void What_was_under_way_to_a_component_that_rebooted_ends_and_the_next_call_is_served()
    {
        _rack.Join();
        Poller.Reset();
        ulong number = 1;
        PendingCall* call = _rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        RpcEndpoint reborn = Boot(2, incarnation: 77, _rack.RingAtTwo!);
        reborn.Register((byte)((int)Opcode.Map >> 8), _rack.Service);
        Poller.Register(_rack.One);
        Poller.Register(reborn);
        // The request lies in the ring, meant for the former self: that is how the new one is noticed.
        Assert.Equal(Errno.EHOSTDOWN, _rack.One.Complete(call, out _));
        Assert.Equal(1UL, reborn.RefusedToFormerSelf);
        Assert.Empty(_rack.Service.Executions);
        Assert.Equal(Errno.None, Call(_rack.One, 2));
        Assert.Equal(77u, _rack.One.IncarnationOf(2));
    }

    [Fact]
    public void A_component_that_rebooted_begins_its_ids_anew_and_is_served()
    {
        _rack.Join();
        for (ulong number = 1; number <= 100; number++)
        {
            Call(_rack.One, number);
        }

        RpcEndpoint reborn = Boot(1, incarnation: 77, _rack.RingAtOne!);
        Poller.Reset();
        Poller.Register(reborn);
        Poller.Register(_rack.Two);
        Assert.Equal(Errno.None, Call(reborn, 101));
        Assert.Equal(1, _rack.Service.Executions[101]);
        Assert.Equal([(ushort)1], _departures.Nodes);
    }

    [Fact]
    public void A_frame_of_a_former_self_is_refused_and_counted_however_late_it_comes()
    {
        RecordingLink wire = JoinRecorded();
        Call(_rack.One, 1);
        byte[][] former = [.. wire.Sent];
        RpcEndpoint reborn = Boot(1, incarnation: 77, wire);
        Poller.Reset();
        Poller.Register(reborn);
        Poller.Register(_rack.Two);
        Assert.Equal(Errno.None, Call(reborn, 2));

        ulong before = _rack.Two.RefusedFromFormerSelf;
        foreach (byte[] frame in former)
        {
            wire.Repeat(frame);
            Poller.PollAll();
        }

        Assert.True(_rack.Two.RefusedFromFormerSelf > before);
        Assert.Equal(77u, _rack.Two.IncarnationOf(1));
        Assert.Equal(1, _rack.Service.Executions[1]);
        Assert.Equal(Errno.None, Call(reborn, 3));
        Assert.Equal([(ushort)1], _departures.Nodes);
    }

    [Fact]
    public void A_component_that_knows_nobody_yet_does_not_believe_a_former_selfs_greetings()
    {
        // All that the first life of 1 has sent to the first life of 2 reaches the second life of 2 before anything else does.
        RecordingLink wire = JoinRecorded();
        Call(_rack.One, 1);
        byte[][] former = [.. wire.Sent];
        RpcEndpoint second = Boot(2, incarnation: 88, _rack.RingAtTwo!);
        second.Register((byte)((int)Opcode.Map >> 8), _rack.Service);
        RpcEndpoint reborn = Boot(1, incarnation: 77, wire);
        Poller.Reset();
        Poller.Register(second);
        foreach (byte[] frame in former)
        {
            wire.Repeat(frame);
            Poller.PollAll();
        }

        Assert.Equal(0u, second.IncarnationOf(1));
        Assert.Equal(1, _rack.Service.Executions[1]);
        Poller.Register(reborn);
        Assert.Equal(Errno.None, Call(reborn, 2));
        Assert.Equal(77u, second.IncarnationOf(1));
    }

    [Fact]
    public void A_life_that_was_given_up_is_told_so_and_served_nothing_but_join_and_heartbeat()
    {
        _rack.Join();
        Call(_rack.One, 1);
        _rack.Two.MarkDown(1, _rack.One.Incarnation);
        _rack.Two.Epoch = 5;
        Assert.Equal([(ushort)1], _departures.Nodes);
        Assert.Equal(Errno.ESTALE, Call(_rack.One, 2));
        Assert.False(_rack.Service.Executions.ContainsKey(2));
        _rack.Two.Register((byte)((int)Opcode.Join >> 8), _rack.Service);
        ulong number = 3;
        Assert.Equal(Errno.None, _rack.One.Call(2, Opcode.Heartbeat, FabricFixture.Context, in number, default, default, out _));
        number = 4;
        Assert.Equal(Errno.None, _rack.One.Call(2, Opcode.Join, FabricFixture.Context, in number, default, default, out _));

        _rack.One.BeginLife(77);
        _rack.One.Epoch = 5;
        Assert.Equal(Errno.None, Call(_rack.One, 5));
        Assert.False(_rack.Two.IsDown(1));
        Assert.Equal([(ushort)1], _departures.Nodes);
    }

    [Fact]
    public void A_fenced_component_sends_nothing_but_what_the_membership_asks()
    {
        _rack.Join();
        ulong number = 1;
        PendingCall* call = _rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        _rack.One.Fence();
        Assert.Equal(Errno.ESTALE, _rack.One.Complete(call, out _));
        Assert.Equal(Errno.ESTALE, Call(_rack.One, 2));
        RpcContext liveness = new() { Class = RpcClass.Liveness };
        Assert.Equal(Errno.None, _rack.One.Call(2, Opcode.Echo, liveness, default, default, default, out _));
        _rack.One.BeginLife(77);
        Assert.Equal(Errno.None, Call(_rack.One, 3));
    }

    [Fact]
    public void The_failure_of_a_former_life_does_not_touch_the_present_one()
    {
        _rack.Join();
        uint former = _rack.One.Incarnation;
        _rack.One.BeginLife(77);
        Assert.Equal(Errno.None, Call(_rack.One, 1));
        Assert.Equal([(ushort)1], _departures.Nodes);
        _rack.Two.MarkDown(1, former);
        Assert.False(_rack.Two.IsDown(1));
        Assert.Equal(Errno.None, Call(_rack.One, 2));
        Assert.Equal([(ushort)1], _departures.Nodes);
    }

    [Fact]
    public void A_request_that_waits_for_a_worker_is_dropped_when_its_senders_life_has_ended()
    {
        _rack.Join();
        _rack.Service.Defers = true;
        bool ended = false;
        _rack.Service.WhileHandling = () =>
        {
            // The first request is being executed, the second waits behind it.
            if (!ended)
            {
                ended = true;
                _rack.Two.MarkDown(1, _rack.One.Incarnation);
            }
        };
        Poller.Reset();
        Begin(1);
        Begin(2);
        _rack.Two.Poll();
        _rack.One.BeginLife(77);
        Poller.Register(_rack.One);
        Poller.Register(_rack.Two);
        Assert.Equal(Errno.None, Call(_rack.One, 3));
        Assert.Equal([1UL, 3UL], _rack.Service.Order);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1514)]
    public void Under_loss_and_reordering_no_life_is_served_after_its_successor(int frameBytes)
    {
        for (ulong seed = 1; seed <= 4; seed++)
        {
            LossRates rates = new() { Drop = 100, Duplicate = 150, Hold = 300 };
            using FabricFixture rack = new();
            rack.Service.ReplyBytes = 0;
            rack.Join(rates, seed, frameBytes);
            RpcEndpoint client = rack.One;
            for (uint life = 1; life <= 40; life++)
            {
                for (ulong call = 0; call < 4; call++)
                {
                    ulong number = (life * 1000) + call;
                    Assert.Equal(Errno.None,
                        client.Call(2, Opcode.Map, FabricFixture.Context, in number, FabricFixture.Payload(number, 2000), default, out _));
                }

                client = new RpcEndpoint(1, rack.Frames, 0, 1000 + life);
                client.Attach(2, rack.LinkAtOne!);
                Poller.Reset();
                Poller.Register(client);
                Poller.Register(rack.Two);
            }

            Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
            Assert.Equal(rack.Service.Order.OrderBy(number => number / 1000), rack.Service.Order);
            Assert.True(rack.Two.RefusedFromFormerSelf > 0);
        }
    }

    private Errno Call(RpcEndpoint from, ulong number) =>
        from.Call(2, Opcode.Map, FabricFixture.Context, in number, default, default, out _);

    private void Begin(ulong number) => _rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);

    private RpcEndpoint Boot(ushort node, uint incarnation, Link link)
    {
        RpcEndpoint endpoint = new(node, _rack.Frames, 0, incarnation);
        endpoint.Attach((ushort)(3 - node), link);
        return endpoint;
    }

    private RecordingLink JoinRecorded()
    {
        Assert.Equal(Errno.None, LocalLink.CreatePair(_rack.Frames, 1, 2, out RingLink? low, out RingLink? high));
        RecordingLink wire = new(low!);
        _rack.One.Attach(2, wire);
        _rack.Two.Attach(1, high!);
        _rack.UseRings(low!, high!);
        return wire;
    }

    private sealed class Departures : PeerWatcher
    {
        public List<ushort> Nodes { get; } = [];

        public override void Departed(ushort node) => Nodes.Add(node);
    }

    /// <summary>Keeps what goes over it, to send it once more later.</summary>
    private sealed class RecordingLink(Link inner) : Link
    {
        public List<byte[]> Sent { get; } = [];

        public override int MaxFrameBytes => inner.MaxFrameBytes;

        public override int WindowBytes => inner.WindowBytes;

        public override LinkTraits Traits => inner.Traits;

        public void Repeat(byte[] frame) =>
            inner.TrySend(0, frame.AsSpan(0, MessageHeader.SizeBytes), frame.AsSpan(MessageHeader.SizeBytes), default);

        public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
        {
            Sent.Add([.. header, .. a, .. b]);
            return inner.TrySend(destinationNode, header, a, b);
        }

        public override bool TryReceive(out ReadOnlySpan<byte> frame) => inner.TryReceive(out frame);

        public override void Release() => inner.Release();
    }
}
