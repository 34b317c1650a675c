// Four-level page tables (SDM vol. 3, 4.5). User halves belong to address spaces; the kernel half is the same in all of them.
// Table pages come from the frame allocator; levels are never freed before the whole table is.

namespace Lego.Kernel;

/// <summary>Walks and changes page tables.</summary>
public static unsafe class PageTable
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
    private const int FirstKernelEntry = 256;

    /// <summary>The kernel's own root; what threads without a program run on.</summary>
    public static ulong KernelRoot { get; internal set; }

    /// <summary>A root with an empty user half; 0 when memory is exhausted. Returned as a physical address.</summary>
    public static ulong CreateUser(FrameAllocator frames)
    {
        ulong* table = (ulong*)frames.AllocateCleared();
        if (table == null)
        {
            return 0;
        }
        ulong* kernel = (ulong*)PhysicalAddress.ToKernel(KernelRoot);
        for (int index = FirstKernelEntry; index < Entries; index++)
        {
            table[index] = kernel[index];
        }
        return PhysicalAddress.Of(table);
    }

    /// <summary>
    /// The last-level entry of an address. Missing levels are made from <paramref name="frames"/>; with null frames, or without memory, the
    /// result is null.
    /// </summary>
    public static ulong* Entry(ulong root, ulong address, FrameAllocator? frames)
    {
        ulong* table = (ulong*)PhysicalAddress.ToKernel(root);
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong* entry = table + (address >> shift & (Entries - 1));
            if ((*entry & Present) == 0)
            {
                if (frames == null)
                {
                    return null;
                }
                void* next = frames.AllocateCleared();
                if (next == null)
                {
                    return null;
                }
                *entry = PhysicalAddress.Of(next) | Present | Writable | (address < UserEnd ? User : 0);
            }
            table = (ulong*)PhysicalAddress.ToKernel(*entry & AddressMask);
        }
        return table + (address >> 12 & (Entries - 1));
    }

    /// <summary>
    /// The next address at or after <paramref name="address"/> that has a last-level table, with the entry there; null when there is none below
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
                ulong entry = table[address >> shift & (Entries - 1)];
                if ((entry & Present) == 0)
                {
                    break;
                }
                table = (ulong*)PhysicalAddress.ToKernel(entry & AddressMask);
            }
            if (shift == 12)
            {
                return table + (address >> 12 & (Entries - 1));
            }
            address = ((address >> shift) + 1) << shift;
        }
        return null;
    }

    /// <summary>Drops a translation of the current or another address space from the TLBs of all CPUs.</summary>
    public static void Invalidate(ulong address)
    {
        Cpu.InvalidatePage(address);
        if (Processors.Count > 1)
        {
            Processors.FlushOthers();
        }
    }

    /// <summary>Makes a root the current one on this CPU.</summary>
    public static void Activate(ulong root)
    {
        if (Cpu.Local->PageTableRoot != root)
        {
            Cpu.Local->PageTableRoot = root;
            Cpu.WriteCr3(root);
        }
    }

    /// <summary>Frees the user half's table pages and the root; the pages that they map are the caller's business.</summary>
    public static void Free(ulong root, FrameAllocator frames)
    {
        if (Cpu.Local->PageTableRoot == root)
        {
            Activate(KernelRoot);
        }
        ulong* table = (ulong*)PhysicalAddress.ToKernel(root);
        for (int index = 0; index < FirstKernelEntry; index++)
        {
            FreeLevel(table[index], 3, frames);
        }
        frames.Free(table);
    }

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
