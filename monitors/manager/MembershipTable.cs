// Who is in the rack: a pure state machine over Join, Heartbeat and the passing of time, which the caller brings along.
//
//            Join                silent > SuspectNs             silent > FailNs
//   (none) ---------> Alive ---------------------> Suspect ---------------------> Failed --Join (new incarnation)--> Alive
//                       ^----------Heartbeat----------'
//
// The epoch grows whenever the set of members changes (Join, Failed), not on suspicion: a suspect is still trusted with what it owns.
// A failed member stays in the table, fenced: its heartbeats get ESRCH until it joins as another incarnation.
// Never blocks or allocates after construction.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager;

/// <summary>What a Join changed.</summary>
public enum JoinOutcome
{
    /// <summary>The same boot joined before; nothing changed.</summary>
    Known,
    /// <summary>A new member.</summary>
    Joined,
    /// <summary>A new boot of a node whose earlier boot had not been given up yet: that one has failed.</summary>
    Replaced,
    /// <summary>The table is full, or the request makes no sense.</summary>
    Refused,
}

/// <summary>The membership and its epoch.</summary>
public sealed class MembershipTable
{
    public const int MaxMembers = 64;

    /// <summary>Silence after which a member is suspected.</summary>
    public const ulong DefaultSuspectNs = 3_000_000_000;

    /// <summary>Silence after which a member is given up. A rack on two busy host cores may stall for seconds without being broken.</summary>
    public const ulong DefaultFailNs = 7_000_000_000;

    private readonly Member[] _members = new Member[MaxMembers];
    private readonly ulong _suspectNs;
    private readonly ulong _failNs;
    private int _count;

    /// <summary>Epochs start at <paramref name="firstEpoch"/>, which a manager chooses higher than any of its earlier boots'.</summary>
    public MembershipTable(uint firstEpoch = 1, ulong suspectNs = DefaultSuspectNs, ulong failNs = DefaultFailNs)
    {
        Epoch = firstEpoch;
        _suspectNs = suspectNs;
        _failNs = failNs;
    }

    /// <summary>Grows with every change of the set of members.</summary>
    public uint Epoch { get; private set; }

    /// <summary>Members ever seen, failed ones included.</summary>
    public int Count => _count;

    /// <summary>The member at a position from 0 to Count - 1.</summary>
    public ref Member this[int index] => ref _members[index];

    /// <summary>Position of a node, or -1.</summary>
    public int Find(ushort node)
    {
        for (int index = 0; index < _count; index++)
        {
            if (_members[index].Node == node)
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>True when the node may be given work.</summary>
    public bool IsAlive(ushort node)
    {
        int index = Find(node);
        return index >= 0 && _members[index].State == MemberState.Alive;
    }

    /// <summary>A component asks to be a member.</summary>
    public JoinOutcome Join(in JoinRequest request, ulong nowNs)
    {
        if (request.Node == 0 || request.Kind is < ComponentKind.Processor or > ComponentKind.Network)
        {
            return JoinOutcome.Refused;
        }

        int index = Find(request.Node);
        JoinOutcome outcome = JoinOutcome.Joined;
        if (index >= 0)
        {
            ref Member known = ref _members[index];
            if (known.Incarnation == request.Incarnation)
            {
                if (known.State == MemberState.Failed || known.Kind != request.Kind)
                {
                    return JoinOutcome.Refused;
                }

                Hear(ref known, nowNs);
                return JoinOutcome.Known;
            }

            outcome = known.State == MemberState.Failed ? JoinOutcome.Joined : JoinOutcome.Replaced;
        }
        else if (_count == MaxMembers)
        {
            return JoinOutcome.Refused;
        }
        else
        {
            index = _count++;
        }

        _members[index] = new Member
        {
            Node = request.Node,
            Kind = request.Kind,
            State = MemberState.Alive,
            Incarnation = request.Incarnation,
            CapacityBytes = request.CapacityBytes,
            FreeBytes = request.CapacityBytes,
            HeardNs = nowNs,
        };
        Epoch++;
        return outcome;
    }

    /// <summary>A sign of life with the sender's load. ESRCH: not a member (any more), it has to join.</summary>
    public Errno Heartbeat(in HeartbeatRequest request, ulong nowNs)
    {
        int index = Find(request.Self.Node);
        if (index < 0 || _members[index].Incarnation != request.Self.Incarnation || _members[index].State == MemberState.Failed)
        {
            return Errno.ESRCH;
        }

        ref Member member = ref _members[index];
        Hear(ref member, nowNs);
        member.FreeBytes = request.FreeBytes;
        member.RecentRequests = request.RequestsServed - Math.Min(request.RequestsServed, member.RequestsServed);
        member.RequestsServed = request.RequestsServed;
        member.Processes = request.Threads;
        return Errno.None;
    }

    /// <summary>
    /// Applies the passing of time: the position of one member that has just failed, or -1 when there is no (further) one.
    /// Members for which <paramref name="self"/> is the node never age.
    /// </summary>
    public int NextFailure(ulong nowNs, ushort self)
    {
        for (int index = 0; index < _count; index++)
        {
            ref Member member = ref _members[index];
            if (member.Node == self || member.State == MemberState.Failed)
            {
                continue;
            }

            ulong silentNs = nowNs - Math.Min(nowNs, member.HeardNs);
            if (silentNs > _failNs)
            {
                member.State = MemberState.Failed;
                Epoch++;
                return index;
            }

            member.State = silentNs > _suspectNs ? MemberState.Suspect : MemberState.Alive;
        }

        return -1;
    }

    /// <summary>Writes JoinReply and the members' records; returns the length, or 0 when the buffer is too small.</summary>
    public unsafe int Write(Span<byte> to)
    {
        int length = sizeof(JoinReply) + (_count * sizeof(MemberRecord));
        if (to.Length < length)
        {
            return 0;
        }

        JoinReply head = new JoinReply { Epoch = Epoch, Count = (uint)_count };
        MemoryMarshal.Write(to, in head);
        for (int index = 0; index < _count; index++)
        {
            ref Member member = ref _members[index];
            MemberRecord record = new MemberRecord
            {
                Node = member.Node,
                Kind = member.Kind,
                State = member.State,
                Incarnation = member.Incarnation,
            };
            MemoryMarshal.Write(to.Slice(sizeof(JoinReply) + (index * sizeof(MemberRecord))), in record);
        }

        return length;
    }

    private static void Hear(ref Member member, ulong nowNs)
    {
        member.HeardNs = nowNs;
        member.State = MemberState.Alive;
    }
}
