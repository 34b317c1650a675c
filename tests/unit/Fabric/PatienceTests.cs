// What a call does while its answer does not come: classes that are full, peers that are slow, silent or busy with others, machines that
// stood still. The clock is the test's: it moves with each look at the links.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class PatienceTests : IDisposable
{
    private const ulong Second = 1_000_000_000;

    private readonly FabricFixture _rack = new FabricFixture().Join();
    private readonly MovingClock _clock = new();
    private readonly System.Collections.Generic.List<byte[]> _payloads = [];

    public PatienceTests()
    {
        _rack.Service.ReplyBytes = 0;
        _rack.Call(0, 0, 8);
        Clock.Frozen = 1000 * Second;
        Poller.Reset();
        Poller.Register(_clock);
        Poller.Register(_rack.One);
    }

    public void Dispose()
    {
        Clock.Frozen = null;
        _rack.Dispose();
    }

    [Fact]
    public void A_class_that_is_full_holds_back_no_other()
    {
        byte[] output = new byte[32 * 1024];
        PendingCall* last = null;
        for (int count = 0; count < 20; count++)
        {
            last = Begin(RpcClass.Stream, output);
        }

        Assert.Equal(CallState.Queued, last->State);
        RpcClass[] others = [RpcClass.DemandFetch, RpcClass.WriteBack, RpcClass.Prefetch, RpcClass.Background, RpcClass.Liveness];
        foreach (RpcClass other in others)
        {
            Assert.Equal(CallState.Sent, Begin(other, new byte[1000])->State);
        }

        Assert.Equal(CallState.Sent, Begin(RpcClass.Transfer, new byte[60_000])->State);
    }

    [Fact]
    public void A_long_call_at_the_head_of_a_queue_does_not_keep_others_from_their_room()
    {
        for (int count = 0; count < 8; count++)
        {
            Begin(RpcClass.DemandFetch, new byte[36_000]);
        }

        Assert.Equal(CallState.Sent, Begin(RpcClass.WriteBack, new byte[4096])->State);
        Poller.Register(_rack.Two);
        Assert.Equal(Errno.None, _rack.One.Complete(Begin(RpcClass.Background, new byte[100]), out _));
    }

    [Fact]
    public void A_heartbeat_leaves_at_once_when_every_other_class_is_full()
    {
        for (RpcClass others = RpcClass.DemandFetch; others < RpcClass.Liveness; others++)
        {
            while (Begin(others, new byte[7000])->State == CallState.Sent)
            {
            }
        }

        Assert.Equal(CallState.Sent, Begin(RpcClass.Liveness, new byte[40])->State);
    }

    [Fact]
    public void A_call_does_not_time_out_while_its_peer_sends_anything_at_all()
    {
        _clock.At(1060 * Second, () => Poller.Register(_rack.Two));
        _clock.Every(5 * Second, () => _rack.Two.Begin(1, Opcode.Echo, FabricFixture.Context, default, default, default));
        Assert.Equal(Errno.None, _rack.Call(1, 0, 8));
        Assert.True(Clock.NowNs() > 1060 * Second);
    }

    [Fact]
    public void A_queued_call_does_not_time_out_because_of_its_own_window()
    {
        // Probes are answered, requests stay with the target for ever.
        RpcEndpoint slow = new(2, _rack.Frames, 1, 9);
        slow.Attach(1, _rack.RingAtTwo!);
        _rack.Service.Defers = true;
        slow.Register((byte)((int)Opcode.Map >> 8), _rack.Service);
        Poller.Register(slow);
        // The first call is how its reboot is noticed.
        Assert.Equal(Errno.EHOSTDOWN, _rack.Call(1, 0, 8));
        PendingCall* call = Begin(RpcClass.Stream, new byte[30_000]);
        while (call->State != CallState.Queued)
        {
            call = Begin(RpcClass.Stream, new byte[30_000]);
        }

        _clock.At(1100 * Second, () => _rack.One.MarkDown(2, slow.Incarnation));
        Assert.Equal(Errno.EHOSTDOWN, _rack.One.Complete(call, out _));
        Assert.True(Clock.NowNs() >= 1100 * Second);
        Scheduler.ForgetSpawned();
    }

    [Fact]
    public void A_silent_peer_times_out_the_calls_under_way_and_those_that_wait()
    {
        PendingCall* sent = Begin(RpcClass.Stream, new byte[30_000]);
        PendingCall* queued = sent;
        while (queued->State != CallState.Queued)
        {
            queued = Begin(RpcClass.Stream, new byte[30_000]);
        }

        Assert.Equal(Errno.ETIMEDOUT, _rack.One.Complete(queued, out _));
        Assert.InRange(Clock.NowNs(), 1020 * Second, 1022 * Second);
        Assert.Equal(Errno.ETIMEDOUT, _rack.One.Complete(sent, out _));
        Assert.InRange(Clock.NowNs(), 1040 * Second, 1043 * Second);
    }

    [Fact]
    public void A_machine_that_stood_still_does_not_take_that_time_for_its_peers_silence()
    {
        _clock.At(1001 * Second, () => Clock.Frozen += 600 * Second);
        _clock.At(1615 * Second, () => Poller.Register(_rack.Two));
        Assert.Equal(Errno.None, _rack.Call(1, 0, 8));
    }

    [Fact]
    public void A_call_whose_reply_found_no_room_at_the_target_ends_with_ENOBUFS()
    {
        RpcEndpoint lossy = new(2, _rack.Frames, 0, 9);
        lossy.Attach(1, new ReplyEater(_rack.RingAtTwo!));
        lossy.Register((byte)((int)Opcode.Map >> 8), _rack.Service);
        Poller.Register(lossy);
        // The first call is how its reboot is noticed.
        Assert.Equal(Errno.EHOSTDOWN, _rack.Call(1, 0, 8));
        Assert.Equal(Errno.ENOBUFS, _rack.Call(2, 0, 8));
        Assert.Equal(1, _rack.Service.Executions[2]);
    }

    private PendingCall* Begin(RpcClass wanted, byte[] payload)
    {
        RpcContext context = new() { Class = wanted };
        ulong number = 0;
        byte[] pinned = GC.AllocateUninitializedArray<byte>(payload.Length, pinned: true);
        FabricFixture.Payload(number, payload.Length).CopyTo(pinned, 0);
        _payloads.Add(pinned);
        return _rack.One.Begin(2, Opcode.Map, context, in number, pinned, default);
    }

    /// <summary>Ten milliseconds for each look; what a test wants done at a time.</summary>
    private sealed class MovingClock : PollSource
    {
        private readonly System.Collections.Generic.List<(ulong Time, Action Action)> _due = [];

        public void At(ulong time, Action action) => _due.Add((time, action));

        public void Every(ulong periodNs, Action action) => At(Clock.NowNs() + periodNs, () =>
        {
            action();
            Every(periodNs, action);
        });

        public override bool Poll()
        {
            Clock.Frozen += 10_000_000;
            foreach ((ulong time, Action action) in _due.FindAll(due => due.Time <= Clock.Frozen))
            {
                _due.Remove((time, action));
                action();
            }

            return false;
        }
    }

    /// <summary>A reliable link that loses the replies all the same.</summary>
    private sealed class ReplyEater(Link inner) : Link
    {
        public override int MaxFrameBytes => inner.MaxFrameBytes;

        public override int WindowBytes => inner.WindowBytes;

        public override LinkTraits Traits => inner.Traits;

        public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
            (MessageKind)header[5] == MessageKind.Reply || inner.TrySend(destinationNode, header, a, b);

        public override bool TryReceive(out ReadOnlySpan<byte> frame) => inner.TryReceive(out frame);

        public override void Release() => inner.Release();
    }
}
