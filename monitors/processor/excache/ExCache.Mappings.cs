// The page-table entries that map a line (Line.cs). Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
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

    /// <summary>Takes one of the entries that map a named line out of its page table; the line stays.</summary>
    private void Unmap(int index, ulong* entry)
    {
        ref Line line = ref _lines[index];
        LineMapping* other;
        if (line.Entry == entry)
        {
            TakeOut(entry, line.Space, line.Address, PageState.Untouched);
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
            TakeOut(entry, other->Space, other->Address, PageState.Untouched);
        }

        if (other != null)
        {
            _mappings.Free(other);
        }
    }

    /// <summary>Takes a named line away from all who map it and off its list, and takes its name. It is then Filling.</summary>
    private void TakeFromAll(int index)
    {
        ref Line line = ref _lines[index];
        while (line.Entry != null)
        {
            Unmap(index, line.Entry);
        }

        LineList.Remove(_lines, ref _sets[SetOfLine(index)], index);
        line.State = LineState.Filling;
        _residentLines--;
        ForgetName(index);
    }
}
