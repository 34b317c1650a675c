// The ring of pipes against a queue, its limits, and its frames.

using System;
using System.Collections.Generic;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class ByteRingTests
{
    [Fact]
    public void Bytes_come_out_in_the_order_in_which_they_went_in()
    {
        using FileSystemFixture fixture = new();
        Random random = new(20260921);
        ByteRing ring = default;
        Queue<byte> model = new();
        byte next = 0;
        for (int step = 0; step < 20_000; step++)
        {
            if (random.Next(2) == 0)
            {
                byte[] bytes = new byte[random.Next(9000)];
                for (int index = 0; index < bytes.Length; index++)
                {
                    bytes[index] = next++;
                }

                int taken = ring.Append(fixture.Frames, bytes);
                Assert.Equal(Math.Min(bytes.Length, ByteRing.CapacityBytes - model.Count), taken);
                next -= (byte)(bytes.Length - taken);
                for (int index = 0; index < taken; index++)
                {
                    model.Enqueue(bytes[index]);
                }
            }
            else
            {
                ReadOnlySpan<byte> data = ring.NextData();
                int used = Math.Min(data.Length, random.Next(5000));
                for (int index = 0; index < used; index++)
                {
                    Assert.Equal(model.Dequeue(), data[index]);
                }

                ring.Consume(fixture.Frames, used);
            }

            Assert.Equal(model.Count, ring.Count);
            Assert.Equal(ByteRing.CapacityBytes, ring.Count + ring.Room);
        }

        ring.Clear(fixture.Frames);
    }

    [Fact]
    public void A_full_ring_takes_nothing_and_an_empty_one_holds_at_most_a_frame()
    {
        using FileSystemFixture fixture = new();
        ulong before = fixture.Frames.FreePages;
        ByteRing ring = default;
        Assert.Equal(ByteRing.CapacityBytes, ring.Append(fixture.Frames, new byte[100_000]));
        Assert.True(ring.NextRoom(fixture.Frames).IsEmpty);
        while (!ring.IsEmpty)
        {
            ring.Consume(fixture.Frames, Math.Min(ring.NextData().Length, 1000));
        }

        Assert.InRange(before - fixture.Frames.FreePages, 0UL, 1UL);
        ring.Clear(fixture.Frames);
        Assert.Equal(before, fixture.Frames.FreePages);
    }

    [Fact]
    public void Room_that_a_writer_is_filling_stays_his_while_the_reader_goes_past()
    {
        using FileSystemFixture fixture = new();
        ByteRing ring = default;
        ring.Append(fixture.Frames, new byte[ByteRing.CapacityBytes]);
        ring.Consume(fixture.Frames, 100);
        Span<byte> room = ring.NextRoom(fixture.Frames);
        Assert.Equal(100, room.Length);
        ring.Consume(fixture.Frames, ring.NextData().Length);
        room.Fill(7);
        ring.Commit(room.Length);
        ReadOnlySpan<byte> last = default;
        while (!ring.IsEmpty)
        {
            last = ring.NextData();
            Assert.False(last.IsEmpty);
            if (ring.Count == last.Length)
            {
                Assert.Equal(7, last[^1]);
            }

            ring.Consume(fixture.Frames, last.Length);
        }

        ring.Clear(fixture.Frames);
    }
}
