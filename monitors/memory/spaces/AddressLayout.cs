// The shape of an x86-64 Linux address space with 47-bit user addresses and no randomisation: the same places that a program sees under
// `setarch -R` (arch/x86 processor.h TASK_SIZE, mmap.c mmap_base, ELF_ET_DYN_BASE).

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Fixed addresses, in bytes.</summary>
public static class AddressLayout
{
    /// <summary>First address that no user mapping may reach.</summary>
    public const ulong TaskSize = 0x7FFF_FFFF_F000;

    /// <summary>End of the stack's vma.</summary>
    public const ulong StackTop = TaskSize;

    /// <summary>The stack is reserved in full from the beginning (RLIMIT_STACK's default).</summary>
    public const ulong StackBytes = 8UL << 20;

    /// <summary>Nothing is placed closer below the stack than this (Linux: stack_guard_gap).</summary>
    public const ulong StackGuardBytes = 1UL << 20;

    /// <summary>mmap places downwards from here.</summary>
    public const ulong MapBase = TaskSize - (128UL << 20);

    /// <summary>The vDSO's code, and below it the numbers that it reads: the first two pages that would be placed.</summary>
    public const ulong VdsoCode = MapBase - PageOperations.PageSize;

    public const ulong VdsoData = VdsoCode - PageOperations.PageSize;

    /// <summary>Where placement goes on upwards when everything below <see cref="MapBase"/> is taken (TASK_UNMAPPED_BASE).</summary>
    public const ulong MapBaseBottomUp = ((TaskSize / 3) + PageOperations.PageSize - 1) & ~(ulong)(PageOperations.PageSize - 1);

    /// <summary>Load address of a position-independent executable.</summary>
    public const ulong PositionIndependentBase = 0x5555_5555_4000;

    /// <summary>vm.mmap_min_addr: keeps null dereferences faulting.</summary>
    public const ulong LowestAddress = 0x1_0000;

    /// <summary>Vmas of one space.</summary>
    public const uint MaxVmas = SpaceReply.MaxRanges;

    /// <summary>Rounds up to a page; 0 when that overflows.</summary>
    public static ulong PageUp(ulong address) => (address + PageOperations.PageSize - 1) & ~(ulong)(PageOperations.PageSize - 1);

    /// <summary>Rounds down to a page.</summary>
    public static ulong PageDown(ulong address) => address & ~(ulong)(PageOperations.PageSize - 1);

    /// <summary>True for a multiple of the page size.</summary>
    public static bool IsPageAligned(ulong address) => (address & (PageOperations.PageSize - 1)) == 0;
}
