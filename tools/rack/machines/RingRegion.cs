// The shared-memory file of a ring link: one per pair of machines, mapped by both as an ivshmem BAR. The tool writes the header below; the
// two rings behind it belong to monitors/fabric (RingLink). Little endian:
//
//    0 u32 magic "RRNG"     4 u32 version 1        8 u16 node low          10 u16 node high
//   12 u8 PCI slot of the doorbell at low         13 u8 the same at high
//   16 u64 offset of ring A (low to high)         24 u64 offset of ring B (high to low)     32 u64 bytes of each ring

using System;
using System.Buffers.Binary;
using System.IO;

namespace Lego.Racks;

/// <summary>Creates ring region files.</summary>
internal static class RingRegion
{
    public const uint Magic = 0x474E5252;
    public const uint Version = 1;
    public const int FileBytes = 4 << 20;
    public const int HeaderPageBytes = 4096;
    public const int RingBytes = ((FileBytes / HeaderPageBytes) - 1) / 2 * HeaderPageBytes;
    public const int HeaderBytes = 40;

    /// <summary>The header for the pair (low, high), whose doorbells sit in the given PCI slots.</summary>
    public static byte[] Header(int nodeLow, int nodeHigh, int doorbellSlotAtLow, int doorbellSlotAtHigh)
    {
        byte[] header = new byte[HeaderBytes];
        Span<byte> at = header;
        BinaryPrimitives.WriteUInt32LittleEndian(at, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(at[4..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(at[8..], checked((ushort)nodeLow));
        BinaryPrimitives.WriteUInt16LittleEndian(at[10..], checked((ushort)nodeHigh));
        at[12] = checked((byte)doorbellSlotAtLow);
        at[13] = checked((byte)doorbellSlotAtHigh);
        BinaryPrimitives.WriteUInt64LittleEndian(at[16..], HeaderPageBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(at[24..], HeaderPageBytes + RingBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(at[32..], RingBytes);
        return header;
    }

    /// <summary>Writes a region file readable and writable by this user only.</summary>
    public static void Create(string path, byte[] header)
    {
        using FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(header);
        file.SetLength(FileBytes);
    }
}
