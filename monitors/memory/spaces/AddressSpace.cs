// One virtual address space, as its home memory component knows it: vmas, vRegions and pages. Named by (vnode, asid) in every message.
// Lives in a slab of AddressSpaces; code that waited for another component looks the space up again, because it may have ended meanwhile.

using Lego.Kernel;

namespace Lego.Memory;

/// <summary>All state of one address space.</summary>
public unsafe struct AddressSpace
{
    internal AddressSpace* NextInBucket;
    internal uint Asid;
    internal ushort VNode;
    /// <summary>Node of the processor component that made it; what it leaves behind ends with it.</summary>
    internal ushort Processor;
    /// <summary>Never reused while the component runs; names the space in the frame map.</summary>
    internal uint Number;

    // The vma tree (VmaTree) and the same vmas as a list in address order.
    internal Vma* Root;
    internal Vma* First;
    internal Vma* Last;
    /// <summary>The vma that the last look-up found.</summary>
    internal Vma* Recent;
    internal uint VmaCount;

    internal uint RegionCount;
    /// <summary>Active vRegions in address order (RegionTable).</summary>
    internal RegionRun* Regions;

    /// <summary>Everything that the frame map holds for this space.</summary>
    internal BlockMapping* Blocks;
    internal ulong BlockCount;

    internal ulong BreakStart;
    internal ulong Break;

    internal readonly ulong BreakEnd => AddressLayout.PageUp(Break);
}
