// One 4 KB line of the ExCache and one set of lines. Both live in arrays made at boot, outside any slab.
//
// What holds between a line, the list of its set and the page-table entry that it is for, whenever the kernel lock is let go:
//
//   State        on list of     entry                        Entry, Space, Address   Frame holds
//   Free         free lines     -                            null                    nothing
//   Filling      none           in flight                    the page's last user    what is arriving
//   Resident     resident       present, maps Frame          the page                the page; dirty = newer than at its owner
//   WritingBack  none           in flight                    the page                the page, unmapped
//   Leaving      none           present, maps Frame          the page                as Resident
//
// * A present entry maps the frame of exactly one line that is Resident or Leaving, and that line's Entry points back to it.
// * An entry in flight belongs to one thread, which is in a fill or a write-back of its page and takes the entry out of this state before it
//   returns; everybody else waits on ExCache's arrivals and looks again. Its table is not freed, because the entry is not 0.
// * Who changes what: Free -> Filling the fault that takes it; Filling -> Resident the same fault; Resident -> Filling (clean victim) or
//   WritingBack (dirty victim) the fault that evicts; WritingBack -> Filling, or Resident again, the same fault; Resident -> Leaving and back a map
//   call, which alone holds the space (AddressSpace.IsChanging); to Free the fault that failed, or whoever drops the page.
// * Only the hardware and PageTable's atomic operations touch the bits of a present entry. Whether a page is dirty is judged from the value that
//   taking it out of the table gave back, never from a look before.
// * AddressSpace.InFlight counts the entries in flight of a space, Fills those of them that are fills. A space that is changing has no fills.

namespace Lego.Processor;

/// <summary>What a line is doing. Only resident lines are on their set's list and can become victims.</summary>
public enum LineState : byte
{
    Free = 0,
    /// <summary>Taken by a fault; its page is on the way.</summary>
    Filling = 1,
    Resident = 2,
    /// <summary>A victim whose page is on the way to its owner.</summary>
    WritingBack = 3,
    /// <summary>Its page ceases to exist if the home agrees; mapped, but no victim.</summary>
    Leaving = 4,
}

/// <summary>Where a line's first contents came from, which says where they are when a clean line is dropped.</summary>
public enum LineOrigin : byte
{
    /// <summary>Made here: while clean it can be made again (all zero, or a page of the vDSO), and the owner has never heard of it.</summary>
    ZeroFill = 0,
    /// <summary>Fetched from, or since written back to, its owner.</summary>
    Owner = 1,
}

/// <summary>Tag and links of one line.</summary>
public unsafe struct Line
{
    /// <summary>No line: end of a list.</summary>
    public const int None = -1;

    /// <summary>The page-table entry of the page that it holds; with a present entry this is the tag's valid bit.</summary>
    public ulong* Entry;
    public AddressSpace* Space;
    /// <summary>User address of the page.</summary>
    public ulong Address;
    /// <summary>Neighbours on the set's list (towards newer and towards older), or the next free line.</summary>
    public int Newer;
    public int Older;
    /// <summary>Number of the frame that holds the bytes; a fill may exchange it for a spare one.</summary>
    public int Frame;
    public LineState State;
    public LineOrigin Origin;
}

/// <summary>The lines [First, First + ways) that can hold the pages of one set.</summary>
public struct LineSet
{
    /// <summary>First of the free lines, linked through Newer.</summary>
    public int Free;
    /// <summary>Resident lines: the head of the list is the next fifo victim.</summary>
    public int Oldest;
    public int Newest;
    /// <summary>Way that clock looks at next.</summary>
    public int Hand;
}
