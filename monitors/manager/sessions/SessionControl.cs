// The manager's part of the control channel: Start, standard streams, signals, the list; and the greeting, which waits until every
// component named on the boot line has joined. Runs in the poller: it fills sessions and wakes their threads, and never blocks.

using System;
using System.Buffers.Binary;
using Lego.Common;
using Lego.Common.Control;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

/// <summary>Frames that only a manager takes.</summary>
public sealed unsafe class SessionControl : ControlService
{
    private const ulong HangupSignals = (1UL << (1 - 1)) | (1UL << (18 - 1)); // SIGHUP, and SIGCONT for those that are stopped
    private const uint HighestSignal = 64;
    private const int ListBytes = 16 * 1024;

    private readonly SessionTable _sessions;
    private readonly SessionOutput _output;
    private readonly SessionWorker _worker;
    private readonly MembershipTable _members;
    private readonly ControlTransmitter _transmitter;
    private readonly FrameAllocator _frames;
    private readonly ushort[] _expected = new ushort[MembershipTable.MaxMembers];
    private readonly byte* _list;
    private int _expectedCount;
    private bool _everybodyCame;
    private ulong _started;
    private ulong _inputBytes;

    public SessionControl(
        SessionTable sessions, SessionOutput output, SessionWorker worker, MembershipTable members, ControlTransmitter transmitter,
        FrameAllocator frames)
    {
        _sessions = sessions;
        _output = output;
        _worker = worker;
        _members = members;
        _transmitter = transmitter;
        _frames = frames;
        _list = (byte*)frames.AllocateContiguous(ListBytes / PageOperations.PageSize);
        if (_list == null)
        {
            Panic.Because("SessionControl: no memory for its buffer at boot");
        }
    }

    /// <summary>A node that has to join before the rack is ready; boot time.</summary>
    public void Expect(ushort node)
    {
        if (_expectedCount < _expected.Length)
        {
            _expected[_expectedCount++] = node;
        }
    }

    public override bool IsReady
    {
        get
        {
            for (int index = 0; index < _expectedCount && !_everybodyCame; index++)
            {
                if (!_members.IsAlive(_expected[index]))
                {
                    return false;
                }
            }

            // Later failures are reported as such; they do not make the rack "booting" again.
            _everybodyCame = true;
            return true;
        }
    }

    public override ControlDisposition TryHandle(scoped in ControlFrame frame)
    {
        Session* session = _sessions.FindTag(frame.Session);
        switch (frame.Type)
        {
            case ControlFrameType.Start:
                return Start(frame.Session, frame.Payload);
            case ControlFrameType.List:
                return SendList(frame.Session);
            case ControlFrameType.StandardInput:
                AddInput(session, frame.Payload);
                break;
            case ControlFrameType.StandardInputEnd:
                EndInput(session);
                break;
            case ControlFrameType.StandardOutputTaken:
                AddOutputNews(session, Number(frame.Payload, 0), Number(frame.Payload, 1), Errno.None);
                break;
            case ControlFrameType.StandardOutputClosed:
                AddOutputNews(session, Number(frame.Payload, 0), 0, (Errno)Number(frame.Payload, 1));
                break;
            case ControlFrameType.Signal:
                AddSignal(session, Number(frame.Payload, 0), (SignalScope)Number(frame.Payload, 1));
                break;
            case ControlFrameType.WindowSize:
                ChangeWindow(session, Number(frame.Payload, 0));
                break;
            case ControlFrameType.Hangup:
                Abandon(session);
                break;
            default:
                return ControlDisposition.NotMine;
        }

        return ControlDisposition.Done;
    }

    public override bool Send() => _output.Send();

    /// <summary>Programs whose tool has gone get SIGHUP, as programs whose terminal has gone do.</summary>
    public override void Disconnected()
    {
        for (int slot = 0; slot < SessionTable.MaxSessions; slot++)
        {
            Session* session = _sessions.At(slot);
            if (session->State != SessionState.Free && !session->Abandoned)
            {
                Abandon(session);
            }
        }
    }

    public override void Report(ref StatisticsWriter writer)
    {
        writer.Add("manager.sessions.started"u8, _started);
        writer.Add("manager.sessions.running"u8, (ulong)_sessions.InUse);
        writer.Add("manager.sessions.input_bytes"u8, _inputBytes);
    }

    /// <summary>A number of a payload, 0 when it is too short.</summary>
    private static uint Number(ReadOnlySpan<byte> payload, int index)
    {
        int offset = index * sizeof(uint);
        return payload.Length < offset + sizeof(uint) ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(payload.Slice(offset));
    }

    /// <summary>What is left to do for a program whose user has gone: it is told, and nothing is kept for the tool any more.</summary>
    private static void Abandon(Session* session)
    {
        if (session == null)
        {
            return;
        }

        session->Abandoned = true;
        session->SessionSignals |= HangupSignals;
        session->InputEnds = true;
        session->Output.Clear();
        for (int stream = 0; stream < Session.OutputStreams; stream++)
        {
            session->News[stream].Status = Errno.EPIPE;
        }

        session->Work.WakeAll();
    }

    private static void AddSignal(Session* session, uint signal, SignalScope scope)
    {
        if (session == null || signal is 0 or > HighestSignal)
        {
            return;
        }

        ulong bit = 1UL << (int)(signal - 1);
        if (scope == SignalScope.Session)
        {
            session->SessionSignals |= bit;
        }
        else
        {
            session->ForegroundSignals |= bit;
        }

        session->Work.WakeAll();
    }

    private static void AddOutputNews(Session* session, uint stream, uint bytes, Errno status)
    {
        if (session == null || stream is 0 or > Session.OutputStreams)
        {
            return;
        }

        ref OutputNews news = ref session->News[(int)stream - 1];
        news.Bytes = Math.Min(news.Bytes + bytes, StreamRequest.OutputWindowBytes);
        news.Status = status == Errno.None ? news.Status : status;
        session->Work.WakeAll();
    }

    /// <summary>Rows in the low half, columns in the high one.</summary>
    private static void ChangeWindow(Session* session, uint size)
    {
        if (session != null)
        {
            session->Request.TerminalRows = (ushort)size;
            session->Request.TerminalColumns = (ushort)(size >> 16);
            session->WindowChanged = true;
            session->Work.WakeAll();
        }
    }

    private static void EndInput(Session* session)
    {
        if (session != null)
        {
            session->InputEnds = true;
            session->Work.WakeAll();
        }
    }

    private ControlDisposition Start(ushort tag, ReadOnlySpan<byte> payload)
    {
        Errno error = StartFrame.Parse(payload, out StartFrame start);
        if (error == Errno.None)
        {
            error = _sessions.FindTag(tag) != null ? Errno.EEXIST : Begin(tag, in start);
        }

        if (error == Errno.None)
        {
            return ControlDisposition.Done;
        }

        Span<byte> body = stackalloc byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)error);
        BinaryPrimitives.WriteUInt32LittleEndian(body.Slice(sizeof(uint)), 0);
        return Answer(ControlFrameType.Started, tag, body);
    }

    private ControlDisposition Answer(ControlFrameType type, ushort tag, ReadOnlySpan<byte> payload)
    {
        bool queued = _transmitter.TryQueue(type, tag, payload, default, ControlPriority.Answer);
        return queued ? ControlDisposition.Done : ControlDisposition.Again;
    }

    private Errno Begin(ushort tag, scoped in StartFrame start)
    {
        Errno error = _sessions.Allocate(tag, out Session* session);
        if (error != Errno.None)
        {
            return error;
        }

        session->StringPages = ((ulong)start.Strings.Length + PageOperations.PageSize - 1) / PageOperations.PageSize;
        session->Strings = (byte*)_frames.AllocateContiguous(session->StringPages);
        if (session->Strings == null)
        {
            _sessions.Free(session);
            return Errno.ENOMEM;
        }

        session->Wanted = start.Processor;
        session->VNode = start.VNode;
        start.Strings.CopyTo(new Span<byte>(session->Strings, start.Strings.Length));
        session->Request = new StartProcessRequest
        {
            Flags = start.Flags,
            ArgumentCount = start.ArgumentCount,
            EnvironmentCount = start.EnvironmentCount,
            StringBytes = (uint)start.Strings.Length,
            TerminalRows = start.TerminalRows,
            TerminalColumns = start.TerminalColumns,
            Modes = start.Modes,
        };
        if (Scheduler.Spawn(_worker, session, "session"u8) == null)
        {
            _frames.FreeContiguous(session->Strings, session->StringPages);
            _sessions.Free(session);
            return Errno.ENOMEM;
        }

        _started++;
        return Errno.None;
    }

    private void AddInput(Session* session, ReadOnlySpan<byte> bytes)
    {
        if (session == null || session->State == SessionState.Ended)
        {
            return;
        }

        // Bytes that nobody asked for would need room that nobody has kept for them.
        if (!session->InputEnds && session->Input.TryAdd(bytes))
        {
            _inputBytes += (ulong)bytes.Length;
            session->InputAnswered++;
            session->Work.WakeAll();
        }
    }

    private ControlDisposition SendList(ushort tag)
    {
        ListWriter text = new(new Span<byte>(_list, ListBytes));
        text.Line($"epoch {_members.Epoch}");
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            text.Line($"member {ComponentNames.Of(member.Kind)} node {(int)member.Node} {ComponentNames.Of(member.State)}"
                + $" free {member.FreeBytes} capacity {member.CapacityBytes} processes {member.Processes}");
        }

        for (int slot = 0; slot < SessionTable.MaxSessions; slot++)
        {
            Session* session = _sessions.At(slot);
            if (session->State != SessionState.Free)
            {
                text.Line($"session {(int)session->Tag} node {(int)session->Processor} pid {session->ProcessId}");
            }
        }

        return Answer(ControlFrameType.ListReply, tag, text.Text);
    }
}
