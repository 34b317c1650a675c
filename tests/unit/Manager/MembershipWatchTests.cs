// What the manager takes for the death of a component, and what becomes of its programs.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Manager;

public sealed unsafe class MembershipWatchTests : SessionFixture
{
    [Fact]
    public void A_failed_processor_is_named_and_ends_its_programs()
    {
        Steps.Then(() => Programs.Started, () => LetPass(2 * MembershipTable.DefaultFailNs));
        RunSession(FakeChannel.Start(["sleep"]));
        List<SentFrame> frames = Channel.Take();
        Assert.Contains(frames, frame => frame.Type == ControlFrameType.MemberFailed
            && frame.Text.StartsWith("processor node 1 failed", StringComparison.Ordinal));
        Assert.Equal(9u, frames.Single(frame => frame.Type == ControlFrameType.Exited).Number(0));
    }

    [Fact]
    public void A_processor_that_leaves_ends_its_programs_at_once_and_has_not_failed()
    {
        JoinRequest self = new() { Node = ProcessorNode, Kind = ComponentKind.Processor, Incarnation = Processor.Incarnation };
        ReadOnlyMemory<byte> request = MemoryMarshal.AsBytes(new ReadOnlySpan<JoinRequest>(in self)).ToArray();
        Steps.Then(() => Programs.Started, () =>
            Assert.Equal(Errno.None, Processor.Call(ManagerNode, Opcode.Leave, default, request.Span, default, default, out _)));
        RunSession(FakeChannel.Start(["sleep"]));
        List<SentFrame> frames = Channel.Take();
        Assert.DoesNotContain(frames, frame => frame.Type == ControlFrameType.MemberFailed);
        Assert.Equal(9u, frames.Single(frame => frame.Type == ControlFrameType.Exited).Number(0));
        Assert.True(Manager.Members[Manager.Members.Find(ProcessorNode)].State == MemberState.Failed);
    }

    [Fact]
    public void A_manager_that_stood_still_does_not_take_that_time_for_the_others_silence()
    {
        Manager.Tick(Clock.NowNs());
        Manager.Tick(Clock.NowNs() + (60 * Second));
        Manager.Tick(Clock.NowNs() + (600 * Second));
        Assert.True(Manager.Members.IsAlive(ProcessorNode));
        Assert.DoesNotContain(Channel.Take(), frame => frame.Type == ControlFrameType.MemberFailed);
    }

    [Fact]
    public void Any_frame_of_a_component_keeps_it_alive()
    {
        for (int turn = 0; turn < 20; turn++)
        {
            // The others fail meanwhile.
            Processor.Epoch = Manager.Members.Epoch;
            Assert.Equal(Errno.None, Processor.Call(ManagerNode, Opcode.Echo, default, default, default, default, out _));
            LetPass(MembershipTable.DefaultFailNs - Second);
        }

        Assert.NotEqual(MemberState.Failed, Manager.Members[Manager.Members.Find(ProcessorNode)].State);
        LetPass(2 * MembershipTable.DefaultFailNs);
        Assert.Equal(MemberState.Failed, Manager.Members[Manager.Members.Find(ProcessorNode)].State);
    }
}
