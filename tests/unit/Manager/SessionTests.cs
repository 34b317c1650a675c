// Programs started through the control channel, against a processor component made of C#: a fake channel on one side, two endpoints joined by
// a local link in between. One stack only: the session's thread runs on the test's stack, and a script runs whenever it waits.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Manager;

public sealed unsafe class SessionTests : IDisposable
{
    private const ushort ProcessorNode = 1;
    private const ushort MemoryNode = 2;
    private const ushort StorageNode = 3;
    private const ushort ManagerNode = 4;
    private const uint ExitStatus = 7 << 8;
    private const ulong Second = 1_000_000_000;

    private readonly HostFrames _frames = new(megabytes: 24);
    private readonly FakeChannel _channel = new();
    private readonly ControlTransmitter _transmitter;
    private readonly ControlServer _server;
    private readonly ManagerMonitor _manager;
    private readonly RpcEndpoint _processor;
    private readonly FakeProcessor _programs = new();
    private readonly Script _script = new();
    private ulong _now = Second;

    public SessionTests()
    {
        Poller.Reset();
        Scheduler.ForgetSpawned();
        FrameAllocator frames = _frames.Allocator;
        Assert.Equal(Errno.None, LocalLink.CreatePair(frames, ProcessorNode, ManagerNode, out RingLink? low, out RingLink? high));
        _processor = new RpcEndpoint(ProcessorNode, frames, 0);
        RpcEndpoint endpoint = new(ManagerNode, frames, 0);
        _processor.Attach(ManagerNode, low!);
        endpoint.Attach(ProcessorNode, high!);
        _processor.Register((byte)((ushort)Opcode.StartProcess >> 8), _programs);
        _transmitter = new ControlTransmitter(_channel, frames);
        _manager = new ManagerMonitor(endpoint, _transmitter, frames, new ManagerOptions
        {
            SuspectNs = MembershipTable.DefaultSuspectNs,
            FailNs = MembershipTable.DefaultFailNs,
        });
        _server = new ControlServer(_channel, _transmitter, frames, "manager"u8, "g0"u8, &Leave);
        _server.Add(_manager.Control);
        _server.Add(_manager);
        Join(ProcessorNode, ComponentKind.Processor);
        Join(MemoryNode, ComponentKind.Memory);
        Join(StorageNode, ComponentKind.Storage);
        _processor.Epoch = endpoint.Epoch = _manager.Members.Epoch;
        Poller.Register(_processor);
        Poller.Register(endpoint);
        Poller.Register(_server);
        Poller.Register(_script);
    }

    public void Dispose()
    {
        Poller.Reset();
        _frames.Dispose();
    }

    [Fact]
    public void A_program_is_placed_started_heard_and_its_status_reported()
    {
        _script.Then(() => _programs.Started, () =>
        {
            Assert.Equal(Errno.None, Output(1, "out\n"));
            Assert.Equal(Errno.None, Output(2, "err\n"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh", "-c", "echo"], ["HOME=/"], "/tmp"));

        Assert.Equal("/tmp\0sh\0-c\0echo\0HOME=/\0", _programs.Strings);
        Assert.Equal((3u, 1u), (_programs.Request.ArgumentCount, _programs.Request.EnvironmentCount));
        Assert.Equal(MemoryNode, _programs.Request.Place.HomeMemory);
        Assert.Equal(StorageNode, _programs.Request.Place.Storage);
        List<SentFrame> frames = _channel.Take();
        Assert.Equal(
            [ControlFrameType.Started, ControlFrameType.StandardOutput, ControlFrameType.StandardError, ControlFrameType.Exited],
            frames.Select(frame => frame.Type).OrderBy(Order));
        SentFrame started = frames.Single(frame => frame.Type == ControlFrameType.Started);
        Assert.Equal((0u, FakeProcessor.ProcessId), (started.Number(0), started.Number(1)));
        Assert.Equal("err\n", frames.Single(frame => frame.Type == ControlFrameType.StandardError).Text);
        Assert.Equal(ExitStatus, frames[^1].Number(0));
        Assert.Equal(0, _manager.Sessions.InUse);
    }

    [Fact]
    public void A_program_that_cannot_start_gives_its_errno_and_frees_the_session()
    {
        _programs.StartStatus = Errno.ENOENT;
        RunSession(FakeChannel.Start(["missing"]));
        SentFrame started = Assert.Single(_channel.Take());
        Assert.Equal((uint)Errno.ENOENT, started.Number(0));
        Assert.Equal(0, _manager.Sessions.InUse);
    }

    [Fact]
    public void Without_a_storage_component_the_start_is_refused()
    {
        _manager.Members[_manager.Members.Find(StorageNode)].State = MemberState.Failed;
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal((uint)Errno.EHOSTDOWN, Assert.Single(_channel.Take()).Number(0));
    }

    [Fact]
    public void Standard_input_arrives_whole_and_answers_every_wanted_read()
    {
        byte[] input = new byte[Session64K];
        new Random(1).NextBytes(input);
        _script.Then(() => _programs.Started, () =>
        {
            Assert.Equal(Errno.None, WantInput(Session64K / 2, 2));
            _channel.Feed(ControlFrameType.StandardInput, 1);
            _channel.Feed(ControlFrameType.StandardInput, 1, input[..40000]);
            _channel.Feed(ControlFrameType.StandardInput, 1, input[40000..]);
            _channel.Feed(ControlFrameType.StandardInputEnd, 1);
        });
        _script.Then(() => _programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["cat"]));

        Assert.Equal(input, _programs.Input);
        Assert.Equal(4u, _programs.Answered);
        SentFrame wanted = _channel.Take().Single(frame => frame.Type == ControlFrameType.StandardInputWanted);
        Assert.Equal(((uint)Session64K / 2, 2u), (wanted.Number(0), wanted.Number(1)));
    }

    [Fact]
    public void Input_that_nobody_asked_for_is_not_kept()
    {
        _script.Then(() => _programs.Started, () =>
        {
            for (int round = 0; round < 3; round++)
            {
                _channel.Feed(ControlFrameType.StandardInput, 1, new byte[40_000]);
                _server.Poll();
            }

            _channel.Feed(ControlFrameType.StandardInputEnd, 1);
        });
        _script.Then(() => _programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["true"]));
        Assert.Equal(80_000, _programs.Input.Count);
    }

    [Fact]
    public void Input_that_was_asked_for_while_a_message_is_under_way_has_room()
    {
        byte[] input = new byte[Session64K + StreamRequest.MaxBytes];
        new Random(2).NextBytes(input);
        // The processor asks for the next window before the manager has heard that the message with the last bytes arrived.
        _programs.OnInput = () =>
        {
            _programs.OnInput = null;
            _channel.Feed(ControlFrameType.StandardInput, 1, input[StreamRequest.MaxBytes..]);
            _server.Poll();
            _channel.Feed(ControlFrameType.StandardInputEnd, 1);
        };
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.StandardInput, 1, input[..StreamRequest.MaxBytes]));
        _script.Then(() => _programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["cat"]));
        Assert.Equal(input, _programs.Input);
    }

    [Fact]
    public void A_signal_reaches_the_processor()
    {
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.Signal, 1, 2, 0, 0, 0));
        _script.Then(() => _programs.Signals.Count == 1, Exit);
        RunSession(FakeChannel.Start(["sleep"]));
        Assert.Equal([(2, SignalScope.Foreground)], _programs.Signals);
    }

    [Fact]
    public void No_signal_is_lost_however_many_came_before_it()
    {
        _script.Then(() => _programs.Started, () =>
        {
            for (int round = 0; round < 20; round++)
            {
                _channel.Feed(ControlFrameType.Signal, 1, 2, 0, 0, 0);
            }

            _channel.Feed(ControlFrameType.Signal, 1, 9, 0, 0, 0, 1, 0, 0, 0);
        });
        _script.Then(() => _programs.Signals.Count == 2, Exit);
        RunSession(FakeChannel.Start(["sleep"]));
        Assert.Equal([(9, SignalScope.Session), (2, SignalScope.Foreground)], _programs.Signals);
    }

    [Fact]
    public void A_window_that_changes_is_told()
    {
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.WindowSize, 1, 50, 0, 132, 0));
        _script.Then(() => _programs.Window.Rows != 0, Exit);
        RunSession(FakeChannel.Start(["vi"]));
        Assert.Equal((50, 132), (_programs.Window.Rows, _programs.Window.Columns));
    }

    [Fact]
    public void Output_that_the_tool_does_not_take_is_kept_up_to_the_credit_and_holds_no_request_up()
    {
        byte[] block = new byte[StreamRequest.MaxBytes - StreamRequest.FrameBytes];
        _script.Then(() => _programs.Started, () =>
        {
            // The channel takes nothing and its ring is full: what follows is the session's own.
            _channel.Room = 0;
            while (_transmitter.TryQueue(ControlFrameType.Pong, 0, block, default, ControlPriority.Bulk))
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
            _channel.Room = int.MaxValue;
            Exit();
        });
        RunSession(FakeChannel.Start(["yes"]));
        List<SentFrame> frames = _channel.Take();
        Assert.Equal(2 * StreamRequest.OutputWindowBytes / StreamRequest.MaxBytes * block.Length / 2, frames.Where(frame => frame.Type == ControlFrameType.StandardOutput).Sum(frame => frame.Payload.Length));
        Assert.Equal(2 * StreamRequest.OutputWindowBytes / StreamRequest.MaxBytes * block.Length / 2, frames.Where(frame => frame.Type == ControlFrameType.StandardError).Sum(frame => frame.Payload.Length));
        Assert.Single(frames, frame => frame.Type == ControlFrameType.Sentence);
        Assert.Equal(ControlFrameType.Exited, frames[^1].Type);
    }

    [Fact]
    public void Credit_and_the_end_of_a_stream_reach_the_processor()
    {
        _script.Then(() => _programs.Started, () =>
        {
            _channel.Feed(ControlFrameType.StandardOutputTaken, 1, 1, 0, 0, 0, 0, 1, 0, 0);
            _channel.Feed(ControlFrameType.StandardOutputTaken, 1, 1, 0, 0, 0, 0, 2, 0, 0);
            _channel.Feed(ControlFrameType.StandardOutputClosed, 1, 2, 0, 0, 0, 28, 0, 0, 0);
        });
        _script.Then(() => _programs.Credit.Count == 2, () =>
        {
            Assert.Equal(Errno.ENOSPC, Output(2, "too late"));
            Assert.Equal(Errno.None, Output(1, "in time"));
            Exit();
        });
        RunSession(FakeChannel.Start(["yes"]));
        Assert.Equal([(1, 0x300u, 0), (2, 0u, (int)Errno.ENOSPC)], _programs.Credit.Take(2));
    }

    [Fact]
    public void A_client_that_hung_up_takes_its_session_and_nothing_else()
    {
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.Hangup, 1));
        _script.Then(() => _programs.Signals.Count == 2 && _programs.InputEnded, () =>
        {
            Assert.Equal(Errno.EPIPE, Output(1, "to nobody"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal([(1, SignalScope.Session), (18, SignalScope.Session)], _programs.Signals);
        Assert.DoesNotContain(_channel.Take(), frame => frame.Type == ControlFrameType.Exited);
        Assert.Equal(0, _manager.Sessions.InUse);
    }

    [Fact]
    public void Answers_that_find_no_room_come_later()
    {
        _script.Then(() => _programs.Started, () =>
        {
            _channel.Room = 0;
            while (_transmitter.TryQueue(ControlFrameType.Pong, 0, new byte[4000], default, ControlPriority.Answer))
            {
            }

            while (_transmitter.TryQueue(ControlFrameType.Pong, 0, default, default, ControlPriority.Answer))
            {
            }

            _channel.Feed(ControlFrameType.Start, 2, 1, 2, 3);
            _channel.Feed(ControlFrameType.List, 3);
            LetPass(2 * MembershipTable.DefaultFailNs);
            _script.Then(() => true, () => _channel.Room = int.MaxValue);
        });
        RunSession(FakeChannel.Start(["sh"]));
        while (Poller.PollAll() && Count(ControlFrameType.ListReply) == 0)
        {
        }

        ControlFrameType[] types = [.. _kept.Select(frame => frame.Type).Where(type => type != ControlFrameType.Pong)];
        Assert.Contains(ControlFrameType.ListReply, types);
        Assert.Contains(ControlFrameType.MemberFailed, types);
        Assert.Equal(2, types.Count(type => type == ControlFrameType.Started));
    }

    [Fact]
    public void Programs_of_a_tool_that_went_away_get_a_hangup_and_end_silently()
    {
        _script.Then(() => _programs.Started, () => _channel.Attached = false);
        _script.Then(() => _programs.Signals.Count == 2 && _programs.InputEnded, () =>
        {
            Assert.Equal(Errno.EPIPE, Output(1, "to nobody"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal([(1, SignalScope.Session), (18, SignalScope.Session)], _programs.Signals);
        Assert.DoesNotContain(_channel.Take(), frame => frame.Type == ControlFrameType.Exited);
        Assert.Equal(0, _manager.Sessions.InUse);
    }

    [Fact]
    public void A_failed_processor_is_named_and_ends_its_programs()
    {
        _script.Then(() => _programs.Started, () => LetPass(2 * MembershipTable.DefaultFailNs));
        RunSession(FakeChannel.Start(["sleep"]));
        List<SentFrame> frames = _channel.Take();
        Assert.Contains(frames, frame => frame.Type == ControlFrameType.MemberFailed && frame.Text.StartsWith("processor node 1 failed", StringComparison.Ordinal));
        Assert.Equal(9u, frames.Single(frame => frame.Type == ControlFrameType.Exited).Number(0));
    }

    [Fact]
    public void A_manager_that_stood_still_does_not_take_that_time_for_the_others_silence()
    {
        _manager.Tick(Clock.NowNs());
        _manager.Tick(Clock.NowNs() + (60 * Second));
        _manager.Tick(Clock.NowNs() + (600 * Second));
        Assert.True(_manager.Members.IsAlive(ProcessorNode));
        Assert.DoesNotContain(_channel.Take(), frame => frame.Type == ControlFrameType.MemberFailed);
    }

    [Fact]
    public void Any_frame_of_a_component_keeps_it_alive()
    {
        for (int turn = 0; turn < 20; turn++)
        {
            // The others fail meanwhile.
            _processor.Epoch = _manager.Members.Epoch;
            Assert.Equal(Errno.None, _processor.Call(ManagerNode, Opcode.Echo, default, default, default, default, out _));
            LetPass(MembershipTable.DefaultFailNs - Second);
        }

        Assert.NotEqual(MemberState.Failed, _manager.Members[_manager.Members.Find(ProcessorNode)].State);
        LetPass(2 * MembershipTable.DefaultFailNs);
        Assert.Equal(MemberState.Failed, _manager.Members[_manager.Members.Find(ProcessorNode)].State);
    }

    [Fact]
    public void Two_programs_keep_their_streams_apart_and_old_names_find_nothing()
    {
        uint first = 0;
        _script.Then(() => _programs.Started, () =>
        {
            first = _programs.Request.Session;
            Exit();
        });
        RunSession(FakeChannel.Start(["one"]));
        _programs.Started = false;
        _script.Then(() => _programs.Started, () =>
        {
            Assert.NotEqual(first, _programs.Request.Session);
            Assert.Equal(Errno.EPIPE, Output(1, "late", first));
            Assert.Equal(Errno.None, Output(1, "two"));
            Exit();
        });
        RunSession(FakeChannel.Start(["two"]));
        Assert.Equal("two", _channel.Take().Single(frame => frame.Type == ControlFrameType.StandardOutput).Text);
    }

    [Fact]
    public void A_session_number_in_use_and_bad_start_frames_are_refused()
    {
        _script.Then(() => _programs.Started, () =>
        {
            _channel.Feed(ControlFrameType.Start, 1, FakeChannel.Start(["again"]));
            _channel.Feed(ControlFrameType.Start, 2, 1, 2, 3);
        });
        _script.Then(() => Count(ControlFrameType.Started) == 3, Exit);
        RunSession(FakeChannel.Start(["sh"]));
        SentFrame[] started = [.. _kept.Concat(_channel.Take()).Where(frame => frame.Type == ControlFrameType.Started)];
        Assert.Equal([(ushort)1, (ushort)1, (ushort)2], started.Select(frame => frame.Session));
        Assert.Equal([(uint)Errno.None, (uint)Errno.EEXIST, (uint)Errno.EINVAL], started.Select(frame => frame.Number(0)));
    }

    [Fact]
    public void The_list_names_members_and_sessions()
    {
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.List, 77));
        _script.Then(() => Count(ControlFrameType.ListReply) == 1, Exit);
        RunSession(FakeChannel.Start(["sh"]));
        string text = _kept.Single(frame => frame.Type == ControlFrameType.ListReply).Text;
        Assert.Contains("member memory node 2 alive", text, StringComparison.Ordinal);
        Assert.Contains($"session 1 node 1 pid {FakeProcessor.ProcessId}", text, StringComparison.Ordinal);
    }

    private const int Session64K = 64 * 1024;

    private readonly List<SentFrame> _kept = [];

    private static void Leave(Errno error)
    {
    }

    /// <summary>Output frames of the running program may overtake Started only in this sort key's eyes: streams are asynchronous.</summary>
    private static int Order(ControlFrameType type) => type switch
    {
        ControlFrameType.Started => 0,
        ControlFrameType.StandardOutput => 1,
        ControlFrameType.StandardError => 2,
        _ => 3,
    };

    private int Count(ControlFrameType type)
    {
        _kept.AddRange(_channel.Take());
        return _kept.Count(frame => frame.Type == type);
    }

    private void Join(ushort node, ComponentKind kind) =>
        _manager.Members.Join(new JoinRequest { Node = node, Kind = kind, Incarnation = 1, CapacityBytes = 1 << 30 }, 0);

    /// <summary>Ticks as the manager's thread does.</summary>
    private void LetPass(ulong timeNs)
    {
        for (ulong end = _now + timeNs; _now < end; _now += Second / 4)
        {
            _manager.Tick(_now);
        }
    }

    private void RunSession(byte[] start)
    {
        _channel.Feed(ControlFrameType.Start, 1, start);
        while (!Scheduler.RunSpawned())
        {
            Poller.PollAll();
        }
    }

    private Errno Output(ushort stream, string text) => Output(stream, Encoding.ASCII.GetBytes(text));

    private Errno Output(ushort stream, string text, uint session) => Output(stream, Encoding.ASCII.GetBytes(text), session);

    private Errno Output(ushort stream, byte[] bytes) => Output(stream, bytes, _programs.Request.Session);

    private Errno Output(ushort stream, byte[] bytes, uint session)
    {
        StreamRequest request = new() { Session = session, Stream = stream };
        return _processor.Call(
            ManagerNode, Opcode.StandardOutput, default, new ReadOnlySpan<byte>(&request, sizeof(StreamRequest)), bytes, default, out _);
    }

    private Errno WantInput(uint bytes, uint reads)
    {
        InputWantedRequest request = new() { Session = _programs.Request.Session, Bytes = bytes, Reads = reads };
        return _processor.Call(ManagerNode, Opcode.StandardInputWanted, default, in request, default, default, out _);
    }

    private void Exit()
    {
        ProcessExitedRequest request = new() { Session = _programs.Request.Session, ProcessId = FakeProcessor.ProcessId, WaitStatus = ExitStatus };
        Errno status = _processor.Call(
            ManagerNode, Opcode.ProcessExited, default, new ReadOnlySpan<byte>(&request, sizeof(ProcessExitedRequest)), default, default, out _);
        Assert.Equal(Errno.None, status);
    }

    /// <summary>Steps that run in order, each when its time has come.</summary>
    private sealed class Script : PollSource
    {
        private readonly List<(Func<bool> When, Action What)> _steps = [];

        public void Then(Func<bool> when, Action what) => _steps.Add((when, what));

        public override bool Poll()
        {
            if (_steps.Count == 0 || !_steps[0].When())
            {
                return false;
            }

            Action what = _steps[0].What;
            _steps.RemoveAt(0);
            what();
            return true;
        }
    }

    /// <summary>Group 6 as a processor component would serve it.</summary>
    private sealed class FakeProcessor : RpcService
    {
        public const uint ProcessId = 42;

        public StartProcessRequest Request;

        public bool Started { get; set; }

        public string Strings { get; private set; } = "";

        public Errno StartStatus { get; set; }

        public uint Answered { get; private set; }

        public Action? OnInput { get; set; }

        public List<(int Stream, uint Bytes, int Status)> Credit { get; } = [];

        public WindowSizeRequest Window { get; private set; }

        public List<byte> Input { get; } = [];

        public bool InputEnded { get; private set; }

        public List<(int Number, SignalScope Scope)> Signals { get; } = [];

        public override RpcDisposition TryHandle(ref RpcRequest request)
        {
            switch (request.Opcode)
            {
                case Opcode.StartProcess:
                    Assert.True(request.TryReadHead(out Request, out ReadOnlySpan<byte> strings));
                    Strings = Encoding.ASCII.GetString(strings);
                    Started = StartStatus == Errno.None;
                    request.Reply(StartStatus, new StartProcessReply { ProcessId = ProcessId });
                    break;
                case Opcode.StandardInput:
                    Assert.True(request.TryReadHead(out StreamRequest stream, out ReadOnlySpan<byte> bytes));
                    Assert.Equal(Request.Session, stream.Session);
                    InputEnded = stream.Stream == StreamRequest.InputEnd;
                    Answered += stream.Answered;
                    Input.AddRange(bytes.ToArray());
                    OnInput?.Invoke();
                    request.Reply(Errno.None);
                    break;
                case Opcode.OutputCredit:
                    Assert.True(request.TryReadHead(out OutputCreditRequest credit, out _));
                    Credit.Add((credit.Stream, credit.Bytes, credit.Status));
                    request.Reply(Errno.None);
                    break;
                case Opcode.WindowSize:
                    Assert.True(request.TryReadHead(out WindowSizeRequest window, out _));
                    Window = window;
                    request.Reply(Errno.None);
                    break;
                default:
                    Assert.True(request.TryReadHead(out SignalRequest signal, out _));
                    Signals.Add((signal.Signal, signal.Scope));
                    request.Reply(Errno.None);
                    break;
            }

            return RpcDisposition.Done;
        }
    }
}
