// Host stand-in for kernel/machine: what the CPU does with page tables. The tables are kernel/memory's own, in host memory, where a
// physical address is the host's own.

using System;

namespace Lego.Kernel;

/// <summary>Roots and translations.</summary>
public static unsafe partial class PageTable
{
    public const int MostInvalidated = 32;

    /// <summary>How often other CPUs would have been interrupted on this test's thread.</summary>
    [ThreadStatic]
    public static ulong Interruptions;

    public static ulong KernelRoot => 0;

    public static ulong CreateUser(FrameAllocator frames) => (ulong)frames.AllocateCleared();

    public static void Invalidate(ulong root, ulong address) => Interruptions++;

    public static void Invalidate(ulong root, ulong* addresses, int count) => Interruptions++;

    public static void Widened(ulong root, ulong address)
    {
    }

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
