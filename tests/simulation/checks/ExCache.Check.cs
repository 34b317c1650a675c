// What holds of the ExCache between any two pieces of kernel code that run without a break: every line is on exactly one list or under way,
// a resident line and its entry point at each other, the entry lies in a range of its space, and counters count. A part of the class,
// because it looks where nobody else may.

using System.Collections.Generic;
using Lego.Kernel;
using Lego.Simulation;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>Throws what does not hold.</summary>
    internal void CheckInvariants()
    {
        HashSet<int> frames = [];
        ulong resident = 0;
        for (int set = 0; set <= _setCount; set++)
        {
            CheckFreeList(set);
            resident += CheckResidentList(set);
        }

        int lines = _lineCount + _overflowLines;
        int listed = 0;
        ulong leaving = 0;
        for (int index = 0; index < lines; index++)
        {
            Check.That(frames.Add(_lines[index].Frame), $"line {index}: its frame belongs to another line as well");
            Check.Equal(index, _lineOfFrame[_lines[index].Frame], $"line of the frame of line {index}");
            listed += _lines[index].State == LineState.Resident ? 1 : 0;
            // Mapped, but no victim while its home is asked whether its range goes.
            leaving += _lines[index].State == LineState.Leaving ? 1UL : 0;
        }

        Check.Equal((ulong)listed, resident, "lines on lists of resident ones");
        Check.Equal(resident + leaving, _residentLines, "counter of resident lines");
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
            string name = $"line {index} ({line.Address:x} of space {line.Space->Asid})";
            Check.That(line.State == LineState.Resident, $"{name} is on a list of resident lines and {line.State}");
            Check.Equal(set, SetOfLine(index), $"set of {name}");
            Check.Equal(older, line.Older, $"older neighbour of {name}");
            Check.That(line.Space->PageTableRoot != 0, $"{name}: its space is gone");
            ulong* entry = PageTable.Entry(line.Space->PageTableRoot, line.Address, null);
            Check.That(entry == line.Entry, $"{name}: its page table has another entry");
            ulong physical = _framesPhysical + ((ulong)line.Frame * PageOperations.PageSize);
            Check.That(PageState.IsPresent(*entry) && (*entry & PageTable.AddressMask) == physical, $"{name}: its entry is {*entry:x}");
            Check.That(line.Space->TryFindRange(line.Address, out _), $"{name} lies outside all ranges");
            older = index;
            count++;
        }

        Check.Equal(older, _sets[set].Newest, $"newest line of set {set}");
        return count;
    }
}
