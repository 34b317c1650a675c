// Where a file has data and where it has none (lseek(2), SEEK_DATA and SEEK_HOLE), how zeros become holes, and how holes get space that
// reads as zeros (fallocate(2)). May BLOCK on the device; callers hold the volume.

using System;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

public sealed unsafe partial class FileContents
{
    /// <summary>Extents that one request looks at; who asks goes on.</summary>
    private const int MostRuns = 1000;

    /// <summary>
    /// The first run of written blocks at or after a position, in bytes, as far as it was looked for: it may go on behind
    /// <paramref name="end"/>. Both alike: there is none before that. EUCLEAN.
    /// </summary>
    public Errno FindData(in InodeHandle inode, ulong offset, out ulong start, out ulong end)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        ulong blocks = Math.Min((inode.Size + blockBytes - 1) / blockBytes, uint.MaxValue);
        ulong at = offset / blockBytes;
        start = 0;
        bool isFound = false;
        for (int runs = 0; at < blocks && runs < MostRuns; runs++)
        {
            Errno error = _volume.Extents.Map(inode, (uint)at, out Mapping mapping);
            if (error != Errno.None)
            {
                end = 0;
                return error;
            }

            bool isData = !mapping.IsHole && !mapping.Unwritten;
            if (isFound && !isData)
            {
                break;
            }

            start = isData && !isFound ? Math.Max(offset, at * blockBytes) : start;
            isFound |= isData;
            at += mapping.Count;
        }

        end = Math.Min(at * blockBytes, inode.Size);
        start = isFound ? start : end;
        return Errno.None;
    }

    /// <summary>
    /// Gives every block of a range space, behind the end of the file as well; what the file reads as stays. EFBIG; EROFS, EIO, EUCLEAN;
    /// ENOSPC: a part may have it.
    /// </summary>
    public Errno Allocate(in InodeHandle inode, ulong offset, ulong lengthBytes, ulong timeNs)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        if (offset > MaxSize || lengthBytes > MaxSize - offset)
        {
            return Errno.EFBIG;
        }

        ulong end = (offset + lengthBytes + blockBytes - 1) / blockBytes;
        Errno error = _volume.BeginChange();
        if (error != Errno.None)
        {
            return error;
        }

        for (ulong at = offset / blockBytes; at < end && error == Errno.None;)
        {
            error = _volume.Extents.Map(inode, (uint)at, out Mapping mapping);
            uint run = (uint)Math.Min(mapping.Count, end - at);
            error = error == Errno.None && mapping.IsHole ? AllocateRun(inode, (uint)at, ref run) : error;
            at += run;
        }

        inode.SetModifyTime(timeNs);
        inode.SetChangeTime(timeNs);
        inode.Commit();
        return error;
    }

    private Errno AllocateRun(in InodeHandle inode, uint logical, ref uint run)
    {
        uint wanted = Math.Min(run, ExtentTree.MaxUnwritten);
        Errno error = _volume.Blocks.Allocate(_volume.Extents.Goal(inode, logical), wanted, out ulong physical, out run);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Extents.Insert(inode, logical, physical, run, BlockState.Unwritten);
        if (error != Errno.None)
        {
            _volume.Blocks.Free(physical, run);
        }

        return error;
    }

    /// <summary>
    /// Whole blocks of a range that read as zeros become holes, so that the file reads as before, whatever was written meanwhile. EROFS,
    /// EIO, EUCLEAN; ENOSPC: a part may have stayed.
    /// </summary>
    public Errno DigHoles(in InodeHandle inode, ulong offset, ulong lengthBytes)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        ulong end = Math.Min(offset + lengthBytes, MaxSize);
        // Behind the end of the file there is nothing to keep.
        ulong last = end >= inode.Size ? (end + blockBytes - 1) / blockBytes : end / blockBytes;
        Errno error = _volume.BeginChange();
        for (ulong at = (offset + blockBytes - 1) / blockBytes; at < last && error == Errno.None;)
        {
            error = _volume.Extents.Map(inode, (uint)at, out Mapping mapping);
            uint run = (uint)Math.Min(mapping.Count, last - at);
            if (error == Errno.None && !mapping.IsHole)
            {
                run = mapping.Unwritten ? run : Math.Min(run, BufferBytes / blockBytes);
                error = mapping.Unwritten
                    ? _volume.Extents.Release(inode, (uint)at, run)
                    : DigWritten(inode, (uint)at, mapping.Physical, run);
            }

            at += run;
        }

        return error;
    }

    /// <summary>The same for blocks that fit into the buffer.</summary>
    private Errno DigWritten(in InodeHandle inode, uint logical, ulong physical, uint blocks)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        Errno error = _volume.Device.Read(SectorOf(physical), _buffer, blocks * blockBytes);
        for (uint first = 0; first < blocks && error == Errno.None;)
        {
            uint zeros = 0;
            while (first + zeros < blocks && IsZero(first + zeros))
            {
                zeros++;
            }

            error = zeros != 0 ? _volume.Extents.Release(inode, logical + first, zeros) : Errno.None;
            first += zeros + 1;
        }

        return error;
    }

    private bool IsZero(uint block)
    {
        uint words = _volume.Geometry.BlockBytes / sizeof(ulong);
        ulong* at = (ulong*)_buffer + (block * words);
        ulong seen = 0;
        for (uint word = 0; word < words && seen == 0; word++)
        {
            seen = at[word];
        }

        return seen == 0;
    }
}
