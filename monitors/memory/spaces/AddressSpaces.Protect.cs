// mprotect(2). As on Linux the part before a hole has been changed when ENOMEM comes back.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    private const Protection AllProtection = Protection.Read | Protection.Write | Protection.Execute;

    /// <summary>mprotect(2): EINVAL, ENOMEM (a hole, or no split possible), EACCES (writing to a read-only shared file mapping).</summary>
    public Errno Protect(AddressSpace* space, ulong address, ulong length, Protection protection)
    {
        if (!AddressLayout.IsPageAligned(address))
        {
            return Errno.EINVAL;
        }

        if (length == 0)
        {
            return Errno.None;
        }

        length = AddressLayout.PageUp(length);
        ulong end = address + length;
        if (end <= address)
        {
            return Errno.ENOMEM;
        }

        if ((protection & ~AllProtection) != 0)
        {
            return Errno.EINVAL;
        }

        Errno error = ProtectVmas(space, address, end, protection);
        JoinNeighbours(space, address, end);
        return error;
    }

    private Errno ProtectVmas(AddressSpace* space, ulong start, ulong end, Protection protection)
    {
        Vma* vma = VmaTree.Find(space, start);
        while (vma != null && vma->Start <= start)
        {
            if ((vma->Traits & (VmaTraits.Shared | VmaTraits.MayWrite)) == VmaTraits.Shared && (protection & Protection.Write) != 0)
            {
                return Errno.EACCES;
            }

            if (vma->Protection != protection)
            {
                if (vma->Start < start)
                {
                    Errno error = SplitAt(space, vma, start);
                    if (error != Errno.None)
                    {
                        return error;
                    }

                    vma = vma->Next;
                }

                if (vma->End > end)
                {
                    Errno error = SplitAt(space, vma, end);
                    if (error != Errno.None)
                    {
                        return error;
                    }
                }

                vma->Protection = protection;
                if ((protection & Protection.Write) != 0)
                {
                    vma->Traits |= VmaTraits.WasWritable;
                }
            }

            if (vma->End >= end)
            {
                return Errno.None;
            }

            start = vma->End;
            vma = vma->Next;
        }

        return Errno.ENOMEM;
    }
}
