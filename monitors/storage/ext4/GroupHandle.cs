// A pinned group descriptor: reads and writes the split low and high halves of its fields as whole numbers. Commit after changing anything.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>One group's descriptor, in the cache until disposed of.</summary>
public readonly unsafe ref struct GroupHandle
{
    private readonly BlockHandle _block;
    private readonly GroupDescriptor* _descriptor;
    private readonly Volume _volume;

    internal GroupHandle(Volume volume, uint number, BlockHandle block, uint offsetBytes)
    {
        _volume = volume;
        _block = block;
        _descriptor = (GroupDescriptor*)(block.Data + offsetBytes);
        Number = number;
    }

    public uint Number { get; }

    public ulong BlockBitmap => _descriptor->BlockBitmapLow | (Wide ? (ulong)_descriptor->BlockBitmapHigh << 32 : 0);

    public ulong InodeBitmap => _descriptor->InodeBitmapLow | (Wide ? (ulong)_descriptor->InodeBitmapHigh << 32 : 0);

    public ulong InodeTable => _descriptor->InodeTableLow | (Wide ? (ulong)_descriptor->InodeTableHigh << 32 : 0);

    /// <summary>None on a volume without checksums: nothing would vouch for them (Linux and e2fsck ignore them there, too).</summary>
    public GroupFlags Flags => _volume.Geometry.HasChecksums ? _descriptor->Flags : default;

    public uint FreeBlocks => Join(_descriptor->FreeBlocksLow, ref _descriptor->FreeBlocksHigh);

    public uint FreeInodes => Join(_descriptor->FreeInodesLow, ref _descriptor->FreeInodesHigh);

    public uint Directories => Join(_descriptor->DirectoriesLow, ref _descriptor->DirectoriesHigh);

    /// <summary>Inodes at the end of the table that have never been used; their records may never have been written.</summary>
    public uint UnusedInodes => Join(_descriptor->UnusedInodesLow, ref _descriptor->UnusedInodesHigh);

    /// <summary>CRC of the block bitmap; only its low half with 32-byte descriptors.</summary>
    public uint BlockBitmapChecksum => Join(_descriptor->BlockBitmapChecksumLow, ref _descriptor->BlockBitmapChecksumHigh);

    /// <summary>CRC of the inode bitmap; only its low half with 32-byte descriptors.</summary>
    public uint InodeBitmapChecksum => Join(_descriptor->InodeBitmapChecksumLow, ref _descriptor->InodeBitmapChecksumHigh);

    /// <summary>The part of a bitmap's CRC that this descriptor has room for.</summary>
    public uint ChecksumMask => Wide ? uint.MaxValue : ushort.MaxValue;

    private bool Wide => _volume.Geometry.WideDescriptors;

    /// <summary>Whether its checksum holds, its places are the volume's, and its counts are possible.</summary>
    public bool IsSound
    {
        get
        {
            ref readonly Geometry geometry = ref _volume.Geometry;
            return IsIntact && geometry.AreBlocks(BlockBitmap, 1) && geometry.AreBlocks(InodeBitmap, 1)
                && geometry.AreBlocks(InodeTable, _volume.Groups.InodeTableBlocks)
                && FreeBlocks <= geometry.BlocksInGroup(Number) && FreeInodes <= geometry.InodesPerGroup;
        }
    }

    /// <summary>Whether the stored checksum is that of the contents.</summary>
    public bool IsIntact => !_volume.Geometry.HasChecksums || _descriptor->Checksum == ComputeChecksum();

    public void SetFlags(GroupFlags value) => _descriptor->Flags = value;

    public void SetFreeBlocks(uint value) => Split(value, ref _descriptor->FreeBlocksLow, ref _descriptor->FreeBlocksHigh);

    public void SetFreeInodes(uint value) => Split(value, ref _descriptor->FreeInodesLow, ref _descriptor->FreeInodesHigh);

    public void SetDirectories(uint value) => Split(value, ref _descriptor->DirectoriesLow, ref _descriptor->DirectoriesHigh);

    public void SetUnusedInodes(uint value) => Split(value, ref _descriptor->UnusedInodesLow, ref _descriptor->UnusedInodesHigh);

    public void SetBlockBitmapChecksum(uint value) =>
        Split(value, ref _descriptor->BlockBitmapChecksumLow, ref _descriptor->BlockBitmapChecksumHigh);

    public void SetInodeBitmapChecksum(uint value) =>
        Split(value, ref _descriptor->InodeBitmapChecksumLow, ref _descriptor->InodeBitmapChecksumHigh);

    /// <summary>Takes over all that a copy of the same descriptor says.</summary>
    public void CopyFrom(in GroupHandle copy) =>
        new ReadOnlySpan<byte>(copy._descriptor, (int)_volume.Geometry.DescriptorBytes)
            .CopyTo(new Span<byte>(_descriptor, (int)_volume.Geometry.DescriptorBytes));

    /// <summary>Makes changes permanent: checksum, and write-back later.</summary>
    public void Commit()
    {
        if (_volume.Geometry.HasChecksums)
        {
            _descriptor->Checksum = ComputeChecksum();
        }

        _block.MarkDirty();
    }

    public void Dispose() => _block.Dispose();

    private uint Join(ushort low, ref ushort high) => low | (Wide ? (uint)high << 16 : 0);

    private void Split(uint value, ref ushort low, ref ushort high)
    {
        low = (ushort)value;
        if (Wide)
        {
            high = (ushort)(value >> 16);
        }
    }

    private ushort ComputeChecksum()
    {
        byte* bytes = (byte*)_descriptor;
        uint number = Number;
        uint crc = Crc32c.Add(_volume.Geometry.ChecksumSeed, new ReadOnlySpan<byte>(&number, sizeof(uint)));
        crc = Crc32c.Add(crc, new ReadOnlySpan<byte>(bytes, GroupDescriptor.ChecksumOffset));
        ushort withoutChecksum = 0;
        crc = Crc32c.Add(crc, new ReadOnlySpan<byte>(&withoutChecksum, sizeof(ushort)));
        int rest = (int)_volume.Geometry.DescriptorBytes - GroupDescriptor.WideFieldsOffset;
        return (ushort)Crc32c.Add(crc, new ReadOnlySpan<byte>(bytes + GroupDescriptor.WideFieldsOffset, rest));
    }
}
