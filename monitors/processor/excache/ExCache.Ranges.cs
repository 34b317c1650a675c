// Operations on all lines of a range of an address space: for munmap, mprotect, mremap, brk, fork and exit. They go through the page
// table two megabytes (one table of 512 entries) at a time, so an unused gigabyte costs 512 look-ups.
// What BLOCKS says so; walks do because others have their turn after each SliceEntries. Ranges are page-aligned. The caller holds the space
// (ExCache.Changes.cs), or nobody else knows it: that is why pointers to entries stay good over a wait.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
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
    /// become empty are freed. Waits for pages in flight. BLOCKS. For memory that has ceased to exist.
    /// </summary>
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
    /// Drops the private lines of a range that hold what their owner has, because that has changed. Dirty lines stay. The caller holds the space, so no
    /// fill brings the old contents. Named lines are Invalidate's. BLOCKS.
    /// </summary>
    public void DropClean(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                GiveTurn(ref slice, 1);
                if (!PageState.IsPresent(*entry) || (*entry & PageTable.Dirty) != 0)
                {
                    continue;
                }

                int index = LineOf(*entry);
                if (_lines[index].IsNamed)
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
        }
    }

    /// <summary>
    /// Drops a whole space that nobody runs in any more and frees its page table, whatever its ranges say. BLOCKS while fills and write-backs
    /// are under way.
    /// </summary>
    public void DropSpace(AddressSpace* space)
    {
        while (space->InFlight != 0)
        {
            _arrivals.Wait();
        }

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
    /// Writes all dirty lines of a range back, up to 14 in a message, and waits for write-backs under way elsewhere. The lines stay resident, clean, and
    /// move to the tails of their sets' lists. BLOCKS. On an error some lines are still dirty.
    /// </summary>
    /// <param name="space">The space.</param>
    /// <param name="start">First address.</param>
    /// <param name="end">Address behind the last.</param>
    /// <param name="buffer">Scratch memory for one message, at least FlushBufferBytes.</param>
    public Errno WriteBack(AddressSpace* space, ulong start, ulong end, Span<byte> buffer)
    {
        int slice = SliceEntries;
        FlushBatch batch = default;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                GiveTurn(ref slice, 1);
                // Entries behind this one may be in flight for the batch itself; this one is not in it, so the wait ends.
                WaitWhileInFlight(entry);
                const ulong PresentDirty = PageTable.Present | PageTable.Dirty;
                if ((*entry & PresentDirty) != PresentDirty)
                {
                    continue;
                }

                ushort owner = space->OwnerOf(address);
                if (batch.Count == FlushRequest.MaxCount || (batch.Count > 0 && batch.Owner != owner))
                {
                    Errno error = SendBatch(space, ref batch, buffer);
                    if (error != Errno.None)
                    {
                        return error;
                    }
                    // The message blocked: this entry may have become something else.
                    if ((*entry & PresentDirty) != PresentDirty)
                    {
                        continue;
                    }
                }

                batch.Owner = owner;
                AddToBatch(ref batch, entry);
            }
        }

        return SendBatch(space, ref batch, buffer);
    }

    /// <summary>Bytes of the buffer that <see cref="WriteBack(AddressSpace*, ulong, ulong, Span{byte})"/> needs.</summary>
    public static int FlushBufferBytes => FlushRequest.MaxCount * (sizeof(FlushEntry) + PageOperations.PageSize);

    /// <summary>
    /// Says that untouched pages of a new space have contents at their owner: [start, end), grown to whole pages. EPROTO when that is no range
    /// that a loader would fill, ENOMEM when a page table cannot be had.
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
    /// Fills a child's page table after fork: what is remote or untouched to the parent is so to the child, and what is resident is mapped by both, until
    /// one of them writes to it. All lines of the parent are clean, but for what is being written to meanwhile. ENOMEM when a page table cannot be had. BLOCKS.
    /// </summary>
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
                for (; address < stop; address += PageOperations.PageSize, entry++)
                {
                    GiveTurn(ref slice, 1);
                    WaitWhileInFlight(entry);
                    int line = PageState.IsPresent(*entry) ? LineOf(*entry) : Line.None;
                    ulong state = StateWithoutLine(*entry);
                    if (state == PageState.Untouched && line == Line.None)
                    {
                        continue;
                    }

                    ulong* copy = PageTable.Entry(child->PageTableRoot, address, _kernelFrames);
                    if (copy == null)
                    {
                        return Errno.ENOMEM;
                    }

                    *copy = state;
                    if (line != Line.None)
                    {
                        // If it cannot, the child's fault asks the owner, or finds the line by its name.
                        TryShare(line, entry, child, address, copy);
                    }
                }
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// The most page-table frames that MoveStates can need for a range of a space: those of the last level, of which each source table leads to
    /// two at most, and the two levels above.
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

    /// <summary>Waits until no page of a range is in flight. BLOCKS.</summary>
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
    /// After mremap has moved a range at its owner: takes the states of the old pages along and drops their lines, which are clean. Atomic; no
    /// page is in flight, and the caller has kept TablesToMove frames free: it cannot fail.
    /// </summary>
    public void MoveStates(AddressSpace* space, ulong from, ulong to, ulong lengthBytes)
    {
        ulong address = from;
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

    /// <summary>True when any page of a range has contents at its owner. BLOCKS.</summary>
    public bool AnyRemote(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                GiveTurn(ref slice, 1);
                if (*entry == PageState.InFlight || StateWithoutLine(*entry) == PageState.Remote)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>
    /// The next part of [address, end) that has a page table: the entry of its first page, which <paramref name="address"/> moves to, and the
    /// address behind its last. Null when there is no further one. A range may be terabytes, so what has no tables is skipped at once.
    /// </summary>
    private static ulong* NextStretch(AddressSpace* space, ref ulong address, ulong end, out ulong stop)
    {
        ulong* entry = PageTable.NextEntry(space->PageTableRoot, ref address, end);
        stop = Math.Min(end, (address | (TableSpanBytes - 1)) + 1);
        return entry;
    }

    private void DropStretch(ulong* entry, ref ulong address, ulong stop, ref int slice)
    {
        for (; address < stop; address += PageOperations.PageSize, entry++)
        {
            GiveTurn(ref slice, PageState.IsPresent(*entry) ? DropCost : 1);
            WaitWhileInFlight(entry);
            SurrenderForGood(entry);
            DropEntry(entry);
        }
    }

    private void WaitWhileInFlight(ulong* entry)
    {
        while (*entry == PageState.InFlight)
        {
            _arrivals.Wait();
        }
    }

    /// <summary>Lets others run when a walk's slice is used up. BLOCKS then.</summary>
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

    /// <summary>Lines that one Flush message takes along.</summary>
    private struct FlushBatch
    {
        public int Count;
        public ushort Owner;
        private Lines _lines;

        [InlineArray(FlushRequest.MaxCount)]
        private struct Lines
        {
            private int _first;
        }

        public void Add(int line)
        {
            _lines[Count] = line;
            Count++;
        }

        public readonly int LineAt(int index) => _lines[index];
    }

    private void AddToBatch(ref FlushBatch batch, ulong* entry)
    {
        int index = LineOf(*entry);
        ref Line line = ref _lines[index];
        Detach(index, PageState.InFlight);
        line.State = LineState.WritingBack;
        line.Space->InFlight++;
        batch.Add(index);
    }

    private Errno SendBatch(AddressSpace* space, ref FlushBatch batch, Span<byte> buffer)
    {
        if (batch.Count == 0)
        {
            return Errno.None;
        }

        Span<FlushEntry> entries = MemoryMarshal.Cast<byte, FlushEntry>(buffer.Slice(0, batch.Count * sizeof(FlushEntry)));
        int pages = batch.Count * sizeof(FlushEntry);
        for (int item = 0; item < batch.Count; item++)
        {
            ref Line line = ref _lines[batch.LineAt(item)];
            entries[item] = new FlushEntry { Address = line.Address, Asid = space->Asid };
            PageSpan(line.Frame).CopyTo(buffer.Slice(pages + (item * PageOperations.PageSize), PageOperations.PageSize));
        }

        RpcContext context = new() { Asid = space->Asid, Class = RpcClass.WriteBack };
        FlushRequest head = new() { Count = (uint)batch.Count };
        Span<byte> payload = buffer.Slice(0, pages + (batch.Count * PageOperations.PageSize));
        Errno error = _rpc.Call(batch.Owner, Opcode.Flush, in context, in head, payload, default, out _);
        for (int item = 0; item < batch.Count; item++)
        {
            EndBatchedWriteBack(batch.LineAt(item), error);
        }

        batch = default;
        _arrivals.WakeAll();
        return error;
    }

    private void EndBatchedWriteBack(int index, Errno error)
    {
        ref Line line = ref _lines[index];
        AddressSpace* space = line.Space;
        space->InFlight--;
        if (!space->TryFindRange(line.Address, out VmaRecord range))
        {
            // A stranger to the ranges: its home has no place for it, so it ends here.
            *line.Entry = PageState.Untouched;
            GiveBack(index);
            _disowned++;
            return;
        }

        ulong bits = PageState.Bits(range.Protection);
        LineOrigin origin = line.Origin;
        if (error == Errno.None)
        {
            origin = LineOrigin.Owner;
            ForgetOlder(ref line);
            _flushes++;
            _flushesBatched++;
        }
        else
        {
            bits |= PageTable.Dirty;
        }

        Install(index, space, line.Address, line.Entry, bits, origin);
    }
}
