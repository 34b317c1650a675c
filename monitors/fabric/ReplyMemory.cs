// What this component has served for one peer, so that nothing is executed twice: one entry per slot of the peer's window, with the id of
// the latest request there, how far it has come, and, on links that lose frames, its reply if that cannot be made again. RequestId.cs says
// why the latest per slot suffices.
//
// Memory for a reply that must be remembered is taken before the request is executed. With none, the request is turned away undone and its
// sender comes again; a reply is never lost for want of memory.
//
// Invariants. Ids in a slot only grow within a life of the peer. Remembered is not null only in state InProgress, as a chain that takes the
// longest reply that the requester has room for, and in state Done, as the whole reply: RememberedBytes > 0, and no page too many.
// RememberedBytes < 0: the reply is made again by running the request (idempotent, or a service that runs replays). ReleasedBelow: the peer
// has had the replies of all ids below, so nothing is remembered for them. Over reliable links no reply is ever remembered.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>How far the request that last occupied a slot has come.</summary>
internal enum ServedState : byte
{
    /// <summary>None yet, or the latest was turned away undone.</summary>
    None = 0,
    InProgress = 1,
    Done = 2,
}

/// <summary>What a request is that arrives.</summary>
internal enum Arrival
{
    New,
    /// <summary>Executed before; its answer is made by running it again.</summary>
    RunAgain,
    /// <summary>Being worked on.</summary>
    InProgress,
    /// <summary>Executed before; its reply is remembered.</summary>
    Remembered,
    /// <summary>The peer has had its answer long ago.</summary>
    Straggler,
}

/// <summary>The latest request that the peer sent in one slot.</summary>
internal unsafe struct ServedSlot
{
    internal ulong Id;
    internal void* Remembered;
    internal int RememberedBytes;
    internal Errno Status;
    internal ServedState State;
}

/// <summary>Served requests of one peer.</summary>
internal sealed unsafe class ReplyMemory
{
    private readonly ReplyFrames _frames;
    private readonly ServedSlot* _slots;
    private readonly bool _reliable;
    private int _rememberedReplies;
    private ulong _releasedBelow;

    /// <summary>Lays itself out in <paramref name="memory"/>: SizeBytes of zeros.</summary>
    internal ReplyMemory(byte* memory, ReplyFrames frames, bool reliable)
    {
        _slots = (ServedSlot*)memory;
        _frames = frames;
        _reliable = reliable;
    }

    internal static int SizeBytes => RequestId.SlotCount * sizeof(ServedSlot);

    /// <summary>The entry of an id, whose slot has been checked.</summary>
    internal ServedSlot* SlotOf(ulong id) => &_slots[RequestId.SlotOf(id)];

    /// <summary>What an arriving request is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Arrival Consider(ulong id)
    {
        ServedSlot* slot = SlotOf(id);
        return id > slot->Id ? Arrival.New : ConsiderAgain(id, slot);
    }

    /// <summary>The request is being executed from now on; its slot's former reply is acknowledged by that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Begin(ulong id)
    {
        ServedSlot* slot = SlotOf(id);
        if (slot->Remembered != null)
        {
            Forget(slot);
        }

        slot->Id = id;
        slot->State = ServedState.InProgress;
    }

    /// <summary>Takes memory for the reply of the request that has begun; false: there is none, the request must be taken back.</summary>
    internal bool TryReserve(ulong id, int replyBytes)
    {
        ServedSlot* slot = SlotOf(id);
        slot->Remembered = replyBytes == 0 ? null : RememberedReply.Make(_frames, replyBytes);
        return replyBytes == 0 || slot->Remembered != null;
    }

    /// <summary>The request has not happened after all; its sender will send it again. A replay has happened before.</summary>
    internal void TakeBack(ulong id, bool replay)
    {
        ServedSlot* slot = SlotOf(id);
        if (replay)
        {
            slot->State = ServedState.Done;
            return;
        }

        Forget(slot);
        slot->Id = id - 1;
        slot->State = ServedState.None;
    }

    /// <summary>The request has been executed; over reliable links that is all there is to note.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void End(ulong id)
    {
        ServedSlot* slot = SlotOf(id);
        if (slot->Id == id)
        {
            slot->State = ServedState.Done;
        }
    }

    /// <summary>The request has been executed with this outcome; it is remembered, or known to be made again by running it.</summary>
    internal void End(ulong id, bool remember, Errno status, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        ServedSlot* slot = SlotOf(id);
        if (slot->Id != id)
        {
            return;
        }

        int bytes = headBytes + payloadBytes;
        // An error without a body costs nothing to remember. What has been refused may not be carried out by a repetition, whose sender
        // would take the answer for that of the first.
        remember |= bytes == 0 && status != Errno.None;
        if (bytes == 0 || !remember)
        {
            Forget(slot);
        }
        else
        {
            RememberedReply.Fill(_frames, slot->Remembered, head, headBytes, payload, payloadBytes);
            _rememberedReplies++;
        }

        slot->State = ServedState.Done;
        slot->Status = status;
        slot->RememberedBytes = remember ? bytes : -1;
    }

    /// <summary>The peer has had the replies of all requests with ids below.</summary>
    internal void Acknowledge(ulong below)
    {
        if (below <= _releasedBelow || _reliable)
        {
            return;
        }

        _releasedBelow = below;
        for (int number = 0; number < RequestId.SlotCount && _rememberedReplies != 0; number++)
        {
            ServedSlot* slot = &_slots[number];
            if (slot->State == ServedState.Done && slot->Id < below)
            {
                Forget(slot);
            }
        }
    }

    /// <summary>Another life of the peer begins: ids start again.</summary>
    internal void Clear()
    {
        for (int number = 0; number < RequestId.SlotCount; number++)
        {
            Forget(&_slots[number]);
            _slots[number] = default;
        }

        _releasedBelow = 0;
    }

    private Arrival ConsiderAgain(ulong id, ServedSlot* slot)
    {
        if (id < slot->Id || id < _releasedBelow || _reliable)
        {
            return Arrival.Straggler;
        }

        return slot->State switch
        {
            ServedState.InProgress => Arrival.InProgress,
            ServedState.Done => slot->RememberedBytes < 0 ? Arrival.RunAgain : Arrival.Remembered,
            _ => Arrival.Straggler,
        };
    }

    /// <summary>Frees what is kept of a reply, or for it.</summary>
    private void Forget(ServedSlot* slot)
    {
        if (slot->Remembered == null)
        {
            return;
        }

        if (slot->State == ServedState.Done)
        {
            _rememberedReplies--;
        }

        RememberedReply.Free(_frames, slot->Remembered);
        slot->Remembered = null;
    }
}
