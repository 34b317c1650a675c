// ARP and the neighbour cache (RFC 826; RFC 4861, 7.2 and 7.3).

using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using ArpPacket = PacketDotNet.ArpPacket;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class ArpTests
{
    private static readonly PhysicalAddress s_nobody = new([0, 0, 0, 0, 0, 0]);

    [Fact]
    public void A_question_about_our_address_is_answered_to_who_asked()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, Frames.PeerAddress, s_nobody, node.Address));
        EthernetPacket frame = node.Next();
        ArpPacket answer = frame.Extract<ArpPacket>();
        Assert.Equal(Frames.Peer, frame.DestinationHardwareAddress);
        Assert.Equal(ArpOperation.Response, answer.Operation);
        Assert.Equal(node.Mac, answer.SenderHardwareAddress);
        Assert.Equal(node.Address, answer.SenderProtocolAddress);
        Assert.Equal(Frames.PeerAddress, answer.TargetProtocolAddress);
    }

    [Fact]
    public void A_question_about_another_address_is_not_answered_and_makes_no_entry()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, Frames.PeerAddress, s_nobody, IPAddress.Parse("10.0.0.50")));
        Assert.Empty(node.Sent);
        Assert.Equal(0UL, node.Stack.Neighbours.Count);
    }

    [Fact]
    public void A_probe_without_a_sender_address_is_answered()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, IPAddress.Any, s_nobody, node.Address));
        Assert.Equal(ArpOperation.Response, node.Next().Extract<ArpPacket>().Operation);
        Assert.Equal(0UL, node.Stack.Neighbours.Count);
    }

    [Fact]
    public void The_newest_packet_waits_for_the_answer_and_then_goes()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = node.Open();
        Assert.Equal(Errno.None, node.SendTo(endpoint, Frames.PeerAddress, 9, [1]));
        Assert.Equal(Errno.None, node.SendTo(endpoint, Frames.PeerAddress, 9, [2]));
        ArpPacket question = node.Next().Extract<ArpPacket>();
        Assert.Equal(ArpOperation.Request, question.Operation);
        Assert.Equal(Frames.PeerAddress, question.TargetProtocolAddress);
        Assert.Equal(node.Address, question.SenderProtocolAddress);
        Assert.Empty(node.Sent);
        node.Deliver(Frames.Arp(node.Mac, ArpOperation.Response, Frames.PeerAddress, node.Mac, node.Address));
        EthernetPacket frame = node.Next();
        Assert.Equal(Frames.Peer, frame.DestinationHardwareAddress);
        Assert.Equal(new byte[] { 2 }, frame.Extract<UdpPacket>().PayloadData);
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void Three_questions_without_an_answer_are_an_error_to_the_sender()
    {
        using TestNode node = new(1);
        DatagramEndpoint* endpoint = node.Open();
        endpoint->Options |= DatagramOptions.ReceiveErrors;
        node.SendTo(endpoint, Frames.PeerAddress, 9, [1]);
        node.Advance(10 * TestNode.Second);
        Assert.Equal(3, node.Sent.Count);
        Assert.Equal(Errno.EHOSTUNREACH, DatagramEndpoints.TakeError(endpoint));
        Packet_of_error(node, endpoint);
        Assert.Equal(NetworkClock.Never, node.Stack.NextDeadlineNs);
    }

    [Fact]
    public void An_answer_that_nobody_asked_for_makes_no_entry()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Arp(node.Mac, ArpOperation.Response, Frames.PeerAddress, node.Mac, node.Address));
        Assert.Equal(0UL, node.Stack.Neighbours.Count);
    }

    [Fact]
    public void A_stale_neighbour_is_used_at_once_and_asked_directly_later()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, Frames.PeerAddress, s_nobody, node.Address));
        node.Sent.Clear();
        DatagramEndpoint* endpoint = node.Open();
        node.SendTo(endpoint, Frames.PeerAddress, 9, [1]);
        Assert.NotNull(node.Next().Extract<UdpPacket>());
        node.Advance(6 * TestNode.Second);
        EthernetPacket question = node.Next();
        Assert.Equal(Frames.Peer, question.DestinationHardwareAddress);
        node.Deliver(Frames.Arp(node.Mac, ArpOperation.Response, Frames.PeerAddress, node.Mac, node.Address));
        Neighbour* entry = node.Stack.Neighbours.Find(node.Interface, TestNode.Of(Frames.PeerAddress));
        Assert.Equal(NeighbourState.Reachable, entry->State);
    }

    [Fact]
    public void A_flood_of_questions_leaves_a_neighbour_that_is_used_where_it_is()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, Frames.PeerAddress, s_nobody, node.Address));
        DatagramEndpoint* endpoint = node.Open();
        for (int index = 0; index < 5000; index++)
        {
            IPAddress stranger = new([10, 0, (byte)(1 + (index >> 8)), (byte)index]);
            node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, stranger, s_nobody, node.Address));
            node.Advance(1000);
            node.Sent.Clear();
            node.SendTo(endpoint, Frames.PeerAddress, 9, [1]);
            Assert.NotNull(node.Next().Extract<UdpPacket>());
        }

        Assert.True(node.Stack.Neighbours.Count <= NeighbourTable.Capacity);
        Assert.True(node.Stack.Counters.Neighbours.ForcedGcRuns > 4000);
    }

    [Fact]
    public void A_scan_of_addresses_where_nobody_lives_is_bounded_and_spares_the_neighbours()
    {
        using TestNode node = new(1);
        node.Stack.Configuration.Add(node.Interface, TestNode.V4("10.1.0.1"), 16, isDynamic: false);
        node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, Frames.PeerAddress, s_nobody, node.Address));
        DatagramEndpoint* endpoint = node.Open();
        for (int index = 2; index < 4000; index++)
        {
            node.SendTo(endpoint, new IPAddress([10, 1, (byte)(index >> 8), (byte)index]), 9, new byte[1000]);
        }

        Assert.True(node.Stack.Neighbours.Count <= NeighbourTable.Capacity);
        Assert.True(node.Stack.PacketBytesInUse < 4 * 1024 * 1024);
        node.Sent.Clear();
        node.SendTo(endpoint, Frames.PeerAddress, 9, [1]);
        Assert.NotNull(node.Next().Extract<UdpPacket>());
        node.Advance(20 * TestNode.Second);
        Assert.Equal(0UL, node.Stack.PacketBytesInUse);
    }

    [Fact]
    public void Whoever_claims_our_address_is_answered_once_in_ten_seconds()
    {
        using TestNode node = new(1);
        for (int count = 0; count < 5; count++)
        {
            node.Deliver(Frames.Arp(Frames.Everybody, ArpOperation.Request, node.Address, s_nobody, node.Address));
        }

        Assert.Single(node.Sent);
        Assert.Equal(node.Address, node.Next().Extract<ArpPacket>().SenderProtocolAddress);
    }

    private static void Packet_of_error(TestNode node, DatagramEndpoint* endpoint)
    {
        Lego.Kernel.Packet* error = node.Stack.Endpoints.Take(endpoint, fromErrors: true, peek: false);
        Assert.True(error != null);
        Assert.Equal(Errno.EHOSTUNREACH, error->Error);
        Assert.Equal(9, error->Destination.Port);
        node.Stack.Endpoints.Release(error);
    }
}
