// UDP endpoints on a wire between two nodes (RFC 768, RFC 1122 4.1, udp(7), socket(7)).

using System.Collections.Generic;
using System.Linq;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class UdpTests
{
    private static readonly SocketAddress s_anyV4 = new(IpAddress.AnyV4, 0);

    [Fact]
    public void A_datagram_arrives_with_its_sender_and_the_answer_finds_back()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* server = Bound(b, 5000);
        DatagramEndpoint* client = a.Open();
        Assert.Equal(Errno.None, a.Stack.Connect(client, new SocketAddress(TestNode.V4(b.Address), 5000)));
        Assert.Equal(Errno.None, a.Stack.Send(client, DatagramSend.ToPeer, new byte[] { 1, 2 }, new byte[] { 3 }));
        TestNode.Carry(a, b);
        Assert.Equal(new byte[] { 1, 2, 3 }, b.Receive(server, out SocketAddress source));
        Assert.Equal(client->Local.Port, source.Port);
        Assert.Equal(TestNode.V4(a.Address).V4, source.Address.V4);
        b.SendTo(server, a.Address, source.Port, [9]);
        TestNode.Carry(a, b);
        Assert.Equal(new byte[] { 9 }, a.Receive(client, out _));
        Assert.True(a.Changes > 0);
    }

    [Fact]
    public void A_datagram_arrives_after_a_shutdown_for_reading_as_on_Linux()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        endpoint->IsReadShut = true;
        node.Deliver(Frames.Udp(node, 1, 5000, [1, 2]).Bytes);
        Assert.Equal(new byte[] { 1, 2 }, node.Receive(endpoint, out _));
    }

    [Fact]
    public void The_checksum_is_right_and_never_zero()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        for (int value = 0; value <= ushort.MaxValue; value += 7)
        {
            node.SendTo(endpoint, Frames.PeerAddress, 9, [(byte)(value >> 8), (byte)value]);
            EthernetPacket frame = node.Next();
            UdpPacket udp = frame.Extract<UdpPacket>();
            Assert.NotEqual(0, udp.Checksum);
            Assert.True(Frames.IsIntact(frame.Extract<IPv4Packet>(), 17));
        }
    }

    [Fact]
    public void No_checksum_is_accepted_over_IPv4_and_a_wrong_one_is_counted()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        byte[] frame = Frames.Udp(node, 1, 5000, [1, 2]).Bytes;
        frame[40] ^= 1;
        node.Deliver(frame);
        Assert.Null(node.Receive(endpoint, out _));
        Assert.Equal(1UL, node.Stack.Counters.Udpv4.InCsumErrors);
        frame[40] = frame[41] = 0;
        node.Deliver(frame);
        Assert.Equal(new byte[] { 1, 2 }, node.Receive(endpoint, out _));
    }

    [Fact]
    public void Padding_behind_the_length_is_not_data_and_a_length_beyond_the_packet_is_an_error()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        byte[] frame = [.. Frames.Udp(node, 1, 5000, [1, 2]).Bytes, 0, 0, 0, 0];
        node.Deliver(frame);
        Assert.Equal(new byte[] { 1, 2 }, node.Receive(endpoint, out _));
        frame[39] = 200;
        node.Deliver(frame);
        Assert.Null(node.Receive(endpoint, out _));
        Assert.Equal(1UL, node.Stack.Counters.Udpv4.InErrors);
    }

    [Fact]
    public void A_connected_endpoint_hears_only_its_peer_and_is_told_that_nobody_listens()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* client = Bound(a, 6000);
        a.Stack.Connect(client, new SocketAddress(TestNode.V4(b.Address), 5000));
        a.Deliver(Frames.Udp(a, 5000, 6000, [1]));
        Assert.Null(a.Receive(client, out _));
        a.Sent.Clear();
        a.Stack.Send(client, DatagramSend.ToPeer, new byte[] { 1 }, default);
        TestNode.Carry(a, b);
        Assert.True(client->HasError);
        Assert.Equal(Errno.ECONNREFUSED, a.Stack.Send(client, DatagramSend.ToPeer, new byte[] { 1 }, default));
        Assert.Equal(Errno.None, a.Stack.Send(client, DatagramSend.ToPeer, new byte[] { 1 }, default));
    }

    [Fact]
    public void An_endpoint_without_a_peer_is_told_only_when_it_asks_for_errors()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* client = a.Open();
        a.SendTo(client, b.Address, 5000, [1]);
        TestNode.Carry(a, b);
        Assert.False(client->HasError);
        client->Options |= DatagramOptions.ReceiveErrors;
        a.SendTo(client, b.Address, 5000, [1, 2, 3]);
        TestNode.Carry(a, b);
        Lego.Kernel.Packet* error = a.Stack.Endpoints.Take(client, fromErrors: true, peek: false);
        Assert.True(error != null);
        Assert.Equal(3, error->Length);
        Assert.Equal(Errno.ECONNREFUSED, error->Error);
        Assert.Equal(3, error->ErrorType);
        Assert.Equal(3, error->ErrorCode);
        Assert.Equal(5000, error->Destination.Port);
        Assert.Equal(TestNode.V4(b.Address).V4, error->Offender.Address.V4);
        a.Stack.Endpoints.Release(error);
    }

    [Fact]
    public void The_queue_is_bounded_and_what_did_not_fit_is_counted()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        for (int count = 0; count < 2000; count++)
        {
            node.Deliver(Frames.Udp(node, 1, 5000, new byte[100]));
        }

        Assert.True(endpoint->Received.SizeBytes <= endpoint->ReceiveBytes + 8192);
        Assert.Equal(2000UL, (ulong)endpoint->Received.Count + endpoint->Drops);
        Assert.Equal(endpoint->Drops, node.Stack.Counters.Udpv4.RcvbufErrors);
        node.Stack.Close(endpoint);
        Assert.Equal(0UL, node.Stack.PacketBytesInUse);
    }

    [Fact]
    public void A_peek_leaves_the_datagram()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        node.Deliver(Frames.Udp(node, 1, 5000, [1]));
        Lego.Kernel.Packet* peeked = node.Stack.Endpoints.Take(endpoint, fromErrors: false, peek: true);
        Assert.Equal(new byte[] { 1 }, node.Receive(endpoint, out _));
        Assert.Equal(1, peeked->Length);
        node.Stack.Endpoints.Release(peeked);
        Assert.Equal(0UL, node.Stack.PacketBytesInUse);
    }

    [Theory]
    [InlineData(DatagramOptions.None, DatagramOptions.None, Errno.EADDRINUSE)]
    [InlineData(DatagramOptions.ReuseAddress, DatagramOptions.None, Errno.EADDRINUSE)]
    [InlineData(DatagramOptions.ReuseAddress, DatagramOptions.ReuseAddress, Errno.None)]
    [InlineData(DatagramOptions.ReusePort, DatagramOptions.ReusePort, Errno.None)]
    [InlineData(DatagramOptions.ReusePort, DatagramOptions.ReuseAddress, Errno.EADDRINUSE)]
    public void A_port_is_shared_if_both_set_the_same_option(DatagramOptions first, DatagramOptions second, Errno expected)
    {
        using TestNode node = new(1);
        DatagramEndpoint* a = node.Open();
        a->Options |= first;
        Assert.Equal(Errno.None, node.Stack.Bind(a, new SocketAddress(IpAddress.AnyV4, 5000)));
        DatagramEndpoint* b = node.Open();
        b->Options |= second;
        Assert.Equal(expected, node.Stack.Bind(b, new SocketAddress(TestNode.V4(node.Address), 5000)));
        Assert.Equal(Errno.None, node.Stack.Bind(node.Open(), new SocketAddress(IpAddress.AnyV4, 5001)));
    }

    [Fact]
    public void Different_addresses_share_a_port_and_the_more_exact_one_is_chosen()
    {
        using TestNode node = new(1);
        node.Stack.Configuration.Add(node.Interface, TestNode.V4("10.0.0.7"), 24, isDynamic: false);
        DatagramEndpoint* exact = node.Open();
        DatagramEndpoint* other = node.Open();
        Assert.Equal(Errno.None, node.Stack.Bind(exact, new SocketAddress(TestNode.V4(node.Address), 5000)));
        Assert.Equal(Errno.None, node.Stack.Bind(other, new SocketAddress(TestNode.V4("10.0.0.7"), 5000)));
        node.Deliver(Frames.Udp(node, 1, 5000, [1]));
        Assert.NotNull(node.Receive(exact, out _));
        Assert.Null(node.Receive(other, out _));
    }

    [Fact]
    public void Conversations_are_spread_over_the_sharers_of_a_port_and_each_stays_with_one()
    {
        using TestNode node = new(1);
        DatagramEndpoint*[] sharers = new DatagramEndpoint*[4];
        for (int index = 0; index < sharers.Length; index++)
        {
            sharers[index] = node.Open();
            sharers[index]->Options |= DatagramOptions.ReusePort;
            Assert.Equal(Errno.None, node.Stack.Bind(sharers[index], new SocketAddress(IpAddress.AnyV4, 5000)));
        }

        for (ushort port = 1000; port < 1100; port++)
        {
            node.Deliver(Frames.Udp(node, port, 5000, [1]));
            node.Deliver(Frames.Udp(node, port, 5000, [1]));
        }

        for (int index = 0; index < sharers.Length; index++)
        {
            int count = sharers[index]->Received.Count;
            Assert.InRange(count, 20, 90);
            Assert.Equal(0, count % 2);
        }
    }

    [Fact]
    public void An_endpoint_of_IPv6_speaks_IPv4_too_unless_it_says_otherwise()
    {
        using TestNode node = new(1);
        DatagramEndpoint* dual = node.Open(isV6: true);
        Assert.Equal(Errno.None, node.Stack.Bind(dual, new SocketAddress(default, 5000)));
        node.Deliver(Frames.Udp(node, 1, 5000, [1]));
        Assert.NotNull(node.Receive(dual, out SocketAddress source));
        Assert.True(source.Address.IsV4);
        Assert.Equal(Errno.EADDRINUSE, node.Stack.Bind(node.Open(), new SocketAddress(IpAddress.AnyV4, 5000)));
        DatagramEndpoint* only = node.Open(isV6: true);
        only->Options |= DatagramOptions.OnlyV6;
        Assert.Equal(Errno.None, node.Stack.Bind(only, new SocketAddress(default, 5001)));
        Assert.Equal(Errno.None, node.Stack.Bind(node.Open(), new SocketAddress(IpAddress.AnyV4, 5001)));
        Assert.Equal(Errno.ENETUNREACH, node.SendTo(only, Frames.PeerAddress, 9, [1]));
        Assert.Equal(Errno.EAFNOSUPPORT, node.SendTo(node.Open(), IPAddress.IPv6Loopback, 9, [1]));
    }

    [Fact]
    public void Ports_that_are_chosen_are_in_the_range_and_not_in_order()
    {
        using TestNode node = new(1);
        List<int> ports = [];
        for (int count = 0; count < 200; count++)
        {
            DatagramEndpoint* endpoint = node.Open();
            Assert.Equal(Errno.None, node.Stack.Bind(endpoint, s_anyV4));
            ports.Add(endpoint->Local.Port);
        }

        Assert.All(ports, port => Assert.InRange(port, 32768, 60999));
        Assert.Equal(200, ports.Distinct().Count());
        Assert.True(ports.Zip(ports.Skip(1)).Count(pair => pair.Second == pair.First + 1) < 10);
    }

    [Fact]
    public void A_group_is_heard_by_all_who_joined_it_and_looped_back_to_the_sender()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        using TestNode c = new(3);
        IPAddress group = IPAddress.Parse("239.1.2.3");
        DatagramEndpoint* onA = Bound(a, 5000);
        DatagramEndpoint* onB = Bound(b, 5000);
        DatagramEndpoint* onC = Bound(c, 5000);
        Assert.Equal(Errno.None, a.Stack.Joins.Join(onA, TestNode.V4(group), a.Interface));
        Assert.Equal(Errno.None, b.Stack.Joins.Join(onB, TestNode.V4(group), b.Interface));
        Assert.Equal(Errno.EADDRINUSE, b.Stack.Joins.Join(onB, TestNode.V4(group), b.Interface));
        TestNode.Carry(a, b, c);
        Assert.Equal(Errno.None, a.SendTo(onA, group, 5000, [5]));
        TestNode.Carry(a, b, c);
        Assert.NotNull(a.Receive(onA, out _));
        Assert.NotNull(b.Receive(onB, out _));
        Assert.Null(c.Receive(onC, out _));
        onA->Options &= ~DatagramOptions.MulticastLoop;
        a.SendTo(onA, group, 5000, [6]);
        Assert.Null(a.Receive(onA, out _));
        Assert.Equal(Errno.None, b.Stack.Joins.Leave(onB, TestNode.V4(group), 0));
        TestNode.Carry(a, b, c);
        Assert.Null(b.Receive(onB, out _));
        Assert.Equal(Errno.EADDRNOTAVAIL, b.Stack.Joins.Leave(onB, TestNode.V4(group), 0));
    }

    [Fact]
    public void A_join_is_reported_twice_and_a_query_is_answered()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = Bound(node, 5000);
        node.Stack.Joins.Join(endpoint, TestNode.V4("239.1.2.3"), node.Interface);
        node.Advance(5 * TestNode.Second);
        Assert.Equal(2, node.Sent.Count);
        IPv4Packet ip = node.Next().Extract<IPv4Packet>();
        Assert.Equal("224.0.0.22", ip.DestinationAddress.ToString());
        Assert.Equal(1, ip.TimeToLive);
        Assert.Equal(6, ip.HeaderLength);
        byte[] report = ip.Bytes[24..40];
        Assert.Equal(0, Frames.Sum(report));
        Assert.Equal([0x22, 0], report[..2]);
        Assert.Equal([4, 0, 0, 0, 239, 1, 2, 3], report[8..16]);
        node.Sent.Clear();
        byte[] query = [0x11, 20, 0, 0, 0, 0, 0, 0];
        Frames.Checksum(query, 2);
        node.Deliver(Frames.Ethernet(
            new([1, 0, 0x5E, 0, 0, 1]), Frames.Ipv4(Frames.PeerAddress, IPAddress.Parse("224.0.0.1"), (ProtocolType)2, query),
            EthernetType.IPv4));
        node.Advance(3 * TestNode.Second);
        IPv4Packet answer = node.Next().Extract<IPv4Packet>();
        Assert.Equal("239.1.2.3", answer.DestinationAddress.ToString());
        Assert.Equal(0x16, answer.Bytes[24]);
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void A_broadcast_needs_leave_and_reaches_all()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* onB = Bound(b, 5000);
        DatagramEndpoint* onA = a.Open();
        Assert.Equal(Errno.EACCES, a.SendTo(onA, IPAddress.Parse("10.0.0.255"), 5000, [1]));
        onA->Options |= DatagramOptions.Broadcast;
        Assert.Equal(Errno.None, a.SendTo(onA, IPAddress.Parse("10.0.0.255"), 5000, [1]));
        Assert.Equal(Errno.None, a.SendTo(onA, IPAddress.Broadcast, 5000, [2]));
        Assert.All(a.Sent, frame => Assert.Equal(0xFF, frame[0]));
        TestNode.Carry(a, b);
        Assert.Equal(2, onB->Received.Count);
    }

    [Fact]
    public void Loopback_delivers_by_poll_and_never_within_a_send()
    {
        using TestNode node = new(1);
        DatagramEndpoint* server = Bound(node, 5000);
        DatagramSend send = DatagramSend.ToPeer;
        send.HasDestination = true;
        send.Destination = new SocketAddress(TestNode.V4("127.3.2.1"), 5000);
        Assert.Equal(Errno.None, node.Stack.Send(node.Open(), send, new byte[40_000], default));
        Assert.True(server->Received.IsEmpty);
        Assert.Equal(node.Now, node.Stack.NextDeadlineNs);
        Assert.False(node.Stack.Poll(node.Now));
        Assert.Equal(40_000, node.Receive(server, out SocketAddress source)!.Length);
        Assert.True(source.Address.IsLoopback);
        Assert.Empty(node.Sent);
        Assert.Equal(NetworkClock.Never, node.Stack.NextDeadlineNs);
    }

    [Theory]
    [InlineData(65_507)]
    [InlineData(65_527)]
    public void The_longest_datagrams_of_IPv6_arrive_although_they_are_cut(int length)
    {
        using TestNode node = new(1);
        DatagramEndpoint* server = node.Open(isV6: true);
        Assert.Equal(Errno.None, node.Stack.Bind(server, new SocketAddress(default, 5000)));
        byte[] sent = new byte[length];
        sent[^1] = 42;
        Assert.Equal(Errno.None, node.SendTo(node.Open(isV6: true), IPAddress.IPv6Loopback, 5000, sent));
        Assert.Equal(sent, node.Receive(server, out _));
    }

    [Fact]
    public void Our_own_address_and_no_address_lead_to_ourselves()
    {
        using TestNode node = new(1);
        DatagramEndpoint* server = Bound(node, 5000);
        node.SendTo(node.Open(), node.Address, 5000, [1]);
        node.SendTo(node.Open(), IPAddress.Any, 5000, [2]);
        Assert.Equal(2, server->Received.Count);
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void A_full_card_and_a_missing_route_are_errors()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        DatagramEndpoint* endpoint = node.Open();
        Assert.Equal(Errno.ENETUNREACH, node.SendTo(endpoint, IPAddress.Parse("192.168.1.1"), 9, [1]));
        node.CardTakes = false;
        Assert.Equal(Errno.ENOBUFS, node.SendTo(endpoint, Frames.PeerAddress, 9, [1]));
        Assert.Equal(1UL, node.Stack.Counters.Udpv4.SndbufErrors);
        Assert.Equal(Errno.EDESTADDRREQ, node.Stack.Send(endpoint, DatagramSend.ToPeer, default, default));
        Assert.Equal(Errno.EADDRNOTAVAIL, node.Stack.Bind(node.Open(), new SocketAddress(TestNode.V4("10.0.0.77"), 1)));
    }

    private static DatagramEndpoint* Bound(TestNode node, ushort port)
    {
        DatagramEndpoint* endpoint = node.Open();
        Assert.Equal(Errno.None, node.Stack.Bind(endpoint, new SocketAddress(IpAddress.AnyV4, port)));
        return endpoint;
    }
}
