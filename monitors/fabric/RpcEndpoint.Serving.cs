// The serving side: at most once. Each peer has one entry per slot of its window; an id above the entry's is new, an equal one is a
// repetition, a lower one is a straggler. A repetition of a request that is still being worked on is told so; of one that is done, it gets
// the remembered reply, or runs again where that is harmless (RpcService says). Over reliable links nothing is repeated, nothing remembered.

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
    /// <summary>Requests whose fragments are being collected, latest first.</summary>
    private MessageBuffer* _collecting;
    private byte* _replayBuffer;

    /// <summary>Answers a request; called by RpcRequest.</summary>
    [SkipLocalsInit]
    internal void SendReply(Peer peer, MessageHeader* request, Errno status, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        if ((request->Flags & MessageFlags.NoReply) != 0)
        {
            return;
        }

        if ((uint)(headBytes + payloadBytes) > Math.Min(request->ReplyCapacity, MessageHeader.MaxBodyBytes))
        {
            status = Errno.EMSGSIZE;
            headBytes = 0;
            payloadBytes = 0;
        }

        ServedSlot* slot = &peer.Served[RequestId.SlotOf(request->RequestId)];
        if (slot->Id == request->RequestId)
        {
            slot->State = ServedState.Done;
            if (!peer.Reliable)
            {
                Remember(peer, slot, request->Opcode, status, head, headBytes, payload, payloadBytes);
            }
        }

        MessageHeader local;
        MessageHeader* header = OpenMessage(peer, &local, headBytes + payloadBytes);
        if (header == null)
        {
            // Requesters reserve room for replies on a ring: only a peer that breaks that rule loses one.
            _repliesDropped++;
            return;
        }

        FillAnswer(header, peer, request, MessageKind.Reply, status);
        if (!CloseMessage(peer, header, head, headBytes, payload, payloadBytes))
        {
            RetryReply(peer, header, head, headBytes, payload, payloadBytes);
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

    private void NeedReplayBuffer()
    {
        if (_replayBuffer == null)
        {
            _replayBuffer = (byte*)_frames.AllocateContiguous(ReplayBufferPages);
            if (_replayBuffer == null)
            {
                Panic.Because("RpcEndpoint: no memory at boot");
            }
        }
    }

    private void AcceptRequest(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        // A component that the membership has fenced (or that missed a change) must not touch anything; joining is how it gets back in.
        if (header->Epoch < Epoch && header->Opcode != Opcode.Join)
        {
            _refusedEpoch++;
            Answer(peer, header, MessageKind.StaleEpoch);
            return;
        }

        bool replay = false;
        uint number = RequestId.SlotOf(header->RequestId);
        if (number < RequestId.SlotCount)
        {
            ServedSlot* slot = &peer.Served[number];
            if (header->RequestId <= slot->Id && !MayRunAgain(peer, slot, header, out replay))
            {
                return;
            }

            if (header->AcknowledgedBelow > peer.ReleasedBelow && !peer.Reliable)
            {
                ReleaseAcknowledged(peer, header->AcknowledgedBelow);
            }
        }
        else if (number != RequestId.NoSlot || (header->Flags & MessageFlags.NoReply) == 0 || header->FragmentCount != 1)
        {
            _badFrames++;
            return;
        }

        if (header->FragmentCount == 1)
        {
            Run(peer, header, body, bodyBytes, replay, null);
        }
        else
        {
            Collect(peer, header, body, bodyBytes, replay);
        }
    }

    /// <summary>Deals with a repetition; true when the way to answer it is to run it again.</summary>
    private bool MayRunAgain(Peer peer, ServedSlot* slot, MessageHeader* header, out bool replay)
    {
        replay = false;
        _duplicates++;
        if (header->RequestId < slot->Id || header->RequestId < peer.ReleasedBelow || peer.Reliable)
        {
            return false;
        }

        RpcService? service = ServiceOf(header->Opcode);
        if (slot->State == ServedState.Done && service is not null && slot->Remembered == null && slot->RememberedBytes < 0)
        {
            replay = true;
            return true;
        }

        if (header->FragmentIndex != 0)
        {
            return false;
        }

        switch (slot->State)
        {
            case ServedState.InProgress:
                Answer(peer, header, MessageKind.InProgress);
                break;
            case ServedState.Done:
                SendRemembered(peer, slot, header);
                break;
            default:
                MessageHeader reply;
                FillAnswer(&reply, peer, header, MessageKind.Reply, Errno.ENOBUFS);
                Transmit(peer, &reply, null, 0, null, 0);
                break;
        }

        return false;
    }

    /// <summary>Runs a request from the link, or from a buffer that holds it already.</summary>
    private void Run(Peer peer, MessageHeader* header, byte* body, int bodyBytes, bool replay, MessageBuffer* buffer)
    {
        ServedSlot* slot = null;
        uint number = RequestId.SlotOf(header->RequestId);
        if (number < RequestId.SlotCount)
        {
            slot = &peer.Served[number];
            if (slot->Remembered != null)
            {
                Forget(peer, slot);
            }

            slot->Id = header->RequestId;
            slot->State = ServedState.InProgress;
        }

        RpcService? service = ServiceOf(header->Opcode);
        RpcRequest request = new(this, peer, header, new ReadOnlySpan<byte>(body, bodyBytes), replay);
        if (service is null)
        {
            request.Reply(Errno.EOPNOTSUPP);
        }
        else
        {
            _served[CounterIndex(header->Opcode)]++;
            if (service.TryHandle(ref request) == RpcDisposition.Deferred)
            {
                Defer(peer, header, body, bodyBytes, replay, slot, buffer);
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

    private void Defer(Peer peer, MessageHeader* header, byte* body, int bodyBytes, bool replay, ServedSlot* slot, MessageBuffer* buffer)
    {
        if (buffer == null)
        {
            buffer = _buffers.Take(bodyBytes);
            if (buffer == null)
            {
                TurnAway(peer, header, replay, slot);
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
    private void TurnAway(Peer peer, MessageHeader* header, bool replay, ServedSlot* slot)
    {
        _turnedAway++;
        if (slot != null)
        {
            if (replay)
            {
                slot->State = ServedState.Done;
            }
            else
            {
                slot->Id = header->RequestId - 1;
                slot->State = ServedState.None;
            }
        }

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

    [ContractBoundary("Only an endpoint without workers runs deferred requests itself: host tests, whose one thread has nobody to wait for.")]
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
        ReadOnlySpan<byte> body = new(MessageBuffers.BodyOf(buffer), (int)header->BodyBytes);
        RpcRequest request = new(this, _peers[header->Source]!, header, body, buffer->IsReplay);
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
        MessageBuffer* previous = null;
        MessageBuffer* buffer = _collecting;
        while (buffer != null && (buffer->Header.RequestId != header->RequestId || buffer->Header.Source != header->Source))
        {
            previous = buffer;
            buffer = buffer->Next;
        }

        if (buffer == null)
        {
            buffer = TakeForCollecting((int)header->BodyBytes);
            if (buffer == null)
            {
                return;
            }

            buffer->Header = *header;
            buffer->FragmentsSeen = 0;
            buffer->Next = _collecting;
            _collecting = buffer;
            previous = null;
        }

        MessageHeader* first = &buffer->Header;
        if (first->BodyBytes != header->BodyBytes || first->FragmentCount != header->FragmentCount || first->Opcode != header->Opcode)
        {
            _badFrames++;
            return;
        }

        FrameCopy.Bytes(MessageBuffers.BodyOf(buffer) + header->FragmentOffset, body, bodyBytes);
        buffer->FragmentsSeen |= 1UL << header->FragmentIndex;
        first->Attempt = header->Attempt;
        if (buffer->FragmentsSeen != ulong.MaxValue >> (MessageHeader.MaxFragments - header->FragmentCount))
        {
            return;
        }

        if (previous == null)
        {
            _collecting = buffer->Next;
        }
        else
        {
            previous->Next = buffer->Next;
        }

        Run(peer, first, MessageBuffers.BodyOf(buffer), (int)first->BodyBytes, replay, buffer);
    }

    /// <summary>A buffer for a new collection; takes that of the one begun longest ago when none is free (its sender will repeat it).</summary>
    private MessageBuffer* TakeForCollecting(int bodyBytes)
    {
        MessageBuffer* buffer = _buffers.Take(bodyBytes);
        MessageBuffer* previous = null;
        MessageBuffer* oldest = _collecting;
        if (buffer != null || oldest == null)
        {
            return buffer;
        }

        while (oldest->Next != null)
        {
            previous = oldest;
            oldest = oldest->Next;
        }

        if (previous == null)
        {
            _collecting = null;
        }
        else
        {
            previous->Next = null;
        }

        _buffers.Free(oldest);
        return _buffers.Take(bodyBytes);
    }

    private RpcService? ServiceOf(Opcode opcode)
    {
        int group = (int)opcode >> 8;
        return group < MaxGroups ? _services[group] : null;
    }

    private void AnswerProbe(Peer peer, MessageHeader* header)
    {
        uint number = RequestId.SlotOf(header->RequestId);
        bool isHere = number < RequestId.SlotCount && peer.Served[number].Id == header->RequestId
            && peer.Served[number].State == ServedState.InProgress;
        Answer(peer, header, isHere ? MessageKind.InProgress : MessageKind.NotHere);
    }

    /// <summary>Sends a notice: a header that says what becomes of the request.</summary>
    private void Answer(Peer peer, MessageHeader* request, MessageKind kind)
    {
        if ((request->Flags & MessageFlags.NoReply) != 0)
        {
            return;
        }

        MessageHeader notice;
        FillAnswer(&notice, peer, request, kind, Errno.None);
        Transmit(peer, &notice, null, 0, null, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FillAnswer(MessageHeader* answer, Peer peer, MessageHeader* request, MessageKind kind, Errno status)
    {
        answer->Magic = MessageHeader.MagicValue;
        answer->Version = MessageHeader.CurrentVersion;
        answer->Kind = kind;
        answer->Flags = MessageFlags.None;
        answer->Class = request->Class;
        answer->Opcode = request->Opcode;
        answer->Status = (ushort)status;
        answer->Source = _node;
        answer->Destination = peer.Node;
        answer->RequestId = request->RequestId;
        answer->Epoch = Epoch;
        answer->Asid = request->Asid;
        answer->VNode = request->VNode;
        answer->Attempt = request->Attempt;
        answer->Reserved = 0;
        answer->AcknowledgedBelow = 0;
        answer->ReplyCapacity = 0;
        answer->Checksum = 0;
    }

    /// <summary>A card's transmit ring is full: tries a while, then leaves it to the requester to ask again.</summary>
    private void RetryReply(Peer peer, MessageHeader* header, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        for (int tries = 0; header->FragmentCount == 1 && tries < FullLinkTries; tries++)
        {
            Cpu.Pause();
            if (Transmit(peer, header, head, headBytes, payload, payloadBytes))
            {
                return;
            }
        }

        _repliesDropped++;
    }

    private void Remember(Peer peer, ServedSlot* slot, Opcode opcode, Errno status, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        RpcService? service = ServiceOf(opcode);
        slot->Status = status;
        slot->RememberedBytes = headBytes + payloadBytes;
        if (service is not null && (service.IsIdempotent(opcode) || service.RunsReplays(opcode)))
        {
            slot->RememberedBytes = -1;
            return;
        }

        if (slot->RememberedBytes == 0)
        {
            return;
        }

        slot->Remembered = RememberedReply.Save(_frames, head, headBytes, payload, payloadBytes);
        if (slot->Remembered == null)
        {
            slot->State = ServedState.Forgotten;
            return;
        }

        peer.RememberedReplies++;
    }

    private void SendRemembered(Peer peer, ServedSlot* slot, MessageHeader* request)
    {
        MessageHeader reply;
        FillAnswer(&reply, peer, request, MessageKind.Reply, slot->Status);
        RememberedReply.Load(slot->Remembered, _replayBuffer, slot->RememberedBytes);
        Transmit(peer, &reply, _replayBuffer, slot->RememberedBytes, null, 0);
    }

    private void Forget(Peer peer, ServedSlot* slot)
    {
        RememberedReply.Free(_frames, slot->Remembered);
        slot->Remembered = null;
        peer.RememberedReplies--;
    }

    private void ReleaseAcknowledged(Peer peer, ulong below)
    {
        peer.ReleasedBelow = below;
        for (int number = 0; number < RequestId.SlotCount && peer.RememberedReplies != 0; number++)
        {
            ServedSlot* slot = &peer.Served[number];
            if (slot->Remembered != null && slot->Id < below)
            {
                Forget(peer, slot);
            }
        }
    }
}
