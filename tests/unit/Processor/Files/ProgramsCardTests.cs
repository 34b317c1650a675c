// The programs' card: frames both ways, bounded work, wake-ups handed to the card.

using System;
using System.Collections.Generic;
using System.Net;
using Lego.Kernel;
using Lego.Processor;
using PacketDotNet;
using Xunit;
using HardwareAddress = System.Net.NetworkInformation.PhysicalAddress;

namespace Lego.Tests.Processor.Files;

public sealed class ProgramsCardTests : IDisposable
{
    private const ulong OwnAddress = 0x5254_004C_0101;
    private static readonly HardwareAddress s_stranger = HardwareAddress.Parse("52-55-0A-00-02-02");
    private static readonly HardwareAddress s_everybody = HardwareAddress.Parse("FF-FF-FF-FF-FF-FF");

    private readonly CardStub _card = new();
    private readonly FileSystemFixture _machine;
    private readonly ProgramsCard _programs;

    public ProgramsCardTests()
    {
        _machine = new FileSystemFixture(_card);
        _programs = _machine.Files.Card!;
        _programs.Start("10.0.2.15/24,10.0.2.2"u8);
        _card.Sent.Clear();
    }

    public void Dispose()
    {
        Scheduler.ForgetSpawned();
        _machine.Dispose();
    }

    private static byte[] WhoHas(string address) =>
        new EthernetPacket(s_stranger, s_everybody, EthernetType.Arp)
        {
            PayloadPacket = new PacketDotNet.ArpPacket(
                ArpOperation.Request, HardwareAddress.Parse("00-00-00-00-00-00"), IPAddress.Parse(address), s_stranger,
                IPAddress.Parse("10.0.2.2")),
        }.Bytes;

    [Fact]
    public void A_frame_from_the_card_is_answered_on_the_card()
    {
        _card.Received.Enqueue(WhoHas("10.0.2.15"));
        Assert.True(_programs.Poll());
        PacketDotNet.Packet answer = PacketDotNet.Packet.ParsePacket(LinkLayers.Ethernet, Assert.Single(_card.Sent));
        PacketDotNet.ArpPacket arp = answer.Extract<PacketDotNet.ArpPacket>();
        Assert.Equal((ArpOperation.Response, "10.0.2.15"), (arp.Operation, arp.SenderProtocolAddress.ToString()));
        Assert.Equal(HardwareAddress.Parse("52-54-00-4C-01-01"), arp.SenderHardwareAddress);
        Assert.False(_programs.Poll());
    }

    [Fact]
    public void One_poll_takes_a_bounded_number_of_frames()
    {
        for (int frame = 0; frame < 100; frame++)
        {
            _card.Received.Enqueue(WhoHas("10.0.2.77"));
        }

        Assert.True(_programs.Poll());
        Assert.Equal(100 - 64, _card.Received.Count);
    }

    [Fact]
    public void The_card_is_told_when_to_interrupt()
    {
        _programs.ArmWakeup();
        Assert.True(_card.IsArmed);
        _programs.DisarmWakeup();
        Assert.False(_card.IsArmed);
    }

    [Fact]
    public void A_machine_without_a_card_has_the_loopback()
    {
        using FileSystemFixture machine = new();
        Assert.Null(machine.Files.Card);
        Assert.True(machine.Files.Network.Stack.Addresses.IsLocal(IpAddress.FromV4(0x7F000001), 0));
    }

    private sealed class CardStub : NetDevice
    {
        public Queue<byte[]> Received { get; } = [];

        public List<byte[]> Sent { get; } = [];

        public bool IsArmed { get; private set; }

        public override ulong MacAddress => OwnAddress;

        public override int MaxFrameBytes => 1514;

        public override bool Poll() => false;

        public override bool TrySend(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c)
        {
            Sent.Add([.. a, .. b, .. c]);
            return true;
        }

        public override bool TryReceive(out ReadOnlySpan<byte> frame)
        {
            frame = Received.TryPeek(out byte[]? bytes) ? bytes : default;
            return bytes != null;
        }

        public override void ReleaseReceived() => Received.Dequeue();

        public override void ArmWakeup() => IsArmed = true;

        public override void DisarmWakeup() => IsArmed = false;
    }
}
