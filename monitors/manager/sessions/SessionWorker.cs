// What a session's own thread does: start the program, carry signals and standard input to it, report its end. Everything here may BLOCK on
// the fabric or on the tool; the poller fills the session meanwhile and wakes Work.
//
// It never waits for the user's side: what a session has for the tool lies in its ring, which the poller empties (SessionOutput).

using System;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager.VNodes;

namespace Lego.Manager.Sessions;

/// <summary>The life of a session.</summary>
public sealed unsafe class SessionWorker : ThreadBody
{
    /// <summary>Wait status of a program that its processor component took along: killed by SIGKILL.</summary>
    public const uint LostStatus = 9;

    private const ulong CompletePauseNs = 10_000_000;

    private readonly RpcEndpoint _endpoint;
    private readonly ControlTransmitter _transmitter;
    private readonly MembershipTable _members;
    private readonly Placement _placement;
    private readonly VNodeRegistry _vnodes;
    private readonly SessionTable _sessions;
    private readonly FrameAllocator _frames;

    public SessionWorker(
        RpcEndpoint endpoint, ControlTransmitter transmitter, MembershipTable members, Placement placement, VNodeRegistry vnodes,
        SessionTable sessions,
        FrameAllocator frames)
    {
        _endpoint = endpoint;
        _transmitter = transmitter;
        _members = members;
        _placement = placement;
        _vnodes = vnodes;
        _sessions = sessions;
        _frames = frames;
    }

    /// <summary>A session from Starting to Free. BLOCKS for as long as the program runs.</summary>
    public override void Run(void* argument)
    {
        Session* session = (Session*)argument;
        Errno error = StartProgram(session);
        ReleaseStrings(session);
        SendStarted(session, error);
        if (error == Errno.None)
        {
            if (session->State == SessionState.Starting)
            {
                session->State = SessionState.Running;
            }

            while (session->State == SessionState.Running)
            {
                Step(session);
            }

            // Exited comes after the last byte of output.
            while (session->Output.Count > 0)
            {
                session->Work.Wait();
            }

            if (session->IsLost)
            {
                SendLost(session);
            }

            SendExited(session);
            CloseStreams(session);
        }

        _sessions.Free(session);
    }

    /// <summary>One thing that there is to do, or one wait. Signals go first: they may be why the rest does not matter.</summary>
    public void Step(Session* session)
    {
        if (session->SessionSignals != 0)
        {
            DeliverSignal(session, ref session->SessionSignals, SignalScope.Session);
        }
        else if (session->ForegroundSignals != 0)
        {
            DeliverSignal(session, ref session->ForegroundSignals, SignalScope.Foreground);
        }
        else if (!session->News[0].IsEmpty)
        {
            TellOutputNews(session, StreamRequest.Output);
        }
        else if (!session->News[1].IsEmpty)
        {
            TellOutputNews(session, StreamRequest.Error);
        }
        else if (session->WindowChanged)
        {
            TellWindowSize(session);
        }
        else if (session->Input.Count > 0 || session->InputAnswered > 0)
        {
            DeliverInput(session, StreamRequest.Input, session->Input.Peek(StreamRequest.MaxBytes));
        }
        else if (session->InputEnds)
        {
            session->InputEnds = false;
            session->InputAnswered++;
            DeliverInput(session, StreamRequest.InputEnd, default);
        }
        else
        {
            session->Work.Wait();
        }
    }

    private static ReadOnlySpan<byte> AsBytes<T>(in T value) where T : unmanaged =>
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AsRef(in value), 1));

    /// <summary>A program that nobody has named a component for starts at another one when the chosen one turns out to be gone.</summary>
    private Errno StartProgram(Session* session)
    {
        while (!_members.IsComplete && !session->Abandoned)
        {
            Scheduler.Sleep(CompletePauseNs);
        }

        Errno error = Errno.EHOSTDOWN;
        for (int tries = 0; tries < _members.Count && error == Errno.EHOSTDOWN; tries++)
        {
            error = _placement.ChooseProcessor(session->Wanted, out session->Processor);
            if (error != Errno.None)
            {
                return error;
            }

            error = _placement.Place(out session->Request.Place);
            if (error != Errno.None)
            {
                return error;
            }

            session->State = SessionState.Starting;
            session->IsLost = false;
            session->Request.Session = session->Id;
            error = _vnodes.AdmitAt(session->VNode, session->Processor);
            if (error == Errno.None)
            {
                error = StartAt(session);
            }
        }

        return error;
    }

    private Errno StartAt(Session* session)
    {
        // Positions in the table are for ever.
        int member = _members.Find(session->Processor);
        uint incarnation = _members[member].Incarnation;
        _members[member].Starting++;
        StartProcessReply reply = default;
        Errno error = _endpoint.Call(
            session->Processor, Opcode.StartProcess, new RpcContext { VNode = session->VNode }, AsBytes(in session->Request),
            new ReadOnlySpan<byte>(session->Strings, (int)session->Request.StringBytes),
            new Span<byte>(&reply, sizeof(StartProcessReply)), out _);
        bool isSameLife = _members[member].Incarnation == incarnation;
        _members[member].Starting -= isSameLife ? 1u : 0u;
        if (error == Errno.None)
        {
            session->ProcessId = reply.ProcessId;
            _members[member].Processes = isSameLife ? reply.Processes : _members[member].Processes;
        }

        return error;
    }

    private void DeliverSignal(Session* session, ref ulong signals, SignalScope scope)
    {
        int index = BitOperations.TrailingZeroCount(signals);
        signals &= signals - 1;
        Tell(session, Opcode.SignalProcess, new SignalRequest { Session = session->Id, Signal = (ushort)(index + 1), Scope = scope });
    }

    private void TellOutputNews(Session* session, ushort stream)
    {
        ref OutputNews news = ref session->News[stream - 1];
        OutputCreditRequest request = new()
        {
            Session = session->Id,
            Stream = stream,
            Status = (ushort)news.Status,
            Bytes = news.Bytes,
        };
        news.Bytes = 0;
        news.StatusTold = news.Status != Errno.None;
        Tell(session, Opcode.OutputCredit, in request);
    }

    private void TellWindowSize(Session* session)
    {
        session->WindowChanged = false;
        WindowSizeRequest request = new()
        {
            Session = session->Id,
            Rows = session->Request.TerminalRows,
            Columns = session->Request.TerminalColumns,
        };
        Tell(session, Opcode.WindowSize, in request);
    }

    /// <summary>Hands on input that was asked for, and so is taken as a whole. With its last bytes go the answered reads.</summary>
    private void DeliverInput(Session* session, ushort stream, ReadOnlySpan<byte> bytes)
    {
        StreamRequest request = new() { Session = session->Id, Stream = stream };
        if (bytes.Length == session->Input.Count)
        {
            request.Answered = session->InputAnswered;
            session->InputAnswered = 0;
        }

        // The bytes stay in the ring until they have arrived. A component that is gone ends the session in another way.
        RpcContext context = new() { Class = RpcClass.Stream };
        _endpoint.Call(session->Processor, Opcode.StandardInput, context, AsBytes(in request), bytes, default, out _);
        session->Input.Remove(bytes.Length);
    }

    /// <summary>Processes that outlive the program wait for credit that will not come: their writes fail instead.</summary>
    private void CloseStreams(Session* session)
    {
        for (ushort stream = StreamRequest.Output; stream <= StreamRequest.Error && _members.IsAlive(session->Processor); stream++)
        {
            OutputCreditRequest request = new() { Session = session->Id, Stream = stream, Status = (ushort)Errno.EPIPE };
            Tell(session, Opcode.OutputCredit, in request);
        }
    }

    /// <summary>A message whose answer does not matter: the program, or all of its component, may have ended meanwhile.</summary>
    private void Tell<TRequest>(Session* session, Opcode opcode, in TRequest request) where TRequest : unmanaged =>
        _endpoint.Call(session->Processor, opcode, default, AsBytes(in request), default, default, out _);

    private void ReleaseStrings(Session* session)
    {
        if (session->Strings != null)
        {
            _frames.FreeContiguous(session->Strings, session->StringPages);
            session->Strings = null;
        }
    }

    private void SendStarted(Session* session, Errno error)
    {
        Span<byte> body = stackalloc byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)error);
        BinaryPrimitives.WriteUInt32LittleEndian(body.Slice(sizeof(uint)), session->ProcessId);
        Send(session, ControlFrameType.Started, body);
    }

    private void SendLost(Session* session)
    {
        Span<byte> body = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, session->Processor);
        Send(session, ControlFrameType.ProgramLost, body);
    }

    private void SendExited(Session* session)
    {
        Span<byte> body = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, session->WaitStatus);
        Send(session, ControlFrameType.Exited, body);
    }

    private void Send(Session* session, ControlFrameType type, ReadOnlySpan<byte> body)
    {
        if (!session->Abandoned)
        {
            _transmitter.Queue(type, session->Tag, body, default, ControlPriority.Answer);
        }
    }
}
