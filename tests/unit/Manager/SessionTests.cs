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
        RpcEndpoint endpoint = new RpcEndpoint(ManagerNode, frames, 0);
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
    public void Standard_input_arrives_whole_and_is_acknowledged_only_when_taken()
    {
        byte[] input = new byte[Session64K];
        new Random(1).NextBytes(input);
        _programs.TakeAtMost = 1000;
        _script.Then(() => _programs.Started, () =>
        {
            _channel.Feed(ControlFrameType.StandardInput, 1, input[..40000]);
            _channel.Feed(ControlFrameType.StandardInput, 1, input[40000..]);
            _channel.Feed(ControlFrameType.StandardInputEnd, 1);
        });
        _script.Then(() => _programs.InputEnded, Exit);
        RunSession(FakeChannel.Start(["cat"]));

        Assert.Equal(input, _programs.Input);
        Assert.Equal(input.Length, _channel.Take().Where(frame => frame.Type == ControlFrameType.StandardInputTaken).Sum(frame => frame.Number(0)));
    }

    [Fact]
    public void A_reader_that_pauses_gets_the_rest_later()
    {
        _programs.TakeAtMost = 0;
        int offersWhilePaused = 0;
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.StandardInput, 1, 1, 2, 3));
        _script.Then(() => _programs.Offers >= 3, () =>
        {
            offersWhilePaused = _programs.Offers;
            Assert.DoesNotContain(_channel.Take(), frame => frame.Type == ControlFrameType.StandardInputTaken);
            _programs.TakeAtMost = int.MaxValue;
        });
        _script.Then(() => _programs.Input.Count == 3, Exit);
        RunSession(FakeChannel.Start(["cat"]));
        Assert.Equal(3, offersWhilePaused);
        Assert.Equal(new byte[] { 1, 2, 3 }, _programs.Input);
    }

    [Fact]
    public void Input_that_nobody_will_read_is_acknowledged_and_dropped()
    {
        _programs.InputStatus = Errno.EPIPE;
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.StandardInput, 1, new byte[5000]));
        _script.Then(() => _programs.Offers == 1, () => _channel.Feed(ControlFrameType.StandardInput, 1, new byte[700]));
        _script.Then(() => _transmitter.Waiting == 0 && Taken() == 5700, Exit);
        RunSession(FakeChannel.Start(["true"]));
        Assert.Equal(1, _programs.Offers);
    }

    [Fact]
    public void A_signal_reaches_the_processor()
    {
        _script.Then(() => _programs.Started, () => _channel.Feed(ControlFrameType.Signal, 1, 2, 0, 0, 0));
        _script.Then(() => _programs.Signals.Count == 1, Exit);
        RunSession(FakeChannel.Start(["sleep"]));
        Assert.Equal([2u], _programs.Signals);
    }

    [Fact]
    public void Output_is_not_accepted_before_there_is_room_for_it()
    {
        bool refilled = false;
        int accepted = 0;
        _script.Then(() => _programs.Started, () =>
        {
            _channel.Room = 0;
            _script.Then(() => accepted >= 4, () =>
            {
                refilled = true;
                _channel.Room = int.MaxValue;
            });
            byte[] block = new byte[StreamRequest.MaxBytes];
            for (; accepted < 8; accepted++)
            {
                if (accepted >= 6)
                {
                    Assert.True(refilled);
                }

                Assert.Equal(Errno.None, Output(1, block));
            }

            Exit();
        });
        RunSession(FakeChannel.Start(["yes"]));
        Assert.Equal(8 * StreamRequest.MaxBytes, _channel.Take().Where(frame => frame.Type == ControlFrameType.StandardOutput).Sum(frame => frame.Payload.Length));
    }

    [Fact]
    public void Programs_of_a_tool_that_went_away_get_a_hangup_and_end_silently()
    {
        _script.Then(() => _programs.Started, () => _channel.Attached = false);
        _script.Then(() => _programs.Signals.Count == 1 && _programs.InputEnded, () =>
        {
            Assert.Equal(Errno.EPIPE, Output(1, "to nobody"));
            Exit();
        });
        RunSession(FakeChannel.Start(["sh"]));
        Assert.Equal([1u], _programs.Signals);
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

    private static void Leave()
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

    private long Taken()
    {
        _kept.AddRange(_channel.Take());
        return _kept.Where(frame => frame.Type == ControlFrameType.StandardInputTaken).Sum(frame => frame.Number(0));
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
        StreamRequest request = new StreamRequest { Session = session, Stream = stream };
        return _processor.Call(
            ManagerNode, Opcode.StandardOutput, default, new ReadOnlySpan<byte>(&request, sizeof(StreamRequest)), bytes, default, out _);
    }

    private void Exit()
    {
        ProcessExitedRequest request = new ProcessExitedRequest { Session = _programs.Request.Session, ProcessId = FakeProcessor.ProcessId, WaitStatus = ExitStatus };
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

        public Errno InputStatus { get; set; }

        public int TakeAtMost { get; set; } = int.MaxValue;

        public int Offers { get; private set; }

        public List<byte> Input { get; } = [];

        public bool InputEnded { get; private set; }

        public List<uint> Signals { get; } = [];

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
                    InputEnded = bytes.Length == 0;
                    Offers += InputEnded ? 0 : 1;
                    int taken = Math.Min(TakeAtMost, bytes.Length);
                    Input.AddRange(bytes[..taken].ToArray());
                    request.Reply(InputStatus, new StreamReply { Taken = (uint)taken });
                    break;
                default:
                    Assert.True(request.TryReadHead(out SignalRequest signal, out _));
                    Signals.Add(signal.Signal);
                    request.Reply(Errno.None);
                    break;
            }

            return RpcDisposition.Done;
        }
    }
}
