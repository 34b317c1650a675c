// The requesting side, second half: replies and notices that arrive, and the wait for them.
//
// Loss. On a lossy link the waiter sends the whole request again after a timeout that doubles; the reply is the acknowledgement. On a
// reliable link it only asks (Probe) after a second without an answer.
//
// Patience. A call fails with ETIMEDOUT when its peer has been silent for TimeoutNs: any sound frame from the peer, about whatever, is a
// sign of life, so that neither a slow answer nor a wait in this side's own queue is a failure. Silence is added up wait by wait, each
// counting no more than was meant to be waited: a machine that stood still (its host was suspended, or busy) does not take the time for the
// peer's silence.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

public sealed unsafe partial class RpcEndpoint
{
    private const ulong MicrosecondNs = 1_000;
    private const ulong MillisecondNs = 1_000_000;

    /// <summary>
    /// First repetition on a lossy link: well above a round trip (0.1 to 0.3 ms between emulated machines, 3 ms now and then).
    /// </summary>
    private const ulong FirstRetransmitNs = 4 * MillisecondNs;
    private const ulong MaxRetransmitNs = 256 * MillisecondNs;
    /// <summary>Repetitions once the target has said that it works on the request.</summary>
    private const ulong InProgressRetransmitNs = 50 * MillisecondNs;
    private const ulong ProbeNs = 1000 * MillisecondNs;
    private const ulong FirstBackoffNs = 200 * MicrosecondNs;
    private const ulong MaxBackoffNs = 10 * MillisecondNs;
    private const ulong LinkFullRetryNs = 100 * MicrosecondNs;
    /// <summary>A refused request waits this long for this component to learn the new epoch.</summary>
    private const ulong EpochGraceNs = 1000 * MillisecondNs;
    private const ulong EpochPollNs = 5 * MillisecondNs;

    /// <summary>Looks at the link before a waiter goes to the scheduler: some 20 us, ten ring round trips.</summary>
    private const int SpinTurns = 1000;

    /// <summary>The call that a frame from the peer is about, or null when it is over.</summary>
    private PendingCall* FindCall(Peer peer, ulong id)
    {
        uint slot = RequestId.SlotOf(id);
        if (slot < RequestId.SlotCount)
        {
            PendingCall* call = peer.Window.Calls[slot];
            if (call != null && call->Id == id)
            {
                return call;
            }
        }

        _duplicates++;
        return null;
    }

    private void AcceptReply(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        PendingCall* call = FindCall(peer, header->RequestId);
        if (call == null)
        {
            return;
        }

        Errno status = (Errno)header->Status;
        if (header->BodyBytes > (uint)call->ReplyCapacity)
        {
            status = Errno.EMSGSIZE;
        }
        else
        {
            if (bodyBytes != 0)
            {
                FrameCopy.Bytes(call->Reply + (header->FragmentCount == 1 ? 0 : header->FragmentOffset), body, bodyBytes);
            }

            if (header->FragmentCount != 1 && !LastFragmentOf(call, header))
            {
                return;
            }

            call->ReplyBytes = (int)header->BodyBytes;
        }

        Finish(peer, call, status);
        if (peer.Window.Queued != 0)
        {
            SendQueuedTo(peer);
        }
    }

    /// <summary>Notes a reply's fragment; true when all are there. Replies to different transmissions of the request do not mix.</summary>
    private static bool LastFragmentOf(PendingCall* call, MessageHeader* header)
    {
        if (call->ReplyAttempt != header->Attempt)
        {
            call->ReplyAttempt = header->Attempt;
            call->FragmentsSeen = 0;
        }

        call->FragmentsSeen |= 1UL << header->FragmentIndex;
        return call->FragmentsSeen == ulong.MaxValue >> (MessageHeader.MaxFragments - header->FragmentCount);
    }

    private void AcceptNotice(Peer peer, MessageHeader* header)
    {
        if (header->RequestId == RequestId.None)
        {
            // Answers a call that is still queued here: the peer lives, and that is counted already.
            return;
        }

        PendingCall* call = FindCall(peer, header->RequestId);
        // A request that was sent back undone, but has been sent again since, waits for the answer to its latest transmission.
        bool isLate = header->Kind != MessageKind.InProgress && call != null && header->Attempt != call->Attempt;
        if (call == null || call->State != CallState.Sent || isLate)
        {
            return;
        }

        switch (header->Kind)
        {
            case MessageKind.InProgress:
                call->InProgress = true;
                break;
            case MessageKind.Busy:
                call->State = CallState.TurnedAway;
                _busyAnswers++;
                break;
            case MessageKind.NotHere:
                // Answer to a probe. The target answered before, and this link keeps the order: its reply found no room there.
                Finish(peer, call, Errno.ENOBUFS);
                return;
            default:
                call->State = CallState.Refused;
                break;
        }

        Signal(call);
    }

    /// <summary>Waits until the call is done: first looking at its link only, then as any waiting thread does.</summary>
    private void Await(Peer peer, PendingCall* call)
    {
        if (_dispatching)
        {
            Panic.Because("RpcEndpoint.Complete: called from TryHandle");
        }

        if (!peer.SameMachine)
        {
            Link link = peer.Link;
            for (int turn = 0; turn < SpinTurns; turn++)
            {
                if (link.MayHaveFrame && ReceiveOne(link) && call->State == CallState.Done)
                {
                    return;
                }
            }
        }

        AwaitLong(peer, call);
    }

    private void AwaitLong(Peer peer, PendingCall* call)
    {
        ulong now = Clock.NowNs();
        ulong silentNs = 0;
        uint heard = peer.FramesHeard;
        ulong intervalNs = peer.Reliable ? ProbeNs : FirstRetransmitNs;
        ulong backoffNs = FirstBackoffNs;
        ulong refusedSinceNs = 0;
        ulong actAtNs = now + intervalNs;
        call->Waiting = true;
        while (call->State != CallState.Done)
        {
            ulong waitNs = Math.Min(actAtNs - Math.Min(actAtNs, now), TimeoutNs - silentNs);
            bool changed = Scheduler.WaitUntil(ref call->Event, now + waitNs);
            if (call->State == CallState.Done)
            {
                break;
            }

            ulong before = now;
            now = Clock.NowNs();
            if (peer.FramesHeard != heard)
            {
                heard = peer.FramesHeard;
                silentNs = 0;
                call->Probed &= call->State != CallState.Queued;
            }
            else
            {
                silentNs += Math.Min(now - before, waitNs);
            }

            if (changed)
            {
                call->Event = false;
                if (call->State == CallState.TurnedAway)
                {
                    actAtNs = now + backoffNs;
                    backoffNs = Math.Min(2 * backoffNs, MaxBackoffNs);
                }
                else if (call->State == CallState.Refused)
                {
                    refusedSinceNs = refusedSinceNs == 0 ? now : refusedSinceNs;
                    actAtNs = now;
                }
                else if (call->InProgress)
                {
                    call->InProgress = false;
                    call->Probed = false;
                    intervalNs = peer.Reliable ? ProbeNs : InProgressRetransmitNs;
                    actAtNs = now + intervalNs;
                }

                continue;
            }

            if (peer.Link.Failed)
            {
                Finish(peer, call, Errno.EHOSTDOWN);
            }
            else if (silentNs >= TimeoutNs)
            {
                _timeouts++;
                Finish(peer, call, Errno.ETIMEDOUT);
            }
            else if (now < actAtNs)
            {
                // A sign of life has come in the last moment of the patience.
            }
            else if (call->State == CallState.Refused && Epoch == call->Epoch)
            {
                actAtNs = now + EpochPollNs;
                if (now - refusedSinceNs >= EpochGraceNs)
                {
                    Finish(peer, call, Errno.ESTALE);
                }
            }
            else if (!Nudge(peer, call))
            {
                actAtNs = now + LinkFullRetryNs;
            }
            else
            {
                actAtNs = now + intervalNs;
                intervalNs = peer.Reliable ? ProbeNs : Math.Max(intervalNs, Math.Min(2 * intervalNs, MaxRetransmitNs));
            }
        }

        call->Waiting = false;
    }

    /// <summary>Does what a call needs that has not been answered in time. False: the link is full.</summary>
    private bool Nudge(Peer peer, PendingCall* call)
    {
        if (call->State == CallState.Queued)
        {
            SendQueuedTo(peer);
        }

        if (call->State == CallState.Queued || (call->State == CallState.Sent && peer.Reliable))
        {
            if (peer.Identity.Known == PeerIdentity.None)
            {
                Greet(peer);
                return true;
            }

            // One is enough where nothing is lost: its answer is still to come, or the peer is silent.
            if (!call->Probed || !peer.Reliable)
            {
                call->Probed = SendProbe(peer, call);
                return call->Probed;
            }

            return true;
        }

        bool lost = call->State == CallState.Sent;
        call->Attempt++;
        if (!SendCall(peer, call, MessageFlags.Retransmit))
        {
            return false;
        }

        if (lost)
        {
            _retransmissions++;
        }

        call->Probed = false;
        call->State = CallState.Sent;
        return true;
    }

    /// <summary>Asks what has become of the call; for one that still waits for room, whether the peer is there at all.</summary>
    private bool SendProbe(Peer peer, PendingCall* call)
    {
        MessageHeader header = MessageForms.Bare(_node, peer, MessageKind.Probe, Epoch);
        header.Opcode = call->Opcode;
        header.RequestId = call->State == CallState.Queued ? RequestId.None : call->Id;
        header.Attempt = call->Attempt;
        _probes++;
        return _sender.Transmit(peer, &header, null, 0, null, 0);
    }
}
