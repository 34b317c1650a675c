// The path of a page fault. In order: walk the page table; a resident page is a permission question, a page in flight is waited for; find the
// range (protection check); first touch of anonymous memory takes a line, clears it and maps it, without any message; everything else claims
// the entry (in flight), makes room, fetches the page from the owner of its vRegion, maps it, wakes waiters.
//
// Making room: a free line, else the policy's victim. A clean victim is dropped. A dirty one rides on the fetch when both go to the same
// memory component (MissFlush; its page leaves from its own frame while the reply lands in a spare one, and the two frames swap places), else it
// is written back first (Flush). Its entry is in flight until the owner has acknowledged, so that nobody fetches a stale page.
//
// BLOCKS at each message and each wait. Runs in the thread that faulted, or in a thread that copies to or from the program's memory.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Which lines a page may go to.</summary>
public enum LinePlacement
{
    /// <summary>Those of its set.</summary>
    OwnSet,
    /// <summary>The overflow lines, for an instruction whose pages push each other out of a small set.</summary>
    Overflow,
}

/// <summary>How a fault ended.</summary>
public enum FaultOutcome
{
    /// <summary>The page is there and the access is allowed.</summary>
    Resident,
    /// <summary>No range holds the address (SEGV_MAPERR).</summary>
    NotMapped,
    /// <summary>The range does not allow the access (SEGV_ACCERR).</summary>
    NotAllowed,
    /// <summary>Past the end of a mapped file, or the file cannot be read (SIGBUS).</summary>
    BeyondFile,
    /// <summary>The memory component has no frame for the page or for the victim.</summary>
    OutOfMemory,
    /// <summary>This component has no memory for a page table.</summary>
    OutOfKernelMemory,
    /// <summary>The memory component does not answer, or does not know the address space any more.</summary>
    Unreachable,
}

public sealed unsafe partial class ExCache
{
    /// <summary>FlushRequest and one FlushEntry: the head of a write-back of one page.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct SingleFlush
    {
        public FlushRequest Request;
        public FlushEntry Entry;
    }

    /// <summary>
    /// Makes the page that holds <paramref name="address"/> resident for an access. On Resident, <paramref name="entry"/> is its present
    /// entry; it stays so until the caller blocks.
    /// </summary>
    public FaultOutcome Resolve(AddressSpace* space, ulong address, MissAccess access, LinePlacement placement, out ulong* entry)
    {
        address &= ~(ulong)(PageOperations.PageSize - 1);
        while (true)
        {
            entry = PageTable.Entry(space->PageTableRoot, address, _kernelFrames);
            if (entry == null)
            {
                return FaultOutcome.OutOfKernelMemory;
            }

            ulong state = *entry;
            if (PageState.IsPresent(state) && PageState.Allows(state, access))
            {
                return FaultOutcome.Resident;
            }

            if (state == PageState.InFlight)
            {
                _fillWaits++;
                _arrivals.Wait();
                continue;
            }

            if (!space->TryFindRange(address, out VmaRecord range))
            {
                return FaultOutcome.NotMapped;
            }

            if (PageState.IsPresent(state) || !PageState.Allows(range.Protection, access))
            {
                return FaultOutcome.NotAllowed;
            }

            ulong bits = PageState.Bits(range.Protection);
            FaultOutcome outcome = state == PageState.Untouched && range.Kind != VmaKind.File
                ? FillZero(space, address, entry, bits, placement)
                : FillFromMemory(space, address, entry, bits, access, placement);
            // Another thread may have changed the range's protection while this one waited for its page.
            if (outcome != FaultOutcome.Resident || PageState.Allows(*entry, access))
            {
                return outcome;
            }
        }
    }

    /// <summary>Counts a page fault of user mode and starts the clock of its stages.</summary>
    public void CountFault()
    {
        _faults++;
        _stages.Begin();
    }

    private FaultOutcome FillZero(AddressSpace* space, ulong address, ulong* entry, ulong bits, LinePlacement placement)
    {
        int set = SetFor(address, placement);
        int index = TakeFree(set);
        if (index == Line.None)
        {
            *entry = PageState.InFlight;
            space->InFlight++;
            Errno error = MakeRoom(set, out index);
            space->InFlight--;
            *entry = PageState.Untouched;
            if (error != Errno.None)
            {
                _arrivals.WakeAll();
                return OutcomeOfFlush(error);
            }
        }

        PageOperations.Clear(FrameAddress(_lines[index].Frame));
        Install(index, space, address, entry, bits, LineOrigin.ZeroFill);
        _fillsZero++;
        _arrivals.WakeAll();
        return FaultOutcome.Resident;
    }

    [SkipLocalsInit]
    private FaultOutcome FillFromMemory(AddressSpace* space, ulong address, ulong* entry, ulong bits, MissAccess access,
        LinePlacement placement)
    {
        _stages.LookedUp();
        ulong before = *entry;
        *entry = PageState.InFlight;
        space->InFlight++;
        int set = SetFor(address, placement);
        ushort owner = space->OwnerOf(address);
        MissRequest miss = new() { Address = address, Access = access };
        RpcContext context = new() { Asid = space->Asid, Class = RpcClass.DemandFetch };
        Errno error = Errno.None;
        bool fetched = false;
        int index = TakeFree(set);
        int received = 0;
        if (index == Line.None)
        {
            index = WaitForVictim(set);
            if (_lines[index].State == LineState.Resident)
            {
                ref Line victim = ref _lines[index];
                bool dirty = (*victim.Entry & PageTable.Dirty) != 0;
                if (dirty && _piggyback && owner == victim.Space->OwnerOf(victim.Address) && _spares.TryPop(out int spare))
                {
                    fetched = true;
                    error = FetchAndFlush(index, owner, in context, in miss, spare, out received);
                }
                else
                {
                    error = Evict(index, dirty);
                }
            }
        }

        if (error == Errno.None && !fetched)
        {
            _stages.VictimChosen();
            error = _rpc.Call(owner, Opcode.Miss, in context, in miss, default, PageSpan(_lines[index].Frame), out received);
            if (error != Errno.None)
            {
                GiveBack(index);
            }
        }

        _stages.Fetched();
        space->InFlight--;
        if (error != Errno.None)
        {
            *entry = before;
            _fillsFailed++;
            _arrivals.WakeAll();
            return OutcomeOfMiss(error);
        }

        if (received == 0)
        {
            PageOperations.Clear(FrameAddress(_lines[index].Frame));
        }

        Install(index, space, address, entry, bits, LineOrigin.Owner);
        _fillsFromMemory++;
        _arrivals.WakeAll();
        _stages.Mapped();
        return FaultOutcome.Resident;
    }

    private int SetFor(ulong address, LinePlacement placement)
    {
        if (placement == LinePlacement.OwnSet)
        {
            return SetOf(address);
        }

        _fillsOverflow++;
        return _setCount;
    }

    /// <summary>A line of a full set for a page that needs no fetch.</summary>
    private Errno MakeRoom(int set, out int index)
    {
        index = WaitForVictim(set);
        if (_lines[index].State == LineState.Filling)
        {
            return Errno.None;
        }

        return Evict(index, (*_lines[index].Entry & PageTable.Dirty) != 0);
    }

    /// <summary>
    /// The policy's victim, or a line that became free meanwhile (its state is then Filling). Waits while all lines of the set are in flight.
    /// </summary>
    private int WaitForVictim(int set)
    {
        while (true)
        {
            // The overflow lines go round in order of their filling, whatever the policy.
            int index = set == _setCount ? _sets[set].Oldest : _policy.PickVictim(_lines, ref _sets[set], set * _ways);
            if (index != Line.None)
            {
                return index;
            }

            _setWaits++;
            _arrivals.Wait();
            index = TakeFree(set);
            if (index != Line.None)
            {
                return index;
            }
        }
    }

    /// <summary>Takes the page out of a victim's line, writing it back first when it is dirty. The line is then Filling.</summary>
    private Errno Evict(int index, bool dirty)
    {
        ref Line victim = ref _lines[index];
        _evictions++;
        _trace.Record(victim.Address);
        if (!dirty)
        {
            _evictionsClean++;
            Detach(index, StateBehind(ref victim));
            victim.State = LineState.Filling;
            return Errno.None;
        }

        ulong mapped = BeginWriteBack(index);
        RpcContext context = new() { Asid = victim.Space->Asid, Class = RpcClass.WriteBack };
        SingleFlush head = default;
        head.Request.Count = 1;
        head.Entry.Address = victim.Address;
        head.Entry.Asid = victim.Space->Asid;
        ushort owner = victim.Space->OwnerOf(victim.Address);
        Errno error = _rpc.Call(owner, Opcode.Flush, in context, in head, PageSpan(victim.Frame), default, out _);
        return EndWriteBack(index, mapped, error);
    }

    /// <summary>
    /// Sends a dirty victim away and fetches a page into the spare frame, in one message. On success the line holds the fetched page's
    /// frame and is Filling. An error that speaks of the fetch alone leaves the line free: the victim was taken over before.
    /// </summary>
    private Errno FetchAndFlush(int index, ushort owner, in RpcContext context, in MissRequest miss, int spare, out int received)
    {
        ref Line victim = ref _lines[index];
        _evictions++;
        _trace.Record(victim.Address);
        ulong mapped = BeginWriteBack(index);
        MissFlushRequest head = new() { Miss = miss, VictimAddress = victim.Address, VictimAsid = victim.Space->Asid };
        _stages.VictimChosen();
        Errno error = _rpc.Call(owner, Opcode.MissFlush, in context, in head, PageSpan(victim.Frame), PageSpan(spare), out received);
        bool taken = error is Errno.None or Errno.EFAULT or Errno.EACCES or Errno.EIO;
        Errno written = EndWriteBack(index, mapped, taken ? Errno.None : error);
        if (written != Errno.None)
        {
            _spares.Push(spare);
            return written;
        }

        _flushesPiggybacked++;
        if (error != Errno.None)
        {
            _spares.Push(spare);
            GiveBack(index);
            return error;
        }

        _spares.Push(victim.Frame);
        victim.Frame = spare;
        _lineOfFrame[spare] = index;
        return Errno.None;
    }

    /// <summary>Unmaps a dirty victim; gives its entry as it was.</summary>
    private ulong BeginWriteBack(int index)
    {
        ref Line victim = ref _lines[index];
        ulong mapped = *victim.Entry;
        Detach(index, PageState.InFlight);
        victim.State = LineState.WritingBack;
        victim.Space->InFlight++;
        return mapped;
    }

    /// <summary>
    /// The owner has answered. Taken over: the page is remote, the line Filling. Otherwise the page goes back where it was, at the list's tail,
    /// and the error is the caller's.
    /// </summary>
    private Errno EndWriteBack(int index, ulong mapped, Errno error)
    {
        ref Line victim = ref _lines[index];
        victim.Space->InFlight--;
        if (error == Errno.None)
        {
            *victim.Entry = PageState.Remote;
            victim.State = LineState.Filling;
            _flushes++;
        }
        else
        {
            AddressSpace* space = victim.Space;
            ulong address = victim.Address;
            Install(index, space, address, victim.Entry, mapped & ~PageTable.AddressMask, victim.Origin);
        }

        _arrivals.WakeAll();
        return error;
    }

    private Span<byte> PageSpan(int frame) => new Span<byte>(FrameAddress(frame), PageOperations.PageSize);

    private static FaultOutcome OutcomeOfMiss(Errno error) => error switch
    {
        Errno.EFAULT => FaultOutcome.NotMapped,
        Errno.EACCES => FaultOutcome.NotAllowed,
        Errno.EIO => FaultOutcome.BeyondFile,
        Errno.ENOMEM => FaultOutcome.OutOfMemory,
        _ => FaultOutcome.Unreachable,
    };

    private static FaultOutcome OutcomeOfFlush(Errno error) =>
        error == Errno.ENOMEM ? FaultOutcome.OutOfMemory : FaultOutcome.Unreachable;
}
