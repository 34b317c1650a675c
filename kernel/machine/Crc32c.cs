// CRC32C (Castagnoli; RFC 3720 appendix B.4): the checksum of frames on links that can corrupt, and of ext4's metadata. By the instruction
// of SSE 4.2, which every machine of the rack has (x86-64-v2), or by tables: an emulated CPU runs the instruction bit by bit, 30 us for a
// page, a real one eight bytes in a cycle. Start-up measures both.

using System;

namespace Lego.Kernel;

/// <summary>A running CRC32C: begin with <see cref="Start"/>, add pieces, end with <see cref="Finish"/>.</summary>
public static unsafe class Crc32c
{
    public const uint Start = 0xFFFFFFFF;

    private const int MeasuredRounds = 8;

    /// <summary>Empty when the instruction is faster.</summary>
    private static SlicedCrc32c s_sliced;

    public static uint Add(uint state, ReadOnlySpan<byte> bytes) =>
        s_sliced.HasTables ? s_sliced.Add(state, bytes) : InstructionCrc32c.Add(state, bytes);

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
            s_sliced = default;
            frames.FreeContiguous(tables, SlicedCrc32c.TableBytes / PageOperations.PageSize);
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
}
