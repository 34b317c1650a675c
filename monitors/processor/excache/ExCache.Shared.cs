// Shared mappings (MAP_SHARED). Such a page is the object's own, so they map the object's line, the one with its name, as private mappings
// do that have not written to it; but they write to it. What one of them stores all see at once, private mappings too (mmap(2) leaves that
// open; so it is on Linux).
//
// What holds besides Line.cs, whenever the kernel lock is let go:
// * Such a mapping has no page of its own: an entry of it is present and bears PageState.Stores, in flight, or untouched. A fork copies
//   none of its entries.
// * A line is written back, with others (ExCache.SharedBatches.cs), under the address of one of them; then all entries are in flight. So
//   one that is the last to map a dirty line has it written back before it goes. A space that changes (ExCache.Changes.cs) has given up
//   what it stores into in the range before the home is asked.
// * While a call changes an object's bytes or size the object is busy: what shared mappings map of it has been withdrawn, none of them
//   maps a line, and a fill that began before is thrown away.
//
// What blocks says so ([Blocks]).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    private ulong _sharedLost;

    /// <summary>
    /// Programs' shared mappings of a file wait from now on with what they do not map. It blocks while others have it so.
    /// </summary>
    [Blocks]
    public void BeginSharedChange(uint backing)
    {
        while (_objects.IsBusy(backing))
        {
            _arrivals.Wait();
        }

        _objects.IsBusy(backing) = true;
        _objects.Change(backing);
    }

    /// <summary>Ends <see cref="BeginSharedChange"/>.</summary>
    public void EndSharedChange(uint backing)
    {
        _objects.IsBusy(backing) = false;
        _arrivals.WakeAll();
    }

    /// <summary>Writes the pages [first, end) of a file back that shared mappings have changed; they stay where they are.</summary>
    [Blocks]
    public Errno WriteBackShared(uint backing, ulong first, ulong end) => EachShared(backing, first, end, AfterBatch.Stay);

    /// <summary>
    /// Takes the pages [first, end) of a file, written back, out of all shared mappings. The caller has the file busy.
    /// </summary>
    [Blocks]
    public Errno WithdrawShared(uint backing, ulong first, ulong end) => EachShared(backing, first, end, AfterBatch.Go);

    /// <summary>
    /// Gives up what the shared mappings in a range of a space that is being changed map. On an error some of it is still there.
    /// </summary>
    [Blocks]
    public Errno SurrenderShared(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        for (int index = Math.Max(0, space->Ranges.FindAtOrBelow(start)); index < space->Ranges.Count; index++)
        {
            VmaRecord range = space->Ranges[index];
            ulong stop = Math.Min(range.End, end);
            ulong address = Math.Max(range.Start, start);
            Errno error = range.Kind == VmaKind.SharedFile ? SurrenderAll(space, ref address, stop, ref slice) : Errno.None;
            if (error != Errno.None || range.Start >= end)
            {
                return error;
            }
        }

        return Errno.None;
    }

    [Blocks]
    private Errno SurrenderAll(AddressSpace* space, ref ulong address, ulong end, ref int slice)
    {
        FlushBatch batch = default;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            while (SkipUntouched(ref entry, ref address, stop, ref slice))
            {
                WaitWhileInFlight(entry);
                StopStoring(space, entry, address, stop);
                SurrenderRun(ref entry, ref address, stop, ref slice, ref batch);
                Errno error = EndBatch(ref batch, AfterBatch.Go);
                if (error != Errno.None)
                {
                    return error;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// From here on the space stores into no line that only it stores into: SurrenderRun finds it so and need not interrupt other CPUs
    /// for each page.
    /// </summary>
    [NoBlock]
    private void StopStoring(AddressSpace* space, ulong* entry, ulong address, ulong stop)
    {
        _stale.Begin();
        for (; address < stop; address += PageOperations.PageSize, entry++)
        {
            if (PageState.IsStored(*entry) && _lines[LineOf(*entry)].Storers == 1
                && (PageTable.ClearBits(entry, PageTable.Writable) & PageTable.Writable) != 0)
            {
                _stale.Forget(space->PageTableRoot, address);
            }
        }

        _stale.End();
    }

    /// <summary>
    /// Gives up what entries map, up to one that has to be waited for or that may still be stored through, or until the batch of what has
    /// to be written back is full or others are to have their turn.
    /// </summary>
    [NoBlock]
    private void SurrenderRun(ref ulong* entry, ref ulong address, ulong stop, ref int slice, ref FlushBatch batch)
    {
        _stale.Begin();
        while (address < stop && slice > 0 && batch.Count < FlushRequest.MaxPages && !PageState.IsInFlight(*entry))
        {
            int index = PageState.IsStored(*entry) ? LineOf(*entry) : Line.None;
            bool isLast = index != Line.None && _lines[index].Storers == 1;
            if (isLast && (*entry & PageTable.Writable) != 0)
            {
                // The other one that stored into it went in this run.
                break;
            }

            if (isLast && IsNewer(ref _lines[index]))
            {
                TakeStored(index, ref batch);
            }
            else if (index != Line.None)
            {
                Unmap(index, entry, PageState.Untouched);
                EndStoring(index);
            }

            address += PageOperations.PageSize;
            entry++;
            slice--;
        }

        _stale.End();
    }

    /// <summary>
    /// One more mapping stores into a named line. If there is no memory to remember it, it takes the place of all others.
    /// </summary>
    private void MapStorer(int index, AddressSpace* space, ulong address, ulong* entry, ulong bits)
    {
        if (!TryMap(index, space, address, entry, bits))
        {
            while (_lines[index].Entry != null)
            {
                Unmap(index, _lines[index].Entry, PageState.Untouched);
            }

            TryMap(index, space, address, entry, bits);
        }

        _arrivals.WakeAll();
    }

    [Blocks]
    private Errno EachShared(uint backing, ulong first, ulong end, AfterBatch after)
    {
        Errno error = Errno.None;
        FlushBatch batch = default;
        ulong pages = Math.Min(end - first, (ulong)(_lineCount + _overflowLines));
        int slice = SliceEntries;
        for (ulong step = 0; step < pages && error == Errno.None && _objects.StoringOf(backing) != 0;)
        {
            GiveTurn(ref slice, 0);
            int index = StoredLine(backing, first, end, step);
            while (index != Line.None && IsStoredInto(index, backing, first, end) && _lines[index].State != LineState.Resident)
            {
                _arrivals.Wait();
            }

            GatherRun(backing, first, end, ref step, pages, ref slice, after, ref batch);
            error = EndBatch(ref batch, after);
        }

        return error;
    }

    /// <summary>The line of a step of <see cref="EachShared"/>: few pages are looked up, many are found among all lines.</summary>
    private int StoredLine(uint backing, ulong first, ulong end, ulong step) =>
        end - first < (ulong)(_lineCount + _overflowLines) ? Find(new LineName(backing, first + step)) : (int)step;

    /// <summary>
    /// Steps of <see cref="EachShared"/>, up to a line that has to be waited for, or until the batch is full or others are to have their
    /// turn.
    /// </summary>
    [NoBlock]
    private void GatherRun(uint backing, ulong first, ulong end, ref ulong step, ulong pages, ref int slice, AfterBatch after,
        ref FlushBatch batch)
    {
        _stale.Begin();
        for (; step < pages && slice > 0 && batch.Count < FlushRequest.MaxPages; step++, slice--)
        {
            int index = StoredLine(backing, first, end, step);
            if (index == Line.None || !IsStoredInto(index, backing, first, end))
            {
                continue;
            }

            if (_lines[index].State != LineState.Resident)
            {
                break;
            }

            if (after == AfterBatch.Go)
            {
                TakeStored(index, ref batch);
            }
            else if (IsNewer(ref _lines[index]))
            {
                TakeForWriteBack(index);
                batch.Add(index);
            }
        }

        _stale.End();
    }

    private bool IsStoredInto(int index, uint backing, ulong first, ulong end)
    {
        ref Line line = ref _lines[index];
        return line.Storers != 0 && line.Object == backing && line.Page >= first && line.Page < end;
    }

    /// <summary>True when a resident named line is newer than at its owner.</summary>
    private static bool IsNewer(ref Line line)
    {
        bool isNewer = line.IsDirty || (*line.Entry & PageTable.Dirty) != 0;
        for (LineMapping* other = line.More; other != null && !isNewer; other = other->Next)
        {
            isNewer = (*other->Entry & PageTable.Dirty) != 0;
        }

        return isNewer;
    }

    /// <summary>
    /// Takes a resident line that is stored into away from all, written back, and frees it. On an error it is resident again.
    /// </summary>
    [Blocks]
    private Errno Surrender(int index)
    {
        Errno error = Errno.None;
        if ((Detach(index, PageState.InFlight) & PageTable.Dirty) != 0)
        {
            BeginWriteBack(index);
            error = WriteBackVictim(index);
        }
        else
        {
            EndMappings(index, PageState.Untouched);
        }

        if (error == Errno.None)
        {
            GiveBack(index);
            _drops++;
        }

        _arrivals.WakeAll();
        return error;
    }

    /// <summary>
    /// A shared mapping gives up the line that an entry maps. It blocks only when it is the last one and the line is dirty.
    /// </summary>
    [Blocks]
    private Errno SurrenderShared(ulong* entry)
    {
        if (!PageState.IsStored(*entry))
        {
            return Errno.None;
        }

        int index = LineOf(*entry);
        if (_lines[index].Storers == 1)
        {
            // From here on nobody stores into it.
            if ((PageTable.ClearBits(entry, PageTable.Writable) & PageTable.Writable) != 0)
            {
                InvalidateMapping(ref _lines[index], entry);
            }

            if (IsNewer(ref _lines[index]))
            {
                return Surrender(index);
            }
        }

        Unmap(index, entry, PageState.Untouched);
        EndStoring(index);
        return Errno.None;
    }

    private static void InvalidateMapping(ref Line line, ulong* entry)
    {
        AddressSpace* space = line.Space;
        ulong address = line.Address;
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            if (other->Entry == entry)
            {
                space = other->Space;
                address = other->Address;
            }
        }

        PageTable.Invalidate(space->PageTableRoot, address);
    }

    /// <summary>
    /// A mapping of a named line is gone. If no other one stores into it, it loses what could not be written back, and its name where that
    /// is not given to lines that only private mappings show (ShareNames).
    /// </summary>
    private void EndStoring(int index)
    {
        ref Line line = ref _lines[index];
        if (!line.IsNamed || line.Storers != 0 || line.State != LineState.Resident || (_sharesNames && !line.IsDirty))
        {
            return;
        }

        if (line.IsDirty)
        {
            line.IsDirty = false;
            _sharedLost++;
            Log.Error($"excache: a page of a shared mapping could not be written back and is lost");
        }

        TakeFromAll(index);
        GiveBack(index);
        _arrivals.WakeAll();
    }

    /// <summary>
    /// As SurrenderShared, where nothing can be done about a failure: the entry is dropped, and EndStoring tells what is lost.
    /// </summary>
    [Blocks]
    private void SurrenderForGood(ulong* entry)
    {
        if (SurrenderShared(entry) != Errno.None && PageState.IsPresent(*entry))
        {
            int index = LineOf(*entry);
            Unmap(index, entry, PageState.Untouched);
            EndStoring(index);
        }
    }
}
