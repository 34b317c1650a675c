// One component's end of the fabric: every message that a monitor sends or serves passes through here (one RPC library for the rack).
// This file: peers, services, polling, the first look at a received frame, and what is counted. RpcEndpoint.Requests.cs: calls of this
// component. RpcEndpoint.Replies.cs: what comes back, and the wait for it. RpcEndpoint.Serving.cs: requests of others, at most once.
// RpcEndpoint.Lives.cs: who the peers are. The ideas with a state of their own are types: CallWindow, PeerIdentity and ReplyMemory of each
// peer; MessageSender, ReplyWatch, FragmentCollector and OpcodeCounters of the endpoint.
//
// Contract: made at boot, then registered with the Poller by the image's start-up. Begin, Poll and TryHandle never block; Call and Complete
// do. Kernel code is atomic between blocking points (one kernel lock), so nothing here takes locks. No allocation after boot except page
// frames for the pool of calls and for remembered replies, both of which may run out without harm.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Calls peers and serves them.</summary>
public sealed unsafe partial class RpcEndpoint : PollSource
{
    /// <summary>Largest node number; the ethernet link has one byte for it.</summary>
    public const int MaxNode = 255;

    private const int GroupCount = 256;
    private const int MaxLinks = 16;
    /// <summary>Frames taken from one link before the next has its turn.</summary>
    private const int FramesPerTurn = 16;

    private readonly ushort _node;
    private readonly FrameAllocator _frames;
    private readonly Peer?[] _peers = new Peer?[MaxNode + 1];
    private readonly Link[] _links = new Link[MaxLinks];
    private readonly RpcService?[] _services = new RpcService?[GroupCount];
    private readonly OpcodeCounters _counters;
    private readonly MessageSender _sender = new();
    private readonly ReplyWatch _watch = new();
    private readonly FragmentCollector _collector;
    private readonly ReplyFrames _replyFrames;
    private int _linkCount;
    private bool _dispatching;
    private ulong _bytesReceived;
    private ulong _retransmissions;
    private ulong _duplicates;
    private ulong _badFrames;
    private ulong _refusedEpoch;
    private ulong _busyAnswers;
    private ulong _turnedAway;
    private ulong _timeouts;
    private ulong _probes;
    private ulong _repliesDropped;

    /// <summary>
    /// Boot time. With <paramref name="workers"/> 0 deferred requests run inside Poll (host tests, which have one thread).
    /// <paramref name="incarnation"/> names this life; no earlier life of the node may have had it.
    /// </summary>
    public RpcEndpoint(ushort node, FrameAllocator frames, int workers, uint incarnation = FirstIncarnation)
    {
        _node = node;
        _frames = frames;
        Incarnation = incarnation;
        _counters = new OpcodeCounters(frames);
        _buffers = new MessageBuffers(frames, SmallBuffers + (SmallBuffersPerWorker * workers), LargeBuffers + workers);
        _collector = new FragmentCollector(_buffers);
        _replyFrames = new ReplyFrames(frames);
        _services[0] = new EchoService();
        StartWorkers(workers);
    }

    /// <summary>The life of an endpoint that has but one: host tests, and monitors of one image that live and end together.</summary>
    public const uint FirstIncarnation = 1;

    /// <summary>This component's node number.</summary>
    public ushort Node => _node;

    /// <summary>Who may speak for which vNode.</summary>
    public VNodeTable VNodes { get; } = new();

    /// <summary>The membership incarnation that this component knows; the membership client moves it forward.</summary>
    public uint Epoch { get; set; }

    /// <summary>A call that sees no sign of life from its target for this long fails with ETIMEDOUT.</summary>
    public ulong TimeoutNs { get; set; } = 20_000_000_000;

    /// <summary>Joins a peer; boot time. Several peers may share one link.</summary>
    public void Attach(ushort peer, Link link)
    {
        if (peer > MaxNode || peer == _node)
        {
            Panic.Because("RpcEndpoint.Attach: bad node number");
        }

        Peer added = new(peer, link, _frames, _replyFrames);
        added.Identity.BeginLife(Incarnation);
        _peers[peer] = added;
        if ((link.Traits & LinkTraits.Reliable) == 0)
        {
            PrepareForLoss();
        }

        for (int index = 0; index < _linkCount; index++)
        {
            if (_links[index] == link)
            {
                return;
            }
        }

        if (_linkCount == MaxLinks)
        {
            Panic.Because("RpcEndpoint.Attach: too many links");
        }

        _links[_linkCount++] = link;
    }

    /// <summary>Serves an opcode group (the high byte of its opcodes) from now on; boot time.</summary>
    public void Register(byte opcodeGroup, RpcService service) => _services[opcodeGroup] = service;

    /// <summary>True when the membership (or a broken link) says that the peer is gone.</summary>
    public bool IsDown(ushort peer) => peer > MaxNode || _peers[peer] is not { } known || known.Identity.IsDown || known.Link.Failed;

    /// <inheritdoc/>
    public override bool Poll()
    {
        bool worked = false;
        for (int index = 0; index < _linkCount; index++)
        {
            Link link = _links[index];
            for (int frames = 0; frames < FramesPerTurn && link.MayHaveFrame && ReceiveOne(link); frames++)
            {
                worked = true;
            }
        }

        if (_queuedCalls != 0)
        {
            SendQueued();
        }

        if (_inlineHandlers && _deferredCount != 0)
        {
            RunDeferred();
            worked = true;
        }

        return worked;
    }

    /// <inheritdoc/>
    public override void ArmWakeup()
    {
        for (int index = 0; index < _linkCount; index++)
        {
            _links[index].ArmWakeup();
        }
    }

    /// <inheritdoc/>
    public override void DisarmWakeup()
    {
        for (int index = 0; index < _linkCount; index++)
        {
            _links[index].DisarmWakeup();
        }
    }

    /// <summary>Requests repeated because no reply came in time.</summary>
    public ulong Retransmissions => _retransmissions;

    /// <summary>Frames that were thrown away: not well-formed, not for this node, or from somebody else than they say.</summary>
    public ulong BadFrames => _badFrames;

    /// <summary>Repeated requests and replies that were recognised as such.</summary>
    public ulong Duplicates => _duplicates;

    /// <summary>Requests refused for their old epoch.</summary>
    public ulong RefusedEpoch => _refusedEpoch;

    /// <summary>Frames that were meant for a former life of this component.</summary>
    public ulong RefusedToFormerSelf => _toFormerSelf;

    /// <summary>Frames from a life of a peer that is not its present one, as far as that is known.</summary>
    public ulong RefusedFromFormerSelf => _fromFormerSelf;

    /// <summary>Requests of one kind that this endpoint has begun.</summary>
    public ulong RequestsOf(Opcode opcode) => _counters.RequestsOf(opcode);

    /// <summary>Requests of one kind that this endpoint has handed to a service.</summary>
    public ulong ServedOf(Opcode opcode) => _counters.ServedOf(opcode);

    /// <summary>Writes all counters; opcodes that never occurred are left out.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        _counters.Report(ref writer);
        ReportCalls(ref writer);
        LinkCounters links = default;
        for (int index = 0; index < _linkCount; index++)
        {
            _links[index].AddTo(ref links);
        }

        writer.Add("fabric.bytes_sent"u8, _sender.BytesSent);
        writer.Add("fabric.bytes_received"u8, _bytesReceived);
        writer.Add("fabric.retransmissions"u8, _retransmissions);
        writer.Add("fabric.duplicates"u8, _duplicates);
        writer.Add("fabric.bad_frames"u8, _badFrames);
        writer.Add("fabric.refused_epoch"u8, _refusedEpoch);
        writer.Add("fabric.refused_to_former_self"u8, _toFormerSelf);
        writer.Add("fabric.refused_from_former_self"u8, _fromFormerSelf);
        writer.Add("fabric.refused_from_given_up"u8, _fromGivenUp);
        writer.Add("fabric.vnode_violations"u8, VNodes.Violations);
        writer.Add("fabric.greetings"u8, _greetings);
        writer.Add("fabric.busy_answers"u8, _busyAnswers);
        writer.Add("fabric.turned_away"u8, _turnedAway);
        writer.Add("fabric.timeouts"u8, _timeouts);
        writer.Add("fabric.probes"u8, _probes);
        writer.Add("fabric.replies_dropped"u8, _repliesDropped);
        writer.Add("fabric.collections_abandoned"u8, _collector.Abandoned);
        writer.Add("fabric.doorbells"u8, links.Doorbells);
        writer.Add("fabric.link_full"u8, links.Full);
        writer.Add("fabric.frames_ignored"u8, links.Ignored);
        writer.Add("fabric.faults_injected"u8, links.Faults);
    }

    /// <summary>Calls of each peer, by its node: the sequence numbers that name them count them.</summary>
    private void ReportCalls(ref StatisticsWriter writer)
    {
        Span<byte> node = stackalloc byte[DecimalDigits.MaxDigits];
        for (int index = 0; index <= MaxNode; index++)
        {
            if (_peers[index] is { Sequence: not 0 } peer)
            {
                writer.Add("fabric.calls_to."u8, node.Slice(0, DecimalDigits.Write(node, (ulong)index)), peer.Sequence);
            }
        }
    }

    /// <summary>Takes one frame from a link; false when there is none.</summary>
    private bool ReceiveOne(Link link)
    {
        if (!link.TryReceive(out ReadOnlySpan<byte> frame))
        {
            return false;
        }

        if (_dispatching)
        {
            Panic.Because("RpcEndpoint.Poll: a TryHandle has blocked");
        }

        _dispatching = true;
        Dispatch(link, AddressOf(frame), frame.Length);
        _dispatching = false;
        link.Release();
        return true;
    }

    /// <summary>Copies the header out of the peer's reach, checks the copy, and hands the frame to the side that it is for.</summary>
    [SkipLocalsInit]
    private void Dispatch(Link link, byte* frame, int frameBytes)
    {
        MessageHeader header;
        _bytesReceived += (uint)frameBytes;
        int bodyBytes = MessageFrame.ReadPlain(frame, frameBytes, &header);
        if (bodyBytes < 0)
        {
            bodyBytes = MessageFrame.Check(frame, frameBytes, &header);
        }

        Peer? peer = bodyBytes >= 0 && header.Source <= MaxNode ? _peers[header.Source] : null;
        byte* body = frame + MessageHeader.SizeBytes;
        if (peer is null || peer.Link != link || header.Destination != _node
            || (peer.Checksum == ChecksumUse.Required && !MessageFrame.ChecksumHolds(&header, body, bodyBytes)))
        {
            _badFrames++;
            return;
        }

        if (header.Incarnations != peer.Identity.Inward)
        {
            AcceptStranger(peer, &header, body, bodyBytes);
            return;
        }

        peer.FramesHeard++;
        if (header.Kind == MessageKind.Reply)
        {
            AcceptReply(peer, &header, body, bodyBytes);
        }
        else if (header.Kind == MessageKind.Request)
        {
            AcceptRequest(peer, &header, body, bodyBytes);
        }
        else
        {
            DispatchRare(peer, &header, body, bodyBytes);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DispatchRare(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        switch (header->Kind)
        {
            case MessageKind.Probe:
                AnswerProbe(peer, header);
                break;
            case MessageKind.RawEcho:
                ReturnRawEcho(peer, new ReadOnlySpan<byte>(body, bodyBytes));
                break;
            case MessageKind.RawEchoReply:
                AcceptRawEcho(body, bodyBytes);
                break;
            case MessageKind.Greeting:
                AcceptGreeting(peer, header, body, bodyBytes);
                break;
            default:
                AcceptNotice(peer, header);
                break;
        }
    }
}
