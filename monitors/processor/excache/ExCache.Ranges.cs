// Operations on all lines of a range of an address space: for munmap, mprotect, mremap, brk, fork and exit. They go through the page
// table two megabytes (one table of 512 entries) at a time, so an unused gigabyte costs 512 look-ups.
// What blocks says so ([Blocks]); walks do because others have their turn after each SliceEntries. Ranges are page-aligned. The caller
// holds the space (ExCache.Changes.cs), or nobody else knows it: that is why pointers to entries stay good over a wait.
// A walk goes in runs: parts of it that do not block, and that let the other CPUs forget what has changed with one interrupt for all of a
// run (kernel/memory/StaleTranslations.cs). The walk itself does what blocks, between the runs.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    private const ulong TableSpanBytes = 2UL << 20;
    /// <summary>Most bytes that a new space may begin with besides its files' own pages.</summary>
    private const ulong MaxInitialBytes = 1UL << 20;

    /// <summary>Entries that a walk looks at before others have their turn: some 100 us of an emulated CPU.</summary>
    private const int SliceEntries = 4096;
    /// <summary>A dropped line costs as much as looking at so many entries.</summary>
    private const int DropCost = 16;

    /// <summary>
    /// Forgets everything about the pages of a range: lines are dropped without write-back, every entry becomes untouched, tables that have
    /// become empty are freed. Waits for pages in flight. For memory that has ceased to exist.
    /// </summary>
    [Blocks]
    public void Drop(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            ulong from = address;
            DropStretch(entry, ref address, stop, ref slice);
            PageTable.FreeEmpty(space->PageTableRoot, from, stop, _kernelFrames);
        }
    }

    /// <summary>
    /// Drops the private lines of a range that hold what their owner has, because that has changed. Dirty lines stay. The caller holds the
    /// space, so no fill brings the old contents. Named lines are Invalidate's.
    /// </summary>
    [Blocks]
    public void DropClean(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            while (SkipUntouched(ref entry, ref address, stop, ref slice))
            {
                DropCleanRun(space, ref entry, ref address, stop, ref slice);
            }
        }
    }

    /// <summary>
    /// Drops a whole space that nobody runs in any more and frees its page table, whatever its ranges say. Waits for fills and
    /// write-backs that are under way.
    /// </summary>
    [Blocks]
    public void DropSpace(AddressSpace* space)
    {
        while (space->InFlight != 0)
        {
            _arrivals.Wait();
        }

        // What is left on an error is tried again below, page by page, and told when it is lost.
        SurrenderShared(space, 0, PageTable.UserEnd);
        int slice = SliceEntries;
        ulong address = 0;
        for (ulong* entry; (entry = NextStretch(space, ref address, PageTable.UserEnd, out ulong stop)) != null;)
        {
            DropStretch(entry, ref address, stop, ref slice);
        }

        if (space->ResidentLines != 0)
        {
            Panic.Because("ExCache.DropSpace: a line is in no page table");
        }

        PageTable.Free(space->PageTableRoot, _kernelFrames);
        space->PageTableRoot = 0;
    }

    /// <summary>
    /// Says that untouched pages of a new space have contents at their owner: [start, end), grown to whole pages. EPROTO when that is no
    /// range that a loader would fill, ENOMEM when a page table cannot be had.
    /// </summary>
    public Errno MarkRemote(AddressSpace* space, ulong start, ulong end)
    {
        if (start >= end || end > PageTable.UserEnd || end - start > MaxInitialBytes)
        {
            return Errno.EPROTO;
        }

        for (ulong address = start & ~(ulong)(PageOperations.PageSize - 1); address < end; address += PageOperations.PageSize)
        {
            ulong* entry = PageTable.Entry(space->PageTableRoot, address, _kernelFrames);
            if (entry == null)
            {
                return Errno.ENOMEM;
            }

            *entry = PageState.Remote;
        }

        return Errno.None;
    }

    /// <summary>
    /// Fills a child's page table before the home forks: what is remote or untouched to the parent is so to the child, and what is resident
    /// is mapped by both, dirty or not, until one of them writes to it. The child has the parent's ranges. From here to the home's answer
    /// nothing of the parent becomes dirty, because its lines are shared and it is held: whatever is written back goes to both, or, if the
    /// child is not yet known there, to the parent, whose pages it gets. ENOMEM when a page table cannot be had; or why a dirty line that
    /// cannot be shared could not be written back.
    /// </summary>
    [Blocks]
    public Errno CopyStates(AddressSpace* parent, AddressSpace* child)
    {
        int slice = SliceEntries;
        for (int index = 0; index < parent->Ranges.Count; index++)
        {
            if (parent->Ranges[index].Kind == VmaKind.SharedFile)
            {
                // Found by name.
                continue;
            }

            ulong end = parent->Ranges[index].End;
            ulong address = parent->Ranges[index].Start;
            for (ulong* entry; (entry = NextStretch(parent, ref address, end, out ulong stop)) != null;)
            {
                ProtectRun(parent, entry, address, stop);
                for (; SkipUntouched(ref entry, ref address, stop, ref slice); address += PageOperations.PageSize, entry++)
                {
                    Errno error = CopyState(entry, child, address);
                    if (error != Errno.None)
                    {
                        return error;
                    }
                }
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// The most page-table frames that MoveStates can need for a range of a space: those of the last level, of which each source table
    /// leads to two at most, and the two levels above.
    /// </summary>
    public static ulong TablesToMove(AddressSpace* space, ulong from, ulong lengthBytes)
    {
        const ulong MiddleSpanBytes = TableSpanBytes << 9;
        ulong sources = 0;
        ulong address = from;
        while (NextStretch(space, ref address, from + lengthBytes, out ulong stop) != null)
        {
            sources++;
            address = stop;
        }

        ulong most = 2 * sources;
        ulong last = Math.Min(most, (lengthBytes / TableSpanBytes) + 2);
        ulong middle = Math.Min(most, (lengthBytes / MiddleSpanBytes) + 2);
        return last + (2 * middle);
    }

    /// <summary>Waits until no page of a range is in flight.</summary>
    [Blocks]
    public void WaitForFlights(AddressSpace* space, ulong start, ulong end)
    {
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                WaitWhileInFlight(entry);
            }
        }
    }

    /// <summary>
    /// After mremap has moved a range at its owner: takes the states of the old pages along and drops their lines, which are clean. Atomic;
    /// no page is in flight, and the caller has kept TablesToMove frames free: it cannot fail.
    /// </summary>
    [NoBlock]
    public void MoveStates(AddressSpace* space, ulong from, ulong to, ulong lengthBytes)
    {
        ulong address = from;
        _stale.Begin();
        for (ulong* old; (old = NextStretch(space, ref address, from + lengthBytes, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, old++)
            {
                if (*old == PageState.Untouched)
                {
                    continue;
                }

                ulong* moved = PageTable.Entry(space->PageTableRoot, to + (address - from), _kernelFrames);
                if (moved == null)
                {
                    Panic.Because("ExCache.MoveStates: fewer frames for page tables than were set aside");
                }

                ulong state = StateWithoutLine(*old);
                DropEntry(old);
                *moved = state;
            }
        }

        _stale.End();
        PageTable.FreeEmpty(space->PageTableRoot, from, from + lengthBytes, _kernelFrames);
    }

    /// <summary>What a space costs: pages that hold something, in lines or at their owners, and last-level page tables.</summary>
    public static void Measure(AddressSpace* space, out ulong pages, out ulong tables)
    {
        pages = 0;
        tables = 0;
        ulong address = 0;
        for (ulong* entry; (entry = NextStretch(space, ref address, PageTable.UserEnd, out ulong stop)) != null;)
        {
            tables++;
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                pages += *entry == PageState.Untouched ? 0UL : 1;
            }
        }
    }

    /// <summary>True when any page of a range has contents at its owner.</summary>
    [Blocks]
    public bool AnyRemote(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; SkipUntouched(ref entry, ref address, stop, ref slice); address += PageOperations.PageSize, entry++)
            {
                if (PageState.IsInFlight(*entry) || StateWithoutLine(*entry) == PageState.Remote)
                {
                    return true;
                }
            }
        }

        return false;
    }

    [Blocks]
    private Errno CopyState(ulong* entry, AddressSpace* child, ulong address)
    {
        while (true)
        {
            WaitWhileInFlight(entry);
            if (*entry == PageState.Untouched)
            {
                return Errno.None;
            }

            ulong* copy = PageTable.Entry(child->PageTableRoot, address, _kernelFrames);
            if (copy == null)
            {
                return Errno.ENOMEM;
            }

            // What is clean and cannot be shared, the child's fault asks the owner for, or finds by its name.
            *copy = StateWithoutLine(*entry);
            if (!PageState.IsPresent(*entry) || TryShare(LineOf(*entry), entry, child, address, copy)
                || !IsPresentAndDirty(*entry))
            {
                return Errno.None;
            }

            Errno error = Clean(LineOf(*entry));
            if (error != Errno.None)
            {
                return error;
            }

            if (PageState.IsPresent(*entry) && _lines[LineOf(*entry)].IsDirty)
            {
                // It stays newer than at the owner of a space that it is leaving; the parent's owner has it.
                *copy = PageState.Remote;
                return Errno.None;
            }
        }
    }

    /// <summary>
    /// The next part of [address, end) that has a page table: the entry of its first page, which <paramref name="address"/> moves to, and
    /// the address behind its last. Null when there is no further one. A range may be terabytes, so what has no tables is skipped at once.
    /// </summary>
    private static ulong* NextStretch(AddressSpace* space, ref ulong address, ulong end, out ulong stop)
    {
        ulong* entry = PageTable.NextEntry(space->PageTableRoot, ref address, end);
        stop = Math.Min(end, (address | (TableSpanBytes - 1)) + 1);
        return entry;
    }

    [Blocks]
    private void DropStretch(ulong* entry, ref ulong address, ulong stop, ref int slice)
    {
        while (SkipUntouched(ref entry, ref address, stop, ref slice))
        {
            WaitWhileInFlight(entry);
            SurrenderForGood(entry);
            DropRun(ref entry, ref address, stop, ref slice);
        }
    }

    /// <summary>
    /// Drops entries up to one that has to be waited for or written back, or until others are to have their turn; the first one at least.
    /// </summary>
    [NoBlock]
    private void DropRun(ref ulong* entry, ref ulong address, ulong stop, ref int slice)
    {
        _stale.Begin();
        do
        {
            slice -= PageState.IsPresent(*entry) ? DropCost : 1;
            DropEntry(entry);
            address += PageOperations.PageSize;
            entry++;
        }
        while (address < stop && slice > 0 && !PageState.IsInFlight(*entry) && !PageState.IsStored(*entry));
        _stale.End();
    }

    /// <summary>DropClean's entries until others are to have their turn.</summary>
    [NoBlock]
    private void DropCleanRun(AddressSpace* space, ref ulong* entry, ref ulong address, ulong stop, ref int slice)
    {
        _stale.Begin();
        for (; address < stop && slice > 0; address += PageOperations.PageSize, entry++, slice--)
        {
            int index = PageState.IsPresent(*entry) && !IsDirty(*entry) ? LineOf(*entry) : Line.None;
            if (index == Line.None || _lines[index].IsNamed)
            {
                continue;
            }

            if (_lines[index].IsShared)
            {
                Unmap(index, entry, StateBehind(ref _lines[index]));
                continue;
            }

            ulong mapped = Detach(index, StateBehind(ref _lines[index]));
            if ((mapped & PageTable.Dirty) != 0)
            {
                // Written to on another CPU in between.
                Install(index, space, address, entry, mapped & ~PageTable.AddressMask, _lines[index].Origin);
                continue;
            }

            GiveBack(index);
            _drops++;
        }

        _stale.End();
    }

    /// <summary>
    /// Takes the right to write from the private pages up to an address, so that TryShare finds it taken and need not interrupt other CPUs
    /// for each page. Who writes to a page that is not shared after all gets the right back (MakeWritable).
    /// </summary>
    [NoBlock]
    private void ProtectRun(AddressSpace* space, ulong* entry, ulong address, ulong stop)
    {
        _stale.Begin();
        for (; address < stop; address += PageOperations.PageSize, entry++)
        {
            if (PageState.IsPresent(*entry) && (PageTable.ClearBits(entry, PageTable.Writable) & PageTable.Writable) != 0)
            {
                _stale.Forget(space->PageTableRoot, address);
            }
        }

        _stale.End();
    }

    [Blocks]
    private void WaitWhileInFlight(ulong* entry)
    {
        while (PageState.IsInFlight(*entry))
        {
            _arrivals.Wait();
        }
    }

    /// <summary>
    /// Moves a walk on to an entry that is not untouched, nearly always, because others have their turn now and then. False: there is none
    /// before the address where it stops. Most entries of most tables are untouched, so these are passed over in eights.
    /// </summary>
    [Blocks]
    private static bool SkipUntouched(ref ulong* entry, ref ulong address, ulong stop, ref int slice)
    {
        const int Together = 8;
        ulong* first = entry;
        ulong* end = entry + ((stop - address) / PageOperations.PageSize);
        ulong* at = entry;
        while (end - at >= Together && (at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7]) == PageState.Untouched)
        {
            at += Together;
        }

        while (at < end && *at == PageState.Untouched)
        {
            at++;
        }

        entry = at;
        address += (ulong)(at - first) * PageOperations.PageSize;
        GiveTurn(ref slice, 1 + ((int)(at - first) / Together));
        return address < stop;
    }

    /// <summary>Lets others run when a walk's slice is used up.</summary>
    [Blocks]
    private static void GiveTurn(ref int slice, int cost)
    {
        slice -= cost;
        if (slice <= 0)
        {
            slice = SliceEntries;
            Scheduler.Yield();
        }
    }

    private void DropEntry(ulong* entry)
    {
        if (PageState.IsPresent(*entry))
        {
            int index = LineOf(*entry);
            if (_lines[index].IsShared)
            {
                Unmap(index, entry, PageState.Untouched);
                EndStoring(index);
                return;
            }

            Detach(index, PageState.Untouched);
            GiveBack(index);
            _drops++;
            _arrivals.WakeAll();
        }

        *entry = PageState.Untouched;
    }

    private ulong StateWithoutLine(ulong entry) => PageState.IsPresent(entry) ? StateBehind(ref _lines[LineOf(entry)]) : entry;
}
