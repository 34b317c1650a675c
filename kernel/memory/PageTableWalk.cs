// Four-level page tables (SDM vol. 3, 4.5) as data: finding, changing and freeing entries. Table pages come from the frame allocator.
// Never blocks; callers hold the kernel lock. But the CPUs that run a program read its tables at any time and set accessed and dirty bits
// in present entries by locked accesses of their own (SDM vol. 3, 4.8 and 8.1.2.1), so a present entry is changed by atomic operations
// only, and what its bits were is judged from the value exchanged. An entry that is not present is the kernel's alone: plain stores do.
// Works on any memory that PhysicalAddress leads to, so host tests run this very code.

using System.Runtime.CompilerServices;
using System.Threading;

namespace Lego.Kernel;

/// <summary>Walks and changes page tables.</summary>
public static unsafe partial class PageTable
{
    public const ulong Present = 1;
    public const ulong Writable = 2;
    public const ulong User = 4;
    public const ulong WriteThrough = 8;
    public const ulong CacheDisabled = 0x10;
    public const ulong Accessed = 0x20;
    public const ulong Dirty = 0x40;
    public const ulong LargePage = 0x80;
    public const ulong Global = 0x100;
    public const ulong NoExecute = 1UL << 63;
    public const ulong AddressMask = 0x000FFFFFFFFFF000;

    /// <summary>First address that is not a user address.</summary>
    public const ulong UserEnd = 0x0000800000000000;

    private const int Entries = 512;
    private const int EntryShift = 9;
    private const int PageShift = 12;
    private const int RootShift = 39;

    /// <summary>
    /// The last-level entry of an address; null where a level is missing. Each page fault and each page of a copy takes this way.
    /// </summary>
    public static ulong* Find(ulong root, ulong address)
    {
        ulong entry = Level(root, address, RootShift);
        if ((entry & Present) == 0)
        {
            return null;
        }

        entry = Level(entry & AddressMask, address, RootShift - EntryShift);
        if ((entry & Present) == 0)
        {
            return null;
        }

        entry = Level(entry & AddressMask, address, RootShift - (2 * EntryShift));
        return (entry & Present) == 0 ? null
            : (ulong*)PhysicalAddress.ToKernel(entry & AddressMask) + ((address >> PageShift) & (Entries - 1));
    }

    /// <summary>The entry that leads to the last-level table of an address; null where a level above is missing.</summary>
    public static ulong* FindDirectory(ulong root, ulong address)
    {
        ulong entry = Level(root, address, RootShift);
        entry = (entry & Present) == 0 ? 0 : Level(entry & AddressMask, address, RootShift - EntryShift);
        return (entry & Present) == 0 ? null
            : (ulong*)PhysicalAddress.ToKernel(entry & AddressMask) + ((address >> (PageShift + EntryShift)) & (Entries - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Level(ulong table, ulong address, int shift) =>
        ((ulong*)PhysicalAddress.ToKernel(table))[(address >> shift) & (Entries - 1)];

    /// <summary>
    /// The last-level entry of an address. Missing levels are made from <paramref name="frames"/>; without memory the result is null.
    /// </summary>
    public static ulong* Entry(ulong root, ulong address, FrameAllocator frames)
    {
        ulong* table = (ulong*)PhysicalAddress.ToKernel(root);
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong* entry = table + ((address >> shift) & (Entries - 1));
            if ((*entry & Present) == 0)
            {
                void* next = frames.AllocateCleared();
                if (next == null)
                {
                    return null;
                }

                *entry = PhysicalAddress.Of(next) | Present | Writable | (address < UserEnd ? User : 0);
            }

            table = (ulong*)PhysicalAddress.ToKernel(*entry & AddressMask);
        }

        return table + ((address >> 12) & (Entries - 1));
    }

    /// <summary>
    /// The next address at or after <paramref name="address"/> that has a last-level table, with the entry there; null when there is none
    /// below
    /// <paramref name="end"/>. For walking sparse user halves.
    /// </summary>
    public static ulong* NextEntry(ulong root, ref ulong address, ulong end)
    {
        while (address < end)
        {
            ulong* table = (ulong*)PhysicalAddress.ToKernel(root);
            int shift = 39;
            for (; shift > 12; shift -= 9)
            {
                ulong entry = table[(address >> shift) & (Entries - 1)];
                if ((entry & Present) == 0)
                {
                    break;
                }

                table = (ulong*)PhysicalAddress.ToKernel(entry & AddressMask);
            }

            if (shift == 12)
            {
                return table + ((address >> 12) & (Entries - 1));
            }

            address = ((address >> shift) + 1) << shift;
        }

        return null;
    }

    /// <summary>Replaces an entry and gives the old one with the accessed and dirty bits as they were in that moment.</summary>
    public static ulong Exchange(ulong* entry, ulong value) => Interlocked.Exchange(ref *entry, value);

    /// <summary>Sets bits of an entry and leaves all others as they are.</summary>
    public static void SetBits(ulong* entry, ulong bits)
    {
        ulong old;
        do
        {
            old = *entry;
        }
        while ((old & bits) != bits && Interlocked.CompareExchange(ref *entry, old | bits, old) != old);
    }

    /// <summary>Clears bits of an entry; gives the entry as it was.</summary>
    public static ulong ClearBits(ulong* entry, ulong bits)
    {
        while (true)
        {
            ulong old = *entry;
            if ((old & bits) == 0 || Interlocked.CompareExchange(ref *entry, old & ~bits, old) == old)
            {
                return old;
            }
        }
    }

    /// <summary>Gives an entry new bits but for those of <paramref name="kept"/>, which stay what the CPUs make of them.</summary>
    public static void ReplaceBits(ulong* entry, ulong kept, ulong bits)
    {
        ulong old;
        do
        {
            old = *entry;
        }
        while (Interlocked.CompareExchange(ref *entry, (old & kept) | bits, old) != old);
    }

    /// <summary>
    /// Frees the tables below a user half's root that touch [start, end) and have become empty: every entry 0. Nobody may hold a pointer to
    /// an entry of such a table.
    /// </summary>
    public static void FreeEmpty(ulong root, ulong start, ulong end, FrameAllocator frames)
    {
        StaleTranslations stale = default;
        ulong* unlinked = null;
        stale.Begin();
        if (start < end)
        {
            UnlinkEmpty(ref stale, root, (ulong*)PhysicalAddress.ToKernel(root), RootShift, 0, start, end, ref unlinked);
        }

        // From here on no CPU walks through them.
        stale.End();
        while (unlinked != null)
        {
            ulong* next = (ulong*)*unlinked;
            frames.Free(unlinked);
            unlinked = next;
        }
    }

    /// <summary>
    /// Recurses three levels deep at most. <paramref name="tableStart"/> is the first address that the table translates. Empty tables are
    /// linked by their first words, which are no present entries, because tables are aligned.
    /// </summary>
    private static void UnlinkEmpty(
        ref StaleTranslations stale, ulong root, ulong* table, int shift, ulong tableStart, ulong start, ulong end, ref ulong* unlinked)
    {
        ulong first = start <= tableStart ? 0 : (start - tableStart) >> shift;
        ulong last = (end - 1 - tableStart) >> shift;
        for (ulong index = first; index <= last && index < Entries; index++)
        {
            if ((table[index] & Present) == 0)
            {
                continue;
            }

            ulong* next = (ulong*)PhysicalAddress.ToKernel(table[index] & AddressMask);
            ulong nextStart = tableStart + (index << shift);
            if (shift > PageShift + EntryShift)
            {
                UnlinkEmpty(ref stale, root, next, shift - EntryShift, nextStart, start, end, ref unlinked);
            }

            if (IsEmpty(next))
            {
                table[index] = 0;
                // INVLPG drops the caches of upper levels, too, whatever the address (SDM vol. 3, 4.10.4.1).
                stale.Forget(root, nextStart);
                *next = (ulong)unlinked;
                unlinked = next;
            }
        }
    }

    private static bool IsEmpty(ulong* table)
    {
        for (int index = 0; index < Entries; index++)
        {
            if (table[index] != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Frees everything below an entry of the table at <paramref name="level"/> (3 = the root's), and what it leads to.</summary>
    private static void FreeLevel(ulong entry, int level, FrameAllocator frames)
    {
        if ((entry & Present) == 0)
        {
            return;
        }

        ulong* table = (ulong*)PhysicalAddress.ToKernel(entry & AddressMask);
        if (level > 1)
        {
            for (int index = 0; index < Entries; index++)
            {
                FreeLevel(table[index], level - 1, frames);
            }
        }

        frames.Free(table);
    }
}
