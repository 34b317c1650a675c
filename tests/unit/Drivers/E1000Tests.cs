// The e1000's driver against a card in memory: registers that remember, and descriptor rings read and written as Intel's manual (317453)
// says a card does.

using System;
using System.Collections.Generic;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

/// <summary>An 82540EM with the address of an ethernet link's card, or another one. Host addresses are bus addresses.</summary>
internal sealed unsafe class FakeE1000 : E1000Registers
{
    private const int DescriptorBytes = 16;
    private const int HeadOfReceive = 0x2810;
    private const int HeadOfTransmit = 0x3810;

    private readonly Dictionary<int, uint> _values = [];
    private uint _mask;

    public FakeE1000(uint addressHigh = 0x0700)
    {
        // 52:54:00:4c:00:07, first byte lowest.
        _values[0x5400] = 0x4C005452;
        _values[0x5404] = 0x8000_0000 | addressHigh;
    }

    public uint Cause { get; set; }

    public List<byte[]> Sent { get; } = [];

    public int TailWrites { get; private set; }

    /// <summary>A card that is slow: sent frames stay in the ring.</summary>
    public bool HoldsFrames { get; set; }

    public bool LineRaised => (Cause & _mask) != 0;

    public uint this[int offset] => _values.GetValueOrDefault(offset);

    /// <summary>Descriptors that the card may fill.</summary>
    public int Free => (int)((this[0x2818] + Count(0x2808) - this[HeadOfReceive]) % Count(0x2808));

    public override uint Read(int offset)
    {
        if (offset == 0xC0)
        {
            uint cause = Cause;
            Cause = 0;
            return cause;
        }

        return offset == 0 ? this[0] & ~(1u << 26) : this[offset];
    }

    public override void Write(int offset, uint value)
    {
        switch (offset)
        {
            case 0xD0:
                _mask |= value;
                return;
            case 0xD8:
                _mask &= ~value;
                return;
        }

        _values[offset] = value;
        TailWrites += offset == 0x2818 ? 1 : 0;
        if (offset == 0x3818 && !HoldsFrames)
        {
            Transmit();
        }
    }

    /// <summary>Puts a frame into the next descriptor; false when there is none.</summary>
    public bool Deliver(ReadOnlySpan<byte> frame, byte status = 3, byte errors = 0)
    {
        if (Free == 0)
        {
            return false;
        }

        byte* descriptor = Descriptor(0x2800, HeadOfReceive);
        frame.CopyTo(new Span<byte>((byte*)*(ulong*)descriptor, frame.Length));
        *(ushort*)(descriptor + 8) = (ushort)frame.Length;
        descriptor[13] = errors;
        descriptor[12] = status;
        Advance(HeadOfReceive, 0x2808);
        Cause |= 0x80;
        return true;
    }

    /// <summary>The memory that holds the frame which the next descriptor will take.</summary>
    public Span<byte> NextBuffer(int lengthBytes) => new((byte*)*(ulong*)Descriptor(0x2800, HeadOfReceive), lengthBytes);

    public void Transmit()
    {
        while (this[HeadOfTransmit] != this[0x3818])
        {
            byte* descriptor = Descriptor(0x3800, HeadOfTransmit);
            Assert.Equal(0x0B, descriptor[11]);
            Sent.Add(new ReadOnlySpan<byte>((byte*)*(ulong*)descriptor, *(ushort*)(descriptor + 8)).ToArray());
            descriptor[12] |= 1;
            Advance(HeadOfTransmit, 0x3808);
        }
    }

    private uint Count(int length) => this[length] / DescriptorBytes;

    private byte* Descriptor(int ring, int head) => (byte*)(this[ring] | ((ulong)this[ring + 4] << 32)) + (this[head] * DescriptorBytes);

    private void Advance(int head, int length) => _values[head] = (this[head] + 1) % Count(length);
}

public sealed class E1000Tests
{
    private readonly FakeE1000 _card = new();
    private readonly E1000 _driver;

    public E1000Tests()
    {
        _driver = E1000.Open(_card, TestFrames.Create())!;
    }

    private static byte[] Frame(int length, int seed)
    {
        byte[] frame = new byte[length];
        new Random(seed).NextBytes(frame);
        return frame;
    }

    [Fact]
    public void The_card_of_an_ethernet_link_has_jumbo_frames_and_another_one_ordinary_frames()
    {
        Assert.Equal(0x5254_004C_0007UL, _driver.MacAddress);
        Assert.Equal(9014, _driver.MaxFrameBytes);
        E1000 other = E1000.Open(new FakeE1000(0x0701), TestFrames.Create())!;
        Assert.Equal(0x5254_004C_0107UL, other.MacAddress);
        Assert.Equal(1514, other.MaxFrameBytes);
    }

    [Fact]
    public void A_frame_of_three_pieces_leaves_whole_and_its_buffer_is_cleared()
    {
        byte[] frame = Frame(9014, 1);
        Assert.True(_driver.TrySend(frame.AsSpan(0, 14), frame.AsSpan(14, 100), frame.AsSpan(114)));
        Assert.Equal(frame, Assert.Single(_card.Sent));
        Assert.True(_driver.Poll());
        _card.HoldsFrames = true;
        Assert.False(_driver.TrySend(new byte[9014], new byte[1], default));
        Assert.False(_driver.TrySend(new byte[13], default, default));
    }

    [Fact]
    public void A_card_that_sends_nothing_fills_its_ring_and_no_more()
    {
        _card.HoldsFrames = true;
        int accepted = 0;
        while (_driver.TrySend(Frame(60, accepted), default, default))
        {
            accepted++;
        }

        Assert.Equal(31, accepted);
        _card.Transmit();
        _card.HoldsFrames = false;
        Assert.True(_driver.TrySend(Frame(60, 99), default, default));
        Assert.Equal(32, _card.Sent.Count);
        for (int index = 0; index < accepted; index++)
        {
            Assert.Equal(Frame(60, index), _card.Sent[index]);
        }
    }

    [Fact]
    public void Received_frames_are_lent_in_order_and_their_buffers_cleared_and_given_back()
    {
        for (int round = 0; round < 500; round++)
        {
            byte[] frame = Frame(14 + (round * 37 % 9000), round);
            Assert.True(_card.NextBuffer(9014).IndexOfAnyExcept((byte)0) < 0, "a buffer keeps what it held before");
            Assert.True(_card.Deliver(frame));
            Assert.True(_driver.TryReceive(out ReadOnlySpan<byte> received));
            Assert.Equal(frame, received.ToArray());
            Assert.True(_driver.TryReceive(out received));
            Assert.Equal(frame.Length, received.Length);
            _driver.ReleaseReceived();
            _driver.ReleaseReceived();
        }

        Assert.False(_driver.TryReceive(out _));
        Assert.Equal(63, _card.Free);
    }

    [Fact]
    public void Descriptors_are_given_back_several_at_a_time()
    {
        int before = _card.TailWrites;
        for (int round = 0; round < 32; round++)
        {
            Assert.True(_card.Deliver(Frame(60, round)));
            Assert.True(_driver.TryReceive(out _));
            _driver.ReleaseReceived();
        }

        Assert.Equal(4, _card.TailWrites - before);
    }

    [Fact]
    public void A_burst_of_two_frames_from_each_of_a_hundred_clients_finds_room_on_the_card_of_the_programs()
    {
        FakeE1000 card = new(0x0701);
        E1000 driver = E1000.Open(card, TestFrames.Create())!;
        for (int round = 0; round < 3; round++)
        {
            for (int number = 0; number < 200; number++)
            {
                Assert.True(card.Deliver(Frame(1514, number)), $"frame {number} is lost");
            }

            for (int number = 0; number < 200; number++)
            {
                Assert.True(driver.TryReceive(out ReadOnlySpan<byte> frame));
                Assert.Equal(Frame(1514, number), frame.ToArray());
                driver.ReleaseReceived();
            }

            Assert.False(driver.TryReceive(out _));
            Assert.Equal(255, card.Free);
        }
    }

    [Theory]
    [InlineData(60, 1, 0)]
    [InlineData(60, 3, 1)]
    [InlineData(60, 3, 0x80)]
    [InlineData(13, 3, 0)]
    [InlineData(9015, 3, 0)]
    public void What_is_no_whole_frame_is_dropped(int length, byte status, byte errors)
    {
        Assert.True(_card.Deliver(Frame(length, 1), status, errors));
        Assert.True(_card.Deliver(Frame(64, 2)));
        Assert.True(_driver.TryReceive(out ReadOnlySpan<byte> frame));
        Assert.Equal(Frame(64, 2), frame.ToArray());
    }

    [Fact]
    public void A_frame_whose_packet_has_a_wrong_checksum_is_the_stacks_to_judge()
    {
        Assert.True(_card.Deliver(Frame(64, 2), 3, 0x60));
        Assert.True(_driver.TryReceive(out _));
    }

    [Fact]
    public void One_interrupt_comes_after_arming_and_none_while_the_machine_polls()
    {
        _card.Deliver(Frame(60, 1));
        Assert.False(_card.LineRaised);
        _driver.ArmWakeup();
        Assert.False(_card.LineRaised, "a frame from before arming, which the poll after it finds, interrupts");
        _card.Deliver(Frame(60, 2));
        Assert.True(_card.LineRaised);
        _driver.OnInterrupt();
        Assert.False(_card.LineRaised);
        _card.Deliver(Frame(60, 3));
        Assert.False(_card.LineRaised);
        _driver.ArmWakeup();
        _card.Deliver(Frame(60, 4));
        Assert.True(_card.LineRaised);
    }
}
