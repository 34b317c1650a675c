// One block of a directory: entries in a row that fill it up to its end, or up to a 12-byte tail with the block's checksum. An entry is 8
// bytes and a name, padded to 4; its length reaches to the next entry, so free space is the slack of some entry. ext4 documentation,
// "Linear Directories". Works on memory only. IsSound must have said yes once before anything else is called.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>The head of a directory entry; the name follows.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public unsafe struct DirectoryEntry
{
    public const int HeaderBytes = 8;
    public const int MaxNameBytes = 255;

    /// <summary>0 = an unused entry.</summary>
    public uint Inode;
    /// <summary>Bytes to the next entry.</summary>
    public ushort Length;
    public byte NameLength;
    public EntryType Type;

    /// <summary>Bytes that an entry with a name of this length needs.</summary>
    public static int SpaceFor(int nameLength) => (HeaderBytes + nameLength + 3) & ~3;

    public static ReadOnlySpan<byte> NameOf(DirectoryEntry* entry) => new((byte*)entry + HeaderBytes, entry->NameLength);
}

/// <summary>File types as directory entries store them.</summary>
public enum EntryType : byte
{
    Unknown = 0,
    Regular = 1,
    Directory = 2,
    CharacterDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
    SymbolicLink = 7,
    ChecksumTail = 0xDE,
}

/// <summary>Entries of one block in memory.</summary>
public readonly unsafe struct DirectoryBlock
{
    private const int TailBytes = 12;
    private const int ChecksumBytes = 4;
    private const int MinEntryBytes = 12;

    private readonly byte* _bytes;
    private readonly int _blockBytes;

    public DirectoryBlock(byte* bytes, uint blockBytes)
    {
        _bytes = bytes;
        _blockBytes = (int)blockBytes;
    }

    private DirectoryEntry* Tail => (DirectoryEntry*)(_bytes + _blockBytes - TailBytes);

    private uint* Checksum => (uint*)(_bytes + _blockBytes - ChecksumBytes);

    /// <summary>Whether the block ends in a checksum.</summary>
    public bool HasTail => Tail->Inode == 0 && Tail->Length == TailBytes && Tail->NameLength == 0 && Tail->Type == EntryType.ChecksumTail;

    /// <summary>Where the entries end.</summary>
    public int End => HasTail ? _blockBytes - TailBytes : _blockBytes;

    public DirectoryEntry* At(int offset) => (DirectoryEntry*)(_bytes + offset);

    /// <summary>Whether the entries form a chain that ends exactly at the block's end, with possible names and inodes.</summary>
    public bool IsSound(uint inodeCount)
    {
        int end = End;
        int offset = 0;
        while (offset < end)
        {
            if (end - offset < MinEntryBytes)
            {
                return false;
            }

            DirectoryEntry* entry = At(offset);
            if (entry->Length < MinEntryBytes || entry->Length % 4 != 0 || entry->Length > end - offset
                || DirectoryEntry.SpaceFor(entry->NameLength) > entry->Length || entry->Inode > inodeCount
                || (entry->Inode != 0 && !IsPossibleName(DirectoryEntry.NameOf(entry))))
            {
                return false;
            }

            offset += entry->Length;
        }

        return true;
    }

    /// <summary>Offset of the entry with this name and of the one before it (-1 = it is the first); false when there is none.</summary>
    public bool TryFind(ReadOnlySpan<byte> name, out int offset, out int previous)
    {
        previous = -1;
        int end = End;
        for (offset = 0; offset < end; offset += At(offset)->Length)
        {
            DirectoryEntry* entry = At(offset);
            if (entry->NameLength == name.Length && entry->Inode != 0 && DirectoryEntry.NameOf(entry).SequenceEqual(name))
            {
                return true;
            }

            previous = offset;
        }

        return false;
    }

    /// <summary>Enters a name into the slack of some entry; false when none has enough.</summary>
    public bool TryInsert(ReadOnlySpan<byte> name, uint inode, EntryType type)
    {
        int needed = DirectoryEntry.SpaceFor(name.Length);
        int end = End;
        for (int offset = 0; offset < end; offset += At(offset)->Length)
        {
            DirectoryEntry* entry = At(offset);
            int used = entry->Inode == 0 ? 0 : DirectoryEntry.SpaceFor(entry->NameLength);
            if (entry->Length - used < needed)
            {
                continue;
            }

            int length = entry->Length - used;
            if (used != 0)
            {
                entry->Length = (ushort)used;
            }

            DirectoryEntry* added = At(offset + used);
            *added = new DirectoryEntry { Inode = inode, Length = (ushort)length, NameLength = (byte)name.Length, Type = type };
            name.CopyTo(new Span<byte>((byte*)added + DirectoryEntry.HeaderBytes, name.Length));
            return true;
        }

        return false;
    }

    /// <summary>Removes an entry that TryFind found: the one before it takes its space over.</summary>
    public void Remove(int offset, int previous)
    {
        if (previous < 0)
        {
            At(offset)->Inode = 0;
        }
        else
        {
            At(previous)->Length += At(offset)->Length;
        }
    }

    /// <summary>Makes the block one unused entry, with a tail when checksums are in use.</summary>
    public void Initialize(bool withTail)
    {
        new Span<byte>(_bytes, _blockBytes).Clear();
        int end = withTail ? _blockBytes - TailBytes : _blockBytes;
        At(0)->Length = (ushort)end;
        if (withTail)
        {
            *Tail = new DirectoryEntry { Length = TailBytes, Type = EntryType.ChecksumTail };
        }
    }

    public bool IsIntact(uint inodeSeed) => *Checksum == ComputeChecksum(inodeSeed);

    public void UpdateChecksum(uint inodeSeed) => *Checksum = ComputeChecksum(inodeSeed);

    private static bool IsPossibleName(ReadOnlySpan<byte> name) =>
        name.Length != 0 && name.IndexOf((byte)'/') < 0 && name.IndexOf((byte)0) < 0;

    private uint ComputeChecksum(uint inodeSeed) => Crc32c.Add(inodeSeed, new ReadOnlySpan<byte>(_bytes, _blockBytes - TailBytes));
}
