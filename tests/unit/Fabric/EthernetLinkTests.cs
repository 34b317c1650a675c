// The ethernet link over cards made of queues: framing, foreign frames, and a rack over a lossy wire.

using System;
using System.Collections.Generic;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class EthernetLinkTests
{
    [Fact]
    public void A_frame_has_the_rack_addresses_the_ether_type_and_an_aligned_message()
    {
        Wire wire = new(9014);
        EthernetLink link = new(wire.Card(3), 3);
        byte[] header = new byte[64];
        Array.Fill(header, (byte)0xAB);
        Assert.True(link.TrySend(5, header, [1, 2], [3]));
        byte[] frame = wire.Sent[0];
        Assert.Equal([0x52, 0x54, 0x00, 0x4C, 0x00, 0x05, 0x52, 0x54, 0x00, 0x4C, 0x00, 0x03, 0x88, 0xB5, 0, 0], frame[..16]);
        Assert.Equal(header, frame[16..80]);
        Assert.Equal([1, 2, 3], frame[80..]);
    }

    [Fact]
    public void Own_echoes_and_frames_for_others_are_ignored()
    {
        Wire wire = new(9014);
        wire.Card(1);
        EthernetLink one = new(wire.Card(1), 1);
        EthernetLink two = new(wire.Card(2), 2);
        byte[] header = new byte[64];
        one.TrySend(3, header, default, default);
        one.TrySend(1, header, default, default);
        wire.Broadcast(new byte[60]);
        wire.Broadcast([]);
        one.TrySend(2, header, [9], default);
        Assert.True(two.TryReceive(out ReadOnlySpan<byte> frame));
        Assert.Equal(65, frame.Length);
        two.Release();
        Assert.False(two.TryReceive(out _));
        Assert.False(one.TryReceive(out _));
    }

    [Theory]
    [InlineData(1514)]
    [InlineData(9014)]
    public void A_rack_over_a_lossy_ethernet_gets_everything_right(int mtuFrameBytes)
    {
        using FabricFixture rack = new();
        Wire wire = new(mtuFrameBytes);
        LossRates rates = new() { Drop = 30, Duplicate = 20, Hold = 20, Corrupt = 10 };
        rack.One.Attach(2, new LossyLink(new EthernetLink(wire.Card(1), 1), rates, 21, rack.Frames));
        rack.Two.Attach(1, new LossyLink(new EthernetLink(wire.Card(2), 2), rates, 22, rack.Frames));
        for (ulong number = 1; number <= 200; number++)
        {
            rack.Service.ReplyBytes = (int)(number % 5) * 2000;
            Assert.Equal(Errno.None, rack.Call(number, (int)(number % 7) * 1500, 8000));
        }

        Assert.All(rack.Service.Executions.Values, count => Assert.Equal(1, count));
        Assert.Equal(200, rack.Service.Executions.Count);
    }

    /// <summary>A hub: every card hears every frame, its own included.</summary>
    private sealed class Wire(int maxFrameBytes)
    {
        private readonly List<CardStub> _cards = [];

        internal List<byte[]> Sent { get; } = [];

        internal int MaxFrameBytes => maxFrameBytes;

        internal NetDevice Card(byte node)
        {
            CardStub card = new(this, node);
            _cards.Add(card);
            return card;
        }

        internal void Broadcast(byte[] frame)
        {
            Sent.Add(frame);
            foreach (CardStub card in _cards)
            {
                // A card's buffers do not move.
                byte[] copy = GC.AllocateUninitializedArray<byte>(frame.Length, pinned: true);
                frame.CopyTo(copy, 0);
                card.Received.Enqueue(copy);
            }
        }
    }

    private sealed class CardStub(Wire wire, byte node) : NetDevice
    {
        internal readonly Queue<byte[]> Received = [];

        public override ulong MacAddress => CardAddress.FabricBase + node;

        public override int MaxFrameBytes => wire.MaxFrameBytes;

        public override bool TrySend(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c)
        {
            byte[] frame = [.. a, .. b, .. c];
            Assert.True(frame.Length <= MaxFrameBytes);
            // A card pads to the 60 bytes that Ethernet asks for.
            wire.Broadcast(frame.Length >= 60 ? frame : [.. frame, .. new byte[60 - frame.Length]]);
            return true;
        }

        public override bool TryReceive(out ReadOnlySpan<byte> frame)
        {
            bool any = Received.TryPeek(out byte[]? first);
            frame = first;
            return any;
        }

        public override void ReleaseReceived() => Received.TryDequeue(out _);

        public override bool Poll() => false;
    }
}
