// A 64-bit digest of a message body, which the frame's CRC32C then covers. The CRC instruction itself is no choice for bodies: an emulated
// machine runs it bit by bit, 30 us for a page, as much as the page's way over the network; a multiplication is one instruction there too.
// Each step (exclusive or, rotate, multiply by an odd number) is a bijection of the state, so a change within one word always shows in the
// digest; any other change goes unnoticed once in 2^64, and the CRC of the digest once in 2^32.

using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Fabric;

/// <summary>Digests a body that lies in two pieces.</summary>
internal static class BodyDigest
{
    /// <summary>2^64 divided by the golden ratio, an odd number with well-spread bits (Knuth, vol. 3, 6.4).</summary>
    private const ulong Multiplier = 0x9E3779B97F4A7C15;
    private const int Rotation = 23;

    /// <summary>The digest of a followed by b, wherever the border lies.</summary>
    internal static ulong Of(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        ulong state = Add(Multiplier, a, out int done);
        int left = a.Length - done;
        if (left != 0)
        {
            // The word that straddles the border.
            int borrowed = Math.Min(sizeof(ulong) - left, b.Length);
            ulong word = 0;
            for (int index = 0; index < left + borrowed; index++)
            {
                byte value = index < left ? a[done + index] : b[index - left];
                word |= (ulong)value << (index * 8);
            }

            state = Step(state, word);
            if (left + borrowed < sizeof(ulong))
            {
                return state;
            }

            b = b.Slice(borrowed);
        }

        state = Add(state, b, out done);
        ulong tail = 0;
        for (int index = 0; index < b.Length - done; index++)
        {
            tail |= (ulong)b[done + index] << (index * 8);
        }

        return Step(state, tail);
    }

    private static ulong Add(ulong state, ReadOnlySpan<byte> bytes, out int done)
    {
        ref byte data = ref MemoryMarshal.GetReference(bytes);
        int words = bytes.Length / sizeof(ulong);
        for (int word = 0; word < words; word++)
        {
            state = Step(state, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, word * sizeof(ulong))));
        }

        done = words * sizeof(ulong);
        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Step(ulong state, ulong word) => BitOperations.RotateLeft(state ^ word, Rotation) * Multiplier;
}
