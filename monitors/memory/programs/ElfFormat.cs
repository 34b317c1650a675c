// The parts of an x86-64 ELF file that a program loader reads (System V ABI, chapters 4 and 5; elf(5)). Layouts as in the file.

using System.Runtime.InteropServices;

namespace Lego.Memory;

/// <summary>Elf64_Ehdr.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct ElfHeader
{
    /// <summary>0x7F 'E' 'L' 'F' read as a little-endian number.</summary>
    internal const uint ExpectedMagic = 0x464C457F;
    internal const byte Class64 = 2;
    internal const byte LittleEndian = 1;
    internal const byte CurrentVersion = 1;
    internal const ushort TypeExecutable = 2;
    internal const ushort TypeShared = 3;
    internal const ushort MachineX8664 = 62;

    internal uint Magic;
    internal byte Class;
    internal byte Data;
    internal byte IdentVersion;
    internal byte Abi;
    internal ulong Padding;
    internal ushort Type;
    internal ushort Machine;
    internal uint Version;
    internal ulong Entry;
    internal ulong ProgramHeaderOffset;
    internal ulong SectionHeaderOffset;
    internal uint Flags;
    internal ushort HeaderSize;
    internal ushort ProgramHeaderSize;
    internal ushort ProgramHeaderCount;
    internal ushort SectionHeaderSize;
    internal ushort SectionHeaderCount;
    internal ushort SectionNameIndex;
}

/// <summary>Elf64_Phdr.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct ElfProgramHeader
{
    internal const uint TypeLoad = 1;
    internal const uint TypeInterpreter = 3;
    internal const uint TypeGnuStack = 0x6474E551;
    internal const uint FlagExecute = 1;
    internal const uint FlagWrite = 2;
    internal const uint FlagRead = 4;

    internal uint Type;
    internal uint Flags;
    internal ulong FileOffset;
    internal ulong Address;
    internal ulong PhysicalAddress;
    internal ulong FileBytes;
    internal ulong MemoryBytes;
    internal ulong Alignment;
}
