// Extended attributes of files (xattr(7)). They are read wherever they stand; a change writes all of a file's into one block, sorted as
// Linux sorts them, with the hashes that e2fsck wants, and shares it with no other inode. May BLOCK on the device. Callers hold the volume
// and have checked rights.

using System;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>What a change of an attribute is to find; without flags it makes one or replaces its value.</summary>
[Flags]
public enum AttributeChange : ushort
{
    Set = 0,
    /// <summary>XATTR_CREATE: only if it is not there.</summary>
    Create = 1,
    /// <summary>XATTR_REPLACE: only if it is.</summary>
    Replace = 2,
    Remove = 4,
    All = Create | Replace | Remove,
}

/// <summary>The attributes of a volume's files.</summary>
public sealed unsafe class ExtendedAttributes
{
    private readonly Volume _volume;
    /// <summary>The block that a change makes, and the entries that go into it.</summary>
    private readonly byte* _image;
    private readonly Slot* _slots;

    /// <summary>Boot time; without memory nothing can be changed.</summary>
    public ExtendedAttributes(Volume volume, FrameAllocator frames)
    {
        _volume = volume;
        _image = (byte*)frames.AllocateContiguous(Math.Max(1, volume.Geometry.BlockBytes / PageOperations.PageSize));
        _slots = (Slot*)frames.Allocate();
    }

    /// <summary>An attribute on its way into a block.</summary>
    private struct Slot
    {
        internal const int Most = PageOperations.PageSize / 32;

        internal byte* Name;
        internal byte* Value;
        internal uint ValueBytes;
        internal byte NameLength;
        internal byte NameIndex;
    }

    /// <summary>Copies a value. ENODATA: there is none of that name; ERANGE: it is longer than the room; EUCLEAN.</summary>
    public Errno Get(in InodeHandle inode, in AttributeName name, Span<byte> room, out int lengthBytes)
    {
        lengthBytes = 0;
        using BlockHandle block = OpenBlock(inode, out Errno error);
        for (int area = 0; area < 2 && error == Errno.None; area++)
        {
            AttributeArea entries = AreaOf(inode, block, area);
            int offset = 0;
            bool isDamaged;
            for (AttributeEntry* entry = entries.Next(ref offset, out ReadOnlySpan<byte> value, out isDamaged); entry != null;
                entry = entries.Next(ref offset, out value, out isDamaged))
            {
                if (name.IsThatOf(entry))
                {
                    lengthBytes = value.Length;
                    return value.TryCopyTo(room) ? Errno.None : Errno.ERANGE;
                }
            }

            error = isDamaged ? Errno.EUCLEAN : Errno.None;
        }

        return error == Errno.None ? Errno.ENODATA : error;
    }

    /// <summary>Writes all names with their terminators. ERANGE: they are longer than the room; EUCLEAN.</summary>
    public Errno List(in InodeHandle inode, bool withTrusted, Span<byte> room, out int lengthBytes)
    {
        lengthBytes = 0;
        using BlockHandle block = OpenBlock(inode, out Errno error);
        for (int area = 0; area < 2 && error == Errno.None; area++)
        {
            AttributeArea entries = AreaOf(inode, block, area);
            int offset = 0;
            bool isDamaged;
            for (AttributeEntry* entry = entries.Next(ref offset, out _, out isDamaged); entry != null; entry = entries.Next(ref offset,
                out _, out isDamaged))
            {
                ReadOnlySpan<byte> prefix = entry->NameIndex == AttributeName.Trusted && !withTrusted
                    ? default
                    : AttributeName.PrefixOf(entry->NameIndex);
                ReadOnlySpan<byte> rest = AttributeEntry.NameOf(entry);
                if (prefix.IsEmpty)
                {
                    continue;
                }

                int bytes = prefix.Length + rest.Length + 1;
                if (bytes > room.Length - lengthBytes)
                {
                    return Errno.ERANGE;
                }

                prefix.CopyTo(room[lengthBytes..]);
                rest.CopyTo(room[(lengthBytes + prefix.Length)..]);
                room[lengthBytes + bytes - 1] = 0;
                lengthBytes += bytes;
            }

            error = isDamaged ? Errno.EUCLEAN : Errno.None;
        }

        return error;
    }

    /// <summary>
    /// Changes one attribute. EEXIST, ENODATA by the kind; ENOSPC: they do not fit into one block, or the volume is full.
    /// </summary>
    public Errno Change(in InodeHandle inode, in AttributeName name, ReadOnlySpan<byte> value, AttributeChange kind)
    {
        if (_image == null || _slots == null)
        {
            return Errno.ENOMEM;
        }

        using BlockHandle block = OpenBlock(inode, out Errno error);
        if (error == Errno.None && (kind & (AttributeChange.Create | AttributeChange.Remove)) == 0 && Has(inode, block, name, value))
        {
            // Nothing changes, so the time of change does not either (ext4_xattr_set_handle).
            return Errno.None;
        }

        bool isThere = false;
        int count = error == Errno.None ? Gather(inode, block, name, ref isThere, out error) : 0;
        AttributeChange refused = isThere ? AttributeChange.Create : AttributeChange.Replace | AttributeChange.Remove;
        if (error == Errno.None && (kind & refused) != 0)
        {
            error = isThere ? Errno.EEXIST : Errno.ENODATA;
        }

        if (error != Errno.None)
        {
            return error;
        }

        fixed (byte* newName = name.Rest)
        fixed (byte* newValue = value)
        {
            if ((kind & AttributeChange.Remove) == 0)
            {
                Insert(ref count,
                    new Slot
                    {
                        Name = newName,
                        NameLength = (byte)name.Rest.Length,
                        NameIndex = name.Index,
                        Value = newValue,
                        ValueBytes = (uint)value.Length,
                    });
            }

            error = count > Slot.Most - 1 || !TryCompose(count) ? Errno.ENOSPC : Errno.None;
        }

        return error == Errno.None ? Store(inode, block, isEmpty: count == 0) : error;
    }

    private bool Has(in InodeHandle inode, in BlockHandle block, in AttributeName name, ReadOnlySpan<byte> wanted)
    {
        for (int area = 0; area < 2; area++)
        {
            AttributeArea entries = AreaOf(inode, block, area);
            int offset = 0;
            for (AttributeEntry* entry = entries.Next(ref offset, out ReadOnlySpan<byte> value, out _); entry != null;
                entry = entries.Next(ref offset, out value, out _))
            {
                if (name.IsThatOf(entry))
                {
                    return value.SequenceEqual(wanted);
                }
            }
        }

        return false;
    }

    private AttributeArea AreaOf(in InodeHandle inode, in BlockHandle block, int area)
    {
        return area == 0 ? AttributeArea.OfInode(inode, _volume.Geometry.InodeBytes)
            : inode.AttributeBlock != 0 ? AttributeArea.OfBlock(block)
            : default;
    }

    private BlockHandle OpenBlock(in InodeHandle inode, out Errno error)
    {
        error = Errno.None;
        if (inode.AttributeBlock == 0)
        {
            return default;
        }

        BlockHandle block = _volume.Cache.Read(inode.AttributeBlock, BlockKind.Attributes, out error);
        if (error != Errno.None)
        {
            return default;
        }

        AttributeHeader* header = (AttributeHeader*)block.Data;
        if (header->Magic != AttributeArea.Magic || header->Users == 0 || header->Blocks != 1)
        {
            block.Dispose();
            error = Errno.EUCLEAN;
            return default;
        }

        return block;
    }

    /// <summary>All attributes but one, in order.</summary>
    private int Gather(in InodeHandle inode, in BlockHandle block, in AttributeName except, ref bool isThere, out Errno error)
    {
        int count = 0;
        error = Errno.None;
        for (int area = 0; area < 2 && error == Errno.None; area++)
        {
            AttributeArea entries = AreaOf(inode, block, area);
            int offset = 0;
            bool isDamaged;
            for (AttributeEntry* entry = entries.Next(ref offset, out ReadOnlySpan<byte> value, out isDamaged); entry != null;
                entry = entries.Next(ref offset, out value, out isDamaged))
            {
                if (except.IsThatOf(entry))
                {
                    isThere = true;
                    continue;
                }

                fixed (byte* start = value)
                {
                    Slot slot = new()
                    {
                        Name = (byte*)(entry + 1),
                        NameLength = entry->NameLength,
                        NameIndex = entry->NameIndex,
                        Value = start,
                        ValueBytes = (uint)value.Length,
                    };
                    if (count == Slot.Most - 1)
                    {
                        error = Errno.ENOSPC;
                        return count;
                    }

                    Insert(ref count, slot);
                }
            }

            error = isDamaged ? Errno.EUCLEAN : Errno.None;
        }

        return count;
    }

    /// <summary>Entries are sorted by prefix, length and name.</summary>
    private void Insert(ref int count, Slot slot)
    {
        int at = count++;
        while (at > 0 && IsBefore(in slot, in _slots[at - 1]))
        {
            _slots[at] = _slots[at - 1];
            at--;
        }

        _slots[at] = slot;
    }

    private static bool IsBefore(in Slot one, in Slot other)
    {
        int order = one.NameIndex != other.NameIndex ? one.NameIndex - other.NameIndex : one.NameLength - other.NameLength;
        for (int index = 0; order == 0 && index < one.NameLength; index++)
        {
            order = one.Name[index] - other.Name[index];
        }

        return order < 0;
    }

    /// <summary>Makes the block's contents: entries from the front, values from the back. False: they do not fit.</summary>
    private bool TryCompose(int count)
    {
        int blockBytes = (int)_volume.Geometry.BlockBytes;
        new Span<byte>(_image, blockBytes).Clear();
        *(AttributeHeader*)_image = new AttributeHeader { Magic = AttributeArea.Magic, Users = 1, Blocks = 1 };
        int front = AttributeHeader.Bytes;
        int back = blockBytes;
        for (int index = 0; index < count; index++)
        {
            Slot slot = _slots[index];
            int entryBytes = AttributeEntry.BytesOf(slot.NameLength);
            int valueBytes = AttributeEntry.Padded((int)slot.ValueBytes);
            if (slot.ValueBytes > (uint)blockBytes || front + entryBytes + sizeof(uint) > back - valueBytes)
            {
                return false;
            }

            back -= valueBytes;
            new ReadOnlySpan<byte>(slot.Value, (int)slot.ValueBytes).CopyTo(new Span<byte>(_image + back, valueBytes));
            AttributeEntry* entry = (AttributeEntry*)(_image + front);
            *entry = new AttributeEntry
            {
                NameLength = slot.NameLength,
                NameIndex = slot.NameIndex,
                ValueOffset = (ushort)(valueBytes == 0 ? 0 : back),
                ValueBytes = slot.ValueBytes,
            };
            new ReadOnlySpan<byte>(slot.Name, slot.NameLength).CopyTo(new Span<byte>(entry + 1, slot.NameLength));
            entry->Hash = HashOf(entry, (uint*)(_image + back));
            front += entryBytes;
        }

        return true;
    }

    /// <summary>ext4_xattr_hash_entry: name and value, rotated and mixed.</summary>
    private static uint HashOf(AttributeEntry* entry, uint* value)
    {
        const int NameShift = 5;
        const int ValueShift = 16;
        uint hash = 0;
        foreach (byte letter in AttributeEntry.NameOf(entry))
        {
            hash = (hash << NameShift) ^ (hash >> (32 - NameShift)) ^ letter;
        }

        for (int word = 0; word < AttributeEntry.Padded((int)entry->ValueBytes) / sizeof(uint); word++)
        {
            hash = (hash << ValueShift) ^ (hash >> (32 - ValueShift)) ^ value[word];
        }

        return hash;
    }

    /// <summary>Puts the new block in the place of the old one and of what the inode itself held.</summary>
    private Errno Store(in InodeHandle inode, in BlockHandle old, bool isEmpty)
    {
        bool isOwn = inode.AttributeBlock != 0 && ((AttributeHeader*)old.Data)->Users == 1;
        if (isOwn && !isEmpty)
        {
            Fill(in old);
            return Finish(inode);
        }

        ulong number = 0;
        Errno error = isEmpty ? Errno.None : _volume.Blocks.AllocateOne(_volume.Extents.Goal(inode, 0), out number);
        if (error == Errno.None && !isEmpty)
        {
            using BlockHandle added = _volume.Cache.Create(number, BlockKind.Attributes, out error);
            if (error == Errno.None)
            {
                Fill(in added);
            }
            else
            {
                _volume.Blocks.Free(number, 1);
            }
        }

        if (error == Errno.None && inode.AttributeBlock != 0)
        {
            error = _volume.Files.ReleaseAttributes(inode);
        }

        if (error == Errno.None && !isEmpty)
        {
            inode.SetAttributeBlock(number);
            inode.AddBlocks(1);
        }

        return error == Errno.None ? Finish(inode) : error;
    }

    private void Fill(in BlockHandle block)
    {
        new ReadOnlySpan<byte>(_image, block.Bytes.Length).CopyTo(block.Bytes);
        if (_volume.Geometry.HasChecksums)
        {
            ulong number = block.Number;
            uint crc = Crc32c.Add(_volume.Geometry.ChecksumSeed, new ReadOnlySpan<byte>(&number, sizeof(ulong)));
            ((AttributeHeader*)block.Data)->Checksum = Crc32c.Add(crc, block.Bytes);
        }

        block.MarkDirty();
    }

    /// <summary>What the inode held stands in the block now.</summary>
    private Errno Finish(in InodeHandle inode)
    {
        uint start = InodeRecord.BaseBytes + (uint)inode.Record->ExtraBytes;
        if (_volume.Geometry.InodeBytes > start && _volume.Geometry.InodeBytes > InodeRecord.BaseBytes)
        {
            new Span<byte>((byte*)inode.Record + start, (int)(_volume.Geometry.InodeBytes - start)).Clear();
        }

        inode.SetChangeTime(_volume.TimeNs);
        inode.Commit();
        return Errno.None;
    }
}
