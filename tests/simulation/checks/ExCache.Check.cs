// What holds of the ExCache between any two pieces of kernel code that run without a break: every line is on exactly one list or under way,
// a resident line and its entries point at each other, each entry lies in a range of its space that the line belongs to, a name leads to
// its one line, nothing that is shared can be written to, and counters count. A part of the class, because it looks where nobody else may.

using System.Collections.Generic;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Simulation;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>Throws what does not hold.</summary>
    internal void CheckInvariants()
    {
        bool[] isSeen = new bool[_frameCount];
        ulong resident = 0;
        for (int set = 0; set <= _setCount; set++)
        {
            CheckFreeList(set);
            resident += CheckResidentList(set);
        }

        int lines = _lineCount + _overflowLines;
        int listed = 0;
        ulong leaving = 0;
        int written = 0;
        ulong named = 0;
        ulong mapped = 0;
        uint[] linesOfObjects = new uint[LineObjects.MaxObjects + 1];
        for (int index = 0; index < lines; index++)
        {
            int frame = _lines[index].Frame;
            Check.That(!isSeen[frame], $"line {index}: its frame belongs to another line as well");
            isSeen[frame] = true;
            Check.Equal(index, _lineOfFrame[frame], $"line of the frame of line {index}");
            listed += _lines[index].State == LineState.Resident ? 1 : 0;
            // Mapped, but no victim while its home is asked whether its range goes.
            leaving += _lines[index].State == LineState.Leaving ? 1UL : 0;
            written += _lines[index].State == LineState.Written ? 1 : 0;
            if (_lines[index].State is LineState.Resident or LineState.Leaving)
            {
                mapped += CheckEntries(index);
            }
            else
            {
                CheckUnmapped(index);
            }

            if (_lines[index].IsNamed)
            {
                named++;
                CheckName(index);
                linesOfObjects[_lines[index].Object]++;
            }
        }

        for (uint number = 1; number <= LineObjects.MaxObjects; number++)
        {
            Check.Equal(linesOfObjects[number], _objects.LinesOf(number), $"lines of object {number}");
            written -= CheckWrittenList(number);
        }

        Check.Equal(0, written, "written lines that are on no object's list");
        Check.Equal(named, _namedLines, "counter of named lines");
        Check.Equal(mapped, _mappedEntries, "counter of mapped entries");

        Check.Equal((ulong)listed, resident, "lines on lists of resident ones");
        Check.Equal(resident + leaving + (ulong)_writtenLines, _residentLines, "counter of resident lines");
    }

    /// <summary>The written lines of an object; their number.</summary>
    private int CheckWrittenList(uint number)
    {
        int count = 0;
        int older = Line.None;
        for (int index = _objects.FirstWritten(number) - 1; index != Line.None; index = _lines[index].Newer)
        {
            ref Line line = ref _lines[index];
            Check.That(
                line.State == LineState.Written && line.Object == number,
                $"{NameOf(index)} is on the list of object {number} and {line.State}");
            Check.That(line.Entry == null && line.More == null && line.Storers == 0, $"{NameOf(index)} is written and mapped");
            Check.Equal(older, line.Older, $"older neighbour of {NameOf(index)}");
            older = index;
            count++;
        }

        return count;
    }

    private void CheckFreeList(int set)
    {
        int steps = 0;
        for (int index = _sets[set].Free; index != Line.None; index = _lines[index].Newer)
        {
            Check.That(_lines[index].State == LineState.Free, $"line {index} is on set {set}'s free list and {_lines[index].State}");
            Check.Equal(set, SetOfLine(index), $"set of free line {index}");
            Check.That(++steps <= _lineCount + _overflowLines, $"the free list of set {set} is a circle");
        }
    }

    private ulong CheckResidentList(int set)
    {
        ulong count = 0;
        int older = Line.None;
        for (int index = _sets[set].Oldest; index != Line.None; index = _lines[index].Newer)
        {
            ref Line line = ref _lines[index];
            LineLabel name = NameOf(index);
            Check.That(line.State == LineState.Resident, $"{name} is on a list of resident lines and {line.State}");
            Check.Equal(set, SetOfLine(index), $"set of {name}");
            Check.Equal(older, line.Older, $"older neighbour of {name}");
            older = index;
            count++;
        }

        Check.Equal(older, _sets[set].Newest, $"newest line of set {set}");
        return count;
    }

    /// <summary>All entries that map a line; their number.</summary>
    private ulong CheckEntries(int index)
    {
        ref Line line = ref _lines[index];
        LineLabel name = NameOf(index);
        if (line.Entry == null)
        {
            Check.That(line.IsNamed && line.More == null && line.Storers == 0 && !line.IsDirty && line.State == LineState.Resident,
                $"{name} is mapped by nobody and not to be found");
            return 0;
        }

        ulong count = 1;
        CheckEntry(index, line.Entry, line.Space, line.Address);
        HashSet<ulong>? entries = line.More == null ? null : [(ulong)line.Entry];
        for (LineMapping* mapping = line.More; mapping != null; mapping = mapping->Next)
        {
            count++;
            Check.That(entries!.Add((ulong)mapping->Entry), $"{name}: an entry is remembered twice");
            CheckEntry(index, mapping->Entry, mapping->Space, mapping->Address);
        }

        Check.That(!line.IsDirty || line.Storers != 0 || (line.More != null && !line.IsNamed),
            $"{name} is dirty although no fork has shared it");
        int storers = (*line.Entry & PageState.Stores) != 0 ? 1 : 0;
        for (LineMapping* mapping = line.More; mapping != null; mapping = mapping->Next)
        {
            storers += (*mapping->Entry & PageState.Stores) != 0 ? 1 : 0;
        }

        Check.Equal(storers, line.Storers, $"mappings that store into {name}");
        Check.Equal(IsLeft(ref line), line.State == LineState.Leaving, $"{name}: leaving");
        return count;
    }

    /// <summary>
    /// A line that nobody maps is not remembered by anybody, unless it is on its way to its owners: then all wait for it.
    /// </summary>
    private void CheckUnmapped(int index)
    {
        ref Line line = ref _lines[index];
        Check.That(!line.IsDirty, $"{NameOf(index)} is dirty and {line.State}");
        if (line.State != LineState.WritingBack)
        {
            Check.That(line.More == null, $"{NameOf(index)} is {line.State} and has mappings");
            return;
        }

        CheckInFlight(index, line.Entry, line.Space);
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            CheckInFlight(index, other->Entry, other->Space);
        }
    }

    /// <summary>Only an entry of a space that is being changed may be leaving.</summary>
    private void CheckInFlight(int index, ulong* entry, AddressSpace* space) =>
        Check.That(*entry == PageState.InFlight || (space->IsChanging && PageState.IsInFlight(*entry)),
            $"an entry of {NameOf(index)}, which is written back, is {*entry:x}");

    private void CheckEntry(int index, ulong* entry, AddressSpace* space, ulong address)
    {
        ref Line line = ref _lines[index];
        EntryLabel name = new(NameOf(index), address, space->Asid);
        Check.That(space->PageTableRoot != 0, $"{name}: its space is gone");
        Check.That(entry == PageTable.Find(space->PageTableRoot, address), $"{name}: its page table has another entry");
        ulong physical = _framesPhysical + ((ulong)line.Frame * PageOperations.PageSize);
        Check.That(PageState.IsPresent(*entry) && (*entry & PageTable.AddressMask) == physical, $"{name}: its entry is {*entry:x}");
        bool stores = (*entry & PageState.Stores) != 0;
        Check.That(stores || !line.IsShared || (*entry & (PageTable.Writable | PageTable.Dirty)) == 0,
            $"{name} is shared and can be written to: {*entry:x}");
        Check.That(!stores || line.IsNamed, $"{name} is stored into and has no name");
        if (space->IsChanging)
        {
            // The home has answered, but what it has agreed to is not done here.
            return;
        }

        Check.That(space->TryFindRange(address, out VmaRecord range), $"{name} lies outside all ranges");
        Check.Equal(line.IsNamed && range.Kind == VmaKind.SharedFile, stores, $"{name}: its mark");
        if (line.IsNamed)
        {
            ulong page = (range.FileOffset + (address - range.Start)) / PageOperations.PageSize;
            Check.That(range.Backing == line.Object && page == line.Page,
                $"{name} lies in a range of page {page} of object {range.Backing}");
        }
    }

    private void CheckName(int index)
    {
        ref Line line = ref _lines[index];
        LineLabel name = NameOf(index);
        Check.That(
            line.State is LineState.Resident or LineState.Filling or LineState.WritingBack or LineState.Written,
            $"{name} has a name and is {line.State}");
        Check.Equal(index, Find(new LineName(line.Object, line.Page)), $"the line that the name of {name} leads to");
    }

    private LineLabel NameOf(int index) => new(index, _lines[index].Address, _lines[index].Object, _lines[index].Page);

    /// <summary>What a line is called in a complaint.</summary>
    private readonly record struct LineLabel(int Index, ulong Address, uint Object, ulong Page)
    {
        public override string ToString() => $"line {Index} ({Address:x}, page {Page} of object {Object})";
    }

    /// <summary>What an entry that maps a line is called.</summary>
    private readonly record struct EntryLabel(LineLabel Line, ulong Address, uint Asid)
    {
        public override string ToString() => $"{Line} at {Address:x} of space {Asid}";
    }
}
