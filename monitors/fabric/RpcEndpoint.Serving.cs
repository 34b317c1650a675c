// The serving side: at most once (ReplyMemory). A repetition of a request that is still being worked on is told so; of one that is done, it
// gets the remembered reply, or runs again where that is harmless (RpcService says). What waits for a worker and comes from a life that has
// ended meanwhile, or was meant for one of this component's own, is dropped undone.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

public sealed unsafe partial class RpcEndpoint
{
    private const int SmallBuffers = 8;
    private const int SmallBuffersPerWorker = 4;
    private const int LargeBuffers = 2;
    /// <summary>Of a 68 KB message; holds a remembered reply while it is sent again.</summary>
    private const ulong ReplayBufferPages = 17;

    private readonly MessageBuffers _buffers;
    private readonly BufferQueue[] _deferred = new BufferQueue[CallWindow.ClassCount];
    private bool _inlineHandlers;
    private int _deferredCount;
    private WaitQueue _workersIdle;
    private byte* _replayBuffer;

    /// <summary>Answers a request; called by RpcRequest.</summary>
    [SkipLocalsInit]
    internal void SendReply(Peer peer, MessageHeader* request, Errno status, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        if ((uint)(headBytes + payloadBytes) > Math.Min(request->ReplyCapacity, MessageHeader.MaxBodyBytes))
        {
            status = Errno.EMSGSIZE;
            headBytes = 0;
            payloadBytes = 0;
        }

        if (!IsCurrent(peer, request))
        {
            // Its requester is gone; the present life's request in that slot is another one.
            _fromFormerSelf++;
            return;
        }

        if (peer.Reliable)
        {
            peer.Served.End(request->RequestId);
        }
        else
        {
            peer.Served.End(request->RequestId, IsRemembered(peer, request->Opcode), status, head, headBytes, payload, payloadBytes);
        }

        MessageHeader local;
        MessageHeader* header = MessageSender.Open(peer, &local, headBytes + payloadBytes);
        if (header == null)
        {
            // Requesters reserve room for replies on a ring: only a peer that breaks that rule loses one.
            _repliesDropped++;
            return;
        }

        MessageForms.Answer(header, request, MessageKind.Reply, status, Epoch);
        if (!_sender.Close(peer, header, head, headBytes, payload, payloadBytes)
            && !_sender.TransmitOnce(peer, header, head, headBytes, payload, payloadBytes))
        {
            _repliesDropped++;
        }
    }

    private sealed class Worker(RpcEndpoint endpoint) : ThreadBody
    {
        public override void Run(void* argument) => endpoint.Work();
    }

    private void StartWorkers(int workers)
    {
        _inlineHandlers = workers == 0;
        if (_inlineHandlers)
        {
            return;
        }

        Worker body = new(this);
        for (int worker = 0; worker < workers; worker++)
        {
            if (Scheduler.Spawn(body, null, "rpc-worker"u8) == null)
            {
                Panic.Because("RpcEndpoint: no memory for worker threads at boot");
            }
        }
    }

    private void PrepareForLoss()
    {
        if (_replayBuffer == null)
        {
            _replyFrames.FillReserve();
            _replayBuffer = (byte*)_frames.AllocateContiguous(ReplayBufferPages);
            if (_replayBuffer == null)
            {
                Panic.Because("RpcEndpoint: no memory at boot");
            }
        }
    }

    private void AcceptRequest(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        // A component that missed a change must not touch anything; the membership's answers are how it learns of it.
        if (header->Epoch < Epoch && !AsksMembership(header->Opcode))
        {
            _refusedEpoch++;
            Answer(peer, header, MessageKind.StaleEpoch);
            return;
        }

        if (RequestId.SlotOf(header->RequestId) >= RequestId.SlotCount)
        {
            _badFrames++;
            return;
        }

        Arrival arrival = peer.Served.Consider(header->RequestId);
        if (arrival is not (Arrival.New or Arrival.RunAgain))
        {
            AnswerAgain(peer, header, arrival);
            return;
        }

        if (!peer.Reliable)
        {
            ulong sequence = RequestId.SequenceOf(header->RequestId);
            peer.Served.Acknowledge(RequestId.Compose(sequence - Math.Min(sequence, header->OldestOpen), 0));
        }

        bool replay = arrival == Arrival.RunAgain;
        if (header->FragmentCount == 1)
        {
            Run(peer, header, body, bodyBytes, replay, null);
        }
        else
        {
            Collect(peer, header, body, bodyBytes, replay);
        }
    }

    /// <summary>A repetition that is not run again.</summary>
    private void AnswerAgain(Peer peer, MessageHeader* header, Arrival arrival)
    {
        _duplicates++;
        if (arrival == Arrival.Straggler || header->FragmentIndex != 0)
        {
            return;
        }

        if (arrival == Arrival.InProgress)
        {
            Answer(peer, header, MessageKind.InProgress);
            return;
        }

        ServedSlot* slot = peer.Served.SlotOf(header->RequestId);
        MessageHeader reply;
        MessageForms.Answer(&reply, header, MessageKind.Reply, slot->Status, Epoch);
        RememberedReply.Load(slot->Remembered, _replayBuffer, slot->RememberedBytes);
        _sender.Transmit(peer, &reply, _replayBuffer, slot->RememberedBytes, null, 0);
    }

    /// <summary>Runs a request from the link, or from a buffer that holds it already.</summary>
    private void Run(Peer peer, MessageHeader* header, byte* body, int bodyBytes, bool replay, MessageBuffer* buffer)
    {
        peer.Served.Begin(header->RequestId);
        if (!peer.Reliable && !replay && IsRemembered(peer, header->Opcode)
            && !peer.Served.TryReserve(header->RequestId, (int)Math.Min(header->ReplyCapacity, MessageHeader.MaxBodyBytes)))
        {
            TurnAway(peer, header, replay);
            if (buffer != null)
            {
                _buffers.Free(buffer);
            }

            return;
        }

        _duplicates += replay ? 1UL : 0;
        RpcService? service = ServiceOf(header->Opcode);
        RpcRequest request = new(this, peer, header, new ReadOnlySpan<byte>(body, bodyBytes), replay);
        if (service is null)
        {
            request.Reply(Errno.EOPNOTSUPP);
        }
        else if (header->VNode != 0 && VNodes.Check(header->VNode, header->Source) is not Errno.None and Errno refused)
        {
            request.Reply(refused);
        }
        else
        {
            _counters.CountServed(header->Opcode);
            if (service.TryHandle(ref request) == RpcDisposition.Deferred)
            {
                Defer(peer, header, body, bodyBytes, replay, buffer);
                return;
            }

            if (!request.Replied)
            {
                Panic.Because("RpcService.TryHandle: done without a reply");
            }
        }

        if (buffer != null)
        {
            _buffers.Free(buffer);
        }
    }

    private void Defer(Peer peer, MessageHeader* header, byte* body, int bodyBytes, bool replay, MessageBuffer* buffer)
    {
        if (buffer == null)
        {
            buffer = _collector.Take(bodyBytes);
            if (buffer == null)
            {
                TurnAway(peer, header, replay);
                return;
            }

            buffer->Header = *header;
            FrameCopy.Bytes(MessageBuffers.BodyOf(buffer), body, bodyBytes);
        }

        buffer->IsReplay = replay;
        _deferred[(int)header->Class].Append(buffer);
        _deferredCount++;
        if (!_inlineHandlers)
        {
            _workersIdle.WakeOne();
        }
    }

    /// <summary>No room to queue: the request has not happened, and its sender tries again later.</summary>
    private void TurnAway(Peer peer, MessageHeader* header, bool replay)
    {
        _turnedAway++;
        peer.Served.TakeBack(header->RequestId, replay);
        Answer(peer, header, MessageKind.Busy);
    }

    private void Work()
    {
        for (; ; )
        {
            while (_deferredCount == 0)
            {
                _workersIdle.Wait();
            }

            RunOneDeferred();
        }
    }

    [ContractBoundary(
        "Only an endpoint without workers runs deferred requests itself: host tests, whose one thread has nobody to wait for.")]
    private void RunDeferred()
    {
        while (_deferredCount != 0)
        {
            RunOneDeferred();
        }
    }

    private void RunOneDeferred()
    {
        int queue = 0;
        while (_deferred[queue].First == null)
        {
            queue++;
        }

        MessageBuffer* buffer = _deferred[queue].TakeFirst();
        _deferredCount--;
        MessageHeader* header = &buffer->Header;
        Peer peer = _peers[header->Source]!;
        if (!IsCurrent(peer, header))
        {
            _fromFormerSelf++;
            _buffers.Free(buffer);
            return;
        }

        ReadOnlySpan<byte> body = new(MessageBuffers.BodyOf(buffer), (int)header->BodyBytes);
        RpcRequest request = new(this, peer, header, body, buffer->IsReplay);
        ServiceOf(header->Opcode)!.Handle(ref request);
        if (!request.Replied)
        {
            Panic.Because("RpcService.Handle: returned without a reply");
        }

        _buffers.Free(buffer);
    }

    /// <summary>Adds a fragment to its request; runs the request when it is whole.</summary>
    private void Collect(Peer peer, MessageHeader* header, byte* body, int bodyBytes, bool replay)
    {
        MessageBuffer* whole = _collector.Add(header, body, bodyBytes, out bool isNonsense);
        if (whole != null)
        {
            Run(peer, &whole->Header, MessageBuffers.BodyOf(whole), (int)whole->Header.BodyBytes, replay, whole);
        }
        else if (isNonsense)
        {
            _badFrames++;
        }
    }

    /// <summary>
    /// False when requester or target of a request have begun another life since it came. A life that is given up may still ask the
    /// membership.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsCurrent(Peer peer, MessageHeader* request) =>
        request->Incarnations == peer.Identity.Inward || IsFromGivenUp(peer, request);

    private bool IsFromGivenUp(Peer peer, MessageHeader* request) =>
        request->TargetIncarnation == Incarnation && peer.Identity.IsGivenUp(request->SourceIncarnation)
        && AsksMembership(request->Opcode);

    /// <summary>What a component asks about its own place in the rack is served in any epoch.</summary>
    private static bool AsksMembership(Opcode opcode) => opcode is Opcode.Join or Opcode.Heartbeat or Opcode.Leave;

    private RpcService? ServiceOf(Opcode opcode) => _services[(int)opcode >> 8];

    /// <summary>Whether the reply of a request must be kept for repetitions: it cannot be made again by running the request.</summary>
    private bool IsRemembered(Peer peer, Opcode opcode) =>
        !peer.Reliable && (ServiceOf(opcode) is not { } service || !(service.IsIdempotent(opcode) || service.RunsReplays(opcode)));

    private void AnswerProbe(Peer peer, MessageHeader* header)
    {
        ulong id = header->RequestId;
        bool isHere = RequestId.SlotOf(id) < RequestId.SlotCount && peer.Served.SlotOf(id)->Id == id
            && peer.Served.SlotOf(id)->State == ServedState.InProgress;
        Answer(peer, header, isHere ? MessageKind.InProgress : MessageKind.NotHere);
    }

    /// <summary>Sends a notice: a header that says what becomes of the request.</summary>
    private void Answer(Peer peer, MessageHeader* request, MessageKind kind)
    {
        MessageHeader notice;
        MessageForms.Answer(&notice, request, kind, Errno.None, Epoch);
        _sender.Transmit(peer, &notice, null, 0, null, 0);
    }
}
