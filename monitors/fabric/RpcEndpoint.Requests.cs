// The requesting side. A call takes room in its peer's window (CallWindow), sends, and waits; a call that finds no room there or on the link
// waits in the queue of its class. What comes back, and what is done when nothing does: RpcEndpoint.Replies.cs.

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
    /// <summary>The link whose wake-ups are off while this machine waits for a reply over it.</summary>
    private Link? _suspended;

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
        ushort to, Opcode opcode, in RpcContext context, ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload, Span<byte> reply, out int replyLengthBytes)
    {
        fixed (byte* headBytes = head, payloadBytes = payload, replyBytes = reply)
        {
            PendingCall* call = Begin(to, opcode, context, head, payload, reply);
            return Complete(call, out replyLengthBytes);
        }
    }

    /// <summary>Call with a fixed-size request head.</summary>
    public Errno Call<TRequest>(
        ushort to, Opcode opcode, in RpcContext context, in TRequest head, ReadOnlySpan<byte> payload, Span<byte> reply, out int replyLengthBytes)
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
    public PendingCall* Begin(ushort to, Opcode opcode, in RpcContext context, ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload, Span<byte> reply)
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

    /// <summary>Begin with a fixed-size head (at most 96 bytes), which is copied: only payload and reply must stay in place.</summary>
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

        if (_suspended is not null)
        {
            ResumeWakeup();
        }

        Errno status = call->Status;
        replyLengthBytes = call->ReplyBytes;
        call->Next = _freeCalls;
        _freeCalls = call;
        return status;
    }

    /// <summary>Sends a request that wants no reply; one frame at most, best effort. EAGAIN: no room on the link, EHOSTDOWN, EMSGSIZE.</summary>
    public Errno Post(ushort to, Opcode opcode, in RpcContext context, ReadOnlySpan<byte> head, ReadOnlySpan<byte> payload)
    {
        if (IsDown(to))
        {
            return Errno.EHOSTDOWN;
        }

        Peer peer = _peers[to]!;
        if (head.Length + payload.Length > peer.MaxFrameBytes - MessageHeader.SizeBytes)
        {
            return Errno.EMSGSIZE;
        }

        MessageHeader header = default;
        header.Magic = MessageHeader.MagicValue;
        header.Version = MessageHeader.CurrentVersion;
        header.Kind = MessageKind.Request;
        header.Flags = MessageFlags.NoReply;
        header.Class = context.Class;
        header.Opcode = opcode;
        header.Source = _node;
        header.Destination = to;
        header.RequestId = RequestId.Compose(++peer.Sequence, RequestId.NoSlot);
        header.Epoch = Epoch;
        header.VNode = context.VNode;
        header.Asid = context.Asid;
        fixed (byte* headBytes = head, payloadBytes = payload)
        {
            if (!Transmit(peer, &header, headBytes, head.Length, payloadBytes, payload.Length))
            {
                return Errno.EAGAIN;
            }
        }

        _requests[CounterIndex(opcode)]++;
        return Errno.None;
    }

    /// <summary>The membership says that a peer has failed: its calls end with EHOSTDOWN, and new ones do at once.</summary>
    public void MarkDown(ushort node)
    {
        if (node > MaxNode || _peers[node] is not { } peer)
        {
            return;
        }

        peer.Down = true;
        for (int slot = 0; slot < RequestId.SlotCount; slot++)
        {
            if (peer.Window.Calls[slot] != null)
            {
                Finish(peer, peer.Window.Calls[slot], Errno.EHOSTDOWN);
            }
        }

        for (int queue = 0; queue < CallWindow.ClassCount; queue++)
        {
            while (peer.Window.FirstQueued(queue) != null)
            {
                Finish(peer, peer.Window.FirstQueued(queue), Errno.EHOSTDOWN);
            }
        }
    }

    /// <summary>The peer is a member again.</summary>
    public void MarkUp(ushort node)
    {
        if (node <= MaxNode && _peers[node] is { } peer)
        {
            peer.Down = false;
        }
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
        if (peer is null || peer.Down || call->HeadBytes + payload.Length > MessageHeader.MaxBodyBytes)
        {
            call->Status = peer is null ? Errno.EHOSTUNREACH : peer.Down ? Errno.EHOSTDOWN : Errno.EMSGSIZE;
            call->State = CallState.Done;
            return;
        }

        _requests[CounterIndex(opcode)]++;
        if ((peer.Window.QueuedClasses & (1u << (int)call->Class)) == 0 && TryLaunch(peer, call))
        {
            return;
        }

        peer.Window.Enqueue(call);
        _queuedCalls++;
    }

    /// <summary>Sends the call, if window and link have room.</summary>
    private bool TryLaunch(Peer peer, PendingCall* call)
    {
        CallWindow window = peer.Window;
        if (!window.TryAdmit(call, out uint slot))
        {
            return false;
        }

        call->Id = RequestId.Compose(++peer.Sequence, slot);
        if (window.Outstanding == 0)
        {
            peer.AcknowledgedBelow = call->Id;
        }

        if (Poller.IsArmed)
        {
            SuspendWakeup(peer.Link);
        }

        if (!SendCall(peer, call, MessageFlags.None))
        {
            window.GiveBack(call);
            return false;
        }

        call->State = CallState.Sent;
        window.Occupy(call, slot);
        return true;
    }

    /// <summary>A call from user mode's side of the kernel (a fault): its reply shall not interrupt, the machine is awake and looks for it.</summary>
    private void SuspendWakeup(Link link)
    {
        Poller.Suspend();
        link.DisarmWakeup();
        _suspended = link;
    }

    private void ResumeWakeup()
    {
        Link link = _suspended!;
        _suspended = null;
        if (!Poller.Resume())
        {
            return;
        }

        link.ArmWakeup();
        while (link.MayHaveFrame && ReceiveOne(link))
        {
        }
    }

    [SkipLocalsInit]
    private bool SendCall(Peer peer, PendingCall* call, MessageFlags flags)
    {
        MessageHeader local;
        MessageHeader* header = OpenMessage(peer, &local, call->HeadBytes + call->PayloadBytes);
        if (header == null)
        {
            return false;
        }

        uint epoch = Epoch;
        header->Magic = MessageHeader.MagicValue;
        header->Version = MessageHeader.CurrentVersion;
        header->Kind = MessageKind.Request;
        header->Flags = flags;
        header->Class = call->Class;
        header->Opcode = call->Opcode;
        header->Status = 0;
        header->Source = _node;
        header->Destination = peer.Node;
        header->RequestId = call->Id;
        header->Epoch = epoch;
        header->Asid = call->Asid;
        header->VNode = call->VNode;
        header->Attempt = call->Attempt;
        header->Reserved = 0;
        header->AcknowledgedBelow = peer.AcknowledgedBelow;
        header->ReplyCapacity = (uint)call->ReplyCapacity;
        if (!CloseMessage(peer, header, call->Head, call->HeadBytes, call->Payload, call->PayloadBytes))
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

    /// <summary>Sends what has room by now, the most urgent class first; a class without room does not keep the next one from its own.</summary>
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
