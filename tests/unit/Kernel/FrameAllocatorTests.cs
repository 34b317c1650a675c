// The frame allocator against a set of frames: random operations never give out a frame twice and always balance.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Unit.Kernel;

public sealed unsafe class FrameAllocatorTests
{
    private const int Pages = 300;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_allocation_and_freeing_never_gives_a_frame_twice(int seed)
    {
        void* memory = NativeMemory.AlignedAlloc(Pages * PageOperations.PageSize, PageOperations.PageSize);
        try
        {
            FrameAllocator frames = new(memory, Pages);
            ulong free = frames.FreePages;
            Random random = new(seed);
            HashSet<nint> held = new();
            List<(nint Start, int Count)> runs = new();
            for (int step = 0; step < 20_000; step++)
            {
                if (random.Next(2) == 0)
                {
                    int count = random.Next(8) == 0 ? random.Next(1, 20) : 1;
                    byte* start = (byte*)(count == 1 ? frames.Allocate() : frames.AllocateContiguous((ulong)count));
                    if (start == null)
                    {
                        continue;
                    }

                    for (int page = 0; page < count; page++)
                    {
                        Assert.True(held.Add((nint)(start + (page * PageOperations.PageSize))));
                    }

                    new Span<byte>(start, count * PageOperations.PageSize).Fill(0xAA);
                    runs.Add(((nint)start, count));
                }
                else if (runs.Count > 0)
                {
                    int index = random.Next(runs.Count);
                    (nint start, int count) = runs[index];
                    runs.RemoveAt(index);
                    frames.FreeContiguous((void*)start, (ulong)count);
                    for (int page = 0; page < count; page++)
                    {
                        held.Remove(start + (page * PageOperations.PageSize));
                    }
                }

                Assert.Equal(free - (ulong)held.Count, frames.FreePages);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    [Fact]
    public void Freeing_a_free_frame_panics()
    {
        void* memory = NativeMemory.AlignedAlloc(Pages * PageOperations.PageSize, PageOperations.PageSize);
        FrameAllocator frames = new(memory, Pages);
        void* frame = frames.Allocate();
        frames.Free(frame);
        Assert.Throws<PanicException>(() => frames.Free(frame));
        NativeMemory.AlignedFree(memory);
    }
}
