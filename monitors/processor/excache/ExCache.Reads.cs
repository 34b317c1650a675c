// Named lines and read(2): the bytes of a file's page are where its line is, whoever fetched it, a mapping, a program that ran, or an
// earlier read.
//
// A read displaces no page of a program. What it brings takes a free line or that of another file's page, and stands first in its set's
// list: whoever needs room gets its line before all others (the LRU insertion policy of Qureshi et al., ISCA 2007), so that a program that
// reads through a large file uses one line of each full set for it. Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    private ulong _readsFound;
    private ulong _readsKept;

    /// <summary>True when pages [first, end) of an object are all resident.</summary>
    public bool HasPages(uint number, ulong first, ulong end)
    {
        bool isThere = number != 0 && end - first <= _objects.LinesOf(number);
        for (ulong page = first; isThere && page < end; page++)
        {
            isThere = TryFindPage(number, page, out _);
        }

        return isThere;
    }

    /// <summary>The bytes of a page of an object, if a line has them; valid until the caller blocks.</summary>
    public bool TryFindPage(uint number, ulong page, out byte* bytes)
    {
        int index = Find(new LineName(number, page));
        bool isThere = index != Line.None && _lines[index].State is (LineState.Resident or LineState.Written);
        bytes = isThere ? FrameAddress(_lines[index].Frame) : null;
        return isThere;
    }

    /// <summary>Counts a read that needed no message.</summary>
    public void CountRead() => _readsFound++;

    /// <summary>
    /// Keeps a page of an object, whose rest is zeros, as its owner had it when the object's version was <paramref name="version"/>. Not if
    /// it has changed since, if a line has the page already or is about to, or if there is no room.
    /// </summary>
    public void KeepPage(uint number, ulong page, uint version, ReadOnlySpan<byte> bytes)
    {
        LineName name = new(number, page);
        bool isWanted = _sharesNames && version == _objects.VersionOf(number) && Find(name) == Line.None;
        if (!isWanted || !TryTakeForPage(SetOf(name), out int index))
        {
            return;
        }

        ref Line line = ref _lines[index];
        byte* frame = FrameAddress(line.Frame);
        if (bytes.Length < PageOperations.PageSize)
        {
            PageOperations.Clear(frame);
        }

        fixed (byte* from = bytes)
        {
            PageOperations.CopyBytes(frame, from, (ulong)bytes.Length);
        }

        BecomePage(index, name);
        line.State = LineState.Resident;
        LineList.Prepend(_lines, ref _sets[SetOfLine(index)], index);
        _readsKept++;
    }

    /// <summary>
    /// The owner of an object has taken these bytes, and nobody else has changed the object meanwhile: lines that no mapping shows get
    /// them, others go. A page that the bytes fill is kept as <see cref="KeepPage"/> does.
    /// </summary>
    public void Rewrite(uint number, ulong offset, ReadOnlySpan<byte> bytes)
    {
        _objects.Change(number);
        while (!bytes.IsEmpty)
        {
            ulong page = offset / PageOperations.PageSize;
            int inPage = (int)(offset % PageOperations.PageSize);
            int length = Math.Min(bytes.Length, PageOperations.PageSize - inPage);
            int index = Find(new LineName(number, page));
            if (index == Line.None && length == PageOperations.PageSize)
            {
                KeepPage(number, page, _objects.VersionOf(number), bytes.Slice(0, length));
            }
            else if (index != Line.None && _lines[index].State == LineState.Resident && _lines[index].Entry == null)
            {
                bytes.Slice(0, length).CopyTo(PageSpan(_lines[index].Frame).Slice(inPage));
            }
            else
            {
                DropNamed(index);
            }

            offset += (ulong)length;
            bytes = bytes.Slice(length);
        }

        _arrivals.WakeAll();
    }

    /// <summary>A line that is Filling becomes that of a page which has none; nobody maps it.</summary>
    private void BecomePage(int index, LineName name)
    {
        ref Line line = ref _lines[index];
        TryName(index, name);
        line.Entry = null;
        line.Space = null;
        line.Address = 0;
        line.Origin = LineOrigin.Local;
        _residentLines++;
    }

    /// <summary>
    /// A free line of a set, or that of the file's page that stands first in its list, if no mapping stores into it; it is Filling then.
    /// </summary>
    private bool TryTakeForPage(int set, out int index)
    {
        index = TakeFree(set);
        if (index == Line.None && _sets[set].Oldest != Line.None && _lines[_sets[set].Oldest].IsNamed
            && _lines[_sets[set].Oldest].Storers == 0)
        {
            index = _sets[set].Oldest;
            TryTakeOut(index);
        }

        return index != Line.None;
    }
}
