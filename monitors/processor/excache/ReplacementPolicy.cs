// Victim choice within one set of the ExCache. Each policy is deterministic: from the trace of a program's accesses, a model outside the
// rack predicts every victim (tests/unit/Processor/ReplacementPolicyTests.cs has such models). What the models need to know:
//
// * A line is chosen only when its set has no free line. Free lines are taken lowest way first as long as none was ever given back, and
//   last given back first afterwards. A new line takes the place (way) of its victim.
// * The accessed bit is that of the page-table entry (of any that maps the line; a line that none maps is not accessed): set by the
//   hardware on any access, by the kernel when it copies to or from the page, and by the fill itself, because the faulting access follows
//   at once. Clearing it also drops the address translation (INVLPG), so the next access sets it again (SDM vol. 3, 4.8).
// * The list of a set holds resident lines in order of insertion; a filled line goes to its tail when its page has arrived, but to its head
//   when read(2) has brought it (ExCache.Reads.cs).
//
// fifo    victim = head of the list. Accessed bits are not looked at.
// lru     first, from head to tail, each line whose accessed bit is set moves to the tail (so the accessed ones keep their order among
//         themselves) and its bit is cleared; then victim = head. That is: lines not used since the set's last eviction go first, the
//         longest unused first. LegoOS does the same ordering in a background sweeper; here the set's own eviction pays for it, which makes
//         it exact.
// clock a hand per set goes round the ways, starting at way 0: a resident line with the accessed bit set has it cleared and is passed; the
//         first one without is the victim, and the hand then points behind it. Lines in flight are passed.
// random  victim = the resident line at list position x mod (number of resident lines), x the next value of xorshift64* (Vigna 2016) seeded
//         by the boot argument seed.
//
// Called with the kernel lock held; never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>How victims are chosen: boot argument policy=.</summary>
public enum PolicyKind : byte
{
    Fifo,
    Lru,
    Clock,
    Random,
}

/// <summary>The victim choice of one ExCache.</summary>
public unsafe struct ReplacementPolicy
{
    private readonly PolicyKind _kind;
    private readonly int _ways;
    private XorShift _random;
    /// <summary>Of the lines whose accessed bits one choice clears.</summary>
    private StaleTranslations _stale;

    public ReplacementPolicy(PolicyKind kind, int ways, ulong seed)
    {
        _kind = kind;
        _ways = ways;
        _random = new XorShift(seed);
    }

    /// <summary>
    /// Picks a resident line of a set; <see cref="Line.None"/> when all lines are in flight. The line stays on the list.
    /// </summary>
    /// <param name="lines">All lines.</param>
    /// <param name="set">The set.</param>
    /// <param name="first">Index of the set's way 0.</param>
    [NoBlock]
    public int PickVictim(Line* lines, ref LineSet set, int first)
    {
        switch (_kind)
        {
            case PolicyKind.Lru:
                _stale.Begin();
                MoveAccessedToTail(lines, ref set);
                _stale.End();
                return set.Oldest;
            case PolicyKind.Clock:
                _stale.Begin();
                int victim = TurnHand(lines, ref set, first);
                _stale.End();
                return victim;
            case PolicyKind.Random:
                return PickRandom(lines, ref set);
            default:
                return set.Oldest;
        }
    }

    private void MoveAccessedToTail(Line* lines, ref LineSet set)
    {
        int last = set.Newest;
        for (int index = set.Oldest; index != Line.None;)
        {
            int next = lines[index].Newer;
            if (TakeAccessed(ref lines[index]))
            {
                LineList.Remove(lines, ref set, index);
                LineList.Append(lines, ref set, index);
            }

            if (index == last)
            {
                break;
            }

            index = next;
        }
    }

    private int TurnHand(Line* lines, ref LineSet set, int first)
    {
        // The first turn may clear every bit; the second then finds a victim unless nothing is resident.
        for (int step = 0; step < 2 * _ways; step++)
        {
            int index = first + set.Hand;
            set.Hand = set.Hand + 1 == _ways ? 0 : set.Hand + 1;
            if (lines[index].State == LineState.Resident && !TakeAccessed(ref lines[index]))
            {
                return index;
            }
        }
        // Reached only when some line was accessed between the two looks, which the kernel lock excludes, or none is resident.
        return Line.None;
    }

    private int PickRandom(Line* lines, ref LineSet set)
    {
        int resident = 0;
        for (int index = set.Oldest; index != Line.None; index = lines[index].Newer)
        {
            resident++;
        }

        if (resident == 0)
        {
            return Line.None;
        }

        int position = (int)(_random.Next() % (ulong)resident);
        int victim = set.Oldest;
        for (; position > 0; position--)
        {
            victim = lines[victim].Newer;
        }

        return victim;
    }

    /// <summary>True when any entry that maps the line has been used; none is then marked so.</summary>
    private bool TakeAccessed(ref Line line)
    {
        bool isAccessed = line.Entry != null && TakeAccessed(line.Entry, line.Space, line.Address);
        for (LineMapping* mapping = line.More; mapping != null; mapping = mapping->Next)
        {
            isAccessed |= TakeAccessed(mapping->Entry, mapping->Space, mapping->Address);
        }

        return isAccessed;
    }

    private bool TakeAccessed(ulong* entry, AddressSpace* space, ulong address)
    {
        if ((PageTable.ClearBits(entry, PageTable.Accessed) & PageTable.Accessed) == 0)
        {
            return false;
        }

        _stale.Forget(space->PageTableRoot, address);
        return true;
    }
}

/// <summary>The list of a set's resident lines.</summary>
public static unsafe class LineList
{
    public static void Append(Line* lines, ref LineSet set, int index)
    {
        ref Line line = ref lines[index];
        line.Newer = Line.None;
        line.Older = set.Newest;
        if (set.Newest == Line.None)
        {
            set.Oldest = index;
        }
        else
        {
            lines[set.Newest].Newer = index;
        }

        set.Newest = index;
    }

    /// <summary>Puts a line where the next victim is looked for.</summary>
    public static void Prepend(Line* lines, ref LineSet set, int index)
    {
        ref Line line = ref lines[index];
        line.Older = Line.None;
        line.Newer = set.Oldest;
        if (set.Oldest == Line.None)
        {
            set.Newest = index;
        }
        else
        {
            lines[set.Oldest].Older = index;
        }

        set.Oldest = index;
    }

    public static void Remove(Line* lines, ref LineSet set, int index)
    {
        ref Line line = ref lines[index];
        if (line.Older == Line.None)
        {
            set.Oldest = line.Newer;
        }
        else
        {
            lines[line.Older].Newer = line.Newer;
        }

        if (line.Newer == Line.None)
        {
            set.Newest = line.Older;
        }
        else
        {
            lines[line.Newer].Older = line.Older;
        }
    }
}
