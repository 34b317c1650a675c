// What an address space remembers of the files behind its ranges: their numbers only (process/Backings.cs).

namespace Lego.Processor;

/// <summary>How an address space uses a file.</summary>
public enum BackingUse : byte
{
    /// <summary>Ranges map it.</summary>
    Mapped,
    /// <summary>The space was made for this program.</summary>
    Program,
}

/// <summary>One file that an address space holds, in the space's list.</summary>
public unsafe struct SpaceBacking
{
    public SpaceBacking* Next;
    public uint Backing;
    public BackingUse Use;
    /// <summary>A range names it; scratch of Prune.</summary>
    public bool IsNamed;
}
