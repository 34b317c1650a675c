// The control channel's driver against a virtio-serial device that announces one port.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

public sealed class VirtioConsoleTests : IDisposable
{
    private const ulong Multiport = 1UL << 1;

    private readonly FakeTransport _transport = new(Multiport | VirtioFeatures.EventIndex, []);
    private readonly VirtioConsole _console;
    private readonly List<byte> _atHost = [];

    public VirtioConsoleTests()
    {
        Poller.Reset();
        _console = VirtioConsole.Open(_transport, TestFrames.Create())!;
    }

    public void Dispose() => Poller.Reset();

    private void SendControl(uint port, ushort kind, ushort value, string name = "")
    {
        DeviceQueue queue = _transport.Queues[2];
        Assert.True(queue.TryPop(out ushort head, out List<ChainPiece> chain));
        Span<byte> message = chain[0].Bytes;
        BinaryPrimitives.WriteUInt32LittleEndian(message, port);
        BinaryPrimitives.WriteUInt16LittleEndian(message[4..], kind);
        BinaryPrimitives.WriteUInt16LittleEndian(message[6..], value);
        Encoding.ASCII.GetBytes(name).CopyTo(message[8..]);
        queue.Push(head, (uint)(8 + name.Length));
        _console.Poll();
    }

    private (uint Port, ushort Kind, ushort Value) NextControl()
    {
        DeviceQueue queue = _transport.Queues[3];
        Assert.True(queue.TryPop(out ushort head, out List<ChainPiece> chain));
        Span<byte> message = chain[0].Bytes;
        queue.Push(head, 0);
        return (BinaryPrimitives.ReadUInt32LittleEndian(message), BinaryPrimitives.ReadUInt16LittleEndian(message[4..]),
            BinaryPrimitives.ReadUInt16LittleEndian(message[6..]));
    }

    private void OpenPort()
    {
        Assert.Equal((uint.MaxValue, (ushort)0, (ushort)1), NextControl());
        SendControl(1, 1, 0);
        Assert.Equal((1u, (ushort)3, (ushort)1), NextControl());
        SendControl(1, 7, 0, "control\0");
        Assert.Equal((1u, (ushort)6, (ushort)1), NextControl());
        Assert.False(_console.Connected);
        SendControl(1, 6, 1);
        Assert.True(_console.Connected);
    }

    private bool TakeAtHost()
    {
        DeviceQueue queue = _transport.Queues[5];
        bool any = false;
        while (queue.TryPop(out ushort head, out List<ChainPiece> chain))
        {
            _atHost.AddRange(chain[0].Bytes.ToArray());
            queue.Push(head, 0);
            any = true;
        }

        return any;
    }

    [Fact]
    public void The_port_opens_by_name_and_follows_the_far_end()
    {
        OpenPort();
        SendControl(1, 6, 0);
        Assert.False(_console.Connected);
    }

    [Fact]
    public void Another_ports_name_does_not_open_it()
    {
        NextControl();
        SendControl(1, 1, 0);
        NextControl();
        SendControl(1, 7, 0, "controls");
        SendControl(2, 7, 0, "control");
        SendControl(1, 6, 1);
        Assert.False(_console.Connected);
        Assert.Equal(0, _console.Write("lost"u8));
    }

    [Fact]
    public void Bytes_flow_both_ways_in_order_and_back_pressure_is_visible()
    {
        OpenPort();
        Random random = new(5);
        byte[] outgoing = new byte[1 << 20];
        byte[] incoming = new byte[1 << 20];
        random.NextBytes(outgoing);
        random.NextBytes(incoming);
        int written = 0;
        int delivered = 0;
        List<byte> read = [];
        byte[] buffer = new byte[10_000];
        bool sawFull = false;
        while (written < outgoing.Length || read.Count < incoming.Length)
        {
            int wanted = Math.Min(random.Next(200_000), outgoing.Length - written);
            int taken = _console.Write(outgoing.AsSpan(written, wanted));
            sawFull |= taken < wanted;
            written += taken;
            TakeAtHost();
            DeviceQueue toDriver = _transport.Queues[4];
            while (delivered < incoming.Length && random.Next(8) != 0 && toDriver.TryPop(out ushort head, out List<ChainPiece> chain))
            {
                int count = Math.Min(1 + random.Next(chain[0].LengthBytes), incoming.Length - delivered);
                incoming.AsSpan(delivered, count).CopyTo(chain[0].Bytes);
                toDriver.Push(head, (uint)count);
                delivered += count;
            }

            int got = _console.Read(buffer.AsSpan(0, 1 + random.Next(buffer.Length)));
            read.AddRange(buffer.AsSpan(0, got));
        }

        TakeAtHost();
        Assert.True(sawFull);
        Assert.Equal(outgoing, _atHost.ToArray());
        Assert.Equal(incoming, read.ToArray());
    }

    [Fact]
    public void Mutated_control_messages_do_no_harm()
    {
        Random random = new(11);
        DeviceQueue control = _transport.Queues[2];
        for (int round = 0; round < 5000; round++)
        {
            if (control.TryPop(out ushort head, out List<ChainPiece> chain))
            {
                random.NextBytes(chain[0].Bytes[..16]);
                chain[0].Bytes[0] = (byte)random.Next(3);
                chain[0].Bytes[1..4].Clear();
                chain[0].Bytes[4] = (byte)random.Next(9);
                chain[0].Bytes[5] = 0;
                control.Push(head, (uint)random.Next(20));
            }

            _console.Poll();
            if (_transport.Queues[3].TryPop(out head, out _))
            {
                _transport.Queues[3].Push(head, 0);
            }
        }

        Assert.Equal(0, _transport.Resets);
    }
}
