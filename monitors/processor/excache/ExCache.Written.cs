// Named lines that a write(2) has changed and whose owner has not been told yet. Which writes may end here, and how the pages reach the
// memory component, is decided by those who know files (files/KeptWrites.cs); this part holds the pages and sends nothing.
//
// What holds besides Line.cs:
// * A written line is mapped by nobody and is no victim: instead of its set's list it is on that of its object, until it is written back or
//   its object's contents are gone.
// * They are never more than a quarter of a set and an eighth of all lines, so that faults and reads find victims.
//
// Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    private const int WrittenShareOfSet = 4;
    private const int WrittenShareOfAll = 8;

    private int _writtenLines;
    private ulong _writtenLost;

    /// <summary>Bytes of the written lines.</summary>
    public ulong WrittenBytes => (ulong)_writtenLines * PageOperations.PageSize;

    /// <summary>
    /// Changes bytes of a page of an object where its line is, which is written then. False, and nothing has changed, if a mapping shows
    /// the page, if it is not resident and the bytes are not all of it and in one piece, or if there is no room.
    /// </summary>
    public bool TryWrite(uint number, ulong page, int offset, in SplitBytes bytes)
    {
        // The line that makes room may be one that the bytes come from: a whole page would be copied to itself, two pieces over each other.
        LineName name = new(number, page);
        int index = Find(name);
        bool isWritten = index != Line.None && _lines[index].State == LineState.Written;
        if (!isWritten && !TryTakeForWriting(name, bytes.Head.Length == PageOperations.PageSize, ref index))
        {
            return false;
        }

        bytes.CopyTo(FrameAddress(_lines[index].Frame) + offset);
        _objects.Change(number);
        return true;
    }

    /// <summary>The first page of a run of written pages of an object. False: there is none.</summary>
    public bool TryFindWritten(uint number, out ulong page)
    {
        int index = _objects.FirstWritten(number) - 1;
        page = index == Line.None ? 0 : _lines[index].Page;
        while (index != Line.None && page != 0 && IsWritten(number, page - 1))
        {
            page--;
        }

        return index != Line.None;
    }

    /// <summary>True when one of the pages [first, end) of an object is written.</summary>
    public bool HasWritten(uint number, ulong first, ulong end)
    {
        for (int index = _objects.FirstWritten(number) - 1; index != Line.None; index = _lines[index].Newer)
        {
            if (_lines[index].Page >= first && _lines[index].Page < end)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True when a page of an object that is not one of [first, end) is written.</summary>
    public bool HasWrittenBeside(uint number, ulong first, ulong end)
    {
        for (int index = _objects.FirstWritten(number) - 1; index != Line.None; index = _lines[index].Newer)
        {
            if (_lines[index].Page < first || _lines[index].Page >= end)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True when a page of an object is written.</summary>
    public bool IsWritten(uint number, ulong page)
    {
        int index = Find(new LineName(number, page));
        return index != Line.None && _lines[index].State == LineState.Written;
    }

    /// <summary>The owner has the written ones among pages [first, end) of an object: they are like any other line.</summary>
    public void EndWritten(uint number, ulong first, ulong end)
    {
        for (ulong page = first; page < end; page++)
        {
            int index = Find(new LineName(number, page));
            if (index != Line.None && _lines[index].State == LineState.Written)
            {
                Unlist(index);
                _lines[index].State = LineState.Resident;
                LineList.Append(_lines, ref _sets[SetOfLine(index)], index);
            }
        }

        _arrivals.WakeAll();
    }

    /// <summary>Makes the line of a page written: the one that it has, or for all of its bytes another one.</summary>
    private bool TryTakeForWriting(LineName name, bool isWhole, ref int index)
    {
        int set = index == Line.None ? SetOf(name) : SetOfLine(index);
        if (!_sharesNames || set == _setCount || _writtenLines >= _lineCount / WrittenShareOfAll
            || _sets[set].Written >= _ways / WrittenShareOfSet)
        {
            return false;
        }

        if (index != Line.None)
        {
            if (_lines[index].State != LineState.Resident || _lines[index].Entry != null)
            {
                return false;
            }

            LineList.Remove(_lines, ref _sets[set], index);
        }
        else if (isWhole && TryTakeForPage(set, out index))
        {
            BecomePage(index, name);
        }
        else
        {
            return false;
        }

        List(index);
        return true;
    }

    private void List(int index)
    {
        ref Line line = ref _lines[index];
        ref int first = ref _objects.FirstWritten(line.Object);
        line.State = LineState.Written;
        line.Older = Line.None;
        line.Newer = first - 1;
        if (line.Newer != Line.None)
        {
            _lines[line.Newer].Older = index;
        }

        first = index + 1;
        _sets[SetOfLine(index)].Written++;
        _writtenLines++;
    }

    private void Unlist(int index)
    {
        ref Line line = ref _lines[index];
        if (line.Newer != Line.None)
        {
            _lines[line.Newer].Older = line.Older;
        }

        if (line.Older != Line.None)
        {
            _lines[line.Older].Newer = line.Newer;
        }
        else
        {
            _objects.FirstWritten(line.Object) = line.Newer + 1;
        }

        _sets[SetOfLine(index)].Written--;
        _writtenLines--;
    }

    /// <summary>The contents of a written line's object are gone, and what was written with them.</summary>
    private void DropWritten(int index)
    {
        Unlist(index);
        _residentLines--;
        _writtenLost++;
        GiveBack(index);
        _drops++;
    }
}
