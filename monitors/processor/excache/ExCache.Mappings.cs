// The page-table entries that map a line (Line.cs). Nothing here blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>True when the page of a present entry is newer than at its owner.</summary>
    public bool IsDirty(ulong entry) => (entry & PageTable.Dirty) != 0 || _lines[LineOf(entry)].IsDirty;

    /// <summary>How many entries map the line of a present entry, itself included.</summary>
    public uint MappersOf(ulong entry)
    {
        uint count = 1;
        for (LineMapping* other = _lines[LineOf(entry)].More; other != null; other = other->Next)
        {
            count++;
        }

        return count;
    }

    /// <summary>Lets one more entry map a resident line. False: there is no memory to remember that.</summary>
    private bool TryMap(int index, AddressSpace* space, ulong address, ulong* entry, ulong bits)
    {
        ref Line line = ref _lines[index];
        if (line.Entry == null)
        {
            line.Entry = entry;
            line.Space = space;
            line.Address = address;
        }
        else
        {
            LineMapping* mapping = _kernelFrames.FreePages > _reservedFrames ? _mappings.Allocate() : null;
            if (mapping == null)
            {
                return false;
            }

            *mapping = new LineMapping { Next = line.More, Entry = entry, Space = space, Address = address };
            line.More = mapping;
        }

        Present(ref line, space, entry, bits);
        return true;
    }

    /// <summary>Writes a present entry for a line.</summary>
    private void Present(ref Line line, AddressSpace* space, ulong* entry, ulong bits)
    {
        *entry = (_framesPhysical + ((ulong)line.Frame * PageOperations.PageSize)) | bits;
        if ((bits & PageState.Stores) != 0)
        {
            _objects.StoringOf(line.Object) += line.Storers++ == 0 ? 1U : 0;
        }

        space->ResidentLines++;
        space->PeakLines = Math.Max(space->PeakLines, space->ResidentLines);
        _mappedEntries++;
    }

    /// <summary>Puts a state into a present entry and gives the entry as it was.</summary>
    private ulong TakeOut(ulong* entry, AddressSpace* space, ulong address, ulong state)
    {
        ulong mapped = PageTable.Exchange(entry, state);
        _stale.Forget(space->PageTableRoot, address);
        space->ResidentLines--;
        _mappedEntries--;
        return mapped;
    }

    /// <summary>Takes one of the entries that map a shared line out of its page table, putting a state into it; the line stays.</summary>
    private void Unmap(int index, ulong* entry, ulong state)
    {
        ulong mapped;
        ref Line line = ref _lines[index];
        if (line.Entry == entry)
        {
            mapped = TakeOut(entry, line.Space, line.Address, state);
            if (!TryPromote(ref line))
            {
                line.Entry = null;
                line.Space = null;
            }
        }
        else
        {
            LineMapping** link = &_lines[index].More;
            while ((*link)->Entry != entry)
            {
                link = &(*link)->Next;
            }

            LineMapping* other = *link;
            *link = other->Next;
            mapped = TakeOut(entry, other->Space, other->Address, state);
            _mappings.Free(other);
        }

        if ((mapped & PageState.Stores) != 0)
        {
            line.IsDirty |= (mapped & PageTable.Dirty) != 0;
            _objects.StoringOf(line.Object) -= --line.Storers == 0 ? 1U : 0;
        }

        if (line.IsDirty && line.More == null && !line.IsNamed)
        {
            line.IsDirty = false;
            PageTable.SetBits(line.Entry, PageTable.Dirty);
        }

        Stay(index);
    }

    /// <summary>Another mapping takes the place of the first one, which is gone. False: there is none.</summary>
    private bool TryPromote(ref Line line)
    {
        LineMapping* other = line.More;
        if (other == null)
        {
            return false;
        }

        line.Entry = other->Entry;
        line.Space = other->Space;
        line.Address = other->Address;
        line.More = other->Next;
        _mappings.Free(other);
        return true;
    }

    /// <summary>
    /// Lets a child's entry map its parent's line, which nobody may write to from then on. False: there is no memory to remember the
    /// entry, or a dirty line has as many owners as a message can name.
    /// </summary>
    private bool TryShare(int index, ulong* entry, AddressSpace* child, ulong address, ulong* copy)
    {
        ref Line line = ref _lines[index];
        bool isDirty = line.IsDirty;
        if (!line.IsShared)
        {
            if ((PageTable.ClearBits(entry, PageTable.Writable) & PageTable.Writable) != 0)
            {
                PageTable.Invalidate(line.Space->PageTableRoot, line.Address);
            }

            // No CPU can set it any more.
            isDirty = (PageTable.ClearBits(entry, PageTable.Dirty) & PageTable.Dirty) != 0;
        }

        bool isFull = isDirty && !line.IsNamed && MappersOf(*entry) >= FlushRequest.MaxCount;
        bool isShared = !isFull && TryMap(index, child, address, copy, *entry & ~(PageState.NotRights | PageTable.Writable));
        if (line.IsShared)
        {
            line.IsDirty = isDirty;
        }
        else if (isDirty)
        {
            PageTable.SetBits(entry, PageTable.Dirty);
        }

        return isShared;
    }

    /// <summary>
    /// Takes a shared line, which is clean and which nobody stores into, away from all who map it and off its list, and takes its name. It
    /// is then Filling.
    /// </summary>
    private void TakeFromAll(int index)
    {
        ref Line line = ref _lines[index];
        ulong behind = StateBehind(ref line);
        while (line.Entry != null)
        {
            Unmap(index, line.Entry, behind);
        }

        LineList.Remove(_lines, ref _sets[SetOfLine(index)], index);
        line.State = LineState.Filling;
        _residentLines--;
        if (line.IsNamed)
        {
            ForgetName(index);
        }
    }
}
