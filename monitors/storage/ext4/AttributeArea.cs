// Where extended attributes of an inode stand: behind the inode's fields in its own record, and in one block (ext4 documentation, "Extended
// Attributes"). Both have a row of entries that ends with four zero bytes; values lie elsewhere in the area. A view of one of the two; what
// leads out of the area is damage. Never blocks.

using System;
using System.Runtime.InteropServices;

namespace Lego.Storage.Ext4;

/// <summary>ext4_xattr_entry; the name follows.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public unsafe struct AttributeEntry
{
    public byte NameLength;
    /// <summary>The name's prefix by number (AttributeName).</summary>
    public byte NameIndex;
    /// <summary>From the first entry in an inode, from the block's beginning in a block.</summary>
    public ushort ValueOffset;
    /// <summary>The value is an inode of its own; 0 = it is here.</summary>
    public uint ValueInode;
    public uint ValueBytes;
    public uint Hash;

    /// <summary>Entries begin at multiples of four bytes.</summary>
    public static int Padded(int lengthBytes) => (lengthBytes + 3) & ~3;

    /// <summary>Bytes of an entry with its name.</summary>
    public static int BytesOf(int nameBytes) => Padded(sizeof(AttributeEntry) + nameBytes);

    public static ReadOnlySpan<byte> NameOf(AttributeEntry* entry) => new(entry + 1, entry->NameLength);
}

/// <summary>Entries of one area.</summary>
public readonly unsafe ref struct AttributeArea
{
    public const uint Magic = 0xEA020000;

    private readonly byte* _first;
    private readonly byte* _values;
    private readonly byte* _end;

    private AttributeArea(byte* first, byte* values, byte* end)
    {
        _first = first;
        _values = values;
        _end = end;
    }

    /// <summary>What is behind the fields of an inode's record; empty when there is none.</summary>
    public static AttributeArea OfInode(in InodeHandle inode, uint inodeBytes)
    {
        byte* record = (byte*)inode.Record;
        byte* header = record + InodeRecord.BaseBytes + inode.Record->ExtraBytes;
        byte* end = record + inodeBytes;
        bool exists = inodeBytes > InodeRecord.BaseBytes && header + sizeof(uint) <= end && *(uint*)header == Magic;
        byte* first = header + sizeof(uint);
        return exists ? new AttributeArea(first, first, end) : default;
    }

    /// <summary>What a block of attributes holds.</summary>
    public static AttributeArea OfBlock(in BlockHandle block) =>
        new(block.Data + AttributeHeader.Bytes, block.Data, block.Data + block.Bytes.Length);

    /// <summary>
    /// The entry at an offset, which moves to the next one; null: there are no more, or (isDamaged) none that make sense.
    /// </summary>
    public AttributeEntry* Next(ref int offset, out ReadOnlySpan<byte> value, out bool isDamaged)
    {
        value = default;
        isDamaged = false;
        byte* at = _first + offset;
        if (_first == null || at + sizeof(uint) > _end || *(uint*)at == 0)
        {
            return null;
        }

        AttributeEntry* entry = (AttributeEntry*)at;
        isDamaged = at + sizeof(AttributeEntry) > _end || at + AttributeEntry.BytesOf(entry->NameLength) > _end || entry->ValueInode != 0
            || entry->ValueBytes > _end - _values || _values + entry->ValueOffset + entry->ValueBytes > _end;
        if (isDamaged)
        {
            return null;
        }

        value = new ReadOnlySpan<byte>(_values + entry->ValueOffset, (int)entry->ValueBytes);
        offset += AttributeEntry.BytesOf(entry->NameLength);
        return entry;
    }
}

/// <summary>ext4_xattr_header, which begins a block of attributes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public unsafe struct AttributeHeader
{
    public const int Bytes = 32;

    public uint Magic;
    /// <summary>Inodes that share the block.</summary>
    public uint Users;
    public uint Blocks;
    /// <summary>0: no other inode may share it.</summary>
    public uint Hash;
    public uint Checksum;
    private fixed uint _reserved[3];
}
