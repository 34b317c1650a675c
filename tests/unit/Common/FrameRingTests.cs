// Frames that wait for the transmitter: order, bounds, and places where the ring begins again.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Common.Control;
using Xunit;

namespace Lego.Tests.Common;

public sealed unsafe class FrameRingTests : IDisposable
{
    private const int CapacityBytes = 1000;

    private readonly HostFrames _frames = new(megabytes: 4);
    private readonly FakeChannel _channel = new();
    private readonly ControlTransmitter _transmitter;
    private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed(CapacityBytes);

    public FrameRingTests() => _transmitter = new ControlTransmitter(_channel, _frames.Allocator);

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        _frames.Dispose();
    }

    [Fact]
    public void Frames_come_out_whole_and_in_order_wherever_the_ring_begins_again()
    {
        FrameRing ring = new(_memory, CapacityBytes);
        Random random = new(7);
        List<byte[]> sent = new();
        List<byte[]> received = new();
        for (int round = 0; round < 2000; round++)
        {
            byte[] payload = new byte[random.Next(0, 400)];
            random.NextBytes(payload);
            bool fits = ControlFrame.HeaderBytes + payload.Length <= CapacityBytes - ring.Count;
            Assert.Equal(fits, ring.TryAdd(ControlFrameType.StandardOutput, (ushort)round, payload));
            if (fits)
            {
                sent.Add(payload);
            }

            while (random.Next(2) == 0 && ring.TryMoveOne(_transmitter, ControlPriority.Bulk))
            {
            }

            received.AddRange(_channel.Take().Select(frame => frame.Payload));
        }

        while (ring.TryMoveOne(_transmitter, ControlPriority.Bulk))
        {
        }

        received.AddRange(_channel.Take().Select(frame => frame.Payload));
        Assert.Equal(0, ring.Count);
        Assert.Equal(sent, received);
    }

    [Fact]
    public void A_frame_stays_when_the_transmitter_has_no_room()
    {
        FrameRing ring = new(_memory, CapacityBytes);
        _channel.Room = 0;
        while (_transmitter.TryQueue(ControlFrameType.Pong, 0, default, default, ControlPriority.Bulk))
        {
        }

        Assert.True(ring.TryAdd(ControlFrameType.StandardOutput, 1, new byte[] { 1, 2, 3 }));
        Assert.False(ring.TryMoveOne(_transmitter, ControlPriority.Bulk));
        _channel.Room = int.MaxValue;
        Assert.True(ring.TryMoveOne(_transmitter, ControlPriority.Bulk));
        Assert.Equal([1, 2, 3], _channel.Take()[^1].Payload);
    }
}
