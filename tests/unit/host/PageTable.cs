// Host stand-in for kernel/machine: the same four-level tables in host memory, where a physical address is the host's own.

using System;

namespace Lego.Kernel;

/// <summary>Walks and changes page tables.</summary>
public static unsafe class PageTable
{
    public const ulong UserEnd = 0x0000800000000000;
    public const ulong Present = 1;
    public const ulong Writable = 2;
    public const ulong User = 4;
    public const ulong Accessed = 0x20;
    public const ulong Dirty = 0x40;
    public const ulong NoExecute = 1UL << 63;
    public const ulong AddressMask = 0x000FFFFFFFFFF000;

    /// <summary>Translations dropped on this test's thread.</summary>
    [ThreadStatic]
    public static ulong Invalidations;

    public static ulong KernelRoot => 0;

    public static ulong CreateUser(FrameAllocator frames) => (ulong)frames.AllocateCleared();

    public static ulong* Entry(ulong root, ulong address, FrameAllocator? frames)
    {
        ulong* table = (ulong*)root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong* entry = table + ((address >> shift) & 511);
            if ((*entry & Present) == 0)
            {
                void* next = frames == null ? null : frames.AllocateCleared();
                if (next == null)
                {
                    return null;
                }

                *entry = (ulong)next | Present;
            }

            table = (ulong*)(*entry & AddressMask);
        }

        return table + ((address >> 12) & 511);
    }

    public static ulong* NextEntry(ulong root, ref ulong address, ulong end)
    {
        while (address < end)
        {
            ulong* table = (ulong*)root;
            int shift = 39;
            for (; shift > 12; shift -= 9)
            {
                ulong entry = table[(address >> shift) & 511];
                if ((entry & Present) == 0)
                {
                    break;
                }

                table = (ulong*)(entry & AddressMask);
            }

            if (shift == 12)
            {
                return table + ((address >> 12) & 511);
            }

            address = ((address >> shift) + 1) << shift;
        }

        return null;
    }

    public static void Invalidate(ulong address) => Invalidations++;

    public static void Activate(ulong root)
    {
    }

    public static void Free(ulong root, FrameAllocator frames) => FreeLevel((ulong*)root, 4, frames);

    private static void FreeLevel(ulong* table, int level, FrameAllocator frames)
    {
        for (int index = 0; level > 1 && index < 512; index++)
        {
            if ((table[index] & Present) != 0)
            {
                FreeLevel((ulong*)(table[index] & AddressMask), level - 1, frames);
            }
        }

        frames.Free(table);
    }
}
