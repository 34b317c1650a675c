// A ring over fixed memory against a queue of bytes.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Common.Control;
using Xunit;

namespace Lego.Tests.Common;

public sealed unsafe class FixedRingTests : IDisposable
{
    private const int CapacityBytes = 100;
    private const int Operations = 10_000;

    private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed(CapacityBytes);

    public void Dispose() => NativeMemory.Free(_memory);

    [Fact]
    public void Bytes_come_out_as_they_went_in_and_what_does_not_fit_is_refused_whole()
    {
        FixedRing ring = new(_memory, CapacityBytes);
        Queue<byte> model = new();
        Random random = new(1);
        for (int operation = 0; operation < Operations; operation++)
        {
            byte[] bytes = new byte[random.Next(CapacityBytes / 2)];
            random.NextBytes(bytes);
            bool fits = model.Count + bytes.Length <= CapacityBytes;
            Assert.Equal(fits, ring.TryAdd(bytes));
            foreach (byte value in fits ? bytes : [])
            {
                model.Enqueue(value);
            }

            int skipped = random.Next(model.Count + 1);
            ring.Peek(skipped, model.Count - skipped, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second);
            Assert.Equal(model.Skip(skipped), [.. first, .. second]);
            int taken = ring.Peek(random.Next(CapacityBytes)).Length;
            Assert.Equal(model.Take(taken), ring.Peek(taken).ToArray());
            ring.Remove(taken);
            for (int index = 0; index < taken; index++)
            {
                model.Dequeue();
            }

            Assert.Equal((model.Count, CapacityBytes - model.Count), (ring.Count, ring.Room));
        }
    }

    [Fact]
    public void A_ring_without_memory_refuses_everything()
    {
        FixedRing ring = default;
        Assert.False(ring.TryAdd([1]));
        Assert.True(ring.Peek(10).IsEmpty);
        ring.Clear();
        Assert.Equal(0, ring.Count);
    }
}
