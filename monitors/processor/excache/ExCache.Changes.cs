// Changes of an address space's ranges: agree first, then forget. A map call (mmap, munmap, mprotect, mremap, brk, madvise, fork)
//   1. takes the space (BeginChange): its map lock, held over messages. No fill begins any more and none is under way;
//   2. takes the lines of memory that is to go out of the victims' reach (Leave): until the home has answered nobody knows whether they are
//      still wanted, and once it has agreed, a write-back could overwrite what has taken their place there;
//   3. asks the home;
//   4. when it has agreed, drops the pages (Drop), else makes lines and rights follow what the home says is mapped (Settle): on a refusal
//      nothing has changed, and what was done in part (mprotect up to a hole) is done here as well;
//   5. lets the space go (EndChange).
// Between 1 and 5 the caller touches no memory of the program. All BLOCK but EndChange.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>Takes the space for a change of its ranges. It blocks while another change or a fill is under way.</summary>
    [Blocks]
    public void BeginChange(AddressSpace* space)
    {
        while (space->IsChanging)
        {
            _arrivals.Wait();
        }

        space->IsChanging = true;
        while (space->Fills != 0)
        {
            _arrivals.Wait();
        }
    }

    /// <summary>Lets the space go.</summary>
    public void EndChange(AddressSpace* space)
    {
        space->IsChanging = false;
        _arrivals.WakeAll();
    }

    /// <summary>
    /// Keeps the private lines of a range from being chosen as victims until Drop or Settle. MAP_SHARED mappings give their lines up,
    /// because no other change of the space may find a line that it would have to write back; one that several spaces map and that is
    /// clean is never written back and may go. On an error, that of such a line's write-back, the rest is as before: Settle follows.
    /// </summary>
    [Blocks]
    public Errno Leave(AddressSpace* space, ulong start, ulong end)
    {
        Errno error = SurrenderShared(space, start, end);
        if (error != Errno.None)
        {
            return error;
        }

        int slice = SliceEntries;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; SkipUntouched(ref entry, ref address, stop, ref slice); address += PageOperations.PageSize, entry++)
            {
                WaitWhileInFlight(entry);
                int index = PageState.IsPresent(*entry) ? LineOf(*entry) : Line.None;
                if (index != Line.None && !_lines[index].IsNamed && (_lines[index].More == null || _lines[index].IsDirty))
                {
                    PageTable.SetBits(entry, PageState.Leaving);
                    if (_lines[index].State == LineState.Resident)
                    {
                        LineList.Remove(_lines, ref _sets[SetOfLine(index)], index);
                        _lines[index].State = LineState.Leaving;
                    }
                }
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// Makes the lines of a range follow the space's ranges: they get the rights of the range that holds them, and those that none holds
    /// are dropped. Lines that were leaving stay.
    /// </summary>
    [Blocks]
    public void Settle(AddressSpace* space, ulong start, ulong end)
    {
        int slice = SliceEntries;
        VmaRecord range = default;
        ulong address = start;
        for (ulong* entry; (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            while (SkipUntouched(ref entry, ref address, stop, ref slice))
            {
                while (*entry == (PageState.InFlight | PageState.Leaving))
                {
                    // Whoever writes it back for others relies on the mark.
                    _arrivals.Wait();
                }

                if (PageState.IsInFlight(*entry) && !space->TryFindRange(address, out _))
                {
                    WaitWhileInFlight(entry);
                }

                SettleRun(space, ref range, ref entry, ref address, stop, ref slice);
            }
        }
    }

    /// <summary>
    /// Settles entries up to one that may have to be waited for, or until others are to have their turn; the first one at least.
    /// </summary>
    [NoBlock]
    private void SettleRun(AddressSpace* space, ref VmaRecord range, ref ulong* entry, ref ulong address, ulong stop, ref int slice)
    {
        _stale.Begin();
        do
        {
            bool isHeld = (address >= range.Start && address < range.End) || space->TryFindRange(address, out range);
            if (!isHeld)
            {
                DropEntry(entry);
            }
            else if (PageState.IsPresent(*entry))
            {
                int index = LineOf(*entry);
                PageTable.ReplaceBits(entry, PageState.NotRights, BitsOf(ref _lines[index], range.Protection, range.Kind));
                Stay(index);
                _stale.Forget(space->PageTableRoot, address);
            }

            address += PageOperations.PageSize;
            entry++;
            slice--;
        }
        while (address < stop && slice > 0 && !PageState.IsInFlight(*entry));
        _stale.End();
    }

    /// <summary>A line that was leaving, and is not any more in any space, is a candidate again, at its list's tail.</summary>
    private void Stay(int index)
    {
        ref Line line = ref _lines[index];
        if (line.State == LineState.Leaving && !IsLeft(ref line))
        {
            line.State = LineState.Resident;
            LineList.Append(_lines, ref _sets[SetOfLine(index)], index);
            _arrivals.WakeAll();
        }
    }

    private static bool IsLeft(ref Line line)
    {
        bool isLeft = (*line.Entry & PageState.Leaving) != 0;
        for (LineMapping* other = line.More; other != null && !isLeft; other = other->Next)
        {
            isLeft = (*other->Entry & PageState.Leaving) != 0;
        }

        return isLeft;
    }
}
