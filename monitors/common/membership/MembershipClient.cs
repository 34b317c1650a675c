// A component's part in the rack's membership: joins the manager at boot (as often as it takes), sends a heartbeat every second, takes the
// membership from replies and pushes, and keeps the endpoint's epoch at the membership's. Runs on every component but the manager, in one
// thread that sleeps between heartbeats; the service side runs in the poller and does not block.
// Soft state only: whatever the manager last said is right, and a manager that restarts learns everything again from Join.

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

    private readonly RpcEndpoint _endpoint;
    private readonly ushort _manager;
    private readonly LoadSource _load;
    private readonly MemberRecord[] _members = new MemberRecord[MaxMembers];
    private readonly MemberWatcher? _watcher;
    private JoinRequest _self;
    private int _memberCount;
    private uint _epoch;
    private bool _joined;
    private ulong _heartbeats;
    private ulong _rejoins;

    /// <summary>A member of the rack managed by <paramref name="manager"/>; <paramref name="self"/>.Incarnation must differ from boot to boot.</summary>
    public MembershipClient(RpcEndpoint endpoint, ushort manager, in JoinRequest self, LoadSource load, MemberWatcher? watcher = null)
    {
        _endpoint = endpoint;
        _manager = manager;
        _self = self;
        _load = load;
        _watcher = watcher;
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

    /// <summary>Asks to be a member. BLOCKS. Any error: try again later.</summary>
    public Errno Join()
    {
        Span<byte> reply = stackalloc byte[ReplyBytes];
        Errno status = _endpoint.Call(_manager, Opcode.Join, Context, AsBytes(in _self), default, reply, out int replyBytes);
        if (status == Errno.None)
        {
            _joined = Apply(reply.Slice(0, replyBytes));
            status = _joined ? Errno.None : Errno.EPROTO;
        }
        else if (status == Errno.ESRCH)
        {
            GiveUpIncarnation();
        }

        return status;
    }

    /// <summary>One heartbeat. BLOCKS. ESRCH: the manager does not know this boot (it restarted, or gave it up): join again.</summary>
    public Errno Beat()
    {
        _load.Measure(out ComponentLoad load);
        HeartbeatRequest request = new HeartbeatRequest
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
        else if (status == Errno.ESRCH)
        {
            GiveUpIncarnation();
        }
        else if (status is not (Errno.ETIMEDOUT or Errno.EHOSTDOWN))
        {
            // Refused for an old epoch: a push has been missed. Join is the one request that any epoch may send.
            status = Join();
        }

        return status;
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

    /// <summary>The manager gave this boot up; what it knew may be lost, so it comes back as another incarnation.</summary>
    private void GiveUpIncarnation()
    {
        _joined = false;
        _rejoins++;
        _self.Incarnation++;
    }

    private void Run()
    {
        while (true)
        {
            while (Join() != Errno.None)
            {
                Scheduler.Sleep(JoinRetryNs);
            }

            Log.Info($"{ComponentNames.Of(_self.Kind)} node {(int)_self.Node} joined the rack, epoch {_epoch}, {_memberCount} members");
            while (_joined)
            {
                Scheduler.Sleep(HeartbeatPeriodNs);
                Beat();
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

        // A push may be overtaken by a newer one; a manager that restarted begins at a higher epoch (its clock is in it), so older is stale.
        if (head.Epoch < _epoch)
        {
            return true;
        }

        ReportDepartures(MemoryMarshal.Cast<byte, MemberRecord>(records));
        records.CopyTo(MemoryMarshal.AsBytes(new Span<MemberRecord>(_members)));
        _memberCount = (int)head.Count;
        _epoch = head.Epoch;
        _endpoint.Epoch = head.Epoch;
        for (int index = 0; index < _memberCount; index++)
        {
            Follow(in _members[index]);
        }

        return true;
    }

    /// <summary>Tells the watcher which members of the old list are not in the new one, as the same incarnation and not failed.</summary>
    private void ReportDepartures(ReadOnlySpan<MemberRecord> news)
    {
        for (int index = 0; _watcher != null && index < _memberCount; index++)
        {
            if (_members[index].State != MemberState.Failed && !Continues(in _members[index], news))
            {
                _watcher.Departed(_members[index].Node);
            }
        }
    }

    private static bool Continues(in MemberRecord known, ReadOnlySpan<MemberRecord> news)
    {
        for (int index = 0; index < news.Length; index++)
        {
            if (news[index].Node == known.Node)
            {
                return news[index].Incarnation == known.Incarnation && news[index].State != MemberState.Failed;
            }
        }

        return false;
    }

    /// <summary>Calls to a failed component end at once; a component that came back can be called again.</summary>
    private void Follow(in MemberRecord member)
    {
        if (member.State != MemberState.Failed)
        {
            _endpoint.MarkUp(member.Node);
        }
        else if (!_endpoint.IsDown(member.Node))
        {
            _endpoint.MarkDown(member.Node);
        }
    }
}
