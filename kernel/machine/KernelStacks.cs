// Kernel stacks, of threads and of CPUs. The area is cut into slots; a stack takes the upper pages of one, and what is below them is not
// mapped, so a stack that grows too far faults instead of reaching the next one. A bit says which slots are used, and the lowest free one
// is taken. One last-level table maps a word's worth of slots and is there while one of them is used.
//
// What is given back: the frames at once. The slot, and its table when it is the last one, only when all CPUs have forgotten its
// translations (SDM vol. 3, 4.10.5). Where there are several, one may answer late, on a host with fewer cores: so many slots share one such
// request, or it waits until a CPU idles. Touched with the kernel lock held, or before there are other CPUs.

using System;
using System.Numerics;

namespace Lego.Kernel;

/// <summary>Maps and unmaps kernel stacks.</summary>
internal static unsafe class KernelStacks
{
    private const ulong AreaBase = 0xFFFFC00000000000;
    private const int SlotPages = 16;
    private const ulong SlotBytes = SlotPages * PageOperations.PageSize;
    /// <summary>Bits of a word: SlotPages times so many are the entries of a table.</summary>
    private const int SlotsPerTable = 32;
    private const int MostTables = PageOperations.PageSize / (2 * sizeof(uint));
    /// <summary>Slots that wait to be forgotten at most, when there are several CPUs.</summary>
    private const int MostStale = 64;

    /// <summary>One word for each last-level table, a bit for each slot that is used.</summary>
    private static uint* s_used;
    /// <summary>Those of them that hold no stack any more and may still be translated somewhere.</summary>
    private static uint* s_stale;
    private static int s_staleCount;
    /// <summary>Tables that have ever been used: behind them all words are 0.</summary>
    private static int s_tables;

    /// <summary>User roots copy the root's entry of the area, so it must exist before them. Start-up.</summary>
    internal static void Initialize(ulong root, FrameAllocator frames)
    {
        s_used = (uint*)frames.AllocateCleared();
        s_stale = s_used + MostTables;
        PageTable.Entry(root, AreaBase, frames);
    }

    /// <summary>Maps a stack of at most SlotPages - 1 pages; gives its top, or 0 when memory or the area is exhausted.</summary>
    [NoBlock]
    [NoAllocation]
    internal static ulong Map(FrameAllocator frames, int pages)
    {
        int table = 0;
        while (table < MostTables && s_used[table] == uint.MaxValue)
        {
            table++;
        }

        if (table == MostTables)
        {
            return 0;
        }

        int slot = BitOperations.TrailingZeroCount(~s_used[table]);
        s_used[table] |= 1u << slot;
        s_tables = Math.Max(s_tables, table + 1);
        ulong top = AreaBase + ((ulong)((table * SlotsPerTable) + slot + 1) * SlotBytes);
        if (MapBelow(top, pages, frames))
        {
            return top;
        }

        Unmap(top, frames);
        return 0;
    }

    /// <summary>Gives a stack back that nobody runs on.</summary>
    [NoBlock]
    [NoAllocation]
    internal static void Unmap(ulong top, FrameAllocator frames)
    {
        ulong start = top - SlotBytes;
        ulong* entries = PageTable.Find(PageTable.KernelRoot, start);
        for (int page = 0; entries != null && page < SlotPages; page++)
        {
            if ((entries[page] & PageTable.Present) != 0)
            {
                // Nobody takes the frame before the kernel lock is free, and nobody touches it by this address.
                frames.Free(PhysicalAddress.ToKernel(entries[page] & PageTable.AddressMask));
                entries[page] = 0;
            }
        }

        int number = (int)((start - AreaBase) / SlotBytes);
        s_stale[number / SlotsPerTable] |= 1u << (number % SlotsPerTable);
        s_staleCount++;
        if (Processors.Count == 1 || s_staleCount == MostStale)
        {
            ForgetStale(frames);
        }
    }

    /// <summary>For a CPU that has nothing else to do.</summary>
    [NoBlock]
    [NoAllocation]
    internal static void Tidy(FrameAllocator frames)
    {
        if (s_staleCount != 0)
        {
            ForgetStale(frames);
        }
    }

    /// <summary>Has all CPUs forget the translations of stale slots, which are free afterwards, and frees tables without slots.</summary>
    private static void ForgetStale(FrameAllocator frames)
    {
        // Tables that go, linked through their first words, which stay entries that are not present.
        ulong* gone = null;
        for (int table = 0; table < s_tables; table++)
        {
            if (s_stale[table] == 0)
            {
                continue;
            }

            s_used[table] &= ~s_stale[table];
            s_stale[table] = 0;
            ulong* directory = PageTable.FindDirectory(PageTable.KernelRoot, AreaBase + ((ulong)(table * SlotsPerTable) * SlotBytes));
            if (s_used[table] == 0 && directory != null && (*directory & PageTable.Present) != 0)
            {
                ulong* entries = (ulong*)PhysicalAddress.ToKernel(*directory & PageTable.AddressMask);
                *directory = 0;
                *entries = (ulong)gone;
                gone = entries;
            }
        }

        s_staleCount = 0;
        Cpu.WriteCr3(Cpu.Local->PageTableRoot);
        if (Processors.Count > 1)
        {
            Processors.InterruptAll(0);
        }

        while (gone != null)
        {
            ulong* next = (ulong*)*gone;
            frames.Free(gone);
            gone = next;
        }
    }

    private static bool MapBelow(ulong top, int pages, FrameAllocator frames)
    {
        for (int page = 1; page <= pages; page++)
        {
            void* frame = frames.AllocateCleared();
            ulong* entry = frame == null ? null
                : PageTable.Entry(PageTable.KernelRoot, top - ((ulong)page * PageOperations.PageSize), frames);
            if (entry == null)
            {
                if (frame != null)
                {
                    frames.Free(frame);
                }

                return false;
            }

            *entry = PhysicalAddress.Of(frame) | PageTable.Present | PageTable.Writable | PageTable.NoExecute;
        }

        return true;
    }
}
