// The path of a page fault. In order: walk the page table; a resident page is a permission question, a page in flight is waited for; find
// the range (protection check); first touch of anonymous memory takes a line, clears it and maps it, without any message, and so does that
// of the vDSO's pages, which are copies of this machine's; a page of a file is mapped if its line is there (ExCache.FilePages.cs);
// everything else claims the entry (in flight), makes room, fetches the page from the owner of its vRegion, maps it, wakes waiters.
//
// Making room: a free line, else the policy's victim. A clean victim is dropped. A dirty one rides on the fetch when both go to the same
// memory component (MissFlush; its page leaves from its own frame while the reply lands in a spare one, and the two frames swap places),
// else it is written back first (ExCache.WriteBack.cs), as is one that several spaces map. Its entries are in flight until the owner has
// acknowledged, so that nobody fetches a stale page.
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
    /// <summary>Within the ExCache: the fault has waited without a claim to its entry, whose table may be gone.</summary>
    LookAgain,
}

public sealed unsafe partial class ExCache
{
    /// <summary>
    /// Makes the page that holds <paramref name="address"/> resident for an access. On Resident, <paramref name="entry"/> is its present
    /// entry; it stays so until the caller blocks.
    /// </summary>
    public FaultOutcome Resolve(AddressSpace* space, ulong address, MissAccess access, LinePlacement placement, out ulong* entry)
    {
        address &= ~(ulong)(PageOperations.PageSize - 1);
        while (true)
        {
            entry = PageTable.Find(space->PageTableRoot, address);
            if (entry == null && (entry = MakeEntry(space, address)) == null)
            {
                return FaultOutcome.OutOfKernelMemory;
            }

            ulong state = *entry;
            if (PageState.IsPresent(state) && PageState.Allows(state, access))
            {
                return FaultOutcome.Resident;
            }

            // What is known of a space that is being changed may be wrong by the time that a page has come.
            if (state == PageState.InFlight || space->IsChanging)
            {
                _fillWaits++;
                _arrivals.Wait();
                continue;
            }

            if (!space->TryFindRights(address, out Protection protection, out VmaKind kind))
            {
                return FaultOutcome.NotMapped;
            }

            if (!PageState.Allows(protection, access))
            {
                return FaultOutcome.NotAllowed;
            }

            ulong bits = PageState.Bits(protection);
            FaultOutcome outcome;
            if (state == PageState.Remote)
            {
                outcome = FillFromMemory(space, address, entry, bits, access, placement, default);
            }
            else if (state != PageState.Untouched)
            {
                outcome = MakeWritable(LineOf(state), space, address, entry, bits, placement);
            }
            else if (space->VNode != 0 && !Limit!.MayTouch(space))
            {
                outcome = FaultOutcome.OutOfMemory;
            }
            else if (kind is VmaKind.File or VmaKind.SharedFile)
            {
                space->TryFindRange(address, out VmaRecord range);
                outcome = FillFromFile(space, address, entry, in range, access, placement);
            }
            else
            {
                outcome = FillHere(space, address, entry, bits, kind, placement);
            }

            if (outcome == FaultOutcome.LookAgain)
            {
                continue;
            }

            // Another thread may have changed the range's protection while this one waited for its page.
            if (outcome != FaultOutcome.Resident || (*entry & ~PageState.NotRights) == bits || PageState.Allows(*entry, access))
            {
                return outcome;
            }
        }
    }

    /// <summary>The entry of an address that has no table yet; null when that would eat into what everything else needs.</summary>
    private ulong* MakeEntry(AddressSpace* space, ulong address) =>
        _kernelFrames.FreePages > _reservedFrames ? PageTable.Entry(space->PageTableRoot, address, _kernelFrames) : null;

    /// <summary>Counts a page fault of user mode and starts the clock of its stages.</summary>
    public void CountFault()
    {
        _faults++;
        _stages.Begin();
    }

    private FaultOutcome FillHere(AddressSpace* space, ulong address, ulong* entry, ulong bits, VmaKind kind, LinePlacement placement)
    {
        int set = SetFor(address, placement);
        int index = TakeFree(set);
        if (index == Line.None)
        {
            BeginFill(space, entry);
            Errno error = MakeRoom(set, out index);
            EndFill(space);
            *entry = PageState.Untouched;
            if (error != Errno.None)
            {
                _arrivals.WakeAll();
                return OutcomeOfFlush(error);
            }
        }

        byte* frame = FrameAddress(_lines[index].Frame);
        if (kind < VmaKind.VdsoData)
        {
            PageOperations.Clear(frame);
        }
        else
        {
            PageOperations.Copy(frame, kind == VmaKind.VdsoCode ? Vdso.CodePage : Vdso.DataPage);
        }

        Install(index, space, address, entry, bits, LineOrigin.Local);
        _fillsZero++;
        _arrivals.WakeAll();
        return FaultOutcome.Resident;
    }

    [SkipLocalsInit]
    private FaultOutcome FillFromMemory(AddressSpace* space, ulong address, ulong* entry, ulong bits, MissAccess access,
        LinePlacement placement, LineName name)
    {
        _stages.LookedUp();
        ulong before = *entry;
        BeginFill(space, entry);
        int set = SetFor(address, placement, name);
        // Of the object when the request leaves: what changes before that, the owner has when it answers.
        uint version = 0;
        // What was untouched is the object's page, which is where files are cached.
        ushort owner = before == PageState.Untouched ? space->Home : space->OwnerOf(address);
        MissRequest miss = new() { Address = address, Access = access };
        RpcContext context = new() { VNode = space->VNode, Asid = space->Asid, Class = RpcClass.DemandFetch };
        Errno error = Errno.None;
        // An error of the victim's write-back says nothing about the page that is wanted.
        bool isVictims = false;
        bool fetched = false;
        int index = TakeFree(set);
        int received = 0;
        if (index == Line.None)
        {
            index = WaitForVictim(set);
            if (_lines[index].State == LineState.Resident && !TryTakeOut(index))
            {
                ref Line victim = ref _lines[index];
                // A message is made for one vNode.
                if (_piggyback && victim.More == null && owner == OwnerOf(ref victim) && victim.Space->VNode == space->VNode
                    && _spares.TryPop(out int spare))
                {
                    fetched = true;
                    version = VersionOf(name);
                    // The owner takes the victim over before it reads the page, which is no older for it.
                    version += !name.IsNone && victim.Object == name.Number ? 1U : 0;
                    BeginFetch();
                    error = FetchAndFlush(index, owner, in context, in miss, spare, out received, out isVictims);
                    _fetching--;
                }
                else
                {
                    error = WriteBackVictim(index);
                    isVictims = error != Errno.None;
                }
            }
        }

        // Somebody else may have begun to fetch the same page while room was made.
        bool isOvertaken = !name.IsNone && error == Errno.None && !TryName(index, name);
        if (error == Errno.None && !fetched && !isOvertaken)
        {
            _stages.VictimChosen();
            version = VersionOf(name);
            BeginFetch();
            error = _rpc.Call(owner, Opcode.Miss, in context, in miss, default, PageSpan(_lines[index].Frame), out received);
            _fetching--;
        }

        _stages.Fetched();
        EndFill(space);
        if (error != Errno.None
            && (isVictims || (error = FetchElsewhere(space, index, before, in context, in miss, error, out received)) != Errno.None))
        {
            *entry = before;
            _fillsFailed++;
            _arrivals.WakeAll();
            return isVictims ? OutcomeOfFlush(error) : OutcomeOfMiss(error);
        }

        bool stores = (bits & PageState.Stores) != 0;
        if (isOvertaken || version != VersionOf(name) || (stores && _objects.IsBusy(name.Number)))
        {
            *entry = before;
            GiveBack(index);
            _arrivals.WakeAll();
            return FaultOutcome.Resident;
        }

        if (received == 0)
        {
            PageOperations.Clear(FrameAddress(_lines[index].Frame));
        }

        // An object's page has not been taken over from here.
        LineOrigin origin = before == PageState.Untouched ? LineOrigin.Local : LineOrigin.Owner;
        Install(index, space, address, entry, name.IsNone || stores ? bits : bits & ~PageTable.Writable, origin);
        _fillsFromMemory++;
        _arrivals.WakeAll();
        _stages.Mapped();
        return FaultOutcome.Resident;
    }

    /// <summary>What is nobody's but a space's does not change behind its back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint VersionOf(LineName name) => name.IsNone ? 0 : _objects.VersionOf(name.Number);

    private void BeginFetch()
    {
        _fetching++;
        _mostFetching = Math.Max(_mostFetching, _fetching);
    }

    private static void BeginFill(AddressSpace* space, ulong* entry)
    {
        *entry = PageState.InFlight;
        space->InFlight++;
        space->Fills++;
    }

    private static void EndFill(AddressSpace* space)
    {
        space->InFlight--;
        space->Fills--;
    }

    private int SetFor(ulong address, LinePlacement placement, LineName name = default)
    {
        if (placement == LinePlacement.OwnSet)
        {
            return name.IsNone ? SetOf(address) : SetOf(name);
        }

        _fillsOverflow++;
        return _setCount;
    }

    /// <summary>A line of a full set for a page that needs no fetch. On an error there is none.</summary>
    private Errno MakeRoom(int set, out int index)
    {
        index = WaitForVictim(set);
        return _lines[index].State == LineState.Filling || TryTakeOut(index) ? Errno.None : WriteBackVictim(index);
    }

    /// <summary>
    /// The policy's victim, or a line that became free meanwhile (its state is then Filling). Waits while all lines of the set are in
    /// flight.
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

    /// <summary>
    /// Takes a victim's page out of all page tables. True: it was clean, the line is Filling. False: it was dirty, the line is WritingBack
    /// and its entries in flight.
    /// </summary>
    private bool TryTakeOut(int index)
    {
        ref Line victim = ref _lines[index];
        _evictions++;
        _trace.Record(victim.Address);
        if (victim.IsShared && !victim.IsDirty && victim.Storers == 0)
        {
            TakeFromAll(index);
            _evictionsClean++;
            return true;
        }

        if ((Detach(index, PageState.InFlight) & PageTable.Dirty) != 0)
        {
            BeginWriteBack(index);
            return false;
        }

        if (victim.IsNamed)
        {
            EndMappings(index, PageState.Untouched);
        }
        else
        {
            *victim.Entry = StateBehind(ref victim);
            victim.State = LineState.Filling;
        }

        _evictionsClean++;
        return true;
    }

    /// <summary>
    /// Sends a dirty victim away and fetches a page into the spare frame, in one message. On success the line holds the fetched page's
    /// frame and is Filling. An error that speaks of the fetch alone leaves the line Filling: the victim was taken over before. An error
    /// that is the victim's leaves it resident.
    /// </summary>
    private Errno FetchAndFlush(int index, ushort owner, in RpcContext context, in MissRequest miss, int spare, out int received,
        out bool isVictims)
    {
        ref Line victim = ref _lines[index];
        MissFlushRequest head = new() { Miss = miss, VictimAddress = victim.Address, VictimAsid = victim.Space->Asid };
        _stages.VictimChosen();
        Errno error = _rpc.Call(owner, Opcode.MissFlush, in context, in head, PageSpan(victim.Frame), PageSpan(spare), out received);
        bool taken = error is Errno.None or Errno.EFAULT or Errno.EACCES or Errno.EIO;
        Errno written = EndWriteBack(index, taken ? Errno.None : error);
        isVictims = written != Errno.None;
        if (isVictims)
        {
            _spares.Push(spare);
            return written;
        }

        _flushesPiggybacked++;
        if (error != Errno.None)
        {
            _spares.Push(spare);
            return error;
        }

        _spares.Push(victim.Frame);
        victim.Frame = spare;
        _lineOfFrame[spare] = index;
        return Errno.None;
    }

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
