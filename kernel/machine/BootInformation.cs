// What the boot loader tells: the PVH start info (Xen public/arch-x86/hvm/start_info.h, version 1) with memory map, boot line and ACPI
// root.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>hvm_start_info; addresses are physical.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StartInformation
{
    internal const uint ExpectedMagic = 0x336EC578;

    internal uint Magic;
    internal uint Version;
    internal uint Flags;
    internal uint ModuleCount;
    internal ulong ModuleList;
    internal ulong CommandLine;
    internal ulong AcpiRootPointer;
    internal ulong MemoryMap;
    internal uint MemoryMapEntries;
    internal uint Reserved;
}

/// <summary>hvm_memmap_table_entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MemoryMapEntry
{
    internal const uint UsableMemory = 1;

    internal ulong Start;
    internal ulong LengthBytes;
    internal uint Type;
    internal uint Reserved;
}
