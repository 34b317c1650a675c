// Bits of an allocation bitmap: bit n of byte n / 8 says that item n is in use (ext4 documentation, "Block and Inode Bitmaps").
// Pure functions over bytes whose length is a multiple of 8.

using System;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Lego.Storage.Ext4;

/// <summary>Searches and changes runs of bits.</summary>
public static class Bitmap
{
    private const int WordBits = 64;

    public static bool IsSet(ReadOnlySpan<byte> bits, uint index) => ((bits[(int)(index / 8)] >> (int)(index % 8)) & 1) != 0;

    public static void Set(Span<byte> bits, uint first, uint count)
    {
        for (uint index = first; index < first + count; index++)
        {
            bits[(int)(index / 8)] |= (byte)(1 << (int)(index % 8));
        }
    }

    public static void Clear(Span<byte> bits, uint first, uint count)
    {
        for (uint index = first; index < first + count; index++)
        {
            bits[(int)(index / 8)] &= (byte)~(1 << (int)(index % 8));
        }
    }

    /// <summary>Index of the first clear bit in [first, end), or <paramref name="end"/>.</summary>
    public static uint FindClear(ReadOnlySpan<byte> bits, uint first, uint end)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bits);
        uint index = first;
        while (index < end)
        {
            ulong clear = ~words[(int)(index / WordBits)] >> (int)(index % WordBits);
            if (clear != 0)
            {
                return Math.Min(end, index + (uint)BitOperations.TrailingZeroCount(clear));
            }

            index = (index / WordBits * WordBits) + WordBits;
        }

        return end;
    }

    /// <summary>
    /// How many bits from <paramref name="first"/> on are clear, at most <paramref name="limit"/>, before <paramref name="end"/>.
    /// </summary>
    public static uint CountClear(ReadOnlySpan<byte> bits, uint first, uint end, uint limit)
    {
        uint count = 0;
        while (count < limit && first + count < end && !IsSet(bits, first + count))
        {
            count++;
        }

        return count;
    }

    /// <summary>How many of the first <paramref name="end"/> bits are set.</summary>
    public static uint CountSet(ReadOnlySpan<byte> bits, uint end)
    {
        uint count = 0;
        for (uint index = 0; index < end; index++)
        {
            count += IsSet(bits, index) ? 1u : 0u;
        }

        return count;
    }

    /// <summary>Whether all bits of [first, first + count) are set.</summary>
    public static bool AllSet(ReadOnlySpan<byte> bits, uint first, uint count)
    {
        for (uint index = first; index < first + count; index++)
        {
            if (!IsSet(bits, index))
            {
                return false;
            }
        }

        return true;
    }
}
