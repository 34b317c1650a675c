// Programs started through the control channel, against a processor component made of C#: a fake channel on one side, two endpoints joined
// by a local link in between. One stack only: the session's thread runs on the test's stack, and a script runs whenever it waits.

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

/// <summary>A manager with a tool and a processor component, and what both do as methods.</summary>
public abstract unsafe class SessionFixture : IDisposable
{
    private protected const ushort ProcessorNode = 1;
    private protected const ushort MemoryNode = 2;
    private protected const ushort StorageNode = 3;
    private protected const ushort ManagerNode = 4;
    private protected const uint ExitStatus = 7 << 8;
    private protected const uint ProcessesLeft = 3;
    private protected const ulong Second = 1_000_000_000;

    private readonly HostFrames _frames = new(megabytes: 24);

    private protected FakeChannel Channel { get; } = new();

    private protected ControlTransmitter Transmitter { get; }

    private protected ControlServer Server { get; }

    private protected ManagerMonitor Manager { get; }

    private protected RpcEndpoint Processor { get; }

    private protected FakeProcessor Programs { get; } = new();

    private protected Script Steps { get; } = new();

    private protected ulong Now { get; set; } = Second;

    /// <summary>Frames that <see cref="Count"/> has taken from the channel.</summary>
    private protected List<SentFrame> Kept { get; } = [];

    private protected SessionFixture()
    {
        Poller.Reset();
        Scheduler.ForgetSpawned();
        FrameAllocator frames = _frames.Allocator;
        Assert.Equal(Errno.None, LocalLink.CreatePair(frames, ProcessorNode, ManagerNode, out RingLink? low, out RingLink? high));
        Processor = new RpcEndpoint(ProcessorNode, frames, 0);
        RpcEndpoint endpoint = new(ManagerNode, frames, 0);
        Processor.Attach(ManagerNode, low!);
        endpoint.Attach(ProcessorNode, high!);
        Processor.Register((byte)((ushort)Opcode.StartProcess >> 8), Programs);
        Transmitter = new ControlTransmitter(Channel, frames);
        Manager = new ManagerMonitor(endpoint, Transmitter, frames, new ManagerOptions
        {
            SuspectNs = MembershipTable.DefaultSuspectNs,
            FailNs = MembershipTable.DefaultFailNs,
        });
        Server = new ControlServer(Channel, Transmitter, frames, "manager"u8, "g0"u8, &Leave);
        Server.Add(Manager.Control);
        Server.Add(Manager);
        Join(ProcessorNode, ComponentKind.Processor);
        Join(MemoryNode, ComponentKind.Memory);
        Join(StorageNode, ComponentKind.Storage);
        Processor.Epoch = endpoint.Epoch = Manager.Members.Epoch;
        Poller.Register(Processor);
        Poller.Register(endpoint);
        Poller.Register(Server);
        Poller.Register(Steps);
    }

    public void Dispose()
    {
        Poller.Reset();
        _frames.Dispose();
    }

    private static void Leave(Errno error)
    {
    }

    /// <summary>Output frames of the running program may overtake Started only in this sort key's eyes: streams are asynchronous.</summary>
    private protected static int Order(ControlFrameType type) => type switch
    {
        ControlFrameType.Started => 0,
        ControlFrameType.StandardOutput => 1,
        ControlFrameType.StandardError => 2,
        _ => 3,
    };

    private protected int Count(ControlFrameType type)
    {
        Kept.AddRange(Channel.Take());
        return Kept.Count(frame => frame.Type == type);
    }

    private void Join(ushort node, ComponentKind kind) =>
        Manager.Members.Join(new JoinRequest { Node = node, Kind = kind, Incarnation = 1, CapacityBytes = 1 << 30 }, 0);

    private protected ref Member ProcessorMember => ref Manager.Members[Manager.Members.Find(ProcessorNode)];

    /// <summary>Ticks as the manager's thread does.</summary>
    private protected void LetPass(ulong timeNs)
    {
        for (ulong end = Now + timeNs; Now < end; Now += Second / 4)
        {
            Manager.Tick(Now);
        }
    }

    private protected void RunSession(byte[] start)
    {
        Channel.Feed(ControlFrameType.Start, 1, start);
        while (!Scheduler.RunSpawned())
        {
            Poller.PollAll();
        }
    }

    private protected Errno Output(ushort stream, string text) => Output(stream, Encoding.ASCII.GetBytes(text));

    private protected Errno Output(ushort stream, string text, uint session) => Output(stream, Encoding.ASCII.GetBytes(text), session);

    private protected Errno Output(ushort stream, byte[] bytes) => Output(stream, bytes, Programs.Request.Session);

    private protected Errno Output(ushort stream, byte[] bytes, uint session)
    {
        StreamRequest request = new() { Session = session, Stream = stream };
        return Processor.Call(
            ManagerNode, Opcode.StandardOutput, default, new ReadOnlySpan<byte>(&request, sizeof(StreamRequest)), bytes, default, out _);
    }

    private protected Errno WantInput(uint bytes, uint reads)
    {
        InputWantedRequest request = new() { Session = Programs.Request.Session, Bytes = bytes, Reads = reads };
        return Processor.Call(ManagerNode, Opcode.StandardInputWanted, default, in request, default, default, out _);
    }

    private protected void Exit()
    {
        ProcessExitedRequest request = new()
        {
            Session = Programs.Request.Session,
            ProcessId = FakeProcessor.ProcessId,
            WaitStatus = ExitStatus,
            Processes = ProcessesLeft,
        };
        Errno status = Processor.Call(
            ManagerNode, Opcode.ProcessExited, default, new ReadOnlySpan<byte>(&request, sizeof(ProcessExitedRequest)), default, default,
            out _);
        Assert.Equal(Errno.None, status);
    }

    /// <summary>Steps that run in order, each when its time has come.</summary>
    private protected sealed class Script : PollSource
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
    private protected sealed class FakeProcessor : RpcService
    {
        public const uint ProcessId = 42;
        public const uint Processes = 7;

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
                    request.Reply(StartStatus, new StartProcessReply { ProcessId = ProcessId, Processes = Processes });
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
