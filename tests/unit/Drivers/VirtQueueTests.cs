// VirtQueue against the device side in FakeVirtio.cs: random traffic, notification suppression both ways, and devices that lie.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Drivers;
using Xunit;

namespace Lego.Tests.Drivers;

public sealed unsafe class VirtQueueTests
{
    private readonly ushort* _doorbell = (ushort*)NativeMemory.Alloc(2);

    private (VirtQueue Queue, DeviceQueue Device) Create(ushort size, bool eventIndex)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)VirtQueue.MemoryBytes(size), 4096);
        new Span<byte>(memory, (int)VirtQueue.MemoryBytes(size)).Clear();
        *_doorbell = DeviceQueue.DoorbellSilent;
        return (new VirtQueue(3, size, memory, _doorbell, eventIndex), new DeviceQueue(memory, size, eventIndex, _doorbell));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(16, false)]
    [InlineData(256, true)]
    public void Random_traffic_returns_every_chain_once_with_its_length(int size, bool eventIndex)
    {
        (VirtQueue queue, DeviceQueue device) = Create((ushort)size, eventIndex);
        Random random = new(size);
        Dictionary<uint, uint> expected = [];
        List<(ushort Head, uint Token)> held = [];
        Queue<uint> order = [];
        uint nextToken = 0;
        QueueBuffer[] chain = new QueueBuffer[size];
        // More than 65536 chains, so that the 16-bit indices wrap.
        while (nextToken < 70_000)
        {
            int choice = random.Next(3);
            if (choice == 0)
            {
                int pieces = 1 + random.Next(Math.Min(size, 5));
                for (int piece = 0; piece < pieces; piece++)
                {
                    BufferAccess access = piece == 0 ? BufferAccess.DeviceReads : BufferAccess.DeviceWrites;
                    chain[piece] = new QueueBuffer((ulong)(nextToken + piece), 100, access);
                }

                int freeBefore = queue.Free;
                bool added = queue.TryAdd(chain.AsSpan(0, pieces), nextToken);
                Assert.Equal(freeBefore >= pieces, added);
                if (added)
                {
                    order.Enqueue(nextToken);
                    expected[nextToken] = (uint)(pieces - 1) * 100;
                    nextToken++;
                }

                if (random.Next(2) == 0)
                {
                    queue.Publish();
                }
            }
            else if (choice == 1)
            {
                if (device.TryPop(out ushort head, out List<ChainPiece> pieces))
                {
                    uint token = order.Dequeue();
                    Assert.Equal(token, (uint)pieces[0].Start);
                    Assert.Equal(expected[token], (uint)(pieces.Count - 1) * 100);
                    held.Add((head, token));
                }

                if (held.Count > 0 && random.Next(2) == 0)
                {
                    // Devices may finish out of order.
                    int pick = random.Next(held.Count);
                    device.Push(held[pick].Head, expected[held[pick].Token]);
                    held.RemoveAt(pick);
                }
            }
            else if (queue.TryTake(out uint token, out uint written))
            {
                Assert.True(expected.Remove(token, out uint length));
                Assert.Equal(length, written);
            }
        }

        Assert.False(queue.Broken);
        Assert.Equal(expected.Count, queue.InFlight);
    }

    [Fact]
    public void The_device_is_notified_only_when_it_asked()
    {
        (VirtQueue queue, DeviceQueue device) = Create(8, eventIndex: true);
        *device.AvailableEvent = 2;
        for (uint token = 0; token < 2; token++)
        {
            Assert.True(queue.TryAdd(0, 1, BufferAccess.DeviceReads, token));
            queue.Publish();
            Assert.False(device.TakeDoorbell());
        }

        Assert.True(queue.TryAdd(0, 1, BufferAccess.DeviceReads, 2));
        queue.Publish();
        Assert.True(device.TakeDoorbell());
        queue.Publish();
        Assert.False(device.TakeDoorbell());
    }

    [Fact]
    public void Without_event_indices_flags_decide()
    {
        (VirtQueue queue, DeviceQueue device) = Create(8, eventIndex: false);
        *device.UsedFlags = 1;
        queue.TryAdd(0, 1, BufferAccess.DeviceReads, 0);
        queue.Publish();
        Assert.False(device.TakeDoorbell());
        *device.UsedFlags = 0;
        queue.TryAdd(0, 1, BufferAccess.DeviceReads, 1);
        queue.Publish();
        Assert.True(device.TakeDoorbell());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Interrupts_are_due_only_while_enabled(bool eventIndex)
    {
        (VirtQueue queue, DeviceQueue device) = Create(8, eventIndex);
        for (uint round = 0; round < 20; round++)
        {
            bool enable = round % 2 == 0;
            if (enable)
            {
                queue.EnableInterrupt();
            }

            queue.TryAdd(0, 1, BufferAccess.DeviceReads, round);
            queue.Publish();
            Assert.True(device.TryPop(out ushort head, out _));
            device.Push(head, 0);
            Assert.Equal(enable, device.InterruptDue());
            queue.DisableInterrupt();
            Assert.True(queue.TryTake(out uint token, out _));
            Assert.Equal(round, token);
        }
    }

    [Fact]
    public void A_length_beyond_the_chain_is_cut()
    {
        (VirtQueue queue, DeviceQueue device) = Create(4, eventIndex: true);
        queue.TryAdd(0, 512, BufferAccess.DeviceWrites, 9);
        queue.Publish();
        device.TryPop(out ushort head, out _);
        device.Push(head, uint.MaxValue);
        Assert.True(queue.TryTake(out _, out uint written));
        Assert.Equal(512u, written);
    }

    [Theory]
    [InlineData(4u)]
    [InlineData(1u)]
    [InlineData(0xFFFF_FFFFu)]
    public void A_chain_that_is_not_with_the_device_breaks_the_queue(uint head)
    {
        (VirtQueue queue, DeviceQueue device) = Create(4, eventIndex: true);
        queue.TryAdd(0, 512, BufferAccess.DeviceWrites, 9);
        queue.Publish();
        device.Push(head, 0);
        Assert.False(queue.TryTake(out _, out _));
        Assert.True(queue.Broken);
        Assert.False(queue.TryAdd(0, 1, BufferAccess.DeviceReads, 1));
    }

    [Fact]
    public void Giving_a_chain_back_twice_breaks_the_queue()
    {
        (VirtQueue queue, DeviceQueue device) = Create(4, eventIndex: true);
        queue.TryAdd(0, 1, BufferAccess.DeviceWrites, 1);
        queue.TryAdd(0, 1, BufferAccess.DeviceWrites, 2);
        queue.Publish();
        device.TryPop(out ushort head, out _);
        device.Push(head, 0);
        device.Push(head, 0);
        Assert.True(queue.TryTake(out _, out _));
        Assert.False(queue.TryTake(out _, out _));
        Assert.True(queue.Broken);
    }

    [Fact]
    public void A_used_index_far_ahead_breaks_the_queue()
    {
        (VirtQueue queue, DeviceQueue device) = Create(4, eventIndex: false);
        queue.TryAdd(0, 1, BufferAccess.DeviceWrites, 1);
        queue.Publish();
        *device.UsedIndex = 1000;
        Assert.False(queue.TryTake(out _, out _));
        Assert.True(queue.Broken);
    }

    [Fact]
    public void Random_writes_of_a_hostile_device_never_crash()
    {
        Random random = new(77);
        for (int round = 0; round < 2000; round++)
        {
            ushort size = (ushort)(1 << random.Next(6));
            byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)VirtQueue.MemoryBytes(size), 4096);
            Span<byte> bytes = new(memory, (int)VirtQueue.MemoryBytes(size));
            bytes.Clear();
            VirtQueue queue = new(0, size, memory, _doorbell, random.Next(2) == 0);
            for (int step = 0; step < 50; step++)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(4);
                queue.TryAdd((ulong)step, 64, BufferAccess.DeviceWrites, (uint)step);
                queue.Publish();
                if (queue.TryTake(out uint token, out uint written))
                {
                    Assert.True(token <= step && written <= 64);
                }

                Assert.InRange(queue.Free + queue.InFlight, 0, size);
            }

            NativeMemory.AlignedFree(memory);
        }
    }
}
