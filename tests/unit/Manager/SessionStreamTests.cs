// Standard input and output of programs on their way between the tool and the processor component: order, credit, ends.

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

public sealed unsafe class SessionStreamTests : SessionFixture
{
    private const int Session64K = 64 * 1024;

    [Fact]
    public void Standard_input_arrives_whole_and_answers_every_wanted_read()
    {
        byte[] input = new byte[Session64K];
        new Random(1).NextBytes(input);
        Steps.Then(() => Programs.Started, () =>
        {
            Assert.Equal(Errno.None, WantInput(Session64K / 2, 2));
            Channel.Feed(ControlFrameType.StandardInput, 1);
            Channel.Feed(ControlFrameType.StandardInput, 1, input[..40000]);
            Channel.Feed(ControlFrameType.StandardInput, 1, input[40000..]);
            Channel.Feed(ControlFrameType.StandardInputEnd, 1);
        });
        Steps.Then(() => Programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["cat"]));

        Assert.Equal(input, Programs.Input);
        Assert.Equal(4u, Programs.Answered);
        SentFrame wanted = Channel.Take().Single(frame => frame.Type == ControlFrameType.StandardInputWanted);
        Assert.Equal(((uint)Session64K / 2, 2u), (wanted.Number(0), wanted.Number(1)));
    }

    [Fact]
    public void Input_that_nobody_asked_for_is_not_kept()
    {
        Steps.Then(() => Programs.Started, () =>
        {
            for (int round = 0; round < 3; round++)
            {
                Channel.Feed(ControlFrameType.StandardInput, 1, new byte[40_000]);
                Server.Poll();
            }

            Channel.Feed(ControlFrameType.StandardInputEnd, 1);
        });
        Steps.Then(() => Programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["true"]));
        Assert.Equal(80_000, Programs.Input.Count);
    }

    [Fact]
    public void Input_that_was_asked_for_while_a_message_is_under_way_has_room()
    {
        byte[] input = new byte[Session64K + StreamRequest.MaxBytes];
        new Random(2).NextBytes(input);
        // The processor asks for the next window before the manager has heard that the message with the last bytes arrived.
        Programs.OnInput = () =>
        {
            Programs.OnInput = null;
            Channel.Feed(ControlFrameType.StandardInput, 1, input[StreamRequest.MaxBytes..]);
            Server.Poll();
            Channel.Feed(ControlFrameType.StandardInputEnd, 1);
        };
        Steps.Then(() => Programs.Started, () => Channel.Feed(ControlFrameType.StandardInput, 1, input[..StreamRequest.MaxBytes]));
        Steps.Then(() => Programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["cat"]));
        Assert.Equal(input, Programs.Input);
    }

    [Fact]
    public void Output_that_the_tool_does_not_take_is_kept_up_to_the_credit_and_holds_no_request_up()
    {
        byte[] block = new byte[StreamRequest.MaxBytes - StreamRequest.FrameBytes];
        Steps.Then(() => Programs.Started, () =>
        {
            // The channel takes nothing and its ring is full: what follows is the session's own.
            Channel.Room = 0;
            while (Transmitter.TryQueue(ControlFrameType.Pong, 0, block, default, ControlPriority.Bulk))
            {
            }

            for (ushort stream = 1; stream <= 2; stream++)
            {
                for (int at = 0; at < StreamRequest.OutputWindowBytes; at += StreamRequest.MaxBytes)
                {
                    Assert.Equal(Errno.None, Output(stream, block));
                }
            }

            Assert.Equal(Errno.ENOBUFS, Output(1, block));
            Assert.Equal(Errno.None, Output(3, "a sentence costs no credit"));
            Channel.Room = int.MaxValue;
            Exit();
        });
        RunSession(FakeChannel.Start(["yes"]));
        List<SentFrame> frames = Channel.Take();
        Assert.Equal(2 * StreamRequest.OutputWindowBytes / StreamRequest.MaxBytes * block.Length / 2,
            frames.Where(frame => frame.Type == ControlFrameType.StandardOutput).Sum(frame => frame.Payload.Length));
        Assert.Equal(2 * StreamRequest.OutputWindowBytes / StreamRequest.MaxBytes * block.Length / 2,
            frames.Where(frame => frame.Type == ControlFrameType.StandardError).Sum(frame => frame.Payload.Length));
        Assert.Single(frames, frame => frame.Type == ControlFrameType.Sentence);
        Assert.Equal(ControlFrameType.Exited, frames[^1].Type);
    }

    [Fact]
    public void Credit_and_the_end_of_a_stream_reach_the_processor()
    {
        Steps.Then(() => Programs.Started, () =>
        {
            Channel.Feed(ControlFrameType.StandardOutputTaken, 1, 1, 0, 0, 0, 0, 1, 0, 0);
            Channel.Feed(ControlFrameType.StandardOutputTaken, 1, 1, 0, 0, 0, 0, 2, 0, 0);
            Channel.Feed(ControlFrameType.StandardOutputClosed, 1, 2, 0, 0, 0, 28, 0, 0, 0);
        });
        Steps.Then(() => Programs.Credit.Count == 2, () =>
        {
            Assert.Equal(Errno.ENOSPC, Output(2, "too late"));
            Assert.Equal(Errno.None, Output(1, "in time"));
            Exit();
        });
        RunSession(FakeChannel.Start(["yes"]));
        Assert.Equal([(1, 0x300u, 0), (2, 0u, (int)Errno.ENOSPC)], Programs.Credit.Take(2));
    }

    [Fact]
    public void Two_programs_keep_their_streams_apart_and_old_names_find_nothing()
    {
        uint first = 0;
        Steps.Then(() => Programs.Started, () =>
        {
            first = Programs.Request.Session;
            Exit();
        });
        RunSession(FakeChannel.Start(["one"]));
        Programs.Started = false;
        Steps.Then(() => Programs.Started, () =>
        {
            Assert.NotEqual(first, Programs.Request.Session);
            Assert.Equal(Errno.EPIPE, Output(1, "late", first));
            Assert.Equal(Errno.None, Output(1, "two"));
            Exit();
        });
        RunSession(FakeChannel.Start(["two"]));
        Assert.Equal("two", Channel.Take().Single(frame => frame.Type == ControlFrameType.StandardOutput).Text);
    }
}
