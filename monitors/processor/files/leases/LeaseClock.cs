// When what this component remembers stopped being true: the holder's side of leases (LeaseMessages.cs). Time here is a count of changes. A
// slot per group of keys says at which count one of them was last called back or changed by this component itself; a memory is a value with
// the count at which it was asked for (its moment) and the keys that it depends on.
//
// What holds:
//   a memory is true          if no slot of its keys is newer than its moment, none is busy, and no change of unknown keys is under way
//   an answer is remembered   if the same holds when it arrives: what was called back while it was on its way may be older than the
//                             call-back
//   an own change of a file   keeps the slot busy from before its request until its reply, then makes it newer
//   an own change of names    has keys that only its reply tells: until then nothing is true, because another program of this component may
//                             have seen the change before the reply came; then the slots of its keys become newer
//   an own change that fails  without anybody knowing how far it came makes everything newer
//   a granter's life ends     everything becomes newer
//
// Never blocks; works on memory only.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Decides what may still be believed.</summary>
public sealed unsafe class LeaseClock
{
    private const uint SlotCount = 4096;
    private const int SlotShift = 20;
    private const ulong StampPages = SlotCount * sizeof(ulong) / PageOperations.PageSize;
    private const ulong BusyPages = SlotCount * sizeof(ushort) / PageOperations.PageSize;

    private readonly ulong* _stamps;
    private readonly ushort* _busy;
    /// <summary>Everything before is forgotten.</summary>
    private ulong _floor;
    private uint _changesUnderWay;

    /// <summary>Takes the table; boot time. Panics without memory.</summary>
    public LeaseClock(FrameAllocator frames)
    {
        byte* table = (byte*)frames.AllocateContiguous(StampPages + BusyPages);
        if (table == null)
        {
            Panic.Because("LeaseClock: no memory");
        }

        for (ulong page = 0; page < StampPages + BusyPages; page++)
        {
            PageOperations.Clear(table + (page * PageOperations.PageSize));
        }

        _stamps = (ulong*)table;
        _busy = (ushort*)(table + (StampPages * PageOperations.PageSize));
    }

    /// <summary>The moment of what is asked for now.</summary>
    public ulong Now { get; private set; } = 1;

    /// <summary>The slot of a key.</summary>
    public static ushort SlotOf(uint key) => (ushort)(key >> SlotShift);

    /// <summary>True when what was asked for at a moment, and depends on this slot, still holds.</summary>
    public bool Holds(ulong moment, ushort slot) =>
        _changesUnderWay == 0 && moment >= _floor && _stamps[slot] <= moment && _busy[slot] == 0;

    /// <summary>The same for a value that depends on several.</summary>
    public bool Holds(ulong moment, ReadOnlySpan<ushort> slots)
    {
        bool holds = _changesUnderWay == 0 && moment >= _floor;
        for (int index = 0; holds && index < slots.Length; index++)
        {
            holds = _stamps[slots[index]] <= moment && _busy[slots[index]] == 0;
        }

        return holds;
    }

    /// <summary>True when nothing of this has been called back or changed since a moment, whatever is under way now.</summary>
    public bool AreUntouched(ulong moment, ReadOnlySpan<uint> keys)
    {
        bool untouched = moment >= _floor;
        for (int index = 0; untouched && index < keys.Length; index++)
        {
            untouched = IsUntouched(moment, SlotOf(keys[index]));
        }

        return untouched;
    }

    /// <summary>True when a slot has not been called back or changed since a moment, whatever is under way now.</summary>
    public bool IsUntouched(ulong moment, ushort slot) => _stamps[slot] <= moment;

    /// <summary>True when not everything has been forgotten since a moment.</summary>
    public bool IsRemembered(ulong moment) => moment >= _floor;

    /// <summary>What depends on the key is forgotten.</summary>
    public void Forget(uint key) => _stamps[SlotOf(key)] = ++Now;

    /// <summary>Everything is forgotten.</summary>
    public void ForgetAll() => _floor = ++Now;

    /// <summary>This component is about to change what one key stands for.</summary>
    public void BeginChange(uint key) => _busy[SlotOf(key)]++;

    /// <summary>The change is done, or has failed.</summary>
    public void EndChange(uint key)
    {
        _busy[SlotOf(key)]--;
        Forget(key);
    }

    /// <summary>This component is about to change names or attributes whose keys it does not know.</summary>
    public void BeginChange() => _changesUnderWay++;

    /// <summary>The change is done, or has failed.</summary>
    public void EndChange(Errno error, ref LeaseKeys changed)
    {
        _changesUnderWay--;
        fixed (LeaseKeys* keys = &changed)
        {
            foreach (uint key in LeaseKeys.Of(keys))
            {
                Forget(key);
            }
        }

        if (changed.Count == LeaseKeys.Everything || !IsRefusal(error))
        {
            ForgetAll();
        }
    }

    /// <summary>Errors that say that nothing was changed.</summary>
    private static bool IsRefusal(Errno error) =>
        error is Errno.None or Errno.ENOENT or Errno.EEXIST or Errno.ENOTDIR or Errno.EISDIR or Errno.EACCES
        or Errno.EPERM or Errno.ENOTEMPTY or Errno.EBUSY or Errno.EINVAL or Errno.ENAMETOOLONG or Errno.ELOOP
        or Errno.EREMOTE or Errno.ESTALE or Errno.EMLINK or Errno.EROFS;
}
