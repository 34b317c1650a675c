// A node of an extent tree: a 12-byte header, then entries of 12 bytes: extents in a leaf, pointers to nodes of the next level above that.
// The root lies in the inode; other nodes fill a block and end in a checksum. ext4 documentation, "Extent Tree".

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>The head of every node.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ExtentHeader
{
    public const ushort ExpectedMagic = 0xF30A;
    public const ushort MaxDepth = 5;

    public ushort Magic;
    public ushort Entries;
    public ushort Max;
    /// <summary>0 in a leaf.</summary>
    public ushort Depth;
    public uint Generation;
}

/// <summary>An entry of a leaf or of an inner node; which, the header's depth says.</summary>
[StructLayout(LayoutKind.Explicit, Size = 12)]
public struct ExtentEntry
{
    /// <summary>Longest extent; a larger length means an unwritten extent of the length less this.</summary>
    public const uint MaxLength = 32768;

    /// <summary>First block of the file that the entry speaks of.</summary>
    [FieldOffset(0)] public uint Logical;

    [FieldOffset(4)] public ushort RawLength;
    [FieldOffset(6)] public ushort StartHigh;
    [FieldOffset(8)] public uint StartLow;

    [FieldOffset(4)] public uint ChildLow;
    [FieldOffset(8)] public ushort ChildHigh;
    [FieldOffset(10)] public ushort Unused;

    /// <summary>An unwritten extent has space but reads as zeros.</summary>
    public readonly bool Unwritten => RawLength > MaxLength;

    public readonly uint Length => Unwritten ? RawLength - MaxLength : RawLength;

    public readonly ulong Start => StartLow | ((ulong)StartHigh << 32);

    /// <summary>Whether an extent is one of blocks that the volume has.</summary>
    public readonly bool IsSane(in Geometry geometry) => Length != 0 && geometry.AreBlocks(Start, Length);

    public readonly ulong Child => ChildLow | ((ulong)ChildHigh << 32);

    public static ExtentEntry ForExtent(uint logical, ulong start, uint length) =>
        new() { Logical = logical, RawLength = (ushort)length, StartLow = (uint)start, StartHigh = (ushort)(start >> 32) };

    public static ExtentEntry ForChild(uint logical, ulong child) =>
        new() { Logical = logical, ChildLow = (uint)child, ChildHigh = (ushort)(child >> 32) };
}

/// <summary>Access to one node in memory; as long-lived as the pin or inode handle that it came from.</summary>
public readonly unsafe struct ExtentNode(byte* bytes)
{
    public const int HeaderBytes = 12;
    public const int EntryBytes = 12;
    public const int ChecksumBytes = 4;

    private readonly byte* _bytes = bytes;

    public ExtentHeader* Header => (ExtentHeader*)_bytes;

    public ExtentEntry* Entries => (ExtentEntry*)(_bytes + HeaderBytes);

    public int Count => Header->Entries;

    public bool IsFull => Header->Entries == Header->Max;

    /// <summary>Entries that fit into an area of this size.</summary>
    public static uint Capacity(uint areaBytes) => (areaBytes - HeaderBytes) / EntryBytes;

    /// <summary>Whether the header can be trusted: at this depth, with no more entries than the area holds.</summary>
    public bool IsValid(uint areaBytes, uint depth) =>
        Header->Magic == ExtentHeader.ExpectedMagic && Header->Depth == depth && Header->Max <= Capacity(areaBytes)
        && Header->Entries <= Header->Max && Header->Max > 0;

    /// <summary>Makes an empty node.</summary>
    public void Initialize(uint areaBytes, ushort depth) =>
        *Header = new ExtentHeader { Magic = ExtentHeader.ExpectedMagic, Max = (ushort)Capacity(areaBytes), Depth = depth };

    /// <summary>Index of the last entry that begins at or before <paramref name="logical"/>; -1 when all begin after it.</summary>
    public int Search(uint logical)
    {
        int low = 0;
        int high = Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Entries[middle].Logical <= logical)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    /// <summary>Puts an entry before the one at <paramref name="index"/>; the node must not be full.</summary>
    public void Insert(int index, in ExtentEntry entry)
    {
        if (IsFull || index < 0 || index > Count)
        {
            Panic.Because("ExtentNode.Insert: no room");
        }

        for (int i = Count; i > index; i--)
        {
            Entries[i] = Entries[i - 1];
        }

        Entries[index] = entry;
        Header->Entries++;
    }

    public void Remove(int index)
    {
        if (index < 0 || index >= Count)
        {
            Panic.Because("ExtentNode.Remove: no such entry");
        }

        for (int i = index; i < Count - 1; i++)
        {
            Entries[i] = Entries[i + 1];
        }

        Header->Entries--;
    }

    /// <summary>The checksum of a node that fills a block; it stands right behind the last possible entry.</summary>
    public uint ComputeChecksum(uint inodeSeed) => Crc32c.Add(inodeSeed, new ReadOnlySpan<byte>(_bytes, ChecksumOffset));

    public uint* Checksum => (uint*)(_bytes + ChecksumOffset);

    private int ChecksumOffset => HeaderBytes + (Header->Max * EntryBytes);
}
