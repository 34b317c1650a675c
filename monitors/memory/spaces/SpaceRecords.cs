// The complete list of a space's mappings and vRegions as records on the wire (SpaceMessages.cs).

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;

namespace Lego.Memory;

/// <summary>Writes VmaRecords, then RegionRecords.</summary>
internal static unsafe class SpaceRecords
{
    /// <summary>Most bytes of records, those of all ranges and runs that a space may have: 64 KB with the head of a reply.</summary>
    internal const int MaxBytes = ((int)AddressLayout.MaxVmas * VmaBytes) + ((int)RegionTable.MaxRuns * RegionBytes);

    private const int VmaBytes = 32;
    private const int RegionBytes = 24;

    private static VmaKind KindOf(Vma* vma) => (vma->Traits & VmaTraits.Shared) == 0 ? vma->Kind
        : vma->File != null ? VmaKind.SharedFile : VmaKind.SharedAnonymous;

    /// <summary>Fills the buffer; returns the bytes used and how many records of each kind there are.</summary>
    internal static int Write(AddressSpace* space, Span<byte> buffer, out uint vmas, out uint regions)
    {
        int used = 0;
        vmas = 0;
        for (Vma* vma = space->First; vma != null; vma = vma->Next)
        {
            VmaRecord record = default;
            record.Start = vma->Start;
            record.End = vma->End;
            record.Kind = KindOf(vma);
            record.Protection = vma->Protection;
            record.Backing = vma->Backing;
            record.FileOffset = vma->FileOffset;
            MemoryMarshal.Write(buffer.Slice(used), in record);
            used += sizeof(VmaRecord);
            vmas++;
        }

        return used + WriteOwners(space, buffer.Slice(used), out regions);
    }

    /// <summary>The vRegions alone.</summary>
    internal static int WriteOwners(AddressSpace* space, Span<byte> buffer, out uint regions)
    {
        int used = 0;
        regions = 0;
        for (RegionRun* run = space->Regions; run != null && buffer.Length - used >= sizeof(RegionRecord); run = run->Next)
        {
            RegionRecord record = default;
            record.Start = run->Start;
            record.Length = run->End - run->Start;
            record.Owner = run->Owner;
            record.Version = space->Moves;
            MemoryMarshal.Write(buffer.Slice(used), in record);
            used += sizeof(RegionRecord);
            regions++;
        }

        return used;
    }
}
