// What holds of the owner of a vRegion between any two pieces of kernel code that run without a break: no part serves pages that the
// space's home takes for another component's. A part of the class, because it looks where nobody else may.

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

        // What a part serves has a vma. While a piece is on its way both may: the old owner until it has been told, the new one before the
        // home has named it.
        if (space->IsMoving || part->Frozen != null)
        {
            return;
        }

        for (Vma* vma = part->First; vma != null; vma = vma->Next)
        {
            for (ulong address = vma->Start, end; address < vma->End; address = end)
            {
                ushort owner = RegionTable.OwnerOf(space, address, out end);
                Check.That(owner == 0 || owner == _regions.Self, $"the page at {address:x} is {owner}'s at home and {_regions.Self}'s");
                end = owner == 0 ? address + PageOperations.PageSize : end;
            }
        }
    }
}
