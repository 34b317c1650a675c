// Write-backs: a dirty page goes to its owner, or after a fork, when several spaces map it, to the owner for each of them, in one message
// that has the page once. Until the owner has answered, all entries that mapped the line are in flight (Line.cs, WritingBack): nobody
// fetches a stale page, and no space ends or gives its range away under the message.
//
// What blocks says so ([Blocks]).

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>FlushRequest and one FlushEntry: the head of a write-back of one page.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct SingleFlush
    {
        public FlushRequest Request;
        public FlushEntry Entry;
    }

    /// <summary>FlushRequest and as many FlushEntry as it may have.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct ManyFlush
    {
        public FlushRequest Request;
        public Entries Owners;

        [InlineArray(FlushRequest.MaxCount)]
        public struct Entries
        {
            private FlushEntry _first;
        }
    }

    /// <summary>Lines that one Flush message takes along.</summary>
    private struct FlushBatch
    {
        public int Count;
        public ushort Owner;
        private Lines _lines;

        [InlineArray(FlushRequest.MaxPages)]
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

    /// <summary>
    /// Writes all dirty lines of a range back, up to 14 in a message, those that several spaces map one by one, and waits for write-backs
    /// under way elsewhere. The lines stay resident, clean, and move to the tails of their sets' lists. On an error some lines are
    /// still dirty.
    /// </summary>
    /// <param name="space">The space.</param>
    /// <param name="start">First address.</param>
    /// <param name="end">Address behind the last.</param>
    /// <param name="buffer">Scratch memory for one message, at least FlushBufferBytes.</param>
    [Blocks]
    public Errno WriteBack(AddressSpace* space, ulong start, ulong end, Span<byte> buffer)
    {
        int slice = SliceEntries;
        FlushBatch batch = default;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            while (address < stop)
            {
                GiveTurn(ref slice, 1);
                // Entries behind this one may be in flight for the batch itself; this one is not in it, so the wait ends.
                WaitWhileInFlight(entry);
                ushort owner = space->OwnerOf(address);
                if (IsPresentAndDirty(*entry) && batch.Count > 0 && (batch.Count == FlushRequest.MaxPages || batch.Owner != owner))
                {
                    Errno error = SendBatch(space, ref batch, buffer);
                    if (error != Errno.None)
                    {
                        return error;
                    }
                }

                // A message blocks: the entry may have become something else.
                if (IsPresentAndDirty(*entry) && !_lines[LineOf(*entry)].IsDirty)
                {
                    batch.Owner = owner;
                    TakeRun(space, ref batch, ref entry, ref address, stop);
                    continue;
                }

                Errno shared = IsPresentAndDirty(*entry) ? Clean(LineOf(*entry)) : Errno.None;
                if (shared != Errno.None)
                {
                    SendBatch(space, ref batch, buffer);
                    return shared;
                }

                address += PageOperations.PageSize;
                entry++;
            }
        }

        return SendBatch(space, ref batch, buffer);
    }

    /// <summary>Bytes of the buffer that <see cref="WriteBack(AddressSpace*, ulong, ulong, Span{byte})"/> needs.</summary>
    public static int FlushBufferBytes => FlushRequest.MaxPages * (sizeof(FlushEntry) + PageOperations.PageSize);

    /// <summary>A named line is the object's business, not that of a space.</summary>
    private bool IsPresentAndDirty(ulong entry) => PageState.IsPresent(entry) && !_lines[LineOf(entry)].IsNamed && IsDirty(entry);

    /// <summary>Where a line's page goes: a named one into its file.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort OwnerOf(ref Line line) => line.IsNamed ? line.Space->Home : line.Space->OwnerOf(line.Address);

    /// <summary>A dirty line whose entries have been put in flight is on its way: all its spaces stay until that ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void BeginWriteBack(int index)
    {
        ref Line line = ref _lines[index];
        line.State = LineState.WritingBack;
        line.Space->InFlight++;
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            other->Space->InFlight++;
        }
    }

    private void TakeForWriteBack(int index)
    {
        Detach(index, PageState.InFlight);
        BeginWriteBack(index);
    }

    /// <summary>
    /// Takes dirty lines into a batch, the first entry's at least, up to one that does not fit into it, or is in flight, or has to be
    /// written back by itself.
    /// </summary>
    [NoBlock]
    private void TakeRun(AddressSpace* space, ref FlushBatch batch, ref ulong* entry, ref ulong address, ulong stop)
    {
        _stale.Begin();
        do
        {
            if (IsPresentAndDirty(*entry))
            {
                int index = LineOf(*entry);
                if (_lines[index].IsDirty || space->OwnerOf(address) != batch.Owner)
                {
                    break;
                }

                TakeForWriteBack(index);
                batch.Add(index);
            }

            address += PageOperations.PageSize;
            entry++;
        }
        while (address < stop && batch.Count < FlushRequest.MaxPages && !PageState.IsInFlight(*entry));
        _stale.End();
    }

    /// <summary>
    /// Writes a resident or leaving dirty line back for all who map it, as they go on to do. On an error it is still dirty. So it is when
    /// some space is about to give its page up: that one's owner is not told, because something else may be there by then.
    /// </summary>
    [Blocks]
    private Errno Clean(int index)
    {
        TakeForWriteBack(index);
        bool isLeft = IsLeft(ref _lines[index]);
        Errno error = EndCleaning(index, SendBack(index), isLeft);
        _arrivals.WakeAll();
        return error;
    }

    /// <summary>
    /// Sends a victim that is WritingBack to its owners. The line is then Filling, or on an error resident again.
    /// </summary>
    [Blocks]
    private Errno WriteBackVictim(int index) => EndWriteBack(index, SendBack(index));

    /// <summary>Sends the page of a line that is WritingBack to its owners.</summary>
    [Blocks]
    private Errno SendBack(int index)
    {
        ref Line line = ref _lines[index];
        ushort owner = OwnerOf(ref line);
        if (line.More != null && !line.IsNamed)
        {
            return SendBackToAll(index);
        }

        RpcContext context = new() { VNode = line.Space->VNode, Asid = line.Space->Asid, Class = RpcClass.WriteBack };
        SingleFlush head = default;
        head.Request.Count = 1;
        head.Request.Pages = 1;
        head.Entry.Address = line.Address;
        head.Entry.Asid = line.Space->Asid;
        return _rpc.Call(owner, Opcode.Flush, in context, in head, PageSpan(line.Frame), default, out _);
    }

    /// <summary>
    /// One message for each memory component that owns the page in some of the spaces: they are never many (TryShare), and mostly one. An
    /// error that means that some owner has no place for it comes after all have been told.
    /// Spaces that the page is leaving are passed over; they leave the mark alone while their entries are in flight (Settle).
    /// </summary>
    [Blocks]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno SendBackToAll(int index)
    {
        ref Line line = ref _lines[index];
        ManyFlush head = default;
        head.Request.Pages = 1;
        Errno refused = Errno.None;
        LineMapping first = new() { Next = line.More, Entry = line.Entry, Space = line.Space, Address = line.Address };
        // As they are now: others may learn of new ones while this waits.
        Span<ushort> owners = stackalloc ushort[FlushRequest.MaxCount];
        int place = 0;
        for (LineMapping* mapping = &first; mapping != null && place < owners.Length; mapping = mapping->Next)
        {
            owners[place++] = IsLeaving(mapping) ? (ushort)0 : mapping->Space->OwnerOf(mapping->Address);
        }

        place = 0;
        for (LineMapping* from = &first; from != null && place < owners.Length; from = from->Next)
        {
            ushort owner = owners[place];
            int other = place++;
            head.Request.Count = 0;
            for (LineMapping* mapping = from; mapping != null && owner != 0 && other < owners.Length;
                mapping = mapping->Next, other++)
            {
                if (owners[other] == owner)
                {
                    head.Owners[(int)head.Request.Count++] = new FlushEntry { Address = mapping->Address, Asid = mapping->Space->Asid };
                    owners[other] = 0;
                }
            }

            if (owner == 0)
            {
                continue;
            }

            RpcContext context = new() { VNode = from->Space->VNode, Asid = from->Space->Asid, Class = RpcClass.WriteBack };
            ReadOnlySpan<byte> bytes = new(&head, sizeof(FlushRequest) + ((int)head.Request.Count * sizeof(FlushEntry)));
            Errno error = _rpc.Call(owner, Opcode.Flush, in context, bytes, PageSpan(line.Frame), default, out _);
            if (error != Errno.None && !IsDisowned(error))
            {
                // What another one has taken over already is the same page.
                return error;
            }

            refused = AddRefusal(refused, error);
        }

        return refused;
    }

    /// <summary>Of several answers the one that most needs to be known: that another component may have a place for the page.</summary>
    private static Errno AddRefusal(Errno known, Errno error)
    {
        bool isMore = known == Errno.None || error == Errno.EREMOTE
            || (known != Errno.EREMOTE && (error is Errno.ESRCH or Errno.EHOSTDOWN));
        return error != Errno.None && isMore ? error : known;
    }

    private static bool IsLeaving(LineMapping* mapping) => (*mapping->Entry & PageState.Leaving) != 0;

    [Blocks]
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
            entries[item] = new FlushEntry { Address = line.Address, Asid = space->Asid, Page = (uint)item };
            PageSpan(line.Frame).CopyTo(buffer.Slice(pages + (item * PageOperations.PageSize), PageOperations.PageSize));
        }

        RpcContext context = new() { VNode = space->VNode, Asid = space->Asid, Class = RpcClass.WriteBack };
        FlushRequest head = new() { Count = (uint)batch.Count, Pages = (uint)batch.Count };
        Span<byte> payload = buffer.Slice(0, pages + (batch.Count * PageOperations.PageSize));
        Errno error = _rpc.Call(batch.Owner, Opcode.Flush, in context, in head, payload, default, out _);
        Errno first = Errno.None;
        for (int item = 0; item < batch.Count; item++)
        {
            Errno left = EndCleaning(batch.LineAt(item), error, isLeft: false);
            first = first == Errno.None ? left : first;
        }

        batch = default;
        _arrivals.WakeAll();
        return first;
    }

    /// <summary>The owners of a line that stays have answered; all of them, unless some space is left. What has become of it.</summary>
    [Blocks]
    private Errno EndCleaning(int index, Errno error, bool isLeft)
    {
        ref Line line = ref _lines[index];
        if (error == Errno.None || (error = SendElsewhere(index, error)) == Errno.None)
        {
            line.Origin = LineOrigin.Owner;
            OvertakeFills(ref line);
            _flushes++;
            _flushesBatched++;
        }

        if (!TryReturn(index, isDirty: error != Errno.None || isLeft))
        {
            // A stranger to the ranges: its home has no place for it, so it ends here.
            GiveBack(index);
            _disowned++;
        }

        return error;
    }

    /// <summary>
    /// The owners of a victim have answered. Taken over: the page is remote, the line Filling. So it is, without the page, when the owner
    /// knows no such page: nobody will ask for it again. Otherwise the page goes back where it was, at the list's tail, and the error
    /// comes back.
    /// </summary>
    [Blocks]
    private Errno EndWriteBack(int index, Errno error)
    {
        ref Line victim = ref _lines[index];
        if (error == Errno.None || (error = SendElsewhere(index, error)) == Errno.None)
        {
            OvertakeFills(ref victim);
            _flushes++;
        }

        if (error != Errno.None && !IsDisowned(error) && TryReturn(index, isDirty: true))
        {
            _arrivals.WakeAll();
            return error;
        }

        if (victim.State == LineState.WritingBack)
        {
            EndFlights(ref victim);
            EndMappings(index, victim.IsNamed ? PageState.Untouched : PageState.Remote);
        }

        _disowned += error == Errno.None ? 0UL : 1;
        _arrivals.WakeAll();
        return Errno.None;
    }

    /// <summary>The owner of an object has a newer page: what is on its way from there may be older.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void OvertakeFills(ref Line written)
    {
        if (written.IsNamed)
        {
            _objects.Change(written.Object);
        }
    }

    /// <summary>The write-back of a line has ended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void EndFlights(ref Line line)
    {
        line.Space->InFlight--;
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            other->Space->InFlight--;
        }
    }

    /// <summary>
    /// A line that has been taken out of all page tables lets go of them, leaves a state behind in each, and loses its name. It is then
    /// Filling.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void EndMappings(int index, ulong state)
    {
        ref Line line = ref _lines[index];
        do
        {
            *line.Entry = state;
        }
        while (line.More != null && TryPromote(ref line));
        line.State = LineState.Filling;
        if (line.IsNamed)
        {
            ForgetStorers(ref line);
            ForgetName(index);
        }
    }

    private void ForgetStorers(ref Line line)
    {
        if (line.Storers != 0)
        {
            line.Storers = 0;
            _objects.StoringOf(line.Object)--;
        }
    }

    /// <summary>
    /// A line that is WritingBack is resident, or leaving, again, in all spaces whose ranges still have its page; their rights may have
    /// changed meanwhile. False: there are none, its entries are remote and the line is on no list.
    /// </summary>
    private bool TryReturn(int index, bool isDirty)
    {
        ref Line line = ref _lines[index];
        EndFlights(ref line);
        ForgetStorers(ref line);
        ulong lost = line.IsNamed ? PageState.Untouched : PageState.Remote;
        for (LineMapping** link = &((Line*)Unsafe.AsPointer(ref line))->More; *link != null;)
        {
            LineMapping* other = *link;
            if (other->Space->TryFindRange(other->Address, out _))
            {
                link = &other->Next;
                continue;
            }

            *other->Entry = lost;
            *link = other->Next;
            _mappings.Free(other);
        }

        if (!line.Space->TryFindRange(line.Address, out _))
        {
            *line.Entry = lost;
            if (!TryPromote(ref line))
            {
                line.State = LineState.Filling;
                if (line.IsNamed)
                {
                    ForgetName(index);
                }

                return false;
            }
        }

        line.IsDirty = isDirty && line.IsShared;
        _residentLines++;
        ulong dirty = isDirty && !line.IsShared ? PageTable.Dirty : 0;
        Return(ref line, line.Entry, line.Space, line.Address, dirty);
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            Return(ref line, other->Entry, other->Space, other->Address, 0);
        }

        line.State = LineState.Leaving;
        Stay(index);
        return true;
    }

    private void Return(ref Line line, ulong* entry, AddressSpace* space, ulong address, ulong dirty)
    {
        space->TryFindRights(address, out Protection protection, out VmaKind kind);
        Present(ref line, space, entry, BitsOf(ref line, protection, kind) | PageTable.Accessed | dirty | (*entry & PageState.Leaving));
    }

    /// <summary>
    /// True when an owner's answer to a write-back means that the page is not its any more. One that has failed has lost all that it had of
    /// the space: whoever asks for a page of it ends (process/LineFaults.cs), and not whoever needs this line for another page.
    /// </summary>
    private static bool IsDisowned(Errno error) =>
        error is Errno.EFAULT or Errno.EACCES or Errno.ESRCH or Errno.EREMOTE or Errno.EHOSTDOWN;
}
