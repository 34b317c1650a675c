// A request of this component between Begin and Complete. Lives in the endpoint's pool; its address is the caller's ticket.
// Head, payload and reply buffer belong to the caller and must stay where they are until Complete has returned: requests are sent from
// there again when they get lost, and the reply is copied straight from the link into the reply buffer.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Where a request is.</summary>
internal enum CallState : byte
{
    /// <summary>Waits for a place in the window or on the link.</summary>
    Queued = 0,
    /// <summary>Under way, or being worked on.</summary>
    Sent = 1,
    /// <summary>Sent back undone for lack of room at the target.</summary>
    TurnedAway = 2,
    /// <summary>Sent back undone because its epoch is old.</summary>
    Refused = 3,
    /// <summary>Answered or failed; Status says which.</summary>
    Done = 4,
}

/// <summary>A split-phase call.</summary>
public unsafe struct PendingCall
{
    /// <summary>Fixed-size request heads are kept here, so that their caller's copy may go away.</summary>
    internal const int InlineHeadBytes = 208;

    internal PendingCall* Next;
    internal ulong Id;
    internal byte* Head;
    internal byte* Payload;
    internal byte* Reply;
    internal int HeadBytes;
    internal int PayloadBytes;
    internal int ReplyCapacity;
    internal int ReplyBytes;
    /// <summary>What it takes of the window in each direction.</summary>
    internal int RequestWindowBytes;
    internal int ReplyWindowBytes;
    internal uint Epoch;
    internal uint Asid;
    internal ushort VNode;
    internal ushort To;
    internal Opcode Opcode;
    internal RpcClass Class;
    internal CallState State;
    internal Errno Status;
    /// <summary>Set when something about the call has changed; what its waiter waits for.</summary>
    internal bool Event;
    /// <summary>The waiter has gone to the scheduler.</summary>
    internal bool Waiting;
    /// <summary>The target said that it works on it.</summary>
    internal bool InProgress;
    /// <summary>A probe is on its way, on a link that loses nothing.</summary>
    internal bool Probed;
    internal byte Attempt;
    internal byte ReplyAttempt;
    internal ulong FragmentsSeen;
    internal fixed byte InlineHead[InlineHeadBytes];

    /// <summary>True when Complete will not wait.</summary>
    public readonly bool IsDone => State == CallState.Done;
}

/// <summary>A first-in first-out list of calls, one per class and peer.</summary>
internal unsafe struct CallQueue
{
    internal PendingCall* First;
    internal PendingCall* Last;

    internal void Append(PendingCall* call)
    {
        call->Next = null;
        if (First == null)
        {
            First = call;
        }
        else
        {
            Last->Next = call;
        }

        Last = call;
    }

    internal bool Remove(PendingCall* call)
    {
        PendingCall* previous = null;
        for (PendingCall* at = First; at != null; previous = at, at = at->Next)
        {
            if (at != call)
            {
                continue;
            }

            if (previous == null)
            {
                First = at->Next;
            }
            else
            {
                previous->Next = at->Next;
            }

            if (Last == at)
            {
                Last = previous;
            }

            return true;
        }

        return false;
    }
}
