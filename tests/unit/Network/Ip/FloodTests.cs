// Floods of fragments, of datagrams that nobody wants and of neighbours: what is established goes on, memory stays bounded, and what was
// dropped is counted.

using System;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class FloodTests
{
    private const int Count = 6_000;
    private const ulong MemoryBytes = 4 * 1024 * 1024;

    private static readonly PhysicalAddress s_nobody = new([0, 0, 0, 0, 0, 0]);

    [Theory]
    [InlineData("fragments")]
    [InlineData("datagrams")]
    [InlineData("neighbours")]
    public void A_conversation_goes_on_through_a_flood(string kind)
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* server = b.Open();
        Assert.Equal(Errno.None, b.Stack.Bind(server, new SocketAddress(IpAddress.AnyV4, 5000)));
        DatagramEndpoint* unread = b.Open();
        Assert.Equal(Errno.None, b.Stack.Bind(unread, new SocketAddress(IpAddress.AnyV4, 6000)));
        DatagramEndpoint* client = a.Open();
        // One packet waits for a neighbour's address, so the first datagram of several fragments would lose some.
        a.SendTo(client, b.Address, 5000, [0]);
        TestNode.Carry(a, b);
        Assert.NotNull(b.Receive(server, out _));
        byte[] data = new byte[4000];
        Random random = new(6);
        int answered = 0;
        for (int index = 0; index < Count; index++)
        {
            b.Deliver(Flood(kind, b, random));
            Assert.True(b.Stack.PacketBytesInUse < MemoryBytes);
            if (index % 100 != 0)
            {
                continue;
            }

            b.Sent.Clear();
            a.SendTo(client, b.Address, 5000, data);
            TestNode.Carry(a, b);
            answered += b.Receive(server, out _) == null ? 0 : 1;
        }

        Assert.Equal(Count / 100, answered);
        Assert.True(Dropped(kind, b, unread) > Count / 2, "what was dropped is counted");
        b.Advance(100 * TestNode.Second);
        b.Stack.Close(unread);
        Assert.Equal(0UL, b.Stack.PacketBytesInUse);
    }

    private static byte[] Flood(string kind, TestNode to, Random random)
    {
        switch (kind)
        {
            case "fragments":
                IPv4Packet fragment = Frames.Ipv4(Frames.PeerAddress, to.Address, ProtocolType.Udp, new byte[1400]);
                fragment.FragmentFlags = 1;
                fragment.FragmentOffset = random.Next(100);
                fragment.Id = (ushort)random.Next(ushort.MaxValue);
                fragment.UpdateIPChecksum();
                return Frames.Ethernet(to.Mac, fragment, EthernetType.IPv4).Bytes;
            case "datagrams":
                return Frames.Udp(to, (ushort)random.Next(1, ushort.MaxValue), 6000, new byte[1400]).Bytes;
            default:
                IPAddress stranger = new([10, 0, (byte)random.Next(1, 200), (byte)random.Next(256)]);
                return Frames.Arp(Frames.Everybody, ArpOperation.Request, stranger, s_nobody, to.Address).Bytes;
        }
    }

    private static ulong Dropped(string kind, TestNode node, DatagramEndpoint* unread) => kind switch
    {
        "fragments" => node.Stack.Counters.Ipv4.ReasmFails,
        "datagrams" => unread->Drops,
        _ => node.Stack.Counters.Neighbours.ForcedGcRuns,
    };
}
