// The pci-serial doorbell over a serial port in memory: ringing never waits, and the handler of the shared line empties the FIFO.

using System.Collections.Generic;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

/// <summary>16550s at 8-port blocks from 0xC000 on.</summary>
internal sealed class FakeUarts : FakePorts
{
    public readonly Queue<byte>[] Received = [new(), new()];
    public readonly List<byte>[] Sent = [[], []];
    public readonly byte[] InterruptEnable = [0xFF, 0xFF];
    private readonly bool[] _latch = new bool[2];

    public bool LineRaised => (Received[0].Count > 0 && InterruptEnable[0] != 0) || (Received[1].Count > 0 && InterruptEnable[1] != 0);

    public override uint In(ushort port, int widthBytes) => (port & 7) switch
    {
        0 => Received[(port >> 3) & 1].Dequeue(),
        5 => Received[(port >> 3) & 1].Count > 0 ? 0x61u : 0x60u,
        _ => 0,
    };

    public override void Out(ushort port, int widthBytes, uint value)
    {
        int index = (port >> 3) & 1;
        switch (port & 7)
        {
            case 0 when !_latch[index]:
                Sent[index].Add((byte)value);
                break;
            case 1 when !_latch[index]:
                InterruptEnable[index] = (byte)value;
                break;
            case 3:
                _latch[index] = (value & 0x80) != 0;
                break;
            default:
                break;
        }
    }
}

public sealed class DoorbellTests
{
    private const int Line = 11;

    [Fact]
    public void Doorbells_on_one_line_ring_drain_and_acknowledge()
    {
        FakeConfiguration configuration = new();
        InterruptLines lines = new();
        FakeUarts uarts = new();
        Ports.Device = uarts;
        for (int index = 0; index < 2; index++)
        {
            configuration.Add(6 + index, 0, 0x1B36, 2)[0x3C] = Line;
            configuration.SetBar(6 + index, 0, 0, (uint)(0xC001 + (index * 8)), 0xFFFF_FFF8);
        }

        Doorbell first = PciSerialDoorbell.Open(new PciFunction(configuration, new PciAddress(0, 6, 0)), lines)!;
        Doorbell second = PciSerialDoorbell.Open(new PciFunction(configuration, new PciAddress(0, 7, 0)), lines)!;
        Assert.Equal([0, 0], uarts.InterruptEnable);

        second.Ring();
        Assert.Empty(uarts.Sent[0]);
        Assert.Single(uarts.Sent[1]);

        uarts.Received[0].Enqueue(1);
        uarts.Received[0].Enqueue(1);
        Assert.False(uarts.LineRaised);
        first.Arm();
        second.Arm();
        Assert.True(uarts.LineRaised);
        Interrupts.RaiseLine(Line);
        Assert.False(uarts.LineRaised);
        Assert.False(second.Acknowledge());
        Assert.True(first.Acknowledge());
        Assert.False(first.Acknowledge());

        // Also without an interrupt a ring is found.
        uarts.Received[1].Enqueue(1);
        Assert.True(second.Acknowledge());
        Assert.False(uarts.LineRaised);
        Ports.Device = null;
    }

    [Fact]
    public void A_function_without_registers_or_line_is_refused()
    {
        FakeConfiguration configuration = new();
        InterruptLines lines = new();
        configuration.Add(6, 0, 0x1B36, 2)[0x3C] = 255;
        Assert.Null(PciSerialDoorbell.Open(new PciFunction(configuration, new PciAddress(0, 6, 0)), lines));
        configuration.SetBar(6, 0, 0, 0xC001, 0xFFFF_FFF8);
        Assert.Null(PciSerialDoorbell.Open(new PciFunction(configuration, new PciAddress(0, 6, 0)), lines));
    }
}
