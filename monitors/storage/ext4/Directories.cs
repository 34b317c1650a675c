// Directories as lists of names: find, insert, remove, list. Entries are found by reading the blocks in a row, in large directories by a
// table in memory (NameIndex.cs); a hash tree that Linux left is read past (its inner nodes look like unused entries) and given up at the
// first change (Directories.Unindex), which ext4 allows.
// May BLOCK on the device. Callers hold the volume and have checked permissions.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>The directories of a volume.</summary>
public sealed unsafe class Directories(Volume volume, FrameAllocator frames)
{
    private readonly Volume _volume = volume;
    private readonly NameIndex _index = new(frames);

    /// <summary>Where the last name went in: the next one into the same directory likely fits there.</summary>
    private uint _recentDirectory;
    private uint _recentBlock;

    /// <summary>The inode that a name stands for. ENOENT: no such name; ENOTDIR; EUCLEAN.</summary>
    public Errno Find(in InodeHandle directory, ReadOnlySpan<byte> name, out uint inode, out EntryType type)
    {
        inode = 0;
        type = EntryType.Unknown;
        Errno error = CountBlocks(directory, out uint blocks);
        using BlockHandle block = error == Errno.None
            ? Seek(directory, blocks, name, out _, out int offset, out _, out error)
            : NoBlock(out offset);
        if (error == Errno.None)
        {
            DirectoryEntry* entry = View(block).At(offset);
            inode = entry->Inode;
            type = entry->Type;
        }

        return error;
    }

    private static BlockHandle NoBlock(out int offset)
    {
        offset = 0;
        return default;
    }

    /// <summary>
    /// Enters a name that is not there yet. ENOSPC: the directory had to grow and the volume is full; nothing is changed then.
    /// </summary>
    public Errno Insert(in InodeHandle directory, ReadOnlySpan<byte> name, uint inode, EntryType type)
    {
        Errno error = PrepareChange(directory, out uint blocks);
        if (error != Errno.None)
        {
            return error;
        }

        uint first = _recentDirectory == directory.Number && _recentBlock < blocks ? _recentBlock : 0;
        for (uint step = 0; step < blocks; step++)
        {
            uint logical = (uint)(((ulong)first + step) % blocks);
            using BlockHandle block = OpenBlock(directory, logical, out error);
            if (error != Errno.None)
            {
                return error;
            }

            if (View(block).TryInsert(name, inode, type))
            {
                Commit(directory, block);
                _index.Add(directory.Number, NameIndex.HashOf(name), logical);
                _recentDirectory = directory.Number;
                _recentBlock = logical;
                return Errno.None;
            }
        }

        using BlockHandle added = Append(directory, blocks, out error);
        if (error != Errno.None)
        {
            return error;
        }

        View(added).TryInsert(name, inode, type);
        Commit(directory, added);
        _index.Add(directory.Number, NameIndex.HashOf(name), blocks);
        _recentDirectory = directory.Number;
        _recentBlock = blocks;
        return Errno.None;
    }

    /// <summary>Makes an existing name stand for another inode. ENOENT: no such name.</summary>
    public Errno Replace(in InodeHandle directory, ReadOnlySpan<byte> name, uint inode, EntryType type)
    {
        using BlockHandle block = OpenEntry(directory, name, out _, out int offset, out _, out Errno error);
        if (error == Errno.None)
        {
            DirectoryEntry* entry = View(block).At(offset);
            entry->Inode = inode;
            entry->Type = type;
            Commit(directory, block);
        }

        return error;
    }

    /// <summary>Removes a name. ENOENT: no such name.</summary>
    public Errno Remove(in InodeHandle directory, ReadOnlySpan<byte> name)
    {
        using BlockHandle block = OpenEntry(directory, name, out uint logical, out int offset, out int previous, out Errno error);
        if (error == Errno.None)
        {
            View(block).Remove(offset, previous);
            Commit(directory, block);
            _index.Remove(directory.Number, NameIndex.HashOf(name), logical);
        }

        return error;
    }

    /// <summary>ENOTEMPTY when there is a name besides "." and "..".</summary>
    public Errno CheckEmpty(in InodeHandle directory)
    {
        Errno error = CountBlocks(directory, out uint blocks);
        for (uint logical = 0; error == Errno.None && logical < blocks; logical++)
        {
            using BlockHandle block = OpenBlock(directory, logical, out error);
            if (error != Errno.None)
            {
                return error;
            }

            DirectoryBlock entries = View(block);
            for (int offset = 0; offset < entries.End; offset += entries.At(offset)->Length)
            {
                DirectoryEntry* entry = entries.At(offset);
                if (entry->Inode != 0 && !IsDots(DirectoryEntry.NameOf(entry)))
                {
                    return Errno.ENOTEMPTY;
                }
            }
        }

        return error;
    }

    /// <summary>Gives a new directory its first block with "." and "..". ENOSPC: the volume is full; nothing is changed then.</summary>
    public Errno Initialize(in InodeHandle directory, uint parent)
    {
        // Its number may have been another directory's.
        _index.Forget(directory.Number);
        using BlockHandle block = Append(directory, 0, out Errno error);
        if (error == Errno.None)
        {
            View(block).TryInsert("."u8, directory.Number, EntryType.Directory);
            View(block).TryInsert(".."u8, parent, EntryType.Directory);
            Commit(directory, block);
        }

        return error;
    }

    /// <summary>
    /// Lists names as the messages carry them, from <paramref name="cookie"/> on (a position in the directory; 0 = its beginning), as
    /// many as fit. None = the end. EINVAL: not even one fits.
    /// </summary>
    public Errno List(in InodeHandle directory, ulong cookie, Span<byte> output, out int writtenBytes)
    {
        writtenBytes = 0;
        uint blockBytes = _volume.Geometry.BlockBytes;
        Errno error = CountBlocks(directory, out uint blocks);
        // A removed directory that somebody still holds shows nothing, not even "." (Linux's dead directories).
        blocks = directory.Record->Links == 0 ? 0 : blocks;
        for (ulong logical = cookie / blockBytes; error == Errno.None && logical < blocks; logical++)
        {
            using BlockHandle block = OpenBlock(directory, (uint)logical, out error);
            if (error != Errno.None)
            {
                return error;
            }

            ulong start = logical * blockBytes;
            DirectoryBlock entries = View(block);
            for (int offset = 0; offset < entries.End; offset += entries.At(offset)->Length)
            {
                DirectoryEntry* entry = entries.At(offset);
                // The entry at the cookie may have gone since: names after it still count, names before it do not.
                if (start + (ulong)offset < cookie || entry->Inode == 0)
                {
                    continue;
                }

                int next = offset + entry->Length;
                ulong nextCookie = next >= entries.End ? start + blockBytes : start + (ulong)next;
                if (!TryEmit(entry, nextCookie, output, ref writtenBytes))
                {
                    return writtenBytes == 0 ? Errno.EINVAL : Errno.None;
                }
            }
        }

        return error;
    }

    private static bool TryEmit(DirectoryEntry* entry, ulong nextCookie, Span<byte> output, ref int writtenBytes)
    {
        const int alignment = 8;
        int headerBytes = sizeof(DirectoryEntryHeader);
        int paddedName = (entry->NameLength + alignment - 1) & ~(alignment - 1);
        if (output.Length - writtenBytes < headerBytes + paddedName)
        {
            return false;
        }

        DirectoryEntryHeader header = new()
        {
            NextCookie = nextCookie,
            Inode = entry->Inode,
            Type = ToReaddirType(entry->Type),
            NameLength = entry->NameLength,
        };
        Span<byte> target = output.Slice(writtenBytes, headerBytes + paddedName);
        target.Clear();
        MemoryMarshal.Write(target, in header);
        DirectoryEntry.NameOf(entry).CopyTo(target[headerBytes..]);
        writtenBytes += target.Length;
        return true;
    }

    /// <summary>DT_* of readdir(3).</summary>
    private static byte ToReaddirType(EntryType type) => type switch
    {
        EntryType.Regular => 8,
        EntryType.Directory => 4,
        EntryType.CharacterDevice => 2,
        EntryType.BlockDevice => 6,
        EntryType.Fifo => 1,
        EntryType.Socket => 12,
        EntryType.SymbolicLink => 10,
        _ => 0,
    };

    private static bool IsDots(ReadOnlySpan<byte> name) =>
        name[0] == (byte)'.' && (name.Length == 1 || (name.Length == 2 && name[1] == (byte)'.'));

    private DirectoryBlock View(in BlockHandle block) => new(block.Data, _volume.Geometry.BlockBytes);

    private Errno CountBlocks(in InodeHandle directory, out uint blocks)
    {
        blocks = 0;
        if (!directory.IsDirectory)
        {
            return Errno.ENOTDIR;
        }

        ulong count = directory.Size / _volume.Geometry.BlockBytes;
        // A directory has no holes, so it cannot be larger than the volume.
        if (directory.Size % _volume.Geometry.BlockBytes != 0 || count > _volume.Geometry.BlockCount || count >= uint.MaxValue)
        {
            return Errno.EUCLEAN;
        }

        blocks = (uint)count;
        return Errno.None;
    }

    private BlockHandle OpenBlock(in InodeHandle directory, uint logical, out Errno error)
    {
        error = _volume.Extents.Map(directory, logical, out Mapping mapping);
        if (error != Errno.None)
        {
            return default;
        }

        if (mapping.IsHole || mapping.Unwritten)
        {
            error = Errno.EUCLEAN;
            return default;
        }

        BlockHandle block = _volume.Cache.Read(mapping.Physical, BlockKind.Directory, out error);
        if (error != Errno.None || block.IsVerified)
        {
            return block;
        }

        if (!IsGood(directory, View(block)))
        {
            Log.Error($"ext4: block {logical} of directory {directory.Number} is damaged");
            block.Dispose();
            error = Errno.EUCLEAN;
            return default;
        }

        block.SetVerified();
        return block;
    }

    private bool IsGood(in InodeHandle directory, DirectoryBlock block)
    {
        if (_volume.Geometry.HasChecksums)
        {
            // Only nodes of a hash tree keep their checksum elsewhere.
            bool intact = block.HasTail ? block.IsIntact(directory.ChecksumSeed) : (directory.Record->Flags & InodeFlags.Indexed) != 0;
            if (!intact)
            {
                return false;
            }
        }

        return block.IsSound(_volume.Geometry.InodeCount);
    }

    private BlockHandle OpenEntry(
        in InodeHandle directory, ReadOnlySpan<byte> name, out uint logical, out int offset, out int previous, out Errno error)
    {
        logical = 0;
        offset = 0;
        previous = 0;
        error = PrepareChange(directory, out uint blocks);
        return error == Errno.None ? Seek(directory, blocks, name, out logical, out offset, out previous, out error) : default;
    }

    /// <summary>The block that has a name, and where in it. ENOENT: none has.</summary>
    private BlockHandle Seek(
        in InodeHandle directory, uint blocks, ReadOnlySpan<byte> name, out uint logical, out int offset, out int previous, out Errno error)
    {
        bool isIndexed = blocks >= NameIndex.LeastBlocks && (_index.Knows(directory.Number) || TryIndex(directory, blocks));
        uint hash = isIndexed ? NameIndex.HashOf(name) : 0;
        NameIndex.Probe probe = default;
        logical = 0;
        offset = 0;
        previous = 0;
        for (uint step = 0; isIndexed ? _index.TryNext(directory.Number, hash, ref probe, out logical) : step < blocks; step++)
        {
            logical = isIndexed ? logical : step;
            BlockHandle block = OpenBlock(directory, logical, out error);
            if (error != Errno.None)
            {
                return default;
            }

            if (View(block).TryFind(name, out offset, out previous))
            {
                return block;
            }

            block.Dispose();
        }

        error = Errno.ENOENT;
        return default;
    }

    /// <summary>Notes where the names of a directory are; false: there is no memory for that, or a block is damaged.</summary>
    private bool TryIndex(in InodeHandle directory, uint blocks)
    {
        bool isKnown = _index.Begin(directory.Number);
        for (uint logical = 0; isKnown && logical < blocks; logical++)
        {
            using BlockHandle block = OpenBlock(directory, logical, out Errno error);
            if (error != Errno.None)
            {
                _index.Forget(directory.Number);
                return false;
            }

            DirectoryBlock entries = View(block);
            for (int offset = 0; offset < entries.End; offset += entries.At(offset)->Length)
            {
                DirectoryEntry* entry = entries.At(offset);
                if (entry->Inode != 0)
                {
                    _index.Add(directory.Number, NameIndex.HashOf(DirectoryEntry.NameOf(entry)), logical);
                }
            }

            isKnown = _index.Knows(directory.Number);
        }

        return isKnown;
    }

    /// <summary>Adds an empty block at the end of a directory of <paramref name="blocks"/> blocks.</summary>
    private BlockHandle Append(in InodeHandle directory, uint blocks, out Errno error)
    {
        error = _volume.Blocks.AllocateOne(_volume.Extents.Goal(directory, blocks), out ulong number);
        if (error != Errno.None)
        {
            return default;
        }

        BlockHandle block = _volume.Cache.Create(number, BlockKind.Directory, out error);
        if (error == Errno.None)
        {
            error = _volume.Extents.Insert(directory, blocks, number, 1);
            if (error != Errno.None)
            {
                block.Dispose();
            }
        }

        if (error != Errno.None)
        {
            _volume.Blocks.Free(number, 1);
            return default;
        }

        View(block).Initialize(_volume.Geometry.HasChecksums);
        directory.SetSize((ulong)(blocks + 1) * _volume.Geometry.BlockBytes);
        directory.Commit();
        return block;
    }

    private void Commit(in InodeHandle directory, in BlockHandle block)
    {
        if (_volume.Geometry.HasChecksums)
        {
            View(block).UpdateChecksum(directory.ChecksumSeed);
        }

        block.MarkDirty();
    }

    private Errno PrepareChange(in InodeHandle directory, out uint blocks)
    {
        Errno error = CountBlocks(directory, out blocks);
        return error == Errno.None && (directory.Record->Flags & InodeFlags.Indexed) != 0 ? Unindex(directory, blocks) : error;
    }

    /// <summary>
    /// Makes a plain list of a directory with a hash tree. The tree's nodes (the root behind ".." in block 0, others in blocks of their
    /// own) become free space; with checksums they also need the tail that blocks of a list have.
    /// </summary>
    private Errno Unindex(in InodeHandle directory, uint blocks)
    {
        for (uint logical = 0; _volume.Geometry.HasChecksums && logical < blocks; logical++)
        {
            using BlockHandle block = OpenBlock(directory, logical, out Errno error);
            if (error != Errno.None)
            {
                return error;
            }

            DirectoryBlock entries = View(block);
            if (entries.HasTail)
            {
                continue;
            }

            uint parent = 0;
            if (logical == 0)
            {
                if (!entries.TryFind(".."u8, out int offset, out _))
                {
                    return Errno.EUCLEAN;
                }

                parent = entries.At(offset)->Inode;
            }
            else if (entries.At(0)->Inode != 0 || entries.At(0)->Length != _volume.Geometry.BlockBytes)
            {
                return Errno.EUCLEAN;
            }

            entries.Initialize(withTail: true);
            if (logical == 0)
            {
                entries.TryInsert("."u8, directory.Number, EntryType.Directory);
                entries.TryInsert(".."u8, parent, EntryType.Directory);
            }

            Commit(directory, block);
        }

        directory.Record->Flags &= ~InodeFlags.Indexed;
        directory.Commit();
        return Errno.None;
    }
}
