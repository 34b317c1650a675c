// Messages that a processor component sends to the home memory component of a process: everything about its virtual memory.
// The processor keeps only what a reply tells it: ranges with their kind and protection (VmaRecord) and owners of vRegions (RegionRecord).
// The header's asid names the address space; Execute and Fork create the one they name.
//
// Execute  ExecuteRequest + file + interpreter      reply ExecuteReply + records
//          Both are absolute paths, without terminator. The processor component has checked the execute permissions, and it rewrites
//          interpreter scripts ("#!"), which are ENOEXEC here. The stack is mapped and empty: the processor component builds what the
//          program finds there, in its own lines.
//          A program that names an interpreter (PT_INTERP) when the request brings none is ELIBACC, and the reply is the name: the
//          processor component looks it up and asks again.
// Fork     ForkRequest                              reply SpaceReply + records (of the child)
// Exit     empty                                    reply empty; frees the space
// Map      MapRequest + path\0 (file mappings)      reply SpaceReply + records
// Unmap    RangeRequest                             reply SpaceReply + records
// Protect  RangeRequest                             reply SpaceReply + records
// Remap    RemapRequest                             reply SpaceReply + records
// Break    RangeRequest (Address = wanted break; 0 asks)      reply SpaceReply + records
// Discard  RangeRequest                             reply SpaceReply + records; forgets pages, keeps ranges
//
// A home whose space has vRegions at other memory components tells these owners what concerns their pages. An owner knows no ranges: what
// it has of a space is its part, the pages of the vRegions that it was granted.
//
// Grant      GrantRequest                           reply empty; makes the part, or adds to it
// Fork       ForkRequest                            reply empty; the child's part, pages copy-on-write
// Discard    RangeRequest                           reply empty; forgets the part's pages in the range
// Exit       empty                                  reply empty; forgets the part
// CopyPages  CopyPagesRequest                       reply empty; the pages of a range are at another one as well, at whoever owns that
//
// Replies of a home to a processor carry the records with an error, too: some requests are carried out in part.
// Records are VmaCount VmaRecords, then RegionCount RegionRecords: always the complete list of the space after the operation, sorted by
// address, so that a processor component that lost a reply is right again after the next one.

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>What backs a mapped range, as far as a processor component needs to know it.</summary>
public enum VmaKind : ushort
{
    /// <summary>Anonymous: a page never written back is zero and is made locally (p-local line).</summary>
    Anonymous = 1,
    /// <summary>Private file mapping: always fetched.</summary>
    File = 2,
    /// <summary>Stack: anonymous, grows down to its range's start (the range is reserved in full from the beginning).</summary>
    Stack = 3,
    /// <summary>
    /// MAP_SHARED mapping of a file, or of a memory object (MemoryObjects): its pages are the file's, for reading and writing.
    /// </summary>
    SharedFile = 4,
    /// <summary>MAP_SHARED of nothing: zeros that nobody can write; otherwise as Anonymous.</summary>
    SharedAnonymous = 5,
    /// <summary>The page of numbers that the vDSO reads. Untouched, it is made where the program runs; otherwise as Anonymous.</summary>
    VdsoData = 6,
    /// <summary>The page of the vDSO's code; as VdsoData.</summary>
    VdsoCode = 7,
}

/// <summary>PROT_* of mmap(2).</summary>
[System.Flags]
public enum Protection : ushort { None = 0, Read = 1, Write = 2, Execute = 4 }

/// <summary>One mapped range [Start, End), both page-aligned.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct VmaRecord
{
    public ulong Start;
    public ulong End;
    public VmaKind Kind;
    public Protection Protection;
    /// <summary>What the processor component named the file when it mapped it (MapRequest, ExecuteRequest); 0 = nothing.</summary>
    public uint Backing;
    /// <summary>Offset of Start in the file.</summary>
    public ulong FileOffset;
}

/// <summary>The memory component that owns the vRegion at [Start, Start + Length).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct RegionRecord
{
    /// <summary>Most records of a space.</summary>
    public const int Most = 60;

    public ulong Start;
    public ulong Length;
    public ushort Owner;
    public ushort Reserved0;
    /// <summary>Of the space's owners: grows with every move of vRegions (MoveMessages.cs), the same in all records of a reply.</summary>
    public uint Version;
}

/// <summary>Load a program into the new address space of the header's asid.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ExecuteRequest
{
    /// <summary>Storage component that holds the file's volume; MemoryObjects.Storage for a program in memory (memfd_create).</summary>
    public ushort Storage;
    public ushort FilePathLength;
    /// <summary>What Open said the file is.</summary>
    public FileHandle File;
    /// <summary>The processor component's name for the file, which comes back in the records of its segments.</summary>
    public uint Backing;
    /// <summary>The same for the interpreter.</summary>
    public uint InterpreterBacking;
    /// <summary>Inode 0: none is known yet.</summary>
    public FileHandle Interpreter;
    public ushort InterpreterPathLength;
    /// <summary>Storage component that holds the interpreter's volume.</summary>
    public ushort InterpreterStorage;
}

/// <summary>Where the program starts.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ExecuteReply
{
    /// <summary>Where it begins: in its interpreter, when it has one.</summary>
    public ulong InstructionPointer;
    /// <summary>End of the stack's range.</summary>
    public ulong StackTop;
    public ulong Break;
    /// <summary>AT_ENTRY, AT_PHDR, AT_BASE, AT_SYSINFO_EHDR and AT_PHNUM of getauxval(3).</summary>
    public ulong Entry;
    public ulong ProgramHeaders;
    public ulong InterpreterBase;
    public ulong VdsoImage;
    public uint ProgramHeaderCount;
    public uint Reserved;
    public uint VmaCount;
    public uint RegionCount;
}

/// <summary>Copy the address space of the header's asid to <see cref="ChildAsid"/>, pages copy-on-write.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ForkRequest
{
    public uint ChildAsid;
    /// <summary>From a home to an owner: what the home calls the child (GrantRequest.Number).</summary>
    public uint Number;
}

/// <summary>The vRegions in [Start, Start + Length) of the header's space are the receiver's. The sender is the space's home.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct GrantRequest
{
    public ulong Start;
    public ulong Length;
    /// <summary>
    /// The home's own number of the space, which it gives to no other: the names of spaces begin anew with each life of their processor.
    /// </summary>
    public uint Number;
    /// <summary>Node of the processor component that made the space; the part ends with it, as it does with the home.</summary>
    public ushort Processor;
    public ushort Reserved;
}

/// <summary>
/// mremap(2) over vRegions of several owners: the pages of [From, From + Length), which are the receiver's, are also at To on, in vRegions
/// of <see cref="Target"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct CopyPagesRequest
{
    public ulong From;
    public ulong To;
    public ulong Length;
    public ushort Target;
    public ushort Reserved0;
    public uint Reserved1;
}

/// <summary>mmap(2).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MapRequest
{
    public ulong Address;
    public ulong Length;
    public Protection Protection;
    /// <summary>
    /// MAP_SHARED: what this mapping may ever allow; writing only if the descriptor could be written to (mprotect(2): EACCES).
    /// </summary>
    public Protection Allowed;
    /// <summary>MAP_* flags of mmap(2), unchanged.</summary>
    public uint Flags;
    /// <summary>For mappings of files and of memory objects; 0 for private anonymous ones.</summary>
    public FileHandle File;
    public ulong FileOffset;
    public ushort Storage;
    public ushort PathLength;
    /// <summary>
    /// The processor component's name for the file, which comes back in records; the memory component gives it no meaning.
    /// </summary>
    public uint Backing;
}

/// <summary>munmap(2), mprotect(2), brk(2), madvise(2).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct RangeRequest
{
    public ulong Address;
    public ulong Length;
    public Protection Protection;
    public ushort Reserved0;
    public uint Reserved1;
}

/// <summary>mremap(2).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct RemapRequest
{
    public ulong OldAddress;
    public ulong OldLength;
    public ulong NewLength;
    public ulong NewAddress;
    /// <summary>MREMAP_* flags.</summary>
    public uint Flags;
    public uint Reserved;
}

/// <summary>Result of an address-space operation; the records follow.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SpaceReply
{
    /// <summary>Most ranges of a space, as vm.max_map_count tells: one reply has them all. Linux's own default is 65,530.</summary>
    public const uint MaxRanges = 2000;

    /// <summary>Address that the operation returns to the program (mmap, mremap, brk); 0 otherwise.</summary>
    public ulong Address;
    public uint VmaCount;
    public uint RegionCount;
}
