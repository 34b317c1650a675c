// The page-table entries that map a line (Line.cs). Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
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
        space->ResidentLines++;
        space->PeakLines = Math.Max(space->PeakLines, space->ResidentLines);
        _mappedEntries++;
    }

    /// <summary>Puts a state into a present entry and gives the entry as it was.</summary>
    private ulong TakeOut(ulong* entry, AddressSpace* space, ulong address, ulong state)
    {
        ulong mapped = PageTable.Exchange(entry, state);
        PageTable.Invalidate(space->PageTableRoot, address);
        space->ResidentLines--;
        _mappedEntries--;
        return mapped;
    }

    /// <summary>Takes one of the entries that map a shared line out of its page table, putting a state into it; the line stays.</summary>
    private void Unmap(int index, ulong* entry, ulong state)
    {
        ref Line line = ref _lines[index];
        LineMapping* other;
        if (line.Entry == entry)
        {
            TakeOut(entry, line.Space, line.Address, state);
            other = line.More;
            line.More = other == null ? null : other->Next;
            line.Entry = other == null ? null : other->Entry;
            line.Space = other == null ? null : other->Space;
            line.Address = other == null ? line.Address : other->Address;
        }
        else
        {
            LineMapping** link = &_lines[index].More;
            while ((*link)->Entry != entry)
            {
                link = &(*link)->Next;
            }

            other = *link;
            *link = other->Next;
            TakeOut(entry, other->Space, other->Address, state);
        }

        if (other != null)
        {
            _mappings.Free(other);
        }
    }

    /// <summary>
    /// Lets a child's entry map its parent's line, which nobody may write to from then on. False: it has been written to since the parent's lines were
    /// written back, or there is no memory to remember the entry.
    /// </summary>
    private bool TryShare(int index, ulong* entry, AddressSpace* child, ulong address, ulong* copy)
    {
        ref Line line = ref _lines[index];
        if (!line.IsShared && (PageTable.ClearBits(entry, PageTable.Writable) & PageTable.Writable) != 0)
        {
            PageTable.Invalidate(line.Space->PageTableRoot, line.Address);
        }

        return (*entry & PageTable.Dirty) == 0 && TryMap(index, child, address, copy, *entry & ~(PageState.NotRights | PageTable.Writable));
    }

    /// <summary>Takes a shared line away from all who map it and off its list, and takes its name. It is then Filling.</summary>
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
