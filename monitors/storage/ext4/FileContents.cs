// The bytes of regular files and long symbolic links, moved between the device and one transfer buffer, whole runs of blocks at a time,
// past the block cache (the memory component caches file contents). The buffer is shared: what Read returned is valid until the next call
// here. Every operation may BLOCK on the device; the volume's lock keeps other threads out meanwhile.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Reads, writes and truncates files.</summary>
public sealed unsafe partial class FileContents
{
    /// <summary>Room for the largest transfer and the blocks that it begins and ends in.</summary>
    private const uint BufferBytes = 64 * 1024;

    private readonly Volume _volume;
    private readonly byte* _buffer;
    private readonly byte* _zeros;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public FileContents(Volume volume, FrameAllocator frames)
    {
        _volume = volume;
        _buffer = (byte*)frames.AllocateContiguous(BufferBytes / PageOperations.PageSize);
        _zeros = (byte*)frames.AllocateCleared();
    }

    /// <summary>False when there was no memory for the buffers.</summary>
    public bool IsUsable => _buffer != null && _zeros != null;

    /// <summary>Largest size of a file: 32 bits of block numbers.</summary>
    public ulong MaxSize => (ulong)uint.MaxValue * _volume.Geometry.BlockBytes;

    /// <summary>Bytes from <paramref name="offset"/> on, fewer at the end of the file; holes read as zeros.</summary>
    public Errno Read(scoped in InodeHandle inode, ulong offset, uint length, out ReadOnlySpan<byte> data)
    {
        data = default;
        ulong size = inode.Size;
        if (offset >= size)
        {
            return Errno.None;
        }

        if (size > MaxSize)
        {
            return Errno.EUCLEAN;
        }

        uint blockBytes = _volume.Geometry.BlockBytes;
        uint wanted = (uint)Math.Min(Math.Min(length, (uint)FileRequest.MaxTransfer), size - offset);
        uint skew = (uint)(offset % blockBytes);
        uint first = (uint)(offset / blockBytes);
        uint blocks = (skew + wanted + blockBytes - 1) / blockBytes;
        uint done = 0;
        while (done < blocks)
        {
            Errno error = _volume.Extents.Map(inode, first + done, out Mapping mapping);
            if (error != Errno.None)
            {
                return error;
            }

            uint run = Math.Min(mapping.Count, blocks - done);
            error = ReadRun(mapping, run, _buffer + (done * blockBytes));
            if (error != Errno.None)
            {
                return error;
            }

            done += run;
        }

        data = new ReadOnlySpan<byte>(_buffer + skew, (int)wanted);
        return Errno.None;
    }

    /// <summary>
    /// Writes at most MaxTransfer bytes and records <paramref name="timeNs"/> as the file's times. Fewer are written only when the volume
    /// is full; ENOSPC: none. EFBIG: past the largest size. EROFS, EIO, EUCLEAN.
    /// </summary>
    public Errno Write(in InodeHandle inode, ulong offset, ReadOnlySpan<byte> data, ulong timeNs, out uint written)
    {
        written = 0;
        if (data.Length > FileRequest.MaxTransfer)
        {
            return Errno.EINVAL;
        }

        if (offset > MaxSize || (ulong)data.Length > MaxSize - offset)
        {
            return Errno.EFBIG;
        }

        if (data.Length == 0)
        {
            return Errno.None;
        }

        uint blockBytes = _volume.Geometry.BlockBytes;
        uint skew = (uint)(offset % blockBytes);
        uint first = (uint)(offset / blockBytes);
        uint end = skew + (uint)data.Length;
        uint blocks = (end + blockBytes - 1) / blockBytes;
        Errno error = _volume.BeginChange();
        if (error == Errno.None)
        {
            error = LoadEdges(inode, first, skew, end);
        }

        if (error != Errno.None)
        {
            return error;
        }

        data.CopyTo(new Span<byte>(_buffer + skew, data.Length));
        error = WriteBlocks(inode, first, blocks, out uint done);
        uint doneBytes = done * blockBytes;
        written = doneBytes <= skew ? 0 : Math.Min(doneBytes - skew, (uint)data.Length);
        if (written > 0)
        {
            if (offset + written > inode.Size)
            {
                inode.SetSize(offset + written);
            }

            inode.SetModifyTime(timeNs);
            inode.SetChangeTime(timeNs);
            inode.Commit();
        }

        return error == Errno.ENOSPC && written > 0 ? Errno.None : error;
    }

    /// <summary>
    /// Makes the file exactly <paramref name="size"/> bytes long: frees what is beyond, or adds a hole. EFBIG; EROFS, EIO, EUCLEAN.
    /// </summary>
    public Errno Truncate(in InodeHandle inode, ulong size, ulong timeNs)
    {
        if (size > MaxSize)
        {
            return Errno.EFBIG;
        }

        uint blockBytes = _volume.Geometry.BlockBytes;
        Errno error = _volume.BeginChange();
        if (error == Errno.None && size <= inode.Size)
        {
            error = size % blockBytes != 0 ? ClearTail(inode, size) : Errno.None;
            if (error == Errno.None)
            {
                error = _volume.Extents.Truncate(inode, (uint)((size + blockBytes - 1) / blockBytes));
            }
        }

        if (error != Errno.None)
        {
            return error;
        }

        inode.SetSize(size);
        inode.SetModifyTime(timeNs);
        inode.SetChangeTime(timeNs);
        inode.Commit();
        return Errno.None;
    }

    /// <summary>Frees blocks behind the end of the file that a truncation cut short by a crash has left.</summary>
    public Errno CutBehindEnd(in InodeHandle inode)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        return inode.Size > MaxSize ? Errno.EUCLEAN : _volume.Extents.Truncate(inode, (uint)((inode.Size + blockBytes - 1) / blockBytes));
    }

    private ulong SectorOf(ulong block) => block * _volume.Geometry.SectorsPerBlock;

    private Errno ReadRun(in Mapping mapping, uint blocks, byte* target)
    {
        uint lengthBytes = blocks * _volume.Geometry.BlockBytes;
        if (mapping.IsHole || mapping.Unwritten)
        {
            new Span<byte>(target, (int)lengthBytes).Clear();
            return Errno.None;
        }

        return _volume.Device.Read(SectorOf(mapping.Physical), target, lengthBytes);
    }

    /// <summary>
    /// Puts the present contents of the first and last block into the buffer where the write covers them only in part. Nothing of the file
    /// lies behind a write that ends it: zeros do.
    /// </summary>
    private Errno LoadEdges(in InodeHandle inode, uint first, uint skew, uint end)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        uint last = (end - 1) / blockBytes;
        bool isCut = end % blockBytes != 0;
        bool endsFile = ((ulong)first * blockBytes) + end >= inode.Size;
        if (isCut && endsFile)
        {
            new Span<byte>(_buffer + (last * blockBytes), (int)blockBytes).Clear();
        }

        bool keepsTail = isCut && !endsFile;
        Errno error = Errno.None;
        if (skew != 0 || (last == 0 && keepsTail))
        {
            error = LoadBlock(inode, first, _buffer);
        }

        if (error == Errno.None && last != 0 && keepsTail)
        {
            error = LoadBlock(inode, first + last, _buffer + (last * blockBytes));
        }

        return error;
    }

    private Errno LoadBlock(in InodeHandle inode, uint logical, byte* target)
    {
        Errno error = _volume.Extents.Map(inode, logical, out Mapping mapping);
        if (error == Errno.None)
        {
            error = ReadRun(mapping, 1, target);
        }

        // Whatever lies behind the end of the file must not become part of it.
        ulong start = (ulong)logical * _volume.Geometry.BlockBytes;
        ulong valid = inode.Size > start ? Math.Min(inode.Size - start, _volume.Geometry.BlockBytes) : 0;
        new Span<byte>(target + valid, (int)(_volume.Geometry.BlockBytes - valid)).Clear();
        return error;
    }

    /// <summary>Writes the buffer's blocks, giving holes space; says how many are on their way to the device and in the file.</summary>
    private Errno WriteBlocks(in InodeHandle inode, uint first, uint blocks, out uint done)
    {
        done = 0;
        while (done < blocks)
        {
            uint logical = first + done;
            byte* source = _buffer + (done * _volume.Geometry.BlockBytes);
            Errno error = _volume.Extents.Map(inode, logical, out Mapping mapping);
            if (error != Errno.None)
            {
                return error;
            }

            uint run = Math.Min(mapping.Count, blocks - done);
            error = mapping.IsHole ? FillHole(inode, logical, source, ref run)
                : mapping.Unwritten ? FillUnwritten(inode, logical, mapping.Physical, source, run)
                : _volume.Device.Write(SectorOf(mapping.Physical), source, run * _volume.Geometry.BlockBytes);
            if (error != Errno.None)
            {
                return error;
            }

            done += run;
        }

        return Errno.None;
    }

    /// <summary>Takes blocks, writes them, and only then makes them part of the file, so that nobody reads their former contents.</summary>
    private Errno FillHole(in InodeHandle inode, uint logical, byte* source, ref uint run)
    {
        Errno error = _volume.Blocks.Allocate(_volume.Extents.Goal(inode, logical), run, out ulong physical, out run);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Device.Write(SectorOf(physical), source, run * _volume.Geometry.BlockBytes);
        if (error == Errno.None)
        {
            error = _volume.Extents.Insert(inode, logical, physical, run);
        }

        if (error != Errno.None)
        {
            _volume.Blocks.Free(physical, run);
        }

        return error;
    }

    /// <summary>Writes into an unwritten extent, and then takes the blocks out of it. Without room for the tree that this needs, the whole
    /// extent becomes a written one.</summary>
    private Errno FillUnwritten(in InodeHandle inode, uint logical, ulong physical, byte* source, uint run)
    {
        uint lengthBytes = run * _volume.Geometry.BlockBytes;
        Errno error = _volume.Device.Write(SectorOf(physical), source, lengthBytes);
        error = error == Errno.None ? _volume.Extents.MarkWritten(inode, logical, run) : error;
        if (error == Errno.ENOSPC)
        {
            error = ClearUnwritten(inode, logical, logical + run);
            error = error == Errno.None ? _volume.Device.Write(SectorOf(physical), source, lengthBytes) : error;
        }

        return error;
    }

    /// <summary>
    /// Turns an unwritten extent into zeros on the device, then into a written one. Space reserved past the end of the file is given back
    /// before: written blocks may not lie there.
    /// </summary>
    private Errno ClearUnwritten(in InodeHandle inode, uint logical, uint writeEnd)
    {
        ulong sizeBlocks = (inode.Size + _volume.Geometry.BlockBytes - 1) / _volume.Geometry.BlockBytes;
        ulong start = 0;
        uint count = 0;
        Errno error = _volume.Extents.Truncate(inode, (uint)Math.Min(Math.Max(sizeBlocks, writeEnd), uint.MaxValue));
        if (error == Errno.None)
        {
            error = _volume.Extents.FindUnwritten(inode, logical, out start, out count);
        }

        for (ulong block = start; error == Errno.None && block < start + count; block++)
        {
            error = _volume.Device.Write(SectorOf(block), _zeros, _volume.Geometry.BlockBytes);
        }

        return error == Errno.None ? _volume.Extents.MarkWritten(inode, logical) : error;
    }

    private Errno ClearTail(in InodeHandle inode, ulong size)
    {
        uint blockBytes = _volume.Geometry.BlockBytes;
        Errno error = _volume.Extents.Map(inode, (uint)(size / blockBytes), out Mapping mapping);
        if (error != Errno.None || mapping.IsHole || mapping.Unwritten)
        {
            return error;
        }

        error = _volume.Device.Read(SectorOf(mapping.Physical), _buffer, blockBytes);
        if (error != Errno.None)
        {
            return error;
        }

        uint kept = (uint)(size % blockBytes);
        new Span<byte>(_buffer + kept, (int)(blockBytes - kept)).Clear();
        return _volume.Device.Write(SectorOf(mapping.Physical), _buffer, blockBytes);
    }
}
