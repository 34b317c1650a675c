// The window of one peer: how many calls, and how many bytes in each direction, this component may have under way there.
//
// Every class has a reserve of slots, request bytes and reply bytes that no other class can take, large enough for any call of that class.
// What the reserves leave is common: a class may go beyond its reserve while there is some left and no more urgent class waits. Hence
//   * a class that is full (its target is slow, a reader pauses) holds back no call of another class;
//   * heartbeats always find room;
//   * a call that is too long for its class travels as Transfer, whose reserve holds the longest message.
// What finds no room waits in a queue per class, first in first out.
//
// Why bytes: on a ring, requests of one side and replies to the other side's requests share the area. Each side keeps both its requests and
// the replies it asks for within the link's WindowBytes, so that a reply always finds room (RingLink).
//
// Invariants, for each class and resource: left = reserve - used; where it is negative, its amount is borrowed from the common part; the
// common part never falls below 0. A slot is free exactly if its bit in FreeSlots is set and its entry in Calls is null. A call is in a
// queue exactly if its state is Queued and it was enqueued; bit c of QueuedClasses is set exactly if queue c is not empty.

using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Fabric;

/// <summary>Slots, bytes and queues of the calls to one peer.</summary>
internal sealed unsafe class CallWindow
{
    internal const int ClassCount = (int)RpcClass.Liveness + 1;

    /// <summary>What a frame takes besides its body: header, record header and padding, and one notice or probe of the call.</summary>
    internal const int FrameOverheadBytes = 320;
    /// <summary>Least that a link must allow in each direction: all reserves together.</summary>
    internal const int LeastBytes = LongestBytes + ((40 + 24 + 34 + 8 + 8 + 4) * Kilobyte);

    private const int Kilobyte = 1024;
    private const int LongestBytes = MessageHeader.MaxBodyBytes + FrameOverheadBytes;

    private readonly Share* _left;
    private readonly CallQueue* _queues;
    private Share _common;
    private ulong _freeSlots = ulong.MaxValue;

    /// <summary>One per slot; null where the slot is free.</summary>
    internal readonly PendingCall** Calls;

    /// <summary>Lays itself out in <paramref name="memory"/>: SizeBytes of zeros.</summary>
    internal CallWindow(byte* memory, int linkWindowBytes)
    {
        Calls = (PendingCall**)memory;
        _queues = (CallQueue*)(Calls + RequestId.SlotCount);
        _left = (Share*)(_queues + ClassCount);
        _common = new Share { Slots = RequestId.SlotCount, RequestBytes = linkWindowBytes, ReplyBytes = linkWindowBytes };
        for (int index = 0; index < ClassCount; index++)
        {
            int bytes = ReserveBytes[index];
            _left[index] = new Share { Slots = ReserveSlots[index], RequestBytes = bytes, ReplyBytes = bytes };
            _common.Slots -= ReserveSlots[index];
            _common.RequestBytes -= bytes;
            _common.ReplyBytes -= bytes;
        }

        if (_common.RequestBytes < 0)
        {
            Kernel.Panic.Because("CallWindow: the link allows less than the reserves of all classes");
        }
    }

    internal static int SizeBytes =>
        (RequestId.SlotCount * sizeof(PendingCall*)) + (ClassCount * sizeof(CallQueue)) + (ClassCount * sizeof(Share));

    /// <summary>Calls that wait for room.</summary>
    internal int Queued { get; private set; }

    /// <summary>One bit per class whose queue is not empty.</summary>
    internal uint QueuedClasses { get; private set; }

    /// <summary>Calls under way.</summary>
    internal int Outstanding { get; private set; }

    private static ReadOnlySpan<byte> ReserveSlots => [16, 4, 8, 4, 2, 2, 2];

    private static ReadOnlySpan<int> ReserveBytes =>
        [40 * Kilobyte, 24 * Kilobyte, LongestBytes, 34 * Kilobyte, 8 * Kilobyte, 8 * Kilobyte, 4 * Kilobyte];

    /// <summary>The class that a call of these lengths (overhead included) travels in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static RpcClass ClassFor(RpcClass wanted, int requestBytes, int replyBytes)
    {
        int most = Unsafe.Add(ref MemoryMarshal.GetReference(ReserveBytes), (int)wanted);
        return requestBytes <= most && replyBytes <= most ? wanted : RpcClass.Transfer;
    }

    /// <summary>
    /// Gives the call a slot and its bytes; false: its class has no room now. The caller enters it by <see cref="Occupy"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryAdmit(PendingCall* call, out uint slot)
    {
        Share* left = &_left[(int)call->Class];
        if (left->Slots > 0 && left->RequestBytes >= call->RequestWindowBytes && left->ReplyBytes >= call->ReplyWindowBytes)
        {
            left->Subtract(1, call->RequestWindowBytes, call->ReplyWindowBytes);
        }
        else if (!TryBorrow(left, call))
        {
            slot = 0;
            return false;
        }

        // A lone caller always finds slot 0 free.
        slot = (_freeSlots & 1) != 0 ? 0 : (uint)BitOperations.TrailingZeroCount(_freeSlots);
        return true;
    }

    /// <summary>The admitted call is on its way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Occupy(PendingCall* call, uint slot)
    {
        _freeSlots &= ~(1UL << (int)slot);
        Calls[slot] = call;
        Outstanding++;
    }

    /// <summary>A call under way has ended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Vacate(PendingCall* call)
    {
        uint slot = RequestId.SlotOf(call->Id);
        Calls[slot] = null;
        _freeSlots |= 1UL << (int)slot;
        Outstanding--;
        GiveBack(call);
    }

    /// <summary>Gives back what TryAdmit took.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void GiveBack(PendingCall* call)
    {
        Share* left = &_left[(int)call->Class];
        if ((left->Slots | left->RequestBytes | left->ReplyBytes) < 0)
        {
            RepayCommon(left, call);
        }

        left->Subtract(-1, -call->RequestWindowBytes, -call->ReplyWindowBytes);
    }

    /// <summary>Puts a call at the end of its class's queue.</summary>
    internal void Enqueue(PendingCall* call)
    {
        _queues[(int)call->Class].Append(call);
        Queued++;
        QueuedClasses |= 1u << (int)call->Class;
    }

    /// <summary>The call of a class that has waited longest; null: none.</summary>
    internal PendingCall* FirstQueued(int classIndex) => _queues[classIndex].First;

    /// <summary>Takes a call out of its queue.</summary>
    internal void Dequeue(PendingCall* call)
    {
        int index = (int)call->Class;
        _queues[index].Remove(call);
        Queued--;
        if (_queues[index].First == null)
        {
            QueuedClasses &= ~(1u << index);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RepayCommon(Share* left, PendingCall* call)
    {
        _common.Slots += Math.Min(Math.Max(0, -left->Slots), 1);
        _common.RequestBytes += Math.Min(Math.Max(0, -left->RequestBytes), call->RequestWindowBytes);
        _common.ReplyBytes += Math.Min(Math.Max(0, -left->ReplyBytes), call->ReplyWindowBytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryBorrow(Share* left, PendingCall* call)
    {
        if ((QueuedClasses & ((1u << (int)call->Class) - 1)) != 0)
        {
            return false;
        }

        int slots = left->Slots > 0 ? 0 : 1;
        int requestBytes = call->RequestWindowBytes - Math.Clamp(left->RequestBytes, 0, call->RequestWindowBytes);
        int replyBytes = call->ReplyWindowBytes - Math.Clamp(left->ReplyBytes, 0, call->ReplyWindowBytes);
        if (slots > _common.Slots || requestBytes > _common.RequestBytes || replyBytes > _common.ReplyBytes)
        {
            return false;
        }

        _common.Subtract(slots, requestBytes, replyBytes);
        left->Subtract(1, call->RequestWindowBytes, call->ReplyWindowBytes);
        return true;
    }

    /// <summary>An amount of each resource.</summary>
    private struct Share
    {
        internal int Slots;
        internal int RequestBytes;
        internal int ReplyBytes;

        internal void Subtract(int slots, int requestBytes, int replyBytes)
        {
            Slots -= slots;
            RequestBytes -= requestBytes;
            ReplyBytes -= replyBytes;
        }
    }
}
