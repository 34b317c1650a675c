// The network card's driver against a device that is two queues in memory.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

public sealed unsafe class VirtioNetTests
{
    private const ulong Mtu = 1UL << 3;
    private const ulong Mac = 1UL << 5;
    private const int HeaderBytes = 12;

    private static readonly byte[] Configuration = [0x52, 0x54, 0x00, 0x4C, 0x00, 0x07, 1, 0, 1, 0, 0x28, 0x23];

    private readonly FakeTransport _transport = new(Mtu | Mac | VirtioFeatures.EventIndex, Configuration);
    private readonly VirtioNet _card;

    public VirtioNetTests()
    {
        _card = VirtioNet.Open(_transport, TestFrames.Create())!;
    }

    private DeviceQueue Receive => _transport.Queues[0];

    private DeviceQueue Transmit => _transport.Queues[1];

    private static byte[] Frame(int length, int seed)
    {
        byte[] frame = new byte[length];
        new Random(seed).NextBytes(frame);
        return frame;
    }

    private byte* Deliver(byte[] frame)
    {
        Assert.True(Receive.TryPop(out ushort head, out List<ChainPiece> chain));
        Assert.Single(chain);
        Assert.True(chain[0].DeviceWrites);
        frame.CopyTo(chain[0].Bytes[HeaderBytes..]);
        Receive.Push(head, (uint)(HeaderBytes + frame.Length));
        return chain[0].Start;
    }

    [Fact]
    public void Address_and_frame_length_come_from_the_device()
    {
        Assert.True(_transport.Started);
        Assert.Equal(0x5254_004C_0007UL, _card.MacAddress);
        Assert.Equal(9000 + 14, _card.MaxFrameBytes);
        Assert.Equal(64, Receive.Waiting);
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1UL << 16, 1, true)]
    [InlineData(1UL << 16, 0, false)]
    public void A_card_that_tells_has_a_link_when_it_says_so(ulong status, byte value, bool hasLink)
    {
        byte[] configuration = [.. Configuration];
        configuration[6] = value;
        Assert.Equal(hasLink, VirtioNet.Open(new FakeTransport(Mac | status, configuration), TestFrames.Create())!.HasLink);
    }

    [Fact]
    public void Without_an_offered_mtu_frames_are_ordinary()
    {
        FakeTransport transport = new(Mac, Configuration);
        Assert.Equal(1514, VirtioNet.Open(transport, TestFrames.Create())!.MaxFrameBytes);
    }

    [Fact]
    public void A_card_that_can_filter_is_told_to_receive_only_its_own_frames_and_multicast()
    {
        FakeTransport transport = new(Mac | (1UL << 17) | (1UL << 18), Configuration);
        Assert.NotNull(VirtioNet.Open(transport, TestFrames.Create()));
        Assert.True(transport.Queues[2].TryPop(out _, out List<ChainPiece> chain));
        Assert.Equal([0, 0, 0], chain[0].Bytes.ToArray());
        Assert.True(chain is [{ DeviceWrites: false }, { DeviceWrites: true, LengthBytes: 1 }]);
        Assert.True(transport.Queues[2].TryPop(out _, out chain));
        Assert.Equal([0, 1, 1], chain[0].Bytes.ToArray());
    }

    [Fact]
    public void Three_pieces_leave_as_one_frame_behind_an_empty_header()
    {
        byte[] frame = Frame(9014, 1);
        Assert.True(_card.TrySend(frame.AsSpan(0, 14), frame.AsSpan(14, 50), frame.AsSpan(64)));
        Assert.True(Transmit.TakeDoorbell());
        Assert.True(Transmit.TryPop(out _, out List<ChainPiece> chain));
        byte[] sent = chain.SelectMany(piece => piece.Bytes.ToArray()).ToArray();
        Assert.Equal(new byte[HeaderBytes], sent[..HeaderBytes]);
        Assert.Equal(frame, sent[HeaderBytes..]);
        Assert.False(_card.TrySend(frame, new byte[1], default));
    }

    [Fact]
    public void Sending_stops_at_a_full_ring_and_goes_on_after_it()
    {
        byte[] frame = Frame(100, 2);
        int sent = 0;
        while (_card.TrySend(frame, default, default))
        {
            sent++;
        }

        Assert.Equal(32, sent);
        Transmit.TryPop(out ushort head, out List<ChainPiece> chain);
        Transmit.Push(head, 0);
        Assert.True(_card.Poll());
        Assert.True(chain[0].Bytes.IndexOfAnyExcept((byte)0) < 0, "a sent frame stays in memory");
        Assert.True(_card.TrySend(frame, default, default));
        Assert.False(_card.TrySend(frame, default, default));
    }

    [Fact]
    public void A_received_frame_is_lent_until_released_and_then_cleared()
    {
        byte[] first = Frame(9014, 3);
        byte[] second = Frame(60, 4);
        byte* buffer = Deliver(first);
        Deliver(second);
        Assert.True(_card.TryReceive(out ReadOnlySpan<byte> frame));
        Assert.Equal(first, frame.ToArray());
        fixed (byte* start = frame)
        {
            Assert.Equal(0UL, (ulong)start % 16);
        }

        Assert.True(_card.TryReceive(out frame));
        Assert.Equal(first, frame.ToArray());
        _card.ReleaseReceived();
        Assert.True(new Span<byte>(buffer + HeaderBytes, first.Length).IndexOfAnyExcept((byte)0) < 0, "a received frame stays in memory");
        Assert.True(_card.TryReceive(out frame));
        Assert.Equal(second, frame.ToArray());
        _card.ReleaseReceived();
        _card.ReleaseReceived();
        Assert.False(_card.TryReceive(out _));
        Assert.Equal(64, Receive.Waiting);
    }

    [Fact]
    public void Frames_too_short_for_a_header_are_dropped()
    {
        Deliver(Frame(13, 5));
        Receive.TryPop(out ushort head, out _);
        Receive.Push(head, 3);
        byte[] good = Frame(14, 6);
        Deliver(good);
        Assert.True(_card.TryReceive(out ReadOnlySpan<byte> frame));
        Assert.Equal(good, frame.ToArray());
    }

    [Fact]
    public void Interrupts_come_only_after_arming()
    {
        Deliver(Frame(60, 7));
        Assert.False(Receive.InterruptDue());
        Assert.True(_card.TryReceive(out _));
        _card.ReleaseReceived();
        _card.ArmWakeup();
        Deliver(Frame(60, 8));
        Assert.True(Receive.InterruptDue());
        _card.DisarmWakeup();
        Deliver(Frame(60, 9));
        Assert.False(Receive.InterruptDue());
    }

    [Fact]
    public void A_device_that_breaks_the_ring_is_reset()
    {
        Receive.Push(4000, 100);
        Assert.False(_card.TryReceive(out _));
        Assert.True(_transport.Resets > 0);
    }
}
