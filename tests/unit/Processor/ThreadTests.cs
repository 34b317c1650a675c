// Threads of a process: ids, and what a signal, a stop and the end mean to several of them; with processes that exist and never run.

using System;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Processor.Files;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class ThreadTests : IDisposable
{
    private const ulong Handler = 0x1000;

    private readonly FileSystemFixture _memory = new();
    private readonly Process* _process;

    public ThreadTests()
    {
        _process = Table.Create();
        _process->State = ProcessState.Running;
        _process->Limits[2 * ResourceLimit.PendingSignals] = 100;
        ProcessFamily.Adopt(Table.Init, _process);
    }

    private Processes Table => _memory.Files.Processes;

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void Threads_have_ids_of_their_own_and_are_found_by_them()
    {
        UserThread* second = Table.CreateThread(_process);
        UserThread* third = Table.CreateThread(_process);
        Assert.Equal(3u, _process->ThreadCount);
        Assert.True(Table.UserThreads.Find(_process->Id) == _process->Leader);
        Assert.True(Table.UserThreads.Find(third->Id) == third);
        Assert.True(Table.Find(second->Id) == null);
        uint id = second->Id;
        Table.UserThreads.Retire(second);
        Table.UserThreads.Free(second);
        Assert.True(Table.UserThreads.Find(id) == null);
        Assert.True(_process->FirstThread->Next == third && third->Previous == _process->FirstThread && _process->LastThread == third);
    }

    [Fact]
    public void A_leader_that_ends_first_keeps_its_id_until_another_thread_executes_a_program()
    {
        UserThread* second = Table.CreateThread(_process);
        Table.UserThreads.Retire(_process->Leader);
        Assert.True(_process->FirstThread == second && _process->ThreadCount == 1);
        Assert.True(Table.UserThreads.Find(_process->Id) == _process->Leader);
        uint id = second->Id;
        Table.UserThreads.BecomeLeader(second);
        Assert.True(_process->Leader == second && second->IsLeader && Table.UserThreads.Find(_process->Id) == second);
        Assert.True(Table.UserThreads.Find(id) == null);
    }

    [Fact]
    public void A_process_that_is_removed_gives_all_its_threads_back()
    {
        ulong before = Table.ThreadCount;
        Process* other = Table.Create();
        UserThread* second = Table.CreateThread(other);
        Table.UserThreads.Retire(other->Leader);
        Table.UserThreads.Retire(second);
        Table.UserThreads.Free(second);
        Table.Remove(other);
        Assert.Equal(before, Table.ThreadCount);
    }

    [Fact]
    public void A_signal_for_the_process_is_acted_on_by_a_thread_that_does_not_block_it()
    {
        UserThread* second = Table.CreateThread(_process);
        (*_process->Actions)[Signal.User1].Handler = Handler;
        Signals.SetMask(_process->Leader, Signal.Bit(Signal.User1));
        Signals.Send(_process, SignalInfo.FromKernel(Signal.User1));
        Assert.False(Signals.IsPending(_process->Leader));
        Assert.True(Signals.IsPending(second));
    }

    [Fact]
    public void A_signal_for_a_thread_is_nobody_elses()
    {
        UserThread* second = Table.CreateThread(_process);
        (*_process->Actions)[Signal.User1].Handler = Handler;
        Signals.SendToThread(second, SignalInfo.FromKernel(Signal.User1));
        Assert.False(Signals.IsPending(_process->Leader));
        Assert.True(Signals.IsPending(second));
    }

    [Fact]
    public void The_end_of_a_process_dooms_all_threads_and_the_first_status_counts()
    {
        UserThread* second = Table.CreateThread(_process);
        Signals.Doom(_process, WaitStatus.Exited(3));
        Signals.Doom(_process, WaitStatus.Exited(4));
        Assert.True(_process->Leader->Doomed && second->Doomed);
        Assert.Equal(WaitStatus.Exited(3), _process->EndStatus);
    }

    [Fact]
    public void A_process_is_stopped_when_the_last_of_its_threads_has_joined_or_ended()
    {
        UserThread* second = Table.CreateThread(_process);
        UserThread* third = Table.CreateThread(_process);
        _process->StopSignal = Signal.Stop;
        _process->Leader->IsStopped = true;
        third->IsExiting = true;
        ProcessStops.CompleteIfAllJoined(_process);
        Assert.Equal(ProcessState.Running, _process->State);
        second->IsStopped = true;
        ProcessStops.CompleteIfAllJoined(_process);
        Assert.Equal(ProcessState.Stopped, _process->State);
        Assert.Equal(WaitStatus.Stopped(Signal.Stop), _process->WaitStatus);
        Signals.Send(_process, SignalInfo.FromKernel(Signal.Continue));
        Assert.Equal((ProcessState.Running, 0), (_process->State, _process->StopSignal));
    }

    [Fact]
    public void Threads_count_where_processes_are_limited()
    {
        _process->UserId = 1000;
        _process->Limits[2 * ResourceLimit.Processes] = 2;
        Assert.True(Table.MayFork(_process));
        Table.CreateThread(_process);
        Assert.False(Table.MayFork(_process));
    }

    [Fact]
    public void Only_the_leaders_name_is_the_processs()
    {
        UserThread* second = Table.CreateThread(_process);
        "second\0"u8.CopyTo(second->Name);
        "first\0"u8.CopyTo(_process->Leader->Name);
        ReadOnlySpan<byte> name = _process->Name;
        Assert.True(name.StartsWith("first\0"u8));
    }
}
