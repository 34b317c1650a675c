// munmap(2), the removal of whatever a MAP_FIXED mapping replaces, and madvise(2) where it gives pages up.

using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    /// <summary>munmap(2): EINVAL for a misaligned or impossible range, ENOMEM when a split is impossible.</summary>
    public Errno Unmap(AddressSpace* space, ulong address, ulong length)
    {
        if (!AddressLayout.IsPageAligned(address) || address > AddressLayout.TaskSize || length > AddressLayout.TaskSize - address)
        {
            return Errno.EINVAL;
        }

        length = AddressLayout.PageUp(length);
        return length == 0 ? Errno.EINVAL : Clear(space, address, address + length);
    }

    /// <summary>MADV_DONTNEED: forgets the pages of a range, whose mappings stay. EINVAL, ENOMEM; then no page has gone.</summary>
    public Errno Discard(AddressSpace* space, ulong address, ulong length)
    {
        if (!AddressLayout.IsPageAligned(address) || address > AddressLayout.TaskSize || length > AddressLayout.TaskSize - address)
        {
            return Errno.EINVAL;
        }

        length = AddressLayout.PageUp(length);
        return length == 0 ? Errno.None : _frames.Remove(space, address, address + length);
    }

    /// <summary>Removes all mappings and pages of a page-aligned range. On ENOMEM no mapping has changed.</summary>
    private Errno Clear(AddressSpace* space, ulong start, ulong end)
    {
        Vma* vma = VmaTree.FindOverlap(space, start, end);
        if (vma == null)
        {
            return Errno.None;
        }

        Errno error = Errno.None;
        if (vma->Start < start)
        {
            error = SplitAt(space, vma, start);
        }

        if (error == Errno.None)
        {
            Vma* last = VmaTree.Find(space, end - 1);
            if (last != null && last->End > end)
            {
                error = SplitAt(space, last, end);
            }
        }

        if (error == Errno.None)
        {
            error = _frames.Remove(space, start, end);
        }

        if (error != Errno.None)
        {
            JoinNeighbours(space, start, end);
            return error;
        }

        vma = VmaTree.FindOverlap(space, start, end);
        while (vma != null && vma->Start < end)
        {
            Vma* next = vma->Next;
            RemoveVma(space, vma);
            vma = next;
        }

        return Errno.None;
    }
}
