// Files as inodes without regard to their names: making one, letting its last name go, reading a link's target, stat(2)'s attributes.
// May BLOCK on the device. Callers hold the volume.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>What a new inode is to be.</summary>
public ref struct NewFile
{
    /// <summary>S_IF* type and permission bits.</summary>
    public uint Mode;
    public uint UserId;
    public uint GroupId;
    /// <summary>Of device files: dev_t as Linux's 32-bit encoding has it (minor low 8 bits, major 12 bits, minor high 12 bits).</summary>
    public uint DeviceNumber;
    /// <summary>Of symbolic links.</summary>
    public ReadOnlySpan<byte> Target;
}

/// <summary>The files of a volume.</summary>
public sealed unsafe class Files(Volume volume)
{
    /// <summary>A shorter target lies in the inode itself.</summary>
    private const int MinBlockTargetBytes = InodeRecord.BlockAreaBytes;

    private readonly Volume _volume = volume;

    /// <summary>
    /// Makes an inode with one link (a directory: two, "." included) that no directory names yet. ENOSPC: no inode or no block is left;
    /// nothing is changed then. ENAMETOOLONG: a link's target does not fit into one block.
    /// </summary>
    public Errno Create(in NewFile file, uint parent, ulong timeNs, out uint number)
    {
        number = 0;
        if (file.Target.Length >= _volume.Geometry.BlockBytes)
        {
            return Errno.ENAMETOOLONG;
        }

        InodeUse use = (file.Mode & FileMode.TypeMask) == FileMode.Directory ? InodeUse.Directory : InodeUse.File;
        Errno error = _volume.InodeNumbers.Allocate(parent, use, out uint allocated);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle inode = _volume.Inodes.OpenFree(allocated, out error);
        if (error == Errno.None)
        {
            Initialize(inode, file, timeNs);
            error = Fill(inode, file, parent, timeNs);
            if (error != Errno.None)
            {
                Retire(inode, timeNs);
            }
        }

        if (error != Errno.None)
        {
            _volume.InodeNumbers.Free(allocated, use);
            return error;
        }

        number = allocated;
        return Errno.None;
    }

    /// <summary>Frees an inode that no directory names any more, with all its blocks. EUCLEAN: the volume is damaged.</summary>
    public Errno Delete(in InodeHandle inode, ulong timeNs)
    {
        InodeUse use = inode.IsDirectory ? InodeUse.Directory : InodeUse.File;
        Errno error = inode.HasExtents ? _volume.Extents.Truncate(inode, 0) : Errno.None;
        if (error == Errno.None && inode.AttributeBlock != 0)
        {
            error = ReleaseAttributes(inode);
        }

        Retire(inode, timeNs);
        Errno freed = _volume.InodeNumbers.Free(inode.Number, use);
        return error != Errno.None ? error : freed;
    }

    /// <summary>A symbolic link's target, valid until the next operation on contents. EINVAL: not a link; EUCLEAN.</summary>
    public Errno ReadTarget(scoped in InodeHandle inode, out ReadOnlySpan<byte> target)
    {
        target = default;
        if (!inode.IsSymbolicLink)
        {
            return Errno.EINVAL;
        }

        ulong size = inode.Size;
        if (inode.HasExtents)
        {
            if (size == 0 || size >= _volume.Geometry.BlockBytes)
            {
                return Errno.EUCLEAN;
            }

            return _volume.Contents.Read(inode, 0, (uint)size, out target);
        }

        if (size == 0 || size >= MinBlockTargetBytes)
        {
            return Errno.EUCLEAN;
        }

        target = new ReadOnlySpan<byte>(inode.Record->BlockArea, (int)size);
        return Errno.None;
    }

    /// <summary>What stat(2) reports.</summary>
    public FileAttributes Describe(in InodeHandle inode) => new()
    {
        Handle = inode.StableHandle,
        Mode = inode.Record->Mode,
        Links = inode.Record->Links,
        UserId = inode.UserId,
        GroupId = inode.GroupId,
        DeviceNumber = DeviceNumberOf(inode),
        BlockSize = _volume.Geometry.BlockBytes,
        Size = inode.Size,
        Blocks = inode.Sectors,
        AccessTimeNs = inode.AccessTimeNs,
        ModifyTimeNs = inode.ModifyTimeNs,
        ChangeTimeNs = inode.ChangeTimeNs,
        BirthTimeNs = inode.BirthTimeNs,
    };

    private static uint DeviceNumberOf(in InodeHandle inode)
    {
        if (inode.Type != FileMode.CharacterDevice && inode.Type != FileMode.BlockDevice)
        {
            return 0;
        }

        // The old encoding (8 bits each) is a special case of the new one.
        return inode.Record->OldDeviceNumber != 0 ? inode.Record->OldDeviceNumber & ushort.MaxValue : inode.Record->NewDeviceNumber;
    }

    private void Initialize(in InodeHandle inode, in NewFile file, ulong timeNs)
    {
        // A handle from the inode's former life must not match: the generation counts lives.
        uint generation = inode.Record->Generation + 1;
        new Span<byte>(inode.Record, (int)_volume.Geometry.InodeBytes).Clear();
        inode.Record->Generation = generation;
        inode.Record->Mode = (ushort)file.Mode;
        inode.Record->Links = (ushort)(inode.IsDirectory ? 2 : 1);
        if (_volume.Geometry.ExtraInodeBytes != 0)
        {
            inode.Record->ExtraBytes = _volume.Geometry.ExtraInodeBytes;
        }

        inode.SetOwner(file.UserId, file.GroupId);
        inode.SetAllTimes(timeNs);
        inode.Commit();
    }

    /// <summary>Gives a new inode what its type needs.</summary>
    private Errno Fill(in InodeHandle inode, in NewFile file, uint parent, ulong timeNs)
    {
        switch (inode.Type)
        {
            case FileMode.Regular:
                UseExtents(inode);
                return Errno.None;
            case FileMode.Directory:
                UseExtents(inode);
                return _volume.Directories.Initialize(inode, parent);
            case FileMode.SymbolicLink when file.Target.Length >= MinBlockTargetBytes:
                UseExtents(inode);
                return _volume.Contents.Write(inode, 0, file.Target, timeNs, out _);
            case FileMode.SymbolicLink:
                file.Target.CopyTo(new Span<byte>(inode.Record->BlockArea, InodeRecord.BlockAreaBytes));
                inode.SetSize((ulong)file.Target.Length);
                break;
            case FileMode.CharacterDevice:
            case FileMode.BlockDevice:
                SetDeviceNumber(inode, file.DeviceNumber);
                break;
            default:
                break;
        }

        inode.Commit();
        return Errno.None;
    }

    private static void UseExtents(in InodeHandle inode)
    {
        inode.Record->Flags |= InodeFlags.Extents;
        new ExtentNode(inode.Record->BlockArea).Initialize(InodeRecord.BlockAreaBytes, 0);
        inode.Commit();
    }

    private static void SetDeviceNumber(in InodeHandle inode, uint number)
    {
        if (number <= ushort.MaxValue)
        {
            inode.Record->OldDeviceNumber = number;
        }
        else
        {
            inode.Record->NewDeviceNumber = number;
        }
    }

    /// <summary>Leaves the record as e2fsck wants a deleted inode: without links and size, with a time of deletion.</summary>
    private static void Retire(in InodeHandle inode, ulong timeNs)
    {
        inode.Record->Links = 0;
        inode.Record->DeleteTime = Timestamp.ShortSeconds(timeNs);
        inode.SetSize(0);
        inode.Commit();
    }

    /// <summary>
    /// Lets go of a block of extended attributes, which several inodes may share: a header with a count of users begins it.
    /// </summary>
    internal Errno ReleaseAttributes(in InodeHandle inode)
    {
        ulong number = inode.AttributeBlock;
        uint users;
        using (BlockHandle block = _volume.Cache.Read(number, BlockKind.Attributes, out Errno error))
        {
            if (error != Errno.None)
            {
                return error;
            }

            const int usersWord = 1;
            const int checksumWord = 4;
            uint* words = (uint*)block.Data;
            users = words[usersWord];
            if (words[0] != AttributeArea.Magic || users == 0)
            {
                return Errno.EUCLEAN;
            }

            inode.SetAttributeBlock(0);
            inode.RemoveBlocks(1);
            inode.Commit();
            if (users > 1)
            {
                words[usersWord] = users - 1;
                if (_volume.Geometry.HasChecksums)
                {
                    words[checksumWord] = 0;
                    uint crc = Crc32c.Add(_volume.Geometry.ChecksumSeed, new ReadOnlySpan<byte>(&number, sizeof(ulong)));
                    words[checksumWord] = Crc32c.Add(crc, block.Bytes);
                }

                block.MarkDirty();
                return Errno.None;
            }
        }

        return _volume.Blocks.Free(number, 1);
    }
}
