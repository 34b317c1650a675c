// One stack of ours with a card whose frames a test sees, gives and carries. Time is the test's.

using System;
using System.Collections.Generic;
using System.Net;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Pdn = PacketDotNet;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

internal sealed unsafe class TestNode : IDisposable
{
    internal const int Mtu = 1500;
    internal const ulong Second = NetworkClock.NsPerSecond;

    private const int Pages = 8192;

    private readonly void* _memory;

    internal TestNode(byte number, bool settled = true, int mtu = Mtu)
    {
        _memory = NativeMemory.AlignedAlloc(Pages * PageOperations.PageSize, PageOperations.PageSize);
        Memory = new FrameAllocator(_memory, Pages);
        Number = number;
        Hardware = 0x0200_0000_0000UL | number;
        NetworkLimits limits = new()
        {
            TcpPages = 1024,
            PacketBytes = 8 * 1024 * 1024,
            Tcp = new TcpLimits { Connections = 256, ReceiveBufferBytes = 1 << 20, SendBufferBytes = 1 << 20 },
        };
        Stack = new NetworkStack(Memory, new Sink(this), new Events(this), limits, 0x1234 + (ulong)number, 0x5678);
        Interface = Stack.AddInterface(Hardware, mtu, Now);
        if (settled)
        {
            Stack.Configuration.Add(Interface, V4(Address), 24, isDynamic: false);
            Advance(10 * Second);
            Sent.Clear();
        }
    }

    internal byte Number { get; }

    internal ulong Hardware { get; }

    internal FrameAllocator Memory { get; }

    internal NetworkStack Stack { get; }

    internal int Interface { get; }

    internal ulong Now { get; private set; } = Second;

    /// <summary>Frames that the card was given, oldest first.</summary>
    internal Queue<byte[]> Sent { get; } = new();

    /// <summary>False: the card has no room.</summary>
    internal bool CardTakes { get; set; } = true;

    internal int Changes { get; private set; }

    internal IPAddress Address => IPAddress.Parse($"10.0.0.{Number}");

    internal IPAddress LinkLocal => new(Bytes(Stack.Addresses.SourceFor(V6("fe80::1"), Interface)));

    internal PhysicalAddress Mac => new([2, 0, 0, 0, 0, Number]);

    internal static IpAddress V4(IPAddress address) => IpAddress.FromV4(address.GetAddressBytes());

    internal static IpAddress V4(string address) => V4(IPAddress.Parse(address));

    internal static IpAddress V6(string address) => IpAddress.FromV6(IPAddress.Parse(address).GetAddressBytes());

    internal static IpAddress Of(IPAddress address) =>
        address.GetAddressBytes() is { Length: 4 } bytes ? IpAddress.FromV4(bytes) : IpAddress.FromV6(address.GetAddressBytes());

    internal static byte[] Bytes(IpAddress address)
    {
        byte[] bytes = new byte[16];
        address.WriteV6(bytes);
        return bytes;
    }

    internal void Deliver(Pdn.Packet frame) => Deliver(frame.Bytes);

    /// <summary>An IPv4 packet of a peer's, with a protocol and a payload.</summary>
    internal void DeliverIpv4(byte protocol, byte[] payload) => Deliver(Frames.Ethernet(
        Mac, Frames.Ipv4(Frames.PeerAddress, Address, (Pdn.ProtocolType)protocol, payload), Pdn.EthernetType.IPv4));

    /// <summary>An IPv6 packet of a peer's on the link, with a next header and what follows.</summary>
    internal void DeliverIpv6(byte next, byte[] payload) => Deliver(Frames.Ethernet(
        Mac, Frames.Ipv6(Frames.PeerLinkLocal, LinkLocal, (Pdn.ProtocolType)next, payload), Pdn.EthernetType.IPv6));

    internal void Deliver(byte[] frame)
    {
        Stack.OnFrame(Interface, frame, Now);
        while (Stack.Poll(Now))
        {
        }
    }

    /// <summary>The next frame that the node has sent, taken apart by the library.</summary>
    internal Pdn.EthernetPacket Next() => (Pdn.EthernetPacket)Pdn.Packet.ParsePacket(Pdn.LinkLayers.Ethernet, Sent.Dequeue());

    /// <summary>Lets time go by, from one deadline to the next.</summary>
    internal void Advance(ulong ns)
    {
        ulong end = Now + ns;
        while (Stack.NextDeadlineNs <= end)
        {
            Now = Math.Max(Now, Stack.NextDeadlineNs);
            Stack.OnTime(Now);
            while (Stack.Poll(Now))
            {
            }
        }

        Now = end;
        Stack.OnTime(Now);
    }

    /// <summary>Makes a neighbour known, so that packets to it go at once.</summary>
    internal void Knows(IPAddress address, ulong hardware) =>
        Stack.Neighbours.SetPermanent(new NoQuestions(), Interface, Of(address), hardware);

    internal DatagramEndpoint* Open(DatagramKind kind = DatagramKind.Udp, bool isV6 = false, byte protocol = 0, ushort etherType = 0)
    {
        Errno error = Stack.Open(kind, isV6, protocol, etherType, 1, out DatagramEndpoint* endpoint);
        Xunit.Assert.Equal(Errno.None, error);
        return endpoint;
    }

    /// <summary>The oldest datagram's bytes, or null.</summary>
    internal byte[]? Receive(DatagramEndpoint* endpoint, out SocketAddress source)
    {
        source = default;
        Packet* packet = Stack.Endpoints.Take(endpoint, fromErrors: false, peek: false);
        if (packet == null)
        {
            return null;
        }

        byte[] bytes = new byte[packet->Length];
        packet->CopyTo(0, bytes);
        source = packet->Source;
        Stack.Endpoints.Release(packet);
        return bytes;
    }

    internal Errno SendTo(DatagramEndpoint* endpoint, IPAddress address, ushort port, byte[] bytes)
    {
        DatagramSend send = DatagramSend.ToPeer;
        send.HasDestination = true;
        send.Destination = new SocketAddress(Of(address), port);
        Errno error = Stack.Send(endpoint, send, bytes, default);
        while (Stack.Poll(Now))
        {
        }

        return error;
    }

    /// <summary>Carries frames between nodes until none is under way.</summary>
    internal static void Carry(params TestNode[] nodes)
    {
        bool isQuiet;
        do
        {
            isQuiet = true;
            foreach (TestNode from in nodes)
            {
                while (from.Sent.TryDequeue(out byte[]? frame))
                {
                    isQuiet = false;
                    foreach (TestNode to in nodes)
                    {
                        if (to != from)
                        {
                            to.Deliver(frame);
                        }
                    }
                }
            }
        }
        while (!isQuiet);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private sealed class Sink(TestNode node) : FrameSink
    {
        public override bool Send(int interfaceIndex, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
        {
            if (!node.CardTakes)
            {
                return false;
            }

            node.Sent.Enqueue([.. header, .. a, .. b]);
            return true;
        }
    }

    private sealed class Events(TestNode node) : NetworkEvents
    {
        public override void Changed(TcpConnection* connection) => node.Changes++;

        public override void Changed(DatagramEndpoint* endpoint) => node.Changes++;
    }

    internal sealed class NoQuestions : NeighbourHost
    {
        public override void Ask(int interfaceIndex, IpAddress target, ulong hardwareAddress, IpAddress sourceHint)
        {
        }

        public override void SendWaiting(int interfaceIndex, ulong hardwareAddress, Packet* packet)
        {
        }

        public override void GiveUp(Packet* packet)
        {
        }
    }
}
