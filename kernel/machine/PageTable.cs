// The part of page tables that belongs to the CPU: roots, CR3 and the TLB. User halves belong to address spaces; the kernel half is the
// same in all of them. The tables themselves: kernel/memory/PageTableWalk.cs.

namespace Lego.Kernel;

/// <summary>Roots and translations.</summary>
public static unsafe partial class PageTable
{
    /// <summary>Most translations that are dropped one by one; of more, all of the address space are (Linux: 33).</summary>
    public const int MostInvalidated = 32;

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
    /// Drops a translation of an address space from the TLBs of the CPUs that run it. The others have forgotten it when they loaded another
    /// root: there are no global pages in the user half and no process-context identifiers.
    /// </summary>
    public static void Invalidate(ulong root, ulong address) => Invalidate(root, &address, 1);

    /// <summary>Drops so many translations of an address space with one interrupt for each CPU that runs it.</summary>
    /// <param name="root">The address space.</param>
    /// <param name="addresses">Where they are; with more than MostInvalidated not looked at.</param>
    /// <param name="count">How many; with more than MostInvalidated all of the space are dropped.</param>
    public static void Invalidate(ulong root, ulong* addresses, int count)
    {
        if (Cpu.Local->PageTableRoot == root)
        {
            DropHere(addresses, count);
        }

        if (Processors.Count > 1)
        {
            Processors.FlushOthers(root, addresses, count);
        }
    }

    /// <summary>
    /// Drops a translation that has been given rights, on this CPU alone: another one that still has it without them faults and looks again
    /// (SDM vol. 3, 4.10.4.3).
    /// </summary>
    public static void Widened(ulong root, ulong address)
    {
        if (Cpu.Local->PageTableRoot == root)
        {
            Cpu.InvalidatePage(address);
        }
    }

    internal static void DropHere(ulong* addresses, int count)
    {
        if (count > MostInvalidated)
        {
            Cpu.WriteCr3(Cpu.Local->PageTableRoot);
            return;
        }

        for (int index = 0; index < count; index++)
        {
            Cpu.InvalidatePage(addresses[index]);
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
}
