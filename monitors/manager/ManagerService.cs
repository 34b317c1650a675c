// Group 5 at the manager: membership, placement questions and what programs write and how they end. Everything is answered in the poller:
// no request waits here for another component, or for the tool.

using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager.Sessions;

namespace Lego.Manager;

/// <summary>Serves the other components.</summary>
public sealed unsafe class ManagerService : RpcService
{
    private readonly ManagerMonitor _monitor;
    private readonly MembershipTable _members;
    private readonly Placement _placement;
    private readonly SessionTable _sessions;
    private readonly SessionOutput _output;
    private ulong _consultations;

    public ManagerService(ManagerMonitor monitor, MembershipTable members, Placement placement, SessionTable sessions, SessionOutput output)
    {
        _monitor = monitor;
        _members = members;
        _placement = placement;
        _sessions = sessions;
        _output = output;
    }

    public override bool IsIdempotent(Opcode opcode) => opcode is Opcode.Join or Opcode.Heartbeat or Opcode.Leave or Opcode.Place;

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        switch (request.Opcode)
        {
            case Opcode.Join:
                Join(ref request);
                return RpcDisposition.Done;
            case Opcode.Heartbeat:
                Heartbeat(ref request);
                return RpcDisposition.Done;
            case Opcode.Leave:
                Leave(ref request);
                return RpcDisposition.Done;
            case Opcode.Consult:
                Consult(ref request);
                return RpcDisposition.Done;
            case Opcode.Place:
                Place(ref request);
                return RpcDisposition.Done;
            case Opcode.ProcessExited:
                Exited(ref request);
                return RpcDisposition.Done;
            case Opcode.StandardOutput:
                Relay(ref request);
                return RpcDisposition.Done;
            case Opcode.StandardInputWanted:
                RelayWantedInput(ref request);
                return RpcDisposition.Done;
            case Opcode.TerminalModes:
                RelayModes(ref request);
                return RpcDisposition.Done;
            default:
                request.Reply(Errno.ENOSYS);
                return RpcDisposition.Done;
        }
    }

    public void Report(ref StatisticsWriter writer)
    {
        _output.Report(ref writer);
        writer.Add("manager.consultations"u8, _consultations);
    }

    private void Join(ref RpcRequest request)
    {
        if (!request.TryReadHead(out JoinRequest join, out _) || join.Node != request.Source
            || join.Incarnation != request.SourceIncarnation)
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        JoinOutcome outcome = _members.Join(in join, request.Epoch);
        if (outcome is JoinOutcome.Refused or JoinOutcome.GivenUp)
        {
            request.Reply(outcome == JoinOutcome.GivenUp ? Errno.ESRCH : Errno.EPERM);
            return;
        }

        if (outcome != JoinOutcome.Known)
        {
            _monitor.MemberJoined(in join, outcome);
        }

        ReplyMembership(ref request);
    }

    private void Heartbeat(ref RpcRequest request)
    {
        if (!request.TryReadHead(out HeartbeatRequest heartbeat, out _) || heartbeat.Self.Node != request.Source
            || heartbeat.Self.Incarnation != request.SourceIncarnation)
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        Errno error = _members.Heartbeat(in heartbeat);
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        ReplyMembership(ref request);
    }

    private void Leave(ref RpcRequest request)
    {
        if (!request.TryReadHead(out JoinRequest self, out _) || self.Node != request.Source
            || self.Incarnation != request.SourceIncarnation)
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        request.Reply(Errno.None);
        int index = _members.Leave(in self);
        if (index >= 0)
        {
            _monitor.MemberLeft(index);
        }
    }

    private void ReplyMembership(ref RpcRequest request)
    {
        Span<byte> records = stackalloc byte[ManagerMonitor.MembershipBytes];
        int length = _members.Write(records);
        request.Reply(Errno.None, records.Slice(0, length));
    }

    private void Consult(ref RpcRequest request)
    {
        if (!request.TryReadHead(out ConsultRequest consult, out _))
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        if (!_members.IsComplete)
        {
            request.Reply(Errno.EAGAIN);
            return;
        }

        _consultations++;
        Span<OwnerRun> runs = stackalloc OwnerRun[OwnerRun.Most];
        Errno error = _placement.ChooseOwners(in consult, request.Source, runs, out int count);
        ConsultReply reply = new() { Runs = (uint)count, RackBytes = _placement.MemoryBytes };
        request.Reply(error, in reply, MemoryMarshal.AsBytes(runs.Slice(0, count)));
    }

    private void Place(ref RpcRequest request)
    {
        PlaceReply reply = default;
        Errno error = _members.IsComplete ? _placement.Place(out reply) : Errno.EAGAIN;
        request.Reply(error, in reply);
    }

    private void Exited(ref RpcRequest request)
    {
        if (!request.TryReadHead(out ProcessExitedRequest exited, out _))
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        // Before StartProcess has been answered the process id is not known yet: the program may be quicker than the reply.
        Session* session = _sessions.Find(exited.Session);
        if (session != null && session->Processor == request.Source && (session->ProcessId == 0 || session->ProcessId == exited.ProcessId))
        {
            session->WaitStatus = exited.WaitStatus;
            session->State = SessionState.Ended;
            session->Work.WakeAll();
        }

        int member = _members.Find(request.Source);
        if (member >= 0)
        {
            _members[member].Processes = exited.Processes;
        }

        request.Reply(Errno.None);
    }

    private void Relay(ref RpcRequest request)
    {
        bool isWhole = request.TryReadHead(out StreamRequest stream, out ReadOnlySpan<byte> bytes);
        request.Reply(isWhole ? _output.Accept(in stream, bytes) : Errno.EINVAL);
    }

    private void RelayWantedInput(ref RpcRequest request)
    {
        if (!request.TryReadHead(out InputWantedRequest wanted, out _))
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        Span<byte> body = stackalloc byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(body, wanted.Bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(body.Slice(sizeof(uint)), wanted.Reads);
        request.Reply(_output.Add(_sessions.Find(wanted.Session), ControlFrameType.StandardInputWanted, body));
    }

    private void RelayModes(ref RpcRequest request)
    {
        if (!request.TryReadHead(out TerminalModesRequest wanted, out _))
        {
            request.Reply(Errno.EINVAL);
            return;
        }

        // The frame says the same without the session, whose name on the control channel is another.
        ReadOnlySpan<byte> body = MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref wanted, 1)).Slice(sizeof(uint));
        request.Reply(_output.Add(_sessions.Find(wanted.Session), ControlFrameType.TerminalModes, body));
    }
}
