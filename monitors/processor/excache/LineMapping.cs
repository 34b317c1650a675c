// One more page-table entry that maps a line: the first one's stands in the line itself, so that a page of one space costs nothing more.

namespace Lego.Processor;

/// <summary>An entry, and where in which space it is; in a slab.</summary>
public unsafe struct LineMapping
{
    public LineMapping* Next;
    public ulong* Entry;
    public AddressSpace* Space;
    public ulong Address;
}

/// <summary>Which page of which object a line is; the zero value is none.</summary>
public readonly struct LineName
{
    public LineName(uint number, ulong page)
    {
        Number = number;
        Page = page;
    }

    /// <summary>The object (LineObjects), 0 = the line has no name.</summary>
    public uint Number { get; }

    /// <summary>Offset in the object, in pages.</summary>
    public ulong Page { get; }

    public bool IsNone => Number == 0;
}
