// The manager's part of the control channel: Start, standard input, signals, the list; and the greeting, which waits until every component
// named on the boot line has joined. Runs in the poller: it fills sessions and wakes their threads, and never blocks.

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
    private const uint Hangup = 1;
    private const uint HighestSignal = 64;
    private const int ListBytes = 16 * 1024;

    private readonly SessionTable _sessions;
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
        SessionTable sessions, SessionWorker worker, MembershipTable members, ControlTransmitter transmitter, FrameAllocator frames)
    {
        _sessions = sessions;
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

    public override bool TryHandle(scoped in ControlFrame frame)
    {
        switch (frame.Type)
        {
            case ControlFrameType.Start:
                Start(frame.Session, frame.Payload);
                return true;
            case ControlFrameType.StandardInput:
                AddInput(_sessions.FindTag(frame.Session), frame.Payload);
                return true;
            case ControlFrameType.StandardInputEnd:
                EndInput(_sessions.FindTag(frame.Session));
                return true;
            case ControlFrameType.Signal:
                if (frame.Payload.Length >= sizeof(uint))
                {
                    AddSignal(_sessions.FindTag(frame.Session), BinaryPrimitives.ReadUInt32LittleEndian(frame.Payload));
                }

                return true;
            case ControlFrameType.List:
                SendList(frame.Session);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Programs whose tool has gone get SIGHUP, as programs whose terminal has gone do.</summary>
    public override void Disconnected()
    {
        for (int slot = 0; slot < SessionTable.MaxSessions; slot++)
        {
            Session* session = _sessions.At(slot);
            if (session->State != SessionState.Free && !session->Abandoned)
            {
                AddSignal(session, Hangup);
                EndInput(session);
                session->Abandoned = true;
            }
        }
    }

    public override void Report(ref StatisticsWriter writer)
    {
        writer.Add("manager.sessions.started"u8, _started);
        writer.Add("manager.sessions.running"u8, (ulong)_sessions.InUse);
        writer.Add("manager.sessions.input_bytes"u8, _inputBytes);
    }

    private static void AddSignal(Session* session, uint signal)
    {
        if (session == null || signal is 0 or > HighestSignal || session->SignalCount == Session.MaxSignals)
        {
            return;
        }

        session->Signals[session->SignalCount++] = signal;
        session->Work.WakeAll();
    }

    private static void EndInput(Session* session)
    {
        if (session != null)
        {
            session->InputEnds = true;
            session->Work.WakeAll();
        }
    }

    private void Start(ushort tag, ReadOnlySpan<byte> payload)
    {
        Errno error = StartFrame.Parse(payload, out StartFrame start);
        if (error == Errno.None)
        {
            error = _sessions.FindTag(tag) != null ? Errno.EEXIST : Begin(tag, in start);
        }

        if (error != Errno.None)
        {
            Span<byte> body = stackalloc byte[2 * sizeof(uint)];
            BinaryPrimitives.WriteUInt32LittleEndian(body, (uint)error);
            BinaryPrimitives.WriteUInt32LittleEndian(body.Slice(sizeof(uint)), 0);
            _transmitter.TryQueue(ControlFrameType.Started, tag, body, default, ControlPriority.Answer);
        }
    }

    private Errno Begin(ushort tag, scoped in StartFrame start)
    {
        Session* session = _sessions.Allocate(tag);
        if (session == null)
        {
            return Errno.EAGAIN;
        }

        session->StringPages = ((ulong)start.Strings.Length + PageOperations.PageSize - 1) / PageOperations.PageSize;
        session->Strings = (byte*)_frames.AllocateContiguous(session->StringPages);
        if (session->Strings == null)
        {
            _sessions.Free(session);
            return Errno.ENOMEM;
        }

        start.Strings.CopyTo(new Span<byte>(session->Strings, start.Strings.Length));
        session->Request = new StartProcessRequest
        {
            Flags = start.Flags,
            ArgumentCount = start.ArgumentCount,
            EnvironmentCount = start.EnvironmentCount,
            StringBytes = (uint)start.Strings.Length,
            TerminalRows = start.TerminalRows,
            TerminalColumns = start.TerminalColumns,
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

        _inputBytes += (ulong)bytes.Length;
        if (session->InputRefused || session->InputEnds || !InputRing.TryAdd(session, bytes))
        {
            session->InputDropped += (uint)bytes.Length;
        }

        session->Work.WakeAll();
    }

    private void SendList(ushort tag)
    {
        ListWriter text = new ListWriter(new Span<byte>(_list, ListBytes));
        text.Line($"epoch {_members.Epoch}");
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            text.Line($"member {ComponentNames.Of(member.Kind)} node {(int)member.Node} {ComponentNames.Of(member.State)} free {member.FreeBytes} capacity {member.CapacityBytes} processes {member.Processes}");
        }

        for (int slot = 0; slot < SessionTable.MaxSessions; slot++)
        {
            Session* session = _sessions.At(slot);
            if (session->State != SessionState.Free)
            {
                text.Line($"session {(int)session->Tag} node {(int)session->Processor} pid {session->ProcessId}");
            }
        }

        _transmitter.TryQueue(ControlFrameType.ListReply, tag, text.Text, default, ControlPriority.Answer);
    }
}
