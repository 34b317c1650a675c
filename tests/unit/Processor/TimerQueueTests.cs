// Timers of processes, in a time that the test owns.

using System;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Processor.Files;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class TimerQueueTests : IDisposable
{
    private const ulong Ms = 1_000_000;
    private const ulong Start = 1000 * Ms;

    private readonly FileSystemFixture _memory = new();
    private readonly Process* _process;

    private Processes Table => _memory.Files.Processes;

    public TimerQueueTests()
    {
        Clock.Frozen = Start;
        _process = Table.Create();
        _process->State = ProcessState.Running;
        for (int limit = 0; limit < 2 * Process.LimitCount; limit++)
        {
            _process->Limits[limit] = ulong.MaxValue;
        }
    }

    public void Dispose()
    {
        Clock.Frozen = null;
        Scheduler.ForgetSpawned();
        _memory.Dispose();
    }

    [Fact]
    public void A_periodic_alarm_rests_until_its_signal_is_taken()
    {
        Catch(Signal.Alarm);
        Table.Timers.Set(_process, &_process->RealTimer, Start + Ms, Ms);
        Assert.Equal(Start + Ms, Table.Timers.SendDue(Start));
        Assert.Equal(ulong.MaxValue, At(Start + Ms));
        Assert.Equal(ulong.MaxValue, At(Start + (5 * Ms)));
        Assert.True(Signals.TryDequeue(_process->Leader, 0, out SignalInfo info));
        Assert.Equal(Signal.Alarm, info.Number);
        // The next one is in step with the first.
        Assert.Equal(Start + (6 * Ms), Table.Timers.SendDue(Start + (5 * Ms)));
    }

    [Fact]
    public void An_alarm_that_is_ignored_does_not_repeat()
    {
        (*_process->Actions)[Signal.Alarm].Handler = SignalAction.Ignore;
        Table.Timers.Set(_process, &_process->RealTimer, Start + 1000, 1000);
        Assert.Equal(ulong.MaxValue, At(Start + 1000));
        Assert.Equal(0UL, TimerQueue.RemainingNs(&_process->RealTimer));
    }

    [Fact]
    public void Timers_are_looked_at_in_the_order_of_their_times()
    {
        Catch(Signal.User1);
        ProcessTimer* late = Created(0);
        ProcessTimer* soon = Created(1);
        Table.Timers.Set(_process, late, Start + (9 * Ms), 0);
        Table.Timers.Set(_process, soon, Start + (3 * Ms), 0);
        Assert.Equal(Start + (9 * Ms), At(Start + (4 * Ms)));
        Assert.True(Signals.TryDequeue(_process->Leader, 0, out SignalInfo info));
        Assert.Equal((1u, 77UL), (info.ProcessId, info.Value));
        Table.Timers.Delete(late);
        Assert.Equal(ulong.MaxValue, At(Start + (10 * Ms)));
    }

    [Fact]
    public void A_created_timer_tells_the_expiries_that_nobody_saw()
    {
        Catch(Signal.User1);
        ProcessTimer* timer = Created(0);
        Table.Timers.Set(_process, timer, Start + Ms, Ms);
        At(Start + Ms);
        Clock.Frozen = Start + (4 * Ms) + 1;
        Assert.True(Signals.TryDequeue(_process->Leader, 0, out SignalInfo info));
        Assert.Equal((SignalCode.Timer, 3u, 3u), (info.Code, info.UserId, timer->Overruns));
    }

    [Fact]
    public void The_lowest_free_id_is_given_to_a_new_timer()
    {
        Created(0);
        ProcessTimer* second = Created(1);
        Created(2);
        Table.Timers.Delete(second);
        Created(1);
    }

    [Fact]
    public void Processor_time_timers_wait_for_processor_time()
    {
        Catch(Signal.Profile);
        _process->ProfileTimer.Kind = TimerKind.ProcessorInterval;
        _process->ProfileTimer.Clock = TimerClock.Processor;
        _process->ProfileTimer.Signal = Signal.Profile;
        Table.Timers.Set(_process, &_process->ProfileTimer, 10 * Ms, 0);
        Assert.Equal(Start + (20 * Ms), At(Start + (10 * Ms)));
        Assert.Equal(0UL, _process->Pending.Mask);
        _process->UserTimeNs = 8 * Ms;
        _process->SystemTimeNs = 2 * Ms;
        At(Start + (20 * Ms));
        Assert.Equal(Signal.Bit(Signal.Profile), _process->Pending.Mask);
    }

    [Fact]
    public void The_limit_of_processor_time_warns_each_second_and_kills_at_the_hard_one()
    {
        Catch(Signal.CpuTime);
        _process->Limits[0] = 1;
        _process->Limits[1] = 2;
        Table.Timers.SetLimit(_process);
        _process->UserTimeNs = 1000 * Ms;
        At(Start + (1000 * Ms));
        Assert.Equal(Signal.Bit(Signal.CpuTime), _process->Pending.Mask);
        Assert.False(Signals.IsDying(_process->Leader));
        _process->UserTimeNs = 2000 * Ms;
        At(Start + (2000 * Ms));
        Assert.True(Signals.IsDying(_process->Leader));
    }

    [Fact]
    public void Queued_signals_fail_at_the_limit_and_others_arrive()
    {
        Catch(Signal.FirstRealTime);
        Catch(Signal.User1);
        _process->Limits[2 * 11] = 2;
        SignalInfo queued = new() { Number = Signal.FirstRealTime, Code = SignalCode.Queue };
        Assert.Equal(Errno.None, Signals.Send(_process, in queued));
        Assert.Equal(Errno.None, Signals.Send(_process, in queued));
        Assert.Equal(Errno.EAGAIN, Signals.Send(_process, in queued));
        SignalInfo plain = new() { Number = Signal.User1, Code = SignalCode.Queue };
        Assert.Equal(Errno.None, Signals.Send(_process, in plain));
        Assert.True(Signals.TryDequeue(_process->Leader, 0, out SignalInfo info));
        Assert.Equal(Signal.User1, info.Number);
        Assert.True(Signals.TryDequeue(_process->Leader, 0, out _));
        Assert.Equal(Errno.None, Signals.Send(_process, in queued));
        Assert.Equal(2UL, Signals.QueuedFor(Table, _process->UserId));
    }

    private ulong At(ulong now)
    {
        Clock.Frozen = now;
        return Table.Timers.SendDue(now);
    }

    private void Catch(int signal) => (*_process->Actions)[signal].Handler = 0x1000;

    private ProcessTimer* Created(uint id)
    {
        ProcessTimer* timer = Table.Timers.Create(_process);
        Assert.Equal(id, timer->Id);
        timer->Signal = Signal.User1;
        timer->Value = 77;
        return timer;
    }
}
