// CRC32C by the instruction of SSE 4.2, eight bytes at a time.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Lego.Kernel;

/// <summary>The checksum as real CPUs are fast at it.</summary>
public static class InstructionCrc32c
{
    /// <summary>The state after more bytes.</summary>
    public static uint Add(uint state, ReadOnlySpan<byte> bytes)
    {
        ulong wide = state;
        ref byte data = ref MemoryMarshal.GetReference(bytes);
        int done = 0;
        for (; done + sizeof(ulong) <= bytes.Length; done += sizeof(ulong))
        {
            wide = Sse42.X64.Crc32(wide, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, done)));
        }

        uint narrow = (uint)wide;
        for (; done < bytes.Length; done++)
        {
            narrow = Sse42.Crc32(narrow, Unsafe.Add(ref data, done));
        }

        return narrow;
    }
}
