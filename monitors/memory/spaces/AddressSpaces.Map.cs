// mmap(2): where a mapping goes and what it may be. Checks and errno values in the order of Linux's do_mmap.
// A MAP_SHARED mapping lies over a file or a memory object (MemoryObjects); one of nothing is zeros for ever. MAP_HUGETLB is ENOMEM, as on
// a host without huge pages.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>MAP_* of mmap(2).</summary>
[System.Flags]
public enum MapFlags : uint
{
    Shared = 0x01,
    Private = 0x02,
    SharedValidate = 0x03,
    TypeMask = 0x0F,
    Fixed = 0x10,
    Anonymous = 0x20,
    HugePages = 0x4_0000,
    FixedNoReplace = 0x10_0000,
}

/// <summary>What a caller wants mapped.</summary>
public unsafe struct MapWish
{
    public ulong Address;
    public ulong Length;
    public Protection Protection;
    public MapFlags Flags;
    /// <summary>Null for anonymous memory.</summary>
    public CachedFile* File;
    public ulong FileOffset;
    /// <summary>Shared mappings: what they may ever allow.</summary>
    public Protection Allowed;
    /// <summary>The processor component's name for the file.</summary>
    public uint Backing;
    /// <summary>Anonymous unless the loader makes the stack.</summary>
    public VmaKind Kind;
}

public sealed unsafe partial class AddressSpaces
{
    /// <summary>Maps a range. EINVAL, ENOMEM, EEXIST, EPERM, EOVERFLOW; EINPROGRESS see the file's head of
    /// AddressSpaces.</summary>
    public Errno Map(AddressSpace* space, in MapWish wish, out ulong address, out RegionDemand demand)
    {
        address = 0;
        demand = default;
        if (!AddressLayout.IsPageAligned(wish.FileOffset) || wish.Length == 0)
        {
            return Errno.EINVAL;
        }

        ulong length = AddressLayout.PageUp(wish.Length);
        if (length == 0)
        {
            return Errno.ENOMEM;
        }

        if (wish.FileOffset + length < wish.FileOffset)
        {
            return Errno.EOVERFLOW;
        }

        if (space->VmaCount >= AddressLayout.MaxVmas || length > AddressLayout.TaskSize || (wish.Flags & MapFlags.HugePages) != 0)
        {
            return Errno.ENOMEM;
        }

        Errno error = ChooseAddress(space, wish, length, out address);
        if (error == Errno.None)
        {
            error = CheckType(wish);
        }

        if (error == Errno.None)
        {
            error = _regions.Check(space, address, address + length, out demand);
        }

        if (error != Errno.None)
        {
            return error;
        }

        // Taken before anything goes, so that a failure changes nothing.
        Vma* vma = _vmas.Allocate();
        if (vma == null)
        {
            return Errno.ENOMEM;
        }

        error = Clear(space, address, address + length);
        if (error != Errno.None)
        {
            _vmas.Free(vma);
            return error;
        }

        InsertVma(space, vma, wish, address, address + length);
        return Errno.None;
    }

    private Errno ChooseAddress(AddressSpace* space, in MapWish wish, ulong length, out ulong address)
    {
        address = wish.Address;
        if ((wish.Flags & (MapFlags.Fixed | MapFlags.FixedNoReplace)) != 0)
        {
            if (address > AddressLayout.TaskSize - length)
            {
                return Errno.ENOMEM;
            }

            if (!AddressLayout.IsPageAligned(address))
            {
                return Errno.EINVAL;
            }

            if (address < AddressLayout.LowestAddress)
            {
                return Errno.EPERM;
            }

            bool taken = (wish.Flags & MapFlags.FixedNoReplace) != 0 && VmaTree.FindOverlap(space, address, address + length) != null;
            return taken ? Errno.EEXIST : Errno.None;
        }

        address = AddressLayout.PageDown(address);
        if (address != 0)
        {
            if (address < AddressLayout.LowestAddress)
            {
                address = AddressLayout.LowestAddress;
            }

            if (address <= AddressLayout.TaskSize - length && IsFree(space, address, address + length))
            {
                return Errno.None;
            }
        }

        return FindGap(space, length, out address) ? Errno.None : Errno.ENOMEM;
    }

    private static Errno CheckType(in MapWish wish)
    {
        switch (wish.Flags & MapFlags.TypeMask)
        {
            case MapFlags.Private:
                return Errno.None;
            case MapFlags.Shared:
                break;
            case MapFlags.SharedValidate when wish.File != null:
                break;
            default:
                return Errno.EINVAL;
        }

        return (wish.Protection & Protection.Write) != 0 && !MayWrite(wish) ? Errno.EACCES : Errno.None;
    }

    private static bool MayWrite(in MapWish wish) => wish.File != null && (wish.Allowed & Protection.Write) != 0;

    private Errno AddVma(AddressSpace* space, in MapWish wish, ulong start, ulong end)
    {
        Vma* vma = _vmas.Allocate();
        if (vma == null)
        {
            return Errno.ENOMEM;
        }

        InsertVma(space, vma, wish, start, end);
        return Errno.None;
    }

    private void InsertVma(AddressSpace* space, Vma* vma, in MapWish wish, ulong start, ulong end)
    {
        vma->Start = start;
        vma->End = end;
        vma->Protection = wish.Protection;
        vma->Kind = wish.Kind;
        if (wish.File != null)
        {
            vma->Kind = VmaKind.File;
            vma->File = wish.File;
            vma->FileOffset = wish.FileOffset;
            vma->Backing = wish.Backing;
        }

        if ((wish.Flags & MapFlags.TypeMask) != MapFlags.Private)
        {
            vma->Traits |= VmaTraits.Shared | (MayWrite(wish) ? VmaTraits.MayWrite : VmaTraits.None);
        }

        if (wish.File != null)
        {
            _files.HoldMapping(wish.File, vma->MayBeWritten);
        }

        if ((wish.Protection & Protection.Write) != 0)
        {
            vma->Traits |= VmaTraits.WasWritable;
        }

        _vmas.Insert(space, vma);
        JoinNeighbours(space, start, end);
    }
}
