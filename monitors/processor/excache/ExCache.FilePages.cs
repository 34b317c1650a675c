// Faults in ranges of files. A page that no private mapping has written to is the object's line, whoever maps it, and no private mapping
// may write to it: a write copies it into a private line of the space. MAP_SHARED mappings write to the object's line itself. Only the
// first one who wants it asks the owner. Each step ends with "look again" (Resolve's loop): FaultOutcome.LookAgain says so where nothing
// kept the entry's table over a wait, FaultOutcome.Resident while the entry does not allow the access. BLOCKS as ExCache.Faults.cs does.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    private ulong _fillsShared;
    private ulong _fillsCopied;

    /// <summary>
    /// The name of a page of a range; none for memory without an object, and for a private mapping's page while names are not given and no
    /// line has this one.
    /// </summary>
    private LineName NameOf(in VmaRecord range, ulong address)
    {
        if (range.Backing - 1 >= LineObjects.MaxObjects || range.Kind is not (VmaKind.File or VmaKind.SharedFile))
        {
            return default;
        }

        LineName name = new(range.Backing, (range.FileOffset + (address - range.Start)) / PageOperations.PageSize);
        return _sharesNames || range.Kind == VmaKind.SharedFile || Find(name) != Line.None ? name : default;
    }

    /// <summary>True when a private mapping has a page of its own instead of its file's. Does not block.</summary>
    public bool HasOwnPage(AddressSpace* space, ulong address)
    {
        ulong* entry = PageTable.Find(space->PageTableRoot, address);
        return entry != null && (PageState.IsPresent(*entry) ? !_lines[LineOf(*entry)].IsNamed : *entry == PageState.Remote);
    }

    /// <summary>The rights of entries that map a line.</summary>
    private static ulong BitsOf(ref Line line, Protection protection, VmaKind kind)
    {
        ulong bits = PageState.Bits(protection);
        if (kind == VmaKind.SharedFile && line.IsNamed)
        {
            return bits | PageState.Stores;
        }

        return line.IsShared ? bits & ~PageTable.Writable : bits;
    }

    /// <summary>An untouched page of a file's range.</summary>
    private FaultOutcome FillFromFile(AddressSpace* space, ulong address, ulong* entry, in VmaRecord range, MissAccess access,
        LinePlacement placement)
    {
        ulong bits = PageState.Bits(range.Protection);
        LineName name = NameOf(in range, address);
        bool stores = range.Kind == VmaKind.SharedFile && !name.IsNone;
        int index = name.IsNone ? Line.None : Find(name);
        if ((stores && _objects.IsBusy(name.Number)) || (index != Line.None && _lines[index].State != LineState.Resident))
        {
            _fillWaits++;
            _arrivals.Wait();
            return FaultOutcome.LookAgain;
        }

        if (index == Line.None)
        {
            return FillFromMemory(space, address, entry, stores ? bits | PageState.Stores : bits, access, placement, name);
        }

        bits = BitsOf(ref _lines[index], range.Protection, range.Kind) | PageTable.Accessed;
        if (stores)
        {
            MapStorer(index, space, address, entry, bits);
        }
        else if (access == MissAccess.Write || !TryMap(index, space, address, entry, bits))
        {
            return CopyShared(index, space, address, entry, PageState.Bits(range.Protection), placement);
        }

        _fillsShared++;
        return FaultOutcome.Resident;
    }

    /// <summary>A write to a line that the space maps without being allowed to write to it, although the range allows it.</summary>
    private FaultOutcome MakeWritable(int index, AddressSpace* space, ulong address, ulong* entry, ulong bits, LinePlacement placement)
    {
        ulong stores = *entry & PageState.Stores;
        if (stores == 0 && _lines[index].IsShared)
        {
            return CopyShared(index, space, address, entry, bits, placement);
        }

        // The others that it was shared with are gone, or all may write to it.
        PageTable.ReplaceBits(entry, PageState.NotRights, bits | stores);
        PageTable.Widened(space->PageTableRoot, address);
        return FaultOutcome.Resident;
    }

    /// <summary>
    /// Gives a space a private copy of a shared line that it may map already. The fault looks again when room had to be made for it.
    /// </summary>
    private FaultOutcome CopyShared(int source, AddressSpace* space, ulong address, ulong* entry, ulong bits, LinePlacement placement)
    {
        LineOrigin origin = _lines[source].IsNamed ? LineOrigin.Local : _lines[source].Origin;
        // What is newer than at the owner of the source is so at the copy's.
        bits |= _lines[source].IsDirty ? PageTable.Dirty : 0;
        int set = SetFor(address, placement);
        int index = TakeFree(set);
        if (index == Line.None && IsOnlyVictim(source, set) && !_lines[source].IsDirty && _lines[source].Storers == 0)
        {
            // To make room for the copy would be to drop what is copied: the line itself becomes the copy.
            TakeFromAll(source);
            _evictions++;
            _evictionsClean++;
            index = source;
        }
        else if (index == Line.None)
        {
            Errno error = MakeRoom(set, out index);
            if (error != Errno.None)
            {
                return OutcomeOfFlush(error);
            }

            GiveBack(index);
            _arrivals.WakeAll();
            return FaultOutcome.LookAgain;
        }
        else
        {
            PageOperations.Copy(FrameAddress(_lines[index].Frame), FrameAddress(_lines[source].Frame));
            if (PageState.IsPresent(*entry))
            {
                Unmap(source, entry, PageState.Untouched);
            }
        }

        Install(index, space, address, entry, bits, origin);
        _fillsCopied++;
        _arrivals.WakeAll();
        return FaultOutcome.Resident;
    }

    /// <summary>
    /// Maps what is resident of the files of a new space, up to <paramref name="most"/> pages, so that its program does not fault for them
    /// one by one. Nobody has used them yet: their accessed bits are clear. Does not block.
    /// </summary>
    public void MapResident(AddressSpace* space, int most)
    {
        for (int index = 0; index < space->Ranges.Count; index++)
        {
            VmaRecord range = space->Ranges[index];
            for (ulong address = range.Start; address < range.End && most > 0; address += PageOperations.PageSize, most--)
            {
                LineName name = NameOf(in range, address);
                if (name.IsNone || range.Kind != VmaKind.File || range.Protection == Protection.None || _objects.LinesOf(name.Number) == 0)
                {
                    break;
                }

                int line = Find(name);
                ulong* entry = line == Line.None || _lines[line].State != LineState.Resident ? null : MakeEntry(space, address);
                if (entry != null && *entry == PageState.Untouched)
                {
                    _fillsShared += TryMap(line, space, address, entry, BitsOf(ref _lines[line], range.Protection, range.Kind)) ? 1UL : 0;
                }
            }
        }
    }

    private bool IsOnlyVictim(int index, int set) => _sets[set].Oldest == index && _sets[set].Newest == index;
}
