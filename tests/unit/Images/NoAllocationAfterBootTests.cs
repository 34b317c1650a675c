// After boot no managed allocation is possible. The heap is sealed at run time (ManagedHeap.Seal); this test proves from the linked image
// that the paths of faults, interrupts, system calls and messages cannot reach an allocator in the first place: nothing that the assembly
// entries reach by direct calls, and nothing whose address is taken (so that an indirect call could reach it), leads to RhpNew*, except
// through the image's own start-up.

using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Lego.Tests.Images;

public sealed class NoAllocationAfterBootTests
{
    /// <summary>Where boot begins; these, and only these, may allocate.</summary>
    private static readonly string[] s_bootEntries = ["KernelMain", "KernelEntry", "ProcessorEntry", "RunMain"];

    /// <summary>
    /// Virtual methods that drivers call from their constructors and nothing calls later (they stand in vtables nevertheless).
    /// </summary>
    private static readonly string[] s_bootOnlyVirtuals = ["VirtioPci__OpenQueue"];

    /// <summary>What interrupts the idle loop or a program.</summary>
    private static readonly string[] s_runTimeEntries = ["TrapEntry", "SystemCallEntry", "ThreadReturned"];

    public static TheoryData<string> Images => ["processor", "memory", "storage", "manager", "solo"];

    [Theory]
    [MemberData(nameof(Images))]
    public void No_entry_and_no_function_pointer_leads_to_an_allocator(string image)
    {
        ImageCallGraph graph = ImageCallGraph.Read(ImageFiles.ImageOf(image));
        HashSet<string> allocating = graph.ReachingDirectly(name => name.StartsWith("RhpNew", StringComparison.Ordinal));
        Assert.Contains("RhpNewFast", graph.Functions);
        Assert.Contains("KernelMain", allocating);

        foreach (string entry in s_runTimeEntries)
        {
            Assert.Contains(entry, graph.Functions);
            Assert.DoesNotContain(entry, allocating);
        }

        IEnumerable<string> reachableByPointer = allocating.Intersect(graph.AddressTaken)
            .Where(name => !name.StartsWith("RhpNew", StringComparison.Ordinal))
            .Where(name => !s_bootEntries.Concat(s_bootOnlyVirtuals).Any(boot => name.EndsWith(boot, StringComparison.Ordinal)));
        Assert.Equal("", string.Join(" ", reachableByPointer));
    }
}
