// One component's end of the fabric: every message that a monitor sends or serves passes through here (one RPC library for the rack).
// This file: peers, services, polling and the first look at a received frame. RpcEndpoint.Requests.cs: calls of this component.
// RpcEndpoint.Replies.cs: what comes back, and the wait for it. RpcEndpoint.Serving.cs: requests of others, at most once.
// RpcEndpoint.Sending.cs: frames and fragments. RpcEndpoint.Statistics.cs: counters.
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

    private const int MaxGroups = 8;
    private const int MaxLinks = 16;
    /// <summary>Frames taken from one link before the next has its turn.</summary>
    private const int FramesPerTurn = 16;

    private readonly ushort _node;
    private readonly FrameAllocator _frames;
    private readonly Peer?[] _peers = new Peer?[MaxNode + 1];
    private readonly Link[] _links = new Link[MaxLinks];
    private readonly RpcService?[] _services = new RpcService?[MaxGroups];
    private int _linkCount;
    private bool _dispatching;

    /// <summary>Boot time. With <paramref name="workers"/> 0 deferred requests run inside Poll (host tests, which have one thread).</summary>
    public RpcEndpoint(ushort node, FrameAllocator frames, int workers)
    {
        _node = node;
        _frames = frames;
        _requests = (ulong*)frames.AllocateCleared();
        if (_requests == null)
        {
            Panic.Because("RpcEndpoint: no memory at boot");
        }

        _served = _requests + CountersPerTable;
        _buffers = new MessageBuffers(frames, SmallBuffers + (SmallBuffersPerWorker * workers), LargeBuffers + workers);
        _services[0] = new EchoService();
        StartWorkers(workers);
    }

    /// <summary>This component's node number.</summary>
    public ushort Node => _node;

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

        _peers[peer] = new Peer(peer, link, _frames);
        if ((link.Traits & LinkTraits.Reliable) == 0)
        {
            NeedReplayBuffer();
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
    public void Register(byte opcodeGroup, RpcService service)
    {
        if (opcodeGroup >= MaxGroups)
        {
            Panic.Because("RpcEndpoint.Register: bad group");
        }

        _services[opcodeGroup] = service;
    }

    /// <summary>True when the membership (or a broken link) says that the peer is gone.</summary>
    public bool IsDown(ushort peer) => peer > MaxNode || _peers[peer] is not { } known || known.Down || known.Link.Failed;

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
            default:
                AcceptNotice(peer, header);
                break;
        }
    }
}
