// CRC32C by tables against the vectors of RFC 3720 and against the CPU's instruction.

using System;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Kernel;

/// <summary>The tables' sums are those of the instruction.</summary>
public sealed unsafe class SlicedCrc32cTests : IDisposable
{
    private readonly uint* _memory = (uint*)NativeMemory.Alloc(SlicedCrc32c.TableBytes);

    public void Dispose() => NativeMemory.Free(_memory);

    [Fact]
    public void Both_ways_match_the_vectors_of_RFC_3720()
    {
        SlicedCrc32c sliced = new(_memory);
        (uint Sum, byte[] Bytes)[] vectors =
        [
            (0x8A9136AA, new byte[32]),
            (0x62A8AB43, [.. Enumerable.Repeat((byte)0xFF, 32)]),
            (0x46DD794E, [.. Enumerable.Range(0, 32).Select(index => (byte)index)]),
            (0xE3069283, "123456789"u8.ToArray()),
        ];
        foreach ((uint sum, byte[] bytes) in vectors)
        {
            Assert.Equal(sum, Crc32c.Finish(sliced.Add(Crc32c.Start, bytes)));
            Assert.Equal(sum, Crc32c.Finish(Crc32c.Add(Crc32c.Start, bytes)));
        }
    }

    [Fact]
    public void Any_piece_gives_the_instructions_sum()
    {
        SlicedCrc32c sliced = new(_memory);
        Random random = new(1);
        byte[] bytes = new byte[4096];
        random.NextBytes(bytes);
        for (int round = 0; round < 2000; round++)
        {
            int start = random.Next(64);
            ReadOnlySpan<byte> piece = bytes.AsSpan(start, round < 1000 ? round % 40 : random.Next(bytes.Length - start));
            uint state = (uint)random.NextInt64(1L << 32);
            Assert.Equal(Crc32c.Add(state, piece), sliced.Add(state, piece));
        }
    }
}
