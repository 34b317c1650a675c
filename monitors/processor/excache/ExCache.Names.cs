// Named lines: pages of objects, found by object and page (LineObjects.cs, Line.cs). They outlive whoever maps them and go by eviction, or
// when the object's contents change: whoever changes them, or hears of it, calls Invalidate.
//
// Nothing tells this component what another one does to a file, so while the rack has a second processor component names are given only to
// lines that MAP_SHARED mappings show (ShareNames), as long as they do; else each space fetches the pages of files for itself. Nothing here
// blocks.

using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>2^64 divided by the golden ratio (Knuth, TAOCP 3, section 6.4).</summary>
    private const ulong NameMultiplier = 0x9E3779B97F4A7C15;

    private readonly LineObjects _objects;
    private readonly Slab<LineMapping> _mappings;
    /// <summary>First line of each bucket of names.</summary>
    private readonly int* _names;
    private readonly int _nameShift;
    private bool _sharesNames;
    private ulong _mappedEntries;
    private ulong _namedLines;

    /// <summary>The objects that lines can be pages of.</summary>
    public LineObjects Objects => _objects;

    /// <summary>
    /// True while this component alone changes the files of its volumes, as far as it knows: then lines of files have names.
    /// </summary>
    public bool SharesNames => _sharesNames;

    /// <summary>Says whether it does. When it does no longer, all names go but those of lines that MAP_SHARED mappings show.</summary>
    public void ShareNames(bool isAlone)
    {
        if (!isAlone)
        {
            ForgetNames();
        }

        _sharesNames = isAlone;
    }

    /// <summary>The number of an object; 0 when all are in use. Lines of an object that nobody uses may go.</summary>
    public uint NumberOf(in ObjectIdentity identity)
    {
        uint number = _objects.Find(in identity);
        if (number != 0)
        {
            return number;
        }

        number = _objects.FindUnused();
        if (number != 0)
        {
            Invalidate(number, 0, ulong.MaxValue);
            _objects.Assign(number, in identity);
        }

        return number;
    }

    /// <summary>
    /// Pages [first, end) of an object have changed, or have ceased to exist: nothing of what was before is seen by a later look.
    /// </summary>
    [NoBlock]
    public void Invalidate(uint number, ulong first, ulong end)
    {
        _objects.Change(number);
        _stale.Begin();
        if (end - first <= (ulong)_lineCount)
        {
            for (ulong page = first; page < end && _objects.LinesOf(number) != 0; page++)
            {
                DropNamed(Find(new LineName(number, page)));
            }
        }
        else
        {
            for (int index = 0; index < _lineCount + _overflowLines && _objects.LinesOf(number) != 0; index++)
            {
                if (_lines[index].Object == number && _lines[index].Page >= first && _lines[index].Page < end)
                {
                    DropNamed(index);
                }
            }
        }

        _stale.End();
        _arrivals.WakeAll();
    }

    /// <summary>As Invalidate, for an object that may have no number.</summary>
    public void Invalidate(in ObjectIdentity identity, ulong first, ulong end)
    {
        uint number = _objects.Find(in identity);
        if (number != 0)
        {
            Invalidate(number, first, end);
        }
    }

    /// <summary>Drops everything that is known of objects: their owner has lost it, or others may change it.</summary>
    [NoBlock]
    public void ForgetNames()
    {
        for (uint number = 1; number <= LineObjects.MaxObjects; number++)
        {
            _objects.Change(number);
        }

        _stale.Begin();
        for (int index = 0; index < _lineCount + _overflowLines; index++)
        {
            DropNamed(_lines[index].IsNamed ? index : Line.None);
        }

        _stale.End();
        _arrivals.WakeAll();
    }

    /// <summary>The line that bears a name, which may still be filling; None.</summary>
    private int Find(LineName name)
    {
        int index = *BucketOf(name);
        while (index != Line.None && (_lines[index].Object != name.Number || _lines[index].Page != name.Page))
        {
            index = _lines[index].NextNamed;
        }

        return index;
    }

    /// <summary>Gives a filling line a name. False: another line has it.</summary>
    private bool TryName(int index, LineName name)
    {
        if (Find(name) != Line.None)
        {
            return false;
        }

        ref Line line = ref _lines[index];
        int* bucket = BucketOf(name);
        line.Object = name.Number;
        line.Page = name.Page;
        line.NextNamed = *bucket;
        *bucket = index;
        _objects.AddLine(name.Number);
        _namedLines++;
        return true;
    }

    private void ForgetName(int index)
    {
        ref Line line = ref _lines[index];
        int* link = BucketOf(new LineName(line.Object, line.Page));
        while (*link != index)
        {
            link = &_lines[*link].NextNamed;
        }

        *link = line.NextNamed;
        _objects.RemoveLine(line.Object);
        line.Object = 0;
        _namedLines--;
    }

    /// <summary>
    /// A resident line goes; one that is filling is its filler's, who sees that the object has changed. What programs store into is not
    /// dropped here: whoever changes the object has withdrawn it before (ExCache.Shared.cs).
    /// </summary>
    private void DropNamed(int index)
    {
        if (index != Line.None && _lines[index].State == LineState.Written)
        {
            DropWritten(index);
        }
        else if (index != Line.None && _lines[index].State == LineState.Resident && _lines[index].Storers == 0)
        {
            TakeFromAll(index);
            GiveBack(index);
            _drops++;
        }
    }

    private int* BucketOf(LineName name) => _names + ((((name.Page * 31) + name.Number) * NameMultiplier) >> _nameShift);

    /// <summary>The set of a named line: neighbours of an object are in neighbouring sets, and objects begin in different ones.</summary>
    private int SetOf(LineName name) => (int)((name.Page + ((name.Number * NameMultiplier) >> 32)) % (ulong)_setCount);
}
