using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Common.Control;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Common;

public sealed unsafe class ControlServerTests : IDisposable
{
    private static bool s_left;
    private static Errno s_leftWith;

    private readonly HostFrames _frames = new(megabytes: 4);
    private readonly FakeChannel _channel = new();
    private readonly ControlTransmitter _transmitter;
    private readonly ControlServer _server;
    private readonly FakeService _service = new();

    public ControlServerTests()
    {
        s_left = false;
        Scheduler.ForgetSpawned();
        _transmitter = new ControlTransmitter(_channel, _frames.Allocator);
        _server = new ControlServer(_channel, _transmitter, _frames.Allocator, "memory"u8, "m0"u8, &Leave);
        _server.Add(_service);
    }

    public void Dispose() => _frames.Dispose();

    [Fact]
    public void Hello_is_answered_only_once_the_component_is_ready()
    {
        _service.Ready = false;
        _channel.Feed(ControlFrameType.Hello, 0, 1, 0, 0, 0);
        PollUntilIdle();
        Assert.Empty(_channel.Take());

        _service.Ready = true;
        PollUntilIdle();
        SentFrame reply = Assert.Single(_channel.Take());
        Assert.Equal(ControlFrameType.HelloReply, reply.Type);
        Assert.Equal(ControlFrame.ProtocolVersion, reply.Number(0));
        Assert.Equal("memory m0 ready", reply.Text[4..]);
    }

    [Fact]
    public void Frames_that_arrive_byte_by_byte_are_answered()
    {
        _channel.Piece = 1;
        _channel.Feed(ControlFrameType.Ping, 5, 1, 2, 3);
        _channel.Feed(ControlFrameType.Statistics, 6);
        PollUntilIdle();
        List<SentFrame> frames = _channel.Take();
        Assert.Equal([ControlFrameType.Pong, ControlFrameType.StatisticsReply], frames.Select(frame => frame.Type));
        Assert.Equal(new byte[] { 1, 2, 3 }, frames[0].Payload);
        Assert.Equal(5, frames[0].Session);
        Assert.Contains("memory.frames_used 42\n", frames[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Frames_of_a_service_reach_it_and_unknown_ones_are_dropped()
    {
        _channel.Feed(ControlFrameType.List, 3);
        _channel.Feed((ControlFrameType)999, 3, 1);
        _channel.Feed(ControlFrameType.Ping, 1);
        PollUntilIdle();
        Assert.Equal([ControlFrameType.List], _service.Seen);
        Assert.Equal(ControlFrameType.Pong, Assert.Single(_channel.Take()).Type);
    }

    [Fact]
    public void After_an_impossible_length_nothing_is_believed_until_the_tool_reconnects()
    {
        _channel.FeedRaw(0xFF, 0xFF, 0xFF, 0xFF);
        _channel.Feed(ControlFrameType.Ping, 1);
        PollUntilIdle();
        _channel.Feed(ControlFrameType.Ping, 2);
        PollUntilIdle();
        Assert.Empty(_channel.Take());

        _channel.Attached = false;
        PollUntilIdle();
        Assert.True(_service.SawDisconnect);
        _channel.Attached = true;
        PollUntilIdle();
        _channel.Feed(ControlFrameType.Ping, 3);
        PollUntilIdle();
        Assert.Equal(3, Assert.Single(_channel.Take()).Session);
    }

    [Fact]
    public void Bulk_leaves_room_for_answers_and_order_survives_a_slow_reader()
    {
        _channel.Room = 0;
        byte[] block = new byte[30000];
        int queued = 0;
        while (_transmitter.TryQueue(ControlFrameType.StandardOutput, 1, Fill(block, queued), default, ControlPriority.Bulk))
        {
            queued++;
        }

        Assert.InRange(queued, 2, ControlTransmitter.CapacityBytes / block.Length);
        _channel.Feed(ControlFrameType.Ping, 9);
        PollUntilIdle();
        while (_transmitter.Waiting > 0)
        {
            _channel.Room = 777;
            PollUntilIdle();
        }

        List<SentFrame> frames = _channel.Take();
        Assert.Equal(queued + 1, frames.Count);
        for (int index = 0; index < queued; index++)
        {
            Assert.All(frames[index].Payload, value => Assert.Equal((byte)index, value));
        }

        Assert.Equal(ControlFrameType.Pong, frames[queued].Type);
    }

    [Fact]
    public void A_question_whose_answer_finds_no_room_is_asked_again_later()
    {
        _channel.Room = 0;
        int pings = 0;
        for (int round = 0; round < 40; round++)
        {
            _channel.Feed(ControlFrameType.Ping, (ushort)round, new byte[20000]);
            pings++;
        }

        PollUntilIdle();
        _channel.Room = int.MaxValue;
        PollUntilIdle();
        List<SentFrame> frames = _channel.Take();
        Assert.Equal(pings, frames.Count);
        Assert.Equal(Enumerable.Range(0, pings), frames.Select(frame => (int)frame.Session));
    }

    [Fact]
    public void Shutdown_writes_back_before_it_leaves()
    {
        _channel.Feed(ControlFrameType.Shutdown, 0);
        PollUntilIdle();
        Assert.False(s_left);
        Assert.True(Scheduler.RunSpawned());
        Assert.True(_service.WroteBack);
        Assert.True(s_left);
        Assert.Equal(Errno.None, s_leftWith);
    }

    [Fact]
    public void A_shutdown_that_loses_bytes_does_not_leave_as_if_all_were_well()
    {
        _service.ShutdownStatus = Errno.ENOSPC;
        _channel.Feed(ControlFrameType.Shutdown, 0);
        PollUntilIdle();
        Assert.True(Scheduler.RunSpawned());
        Assert.True(s_left);
        Assert.Equal(Errno.ENOSPC, s_leftWith);
    }

    private static void Leave(Errno error)
    {
        s_left = true;
        s_leftWith = error;
    }

    private static byte[] Fill(byte[] block, int value)
    {
        Array.Fill(block, (byte)value);
        return block;
    }

    private void PollUntilIdle()
    {
        const int Rounds = 2000;
        for (int round = 0; round < Rounds; round++)
        {
            _server.Poll();
        }
    }

    private sealed class FakeService : ControlService
    {
        public bool Ready { get; set; } = true;

        public bool SawDisconnect { get; private set; }

        public bool WroteBack { get; private set; }

        public List<ControlFrameType> Seen { get; } = [];

        public override bool IsReady => Ready;

        public override ControlDisposition TryHandle(scoped in ControlFrame frame)
        {
            if (frame.Type != ControlFrameType.List)
            {
                return ControlDisposition.NotMine;
            }

            Seen.Add(frame.Type);
            return ControlDisposition.Done;
        }

        public override void Report(ref StatisticsWriter writer) => writer.Add("memory.frames_used"u8, 42);

        public override void Disconnected() => SawDisconnect = true;

        public Errno ShutdownStatus { get; set; }

        public override Errno Shutdown()
        {
            WroteBack = true;
            return ShutdownStatus;
        }
    }
}
