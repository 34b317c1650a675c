// Host stand-in for kernel/machine: CRC32C by the instruction, which real CPUs run fast.

using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Lego.Kernel;

/// <summary>A running CRC32C.</summary>
public static class Crc32c
{
    public const uint Start = 0xFFFFFFFF;

    public static uint Add(uint state, ReadOnlySpan<byte> bytes)
    {
        ulong wide = state;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            wide = Sse42.X64.Crc32(wide, word);
        }

        uint narrow = (uint)wide;
        foreach (byte value in bytes[(words.Length * sizeof(ulong))..])
        {
            narrow = Sse42.Crc32(narrow, value);
        }

        return narrow;
    }

    public static uint Finish(uint state) => ~state;
}
