// mremap(2): shrink, grow in place, or move. Checks in the order of Linux's mm/mremap.c.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>MREMAP_* of mremap(2).</summary>
[System.Flags]
public enum RemapFlags : uint
{
    None = 0,
    MayMove = 1,
    Fixed = 2,
    DontUnmap = 4,
}

/// <summary>Pages of a space that are to be at another place as well.</summary>
internal struct PageMove
{
    internal ulong From;
    internal ulong To;
    internal ulong Length;
}

public sealed unsafe partial class AddressSpaces
{
    /// <summary>mremap(2) of a space without parts: EINVAL, EFAULT, ENOMEM; EINPROGRESS as for Map.</summary>
    public Errno Remap(AddressSpace* space, in RemapRequest wish, out ulong address, out RegionDemand demand)
    {
        PageMove copied = default;
        return Remap(space, wish, ref copied, out address, out demand);
    }

    /// <summary>
    /// The same of any space. When it has parts and pages move, EINPROGRESS comes with <paramref name="copied"/> and without a demand: once
    /// all owners have copied these pages, the same call again makes the move.
    /// </summary>
    internal Errno Remap(AddressSpace* space, in RemapRequest wish, ref PageMove copied, out ulong address, out RegionDemand demand)
    {
        address = 0;
        demand = default;
        RemapFlags flags = (RemapFlags)wish.Flags;
        const RemapFlags Known = RemapFlags.MayMove | RemapFlags.Fixed | RemapFlags.DontUnmap;
        bool mayMove = (flags & RemapFlags.MayMove) != 0;
        bool dontUnmap = (flags & RemapFlags.DontUnmap) != 0;
        if ((flags & ~Known) != 0 || ((flags & RemapFlags.Fixed) != 0 && !mayMove)
            || (dontUnmap && (!mayMove || wish.OldLength != wish.NewLength)) || !AddressLayout.IsPageAligned(wish.OldAddress))
        {
            return Errno.EINVAL;
        }

        ulong oldLength = AddressLayout.PageUp(wish.OldLength);
        ulong newLength = AddressLayout.PageUp(wish.NewLength);
        if (newLength == 0)
        {
            return Errno.EINVAL;
        }

        Vma* vma = VmaTree.Find(space, wish.OldAddress);
        if (vma == null)
        {
            return Errno.EFAULT;
        }

        if ((flags & (RemapFlags.Fixed | RemapFlags.DontUnmap)) != 0)
        {
            return RemapTo(space, wish, flags, oldLength, newLength, ref copied, out address, out demand);
        }

        if (oldLength >= newLength)
        {
            address = wish.OldAddress;
            return oldLength == newLength ? Errno.None : Unmap(space, wish.OldAddress + newLength, oldLength - newLength);
        }

        Errno error = CheckGrowth(vma, wish.OldAddress, oldLength);
        if (error != Errno.None)
        {
            return error;
        }

        ulong oldEnd = wish.OldAddress + oldLength;
        ulong newEnd = wish.OldAddress + newLength;
        bool inPlace = oldEnd == vma->End && newEnd > oldEnd && newEnd <= AddressLayout.TaskSize
            && (vma->Next == null || newEnd <= GapEndBelow(vma->Next));
        if (inPlace)
        {
            error = _regions.Check(space, oldEnd, newEnd, out demand);
            if (error == Errno.None)
            {
                vma->End = newEnd;
                JoinNeighbours(space, oldEnd, newEnd);
                address = wish.OldAddress;
            }

            return error;
        }

        if (!mayMove || newLength > AddressLayout.TaskSize || !FindGap(space, newLength, out ulong target))
        {
            return Errno.ENOMEM;
        }

        return MoveRange(space, wish.OldAddress, oldLength, target, newLength, RemapFlags.None, ref copied, out address, out demand);
    }

    /// <summary>MREMAP_FIXED and MREMAP_DONTUNMAP (Linux: mremap_to).</summary>
    private Errno RemapTo(AddressSpace* space, in RemapRequest wish, RemapFlags flags, ulong oldLength, ulong newLength,
        ref PageMove copied, out ulong address, out RegionDemand demand)
    {
        address = 0;
        demand = default;
        ulong target = wish.NewAddress;
        bool isFixed = (flags & RemapFlags.Fixed) != 0;
        if (!AddressLayout.IsPageAligned(target) || newLength > AddressLayout.TaskSize || target > AddressLayout.TaskSize - newLength)
        {
            return Errno.EINVAL;
        }

        if (wish.OldAddress + oldLength > target && target + newLength > wish.OldAddress)
        {
            return Errno.EINVAL;
        }

        Vma* vma = VmaTree.Find(space, wish.OldAddress);
        ulong movedLength = oldLength < newLength ? oldLength : newLength;
        // Checked before anything is unmapped, so that a failure changes nothing (Linux has unmapped the target by then).
        Errno error = CheckGrowth(vma, wish.OldAddress, movedLength);
        if (error == Errno.None && isFixed && target < AddressLayout.LowestAddress)
        {
            error = Errno.EPERM;
        }

        if (error != Errno.None)
        {
            return error;
        }

        bool mayBeThere = isFixed || (target >= AddressLayout.LowestAddress && IsFree(space, target, target + newLength));
        if (!mayBeThere && !FindGap(space, newLength, out target))
        {
            return Errno.ENOMEM;
        }

        error = _regions.Check(space, target, target + newLength, out demand);
        if (error != Errno.None)
        {
            return error;
        }

        if (isFixed)
        {
            error = Clear(space, target, target + newLength);
        }

        if (error == Errno.None && oldLength > newLength)
        {
            error = Unmap(space, wish.OldAddress + newLength, oldLength - newLength);
        }

        return error != Errno.None
            ? error
            : MoveRange(space, wish.OldAddress, movedLength, target, newLength, flags, ref copied, out address, out demand);
    }

    /// <summary>Linux: vma_to_resize.</summary>
    private static Errno CheckGrowth(Vma* vma, ulong address, ulong oldLength)
    {
        if (oldLength == 0 && (vma->Traits & VmaTraits.Shared) == 0)
        {
            return Errno.EINVAL;
        }

        return oldLength > vma->End - address ? Errno.EFAULT : Errno.None;
    }

    /// <summary>Maps the target like the source, moves the pages, and unmaps the source unless told not to (Linux: move_vma).</summary>
    private Errno MoveRange(AddressSpace* space, ulong from, ulong oldLength, ulong to, ulong newLength, RemapFlags flags,
        ref PageMove copied, out ulong address, out RegionDemand demand)
    {
        address = 0;
        Errno error = _regions.Check(space, to, to + newLength, out demand);
        if (error != Errno.None)
        {
            return error;
        }
        // The copy, and the two splits that unmapping the source may take.
        if (space->VmaCount + 3 > AddressLayout.MaxVmas)
        {
            return Errno.ENOMEM;
        }

        if (space->HasParts && oldLength != 0 && (copied.From != from || copied.To != to || copied.Length != oldLength))
        {
            copied = new PageMove { From = from, To = to, Length = oldLength };
            return Errno.EINPROGRESS;
        }

        Vma* source = VmaTree.Find(space, from);
        Vma* target = _vmas.Allocate();
        if (target == null)
        {
            return Errno.ENOMEM;
        }

        error = space->HasParts ? Errno.None : _frames.Move(space, from, to, oldLength);
        if (error != Errno.None)
        {
            _vmas.Free(target);
            return error;
        }

        CopyContent(target, source);
        target->Start = to;
        target->End = to + newLength;
        if (target->Kind == VmaKind.Stack)
        {
            target->Kind = VmaKind.Anonymous;
        }

        if (target->File != null)
        {
            target->FileOffset += from - source->Start;
        }

        _vmas.Insert(space, target);
        if ((flags & RemapFlags.DontUnmap) != 0)
        {
            // Those that owners have copied are still there.
            error = _frames.Remove(space, from, from + oldLength);
        }
        else if (oldLength != 0)
        {
            error = Clear(space, from, from + oldLength);
        }

        JoinNeighbours(space, to, to + newLength);
        address = to;
        return error;
    }
}
