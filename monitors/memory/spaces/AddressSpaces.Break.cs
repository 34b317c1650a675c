// brk(2): the heap is anonymous memory that begins behind the program's data. As on Linux the call never fails; it returns the break.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    /// <summary>Moves the break when possible and returns it. Only EINPROGRESS (see Map) is an error; giving up, ask with address
    /// 0.</summary>
    public Errno MoveBreak(AddressSpace* space, ulong wanted, out ulong current, out RegionDemand demand)
    {
        current = space->Break;
        demand = default;
        if (wanted < space->BreakStart || wanted > AddressLayout.TaskSize)
        {
            return Errno.None;
        }

        ulong oldEnd = space->BreakEnd;
        ulong newEnd = AddressLayout.PageUp(wanted);
        if (newEnd < oldEnd)
        {
            if (Clear(space, newEnd, oldEnd) != Errno.None)
            {
                return Errno.None;
            }
        }
        else if (newEnd > oldEnd)
        {
            // One page beyond must stay free as well (Linux: find_vma_intersection in brk).
            if (!IsFree(space, oldEnd, newEnd + PageOperations.PageSize))
            {
                return Errno.None;
            }

            Errno error = _regions.Check(space, oldEnd, newEnd, out demand);
            if (error == Errno.EINPROGRESS)
            {
                return error;
            }

            // More than there is can never be filled (Linux: __vm_enough_memory by overcommit_memory 0). Asked now, because the manager has
            // said how much there is when it named the regions' owners.
            if (newEnd - oldEnd > _rackBytes)
            {
                return Errno.None;
            }

            MapWish heap = default;
            heap.Kind = VmaKind.Anonymous;
            heap.Protection = Protection.Read | Protection.Write;
            heap.Flags = MapFlags.Private | MapFlags.Anonymous;
            if (error != Errno.None || space->VmaCount >= AddressLayout.MaxVmas || AddVma(space, heap, oldEnd, newEnd) != Errno.None)
            {
                return Errno.None;
            }
        }

        space->Break = wanted;
        current = wanted;
        return Errno.None;
    }

    /// <summary>Where the heap begins; the loader sets it.</summary>
    public static void SetBreakStart(AddressSpace* space, ulong address)
    {
        space->BreakStart = address;
        space->Break = address;
    }
}
