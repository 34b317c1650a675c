// Host stand-in for kernel/machine: CRC32C by the instruction, which real CPUs run fast.

using System;

namespace Lego.Kernel;

/// <summary>A running CRC32C.</summary>
public static class Crc32c
{
    public const uint Start = 0xFFFFFFFF;

    public static uint Add(uint state, ReadOnlySpan<byte> bytes) => InstructionCrc32c.Add(state, bytes);

    public static uint Finish(uint state) => ~state;
}
