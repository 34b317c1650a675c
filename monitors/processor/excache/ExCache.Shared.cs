// Lines of shared mappings (MAP_SHARED). Such a page is the file's own, so there is one line of it however many mappings of however many spaces show
// it. The line has a name, the file's number (VmaRecord.Backing) and the page's index, by which it is found; its entry is that of the mapping that
// used it last. A fault of another mapping moves it there: no message, and stores are seen in one order by all, because at any time one page table
// leads to the page. It is fetched from and written back to the home like any line, under the address that it has at that time.
//
// What holds besides Line.cs, whenever the kernel lock is let go:
// * A shared name belongs to one line at most, which is Resident or WritingBack; a line that becomes free or is filled again has lost its name before.
// * A file is busy while a line of it is being filled, and while a call changes its bytes or size: then nobody fills one.
// * Nobody but its writers loses what was stored: a named line leaves a page table for good only clean or written back (Surrender).
// * A space that changes (ExCache.Changes.cs) has no named lines in what it is about to give up; they are surrendered before the home is asked.
//
// To the rest of ExCache such a line is a private one, with one entry and no object. Private mappings of the same file have lines of their own
// (ExCache.FilePages.cs), of what the owner has; they go when it gets a newer page from here.
//
// What BLOCKS says so.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>The name of a shared page is its file's number (LineObjects) shifted so far, and the index of the page.</summary>
    private const int SharedNameShift = 52;

    private readonly SharedFile* _sharedFiles;
    /// <summary>Heads of the lists of named lines, linked by Line.NextShared.</summary>
    private readonly int* _sharedLines;
    private ulong _sharedMoves;
    private ulong _sharedLost;

    /// <summary>A mapped file, by its number.</summary>
    private struct SharedFile
    {
        /// <summary>Named lines of it.</summary>
        internal int Lines;
        internal bool IsBusy;
    }

    /// <summary>Programs' shared mappings of a file wait from now on with what they do not have in a line. BLOCKS while others have it so.</summary>
    public void BeginSharedChange(uint backing)
    {
        while (_sharedFiles[backing].IsBusy)
        {
            _arrivals.Wait();
        }

        _sharedFiles[backing].IsBusy = true;
    }

    /// <summary>Ends <see cref="BeginSharedChange"/>.</summary>
    public void EndSharedChange(uint backing)
    {
        _sharedFiles[backing].IsBusy = false;
        _arrivals.WakeAll();
    }

    /// <summary>Writes the pages [first, end) of a file back that shared mappings have changed; they stay where they are.</summary>
    [Blocks]
    public Errno WriteBackShared(uint backing, ulong first, ulong end) => EachShared(backing, first, end, keeps: true);

    /// <summary>Takes the pages [first, end) of a file, written back, out of all shared mappings. BLOCKS; the caller has the file busy.</summary>
    public Errno WithdrawShared(uint backing, ulong first, ulong end) => EachShared(backing, first, end, keeps: false);

    /// <summary>Surrenders the named lines in a range of a space that is being changed. On an error some are still there.</summary>
    [Blocks]
    public Errno SurrenderShared(AddressSpace* space, ulong start, ulong end)
    {
        ulong address = start;
        Errno error = Errno.None;
        for (ulong* entry; error == Errno.None && (entry = NextStretch(space, ref address, end, out ulong stop)) != null;)
        {
            for (; address < stop && error == Errno.None; address += PageOperations.PageSize, entry++)
            {
                WaitWhileInFlight(entry);
                error = SurrenderShared(entry);
            }
        }

        return error;
    }

    /// <summary>
    /// False: the page of a shared mapping cannot be had now; wait and look again. <paramref name="name"/> is 0 when the range shares nothing.
    /// </summary>
    private bool TryClaim(AddressSpace* space, ulong address, out ulong name)
    {
        name = 0;
        if (!space->TryFindRange(address, out VmaRecord range) || range.Backing - 1 >= LineObjects.MaxObjects)
        {
            return true;
        }

        name = SharedNameOf(range.Backing, (range.FileOffset + (address - range.Start)) >> 12);
        int index = FindShared(name);
        return !_sharedFiles[range.Backing].IsBusy && (index == Line.None || _lines[index].State == LineState.Resident);
    }

    /// <summary>Maps the page of a name that was claimed: its line moves here, or the page is fetched. BLOCKS then.</summary>
    private FaultOutcome FillShared(AddressSpace* space, ulong address, ulong* entry, ulong bits, MissAccess access, LinePlacement placement, ulong name)
    {
        int index = FindShared(name);
        if (index != Line.None)
        {
            Move(index, space, address, entry, bits);
            return FaultOutcome.Resident;
        }

        uint backing = (uint)(name >> SharedNameShift);
        _sharedFiles[backing].IsBusy = true;
        FaultOutcome outcome = FillFromMemory(space, address, entry, bits, access, placement, default);
        if (outcome == FaultOutcome.Resident)
        {
            Share(LineOf(*entry), name);
        }

        EndSharedChange(backing);
        return outcome;
    }

    /// <summary>
    /// A private mapping is about to fetch a page of a file: what shared ones have stored there is written back. True: it was tried, and unless there is
    /// an error the caller looks again. BLOCKS then.
    /// </summary>
    private bool PublishesFirst(AddressSpace* space, ulong address, out Errno error)
    {
        error = Errno.None;
        if (!space->TryFindRange(address, out VmaRecord range) || range.Backing - 1 >= LineObjects.MaxObjects
            || _sharedFiles[range.Backing].Lines == 0)
        {
            return false;
        }

        int index = FindShared(SharedNameOf(range.Backing, (range.FileOffset + (address - range.Start)) >> 12));
        if (index == Line.None || (_lines[index].State == LineState.Resident && (*_lines[index].Entry & PageTable.Dirty) == 0))
        {
            return false;
        }

        if (_lines[index].State != LineState.Resident)
        {
            _arrivals.Wait();
            return true;
        }

        error = WriteBackShared(index);
        return true;
    }

    /// <summary>Another mapping of the page gets the line; what was stored so far stays newer than what the owner has.</summary>
    private void Move(int index, AddressSpace* space, ulong address, ulong* entry, ulong bits)
    {
        ref Line line = ref _lines[index];
        ulong mapped = PageTable.Exchange(line.Entry, PageState.Remote);
        PageTable.Invalidate(line.Space->PageTableRoot, line.Address);
        line.Space->ResidentLines--;
        line.Entry = entry;
        line.Space = space;
        line.Address = address;
        *entry = (mapped & (PageTable.AddressMask | PageTable.Dirty)) | bits | PageTable.Accessed;
        space->ResidentLines++;
        space->PeakLines = Math.Max(space->PeakLines, space->ResidentLines);
        _sharedMoves++;
        _arrivals.WakeAll();
    }

    private Errno EachShared(uint backing, ulong first, ulong end, bool keeps)
    {
        Errno error = Errno.None;
        ulong lineCount = (ulong)(_lineCount + _overflowLines);
        ulong pages = Math.Min(end - first, lineCount);
        int slice = SliceEntries;
        for (ulong step = 0; step < pages && error == Errno.None && _sharedFiles[backing].Lines != 0; step++)
        {
            // A few pages are looked up, many are found by looking at all lines.
            int index = pages < lineCount ? FindShared(SharedNameOf(backing, first + step)) : (int)step;
            GiveTurn(ref slice, 1);
            while (index != Line.None && IsOf(index, backing, first, end) && _lines[index].State != LineState.Resident)
            {
                _arrivals.Wait();
            }

            if (index != Line.None && IsOf(index, backing, first, end))
            {
                error = keeps ? WriteBackShared(index) : Surrender(index);
                // The file has become shorter elsewhere.
                error = IsDisowned(error) ? Errno.None : error;
            }
        }

        return error;
    }

    private bool IsOf(int index, uint backing, ulong first, ulong end)
    {
        ulong name = _lines[index].SharedName;
        ulong page = name & ((1UL << SharedNameShift) - 1);
        return name >> SharedNameShift == backing && page >= first && page < end;
    }

    /// <summary>Writes a resident named line back where it is. BLOCKS when it is dirty.</summary>
    private Errno WriteBackShared(int index)
    {
        ref Line line = ref _lines[index];
        if ((*line.Entry & PageTable.Dirty) == 0)
        {
            return Errno.None;
        }

        return Clean(index);
    }

    /// <summary>Takes a resident named line out of its page table, written back, and frees it. On an error it is resident again. BLOCKS when it is dirty.</summary>
    private Errno Surrender(int index)
    {
        ref Line line = ref _lines[index];
        Errno error = Errno.None;
        if ((Detach(index, PageState.InFlight) & PageTable.Dirty) != 0)
        {
            BeginWriteBack(index);
            error = WriteBackVictim(index);
        }
        else
        {
            *line.Entry = StateBehind(ref line);
        }

        if (error == Errno.None)
        {
            GiveBack(index);
            _drops++;
        }

        _arrivals.WakeAll();
        return error;
    }

    /// <summary>Surrenders the line that an entry maps, if it is a named one.</summary>
    [Blocks]
    private Errno SurrenderShared(ulong* entry)
    {
        int index = PageState.IsPresent(*entry) ? LineOf(*entry) : Line.None;
        return index != Line.None && _lines[index].SharedName != 0 && _lines[index].State == LineState.Resident ? Surrender(index) : Errno.None;
    }

    /// <summary>As above, where nothing can be done about a failure.</summary>
    [Blocks]
    private void SurrenderForGood(ulong* entry)
    {
        Errno error = SurrenderShared(entry);
        if (error != Errno.None)
        {
            _sharedLost++;
            Log.Error($"excache: a page of a shared mapping could not be written back and is lost: errno {(int)error}");
        }
    }

    /// <summary>The owner has a newer page than lines that private mappings of the file show: those go (ExCache.Names.cs).</summary>
    private void ForgetOlder(ref Line written)
    {
        if (written.SharedName != 0)
        {
            ulong page = written.SharedName & ((1UL << SharedNameShift) - 1);
            Invalidate((uint)(written.SharedName >> SharedNameShift), page, page + 1);
        }
    }

    private static ulong SharedNameOf(uint backing, ulong page) => ((ulong)backing << SharedNameShift) | page;

    private int* BucketOf(ulong name) => _sharedLines + ((name * NameMultiplier) >> _nameShift);

    private int FindShared(ulong name)
    {
        int index = *BucketOf(name);
        while (index != Line.None && _lines[index].SharedName != name)
        {
            index = _lines[index].NextShared;
        }

        return index;
    }

    private void Share(int index, ulong name)
    {
        int* bucket = BucketOf(name);
        _lines[index].SharedName = name;
        _lines[index].NextShared = *bucket;
        *bucket = index;
        _sharedFiles[name >> SharedNameShift].Lines++;
    }

    /// <summary>The line is about to hold something else, or nothing.</summary>
    private void Unshare(int index)
    {
        ulong name = _lines[index].SharedName;
        if (name == 0)
        {
            return;
        }

        int* link = BucketOf(name);
        while (*link != index)
        {
            link = &_lines[*link].NextShared;
        }

        *link = _lines[index].NextShared;
        _lines[index].SharedName = 0;
        _sharedFiles[name >> SharedNameShift].Lines--;
    }
}
