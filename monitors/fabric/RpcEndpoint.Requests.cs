// The requesting side. A call takes room in its peer's window (CallWindow), sends, and waits; a call that finds no room there or on the
// link waits in the queue of its class. What comes back, and what is done when nothing does: RpcEndpoint.Replies.cs.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

public sealed unsafe partial class RpcEndpoint
{
    private PendingCall* _freeCalls;
    private int _queuedCalls;

    /// <summary>Sends a request and waits for its reply (BLOCKS). The spans must stay put meanwhile.</summary>
    /// <param name="to">Node asked.</param>
    /// <param name="opcode">What for.</param>
    /// <param name="context">On whose behalf and how urgent.</param>
    /// <param name="head">First part of the request's body.</param>
    /// <param name="payload">Rest of the request's body; sent from where it lies.</param>
    /// <param name="reply">Receives the reply's body; too small is EMSGSIZE.</param>
    /// <param name="replyLengthBytes">Length of the reply's body.</param>
    /// <returns>The reply's status, or ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH (no such peer), ESTALE (fenced), ENOMEM.</returns>
    [Blocks]
    public Errno Call(
        ushort to, Opcode opcode, in RpcContext context, ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload, Span<byte> reply,
        out int replyLengthBytes)
    {
        fixed (byte* headBytes = head, payloadBytes = payload, replyBytes = reply)
        {
            PendingCall* call = Begin(to, opcode, context, head, payload, reply);
            return Complete(call, out replyLengthBytes);
        }
    }

    /// <summary>Call with a fixed-size request head.</summary>
    public Errno Call<TRequest>(
        ushort to, Opcode opcode, in RpcContext context, in TRequest head, ReadOnlySpan<byte> payload, Span<byte> reply,
        out int replyLengthBytes)
        where TRequest : unmanaged
    {
        fixed (byte* payloadBytes = payload, replyBytes = reply)
        {
            PendingCall* call = Begin(to, opcode, context, head, payload, reply);
            return Complete(call, out replyLengthBytes);
        }
    }

    /// <summary>Call with a fixed-size request head and a fixed-size reply; EPROTO when the reply is shorter than that.</summary>
    public Errno Call<TRequest, TReply>(
        ushort to, Opcode opcode, in RpcContext context, in TRequest head, ReadOnlySpan<byte> payload, out TReply reply)
        where TRequest : unmanaged
        where TReply : unmanaged
    {
        TReply received = default;
        Errno status = Call(to, opcode, context, head, payload, new Span<byte>(&received, sizeof(TReply)), out int lengthBytes);
        reply = received;
        return status == Errno.None && lengthBytes < sizeof(TReply) ? Errno.EPROTO : status;
    }

    /// <summary>Sends a request and returns at once; the spans must stay in place until <see cref="Complete"/> has returned.</summary>
    /// <returns>The ticket for Complete; null when there is no memory for one (Complete turns it into ENOMEM).</returns>
    [NoBlock]
    public PendingCall* Begin(ushort to, Opcode opcode, in RpcContext context, ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload,
        Span<byte> reply)
    {
        PendingCall* call = TakeCall();
        if (call != null)
        {
            call->Head = AddressOf(head);
            call->HeadBytes = head.Length;
            Start(call, to, opcode, context, payload, reply);
        }

        return call;
    }

    /// <summary>
    /// Begin with a fixed-size head (at most 200 bytes: two paths and the groups of who asks), which is copied: only payload and reply must
    /// stay in place.
    /// </summary>
    public PendingCall* Begin<TRequest>(
        ushort to, Opcode opcode, in RpcContext context, in TRequest head, ReadOnlySpan<byte> payload, Span<byte> reply)
        where TRequest : unmanaged
    {
        if (sizeof(TRequest) > PendingCall.InlineHeadBytes)
        {
            Panic.Because("RpcEndpoint.Begin: the request's head is too long to be copied");
        }

        PendingCall* call = TakeCall();
        if (call != null)
        {
            Unsafe.WriteUnaligned(call->InlineHead, head);
            call->Head = call->InlineHead;
            call->HeadBytes = sizeof(TRequest);
            Start(call, to, opcode, context, payload, reply);
        }

        return call;
    }

    /// <summary>Waits for a call's reply (BLOCKS) and ends the call.</summary>
    [Blocks]
    public Errno Complete(PendingCall* call, out int replyLengthBytes)
    {
        if (call == null)
        {
            replyLengthBytes = 0;
            return Errno.ENOMEM;
        }

        if (call->State != CallState.Done)
        {
            Await(_peers[call->To]!, call);
        }

        if (_watch.IsOn)
        {
            EndWatch();
        }

        Errno status = call->Status;
        replyLengthBytes = call->ReplyBytes;
        call->Next = _freeCalls;
        _freeCalls = call;
        return status;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* AddressOf(ReadOnlySpan<byte> span) => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(span));

    private PendingCall* TakeCall()
    {
        PendingCall* call = _freeCalls;
        if (call == null)
        {
            call = MoreCalls();
            if (call == null)
            {
                return null;
            }
        }

        _freeCalls = call->Next;
        return call;
    }

    private PendingCall* MoreCalls()
    {
        PendingCall* first = (PendingCall*)_frames.Allocate();
        if (first == null)
        {
            return null;
        }

        int count = PageOperations.PageSize / sizeof(PendingCall);
        for (int index = 0; index < count; index++)
        {
            first[index].Next = index + 1 < count ? &first[index + 1] : null;
        }

        return first;
    }

    /// <summary>Fills in the rest of a call and sends it, or queues it.</summary>
    private void Start(PendingCall* call, ushort to, Opcode opcode, in RpcContext context, ReadOnlySpan<byte> payload, Span<byte> reply)
    {
        call->Payload = AddressOf(payload);
        call->PayloadBytes = payload.Length;
        call->Reply = AddressOf(reply);
        call->ReplyCapacity = reply.Length;
        call->ReplyBytes = 0;
        call->To = to;
        call->Opcode = opcode;
        call->VNode = context.VNode;
        call->Asid = context.Asid;
        call->State = CallState.Queued;
        call->Event = false;
        call->Waiting = false;
        call->InProgress = false;
        call->Probed = false;
        call->Attempt = 0;
        call->ReplyAttempt = 0;
        call->FragmentsSeen = 0;
        call->RequestWindowBytes = call->HeadBytes + payload.Length + CallWindow.FrameOverheadBytes;
        call->ReplyWindowBytes = reply.Length + CallWindow.FrameOverheadBytes;
        call->Class = CallWindow.ClassFor(context.Class, call->RequestWindowBytes, call->ReplyWindowBytes);
        Peer? peer = to <= MaxNode ? _peers[to] : null;
        if (peer is null || peer.Identity.IsDown || IsFenced || call->HeadBytes + payload.Length > MessageHeader.MaxBodyBytes)
        {
            Errno refusal = Refusal(peer, call);
            if (refusal != Errno.None)
            {
                call->Status = refusal;
                call->State = CallState.Done;
                return;
            }
        }

        _counters.CountRequest(opcode);
        if ((peer!.Window.QueuedClasses & (1u << (int)call->Class)) == 0 && TryLaunch(peer, call))
        {
            return;
        }

        peer.Window.Enqueue(call);
        _queuedCalls++;
    }

    /// <summary>Why a call cannot even be queued; None: it can.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno Refusal(Peer? peer, PendingCall* call)
    {
        if (peer is null)
        {
            return Errno.EHOSTUNREACH;
        }

        if (IsFenced && call->Class != RpcClass.Liveness)
        {
            return Errno.ESTALE;
        }

        return peer.Identity.IsDown ? Errno.EHOSTDOWN
            : call->HeadBytes + call->PayloadBytes > MessageHeader.MaxBodyBytes ? Errno.EMSGSIZE
            : Errno.None;
    }

    /// <summary>Sends the call, if the peer is known, and window and link have room.</summary>
    private bool TryLaunch(Peer peer, PendingCall* call)
    {
        CallWindow window = peer.Window;
        if (peer.Identity.Known == PeerIdentity.None)
        {
            Greet(peer);
            return false;
        }

        if (!window.TryAdmit(call, out uint slot))
        {
            return false;
        }

        call->Id = RequestId.Compose(++peer.Sequence, slot);
        if (window.Outstanding == 0)
        {
            peer.OldestOpen = peer.Sequence;
        }

        _watch.Begin(peer.Link);
        if (!SendCall(peer, call, MessageFlags.None))
        {
            window.GiveBack(call);
            return false;
        }

        call->State = CallState.Sent;
        window.Occupy(call, slot);
        return true;
    }

    /// <summary>The wait is over: what came over the watched link meanwhile is taken, and its frames interrupt again.</summary>
    private void EndWatch()
    {
        if (_watch.End() is not { } link)
        {
            return;
        }

        while (link.MayHaveFrame && ReceiveOne(link))
        {
        }
    }

    [SkipLocalsInit]
    private bool SendCall(Peer peer, PendingCall* call, MessageFlags flags)
    {
        MessageHeader local;
        MessageHeader* header = MessageSender.Open(peer, &local, call->HeadBytes + call->PayloadBytes);
        if (header == null)
        {
            return false;
        }

        uint epoch = Epoch;
        MessageForms.Request(header, _node, peer, call, flags, epoch);
        if (!_sender.Close(peer, header, call->Head, call->HeadBytes, call->Payload, call->PayloadBytes))
        {
            return false;
        }

        // Only now: a call that was refused and found the link full is still to be sent with the epoch that its peer wants.
        call->Epoch = epoch;
        return true;
    }

    private void SendQueued()
    {
        for (int node = 0; node <= MaxNode && _queuedCalls != 0; node++)
        {
            if (_peers[node] is { } peer && peer.Window.Queued != 0)
            {
                SendQueuedTo(peer);
            }
        }
    }

    /// <summary>
    /// Sends what has room by now, the most urgent class first; a class without room does not keep the next one from its own.
    /// </summary>
    private void SendQueuedTo(Peer peer)
    {
        CallWindow window = peer.Window;
        for (int queue = 0; queue < CallWindow.ClassCount; queue++)
        {
            PendingCall* call = window.FirstQueued(queue);
            while (call != null && TryLaunch(peer, call))
            {
                window.Dequeue(call);
                _queuedCalls--;
                call->Probed = false;
                call = window.FirstQueued(queue);
            }
        }
    }

    /// <summary>Ends a call from any state and gives its place in the window back.</summary>
    private void Finish(Peer peer, PendingCall* call, Errno status)
    {
        if (call->State == CallState.Queued)
        {
            peer.Window.Dequeue(call);
            _queuedCalls--;
        }
        else
        {
            peer.Window.Vacate(call);
        }

        call->Status = status;
        call->State = CallState.Done;
        Signal(call);
    }

    private static void Signal(PendingCall* call)
    {
        call->Event = true;
        if (call->Waiting)
        {
            Scheduler.Notify();
        }
    }
}
