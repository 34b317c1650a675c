// Pipes of packets: each has a place, lengths keep their order round the end of the ring, and their frames go with the pipe.

using System;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class PacketPipeTests
{
    [Fact]
    public void Packets_come_in_order_and_take_a_place_each()
    {
        using FileSystemFixture fixture = new();
        ulong before = fixture.Frames.FreePages;
        Pipe* pipe = Pipe.Create(fixture.Files);
        Assert.Equal(Errno.None, pipe->SeparatePackets());
        Random random = new(3);
        byte[] bytes = new byte[Pipe.AtomicBytes];
        System.Collections.Generic.Queue<int> lengths = new();
        for (int step = 0; step < 5000; step++)
        {
            if (random.Next(2) == 0 && pipe->HasRoomForPacket)
            {
                int length = random.Next(1, Pipe.AtomicBytes + 1);
                Assert.Equal(length, pipe->Ring.Append(fixture.Frames, bytes.AsSpan(0, length)));
                pipe->AddPacket(length);
                lengths.Enqueue(length);
            }
            else if (!pipe->IsEmpty)
            {
                Assert.Equal(lengths.Dequeue(), pipe->FirstPacketBytes);
                pipe->RemovePacket(pipe->FirstPacketBytes);
            }

            Assert.Equal(lengths.Count, pipe->Packets);
        }

        Pipe.Free(pipe);
        Assert.True(before - fixture.Frames.FreePages <= 1, "a slab keeps one page");
    }

    [Fact]
    public void A_packet_that_is_given_up_leaves_the_ring_as_it_was()
    {
        using FileSystemFixture fixture = new();
        Pipe* pipe = Pipe.Create(fixture.Files);
        Assert.Equal(Errno.None, pipe->SeparatePackets());
        pipe->Ring.Append(fixture.Frames, new byte[100]);
        pipe->AddPacket(100);
        pipe->Ring.Append(fixture.Frames, new byte[50]);
        pipe->Ring.Retract(50);
        Assert.Equal((100, 1), (pipe->Ring.Count, pipe->Packets));
        pipe->RemovePacket(100);
        Assert.True(pipe->IsEmpty && pipe->Ring.IsEmpty);
        Pipe.Free(pipe);
    }
}
