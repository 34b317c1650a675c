// Gives out and takes back data and metadata blocks: one bitmap block per group, first fit from a goal, so that a file that grows stays in
// one piece. Keeps the group's and the volume's free counts exact; without a free block it says ENOSPC and changes nothing.
// May BLOCK on the device.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>The volume's free blocks.</summary>
public sealed class BlockAllocator(Volume volume)
{
    private readonly Volume _volume = volume;

    /// <summary>
    /// Takes a run of at least 1 and at most <paramref name="wanted"/> blocks, near <paramref name="goal"/> (any number; 0 = no
    /// preference). ENOSPC: the volume is full; EIO, EUCLEAN.
    /// </summary>
    public Errno Allocate(ulong goal, uint wanted, out ulong first, out uint count)
    {
        first = 0;
        count = 0;
        ref readonly Geometry geometry = ref _volume.Geometry;
        if (_volume.AvailableBlocks == 0)
        {
            return Errno.ENOSPC;
        }

        uint goalGroup = geometry.IsBlock(goal) ? geometry.GroupOfBlock(goal) : 0;
        uint goalIndex = geometry.IsBlock(goal) ? (uint)(goal - geometry.FirstBlockOfGroup(goalGroup)) : 0;
        // The goal's group is visited twice: from the goal to its end first, and last from its beginning.
        for (uint step = 0; step <= geometry.GroupCount; step++)
        {
            uint number = (uint)(((ulong)goalGroup + step) % geometry.GroupCount);
            Errno error = AllocateInGroup(number, step == 0 ? goalIndex : 0, wanted, out first, out count);
            if (error != Errno.ENOSPC)
            {
                return error;
            }
        }

        return Errno.ENOSPC;
    }

    /// <summary>Takes one block.</summary>
    public Errno AllocateOne(ulong goal, out ulong block) => Allocate(goal, 1, out block, out _);

    /// <summary>Takes back blocks that were given out, and drops what the cache holds of them. EUCLEAN: they were not in use.</summary>
    public Errno Free(ulong first, ulong count)
    {
        ref readonly Geometry geometry = ref _volume.Geometry;
        if (!geometry.AreBlocks(first, count))
        {
            return Errno.EUCLEAN;
        }

        while (count > 0)
        {
            uint number = geometry.GroupOfBlock(first);
            uint index = (uint)(first - geometry.FirstBlockOfGroup(number));
            uint part = (uint)Math.Min(count, geometry.BlocksInGroup(number) - index);
            Errno error = FreeInGroup(number, index, part);
            if (error != Errno.None)
            {
                return error;
            }

            for (ulong block = first; block < first + part; block++)
            {
                _volume.Cache.Forget(block);
            }

            first += part;
            count -= part;
        }

        return Errno.None;
    }

    private Errno AllocateInGroup(uint number, uint from, uint wanted, out ulong first, out uint count)
    {
        first = 0;
        count = 0;
        using GroupHandle group = _volume.Groups.Open(number, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        if (group.FreeBlocks == 0)
        {
            return Errno.ENOSPC;
        }

        using BlockHandle bitmap = OpenBitmap(group, out error);
        if (error != Errno.None)
        {
            return error;
        }

        uint end = _volume.Geometry.BlocksInGroup(number);
        uint index = Bitmap.FindClear(bitmap.Bytes, from, end);
        if (index == end)
        {
            return Errno.ENOSPC;
        }

        uint limit = (uint)Math.Min(Math.Min(wanted, group.FreeBlocks), _volume.AvailableBlocks);
        count = Bitmap.CountClear(bitmap.Bytes, index, end, limit);
        first = _volume.Geometry.FirstBlockOfGroup(number) + index;
        Bitmap.Set(bitmap.Bytes, index, count);
        group.SetFreeBlocks(group.FreeBlocks - count);
        Commit(group, bitmap);
        _volume.FreeBlocks -= count;
        return Errno.None;
    }

    private Errno FreeInGroup(uint number, uint index, uint count)
    {
        using GroupHandle group = _volume.Groups.Open(number, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        using BlockHandle bitmap = OpenBitmap(group, out error);
        if (error != Errno.None)
        {
            return error;
        }

        if (!Bitmap.AllSet(bitmap.Bytes, index, count) || group.FreeBlocks + count > _volume.Geometry.BlocksInGroup(number))
        {
            return Errno.EUCLEAN;
        }

        Bitmap.Clear(bitmap.Bytes, index, count);
        group.SetFreeBlocks(group.FreeBlocks + count);
        Commit(group, bitmap);
        _volume.FreeBlocks += count;
        return Errno.None;
    }

    private BlockHandle OpenBitmap(in GroupHandle group, out Errno error)
    {
        if (!_volume.Geometry.AreBlocks(group.BlockBitmap, 1))
        {
            error = Errno.EUCLEAN;
            return default;
        }

        if ((group.Flags & GroupFlags.BlocksUninitialized) != 0)
        {
            return Initialize(group, out error);
        }

        BlockHandle bitmap = _volume.Cache.Read(group.BlockBitmap, BlockKind.BlockBitmap, out error);
        if (error == Errno.None && _volume.Geometry.HasChecksums && !bitmap.IsVerified)
        {
            if ((Checksum(bitmap) & group.ChecksumMask) != group.BlockBitmapChecksum)
            {
                Log.Error($"ext4: block bitmap of group {group.Number} is damaged");
                bitmap.Dispose();
                error = Errno.EUCLEAN;
                return default;
            }

            bitmap.SetVerified();
        }

        return bitmap;
    }

    /// <summary>First use of a group whose bitmap was never written: only its own overhead is in use, and bits past its end.</summary>
    private BlockHandle Initialize(in GroupHandle group, out Errno error)
    {
        ref readonly Geometry geometry = ref _volume.Geometry;
        uint blocks = geometry.BlocksInGroup(group.Number);
        uint overhead = geometry.OverheadBlocks(group.Number);
        ulong first = geometry.FirstBlockOfGroup(group.Number);
        if (overhead > blocks)
        {
            error = Errno.EUCLEAN;
            return default;
        }

        BlockHandle bitmap = _volume.Cache.Create(group.BlockBitmap, BlockKind.BlockBitmap, out error);
        if (error != Errno.None)
        {
            return default;
        }

        Bitmap.Set(bitmap.Bytes, 0, overhead);
        ulong tableBlocks = _volume.Groups.InodeTableBlocks;
        for (ulong block = first; block < first + blocks; block++)
        {
            if (block == group.BlockBitmap || block == group.InodeBitmap
                || (block >= group.InodeTable && block - group.InodeTable < tableBlocks))
            {
                Bitmap.Set(bitmap.Bytes, (uint)(block - first), 1);
            }
        }

        Bitmap.Set(bitmap.Bytes, blocks, (geometry.BlockBytes * 8) - blocks);
        group.SetFlags(group.Flags & ~GroupFlags.BlocksUninitialized);
        Commit(group, bitmap);
        return bitmap;
    }

    private void Commit(in GroupHandle group, in BlockHandle bitmap)
    {
        if (_volume.Geometry.HasChecksums)
        {
            group.SetBlockBitmapChecksum(Checksum(bitmap));
        }

        bitmap.MarkDirty();
        group.Commit();
    }

    private uint Checksum(in BlockHandle bitmap) =>
        Crc32c.Add(_volume.Geometry.ChecksumSeed, bitmap.Bytes[..(int)(_volume.Geometry.BlocksPerGroup / 8)]);
}
