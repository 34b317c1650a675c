// One virtual address space, as its home memory component knows it: vmas, vRegions and pages. Named by (vnode, asid) in every message.
// A component that owns vRegions of a space whose home is another one has a part of it: the pages there, under one vma for each grant that
// allows everything, because what programs may do is the home's business (AddressSpaces.Parts.cs).
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
    /// <summary>Of a part: the component that is the space's home. 0 = this one is.</summary>
    internal ushort Home;
    /// <summary>Some of its vRegions are other components'.</summary>
    internal bool HasParts;
    /// <summary>Never reused while the component runs; names the space in the frame map.</summary>
    internal uint Number;
    /// <summary>Of a part: its home's number.</summary>
    internal uint HomeNumber;

    // Moves of vRegions (AddressSpaces.Moves.cs).
    /// <summary>At home: components that pages have moved away from, a bit for each by the remainder of its node by 64.</summary>
    internal ulong FormerOwners;
    /// <summary>
    /// At home: the version of its owners and the number of the last phase; of a part: that of the last phase that it has heard of.
    /// </summary>
    internal uint Moves;
    /// <summary>At home: a piece is on its way. Whoever changes the space, or asks for its owners, waits.</summary>
    internal bool IsMoving;
    /// <summary>At home: requests under way that concern owners. A move waits.</summary>
    internal uint Changes;
    /// <summary>Of a part: it has pages that the home has given up, because it had no memory to forget them. They never move.</summary>
    internal bool HasLeftovers;
    /// <summary>The pages that are about to become this component's; empty: none.</summary>
    internal ulong ExpectedStart;
    internal ulong ExpectedEnd;
    internal ushort ExpectedFrom;
    /// <summary>Of a part: the range that is not served because its pages are on their way to another one; null: none.</summary>
    internal Vma* Frozen;

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

    internal readonly bool IsPart => Home != 0;
}

/// <summary>A space as whoever waits remembers it: the number tells it from a later one with the same name.</summary>
internal struct SpaceName
{
    internal ushort VNode;
    internal uint Asid;
    /// <summary>0: of none.</summary>
    internal uint Number;

    internal static unsafe SpaceName Of(AddressSpace* space) => space == null
        ? default
        : new SpaceName { VNode = space->VNode, Asid = space->Asid, Number = space->Number };
}
