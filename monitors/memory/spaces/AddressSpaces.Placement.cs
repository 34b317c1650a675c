// Where a mapping without a fixed address goes. Inside the mmap area placement is Linux's: the highest free place below MapBase.
// Before a new vRegion is opened the active ones are searched, and among those that can take the mapping the one whose largest gap fits
// best is chosen (LegoOS's allocation protocol); with one active region, the usual case, the result is the same as Linux's.
// The region of the heap is left to brk. When the area below MapBase is full, placement goes on upwards (Linux's fallback).

using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    /// <summary>The best region so far, and the one being measured; the walk goes downwards.</summary>
    private struct RegionFit
    {
        internal ulong BestGap;
        internal ulong BestAddress;
        internal ulong Region;
        internal ulong LargestGap;
        internal ulong HighestFit;
    }

    /// <summary>Where mmap would place so many bytes; false when there is no such gap.</summary>
    public bool FindPlace(AddressSpace* space, ulong length, out ulong address) => FindGap(space, length, out address);

    private bool FindGap(AddressSpace* space, ulong length, out ulong address)
    {
        ulong heapRegionEnd = _regions.RoundUp(space->BreakEnd + 1);
        return FindInActiveRegions(space, length, heapRegionEnd, out address)
            || FindDownwards(space, length, heapRegionEnd, AddressLayout.MapBase, out address)
            || FindDownwards(space, length, AddressLayout.LowestAddress, AddressLayout.MapBase, out address)
            || FindUpwards(space, length, out address);
    }

    /// <summary>True when nothing is mapped in [start, end) and no stack's guard gap is touched.</summary>
    private static bool IsFree(AddressSpace* space, ulong start, ulong end)
    {
        Vma* vma = VmaTree.FindAtOrAbove(space, start);
        return vma == null || end <= GapEndBelow(vma);
    }

    /// <summary>Where the free space below a vma ends.</summary>
    private static ulong GapEndBelow(Vma* vma) =>
        vma->Kind == Fabric.Messages.VmaKind.Stack ? vma->Start - AddressLayout.StackGuardBytes : vma->Start;

    /// <summary>The highest place for <paramref name="length"/> bytes in [low, high).</summary>
    private static bool FindDownwards(AddressSpace* space, ulong length, ulong low, ulong high, out ulong address)
    {
        ulong end = high;
        Vma* above = VmaTree.FindAtOrAbove(space, high);
        Vma* below = above != null ? above->Previous : space->Last;
        if (above != null)
        {
            ulong limit = GapEndBelow(above);
            end = limit < end ? limit : end;
        }

        while (end > low)
        {
            ulong start = below != null && below->End > low ? below->End : low;
            if (end > start && end - start >= length)
            {
                address = end - length;
                return true;
            }

            if (below == null)
            {
                break;
            }

            end = GapEndBelow(below);
            below = below->Previous;
        }

        address = 0;
        return false;
    }

    private static bool FindUpwards(AddressSpace* space, ulong length, out ulong address)
    {
        address = AddressLayout.MapBaseBottomUp;
        for (Vma* vma = VmaTree.FindAtOrAbove(space, address); vma != null; vma = vma->Next)
        {
            ulong end = GapEndBelow(vma);
            if (end > address && end - address >= length)
            {
                return true;
            }

            address = vma->End > address ? vma->End : address;
        }

        return AddressLayout.TaskSize - address >= length;
    }

    private bool FindInActiveRegions(AddressSpace* space, ulong length, ulong low, out ulong address)
    {
        RegionFit fit = default;
        fit.BestGap = ulong.MaxValue;
        for (RegionRun* run = space->Regions; run != null; run = run->Next)
        {
            ulong start = run->Start > low ? run->Start : low;
            ulong end = run->End < AddressLayout.MapBase ? run->End : AddressLayout.MapBase;
            if (start < end)
            {
                MeasureRun(space, start, end, length, ref fit);
            }
        }

        address = fit.BestAddress;
        return fit.BestGap != ulong.MaxValue;
    }

    /// <summary>Walks the gaps of [low, high) downwards and cuts them at region borders.</summary>
    private void MeasureRun(AddressSpace* space, ulong low, ulong high, ulong length, ref RegionFit fit)
    {
        fit.Region = ulong.MaxValue;
        Vma* above = VmaTree.FindAtOrAbove(space, high);
        Vma* below = above != null ? above->Previous : space->Last;
        ulong end = above != null && GapEndBelow(above) < high ? GapEndBelow(above) : high;
        while (end > low)
        {
            ulong start = below != null && below->End > low ? below->End : low;
            if (start < end)
            {
                MeasureGap(start, end, length, ref fit);
            }

            if (below == null)
            {
                break;
            }

            end = GapEndBelow(below);
            below = below->Previous;
        }

        CloseRegion(length, ref fit);
    }

    private void MeasureGap(ulong start, ulong end, ulong length, ref RegionFit fit)
    {
        ulong region = _regions.RoundDown(end - 1);
        while (end > start)
        {
            ulong pieceStart = region > start ? region : start;
            MeasurePiece(region, pieceStart, end, length, ref fit);
            end = pieceStart;
            region -= _regions.RegionBytes;
            // Wholly free regions are all alike: measure the highest of them and the border pieces.
            if (end > start && region > start && region - start > _regions.RegionBytes)
            {
                MeasurePiece(region, region, end, length, ref fit);
                region = _regions.RoundDown(start);
                end = region + _regions.RegionBytes;
            }
        }
    }

    private static void MeasurePiece(ulong region, ulong start, ulong end, ulong length, ref RegionFit fit)
    {
        if (fit.Region != region)
        {
            CloseRegion(length, ref fit);
            fit.Region = region;
            fit.LargestGap = 0;
            fit.HighestFit = 0;
        }

        ulong gap = end - start;
        if (gap > fit.LargestGap)
        {
            fit.LargestGap = gap;
        }

        if (gap >= length && fit.HighestFit == 0)
        {
            fit.HighestFit = end - length;
        }
    }

    private static void CloseRegion(ulong length, ref RegionFit fit)
    {
        bool better = fit.LargestGap < fit.BestGap || (fit.LargestGap == fit.BestGap && fit.HighestFit > fit.BestAddress);
        if (fit.Region != ulong.MaxValue && fit.LargestGap >= length && better)
        {
            fit.BestGap = fit.LargestGap;
            fit.BestAddress = fit.HighestFit;
        }

        fit.Region = ulong.MaxValue;
    }
}
