// Sending signals and what they do to calls under way, with processes that exist and never run.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Processor.Files;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class SignalSendingTests : IDisposable
{
    private const ulong Handler = 0x1000;
    private const ulong Poll = 7;

    private readonly FileSystemFixture _memory = new();

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void A_signal_to_a_group_reaches_a_child_that_fork_is_still_making()
    {
        Process* parent = Member(ProcessState.Running);
        Process* child = Member(ProcessState.Embryo);
        Assert.True(Signals.SendToGroup(_memory.Files.Processes, parent->Group, SignalInfo.FromKernel(Signal.Kill)));
        Assert.True(Signals.IsDying(parent->Leader));
        Assert.True(Signals.IsDying(child->Leader));
    }

    [Fact]
    public void A_group_of_children_that_are_still_being_made_is_no_group_yet()
    {
        Process* child = Member(ProcessState.Embryo);
        Assert.False(Signals.SendToGroup(_memory.Files.Processes, child->Group, SignalInfo.FromKernel(Signal.Kill)));
    }

    [Theory]
    [InlineData(Signal.Kill, SignalAction.Default, 0UL, true)]
    [InlineData(Signal.Terminate, SignalAction.Default, 0UL, true)]
    [InlineData(Signal.Terminate, SignalAction.Default, 1UL << (Signal.Terminate - 1), false)]
    [InlineData(Signal.Terminate, Handler, 0UL, false)]
    [InlineData(Signal.Stop, SignalAction.Default, 0UL, false)]
    [InlineData(Signal.Quit, SignalAction.Default, 0UL, false)]
    public void A_process_is_dying_when_a_pending_signal_will_end_it(int signal, ulong handler, ulong blocked, bool dies)
    {
        Process* process = Member(ProcessState.Running);
        (*process->Actions)[signal].Handler = handler;
        process->Leader->BlockedSignals = blocked;
        Signals.Send(process, SignalInfo.FromKernel(signal));
        Assert.Equal(dies, Signals.IsDying(process->Leader));
    }

    [Fact]
    public void A_killable_wait_ends_at_once_for_a_process_that_is_dying()
    {
        Process* process = Member(ProcessState.Running);
        Thread* kernel = (Thread*)NativeMemory.AllocZeroed((nuint)sizeof(Thread));
        kernel->Owner = process->Leader;
        Scheduler.Current = kernel;
        Signals.Send(process, SignalInfo.FromKernel(Signal.Kill));
        WaitQueue nobodyWakes = default;
        Assert.Equal(Errno.EINTR, Signals.WaitKillable(ref nobodyWakes));
        Scheduler.Current = null;
        NativeMemory.Free(kernel);
    }

    [Fact]
    public void A_call_that_goes_on_after_a_stop_keeps_its_deadline()
    {
        Process* process = Member(ProcessState.Running);
        UserThread* thread = process->Leader;
        thread->InterruptedCall = Poll + 1;
        thread->InterruptedDeadlineNs = 12345;
        UserContext user = default;
        user.Rip = 1002;
        user.Rax = unchecked((ulong)-(long)Errno.EINTR);
        SignalDelivery.BeforeReturn(thread, &user);
        Assert.Equal((1000UL, Poll, 12345UL), (user.Rip, user.Rax, thread->ResumedDeadlineNs));
        Assert.Equal((0UL, 0UL), (thread->InterruptedCall, thread->InterruptedDeadlineNs));
    }

    [Fact]
    public void A_wait_for_a_signal_fails_after_a_stop()
    {
        const ulong TimedWait = 128;
        Process* process = Member(ProcessState.Running);
        UserThread* thread = process->Leader;
        thread->InterruptedCall = TimedWait + 1;
        UserContext user = default;
        user.Rip = 1002;
        user.Rax = unchecked((ulong)-(long)Errno.EINTR);
        SignalDelivery.BeforeReturn(thread, &user);
        Assert.Equal((1002UL, unchecked((ulong)-(long)Errno.EINTR)), (user.Rip, user.Rax));
    }

    private Process* Member(ProcessState state)
    {
        Process* process = _memory.Files.Processes.Create();
        process->Group = 77;
        process->State = state;
        return process;
    }
}
