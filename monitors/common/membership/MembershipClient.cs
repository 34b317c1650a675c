// A component's part in the rack's membership: joins the manager at boot (as often as it takes), sends a heartbeat every second, takes the
// membership from replies and pushes, and keeps the endpoint's epoch at the membership's. Runs on every component but the manager, in one
// thread that sleeps between heartbeats; the service side runs in the poller and does not block.
// Soft state only: whatever the manager last said is right.
//
//   Joining   Join until it is answered.
//   Member    Heartbeats. ENOENT: the manager does not know this life (it has rebooted): Joining, as the same life. ESRCH: it has given
//             this life up (a stand-still that was too long, a cut link): Ending. EHOSTDOWN: the manager lives anew, and is asked at once.
//   Ending    The endpoint is fenced: nothing that this life has begun reaches anybody any more. The monitor ends what the rack takes for
//             dead (ComponentLife.End). Then a new life begins, under a new name: Joining.
//   Leaving   The machine is about to end in good order: the manager is told, so that nobody waits for this life's silence. No more
//             heartbeats.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Common.Membership;

/// <summary>Keeps one component a member.</summary>
public sealed unsafe class MembershipClient : RpcService
{
    /// <summary>Opcode group that this service answers.</summary>
    public const byte OpcodeGroup = (byte)((ushort)Opcode.Join >> 8);

    /// <summary>Time between heartbeats.</summary>
    public const ulong HeartbeatPeriodNs = 1_000_000_000;

    /// <summary>Most members that a membership message can name.</summary>
    public const int MaxMembers = 64;

    private const ulong JoinRetryNs = 100_000_000;
    /// <summary>A manager that takes longer to hear of it finds out by silence.</summary>
    private const ulong LeaveLimitNs = 500_000_000;

    private readonly RpcEndpoint _endpoint;
    private readonly ushort _manager;
    private readonly LoadSource _load;
    private readonly MemberRecord[] _members = new MemberRecord[MaxMembers];
    private readonly ComponentLife _life;
    private readonly Departure _departure;
    private JoinRequest _self;
    private int _memberCount;
    private uint _epoch;
    private bool _joined;
    private bool _givenUp;
    private bool _leaves;
    private WaitQueue _left;
    private ulong _heartbeats;
    private ulong _rejoins;

    /// <summary>A member of the rack managed by <paramref name="manager"/>. Its incarnation is the endpoint's.</summary>
    public MembershipClient(RpcEndpoint endpoint, ushort manager, in JoinRequest self, LoadSource load, ComponentLife life)
    {
        _endpoint = endpoint;
        _manager = manager;
        _self = self;
        _load = load;
        _life = life;
        _departure = new Departure(this);
    }

    /// <summary>True while the manager counts this component as a member, as far as it has said.</summary>
    public bool Joined => _joined;

    /// <summary>Epoch of the newest membership seen.</summary>
    public uint Epoch => _epoch;

    /// <summary>What the manager last said about a node; Failed for one that it did not name.</summary>
    public MemberState StateOf(ushort node)
    {
        for (int index = 0; index < _memberCount; index++)
        {
            if (_members[index].Node == node)
            {
                return _members[index].State;
            }
        }

        return MemberState.Failed;
    }

    /// <summary>Begins to serve membership pushes and starts the thread that joins; boot time.</summary>
    public void Start()
    {
        _endpoint.Register(OpcodeGroup, this);
        if (Scheduler.Spawn(new Heartbeats(this), null, "membership"u8) == null)
        {
            Panic.Because("MembershipClient.Start: no memory for a thread at boot");
        }
    }

    /// <summary>Asks to be a member. ESRCH: this life has been given up; any other error: try again later.</summary>
    [Blocks]
    public Errno Join()
    {
        Span<byte> reply = stackalloc byte[ReplyBytes];
        _self.Incarnation = _endpoint.Incarnation;
        _load.Measure(out ComponentLoad load);
        _self.Roles = load.Roles;
        Errno status = _endpoint.Call(_manager, Opcode.Join, Context, AsBytes(in _self), default, reply, out int replyBytes);
        if (status == Errno.None)
        {
            _joined = Apply(reply.Slice(0, replyBytes));
            status = _joined ? Errno.None : Errno.EPROTO;
        }

        _givenUp |= status == Errno.ESRCH;
        return status;
    }

    /// <summary>
    /// One heartbeat. ENOENT: the manager does not know this life, ESRCH: it has given it up; either way it is no member.
    /// </summary>
    [Blocks]
    public Errno Beat()
    {
        _load.Measure(out ComponentLoad load);
        _self.Incarnation = _endpoint.Incarnation;
        _self.Roles = load.Roles;
        HeartbeatRequest request = new()
        {
            Self = _self,
            FreeBytes = load.FreeBytes,
            RequestsServed = load.RequestsServed,
            Threads = load.Threads,
        };
        Span<byte> reply = stackalloc byte[ReplyBytes];
        Errno status = _endpoint.Call(_manager, Opcode.Heartbeat, Context, AsBytes(in request), default, reply, out int replyBytes);
        if (status == Errno.None)
        {
            _heartbeats++;
            Apply(reply.Slice(0, replyBytes));
        }

        _joined &= status is not (Errno.ENOENT or Errno.ESRCH);
        _givenUp |= status == Errno.ESRCH;
        return status;
    }

    /// <summary>
    /// Tells the manager that this life ends; waits for its answer, but not for long. The last thing that a component asks.
    /// </summary>
    [Blocks]
    public void Leave()
    {
        _leaves = true;
        if (_joined && Scheduler.Spawn(_departure, null, "leave"u8) != null)
        {
            _left.WaitUntil(Clock.NowNs() + LeaveLimitNs);
        }
    }

    /// <summary>
    /// Ends this life, which the rack has given up, and begins the next. BLOCKS until the monitor has nothing left of the former.
    /// </summary>
    public void StartAnew()
    {
        Log.Warn($"{ComponentNames.Of(_self.Kind)} node {(int)_self.Node}: given up by the rack; it ends what it has and joins again");
        _joined = false;
        _endpoint.Fence();
        _life.End();
        _endpoint.BeginLife(_life.NewIncarnation());
        _givenUp = false;
        _rejoins++;
    }

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (request.Opcode != Opcode.Membership)
        {
            request.Reply(Errno.ENOSYS);
        }
        else
        {
            request.Reply(Apply(request.Body) ? Errno.None : Errno.EINVAL);
        }

        return RpcDisposition.Done;
    }

    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("membership.epoch"u8, _epoch);
        writer.Add("membership.members"u8, (ulong)_memberCount);
        writer.Add("membership.heartbeats"u8, _heartbeats);
        writer.Add("membership.rejoins"u8, _rejoins);
    }

    private static int ReplyBytes => sizeof(JoinReply) + (MaxMembers * sizeof(MemberRecord));

    private static RpcContext Context => new() { Class = RpcClass.Liveness };

    private static ReadOnlySpan<byte> AsBytes<T>(in T value) where T : unmanaged =>
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AsRef(in value), 1));

    private sealed class Heartbeats(MembershipClient client) : ThreadBody
    {
        public override void Run(void* argument) => client.Run();
    }

    private sealed class Departure(MembershipClient client) : ThreadBody
    {
        public override void Run(void* argument)
        {
            client._self.Incarnation = client._endpoint.Incarnation;
            client._endpoint.Call(client._manager, Opcode.Leave, Context, AsBytes(in client._self), default, default, out _);
            client._joined = false;
            client._left.WakeAll();
        }
    }

    private void Run()
    {
        while (!_leaves)
        {
            if (_givenUp)
            {
                StartAnew();
            }

            if (Join() != Errno.None)
            {
                Scheduler.Sleep(JoinRetryNs);
                continue;
            }

            Log.Info($"{ComponentNames.Of(_self.Kind)} node {(int)_self.Node} joined the rack, epoch {_epoch}, {_memberCount} members");
            Errno last = Errno.None;
            while (_joined && !_leaves)
            {
                Scheduler.Sleep(last == Errno.EHOSTDOWN ? JoinRetryNs : HeartbeatPeriodNs);
                last = Beat();
            }
        }
    }

    /// <summary>Takes over a membership that is at least as new as ours. False: the message makes no sense.</summary>
    private bool Apply(ReadOnlySpan<byte> body)
    {
        if (!MemoryMarshal.TryRead(body, out JoinReply head))
        {
            return false;
        }

        ReadOnlySpan<byte> records = body.Slice(sizeof(JoinReply));
        if (head.Count > MaxMembers || records.Length != (int)head.Count * sizeof(MemberRecord))
        {
            return false;
        }

        // A push may be overtaken by a newer one. A manager that rebooted takes up from the highest epoch of those that join it, so older
        // is stale.
        if (head.Epoch < _epoch)
        {
            return true;
        }

        records.CopyTo(MemoryMarshal.AsBytes(new Span<MemberRecord>(_members)));
        _memberCount = (int)head.Count;
        _epoch = head.Epoch;
        _endpoint.Epoch = head.Epoch;
        int processors = 0;
        for (int index = 0; index < _memberCount; index++)
        {
            Follow(in _members[index]);
            processors += _members[index].Kind == ComponentKind.Processor && _members[index].State != MemberState.Failed ? 1 : 0;
        }

        _life.OnProcessors(processors);
        return true;
    }

    /// <summary>Calls to a failed life end at once; another life can be called.</summary>
    private void Follow(in MemberRecord member)
    {
        // A manager that has begun anew does not know yet what has become of one that it waits for.
        if (member.Node == _self.Node || member.State == MemberState.Joining)
        {
            return;
        }

        if (member.State == MemberState.Failed)
        {
            _endpoint.MarkDown(member.Node, member.Incarnation);
        }
        else
        {
            _endpoint.MarkUp(member.Node, member.Incarnation);
        }
    }
}
