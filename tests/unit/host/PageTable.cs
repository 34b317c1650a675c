// Host stand-in for kernel/machine: what the CPU does with page tables. The tables are kernel/memory's own, in host memory, where a
// physical address is the host's own.

using System;

namespace Lego.Kernel;

/// <summary>Roots and translations.</summary>
public static unsafe partial class PageTable
{
    /// <summary>Translations dropped on this test's thread.</summary>
    [ThreadStatic]
    public static ulong Invalidations;

    public static ulong KernelRoot => 0;

    public static ulong CreateUser(FrameAllocator frames) => (ulong)frames.AllocateCleared();

    public static void Invalidate(ulong root, ulong address) => Invalidations++;

    public static void Activate(ulong root)
    {
    }

    public static void Free(ulong root, FrameAllocator frames)
    {
        ulong* table = (ulong*)root;
        for (int index = 0; index < Entries; index++)
        {
            FreeLevel(table[index], 3, frames);
        }

        frames.Free(table);
    }
}
