// What pipes may hold of a processor component's own memory.

using System;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class PipeMemoryTests
{
    private const ulong Pages = 1000;
    private const ulong HalfBytes = Pages / 2 * PageOperations.PageSize;

    [Fact]
    public void Pipes_have_half_of_the_memory_and_are_small_when_they_have_a_quarter()
    {
        PipeMemory memory = new(Pages);
        ulong full = 0;
        ulong small = 0;
        for (int capacity = memory.Take(); capacity != 0; capacity = memory.Take())
        {
            Assert.True(capacity == PipeMemory.SmallPipeBytes || (capacity == ByteRing.CapacityBytes && small == 0));
            full += capacity == ByteRing.CapacityBytes ? (ulong)capacity : 0;
            small += capacity == PipeMemory.SmallPipeBytes ? (ulong)capacity : 0;
        }

        Assert.InRange(full, (HalfBytes / 2) - ByteRing.CapacityBytes, HalfBytes / 2);
        Assert.InRange(full + small, HalfBytes - PipeMemory.SmallPipeBytes, HalfBytes);
        memory.Return(PipeMemory.SmallPipeBytes);
        Assert.Equal(PipeMemory.SmallPipeBytes, memory.Take());
    }

    [Fact]
    public void A_small_pipe_takes_any_write_that_must_not_be_divided()
    {
        using FileSystemFixture fixture = new();
        ByteRing ring = default;
        ring.Limit(PipeMemory.SmallPipeBytes);
        byte[] bytes = new byte[Pipe.AtomicBytes];
        for (int round = 0; round < 100; round++)
        {
            Assert.Equal(bytes.Length - round, ring.Append(fixture.Frames, bytes.AsSpan(round)));
            Assert.True(ring.Room >= Pipe.AtomicBytes);
            while (!ring.IsEmpty)
            {
                ring.Consume(fixture.Frames, ring.NextData().Length);
            }
        }

        Assert.Equal(PipeMemory.SmallPipeBytes, ring.Append(fixture.Frames, new byte[ByteRing.CapacityBytes]));
        ring.Clear(fixture.Frames);
    }
}
