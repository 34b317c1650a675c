// The ring link alone: order, wrap-around, full rings, doorbells, and a peer that writes nonsense into the shared memory.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class RingLinkTests : IDisposable
{
    private const ulong RegionBytes = 1 << 20;

    private readonly byte* _memory;
    private readonly SharedRegion _region;
    private readonly BellStub _bell = new();

    public RingLinkTests()
    {
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)RegionBytes, 4096);
        NativeMemory.Clear(_memory, (nuint)RegionBytes);
        _region = new SharedRegion(_memory, RegionBytes);
        RingLink.Format(_region, 1, 2);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [Fact]
    public void Frames_of_all_lengths_arrive_in_order_across_many_wraps()
    {
        (RingLink one, RingLink two) = Open();
        Random random = new(1);
        Queue<byte[]> expected = [];
        for (int round = 0; round < 20_000; round++)
        {
            byte[] body = new byte[random.Next(4) == 0 ? random.Next(60_000) : random.Next(300)];
            random.NextBytes(body);
            byte[] header = new byte[64];
            random.NextBytes(header);
            int split = random.Next(body.Length + 1);
            if (one.TrySend(2, header, body.AsSpan(0, split), body.AsSpan(split)))
            {
                expected.Enqueue([.. header, .. body]);
            }
            else
            {
                Assert.NotEmpty(expected);
            }

            while (expected.Count > random.Next(12) && two.TryReceive(out ReadOnlySpan<byte> frame))
            {
                Assert.True(frame.SequenceEqual(expected.Dequeue()));
                two.Release();
            }
        }

        Assert.False(one.Failed || two.Failed);
    }

    [Fact]
    public void A_full_ring_refuses_a_frame_and_takes_it_after_a_release()
    {
        (RingLink one, RingLink two) = Open();
        byte[] body = new byte[10_000];
        int sent = 0;
        while (one.TrySend(2, new byte[64], body, default))
        {
            sent++;
        }

        Assert.InRange(sent, 40, 60);
        Assert.True(two.TryReceive(out _));
        two.Release();
        Assert.True(one.TrySend(2, new byte[64], body, default));
    }

    [Fact]
    public void Only_a_sleeping_receiver_is_rung_and_only_once()
    {
        (RingLink one, RingLink two) = Open();
        one.TrySend(2, new byte[64], default, default);
        Assert.Equal(0, _bell.Rings);
        two.ArmWakeup();
        one.TrySend(2, new byte[64], default, default);
        one.TrySend(2, new byte[64], default, default);
        Assert.Equal(1, _bell.Rings);
        two.DisarmWakeup();
        one.TrySend(2, new byte[64], default, default);
        Assert.Equal(1, _bell.Rings);
    }

    [Fact]
    public void Whoever_goes_to_sleep_rings_again_for_frames_that_a_sleeper_has_not_seen()
    {
        (RingLink one, RingLink two) = Open();
        one.TrySend(2, new byte[64], default, default);
        // As if the sleeping word had become visible only after the sender looked.
        two.ArmWakeup();
        Assert.Equal(0, _bell.Rings);
        one.ArmWakeup();
        Assert.Equal(1, _bell.Rings);
    }

    [Fact]
    public void A_reopened_end_goes_on_where_the_ring_stands()
    {
        (RingLink one, RingLink two) = Open();
        Random random = new(3);
        for (int round = 0; round < 200; round++)
        {
            byte[] body = new byte[random.Next(30_000)];
            random.NextBytes(body);
            Assert.True(one.TrySend(2, new byte[64], body, default));
            RingLink.Open(_region, 2, null, LinkTraits.None, out RingLink? reopened);
            Assert.True(reopened!.TryReceive(out ReadOnlySpan<byte> frame));
            Assert.True(frame[64..].SequenceEqual(body));
            reopened.Release();
            RingLink.Open(_region, 1, null, LinkTraits.None, out RingLink? again);
            one = again!;
        }

        Assert.False(two.Failed);
    }

    [Fact]
    public void Regions_that_are_not_this_nodes_or_not_regions_are_refused()
    {
        Assert.Equal(Errno.ENXIO, RingLink.Open(_region, 3, null, LinkTraits.None, out _));
        Random random = new(4);
        byte[] header = new ReadOnlySpan<byte>(_memory, 40).ToArray();
        for (int round = 0; round < 20_000; round++)
        {
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                _memory[random.Next(40)] = (byte)random.Next(256);
            }

            RingLink.Open(_region, 1, null, LinkTraits.None, out RingLink? link);
            // Whatever was opened must stay inside the region.
            link?.TrySend(2, new byte[64], new byte[1000], default);
            link?.TryReceive(out _);
            header.CopyTo(new Span<byte>(_memory, 40));
        }
    }

    [Fact]
    public void A_peer_that_writes_nonsense_gets_its_link_failed_and_nothing_else()
    {
        Random random = new(5);
        byte[] pristine = new ReadOnlySpan<byte>(_memory, (int)RegionBytes).ToArray();
        RingRegionHeader.TryRead(_region, out RingRegionHeader layout);
        int failed = 0;
        for (int round = 0; round < 3000; round++)
        {
            pristine.CopyTo(new Span<byte>(_memory, (int)RegionBytes));
            (RingLink one, RingLink two) = Open();
            for (int step = 0; step < 20; step++)
            {
                one.TrySend(2, new byte[64], new byte[random.Next(5000)], default);
                if (random.Next(3) == 0)
                {
                    // Positions, lengths of records, or anything else in the ring.
                    ulong offset = random.Next(3) switch { 0 => (ulong)random.Next(2) * 64, 1 => 256, _ => (ulong)random.Next(200_000) };
                    *(ulong*)(_memory + layout.RingAOffset + offset) = (ulong)random.NextInt64() >> random.Next(64);
                }

                if (two.TryReceive(out ReadOnlySpan<byte> frame))
                {
                    int sum = 0;
                    foreach (byte value in frame)
                    {
                        sum += value;
                    }

                    Assert.True(sum >= 0);
                    two.Release();
                }
            }

            failed += one.Failed || two.Failed ? 1 : 0;
        }

        Assert.True(failed > 100);
    }

    [Fact]
    public void An_endpoint_survives_hostile_frames_and_still_serves()
    {
        using FabricFixture rack = new FabricFixture().Join();
        rack.Service.Defers = true;
        Random random = new(6);
        for (int round = 0; round < 20_000; round++)
        {
            MessageHeader header = new()
            {
                Magic = MessageHeader.MagicValue,
                Version = MessageHeader.CurrentVersion,
                Kind = (MessageKind)random.Next(0, 12),
                Flags = (MessageFlags)random.Next(8),
                Class = (RpcClass)random.Next(9),
                Opcode = random.Next(2) == 0 ? Opcode.Map : (Opcode)random.Next(0x10000),
                Source = (ushort)(random.Next(8) == 0 ? random.Next(300) : 1),
                Destination = (ushort)(random.Next(8) == 0 ? random.Next(300) : 2),
                RequestId = (ulong)random.NextInt64() >> random.Next(64),
                BodyBytes = (uint)(random.Next(4) == 0 ? random.Next() : random.Next(500)),
                FragmentIndex = (ushort)random.Next(4),
                FragmentCount = (ushort)random.Next(4),
                SourceIncarnation = random.Next(8) == 0 ? (uint)random.Next() : rack.One.Incarnation,
                TargetIncarnation = random.Next(8) == 0 ? (uint)random.Next() : rack.Two.Incarnation,
                OldestOpen = (uint)random.Next(),
                ReplyCapacity = (uint)random.Next(),
            };
            byte[] body = new byte[random.Next(500)];
            rack.RingAtOne!.TrySend(2, new ReadOnlySpan<byte>(&header, 64), body, default);
            rack.Two.Poll();
            while (rack.RingAtOne.TryReceive(out _))
            {
                rack.RingAtOne.Release();
            }
        }

        Assert.False(rack.RingAtOne!.Failed || rack.RingAtTwo!.Failed);
        Assert.True(rack.Two.BadFrames > 1000);
        // An honest next life is served.
        rack.One.BeginLife(77);
        Assert.Equal(Errno.None, rack.One.Call(2, Opcode.Echo, FabricFixture.Context, default, default, default, out _));
    }

    private (RingLink One, RingLink Two) Open()
    {
        Assert.Equal(Errno.None, RingLink.Open(_region, 1, _bell, LinkTraits.None, out RingLink? one));
        Assert.Equal(Errno.None, RingLink.Open(_region, 2, null, LinkTraits.None, out RingLink? two));
        return (one!, two!);
    }

    private sealed class BellStub : Doorbell
    {
        internal int Rings;

        public override void Ring() => Rings++;

        public override void Arm()
        {
        }

        public override void Disarm()
        {
        }

        public override bool Acknowledge() => false;
    }
}
