// One 4 KB line of the ExCache and one set of lines. Both live in arrays made at boot, outside any slab.
//
// A line is a page of something. A private page is reached through page tables alone: that of the space that has made it, and after a fork
// those of all spaces that have not written to it since. A page of a file that no private mapping has written to bears a name (object, page
// of the object), is found by it (ExCache.Names.cs), and any number of entries of any spaces map it.
//
// What holds between a line, the list of its set and the page-table entries that map it, whenever the kernel lock is let go:
//
//   State        on list of     entries                        Name           Frame holds
//   Free         free lines     -                              none           nothing
//   Filling      none           the filler's is in flight      as it will be  what is arriving
//   Resident     resident       private: at least one,         none or one    the page; dirty = newer than at its owner
//                               named: any number
//   WritingBack  none           all that had mapped it, in     none or one    the page, unmapped
//                               flight
//   Leaving      none           private: at least one, of      none           as Resident
//                               which one at least is leaving
//   Written      its object's   none                           one            the page, newer than at its owner (ExCache.Written.cs)
//   (a line that is leaving some space may be WritingBack for the others: the entries in flight that are leaving say so)
//
// * No CPU has a translation that an entry does not have any more, or with rights that it has lost (StaleTranslations); one with fewer
//   rights does no harm: it faults and looks again.
// * A present entry maps the frame of exactly one line that is Resident or Leaving, and is one of that line's mappings: Entry, Space and
//   Address of the line itself, then those on the list More. A line without mappings has Entry null and no list; it is Resident and named.
// * A line that is named, or that several entries map, is shared. No private mapping writes to it: its entries are neither writable nor
//   dirty. Who wants to write copies it, or, when nobody else maps it any more, makes his entry writable.
// * A named line may also be mapped by MAP_SHARED mappings, which write to it (PageState.Stores, ExCache.Shared.cs); Storers counts them.
//   It is dirty if one of their entries is, or was when it was taken out (IsDirty). It is written back under the address of one of them, so
//   the last one does not go before.
// * A line that was dirty when a fork shared it, stays so: IsDirty says that it is newer than the page of each space that maps it, or of
//   one that it is leaving while it was written back for the others. It leaves with one write-back that names all of them. Who loses his
//   entry otherwise (by a copy, munmap, exit) is no owner any more and nobody is told. The last one left has a dirty entry again. All
//   entries of a private line have the same state behind them, because whatever is done to the page at its owners is done to all.
// * At most one line, Filling, Resident, Written or WritingBack, bears a name. It is what the object has, or newer, and leaves untouched
//   entries behind. An entry that is untouched in a range of a file means the file's page; the owner of the range knows no other.
// * A named line goes back to the free ones when it is evicted, or when its object's contents change (ExCache.Invalidate). A fill that such
//   a change, or a write-back of a newer page, has overtaken is thrown away (LineObjects.VersionOf).
// * An entry in flight belongs to one thread, which is in a fill or a write-back of its page and takes the entry out of this state before
//   it returns; everybody else waits on ExCache's arrivals and looks again. Its table is not freed, because the entry is not 0. Who wants a
//   named page that somebody else is filling waits there, too.
// * Who changes what: Free -> Filling the fault that takes it; Filling -> Resident the same fault; Resident -> Filling (clean victim) or
//   WritingBack (dirty victim) the fault that evicts; WritingBack -> Filling, or Resident again, the same fault; Resident or Leaving ->
//   WritingBack and back a call that has it written back and kept (fork, mremap, msync, reads of the file: ExCache.Clean); Resident ->
//   WritingBack -> Free, or Resident again, a call that takes a stored line away (ExCache.Surrender); Resident -> Leaving and back a map
//   call, which alone holds the space (AddressSpace.IsChanging) and marks its own entry (PageState.Leaving), for private lines that are not
//   both shared and clean; Resident or Filling -> Written a write of the file, and Written -> Resident who has written it back; to Free
//   the fault that failed, or whoever drops the page.
// * Only the hardware and PageTable's atomic operations touch the bits of a present entry. Whether a page is dirty is judged from the value
//   that taking it out of the table gave back, never from a look before.
// * AddressSpace.InFlight counts the entries in flight of a space, Fills those of them that are fills. A space that is changing has no
//   fills. AddressSpace.ResidentLines counts its present entries.

namespace Lego.Processor;

/// <summary>What a line is doing. Only resident lines are on their set's list and can become victims.</summary>
public enum LineState : byte
{
    Free = 0,
    /// <summary>Taken by a fault; its page is on the way.</summary>
    Filling = 1,
    Resident = 2,
    /// <summary>Its page is on the way to its owners.</summary>
    WritingBack = 3,
    /// <summary>Its page ceases to exist if the home agrees; mapped, but no victim.</summary>
    Leaving = 4,
    /// <summary>A file's page that write(2) has changed, mapped by nobody; no victim until it is written back.</summary>
    Written = 5,
}

/// <summary>Where a line's first contents came from, which says where they are when a clean line is dropped.</summary>
public enum LineOrigin : byte
{
    /// <summary>
    /// Made here: while clean it can be made again (zeros, the file's page, a page of the vDSO), and the owner has never heard of it.
    /// </summary>
    Local = 0,
    /// <summary>Fetched from, or since written back to, its owner.</summary>
    Owner = 1,
}

/// <summary>Tag and links of one line.</summary>
public unsafe struct Line
{
    /// <summary>No line: end of a list.</summary>
    public const int None = -1;

    /// <summary>The first page-table entry that maps it; null when none does.</summary>
    public ulong* Entry;
    public AddressSpace* Space;
    /// <summary>User address of the page in that space.</summary>
    public ulong Address;
    /// <summary>The other entries that map it.</summary>
    public LineMapping* More;
    /// <summary>Page of the object Object, when it has a name.</summary>
    public ulong Page;
    /// <summary>The object that it is a page of (LineObjects), 0 = it has no name.</summary>
    public uint Object;
    /// <summary>Next line whose name has the same hash.</summary>
    public int NextNamed;
    /// <summary>Neighbours on the set's list (towards newer and towards older), or the next free line.</summary>
    public int Newer;
    public int Older;
    /// <summary>Number of the frame that holds the bytes; a fill may exchange it for a spare one.</summary>
    public int Frame;
    /// <summary>How many of the entries that map it, or are in flight for it, are of MAP_SHARED mappings.</summary>
    public int Storers;
    public LineState State;
    public LineOrigin Origin;
    /// <summary>It is newer than at its owners although no entry may say so: several map it, or one that said so is gone.</summary>
    public bool IsDirty;

    public readonly bool IsNamed => Object != 0;

    /// <summary>True when private mappings may not write to it.</summary>
    public readonly bool IsShared => Object != 0 || More != null;
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
    /// <summary>Lines that are Written.</summary>
    public int Written;
}
