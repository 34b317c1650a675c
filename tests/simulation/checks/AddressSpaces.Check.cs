// What holds of the owner of a vRegion between any two pieces of kernel code that run without a break: no part has pages that the space's
// home takes for another component's. A part of the class, because it looks where nobody else may.

using Lego.Kernel;
using Lego.Simulation;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    /// <summary>Throws what does not hold of this component's parts of the spaces of another one.</summary>
    internal void CheckParts(AddressSpaces home)
    {
        for (ulong bucket = 0; bucket < BucketCount; bucket++)
        {
            for (AddressSpace* part = _buckets[bucket]; part != null; part = part->NextInBucket)
            {
                if (part->Home == home._regions.Self)
                {
                    CheckPart(part, home);
                }
            }
        }
    }

    /// <summary>True of the component with this number when it has parts.</summary>
    internal bool IsOwner(int node) => _regions.Self == node && _parts != 0;

    private void CheckPart(AddressSpace* part, AddressSpaces home)
    {
        AddressSpace* space = home.Find(part->VNode, part->Asid);
        if (space == null || space->Number != part->HomeNumber)
        {
            // The home has forgotten it, and its message is on the way.
            return;
        }

        for (RegionRun* run = part->Regions; run != null; run = run->Next)
        {
            for (ulong address = run->Start; address < run->End; address += _regions.RegionBytes)
            {
                ushort owner = RegionTable.OwnerOf(space, address, out _);
                Check.That(owner == 0 || owner == _regions.Self, $"the vRegion at {address:x} is {owner}'s at home and {_regions.Self}'s");
            }
        }
    }
}
