// Programs that are started, signalled, listed and ended through the control channel.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Manager;

public sealed unsafe class SessionTests : SessionFixture
{
    [Fact]
    public void A_program_is_placed_started_heard_and_its_status_reported()
    {
        Steps.Then(() => Programs.Started, () =>
        {
            Assert.Equal(Errno.None, Output(1, "out\n"));
            Assert.Equal(Errno.None, Output(2, "err\n"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh", "-c", "echo"], ["HOME=/"], "/tmp"));

        Assert.Equal("/tmp\0sh\0-c\0echo\0HOME=/\0", Programs.Strings);
        Assert.Equal((3u, 1u), (Programs.Request.ArgumentCount, Programs.Request.EnvironmentCount));
        Assert.Equal(MemoryNode, Programs.Request.Place.HomeMemory);
        Assert.Equal(StorageNode, Programs.Request.Place.Storage);
        List<SentFrame> frames = Channel.Take();
        Assert.Equal(
            [ControlFrameType.Started, ControlFrameType.StandardOutput, ControlFrameType.StandardError, ControlFrameType.Exited],
            frames.Select(frame => frame.Type).OrderBy(Order));
        SentFrame started = frames.Single(frame => frame.Type == ControlFrameType.Started);
        Assert.Equal((0u, FakeProcessor.ProcessId), (started.Number(0), started.Number(1)));
        Assert.Equal("err\n", frames.Single(frame => frame.Type == ControlFrameType.StandardError).Text);
        Assert.Equal(ExitStatus, frames[^1].Number(0));
        Assert.Equal(0, Manager.Sessions.InUse);
    }

    [Fact]
    public void A_program_that_cannot_start_gives_its_errno_and_frees_the_session()
    {
        Programs.StartStatus = Errno.ENOENT;
        RunSession(FakeChannel.Start(["missing"]));
        SentFrame started = Assert.Single(Channel.Take());
        Assert.Equal((uint)Errno.ENOENT, started.Number(0));
        Assert.Equal(0, Manager.Sessions.InUse);
    }

    [Fact]
    public void Without_a_storage_component_the_start_is_refused()
    {
        Manager.Members[Manager.Members.Find(StorageNode)].State = MemberState.Failed;
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal((uint)Errno.EHOSTDOWN, Assert.Single(Channel.Take()).Number(0));
    }

    [Fact]
    public void A_signal_reaches_the_processor()
    {
        Steps.Then(() => Programs.Started, () => Channel.Feed(ControlFrameType.Signal, 1, 2, 0, 0, 0));
        Steps.Then(() => Programs.Signals.Count == 1, Exit);
        RunSession(FakeChannel.Start(["sleep"]));
        Assert.Equal([(2, SignalScope.Foreground)], Programs.Signals);
    }

    [Fact]
    public void No_signal_is_lost_however_many_came_before_it()
    {
        Steps.Then(() => Programs.Started, () =>
        {
            for (int round = 0; round < 20; round++)
            {
                Channel.Feed(ControlFrameType.Signal, 1, 2, 0, 0, 0);
            }

            Channel.Feed(ControlFrameType.Signal, 1, 9, 0, 0, 0, 1, 0, 0, 0);
        });
        Steps.Then(() => Programs.Signals.Count == 2, Exit);
        RunSession(FakeChannel.Start(["sleep"]));
        Assert.Equal([(9, SignalScope.Session), (2, SignalScope.Foreground)], Programs.Signals);
    }

    [Fact]
    public void A_program_whose_processor_has_ended_is_lost_and_only_its_user_is_told()
    {
        Manager.Members.Join(new JoinRequest { Node = ProcessorNode + 20, Kind = ComponentKind.Processor, Incarnation = 1 }, 0);
        Steps.Then(() => Programs.Started, () => Channel.Feed(ControlFrameType.MachineEnded, 0, (byte)ProcessorNode, 0, 0, 0));
        byte[] start = FakeChannel.Start(["sleep"]);
        start[StartFrame.ProcessorOffset] = (byte)ProcessorNode;
        RunSession(start);
        List<SentFrame> frames = Channel.Take();
        Assert.Equal(
            [ControlFrameType.Started, ControlFrameType.RackLives, ControlFrameType.ProgramLost, ControlFrameType.Exited],
            frames.Select(frame => frame.Type));
        Assert.Equal(((uint)ProcessorNode, 1u), (frames[1].Number(0), frames[1].Number(1)));
        Assert.Equal((1, (uint)ProcessorNode), (frames[2].Session, frames[2].Number(0)));
        Assert.Equal(MemberState.Failed, ProcessorMember.State);
        Assert.Equal(0, Manager.Sessions.InUse);
    }

    [Fact]
    public void What_a_processor_says_of_its_processes_is_what_placement_counts()
    {
        Steps.Then(() => Programs.Started && ProcessorMember.Starting == 0, () =>
        {
            Assert.Equal(FakeProcessor.Processes, ProcessorMember.Processes);
            Exit();
        });
        RunSession(FakeChannel.Start(["true"]));
        Assert.Equal((ProcessesLeft, 0u), (ProcessorMember.Processes, ProcessorMember.Starting));
    }

    [Fact]
    public void A_window_that_changes_is_told()
    {
        Steps.Then(() => Programs.Started, () => Channel.Feed(ControlFrameType.WindowSize, 1, 50, 0, 132, 0));
        Steps.Then(() => Programs.Window.Rows != 0, Exit);
        RunSession(FakeChannel.Start(["vi"]));
        Assert.Equal((50, 132), (Programs.Window.Rows, Programs.Window.Columns));
    }

    [Fact]
    public void A_client_that_hung_up_takes_its_session_and_nothing_else()
    {
        Steps.Then(() => Programs.Started, () => Channel.Feed(ControlFrameType.Hangup, 1));
        Steps.Then(() => Programs.Signals.Count == 2 && Programs.InputEnded, () =>
        {
            Assert.Equal(Errno.EPIPE, Output(1, "to nobody"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal([(1, SignalScope.Session), (18, SignalScope.Session)], Programs.Signals);
        Assert.DoesNotContain(Channel.Take(), frame => frame.Type == ControlFrameType.Exited);
        Assert.Equal(0, Manager.Sessions.InUse);
    }

    [Fact]
    public void Answers_that_find_no_room_come_later()
    {
        Steps.Then(() => Programs.Started, () =>
        {
            Channel.Room = 0;
            while (Transmitter.TryQueue(ControlFrameType.Pong, 0, new byte[4000], default, ControlPriority.Answer))
            {
            }

            while (Transmitter.TryQueue(ControlFrameType.Pong, 0, default, default, ControlPriority.Answer))
            {
            }

            Channel.Feed(ControlFrameType.Start, 2, 1, 2, 3);
            Channel.Feed(ControlFrameType.List, 3);
            LetPass(2 * MembershipTable.DefaultFailNs);
            Steps.Then(() => true, () => Channel.Room = int.MaxValue);
        });
        RunSession(FakeChannel.Start(["sh"]));
        while (Poller.PollAll() && Count(ControlFrameType.ListReply) == 0)
        {
        }

        ControlFrameType[] types = [.. Kept.Select(frame => frame.Type).Where(type => type != ControlFrameType.Pong)];
        Assert.Contains(ControlFrameType.ListReply, types);
        Assert.Contains(ControlFrameType.MemberFailed, types);
        Assert.Equal(2, types.Count(type => type == ControlFrameType.Started));
    }

    [Fact]
    public void Programs_of_a_tool_that_went_away_get_a_hangup_and_end_silently()
    {
        Steps.Then(() => Programs.Started, () => Channel.Attached = false);
        Steps.Then(() => Programs.Signals.Count == 2 && Programs.InputEnded, () =>
        {
            Assert.Equal(Errno.EPIPE, Output(1, "to nobody"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal([(1, SignalScope.Session), (18, SignalScope.Session)], Programs.Signals);
        Assert.DoesNotContain(Channel.Take(), frame => frame.Type == ControlFrameType.Exited);
        Assert.Equal(0, Manager.Sessions.InUse);
    }

    [Fact]
    public void A_session_number_in_use_and_bad_start_frames_are_refused()
    {
        Steps.Then(() => Programs.Started, () =>
        {
            Channel.Feed(ControlFrameType.Start, 1, FakeChannel.Start(["again"]));
            Channel.Feed(ControlFrameType.Start, 2, 1, 2, 3);
        });
        Steps.Then(() => Count(ControlFrameType.Started) == 3, Exit);
        RunSession(FakeChannel.Start(["sh"]));
        SentFrame[] started = [.. Kept.Concat(Channel.Take()).Where(frame => frame.Type == ControlFrameType.Started)];
        Assert.Equal([(ushort)1, (ushort)1, (ushort)2], started.Select(frame => frame.Session));
        Assert.Equal([(uint)Errno.None, (uint)Errno.EEXIST, (uint)Errno.EINVAL], started.Select(frame => frame.Number(0)));
    }

    [Fact]
    public void The_list_names_members_and_sessions()
    {
        Steps.Then(() => Programs.Started, () => Channel.Feed(ControlFrameType.List, 77));
        Steps.Then(() => Count(ControlFrameType.ListReply) == 1, Exit);
        RunSession(FakeChannel.Start(["sh"]));
        string text = Kept.Single(frame => frame.Type == ControlFrameType.ListReply).Text;
        Assert.Contains("member memory node 2 alive", text, StringComparison.Ordinal);
        Assert.Contains($"session 1 node 1 pid {FakeProcessor.ProcessId}", text, StringComparison.Ordinal);
    }
}
