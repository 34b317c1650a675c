// The rack tool's wish that a memory component own no vRegions any more (Drain), or may own some again. The manager marks the member, so
// that placement passes over it, and tells the other memory components, whose homes move the vRegions away
// (memory/services/RegionMoves.cs); it answers with how far they are. Nothing is kept here but the mark: the tool asks until nothing is
// left, and a manager that begins anew is told by the next question.
//
//   EINVAL     no memory component has that node
//   EHOSTDOWN  it has failed
//   EBUSY      it caches files, or is a home of address spaces: those do not move
//   ENOMEM     there is no other memory component that could take anything
//   EAGAIN     a memory component does not answer: who knows what it has left there
//
// A thread for each question, because it waits for other components; one question at a time.

using System;
using System.Buffers.Binary;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager;

/// <summary>Drain questions.</summary>
public sealed unsafe class DrainControl : ThreadBody
{
    private const int AnswerBytes = (4 * sizeof(uint)) + (2 * sizeof(ulong));

    private readonly RpcEndpoint _endpoint;
    private readonly MembershipTable _members;
    private readonly Placement _placement;
    private readonly ControlTransmitter _transmitter;
    private bool _isBusy;
    private ushort _tag;
    private DrainRequest _request;

    /// <summary>Boot time.</summary>
    public DrainControl(RpcEndpoint endpoint, MembershipTable members, Placement placement, ControlTransmitter transmitter)
    {
        _endpoint = endpoint;
        _members = members;
        _placement = placement;
        _transmitter = transmitter;
    }

    /// <summary>Takes a question; a thread answers. While another one is under way the frame waits.</summary>
    public ControlDisposition Take(scoped in ControlFrame frame)
    {
        if (_isBusy)
        {
            return ControlDisposition.Again;
        }

        bool isWhole = frame.Payload.Length == 2 * sizeof(uint);
        _tag = frame.Session;
        _request = new DrainRequest
        {
            Node = isWhole ? (ushort)BinaryPrimitives.ReadUInt32LittleEndian(frame.Payload) : (ushort)0,
            IsDrained = isWhole && BinaryPrimitives.ReadUInt32LittleEndian(frame.Payload.Slice(sizeof(uint))) != 0 ? (ushort)1 : (ushort)0,
        };
        _isBusy = Scheduler.Spawn(this, null, "drain"u8) != null;
        return _isBusy ? ControlDisposition.Done : ControlDisposition.Again;
    }

    /// <summary>Answers a question. BLOCKS.</summary>
    public override void Run(void* argument)
    {
        Errno error = Mark(in _request);
        DrainReply sum = default;
        for (int index = 0; index < _members.Count && error == Errno.None; index++)
        {
            if (_members[index].Kind == ComponentKind.Memory && _members[index].Node != _request.Node
                && _members[index].State is MemberState.Alive or MemberState.Suspect)
            {
                error = Ask(_members[index].Node, ref sum);
            }
        }

        Span<byte> answer = stackalloc byte[AnswerBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(answer, (uint)error);
        BinaryPrimitives.WriteUInt32LittleEndian(answer.Slice(4), sum.RunsLeft);
        BinaryPrimitives.WriteUInt32LittleEndian(answer.Slice(8), sum.Failures);
        BinaryPrimitives.WriteUInt32LittleEndian(answer.Slice(12), sum.LastError);
        BinaryPrimitives.WriteUInt64LittleEndian(answer.Slice(16), sum.Pages);
        BinaryPrimitives.WriteUInt64LittleEndian(answer.Slice(24), sum.LongestPauseNs);
        _transmitter.Queue(ControlFrameType.DrainReply, _tag, answer, default, ControlPriority.Answer);
        _isBusy = false;
    }

    private Errno Mark(in DrainRequest request)
    {
        int index = _members.Find(request.Node);
        if (index < 0 || _members[index].Kind != ComponentKind.Memory)
        {
            return Errno.EINVAL;
        }

        if (!_members.IsComplete)
        {
            return Errno.EAGAIN;
        }

        if (_members[index].State == MemberState.Failed)
        {
            return Errno.EHOSTDOWN;
        }

        bool isDrained = request.IsDrained != 0;
        if (isDrained && (_placement.CachesFiles(request.Node) || _members[index].Roles != MemberRoles.None))
        {
            return Errno.EBUSY;
        }

        if (isDrained && !HasOther(request.Node))
        {
            return Errno.ENOMEM;
        }

        _members[index].IsDraining = isDrained;
        return Errno.None;
    }

    private bool HasOther(ushort node)
    {
        for (int index = 0; index < _members.Count; index++)
        {
            if (_members[index].Kind == ComponentKind.Memory && _members[index].Node != node && !_members[index].IsDraining
                && _members[index].State is MemberState.Alive or MemberState.Suspect)
            {
                return true;
            }
        }

        return false;
    }

    [Blocks]
    private Errno Ask(ushort node, ref DrainReply sum)
    {
        Errno error = _endpoint.Call(node, Opcode.Drain, default, in _request, default, out DrainReply reply);
        if (error == Errno.EHOSTDOWN)
        {
            // Its spaces have ended with it.
            return Errno.None;
        }

        if (error != Errno.None)
        {
            return Errno.EAGAIN;
        }

        sum.RunsLeft += reply.RunsLeft;
        sum.Failures += reply.Failures;
        sum.LastError = reply.Failures != 0 ? reply.LastError : sum.LastError;
        sum.Pages += reply.Pages;
        sum.LongestPauseNs = Math.Max(sum.LongestPauseNs, reply.LongestPauseNs);
        return Errno.None;
    }
}
