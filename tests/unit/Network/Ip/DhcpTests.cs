// The DHCP client against a server that answers by the book (RFC 2131, 4.3 and 4.4).

using System;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class DhcpTests
{
    private const uint Lease = 3600;

    [Fact]
    public void An_address_a_router_and_name_servers_are_leased()
    {
        using TestNode node = Started(out DhcpClient client);
        byte[] discover = Request(node, 1, IPAddress.Any, IPAddress.Broadcast);
        Answer(node, discover, 2, Lease);
        byte[] request = Request(node, 3, IPAddress.Any, IPAddress.Broadcast);
        Assert.Equal([10, 0, 0, 50], Option(request, 50)!);
        Assert.Equal([10, 0, 0, 99], Option(request, 54)!);
        Answer(node, request, 5, Lease);
        Assert.Equal(DhcpState.Bound, client.State);
        Assert.True(node.Stack.Addresses.IsLocal(TestNode.V4("10.0.0.50"), 0));
        Assert.True(node.Stack.Routes.TryFind(TestNode.V4("8.8.8.8"), 0, out Route route));
        Assert.Equal(TestNode.V4("10.0.0.98").V4, route.Gateway.V4);
        Assert.Equal(2, node.Stack.NameServers.Count);
        Assert.Equal(TestNode.V4("10.0.0.3").V4, node.Stack.NameServers[0].V4);
        Assert.Equal(ArpOperation.Request, node.Next().Extract<PacketDotNet.ArpPacket>().Operation);
    }

    [Fact]
    public void Half_of_the_lease_later_the_server_is_asked_again_and_the_address_stays()
    {
        using TestNode node = Bound(out DhcpClient client);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        node.Advance(Lease / 2 * TestNode.Second);
        Assert.Equal(DhcpState.Renewing, client.State);
        byte[] request = Request(node, 3, IPAddress.Parse("10.0.0.50"), Frames.PeerAddress);
        Assert.Null(Option(request, 50));
        Assert.Null(Option(request, 54));
        Assert.Equal([10, 0, 0, 50], request[12..16]);
        Answer(node, request, 5, Lease);
        Assert.Equal(DhcpState.Bound, client.State);
        Assert.Equal(node.Now + (Lease / 2 * TestNode.Second), node.Stack.NextDeadlineNs);
    }

    [Fact]
    public void A_lease_that_nobody_renews_ends_and_the_search_begins_again()
    {
        using TestNode node = Bound(out DhcpClient client);
        node.Advance((Lease - 60) * TestNode.Second);
        Assert.Equal(DhcpState.Rebinding, client.State);
        Assert.True(node.Stack.Addresses.IsLocal(TestNode.V4("10.0.0.50"), 0));
        node.Advance(61 * TestNode.Second);
        Assert.Equal(DhcpState.Selecting, client.State);
        Assert.False(node.Stack.Addresses.IsLocal(TestNode.V4("10.0.0.50"), 0));
        Assert.False(node.Stack.Routes.TryFind(TestNode.V4("8.8.8.8"), 0, out _));
    }

    [Fact]
    public void A_refusal_takes_the_address_away()
    {
        using TestNode node = Bound(out DhcpClient client);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        node.Advance(Lease / 2 * TestNode.Second);
        Answer(node, Request(node, 3, IPAddress.Parse("10.0.0.50"), Frames.PeerAddress), 6, Lease);
        Assert.Equal(DhcpState.Selecting, client.State);
        Assert.False(node.Stack.Addresses.IsLocal(TestNode.V4("10.0.0.50"), 0));
    }

    [Fact]
    public void Questions_are_repeated_at_growing_intervals()
    {
        using TestNode node = Started(out _);
        node.Sent.Clear();
        node.Advance(70 * TestNode.Second);
        Assert.InRange(node.Sent.Count, 4, 9);
    }

    [Fact]
    public void An_answer_to_another_question_or_card_is_ignored()
    {
        using TestNode node = Started(out DhcpClient client);
        byte[] discover = Request(node, 1, IPAddress.Any, IPAddress.Broadcast);
        byte[] other = [.. discover];
        other[4] ^= 1;
        Answer(node, other, 2, Lease);
        other = [.. discover];
        other[33] ^= 1;
        Answer(node, other, 2, Lease);
        Assert.Equal(DhcpState.Selecting, client.State);
        Answer(node, discover, 2, Lease);
        Assert.Equal(DhcpState.Requesting, client.State);
    }

    private static TestNode Started(out DhcpClient client)
    {
        TestNode node = new(1, settled: false);
        node.Advance(20 * TestNode.Second);
        node.Sent.Clear();
        client = node.Stack.StartDhcp(node.Interface, node.Now);
        return node;
    }

    private static TestNode Bound(out DhcpClient client)
    {
        TestNode node = Started(out client);
        Answer(node, Request(node, 1, IPAddress.Any, IPAddress.Broadcast), 2, Lease);
        Answer(node, Request(node, 3, IPAddress.Any, IPAddress.Broadcast), 5, Lease);
        node.Sent.Clear();
        return node;
    }

    /// <summary>The client's next message, taken apart by the library as far as the DHCP payload.</summary>
    private static byte[] Request(TestNode node, byte type, IPAddress from, IPAddress to)
    {
        EthernetPacket frame = node.Next();
        IPv4Packet ip = frame.Extract<IPv4Packet>();
        UdpPacket udp = frame.Extract<UdpPacket>();
        Assert.Equal(from, ip.SourceAddress);
        Assert.Equal(to, ip.DestinationAddress);
        Assert.Equal(68, udp.SourcePort);
        Assert.Equal(67, udp.DestinationPort);
        Assert.True(Frames.IsIntact(ip, 17));
        byte[] message = udp.Bytes[8..];
        Assert.Equal([type], Option(message, 53)!);
        return message;
    }

    private static byte[]? Option(byte[] message, byte code)
    {
        Assert.Equal([0x63, 0x82, 0x53, 0x63], message[236..240]);
        for (int at = 240; message[at] != 255; at += 2 + message[at + 1])
        {
            if (message[at] == code)
            {
                return message[(at + 2)..(at + 2 + message[at + 1])];
            }
        }

        return null;
    }

    private static void Answer(TestNode node, byte[] request, byte type, uint lease)
    {
        byte[] message = new byte[300];
        request.AsSpan(0, 240).CopyTo(message);
        message[0] = 2;
        new byte[] { 10, 0, 0, 50 }.CopyTo(message, 16);
        byte[] options =
        [
            53, 1, type, 54, 4, 10, 0, 0, 99, 51, 4, .. Frames.Big(lease), 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 98,
            6, 8, 10, 0, 0, 3, 10, 0, 0, 4, 255,
        ];
        options.CopyTo(message, 240);
        UdpPacket udp = new(67, 68) { PayloadData = message };
        IPv4Packet ip = Frames.Ipv4(Frames.PeerAddress, IPAddress.Parse("10.0.0.50"), ProtocolType.Udp, udp);
        node.Deliver(Frames.Ethernet(node.Mac, ip, EthernetType.IPv4));
    }
}
