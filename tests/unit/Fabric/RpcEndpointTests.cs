// Two endpoints over in-memory rings, clean and faulty: the RPC layer's promises, above all that nothing is executed twice.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class RpcEndpointTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(MessageHeader.MaxBodyBytes)]
    public void Echo_returns_the_request_body(int lengthBytes)
    {
        using FabricFixture rack = new FabricFixture().Join();
        byte[] body = FabricFixture.Payload(3, lengthBytes);
        byte[] reply = new byte[lengthBytes];
        Errno status = rack.One.Call(2, Opcode.Echo, FabricFixture.Context, body, default, reply, out int length);
        Assert.Equal(Errno.None, status);
        Assert.Equal(lengthBytes, length);
        Assert.Equal(body, reply);
    }

    [Fact]
    public void Calls_of_every_size_arrive_whole_and_once()
    {
        using FabricFixture rack = new FabricFixture().Join();
        Random random = new(1);
        for (ulong number = 1; number <= 3000; number++)
        {
            rack.Service.ReplyBytes = random.Next(0, 30000);
            Assert.Equal(Errno.None, rack.Call(number, random.Next(0, 30000), 30000));
        }

        Assert.Equal(3000, rack.Service.Executions.Count);
        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
        Assert.Equal(3000UL, rack.One.RequestsOf(Opcode.Map));
        Assert.Equal(3000UL, rack.Two.ServedOf(Opcode.Map));
        Assert.Equal(0UL, rack.One.Retransmissions);
    }

    [Fact]
    public void A_reply_longer_than_the_callers_buffer_is_EMSGSIZE()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Service.ReplyBytes = 100;
        Assert.Equal(Errno.EMSGSIZE, rack.Call(1, 0, 99));
        Assert.Equal(Errno.None, rack.Call(2, 0, 100));
    }

    [Fact]
    public void A_request_body_beyond_the_limit_is_EMSGSIZE_and_is_not_sent()
    {
        using FabricFixture rack = new FabricFixture().Join();
        Assert.Equal(Errno.EMSGSIZE, rack.Call(1, MessageHeader.MaxBodyBytes, 8));
        Assert.Equal(0UL, rack.One.RequestsOf(Opcode.Map));
    }

    [Fact]
    public void A_group_that_nobody_serves_answers_EOPNOTSUPP()
    {
        using FabricFixture rack = new FabricFixture().Join();
        Errno status = rack.One.Call(2, Opcode.Open, FabricFixture.Context, default, default, default, out _);
        Assert.Equal(Errno.EOPNOTSUPP, status);
    }

    [Fact]
    public void An_unknown_peer_is_EHOSTUNREACH_and_a_failed_one_EHOSTDOWN_at_once()
    {
        using FabricFixture rack = new FabricFixture().Join();
        Assert.Equal(Errno.EHOSTUNREACH, rack.One.Call(9, Opcode.Echo, FabricFixture.Context, default, default, default, out _));
        rack.One.MarkDown(2, rack.Two.Incarnation);
        Assert.Equal(Errno.EHOSTDOWN, rack.Call(1, 0, 8));
        rack.One.MarkUp(2, rack.Two.Incarnation);
        Assert.Equal(Errno.None, rack.Call(2, 0, 8));
    }

    [Fact]
    public void Calls_under_way_to_a_peer_that_fails_end_with_EHOSTDOWN()
    {
        using FabricFixture rack = new FabricFixture().Join();
        Poller.Reset();
        ulong number = 5;
        PendingCall* call = rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        Assert.False(call->IsDone);
        rack.One.MarkDown(2, rack.Two.Incarnation);
        Assert.Equal(Errno.EHOSTDOWN, rack.One.Complete(call, out _));
    }

    [Fact]
    public void A_silent_peer_is_ETIMEDOUT()
    {
        using FabricFixture rack = new FabricFixture().Join();
        Poller.Reset();
        rack.One.TimeoutNs = 5_000_000;
        Assert.Equal(Errno.ETIMEDOUT, rack.Call(1, 0, 8));
        Poller.Register(rack.One);
        Poller.Register(rack.Two);
        rack.One.TimeoutNs = 5_000_000_000;
        Assert.Equal(Errno.None, rack.Call(2, 0, 8));
    }

    [Fact]
    public void A_request_with_an_old_epoch_is_refused_and_not_executed()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.One.Epoch = 3;
        rack.Two.Epoch = 4;
        Assert.Equal(Errno.ESTALE, rack.Call(1, 0, 8));
        Assert.Empty(rack.Service.Executions);
        Assert.True(rack.Two.RefusedEpoch >= 1);
        rack.One.Epoch = 5;
        Assert.Equal(Errno.None, rack.Call(2, 0, 8));
    }

    [Fact]
    public void A_refused_request_is_sent_again_when_the_epoch_becomes_known()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Two.Epoch = 4;
        ulong number = 6;
        PendingCall* call = rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        Poller.PollAll();
        Poller.PollAll();
        Assert.False(call->IsDone);
        rack.One.Epoch = 4;
        rack.Service.ReplyBytes = 0;
        Assert.Equal(Errno.None, rack.One.Complete(call, out _));
        Assert.Equal(1, rack.Service.Executions[6]);
    }

    [Fact]
    public void Join_is_served_whatever_the_epoch()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Two.Register(5, rack.Service);
        rack.Two.Epoch = 9;
        ulong number = 1;
        Assert.Equal(Errno.None, rack.One.Call(2, Opcode.Join, FabricFixture.Context, in number, default, new byte[8], out _));
    }

    [Fact]
    public void Deferred_requests_run_later_with_their_body_intact_and_may_call_others()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Service.Defers = true;
        int echoes = 0;
        rack.Service.WhileHandling = () =>
        {
            Errno status = rack.Two.Call(1, Opcode.Echo, FabricFixture.Context, default, default, default, out _);
            echoes += status == Errno.None ? 1 : 0;
        };
        for (ulong number = 1; number <= 100; number++)
        {
            Assert.Equal(Errno.None, rack.Call(number, (int)number * 500, 8));
        }

        Assert.Equal(100, echoes);
        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
    }

    [Fact]
    public void Requests_beyond_the_deferral_buffers_are_turned_away_and_come_back()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Service.Defers = true;
        rack.Service.ReplyBytes = 0;
        PendingCall*[] calls = new PendingCall*[60];
        for (ulong number = 0; number < 60; number++)
        {
            calls[number] = rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        }

        foreach (PendingCall* call in calls)
        {
            Assert.Equal(Errno.None, rack.One.Complete(call, out _));
        }

        Assert.Equal(60, rack.Service.Executions.Count);
        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
    }

    [Fact]
    public void More_calls_than_the_window_wait_and_all_are_answered()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Service.ReplyBytes = 0;
        PendingCall*[] calls = new PendingCall*[500];
        for (ulong number = 0; number < 500; number++)
        {
            calls[number] = rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        }

        foreach (PendingCall* call in calls)
        {
            Assert.Equal(Errno.None, rack.One.Complete(call, out _));
        }

        Assert.Equal(500, rack.Service.Executions.Count);
    }

    [Fact]
    public void When_the_window_is_full_the_more_urgent_class_goes_first()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Service.ReplyBytes = 0;
        PendingCall*[] calls = new PendingCall*[160];
        RpcClass[] classes = [RpcClass.Background, RpcClass.Prefetch, RpcClass.WriteBack, RpcClass.DemandFetch];
        for (ulong number = 0; number < 160; number++)
        {
            RpcContext context = new() { Class = classes[number / 40] };
            calls[number] = rack.One.Begin(2, Opcode.Map, context, in number, default, default);
        }

        foreach (PendingCall* call in calls)
        {
            Assert.Equal(Errno.None, rack.One.Complete(call, out _));
        }

        // The first background requests left before anything else existed; after that the classes go in order of urgency.
        int lastDemand = rack.Service.Order.FindLastIndex(number => number >= 120);
        int lastBackground = rack.Service.Order.FindLastIndex(number => number < 40);
        Assert.True(lastDemand < lastBackground);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1514)]
    public void Under_loss_duplication_and_reordering_every_call_is_executed_exactly_once(int frameBytes)
    {
        for (ulong seed = 1; seed <= 6; seed++)
        {
            LossRates rates = new() { Drop = 60, Duplicate = 60, Hold = 60, Corrupt = 20 };
            using FabricFixture rack = new FabricFixture().Join(rates, seed, frameBytes);
            Random random = new((int)seed);
            for (ulong number = 1; number <= 150; number++)
            {
                rack.Service.ReplyBytes = random.Next(0, 3000);
                Assert.Equal(Errno.None, rack.Call(number, random.Next(0, 3000), 3000));
            }

            Assert.Equal(150, rack.Service.Executions.Count);
            Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
            Assert.True(rack.One.Retransmissions > 0);
            Assert.True(rack.Two.Duplicates > 0);
        }
    }

    [Fact]
    public void Under_loss_many_calls_at_once_are_executed_exactly_once()
    {
        LossRates rates = new() { Drop = 50, Duplicate = 50, Hold = 50, Corrupt = 20 };
        using FabricFixture rack = new FabricFixture().Join(rates, 99);
        rack.Service.ReplyBytes = 0;
        PendingCall*[] calls = new PendingCall*[400];
        for (ulong number = 0; number < 400; number++)
        {
            calls[number] = rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, default);
        }

        foreach (PendingCall* call in calls)
        {
            Assert.Equal(Errno.None, rack.One.Complete(call, out _));
        }

        Assert.Equal(400, rack.Service.Executions.Count);
        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
    }

    [Fact]
    public void Under_loss_deferred_and_fragmented_calls_are_executed_exactly_once()
    {
        LossRates rates = new() { Drop = 20, Duplicate = 20, Hold = 20 };
        using FabricFixture rack = new FabricFixture().Join(rates, 5, 9000);
        rack.Service.Defers = true;
        rack.Service.ReplyBytes = 65536;
        for (ulong number = 1; number <= 60; number++)
        {
            Assert.Equal(Errno.None, rack.Call(number, 60000, 65536));
        }

        Assert.Equal(60, rack.Service.Executions.Count);
        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
    }

    [Fact]
    public void A_service_that_runs_replays_sees_repeats_as_replays_only()
    {
        LossRates rates = new() { Drop = 100, Duplicate = 100 };
        using FabricFixture rack = new FabricFixture().Join(rates, 11);
        rack.Service.TakesReplays = true;
        rack.Service.ReplyBytes = 4096;
        for (ulong number = 1; number <= 100; number++)
        {
            Assert.Equal(Errno.None, rack.Call(number, 4096, 4096));
        }

        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
        Assert.True(rack.Service.Replays > 0);
    }

    [Fact]
    public void Remembered_replies_are_given_back_to_the_frame_allocator()
    {
        LossRates rates = new() { Drop = 30 };
        using FabricFixture rack = new FabricFixture().Join(rates, 3);
        rack.Service.ReplyBytes = 9000;
        Assert.Equal(Errno.None, rack.Call(1, 0, 9000));
        ulong free = rack.Frames.FreePages;
        for (ulong number = 2; number <= 200; number++)
        {
            Assert.Equal(Errno.None, rack.Call(number, 0, 9000));
        }

        Assert.Equal(free, rack.Frames.FreePages);
    }

    [Fact]
    public void A_component_without_memory_for_replies_executes_nothing_that_it_could_not_answer_twice()
    {
        LossRates rates = new() { Drop = 200, Duplicate = 100 };
        using FabricFixture rack = new FabricFixture().Join(rates, 7);
        rack.Service.ReplyBytes = 60_000;
        List<nint> taken = [];
        for (void* frame = rack.Frames.Allocate(); frame != null; frame = rack.Frames.Allocate())
        {
            taken.Add((nint)frame);
        }

        // One longest reply after the other: the reserve is enough.
        for (ulong number = 1; number <= 40; number++)
        {
            Assert.Equal(Errno.None, rack.Call(number, 100, 60_000));
        }

        // More of them at a time than the reserve holds: the others wait until they have their turn.
        PendingCall*[] calls = new PendingCall*[3];
        byte[] replies = GC.AllocateUninitializedArray<byte>(3 * 60_000, pinned: true);
        for (ulong number = 100; number < 103; number++)
        {
            Span<byte> reply = replies.AsSpan((int)(number - 100) * 60_000, 60_000);
            calls[number - 100] = rack.One.Begin(2, Opcode.Map, FabricFixture.Context, in number, default, reply);
        }

        foreach (PendingCall* call in calls)
        {
            Assert.Equal(Errno.None, rack.One.Complete(call, out _));
        }

        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
        Assert.True(rack.Two.Duplicates > 0);
        taken.ForEach(frame => rack.Frames.Free((void*)frame));
    }

    [Fact]
    public void Counters_are_reported_by_opcode_name()
    {
        using FabricFixture rack = new FabricFixture().Join();
        ulong before = Sent(rack.One);
        rack.Call(1, 0, 8);
        StatisticsWriter writer = new(new byte[4096]);
        rack.One.Report(ref writer);
        string text = System.Text.Encoding.ASCII.GetString(writer.Text);
        Assert.Contains("fabric.requests.Map 1\n", text);
        Assert.Contains("fabric.calls_to.2 2\n", text);
        Assert.Contains("fabric.retransmissions 0\n", text);
        Assert.Equal(before + 72, Sent(rack.One));
    }

    [Fact]
    public void Every_opcode_has_its_name_and_a_counter_of_its_own()
    {
        foreach (Opcode opcode in Enum.GetValues<Opcode>().Where(value => value != Opcode.None))
        {
            Assert.Equal(opcode.ToString(), System.Text.Encoding.ASCII.GetString(OpcodeNames.Of(opcode)));
            Assert.True((int)opcode >> 8 < OpcodeNames.GroupCount, opcode.ToString());
        }
    }

    private static ulong Sent(RpcEndpoint endpoint)
    {
        StatisticsWriter writer = new(new byte[4096]);
        endpoint.Report(ref writer);
        string line = System.Text.Encoding.ASCII.GetString(writer.Text).Split('\n')
            .Single(text => text.StartsWith("fabric.bytes_sent ", StringComparison.Ordinal));
        return ulong.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
