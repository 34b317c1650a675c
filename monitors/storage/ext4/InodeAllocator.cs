// Gives out and takes back inode numbers: one bitmap block per group, first fit from the directory's group on. Keeps the group's and the
// volume's free counts, the directory count and the mark of never-used inodes exact; without a free inode ENOSPC, and nothing is changed.
// May BLOCK on the device.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>What an inode is taken for; directories are counted per group.</summary>
public enum InodeUse { File, Directory }

/// <summary>The volume's free inodes.</summary>
public sealed unsafe class InodeAllocator(Volume volume)
{
    private readonly Volume _volume = volume;

    /// <summary>Takes an inode near <paramref name="parent"/>. ENOSPC: none is left; EIO, EUCLEAN.</summary>
    public Errno Allocate(uint parent, InodeUse use, out uint number)
    {
        number = 0;
        uint start = (parent - 1) / _volume.Geometry.InodesPerGroup;
        for (uint step = 0; step < _volume.Geometry.GroupCount; step++)
        {
            uint group = (uint)(((ulong)start + step) % _volume.Geometry.GroupCount);
            Errno error = AllocateInGroup(group, use, out number);
            if (error != Errno.ENOSPC)
            {
                return error;
            }
        }

        return Errno.ENOSPC;
    }

    /// <summary>Takes an inode back. EUCLEAN: it was not in use.</summary>
    public Errno Free(uint number, InodeUse use)
    {
        uint index = (number - 1) % _volume.Geometry.InodesPerGroup;
        using GroupHandle group = _volume.Groups.Open((number - 1) / _volume.Geometry.InodesPerGroup, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        using BlockHandle bitmap = OpenBitmap(group, out error);
        if (error != Errno.None)
        {
            return error;
        }

        if (!Bitmap.IsSet(bitmap.Bytes, index) || group.FreeInodes >= _volume.Geometry.InodesPerGroup
            || (use == InodeUse.Directory && group.Directories == 0))
        {
            return Errno.EUCLEAN;
        }

        Bitmap.Clear(bitmap.Bytes, index, 1);
        group.SetFreeInodes(group.FreeInodes + 1);
        if (use == InodeUse.Directory)
        {
            group.SetDirectories(group.Directories - 1);
        }

        Commit(group, bitmap);
        _volume.Views.TakeBack(number);
        _volume.FreeInodes++;
        return Errno.None;
    }

    /// <summary>EUCLEAN: the inode is free.</summary>
    public Errno CheckInUse(uint number)
    {
        using GroupHandle group = _volume.Groups.Open((number - 1) / _volume.Geometry.InodesPerGroup, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        using BlockHandle bitmap = OpenBitmap(group, out error);
        return error != Errno.None ? error
            : Bitmap.IsSet(bitmap.Bytes, (number - 1) % _volume.Geometry.InodesPerGroup) ? Errno.None
            : Errno.EUCLEAN;
    }

    private Errno AllocateInGroup(uint groupNumber, InodeUse use, out uint number)
    {
        number = 0;
        uint perGroup = _volume.Geometry.InodesPerGroup;
        using GroupHandle group = _volume.Groups.Open(groupNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        if (group.FreeInodes == 0 || _volume.FreeInodes == 0)
        {
            return Errno.ENOSPC;
        }

        using BlockHandle bitmap = OpenBitmap(group, out error);
        if (error != Errno.None)
        {
            return error;
        }

        uint reserved = groupNumber == 0 ? _volume.Geometry.FirstInode - 1 : 0;
        uint index = Bitmap.FindClear(bitmap.Bytes, Math.Min(reserved, perGroup), perGroup);
        if (index == perGroup)
        {
            return Errno.ENOSPC;
        }

        Bitmap.Set(bitmap.Bytes, index, 1);
        group.SetFreeInodes(group.FreeInodes - 1);
        group.SetUnusedInodes(Math.Min(group.UnusedInodes, perGroup - (index + 1)));
        if (use == InodeUse.Directory)
        {
            group.SetDirectories(group.Directories + 1);
        }

        Commit(group, bitmap);
        _volume.FreeInodes--;
        number = (groupNumber * perGroup) + index + 1;
        return Errno.None;
    }

    private BlockHandle OpenBitmap(in GroupHandle group, out Errno error)
    {
        if (!_volume.Geometry.AreBlocks(group.InodeBitmap, 1))
        {
            error = Errno.EUCLEAN;
            return default;
        }

        if ((group.Flags & GroupFlags.InodesUninitialized) != 0)
        {
            BlockHandle created = _volume.Cache.Create(group.InodeBitmap, BlockKind.InodeBitmap, out error);
            if (error == Errno.None)
            {
                uint perGroup = _volume.Geometry.InodesPerGroup;
                Bitmap.Set(created.Bytes, perGroup, (_volume.Geometry.BlockBytes * 8) - perGroup);
                group.SetFlags(group.Flags & ~GroupFlags.InodesUninitialized);
                Commit(group, created);
            }

            return created;
        }

        BlockHandle bitmap = _volume.Cache.Read(group.InodeBitmap, BlockKind.InodeBitmap, out error);
        if (error == Errno.None && _volume.Geometry.HasChecksums && !bitmap.IsVerified)
        {
            if ((Checksum(bitmap) & group.ChecksumMask) != group.InodeBitmapChecksum)
            {
                Log.Error($"ext4: inode bitmap of group {group.Number} is damaged");
                bitmap.Dispose();
                error = Errno.EUCLEAN;
                return default;
            }

            bitmap.SetVerified();
        }

        return bitmap;
    }

    private void Commit(in GroupHandle group, in BlockHandle bitmap)
    {
        if (_volume.Geometry.HasChecksums)
        {
            group.SetInodeBitmapChecksum(Checksum(bitmap));
        }

        bitmap.MarkDirty();
        group.Commit();
    }

    private uint Checksum(in BlockHandle bitmap) =>
        Crc32c.Add(_volume.Geometry.ChecksumSeed, bitmap.Bytes[..(int)(_volume.Geometry.InodesPerGroup / 8)]);
}
