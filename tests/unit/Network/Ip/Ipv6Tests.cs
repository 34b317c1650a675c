// IPv6: neighbour discovery, duplicate address detection, autoconfiguration, extension headers, fragments (RFC 8200, 4861, 4862, 4443,
// 5722).

using System.Collections.Generic;
using System.Linq;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using Packet = PacketDotNet.Packet;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class Ipv6Tests
{
    private static readonly IPAddress s_allNodes = IPAddress.Parse("ff02::1");
    private static readonly PhysicalAddress s_allNodesMac = new([0x33, 0x33, 0, 0, 0, 1]);

    [Fact]
    public void A_card_gets_a_link_local_address_when_nobody_claims_it()
    {
        using TestNode node = new(1, settled: false);
        Assert.True(node.Stack.Addresses.SourceFor(TestNode.V6("fe80::1"), node.Interface).IsUnspecified);
        node.Advance(20 * TestNode.Second);
        Assert.Equal("fe80::ff:fe00:1", node.LinkLocal.ToString());
        List<IPv6Packet> sent = [.. node.Sent.Select(frame => Packet.ParsePacket(LinkLayers.Ethernet, frame).Extract<IPv6Packet>())];
        IPv6Packet probe = sent.Single(ip => ip.SourceAddress.Equals(IPAddress.IPv6Any) && Type(ip) == 135);
        Assert.Equal("ff02::1:ff00:1", probe.DestinationAddress.ToString());
        Assert.Equal(255, probe.HopLimit);
        Assert.True(Frames.IsIntact(probe, 58));
        Assert.Equal(3, sent.Count(ip => Type(ip) == 133));
        Assert.Equal(NetworkClock.Never, node.Stack.NextDeadlineNs);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_address_that_somebody_claims_or_probes_is_never_used(bool byAdvertisement)
    {
        using TestNode node = new(1, settled: false);
        IPAddress address = IPAddress.Parse("fe80::ff:fe00:1");
        byte[] message = byAdvertisement ? Frames.Advertisement(address, 0x20, Frames.Peer) : Frames.Solicitation(address, null);
        IPAddress to = byAdvertisement ? s_allNodes : IPAddress.Parse("ff02::1:ff00:1");
        IPAddress from = byAdvertisement ? Frames.PeerLinkLocal : IPAddress.IPv6Any;
        node.Deliver(Frames.Icmpv6(new PhysicalAddress([0x33, 0x33, 0xFF, 0, 0, 1]), from, to, message));
        node.Advance(20 * TestNode.Second);
        Assert.True(node.Stack.Addresses.SourceFor(TestNode.V6("fe80::1"), node.Interface).IsUnspecified);
    }

    [Fact]
    public void A_solicitation_is_answered_and_an_echo_too()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Icmpv6(
            new PhysicalAddress([0x33, 0x33, 0xFF, 0, 0, 1]), Frames.PeerLinkLocal, IPAddress.Parse("ff02::1:ff00:1"),
            Frames.Solicitation(node.LinkLocal, Frames.Peer)));
        EthernetPacket frame = node.Next();
        IPv6Packet answer = frame.Extract<IPv6Packet>();
        byte[] message = Payload(answer);
        Assert.Equal(Frames.Peer, frame.DestinationHardwareAddress);
        Assert.Equal(136, message[0]);
        Assert.Equal(0x60, message[4]);
        Assert.Equal(node.LinkLocal.GetAddressBytes(), message[8..24]);
        Assert.Equal([2, 1, .. node.Mac.GetAddressBytes()], message[24..32]);
        Assert.True(Frames.IsIntact(answer, 58));
        node.Deliver(Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, [128, 0, 0, 0, 0, 5, 0, 1, 42], hopLimit: 64));
        IPv6Packet echo = node.Next().Extract<IPv6Packet>();
        Assert.True(Frames.IsIntact(echo, 58));
        Assert.Equal([129, 0], Payload(echo)[..2]);
        Assert.Equal([0, 5, 0, 1, 42], Payload(echo)[4..9]);
    }

    [Fact]
    public void A_question_about_an_IPv4_address_in_IPv6s_clothes_is_not_answered()
    {
        using TestNode node = new(1);
        byte[] question = Frames.Solicitation(IPAddress.Parse("::ffff:10.0.0.1"), Frames.Peer);
        node.Deliver(Frames.Icmpv6(s_allNodesMac, Frames.PeerLinkLocal, s_allNodes, question));
        Assert.Empty(node.Sent);
        Assert.Equal(1UL, node.Stack.Counters.Icmpv6.InErrors);
    }

    [Fact]
    public void A_redirect_of_the_current_router_is_followed_for_ten_minutes_and_a_strangers_is_not()
    {
        using TestNode node = new(1);
        byte[] advertisement = Frames.RouterAdvertisement(1800, "2001:db8:5::", 7200, 3600, Frames.Peer);
        node.Deliver(Frames.Icmpv6(s_allNodesMac, Frames.PeerLinkLocal, s_allNodes, advertisement));
        node.Advance(5 * TestNode.Second);
        IPAddress destination = IPAddress.Parse("2001:db8:77::1");
        IPAddress better = IPAddress.Parse("fe80::98");
        PhysicalAddress betterMac = new([2, 0, 0, 0, 0, 98]);
        byte[] redirect =
            [137, 0, 0, 0, 0, 0, 0, 0, .. better.GetAddressBytes(), .. destination.GetAddressBytes(), 2, 1, .. betterMac.GetAddressBytes()];
        DatagramEndpoint* endpoint = node.Open(isV6: true);
        node.Deliver(Frames.Icmpv6(node.Mac, IPAddress.Parse("fe80::97"), node.LinkLocal, [.. redirect]));
        node.Sent.Clear();
        node.SendTo(endpoint, destination, 9, [1]);
        Assert.Equal(Frames.Peer, node.Next().DestinationHardwareAddress);
        node.Deliver(Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, [.. redirect]));
        node.SendTo(endpoint, destination, 9, [1]);
        Assert.Equal(betterMac, node.Next().DestinationHardwareAddress);
        node.Advance(601 * TestNode.Second);
        Assert.True(node.Stack.Routes.TryFind(TestNode.Of(destination), 0, out Route route));
        Assert.Equal(TestNode.Of(Frames.PeerLinkLocal), route.Gateway);
    }

    [Fact]
    public void A_discovery_message_that_has_passed_a_router_is_not_believed()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Icmpv6(
            new PhysicalAddress([0x33, 0x33, 0xFF, 0, 0, 1]), Frames.PeerLinkLocal, IPAddress.Parse("ff02::1:ff00:1"),
            Frames.Solicitation(node.LinkLocal, Frames.Peer), 254));
        byte[] advertisement = Frames.RouterAdvertisement(1800, "2001:db8::", 7200, 3600, Frames.Peer);
        node.Deliver(Frames.Icmpv6(s_allNodesMac, Frames.PeerLinkLocal, s_allNodes, advertisement, 64));
        Assert.Empty(node.Sent);
        Assert.Equal(2UL, node.Stack.Counters.Icmpv6.InErrors);
    }

    [Fact]
    public void A_router_gives_a_prefix_an_address_and_the_way_to_everywhere()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Icmpv6(
            s_allNodesMac, Frames.PeerLinkLocal, s_allNodes, Frames.RouterAdvertisement(1800, "2001:db8:5::", 7200, 3600, Frames.Peer)));
        node.Advance(5 * TestNode.Second);
        node.Sent.Clear();
        DatagramEndpoint* endpoint = node.Open(isV6: true);
        Assert.Equal(Errno.None, node.SendTo(endpoint, IPAddress.Parse("2001:db8:77::1"), 9, [1]));
        EthernetPacket frame = node.Next();
        Assert.Equal(Frames.Peer, frame.DestinationHardwareAddress);
        Assert.Equal(IPAddress.Parse("2001:db8:5::ff:fe00:1"), frame.Extract<IPv6Packet>().SourceAddress);
        Assert.True(Frames.IsIntact(frame.Extract<IPv6Packet>(), 17));
        node.Advance(3700 * TestNode.Second);
        Assert.Equal(Errno.ENETUNREACH, node.SendTo(endpoint, IPAddress.Parse("2001:db8:77::1"), 9, [1]));
        node.Advance(3700 * TestNode.Second);
        Assert.True(node.Stack.Addresses.SourceFor(TestNode.V6("2001:db8:5::9"), node.Interface).IsUnspecified
            || node.Stack.Addresses.SourceFor(TestNode.V6("2001:db8:5::9"), node.Interface).IsLinkLocal);
    }

    [Fact]
    public void A_forged_lifetime_of_a_second_leaves_an_address_two_hours()
    {
        using TestNode node = new(1);
        node.Deliver(Frames.Icmpv6(
            s_allNodesMac, Frames.PeerLinkLocal, s_allNodes, Frames.RouterAdvertisement(1800, "2001:db8:5::", 1000000, 1000000,
            Frames.Peer)));
        node.Advance(5 * TestNode.Second);
        byte[] forged = Frames.RouterAdvertisement(1800, "2001:db8:5::", 1, 1, Frames.Peer);
        node.Deliver(Frames.Icmpv6(s_allNodesMac, Frames.PeerLinkLocal, s_allNodes, forged));
        node.Advance(7000 * TestNode.Second);
        IpAddress address = TestNode.V6("2001:db8:5:0:0:ff:fe00:1");
        Assert.True(node.Stack.Addresses.IsLocal(address, 0));
        node.Advance(300 * TestNode.Second);
        Assert.False(node.Stack.Addresses.IsLocal(address, 0));
    }

    [Fact]
    public void Two_nodes_find_each_other_and_exchange_a_datagram_in_fragments()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* server = b.Open(isV6: true);
        b.Stack.Bind(server, new SocketAddress(default, 5000));
        DatagramEndpoint* client = a.Open(isV6: true);
        byte[] data = [.. Enumerable.Range(0, 9000).Select(value => (byte)(value * 13))];
        DatagramSend send = DatagramSend.ToPeer;
        send.HasDestination = true;
        send.Destination = new SocketAddress(TestNode.Of(b.LinkLocal), 5000, (uint)a.Interface);
        Assert.Equal(Errno.None, a.Stack.Send(client, send, new byte[] { 1 }, default));
        TestNode.Carry(a, b);
        Assert.Equal(new byte[] { 1 }, b.Receive(server, out SocketAddress source));
        Assert.Equal((uint)b.Interface, source.Scope);
        Assert.Equal(Errno.None, a.Stack.Send(client, send, data, default));
        Assert.All(a.Sent, frame => Assert.True(frame.Length <= 1514));
        Assert.True(a.Sent.Count > 6);
        TestNode.Carry(a, b);
        Assert.Equal(data, b.Receive(server, out _));
        Assert.Equal(Errno.EINVAL, a.Stack.Connect(a.Open(isV6: true), new SocketAddress(TestNode.Of(b.LinkLocal), 5000)));
    }

    [Theory]
    [InlineData(0x1E, false)]
    [InlineData(0x5E, false)]
    [InlineData(0x9E, true)]
    [InlineData(0xDE, true)]
    public void An_unknown_option_is_treated_as_its_type_demands(byte option, bool isReported)
    {
        using TestNode node = Known();
        byte[] echo = [128, 0, 0, 0, 0, 5, 0, 1];
        byte[] inner = Payload(Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, echo).Extract<IPv6Packet>());
        byte[] payload = [58, 0, option, 4, 0, 0, 0, 0, .. inner];
        node.DeliverIpv6(60, payload);
        if (option == 0x1E)
        {
            Assert.Equal(129, Payload(node.Next().Extract<IPv6Packet>())[0]);
        }
        else if (isReported)
        {
            byte[] error = Payload(node.Next().Extract<IPv6Packet>());
            Assert.Equal([4, 2], error[..2]);
            Assert.Equal([0, 0, 0, 42], error[4..8]);
        }

        Assert.Empty(node.Sent);
    }

    [Fact]
    public void A_routing_header_with_segments_left_and_an_unknown_header_are_reported()
    {
        using TestNode node = Known();
        byte[] payload = [58, 2, 0, 1, .. new byte[20], 128, 0, 0, 0, 0, 0, 0, 0];
        node.DeliverIpv6(43, payload);
        byte[] error = Payload(node.Next().Extract<IPv6Packet>());
        Assert.Equal([4, 0], error[..2]);
        Assert.Equal([0, 0, 0, 42], error[4..8]);
        node.DeliverIpv6(200, new byte[8]);
        error = Payload(node.Next().Extract<IPv6Packet>());
        Assert.Equal([4, 1], error[..2]);
        Assert.Equal([0, 0, 0, 6], error[4..8]);
    }

    [Fact]
    public void An_address_of_IPv4_in_an_IPv6_header_is_not_taken()
    {
        using TestNode node = Known();
        node.Deliver(Frames.Ethernet(
            node.Mac, Frames.Ipv6(IPAddress.Parse("::ffff:10.0.0.99"), IPAddress.Parse("::ffff:10.0.0.1"), (ProtocolType)200,
            new byte[8]), EthernetType.IPv6));
        Assert.Empty(node.Sent);
        Assert.Equal(1UL, node.Stack.Counters.Ipv6.InAddrErrors);
    }

    [Fact]
    public void A_datagram_without_a_checksum_is_an_error()
    {
        using TestNode node = Known();
        node.DeliverIpv6(17, [0, 1, 0, 2, 0, 9, 0, 0, 1]);
        Assert.Equal(1UL, node.Stack.Counters.Udpv6.InCsumErrors);
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void A_packet_that_is_too_big_makes_the_path_shorter_but_never_below_the_minimum()
    {
        using TestNode node = Known();
        DatagramEndpoint* endpoint = node.Open(isV6: true);
        endpoint->Fragments = FragmentPolicy.Never;
        endpoint->InterfaceIndex = node.Interface;
        node.SendTo(endpoint, Frames.PeerLinkLocal, 9, new byte[1400]);
        byte[] quoted = node.Next().Extract<IPv6Packet>().Bytes[..56];
        node.Deliver(Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, [2, 0, 0, 0, 0, 0, 0, 100, .. quoted], 64));
        Assert.Equal(Errno.EMSGSIZE, node.SendTo(endpoint, Frames.PeerLinkLocal, 9, new byte[1400]));
        Assert.Equal(Errno.None, node.SendTo(endpoint, Frames.PeerLinkLocal, 9, new byte[1280 - 48]));
        Assert.Equal(1UL, node.Stack.Counters.Icmpv6.InPktTooBigs);
    }

    [Fact]
    public void A_fragment_that_is_whole_is_taken_and_one_of_odd_length_reported()
    {
        using TestNode node = Known();
        byte[] request = [128, 0, 0, 0, 0, 5, 0, 1];
        byte[] echo = Payload(Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, request).Extract<IPv6Packet>());
        byte[] atomic = [58, 0, 0, 0, 0, 0, 0, 9, .. echo];
        node.DeliverIpv6(44, atomic);
        Assert.Equal(129, Payload(node.Next().Extract<IPv6Packet>())[0]);
        byte[] odd = [17, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3];
        node.DeliverIpv6(44, odd);
        byte[] error = Payload(node.Next().Extract<IPv6Packet>());
        Assert.Equal([4, 0], error[..2]);
        Assert.Equal([0, 0, 0, 4], error[4..8]);
    }

    private static TestNode Known()
    {
        TestNode node = new(1);
        node.Knows(Frames.PeerLinkLocal, Frames.PeerHardware);
        return node;
    }

    private static byte Type(IPv6Packet ip) => ip.NextHeader == ProtocolType.IcmpV6 ? Payload(ip)[0] : (byte)0;

    private static byte[] Payload(IPv6Packet ip) => Frames.Payload(ip);
}
