// CRC32C (Castagnoli; RFC 3720 appendix B.4): the checksum of frames on links that can corrupt, and of ext4's metadata. By the instruction
// of SSE 4.2, which every machine of the rack has (x86-64-v2), or by tables: an emulated CPU runs the instruction bit by bit, 30 us for a
// page, a real one eight bytes in a cycle. Start-up measures both.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Lego.Kernel;

/// <summary>A running CRC32C: begin with <see cref="Start"/>, add pieces, end with <see cref="Finish"/>.</summary>
public static unsafe class Crc32c
{
    public const uint Start = 0xFFFFFFFF;

    private const int MeasuredRounds = 8;

    /// <summary>Empty when the instruction is faster.</summary>
    private static SlicedCrc32c s_sliced;

    public static uint Add(uint state, ReadOnlySpan<byte> bytes) =>
        s_sliced.HasTables ? s_sliced.Add(state, bytes) : AddByInstruction(state, bytes);

    public static uint Finish(uint state) => ~state;

    /// <summary>Measures both ways on a scratch page; boot time.</summary>
    internal static void ChooseRoutine(FrameAllocator frames, void* scratch)
    {
        ReadOnlySpan<byte> page = new(scratch, PageOperations.PageSize);
        uint* tables = (uint*)frames.AllocateContiguous(SlicedCrc32c.TableBytes / PageOperations.PageSize);
        if (tables == null)
        {
            return;
        }

        ulong byInstruction = FastestPage(page);
        s_sliced = new SlicedCrc32c(tables);
        if (FastestPage(page) >= byInstruction)
        {
            // The tables' memory, eight kilobytes, is not worth a way back to the allocator.
            s_sliced = default;
        }
    }

    private static ulong FastestPage(ReadOnlySpan<byte> page)
    {
        ulong fastest = ulong.MaxValue;
        for (int round = 0; round < MeasuredRounds; round++)
        {
            ulong start = Cpu.Timestamp();
            Add(Start, page);
            ulong ticks = Cpu.Timestamp() - start;
            fastest = ticks < fastest ? ticks : fastest;
        }

        return fastest;
    }

    private static uint AddByInstruction(uint state, ReadOnlySpan<byte> bytes)
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
