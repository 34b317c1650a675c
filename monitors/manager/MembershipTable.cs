// Who is in the rack: a pure state machine over Join, Heartbeat, other signs of life and the passing of time, which the caller brings
// along.
//
//            Join                silent > SuspectNs             silent > FailNs
//   (none) ---------> Alive ---------------------> Suspect ---------------------> Failed --Join (new incarnation)--> Alive
//                       ^------sign of life-----------'
//
// A manager that begins waits for those that its boot line names (Expect): they are Joining, count as there, so that nobody takes himself
// for the only one of his kind, and are given no work. One that never comes is Failed like a member, once somebody has joined who knows an
// epoch: then the manager is the one that is new, and not the rack. Nothing is placed while somebody is awaited (IsComplete), because
// what he holds decides where files are cached.
//
// A life that says that it leaves is Failed at once: its machine ends in good order, and nobody has to wait for its silence.
//
// Silence is time that the manager itself was there to see: the caller adds what passed, tick by tick, and no more for a tick than it meant
// to wait. A manager that stood still (a host that was suspended) does not take that time for the others' silence.
//
// The epoch grows whenever the set of members changes (Join, Leave, Failed), not on suspicion: a suspect is still trusted with what it
// owns. A manager that has rebooted begins low and takes up from the highest epoch that a joining component knows, so that the rack's epoch
// never goes back. A failed life stays in the table, fenced: its heartbeats and joins get ESRCH. One that the table does not know gets
// ENOENT: it has to join. Never blocks or allocates after construction.

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
    /// <summary>This life has been given up.</summary>
    GivenUp,
    /// <summary>The table is full, or the request makes no sense.</summary>
    Refused,
}

/// <summary>The membership and its epoch.</summary>
public sealed class MembershipTable
{
    public const int MaxMembers = 64;

    /// <summary>Silence after which a member is suspected.</summary>
    public const ulong DefaultSuspectNs = 3_000_000_000;

    /// <summary>
    /// Silence after which a member is given up. A rack on two busy host cores may stall for seconds without being broken.
    /// </summary>
    public const ulong DefaultFailNs = 7_000_000_000;

    private readonly Member[] _members = new Member[MaxMembers];
    private readonly ulong _suspectNs;
    private readonly ulong _failNs;
    private int _count;
    private bool _isNewInOldRack;

    /// <summary>An empty membership.</summary>
    public MembershipTable(ulong suspectNs = DefaultSuspectNs, ulong failNs = DefaultFailNs)
    {
        Epoch = 1;
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

    /// <summary>True when a component of a kind has not been given up.</summary>
    public bool Has(ComponentKind kind)
    {
        for (int index = 0; index < _count; index++)
        {
            if (_members[index].Kind == kind && _members[index].State != MemberState.Failed)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True when nobody is awaited.</summary>
    public bool IsComplete
    {
        get
        {
            for (int index = 0; index < _count; index++)
            {
                if (_members[index].State == MemberState.Joining)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>A component that the rack is made of, and that will join; boot time.</summary>
    public void Expect(ComponentKind kind, ushort node)
    {
        if (_count < MaxMembers && Find(node) < 0)
        {
            _members[_count++] = new Member { Node = node, Kind = kind, State = MemberState.Joining };
        }
    }

    /// <summary>True when the node may be given work.</summary>
    public bool IsAlive(ushort node)
    {
        int index = Find(node);
        return index >= 0 && _members[index].State == MemberState.Alive;
    }

    /// <summary>A component asks to be a member; <paramref name="knownEpoch"/> is the newest one that it has heard of.</summary>
    public JoinOutcome Join(in JoinRequest request, uint knownEpoch)
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
                    return known.State == MemberState.Failed ? JoinOutcome.GivenUp : JoinOutcome.Refused;
                }

                Hear(ref known);
                return JoinOutcome.Known;
            }

            outcome = known.State is MemberState.Failed or MemberState.Joining ? JoinOutcome.Joined : JoinOutcome.Replaced;
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
            Roles = request.Roles,
        };
        _isNewInOldRack |= knownEpoch != 0;
        Epoch = Math.Max(Epoch, knownEpoch) + 1;
        return outcome;
    }

    /// <summary>
    /// A sign of life with the sender's load. ENOENT: this life is no member, it has to join; ESRCH: it has been given up.
    /// </summary>
    public Errno Heartbeat(in HeartbeatRequest request)
    {
        int index = Find(request.Self.Node);
        if (index < 0 || _members[index].Incarnation != request.Self.Incarnation)
        {
            return Errno.ENOENT;
        }

        ref Member member = ref _members[index];
        if (member.State == MemberState.Failed)
        {
            return Errno.ESRCH;
        }

        Hear(ref member);
        member.FreeBytes = request.FreeBytes;
        member.Roles = request.Self.Roles;
        member.PromisedBytes /= 2;
        member.RecentRequests = request.RequestsServed - Math.Min(request.RequestsServed, member.RequestsServed);
        member.RequestsServed = request.RequestsServed;
        member.Processes = request.Threads;
        return Errno.None;
    }

    /// <summary>A life ends by its own wish: its position, or -1 when it is no member (any more).</summary>
    public int Leave(in JoinRequest request)
    {
        int index = Find(request.Node);
        return index < 0 || _members[index].Incarnation != request.Incarnation ? -1 : GiveUp(request.Node);
    }

    /// <summary>A node is known to have ended: the position of its member, or -1 when it is none (any more).</summary>
    public int GiveUp(ushort node)
    {
        int index = Find(node);
        if (index < 0 || _members[index].State == MemberState.Failed)
        {
            return -1;
        }

        _members[index].State = MemberState.Failed;
        Epoch++;
        return index;
    }

    /// <summary>So many frames have come from a member's present life by now; any new one is a sign of life.</summary>
    public void Hear(int index, uint framesHeard)
    {
        ref Member member = ref _members[index];
        if (member.FramesHeard != framesHeard && member.State is MemberState.Alive or MemberState.Suspect)
        {
            Hear(ref member);
        }

        member.FramesHeard = framesHeard;
    }

    /// <summary>Time passes for all members but <paramref name="self"/>.</summary>
    public void Pass(ulong elapsedNs, ushort self)
    {
        for (int index = 0; index < _count; index++)
        {
            ref Member member = ref _members[index];
            if (member.Node == self || member.State == MemberState.Failed || (member.State == MemberState.Joining && !_isNewInOldRack))
            {
                continue;
            }

            member.SilentNs += elapsedNs;
            member.State = member.State == MemberState.Joining ? MemberState.Joining
                : member.SilentNs > _suspectNs ? MemberState.Suspect : MemberState.Alive;
        }
    }

    /// <summary>Gives up one member that has been silent for too long: its position, or -1 when there is no (further) one.</summary>
    public int NextFailure()
    {
        for (int index = 0; index < _count; index++)
        {
            ref Member member = ref _members[index];
            if (member.State is MemberState.Suspect or MemberState.Joining && member.SilentNs > _failNs)
            {
                member.State = MemberState.Failed;
                Epoch++;
                return index;
            }
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

        JoinReply head = new() { Epoch = Epoch, Count = (uint)_count };
        MemoryMarshal.Write(to, in head);
        for (int index = 0; index < _count; index++)
        {
            ref Member member = ref _members[index];
            MemberRecord record = new()
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

    private static void Hear(ref Member member)
    {
        member.SilentNs = 0;
        member.State = MemberState.Alive;
    }
}
