// The kernel half of every address space: the direct map of all memory (2 MB pages, never executable), the image with the protection of
// each section (W^X), kernel stacks (KernelStacks.cs) and device registers. Built once at start-up; stacks and devices are added later
// below top-level entries that exist from the beginning, so that user roots can copy them.

namespace Lego.Kernel;

/// <summary>Builds and extends the kernel half.</summary>
public static unsafe class KernelMap
{
    private const ulong ImageBase = 0xFFFFFFFF80000000;
    private const ulong LargePageBytes = 0x200000;

    /// <summary>Makes the kernel root. Everything up to directMapEnd is mapped; symbols are those of Cpu.LinkerSymbols.</summary>
    internal static ulong Build(FrameAllocator frames, ulong directMapEnd, ulong* symbols)
    {
        ulong root = PhysicalAddress.Of(frames.AllocateCleared());
        for (ulong physical = 0; physical < directMapEnd; physical += LargePageBytes)
        {
            MapLarge(root, PhysicalAddress.DirectMapBase + physical, physical, PageTable.Present | PageTable.Writable | PageTable.NoExecute,
                frames);
        }

        for (ulong address = symbols[0]; address < symbols[3]; address += PageOperations.PageSize)
        {
            ulong protection = address < symbols[1] ? PageTable.Present
                : address < symbols[2] ? PageTable.Present | PageTable.NoExecute
                : PageTable.Present | PageTable.Writable | PageTable.NoExecute;
            *PageTable.Entry(root, address, frames) = (address - ImageBase) | protection;
        }

        KernelStacks.Initialize(root, frames);
        return root;
    }

    /// <summary>Maps physical memory that is not part of the direct map at its direct-map address (devices). Boot time.</summary>
    internal static void MapDevice(ulong physical, ulong lengthBytes, ulong cacheBits)
    {
        ulong end = physical + lengthBytes;
        for (ulong page = physical & ~(ulong)(PageOperations.PageSize - 1); page < end; page += PageOperations.PageSize)
        {
            ulong* entry = PageTable.Entry(PageTable.KernelRoot, PhysicalAddress.DirectMapBase + page, Startup.Frames);
            *entry = page | PageTable.Present | PageTable.Writable | PageTable.NoExecute | cacheBits;
            Cpu.InvalidatePage(PhysicalAddress.DirectMapBase + page);
        }
    }

    /// <summary>Maps one page at its own address, executable, for the processors' start-up code.</summary>
    internal static void MapIdentity(ulong physical, FrameAllocator frames) =>
        *PageTable.Entry(PageTable.KernelRoot, physical, frames) = physical | PageTable.Present;

    /// <summary>True when reading the address would not fault; for the backtrace, which trusts nothing.</summary>
    internal static bool IsMapped(ulong address)
    {
        ulong* table = (ulong*)PhysicalAddress.ToKernel(Cpu.ReadCr3() & PageTable.AddressMask);
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            ulong entry = table[(address >> shift) & 511];
            if ((entry & PageTable.Present) == 0)
            {
                return false;
            }

            if ((entry & PageTable.LargePage) != 0)
            {
                return true;
            }

            table = (ulong*)PhysicalAddress.ToKernel(entry & PageTable.AddressMask);
        }

        return true;
    }

    private static void MapLarge(ulong root, ulong address, ulong physical, ulong protection, FrameAllocator frames)
    {
        ulong* table = (ulong*)PhysicalAddress.ToKernel(root);
        for (int shift = 39; shift > 21; shift -= 9)
        {
            ulong* entry = table + ((address >> shift) & 511);
            if ((*entry & PageTable.Present) == 0)
            {
                *entry = PhysicalAddress.Of(frames.AllocateCleared()) | PageTable.Present | PageTable.Writable;
            }

            table = (ulong*)PhysicalAddress.ToKernel(*entry & PageTable.AddressMask);
        }

        table[(address >> 21) & 511] = physical | protection | PageTable.LargePage;
    }
}
