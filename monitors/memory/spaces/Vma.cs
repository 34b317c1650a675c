// One mapped range of an address space with its protection and what backs it (Linux: struct vm_area_struct).

using Lego.Fabric.Messages;

namespace Lego.Memory;

/// <summary>A node of the vma tree and of the list in address order.</summary>
internal unsafe struct Vma
{
    internal ulong Start;
    internal ulong End;
    internal VmaKind Kind;
    internal Protection Protection;
    internal VmaTraits Traits;
    internal uint Priority;
    /// <summary>File mappings: the cached file (held), and the offset of Start in it.</summary>
    internal CachedFile* File;
    internal ulong FileOffset;
    /// <summary>The processor component's name for the file (VmaRecord).</summary>
    internal uint Backing;
    internal Vma* Left;
    internal Vma* Right;
    internal Vma* Next;
    internal Vma* Previous;

    /// <summary>Stores into it reach the file, or will if it is made writable.</summary>
    internal readonly bool MayBeWritten => (Traits & (VmaTraits.Shared | VmaTraits.MayWrite)) == (VmaTraits.Shared | VmaTraits.MayWrite);

    /// <summary>True when this range directly continues <paramref name="before"/> and nothing distinguishes them.</summary>
    internal readonly bool Continues(Vma* before) =>
        before->End == Start && before->Kind == Kind && before->Protection == Protection && before->File == File
        && before->Backing == Backing && Kind != VmaKind.Stack
        && ((before->Traits ^ Traits) & (VmaTraits.Shared | VmaTraits.MayWrite)) == 0
        && (File == null || before->FileOffset + (before->End - before->Start) == FileOffset);
}

/// <summary>What a vma remembers besides its protection.</summary>
[System.Flags]
internal enum VmaTraits : uint
{
    None = 0,
    /// <summary>It was writable at some time, so dirty lines of it may still arrive after an mprotect.</summary>
    WasWritable = 1,
    /// <summary>
    /// A MAP_SHARED mapping: its pages are those of the file, for reading and writing, and the space has none of its own.
    /// </summary>
    Shared = 2,
    /// <summary>A shared mapping that may be, or become, writable.</summary>
    MayWrite = 4,
}
