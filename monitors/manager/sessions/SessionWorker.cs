// What a session's own thread does: start the program, carry signals and standard input to it, report its end. Everything here may BLOCK on
// the fabric or on the tool; the poller fills the session meanwhile and wakes Work.
//
// Back-pressure of standard input: the tool sends at most Session.InputBytes ahead; bytes leave the ring only when the processor component has
// taken them, and the tool learns of that (StandardInputTaken) only then. A program that does not read is offered its input again
// after a pause that grows.

using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

/// <summary>The life of a session.</summary>
public sealed unsafe class SessionWorker : ThreadBody
{
    /// <summary>First and longest pause before input that was not taken is offered again.</summary>
    private const ulong FirstPauseNs = 2_000_000;
    private const ulong LongestPauseNs = 50_000_000;

    /// <summary>Bytes that are worth a message even to a reader that took less last time.</summary>
    private const int LeastOfferBytes = 4096;

    /// <summary>Wait status of a program that its processor component took along: killed by SIGKILL.</summary>
    public const uint LostStatus = 9;

    private readonly RpcEndpoint _endpoint;
    private readonly ControlTransmitter _transmitter;
    private readonly MembershipTable _members;
    private readonly Placement _placement;
    private readonly SessionTable _sessions;
    private readonly FrameAllocator _frames;

    public SessionWorker(
        RpcEndpoint endpoint, ControlTransmitter transmitter, MembershipTable members, Placement placement, SessionTable sessions,
        FrameAllocator frames)
    {
        _endpoint = endpoint;
        _transmitter = transmitter;
        _members = members;
        _placement = placement;
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

            ulong pauseNs = FirstPauseNs;
            while (session->State == SessionState.Running)
            {
                Step(session, ref pauseNs);
            }

            SendExited(session);
        }

        _sessions.Free(session);
    }

    /// <summary>One thing that there is to do, or one wait.</summary>
    public void Step(Session* session, ref ulong pauseNs)
    {
        if (session->InputDropped > 0)
        {
            uint dropped = session->InputDropped;
            session->InputDropped = 0;
            SendTaken(session, dropped);
        }
        else if (session->SignalCount > 0)
        {
            DeliverSignal(session);
        }
        else if (session->InputCount > 0)
        {
            if (OfferInput(session))
            {
                pauseNs = FirstPauseNs;
            }
            else
            {
                session->Work.WaitUntil(Clock.NowNs() + pauseNs);
                pauseNs = Math.Min(pauseNs * 2, LongestPauseNs);
            }
        }
        else if (session->InputEnds && !session->InputEnded)
        {
            session->InputEnded = true;
            Stream(session, default, out _);
        }
        else
        {
            session->Work.Wait();
        }
    }

    private static ReadOnlySpan<byte> AsBytes<T>(in T value) where T : unmanaged =>
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AsRef(in value), 1));

    private Errno StartProgram(Session* session)
    {
        PlaceReply place = default;
        Errno error = _placement.ChooseProcessor(out ushort processor);
        if (error == Errno.None)
        {
            error = _placement.Place(out place);
        }

        if (error != Errno.None)
        {
            return error;
        }

        session->Processor = processor;
        session->Request.Session = session->Id;
        session->Request.Place = place;
        int member = _members.Find(processor);
        _members[member].Processes++;
        StartProcessReply reply = default;
        error = _endpoint.Call(
            processor, Opcode.StartProcess, default, AsBytes(in session->Request),
            new ReadOnlySpan<byte>(session->Strings, (int)session->Request.StringBytes),
            new Span<byte>(&reply, sizeof(StartProcessReply)), out _);
        if (error == Errno.None)
        {
            session->ProcessId = reply.ProcessId;
        }

        return error;
    }

    private void DeliverSignal(Session* session)
    {
        SignalRequest request = new SignalRequest { Session = session->Id, Signal = session->Signals[0] };
        session->SignalCount--;
        for (int index = 0; index < session->SignalCount; index++)
        {
            session->Signals[index] = session->Signals[index + 1];
        }

        _endpoint.Call(session->Processor, Opcode.SignalProcess, default, AsBytes(in request), default, default, out _);
    }

    /// <summary>False: nothing was taken.</summary>
    private bool OfferInput(Session* session)
    {
        ReadOnlySpan<byte> bytes = InputRing.Peek(session, Math.Max(session->OfferBytes, LeastOfferBytes));
        Errno error = Stream(session, bytes, out uint taken);
        // A slow reader is offered about what it took last time, a fast one more and more.
        session->OfferBytes = (int)Math.Min(taken == (uint)bytes.Length ? ((uint)session->OfferBytes * 2) + LeastOfferBytes : taken, StreamRequest.MaxBytes);
        if (error != Errno.None || taken > (uint)bytes.Length)
        {
            // The reader has closed its end (EPIPE), or has gone: as with a pipe, what is written from now on goes nowhere.
            session->InputRefused = true;
            taken = (uint)session->InputCount;
        }

        if (taken > 0)
        {
            InputRing.Remove(session, (int)taken);
            SendTaken(session, taken);
        }

        return taken > 0;
    }

    private Errno Stream(Session* session, ReadOnlySpan<byte> bytes, out uint taken)
    {
        StreamRequest request = new StreamRequest { Session = session->Id };
        StreamReply reply = default;
        Errno error = _endpoint.Call(
            session->Processor, Opcode.StandardInput, new RpcContext { Class = RpcClass.Stream }, AsBytes(in request), bytes, new Span<byte>(&reply, sizeof(StreamReply)), out _);
        taken = reply.Taken;
        return error;
    }

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

    private void SendTaken(Session* session, uint count) => SendNumber(session, ControlFrameType.StandardInputTaken, count);

    private void SendExited(Session* session) => SendNumber(session, ControlFrameType.Exited, session->WaitStatus);

    private void SendNumber(Session* session, ControlFrameType type, uint number)
    {
        Span<byte> body = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, number);
        Send(session, type, body);
    }

    private void Send(Session* session, ControlFrameType type, ReadOnlySpan<byte> body)
    {
        if (!session->Abandoned)
        {
            _transmitter.Queue(type, session->Tag, body, default, ControlPriority.Answer);
        }
    }
}
