// The buffer against a plain array: bytes added, written further on, joined, taken and dropped in any order.

using System;
using CsCheck;
using Lego.Kernel;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Network;

public sealed class StreamBufferTests
{
    private const int Limit = 60000;

    [Fact]
    public void The_buffer_holds_what_was_written_to_it_and_gives_all_frames_back() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[1, 9000], Gen.Int[0, 30000]).Array[1, 60].Sample(steps => Run(steps), iter: 300, threads: 1);

    private static bool Run((int Kind, int Length, int Offset)[] steps)
    {
        using HostFrames frames = new(4);
        NetworkMemory memory = new(frames.Allocator, 900);
        StreamBuffer buffer = default;
        byte[] model = new byte[Limit * 100];
        int start = 0;
        int end = 0;
        byte next = 0;
        foreach ((int kind, int length, int offset) in steps)
        {
            int room = Math.Min(length, Limit - (end - start));
            switch (kind)
            {
                case 0:
                    Fill(model.AsSpan(end, room), ref next);
                    Assert.Equal((uint)room, buffer.Append(memory, model.AsSpan(end, room)));
                    end += room;
                    break;
                case 1 when offset + length <= Limit - (end - start):
                    // Behind a hole, then the hole.
                    Fill(model.AsSpan(end, offset + length), ref next);
                    buffer.Write(memory, (uint)(end - start + offset), model.AsSpan(end + offset, length));
                    buffer.Write(memory, (uint)(end - start), model.AsSpan(end, offset));
                    buffer.Extend((uint)(offset + length));
                    end += offset + length;
                    break;
                case 2 when offset + length <= Limit - (end - start):
                    buffer.Write(memory, (uint)(end - start + offset), new byte[length]);
                    buffer.DropBeyond(memory, Limit);
                    break;
                case 3:
                    int taken = Math.Min(length, end - start);
                    buffer.Consume(memory, (uint)taken, isEmptyBeyond: true);
                    start += taken;
                    break;
            }

            byte[] content = new byte[end - start];
            Assert.Equal((uint)content.Length, buffer.Length);
            buffer.CopyTo(0, content);
            Assert.True(content.AsSpan().SequenceEqual(model.AsSpan(start, end - start)));
        }

        buffer.Clear(memory);
        return memory.PagesInUse == 0;
    }

    private static void Fill(Span<byte> bytes, ref byte next)
    {
        for (int index = 0; index < bytes.Length; index++)
        {
            bytes[index] = next++;
        }
    }
}
