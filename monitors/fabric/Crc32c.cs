// CRC32C (Castagnoli; RFC 3720 appendix B.4) with the SSE 4.2 instruction: the checksum of frames on links that can corrupt. Used for
// headers and digests of bodies only, because emulated machines run the instruction bit by bit (BodyDigest.cs). Every machine of the rack
// has it (x86-64-v2).

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Lego.Fabric;

/// <summary>A running CRC32C: begin with <see cref="Start"/>, add pieces, end with <see cref="Finish"/>.</summary>
public static class Crc32c
{
    public const uint Start = 0xFFFFFFFF;

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

    public static uint Finish(uint state) => ~state;
}
