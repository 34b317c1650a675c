// What this component has served for one peer, so that nothing is executed twice: one entry per slot of the peer's window, with the id of the
// latest request there, how far it has come, and, on links that lose frames, its reply if that cannot be made again. RequestId.cs says why the
// latest per slot suffices.
//
// Invariants. Ids in a slot only grow within a life of the peer. Remembered is not null only in state Done; bytes >= 0 then, and they are the whole
// reply. RememberedBytes < 0: the reply is made again by running the request (idempotent, or a service that runs replays). ReleasedBelow: the peer
// has had the replies of all ids below, so nothing is remembered for them. Over reliable links no reply is ever remembered.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>How far the request that last occupied a slot has come.</summary>
internal enum ServedState : byte
{
    /// <summary>None yet, or the latest was turned away undone.</summary>
    None = 0,
    InProgress = 1,
    Done = 2,
    /// <summary>Executed, but there was no memory to remember its reply.</summary>
    Forgotten = 3,
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
    /// <summary>Executed before; its reply is lost.</summary>
    Forgotten,
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
    private readonly FrameAllocator _frames;
    private readonly ServedSlot* _slots;
    private readonly bool _reliable;
    private int _rememberedReplies;
    private ulong _releasedBelow;

    /// <summary>Lays itself out in <paramref name="memory"/>: SizeBytes of zeros.</summary>
    internal ReplyMemory(byte* memory, FrameAllocator frames, bool reliable)
    {
        _slots = (ServedSlot*)memory;
        _frames = frames;
        _reliable = reliable;
    }

    internal static int SizeBytes => RequestId.SlotCount * sizeof(ServedSlot);

    /// <summary>The entry of an id, whose slot has been checked.</summary>
    internal ServedSlot* SlotOf(ulong id) => &_slots[RequestId.SlotOf(id)];

    /// <summary>What an arriving request is.</summary>
    internal Arrival Consider(ulong id)
    {
        ServedSlot* slot = SlotOf(id);
        return id > slot->Id ? Arrival.New : ConsiderAgain(id, slot);
    }

    /// <summary>The request is being executed from now on; its slot's former reply is acknowledged by that.</summary>
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

    /// <summary>The request has not happened after all; its sender will send it again. A replay has happened before.</summary>
    internal void TakeBack(ulong id, bool replay)
    {
        ServedSlot* slot = SlotOf(id);
        if (replay)
        {
            slot->State = ServedState.Done;
            return;
        }

        slot->Id = id - 1;
        slot->State = ServedState.None;
    }

    /// <summary>The request has been executed.</summary>
    internal void End(ulong id, bool remember, Errno status, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        ServedSlot* slot = SlotOf(id);
        if (slot->Id != id)
        {
            return;
        }

        slot->State = ServedState.Done;
        if (_reliable)
        {
            return;
        }

        slot->Status = status;
        slot->RememberedBytes = remember ? headBytes + payloadBytes : -1;
        if (slot->RememberedBytes <= 0)
        {
            return;
        }

        slot->Remembered = RememberedReply.Save(_frames, head, headBytes, payload, payloadBytes);
        if (slot->Remembered == null)
        {
            slot->State = ServedState.Forgotten;
            return;
        }

        _rememberedReplies++;
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
            if (slot->Remembered != null && slot->Id < below)
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
            if (_slots[number].Remembered != null)
            {
                Forget(&_slots[number]);
            }

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
            _ => Arrival.Forgotten,
        };
    }

    private void Forget(ServedSlot* slot)
    {
        RememberedReply.Free(_frames, slot->Remembered);
        slot->Remembered = null;
        _rememberedReplies--;
    }
}
