// CRC32C by tables, eight bytes at a time ("slicing by eight": Kounavis and Berry, A Systematic Approach to Building High Performance,
// Software-based, CRC Generators, ISCC 2005): for machines whose CRC32 instruction is slow. Table k, entry b is what byte b has become
// after k bytes of zeros.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>The tables, in memory of the owner's; the zero value has none.</summary>
public readonly unsafe struct SlicedCrc32c
{
    public const int TableBytes = Slices * EntriesPerSlice * sizeof(uint);

    private const int Slices = 8;
    private const int EntriesPerSlice = 256;

    /// <summary>Castagnoli's polynomial, the lowest bit first.</summary>
    private const uint Polynomial = 0x82F63B78;

    private readonly uint* _tables;

    /// <summary>Fills the tables.</summary>
    /// <param name="tables">TableBytes bytes that stay the tables'.</param>
    public SlicedCrc32c(uint* tables)
    {
        _tables = tables;
        for (uint value = 0; value < EntriesPerSlice; value++)
        {
            uint state = value;
            for (int bit = 0; bit < 8; bit++)
            {
                state = (state >> 1) ^ ((state & 1) != 0 ? Polynomial : 0);
            }

            tables[value] = state;
        }

        for (int index = EntriesPerSlice; index < Slices * EntriesPerSlice; index++)
        {
            uint before = tables[index - EntriesPerSlice];
            tables[index] = (before >> 8) ^ tables[(byte)before];
        }
    }

    public bool HasTables => _tables != null;

    /// <summary>The state after more bytes.</summary>
    public uint Add(uint state, ReadOnlySpan<byte> bytes)
    {
        uint* t = _tables;
        ref byte data = ref MemoryMarshal.GetReference(bytes);
        int done = 0;
        for (; done + sizeof(ulong) <= bytes.Length; done += sizeof(ulong))
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, done)) ^ state;
            state = t[(7 * EntriesPerSlice) + (byte)word] ^ t[(6 * EntriesPerSlice) + (byte)(word >> 8)]
                ^ t[(5 * EntriesPerSlice) + (byte)(word >> 16)] ^ t[(4 * EntriesPerSlice) + (byte)(word >> 24)]
                ^ t[(3 * EntriesPerSlice) + (byte)(word >> 32)] ^ t[(2 * EntriesPerSlice) + (byte)(word >> 40)]
                ^ t[EntriesPerSlice + (byte)(word >> 48)] ^ t[word >> 56];
        }

        for (; done < bytes.Length; done++)
        {
            state = (state >> 8) ^ t[(byte)(state ^ Unsafe.Add(ref data, done))];
        }

        return state;
    }
}
