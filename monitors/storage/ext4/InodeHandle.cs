// A pinned inode: reads and writes the split fields of its record as whole numbers. Commit after changing anything. Several handles to one
// inode see the same record.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>One inode, in the cache until disposed of.</summary>
public readonly unsafe ref struct InodeHandle
{
    private const ulong SectorsUnit = 512;

    private readonly BlockHandle _block;
    private readonly Volume _volume;

    internal InodeHandle(Volume volume, uint number, BlockHandle block, uint offsetBytes)
    {
        _volume = volume;
        _block = block;
        Record = (InodeRecord*)(block.Data + offsetBytes);
        Number = number;
    }

    public uint Number { get; }

    /// <summary>What messages call the file: no other file has it, not even a later one with the same number.</summary>
    public FileHandle StableHandle => new() { Inode = Number, Generation = Record->Generation };

    /// <summary>The on-disk record, for the fields that are whole.</summary>
    public InodeRecord* Record { get; }

    public uint Type => Record->Mode & FileMode.TypeMask;

    public bool IsDirectory => Type == FileMode.Directory;

    public bool IsRegular => Type == FileMode.Regular;

    public bool IsSymbolicLink => Type == FileMode.SymbolicLink;

    public bool HasExtents => (Record->Flags & InodeFlags.Extents) != 0;

    public uint UserId => Record->UserIdLow | ((uint)Record->UserIdHigh << 16);

    public uint GroupId => Record->GroupIdLow | ((uint)Record->GroupIdHigh << 16);

    public ulong Size => Record->SizeLow | ((ulong)Record->SizeHigh << 32);

    /// <summary>Space in use, in units of 512 bytes, as stat(2) counts it.</summary>
    public ulong Sectors
    {
        get
        {
            ulong count = Record->BlocksLow | ((ulong)Record->BlocksHigh << 32);
            return (Record->Flags & InodeFlags.HugeFile) != 0 ? count * (_volume.Geometry.BlockBytes / SectorsUnit) : count;
        }
    }

    /// <summary>Block of extended attributes outside the inode; 0 = none.</summary>
    public ulong AttributeBlock => Record->AttributeBlockLow | ((ulong)Record->AttributeBlockHigh << 32);

    public ulong AccessTimeNs => Timestamp.ToWire(Record->AccessTime, HasTimes ? Record->AccessTimeExtra : 0);

    public ulong ModifyTimeNs => Timestamp.ToWire(Record->ModifyTime, HasTimes ? Record->ModifyTimeExtra : 0);

    public ulong ChangeTimeNs => Timestamp.ToWire(Record->ChangeTime, HasTimes ? Record->ChangeTimeExtra : 0);

    /// <summary>0 = the record has no room for it.</summary>
    public ulong BirthTimeNs => HasTimes ? Timestamp.ToWire(Record->CreateTime, Record->CreateTimeExtra) : 0;

    /// <summary>Seed of the checksums of everything that belongs to this inode.</summary>
    public uint ChecksumSeed
    {
        get
        {
            uint number = Number;
            uint generation = Record->Generation;
            uint crc = Crc32c.Add(_volume.Geometry.ChecksumSeed, new ReadOnlySpan<byte>(&number, sizeof(uint)));
            return Crc32c.Add(crc, new ReadOnlySpan<byte>(&generation, sizeof(uint)));
        }
    }

    /// <summary>Whether the stored checksum is that of the record.</summary>
    public bool IsIntact
    {
        get
        {
            if (!_volume.Geometry.HasChecksums)
            {
                return true;
            }

            uint stored = Record->ChecksumLow | (HasHighChecksum ? (uint)Record->ChecksumHigh << 16 : 0);
            uint mask = HasHighChecksum ? uint.MaxValue : ushort.MaxValue;
            return stored == (ComputeChecksum() & mask);
        }
    }

    private bool IsLarge => _volume.Geometry.InodeBytes > InodeRecord.BaseBytes;

    private bool HasHighChecksum => IsLarge && Record->ExtraBytes >= InodeRecord.ExtraForChecksum;

    private bool HasTimes => IsLarge && Record->ExtraBytes >= InodeRecord.ExtraForTimes;

    internal BlockHandle Block => _block;

    public void SetSize(ulong value)
    {
        Record->SizeLow = (uint)value;
        Record->SizeHigh = (uint)(value >> 32);
    }

    public void SetOwner(uint userId, uint groupId)
    {
        Record->UserIdLow = (ushort)userId;
        Record->UserIdHigh = (ushort)(userId >> 16);
        Record->GroupIdLow = (ushort)groupId;
        Record->GroupIdHigh = (ushort)(groupId >> 16);
    }

    /// <summary>Counts blocks that the file gained.</summary>
    public void AddBlocks(ulong count) => SetBlockCount(RawBlockCount + (count * RawUnitsPerBlock));

    /// <summary>Counts blocks that the file lost; a count that a damaged volume has too small stops at 0.</summary>
    public void RemoveBlocks(ulong count) => SetBlockCount(RawBlockCount - Math.Min(RawBlockCount, count * RawUnitsPerBlock));

    public void SetAttributeBlock(ulong block)
    {
        Record->AttributeBlockLow = (uint)block;
        Record->AttributeBlockHigh = (ushort)(block >> 32);
    }

    public void SetAccessTime(ulong timeNs)
    {
        Record->AccessTime = HasTimes ? Timestamp.Seconds(timeNs) : Timestamp.ShortSeconds(timeNs);
        if (HasTimes)
        {
            Record->AccessTimeExtra = Timestamp.Extra(timeNs);
        }
    }

    public void SetModifyTime(ulong timeNs)
    {
        Record->ModifyTime = HasTimes ? Timestamp.Seconds(timeNs) : Timestamp.ShortSeconds(timeNs);
        if (HasTimes)
        {
            Record->ModifyTimeExtra = Timestamp.Extra(timeNs);
        }
    }

    public void SetChangeTime(ulong timeNs)
    {
        Record->ChangeTime = HasTimes ? Timestamp.Seconds(timeNs) : Timestamp.ShortSeconds(timeNs);
        if (HasTimes)
        {
            Record->ChangeTimeExtra = Timestamp.Extra(timeNs);
        }
    }

    /// <summary>All times of a new inode.</summary>
    public void SetAllTimes(ulong timeNs)
    {
        SetAccessTime(timeNs);
        SetModifyTime(timeNs);
        SetChangeTime(timeNs);
        if (HasTimes)
        {
            Record->CreateTime = Timestamp.Seconds(timeNs);
            Record->CreateTimeExtra = Timestamp.Extra(timeNs);
        }
    }

    /// <summary>Makes changes permanent: checksum, and write-back later.</summary>
    public void Commit()
    {
        if (_volume.Geometry.HasChecksums)
        {
            uint crc = ComputeChecksum();
            Record->ChecksumLow = (ushort)crc;
            if (HasHighChecksum)
            {
                Record->ChecksumHigh = (ushort)(crc >> 16);
            }
        }

        _block.MarkDirty();
    }

    public void Dispose() => _block.Dispose();

    private ulong RawBlockCount => Record->BlocksLow | ((ulong)Record->BlocksHigh << 32);

    private ulong RawUnitsPerBlock =>
        (Record->Flags & InodeFlags.HugeFile) != 0 ? 1 : _volume.Geometry.BlockBytes / SectorsUnit;

    private void SetBlockCount(ulong raw)
    {
        Record->BlocksLow = (uint)raw;
        Record->BlocksHigh = (ushort)(raw >> 32);
    }

    private uint ComputeChecksum()
    {
        byte* bytes = (byte*)Record;
        const int afterLow = InodeRecord.ChecksumLowOffset + sizeof(ushort);
        const int afterHigh = InodeRecord.ChecksumHighOffset + sizeof(ushort);
        ushort withoutChecksum = 0;
        ReadOnlySpan<byte> zeros = new(&withoutChecksum, sizeof(ushort));
        uint crc = Crc32c.Add(ChecksumSeed, new ReadOnlySpan<byte>(bytes, InodeRecord.ChecksumLowOffset));
        crc = Crc32c.Add(crc, zeros);
        crc = Crc32c.Add(crc, new ReadOnlySpan<byte>(bytes + afterLow, InodeRecord.BaseBytes - afterLow));
        if (!IsLarge)
        {
            return crc;
        }

        int length = (int)_volume.Geometry.InodeBytes;
        if (!HasHighChecksum)
        {
            return Crc32c.Add(crc, new ReadOnlySpan<byte>(bytes + InodeRecord.BaseBytes, length - InodeRecord.BaseBytes));
        }

        int beforeHigh = InodeRecord.ChecksumHighOffset - InodeRecord.BaseBytes;
        crc = Crc32c.Add(crc, new ReadOnlySpan<byte>(bytes + InodeRecord.BaseBytes, beforeHigh));
        crc = Crc32c.Add(crc, zeros);
        return Crc32c.Add(crc, new ReadOnlySpan<byte>(bytes + afterHigh, length - afterHigh));
    }
}
