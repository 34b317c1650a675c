// Operations on all lines of a range of an address space: for munmap, mprotect, mremap, brk, fork and exit. They go through the page
// table two megabytes (one table of 512 entries) at a time, so an unused gigabyte costs 512 look-ups.
// What BLOCKS says so. Ranges are page-aligned. The caller is the only thread that runs in the space.

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
    /// <summary>Most bytes that a new space may begin with besides its files: arguments, environment and what stands around them.</summary>
    private const ulong MaxInitialBytes = 1UL << 20;

    /// <summary>
    /// Forgets everything about the pages of a range: lines are dropped without write-back, every entry becomes untouched. Waits for pages
    /// in flight (BLOCKS). For memory that ceases to exist.
    /// </summary>
    public void Drop(AddressSpace* space, ulong start, ulong end)
    {
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                while (*entry == PageState.InFlight)
                {
                    _arrivals.Wait();
                }

                DropEntry(entry);
            }
        }
    }

    /// <summary>Drops a whole space that nobody runs in any more and frees its page table. BLOCKS while fills and write-backs are under way.</summary>
    public void DropSpace(AddressSpace* space)
    {
        while (space->InFlight != 0)
        {
            _arrivals.Wait();
        }

        for (int index = 0; index < space->Ranges.Count; index++)
        {
            Drop(space, space->Ranges[index].Start, space->Ranges[index].End);
        }

        if (space->ResidentLines != 0)
        {
            Panic.Because("ExCache.DropSpace: a line lies outside all ranges");
        }

        PageTable.Free(space->PageTableRoot, _kernelFrames);
        space->PageTableRoot = 0;
    }

    /// <summary>Gives the resident lines of a range new permissions.</summary>
    public void Protect(AddressSpace* space, ulong start, ulong end, Protection protection)
    {
        const ulong Kept = PageTable.AddressMask | PageTable.Accessed | PageTable.Dirty;
        ulong bits = PageState.Bits(protection);
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                if (PageState.IsPresent(*entry))
                {
                    *entry = (*entry & Kept) | bits;
                    PageTable.Invalidate(address);
                }
            }
        }
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
        FlushBatch batch = default;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
                // Entries behind this one may be in flight for the batch itself; this one is not in it, so the wait ends.
                while (*entry == PageState.InFlight)
                {
                    _arrivals.Wait();
                }

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
    /// Fills a child's page table after fork: what the parent has resident or remote is remote to the child, what was never written back from a
    /// zero fill or never touched is untouched. All lines of the parent are clean. ENOMEM when a page table cannot be had.
    /// </summary>
    public Errno CopyStates(AddressSpace* parent, AddressSpace* child)
    {
        for (int index = 0; index < parent->Ranges.Count; index++)
        {
            ulong end = parent->Ranges[index].End;
            ulong address = parent->Ranges[index].Start;
            for (ulong* entry; (entry = NextStretch(parent, ref address, end, out ulong stop)) != null;)
            {
                for (; address < stop; address += PageOperations.PageSize, entry++)
                {
                    ulong state = StateWithoutLine(*entry);
                    if (state == PageState.Untouched)
                    {
                        continue;
                    }

                    ulong* copy = PageTable.Entry(child->PageTableRoot, address, _kernelFrames);
                    if (copy == null)
                    {
                        return Errno.ENOMEM;
                    }

                    *copy = state;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// After mremap has moved a range at its owner: takes the states of the old pages along and drops their lines, which are clean. ENOMEM.
    /// </summary>
    public Errno MoveStates(AddressSpace* space, ulong from, ulong to, ulong lengthBytes)
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
                    return Errno.ENOMEM;
                }

                ulong state = StateWithoutLine(*old);
                DropEntry(old);
                *moved = state;
            }
        }

        return Errno.None;
    }

    /// <summary>True when any page of a range has contents at its owner.</summary>
    public bool AnyRemote(AddressSpace* space, ulong start, ulong end)
    {
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop; address += PageOperations.PageSize, entry++)
            {
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

    private void DropEntry(ulong* entry)
    {
        if (PageState.IsPresent(*entry))
        {
            int index = LineOf(*entry);
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
        private Mapped _mapped;

        [InlineArray(FlushRequest.MaxCount)]
        private struct Lines
        {
            private int _first;
        }

        [InlineArray(FlushRequest.MaxCount)]
        private struct Mapped
        {
            private ulong _first;
        }

        public void Add(int line, ulong mapped)
        {
            _lines[Count] = line;
            _mapped[Count] = mapped;
            Count++;
        }

        public readonly int LineAt(int index) => _lines[index];

        public readonly ulong MappedAt(int index) => _mapped[index];
    }

    private void AddToBatch(ref FlushBatch batch, ulong* entry)
    {
        int index = LineOf(*entry);
        batch.Add(index, BeginWriteBack(index));
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
            EndBatchedWriteBack(batch.LineAt(item), batch.MappedAt(item), error);
        }

        batch = default;
        _arrivals.WakeAll();
        return error;
    }

    private void EndBatchedWriteBack(int index, ulong mapped, Errno error)
    {
        ref Line line = ref _lines[index];
        line.Space->InFlight--;
        ulong bits = mapped & ~PageTable.AddressMask;
        LineOrigin origin = line.Origin;
        if (error == Errno.None)
        {
            bits &= ~PageTable.Dirty;
            origin = LineOrigin.Owner;
            _flushes++;
            _flushesBatched++;
        }

        Install(index, line.Space, line.Address, line.Entry, bits, origin);
    }
}
