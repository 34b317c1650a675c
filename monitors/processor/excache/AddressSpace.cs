// An address space as its processor component knows it: the page table whose present entries are the ExCache's resident lines and whose
// other entries say where a page is (excache/PageState.cs), and a cache of what the home memory component said about ranges and owners. The
// truth about ranges is at the home; each of its replies replaces the cache (monitors/fabric/messages/SpaceMessages.cs). In a slab; shared
// by a process and its vfork child. Nothing here blocks.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Page table, ranges and owners of one address space.</summary>
public unsafe struct AddressSpace
{
    /// <summary>
    /// First address above the user half (the last page of the lower canonical half stays unused, as in Linux: TASK_SIZE_MAX).
    /// </summary>
    public const ulong Limit = 0x0000_7fff_ffff_f000;

    /// <summary>Name of the space in messages; unique in the rack.</summary>
    public uint Asid;
    /// <summary>The vNode of the processes that use it; it stands beside the name in messages.</summary>
    public ushort VNode;
    /// <summary>Neighbours on the list of all spaces of this component (Spaces.First).</summary>
    public AddressSpace* Next;
    public AddressSpace* Previous;
    /// <summary>Who holds it: processes that use it (2 between vfork and execve), and whoever copies from it as a stranger.</summary>
    public uint Users;
    /// <summary>Home memory component: takes every operation on ranges.</summary>
    public ushort Home;
    /// <summary>Physical address of the top-level page table.</summary>
    public ulong PageTableRoot;
    /// <summary>Present entries, for resident set sizes.</summary>
    public ulong ResidentLines;
    /// <summary>Most lines that were present at a time.</summary>
    public ulong PeakLines;
    /// <summary>Fills and write-backs under way; the space must not go away before they end.</summary>
    public uint InFlight;
    /// <summary>Fills among them. None begins while the ranges are being changed.</summary>
    public uint Fills;
    /// <summary>The map lock: a map call is under way (ExCache.BeginChange); faults that need a fill wait for its end.</summary>
    public bool IsChanging;

    /// <summary>Facts of the loaded program (ExecuteReply, ProgramStack).</summary>
    public ulong Break;
    public ulong ArgumentStart;
    public ulong ArgumentEnd;
    /// <summary>End of the initial environment strings, which begin at ArgumentEnd, and where the auxiliary vector begins.</summary>
    public ulong EnvironmentEnd;
    public ulong AuxiliaryStart;
    /// <summary>Bytes of all mapped ranges, for VmSize.</summary>
    public ulong MappedBytes;
    /// <summary>The most that it has been, for VmPeak.</summary>
    public ulong PeakMappedBytes;

    /// <summary>Files that it holds (Backings).</summary>
    public SpaceBacking* Backings;

    /// <summary>What becomes of its parts in a child (ForkAdvices).</summary>
    public AdvisedRange* Advised;

    /// <summary>Mapped ranges in ascending order.</summary>
    public RecordTable<VmaRecord> Ranges;
    /// <summary>Replies of the home that ranges and owners have been taken from.</summary>
    public uint HomeReplies;
    /// <summary>The version of Regions (RegionRecord).</summary>
    public uint OwnersVersion;
    /// <summary>Owners of vRegions in ascending order.</summary>
    public RecordTable<RegionRecord> Regions;

    /// <summary>The mapped range that holds an address; false when none does.</summary>
    public bool TryFindRange(ulong address, out VmaRecord range)
    {
        int index = Ranges.FindAtOrBelow(address);
        if (index >= 0 && address < Ranges[index].End)
        {
            range = Ranges[index];
            return true;
        }

        range = default;
        return false;
    }

    /// <summary>What a fault asks of the range that holds an address; false when none does.</summary>
    public bool TryFindRights(ulong address, out Protection protection, out VmaKind kind)
    {
        int index = Ranges.FindAtOrBelow(address);
        if (index < 0)
        {
            protection = Protection.None;
            kind = default;
            return false;
        }

        ref VmaRecord range = ref Ranges[index];
        protection = range.Protection;
        kind = range.Kind;
        return address < range.End;
    }

    /// <summary>Where the next range above an address that is in none begins; <paramref name="end"/> when that is not below it.</summary>
    public ulong NextRangeStart(ulong address, ulong end)
    {
        int next = Ranges.FindAtOrBelow(address) + 1;
        return next < Ranges.Count ? Math.Min(Ranges[next].Start, end) : end;
    }

    /// <summary>
    /// The memory component that owns an address: the vRegion's, or the home where no vRegion is known. It has the space's own pages; those
    /// of files and memory objects are at the home.
    /// </summary>
    public ushort OwnerOf(ulong address)
    {
        int index = Regions.FindAtOrBelow(address);
        if (index >= 0)
        {
            ref RegionRecord region = ref Regions[index];
            if (address - region.Start < region.Length)
            {
                return region.Owner;
            }
        }

        return Home;
    }

    /// <summary>
    /// Makes room for the records that one map call can add (a mapping in the middle of another: two; mremap: three). ENOMEM.
    /// </summary>
    public Errno ReserveRecords(FrameAllocator frames)
    {
        const int MostAdded = 4;
        const int MostRegionsAdded = MostAdded + OwnerRun.Most;
        Errno error = Ranges.Reserve(frames, Math.Min(Ranges.Count + MostAdded, RecordTable<VmaRecord>.MaxRecords));
        return error == Errno.None
            ? Regions.Reserve(frames, Math.Min(Regions.Count + MostRegionsAdded, RecordTable<RegionRecord>.MaxRecords))
            : error;
    }

    /// <summary>
    /// The home has said who the owners are, and nothing else. ESTALE: since it was asked, when there had been so many
    /// <paramref name="replies"/>, another reply has come, or a newer version is known.
    /// </summary>
    public Errno TakeOwners(FrameAllocator frames, ReadOnlySpan<RegionRecord> records, uint replies)
    {
        if (replies != HomeReplies || records[0].Version < OwnersVersion)
        {
            return Errno.ESTALE;
        }

        return TakeOwners(frames, records);
    }

    /// <summary>What the home will say of a copy of another space: the same ranges and owners. ENOMEM.</summary>
    public Errno CopyRanges(FrameAllocator frames, ref AddressSpace from)
    {
        Errno error = Ranges.Copy(frames, ref from.Ranges);
        OwnersVersion = from.OwnersVersion;
        return error == Errno.None ? Regions.Copy(frames, ref from.Regions) : error;
    }

    /// <summary>
    /// Replaces ranges and owners by the records of a reply. EPROTO when the reply is shorter than it says or not in order; ENOMEM.
    /// </summary>
    public Errno Apply(FrameAllocator frames, uint rangeCount, uint regionCount, ReadOnlySpan<byte> records)
    {
        ulong rangeBytes = rangeCount * (ulong)sizeof(VmaRecord);
        ulong regionBytes = regionCount * (ulong)sizeof(RegionRecord);
        if ((ulong)records.Length < rangeBytes + regionBytes)
        {
            return Errno.EPROTO;
        }

        ReadOnlySpan<VmaRecord> ranges = MemoryMarshal.Cast<byte, VmaRecord>(records.Slice(0, (int)rangeBytes));
        ReadOnlySpan<RegionRecord> regions = MemoryMarshal.Cast<byte, RegionRecord>(records.Slice((int)rangeBytes, (int)regionBytes));
        ulong end = 0;
        ulong mappedBytes = 0;
        for (int index = 0; index < ranges.Length; index++)
        {
            if (ranges[index].Start < end || ranges[index].End <= ranges[index].Start)
            {
                return Errno.EPROTO;
            }

            end = ranges[index].End;
            mappedBytes += end - ranges[index].Start;
        }

        if (end > Limit)
        {
            return Errno.EPROTO;
        }

        Errno error = Ranges.Replace(frames, ranges);
        if (error == Errno.None)
        {
            HomeReplies++;
            error = TakeOwners(frames, regions);
            MappedBytes = mappedBytes;
            PeakMappedBytes = Math.Max(PeakMappedBytes, mappedBytes);
        }

        return error;
    }

    /// <summary>
    /// Owners of an older version than the known one are those of a reply that has been overtaken: what it opened is in the newer one, too.
    /// </summary>
    private Errno TakeOwners(FrameAllocator frames, ReadOnlySpan<RegionRecord> records)
    {
        if (!records.IsEmpty && records[0].Version < OwnersVersion)
        {
            return Errno.None;
        }

        Errno error = Regions.Replace(frames, records);
        OwnersVersion = error == Errno.None && !records.IsEmpty ? records[0].Version : OwnersVersion;
        return error;
    }
}
