using System;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class SignalTests
{
    /// <summary>
    /// Offsets that a C program prints with offsetof on x86-64 Linux (ucontext.h, signal.h; the frame from arch/x86's sigframe.h).
    /// </summary>
    [Fact]
    public void The_signal_frame_has_the_layout_of_x86_64_Linux()
    {
        Assert.Equal(0, Offset<UserContextFrame>(nameof(UserContextFrame.Flags)));
        Assert.Equal(16, Offset<UserContextFrame>(nameof(UserContextFrame.Stack)));
        Assert.Equal(40, Offset<UserContextFrame>(nameof(UserContextFrame.Registers)));
        Assert.Equal(296, Offset<UserContextFrame>(nameof(UserContextFrame.BlockedSignals)));
        Assert.Equal(304, sizeof(UserContextFrame));
        Assert.Equal(256, sizeof(SignalRegisters));
        Assert.Equal(128, Offset<SignalRegisters>(nameof(SignalRegisters.Rip)));
        Assert.Equal(120, Offset<SignalRegisters>(nameof(SignalRegisters.Rsp)));
        Assert.Equal(144, Offset<SignalRegisters>(nameof(SignalRegisters.Cs)));
        Assert.Equal(152, Offset<SignalRegisters>(nameof(SignalRegisters.ErrorCode)));
        Assert.Equal(176, Offset<SignalRegisters>(nameof(SignalRegisters.Cr2)));
        Assert.Equal(184, Offset<SignalRegisters>(nameof(SignalRegisters.ExtendedState)));
        Assert.Equal(24, sizeof(SignalStack));
        Assert.Equal(16, Offset<SignalStack>(nameof(SignalStack.LengthBytes)));
        Assert.Equal(128, sizeof(SignalInfoFrame));
        Assert.Equal((int)SignalFrame.ContextOffset, Offset<SignalFrame>(nameof(SignalFrame.Context)));
        Assert.Equal((int)SignalFrame.InfoOffset, Offset<SignalFrame>(nameof(SignalFrame.Info)));
        Assert.Equal(440, sizeof(SignalFrame));
        Assert.Equal(832, sizeof(ExtendedStateArea));
        Assert.Equal(464, Offset<ExtendedStateArea>(nameof(ExtendedStateArea.Magic)));
        Assert.Equal(472, Offset<ExtendedStateArea>(nameof(ExtendedStateArea.FrameComponents)));
        Assert.Equal(480, Offset<ExtendedStateArea>(nameof(ExtendedStateArea.StateBytes)));
        Assert.Equal(576, Offset<ExtendedStateArea>(nameof(ExtendedStateArea.UpperHalves)));
        Assert.Equal(32, sizeof(SignalAction));
        Assert.Equal(144, sizeof(ResourceUsage));
    }

    [Fact]
    public void Siginfo_shows_the_fields_that_belong_to_its_code()
    {
        SignalInfo fault = new() { Number = Signal.SegmentationFault, Code = SignalCode.SegmentAccess, Value = 0x1234_5678_9ABC };
        Assert.Equal(0x1234_5678_9ABCUL, SignalInfoFrame.From(in fault).Address);
        SignalInfo killed = new() { Number = Signal.SegmentationFault, Code = SignalCode.User, ProcessId = 5, UserId = 6 };
        SignalInfoFrame frame = SignalInfoFrame.From(in killed);
        Assert.Equal((5u, 6u), (frame.ProcessId, frame.UserId));
        SignalInfo child = new() { Number = Signal.Child, Code = SignalCode.ChildExited, ProcessId = 9, UserId = 1, Status = 33 };
        frame = SignalInfoFrame.From(in child);
        Assert.Equal((9u, 33), (frame.ProcessId, frame.Status));
        SignalInfo queued = new() { Number = 40, Code = SignalCode.Queue, ProcessId = 2, Value = 77 };
        frame = SignalInfoFrame.From(in queued);
        Assert.Equal((2u, 77UL), (frame.ProcessId, frame.Value));
    }

    /// <summary>The macros of sys/wait.h, written out.</summary>
    [Fact]
    public void Wait_statuses_are_encoded_as_the_C_library_decodes_them()
    {
        for (int code = 0; code < 256; code++)
        {
            uint status = WaitStatus.Exited(code);
            Assert.Equal(0u, status & 0x7F);
            Assert.Equal((uint)code, (status & 0xFF00) >> 8);
            Assert.True(WaitStatus.IsExited(status));
        }

        for (int signal = 1; signal < 65; signal++)
        {
            uint killed = WaitStatus.Killed(signal);
            Assert.True((sbyte)((killed & 0x7F) + 1) >> 1 > 0, "WIFSIGNALED");
            Assert.Equal((uint)signal, killed & 0x7F);
            Assert.Equal(signal, WaitStatus.TerminatingSignal(killed));
            uint stopped = WaitStatus.Stopped(signal);
            Assert.Equal(0x7Fu, stopped & 0xFF);
            Assert.Equal((uint)signal, (stopped & 0xFF00) >> 8);
            Assert.True(WaitStatus.IsStopped(stopped) && !WaitStatus.IsStopped(killed));
        }

        Assert.Equal(0xFFFFu, WaitStatus.Continued);
    }

    [Theory]
    [InlineData(0, RestartRule.WithRestartFlag)]
    [InlineData(61, RestartRule.WithRestartFlag)]
    [InlineData(202, RestartRule.WithRestartFlag)]
    [InlineData(7, RestartRule.WithoutHandler)]
    [InlineData(35, RestartRule.WithoutHandler)]
    [InlineData(130, RestartRule.WithoutHandler)]
    [InlineData(128, RestartRule.Never)]
    [InlineData(57, RestartRule.Always)]
    public void Restart_rules_are_those_of_signal_7(ulong number, RestartRule rule) => Assert.Equal(rule, SystemCallRestart.RuleOf(number));

    private static int Offset<T>(string field) where T : struct => (int)Marshal.OffsetOf<T>(field);
}
