// The manager monitor: global managers (placement), membership, and the programs of the rack tool. All of its state is soft.
// Two threads besides those of the sessions: one lets time pass in the membership table, one pushes changed memberships; apart, because a
// push blocks on a component that does not answer, and that must not keep anybody from being given up.

using System;
using System.Buffers.Binary;
using Lego.Common;
using Lego.Common.Control;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager.Sessions;
using Lego.Manager.VNodes;

namespace Lego.Manager;

/// <summary>
/// Everything of a manager component. As a control service it reports and hears of machines that have ended; <see cref="Control"/> takes
/// the frames about programs.
/// </summary>
public sealed unsafe class ManagerMonitor : ControlService
{
    /// <summary>Opcode group that the manager serves.</summary>
    public const byte OpcodeGroup = (byte)((ushort)Opcode.Join >> 8);

    /// <summary>Buffer that holds any membership message.</summary>
    public static int MembershipBytes => sizeof(JoinReply) + (MembershipTable.MaxMembers * sizeof(MemberRecord));

    private const ulong TickNs = 250_000_000;
    /// <summary>Most that one tick counts as time of silence: a tick that comes much later shows that this machine stood still.</summary>
    private const ulong MostPerTickNs = 2 * TickNs;
    private const ulong NsPerMillisecond = 1_000_000;

    private readonly bool[] _suspected = new bool[MembershipTable.MaxMembers];
    private readonly RpcEndpoint _endpoint;
    private readonly ushort _node;
    private readonly MembershipTable _members;
    private readonly Placement _placement;
    private readonly SessionTable _sessions;
    private readonly ManagerService _service;
    private readonly SessionControl _control;
    private readonly VNodeRegistry _vnodes;
    private readonly VNodeControl _vnodeControl;
    private readonly DrainControl _drains;
    private readonly ControlTransmitter _transmitter;
    private FrameRing _announcements;
    private WaitQueue _membershipChanged;
    private ulong _lastTickNs;
    private uint _pushedEpoch;
    private ulong _failures;

    /// <summary>Serves on <paramref name="endpoint"/> and talks to the tool through <paramref name="transmitter"/>.</summary>
    public ManagerMonitor(RpcEndpoint endpoint, ControlTransmitter transmitter, FrameAllocator frames, in ManagerOptions options)
    {
        _endpoint = endpoint;
        _node = endpoint.Node;
        _transmitter = transmitter;
        _members = new MembershipTable(options.SuspectNs, options.FailNs);
        _placement = new Placement(_members, options.MemoryPolicy, options.ProcessPolicy);
        _sessions = new SessionTable(frames, endpoint.Incarnation);
        SessionOutput output = new(_sessions, transmitter);
        _vnodes = new VNodeRegistry(endpoint, _members);
        _vnodeControl = new VNodeControl(_vnodes, transmitter, frames);
        _drains = new DrainControl(endpoint, _members, _placement, transmitter);
        SessionWorker worker = new(endpoint, transmitter, _members, _placement, _vnodes, _sessions, frames);
        _control = new SessionControl(_sessions, output, worker, _members, transmitter, frames);
        _service = new ManagerService(this, _members, _placement, _sessions, output);
        byte* announcements = (byte*)frames.Allocate();
        if (announcements == null)
        {
            Panic.Because("ManagerMonitor: no memory for its sentences at boot");
        }

        _announcements = new FrameRing(announcements, PageOperations.PageSize);
        JoinRequest self = new() { Node = _node, Kind = ComponentKind.Manager, Incarnation = endpoint.Incarnation };
        _members.Join(in self, 0);
        _endpoint.Epoch = _members.Epoch;
        _endpoint.Register(OpcodeGroup, _service);
    }

    /// <summary>The manager's frames on the control channel; the image adds it to the ControlServer.</summary>
    public SessionControl Control => _control;

    public MembershipTable Members => _members;

    public SessionTable Sessions => _sessions;

    /// <summary>A component that has to join before the rack is ready; boot time.</summary>
    public void Expect(ComponentKind kind, ushort node)
    {
        _members.Expect(kind, node);
        _control.Expect(node);
    }

    /// <summary>Starts the threads; boot time.</summary>
    public void Start()
    {
        if (Scheduler.Spawn(new Ticks(this), null, "membership"u8) == null || Scheduler.Spawn(new Pushes(this), null, "push"u8) == null
            || Scheduler.Spawn(new VNodeNews(this), null, "vnodes"u8) == null)
        {
            Panic.Because("ManagerMonitor.Start: no memory for threads at boot");
        }
    }

    /// <summary>
    /// The rack tool sees at once what would else be a silence of seconds. It is answered whether the rack goes on, and tells its clients.
    /// </summary>
    public override ControlDisposition TryHandle(scoped in ControlFrame frame)
    {
        if (frame.Type != ControlFrameType.MachineEnded)
        {
            return frame.Type switch
            {
                ControlFrameType.VNode => _vnodeControl.Take(in frame),
                ControlFrameType.Drain => _drains.Take(in frame),
                _ => ControlDisposition.NotMine,
            };
        }

        ushort node = frame.Payload.Length < sizeof(uint) ? (ushort)0 : (ushort)BinaryPrimitives.ReadUInt32LittleEndian(frame.Payload);
        int index = _members.GiveUp(node);
        if (index >= 0)
        {
            Lose(index, "failed: its machine has ended"u8, 0, isTold: true);
        }

        index = _members.Find(node);
        Span<byte> answer = stackalloc byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(answer, node);
        BinaryPrimitives.WriteUInt32LittleEndian(answer.Slice(sizeof(uint)), index >= 0 && IsNeededByAll(in _members[index]) ? 0u : 1u);
        bool isQueued = _transmitter.TryQueue(ControlFrameType.RackLives, 0, answer, default, ControlPriority.Answer);
        return isQueued ? ControlDisposition.Done : ControlDisposition.Again;
    }

    /// <summary>Sentences about members that found no room before.</summary>
    public override bool Send()
    {
        bool sent = false;
        while (_announcements.TryMoveOne(_transmitter, ControlPriority.Answer))
        {
            sent = true;
        }

        return sent;
    }

    public override void Report(ref StatisticsWriter writer)
    {
        writer.Add("manager.epoch"u8, _members.Epoch);
        writer.Add("manager.members"u8, (ulong)_members.Count);
        writer.Add("manager.failures"u8, _failures);
        _service.Report(ref writer);
    }

    /// <summary>A component has joined; runs in the poller.</summary>
    internal void MemberJoined(in JoinRequest join, JoinOutcome outcome)
    {
        _endpoint.MarkUp(join.Node, join.Incarnation);
        Log.Info($"{ComponentNames.Of(join.Kind)} node {(int)join.Node} joined, epoch {_members.Epoch}");
        if (outcome == JoinOutcome.Replaced)
        {
            EndSessionsOf(join.Node, isLost: true);
            _vnodes.Departed(join.Node);
            ReportFailure(join.Kind, join.Node, "restarted"u8, 0, isForAll: IsNeededByAll(in _members[_members.Find(join.Node)]));
        }

        MembershipChanged();
    }

    /// <summary>A component has ended in good order; runs in the poller.</summary>
    internal void MemberLeft(int index)
    {
        Member left = _members[index];
        _endpoint.MarkDown(left.Node, left.Incarnation);
        _vnodes.Departed(left.Node);
        EndSessionsOf(left.Node, isLost: false);
        Log.Info($"{ComponentNames.Of(left.Kind)} node {(int)left.Node} left, epoch {_members.Epoch}");
        MembershipChanged();
    }

    /// <summary>Lets time pass once: gives up who has been silent for too long. Does not block.</summary>
    public void Tick(ulong nowNs)
    {
        for (int index = 0; index < _members.Count; index++)
        {
            _members.Hear(index, _endpoint.FramesHeardFrom(_members[index].Node));
        }

        ulong elapsedNs = _lastTickNs == 0 ? 0 : nowNs - _lastTickNs;
        _lastTickNs = nowNs;
        _members.Pass(Math.Min(elapsedNs, MostPerTickNs), _node);
        for (int index = _members.NextFailure(); index >= 0; index = _members.NextFailure())
        {
            Lose(index, "failed: no sign of life for"u8, _members[index].SilentNs / NsPerMillisecond, isTold: false);
        }

        LogSuspicions();
    }

    /// <summary>One line for each member that has become silent since the last time.</summary>
    private void LogSuspicions()
    {
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            bool suspected = member.State == MemberState.Suspect;
            if (suspected && !_suspected[index])
            {
                ulong silentMs = member.SilentNs / NsPerMillisecond;
                Log.Warn($"{ComponentNames.Of(member.Kind)} node {(int)member.Node} is suspected: no sign of life for {silentMs} ms");
            }

            _suspected[index] = suspected;
        }
    }

    /// <summary>Sends the membership to all living members, so that one that does not answer keeps it from no other.</summary>
    [Blocks]
    public void Push()
    {
        Span<byte> body = stackalloc byte[MembershipBytes];
        int length = _members.Write(body);
        uint epoch = _members.Epoch;
        RpcContext context = new() { Class = RpcClass.Liveness };
        PendingCall** calls = stackalloc PendingCall*[MembershipTable.MaxMembers];
        int count = 0;
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            if (member.Node != _node && member.State is (MemberState.Alive or MemberState.Suspect))
            {
                calls[count++] = _endpoint.Begin(member.Node, Opcode.Membership, context, body.Slice(0, length), default, default);
            }
        }

        for (int index = 0; index < count; index++)
        {
            _endpoint.Complete(calls[index], out _);
        }

        _pushedEpoch = epoch;
    }

    private sealed class Ticks(ManagerMonitor manager) : ThreadBody
    {
        public override void Run(void* argument)
        {
            while (true)
            {
                Scheduler.Sleep(TickNs);
                manager.Tick(Clock.NowNs());
            }
        }
    }

    private sealed class Pushes(ManagerMonitor manager) : ThreadBody
    {
        public override void Run(void* argument)
        {
            while (true)
            {
                if (manager._pushedEpoch == manager._members.Epoch)
                {
                    manager._membershipChanged.Wait();
                }

                manager.Push();
            }
        }
    }

    /// <summary>Not with the pushes: one that does not answer to this must not keep the membership from others.</summary>
    private sealed class VNodeNews(ManagerMonitor manager) : ThreadBody
    {
        public override void Run(void* argument)
        {
            uint epoch = 0;
            while (true)
            {
                if (epoch == manager._members.Epoch)
                {
                    manager._membershipChanged.Wait();
                }

                epoch = manager._members.Epoch;
                manager.TellOfVNodes();
            }
        }
    }

    /// <summary>The members are others: what they have to know of vNodes. The first time this hears of those of a former manager.</summary>
    [Blocks]
    private void TellOfVNodes()
    {
        if (!_endpoint.VNodes.IsLearning)
        {
            _vnodes.TellAll();
        }
        else if (_members.IsComplete)
        {
            _vnodes.Learn();
        }
    }

    private void MembershipChanged()
    {
        _endpoint.Epoch = _members.Epoch;
        _membershipChanged.WakeAll();
    }

    /// <summary>
    /// True for a member, given up, that every program depends on. Of several processor components each takes along its own programs only,
    /// whose sessions say so; of several memory components, but for the one that caches files, those that ask for a page of it.
    /// </summary>
    private bool IsNeededByAll(in Member lost) => lost.Kind switch
    {
        ComponentKind.Processor => !_members.Has(lost.Kind),
        ComponentKind.Memory => !_members.Has(lost.Kind) || _placement.CachesFiles(lost.Node),
        _ => true,
    };

    /// <summary>
    /// A member that has just been given up: what hangs on it ends, everybody hears of it unless the tool <paramref name="isTold"/>.
    /// </summary>
    private void Lose(int index, ReadOnlySpan<byte> what, ulong silentMs, bool isTold)
    {
        Member lost = _members[index];
        _endpoint.MarkDown(lost.Node, lost.Incarnation);
        _vnodes.Departed(lost.Node);
        EndSessionsOf(lost.Node, isLost: true);
        ReportFailure(lost.Kind, lost.Node, what, silentMs, isForAll: !isTold && IsNeededByAll(in lost));
        MembershipChanged();
    }

    /// <summary>Programs end with their processor component.</summary>
    private void EndSessionsOf(ushort node, bool isLost)
    {
        for (int slot = 0; slot < SessionTable.MaxSessions; slot++)
        {
            Session* session = _sessions.At(slot);
            if (session->State != SessionState.Free && session->Processor == node)
            {
                session->WaitStatus = SessionWorker.LostStatus;
                session->IsLost = isLost;
                session->State = SessionState.Ended;
                session->Work.WakeAll();
            }
        }
    }

    private void ReportFailure(ComponentKind kind, ushort node, ReadOnlySpan<byte> what, ulong silentMs, bool isForAll)
    {
        _failures++;
        if (silentMs == 0)
        {
            Announce($"{ComponentNames.Of(kind)} node {(int)node} {what}", isForAll);
        }
        else
        {
            Announce($"{ComponentNames.Of(kind)} node {(int)node} {what} {silentMs} ms", isForAll);
        }
    }

    private void Announce(ref LogLine sentence, bool isForAll)
    {
        Log.Error(ref sentence);
        if (isForAll)
        {
            // A page of sentences that nobody has read yet says enough.
            _announcements.TryAdd(ControlFrameType.MemberFailed, 0, sentence.Text);
            Send();
        }
    }
}
