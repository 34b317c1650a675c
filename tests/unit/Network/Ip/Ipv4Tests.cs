// IPv4 input and output, and what ICMP says about it (RFC 791, 792, 1122, 1191).

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class Ipv4Tests
{
    [Fact]
    public void An_echo_request_is_answered_with_its_data()
    {
        using TestNode node = Known();
        byte[] data = [.. Enumerable.Range(0, 56).Select(value => (byte)value)];
        node.Deliver(Frames.Echo(node, data));
        EthernetPacket frame = node.Next();
        IPv4Packet ip = frame.Extract<IPv4Packet>();
        IcmpV4Packet icmp = frame.Extract<IcmpV4Packet>();
        Assert.Equal(Frames.Peer, frame.DestinationHardwareAddress);
        Assert.True(ip.ValidIPChecksum);
        Assert.Equal(node.Address, ip.SourceAddress);
        Assert.Equal([0, 0], icmp.Bytes[..2]);
        Assert.Equal(7, icmp.Id);
        Assert.Equal(0, Frames.Sum(icmp.Bytes));
        Assert.Equal(data, icmp.Data);
    }

    [Fact]
    public void Options_are_skipped()
    {
        using TestNode node = Known();
        byte[] plain = Frames.Echo(node, [1, 2, 3, 4]).Bytes;
        byte[] frame = [.. plain.AsSpan(0, 34), 7, 7, 4, 0, 0, 0, 0, 1, .. plain.AsSpan(34)];
        frame[14] = 0x47;
        frame[17] += 8;
        frame[24] = frame[25] = 0;
        byte[] header = frame[14..42];
        Frames.Checksum(header, 10);
        header.CopyTo(frame, 14);
        node.Deliver(frame);
        Assert.Equal([0, 0], node.Next().Extract<IcmpV4Packet>().Bytes[..2]);
    }

    [Theory]
    [InlineData(14, 0x65)]
    [InlineData(14, 0x44)]
    [InlineData(14, 0x4F)]
    [InlineData(16, 0xFF)]
    [InlineData(24, 0x00)]
    public void A_damaged_header_is_dropped_and_counted(int offset, byte value)
    {
        using TestNode node = Known();
        byte[] frame = Frames.Echo(node, [1, 2, 3, 4]).Bytes;
        frame[offset] = frame[offset] == value ? (byte)(value ^ 1) : value;
        node.Deliver(frame);
        Assert.Empty(node.Sent);
        Assert.Equal(1UL, node.Stack.Counters.Ipv4.InHdrErrors);
    }

    [Fact]
    public void A_damaged_message_is_dropped_and_counted()
    {
        using TestNode node = Known();
        byte[] frame = Frames.Echo(node, [1, 2, 3, 4]).Bytes;
        frame[^1] ^= 0x10;
        node.Deliver(frame);
        Assert.Empty(node.Sent);
        Assert.Equal(1UL, node.Stack.Counters.Icmpv4.InCsumErrors);
    }

    [Fact]
    public void An_echo_request_to_all_is_not_answered()
    {
        using TestNode node = Known();
        IPv4Packet ip = Frames.Ipv4(Frames.PeerAddress, IPAddress.Parse("10.0.0.255"), ProtocolType.Icmp, Frames.IcmpEcho(8, 1, 1, []));
        node.Deliver(Frames.Ethernet(Frames.Everybody, ip, EthernetType.IPv4));
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void A_port_without_a_listener_is_reported_with_the_packet()
    {
        using TestNode node = Known();
        EthernetPacket sent = Frames.Udp(node, 1000, 2000, [1, 2, 3]);
        node.Deliver(sent);
        IcmpV4Packet icmp = node.Next().Extract<IcmpV4Packet>();
        Assert.Equal([3, 3], icmp.Bytes[..2]);
        Assert.Equal(0, Frames.Sum(icmp.Bytes));
        Assert.Equal(sent.PayloadPacket.Bytes, icmp.Bytes[8..]);
        Assert.Equal(1UL, node.Stack.Counters.Udpv4.NoPorts);
    }

    [Fact]
    public void An_unknown_protocol_is_reported()
    {
        using TestNode node = Known();
        node.DeliverIpv4(200, new byte[8]);
        Assert.Equal([3, 2], node.Next().Extract<IcmpV4Packet>().Bytes[..2]);
    }

    [Theory]
    [InlineData("10.0.0.255", "10.0.0.99", true)]
    [InlineData("255.255.255.255", "10.0.0.99", true)]
    [InlineData("224.0.0.1", "10.0.0.99", true)]
    [InlineData("10.0.0.1", "0.0.0.0", false)]
    [InlineData("10.0.0.1", "224.0.0.5", false)]
    [InlineData("10.0.0.1", "10.0.0.255", false)]
    [InlineData("10.0.0.1", "127.0.0.1", false)]
    [InlineData("10.0.0.1", "10.0.0.1", false)]
    public void Nothing_is_reported_to_nobody_or_about_what_went_to_many(string to, string from, bool isGroupFrame)
    {
        using TestNode node = Known();
        UdpPacket udp = new(1, 2) { PayloadData = [1] };
        IPv4Packet ip = Frames.Ipv4(IPAddress.Parse(from), IPAddress.Parse(to), ProtocolType.Udp, udp);
        node.Deliver(Frames.Ethernet(isGroupFrame ? Frames.Everybody : node.Mac, ip, EthernetType.IPv4));
        node.Advance(5 * TestNode.Second);
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void Nothing_is_reported_about_a_unicast_packet_in_a_broadcast_frame()
    {
        using TestNode node = Known();
        EthernetPacket frame = Frames.Udp(node, 1, 2, [1]);
        frame.DestinationHardwareAddress = Frames.Everybody;
        node.Deliver(frame);
        Assert.Empty(node.Sent);
    }

    [Fact]
    public void Reports_are_limited_and_the_rest_is_counted()
    {
        using TestNode node = Known();
        for (int count = 0; count < 1000; count++)
        {
            node.Deliver(Frames.Udp(node, 1, 2, [1]));
        }

        Assert.InRange(node.Sent.Count, 40, 60);
        Assert.Equal(1000UL, (ulong)node.Sent.Count + node.Stack.Counters.Icmpv4.OutRateLimitGlobal);
    }

    [Fact]
    public void A_long_datagram_leaves_in_fragments_that_cover_it()
    {
        using TestNode node = Known();
        byte[] data = [.. Enumerable.Range(0, 5000).Select(value => (byte)(value * 7))];
        node.SendTo(node.Open(), Frames.PeerAddress, 9, data);
        byte[] whole = new byte[5008];
        HashSet<ushort> identifications = [];
        int covered = 0;
        while (node.Sent.Count > 0)
        {
            IPv4Packet ip = node.Next().Extract<IPv4Packet>();
            Assert.True(ip.ValidIPChecksum);
            Assert.True(ip.TotalLength <= TestNode.Mtu);
            int offset = ip.FragmentOffset * 8;
            byte[] piece = ip.Bytes[20..ip.TotalLength];
            piece.CopyTo(whole, offset);
            covered += piece.Length;
            Assert.Equal(offset + piece.Length < 5008, (ip.FragmentFlags & 1) != 0);
            identifications.Add(ip.Id);
        }

        Assert.Equal(5008, covered);
        Assert.Single(identifications);
        Assert.Equal(data, whole[8..]);
    }

    [Fact]
    public void Two_nodes_exchange_the_longest_datagram()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        byte[] data = new byte[65507];
        new Random(1).NextBytes(data);
        DatagramEndpoint* from = a.Open();
        DatagramEndpoint* to = b.Open();
        to->ReceiveBytes = 1 << 20;
        Assert.Equal(Errno.None, b.Stack.Bind(to, new SocketAddress(IpAddress.AnyV4, 5000)));
        a.SendTo(from, b.Address, 5000, [0]);
        TestNode.Carry(a, b);
        Assert.NotNull(b.Receive(to, out _));
        Assert.Equal(Errno.None, a.SendTo(from, b.Address, 5000, data));
        TestNode.Carry(a, b);
        Assert.Equal(data, b.Receive(to, out _));
        Assert.Equal(Errno.EMSGSIZE, a.SendTo(from, b.Address, 5000, new byte[65508]));
    }

    [Fact]
    public void A_router_that_reports_a_smaller_link_makes_packets_shorter()
    {
        using TestNode node = Known();
        DatagramEndpoint* endpoint = node.Open();
        endpoint->Fragments = FragmentPolicy.Never;
        node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[1400]);
        IPv4Packet sent = node.Next().Extract<IPv4Packet>();
        Assert.Equal(2, sent.FragmentFlags);
        node.Deliver(Frames.IcmpError(node, 3, 4, 1000, sent.Bytes[..28]));
        Assert.Equal(Errno.EMSGSIZE, node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[1400]));
        Assert.Equal(Errno.None, node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[972]));
        endpoint->Fragments = FragmentPolicy.PathMtu;
        node.Sent.Clear();
        node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[1400]);
        Assert.Equal(2, node.Sent.Count);
        Assert.All(node.Sent, frame => Assert.True(frame.Length <= 1014));
        node.Advance(700 * TestNode.Second);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        endpoint->Fragments = FragmentPolicy.Never;
        Assert.Equal(Errno.None, node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[1400]));
    }

    [Fact]
    public void A_report_below_the_smallest_MTU_or_about_a_packet_of_somebody_else_is_not_believed()
    {
        using TestNode node = Known();
        DatagramEndpoint* endpoint = node.Open();
        endpoint->Fragments = FragmentPolicy.Never;
        node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[500]);
        byte[] quoted = node.Next().Extract<IPv4Packet>().Bytes[..28];
        node.Deliver(Frames.IcmpError(node, 3, 4, 68, quoted));
        Assert.Equal(Errno.None, node.SendTo(endpoint, Frames.PeerAddress, 9, new byte[500]));
        quoted[15] = 77;
        ulong errors = node.Stack.Counters.Icmpv4.InErrors;
        node.Deliver(Frames.IcmpError(node, 3, 4, 600, quoted));
        Assert.Equal(errors + 1, node.Stack.Counters.Icmpv4.InErrors);
    }

    [Fact]
    public void A_datagram_that_never_completes_is_reported_after_thirty_seconds()
    {
        using TestNode node = Known();
        IPv4Packet first = Frames.Ipv4(Frames.PeerAddress, node.Address, ProtocolType.Udp, new byte[16]);
        first.FragmentFlags = 1;
        first.Id = 5;
        first.UpdateIPChecksum();
        node.Deliver(Frames.Ethernet(node.Mac, first, EthernetType.IPv4));
        node.Advance(29 * TestNode.Second);
        Assert.Empty(node.Sent);
        node.Advance(2 * TestNode.Second);
        IcmpV4Packet icmp = node.Next().Extract<IcmpV4Packet>();
        Assert.Equal([11, 1], icmp.Bytes[..2]);
        Assert.Equal(1UL, node.Stack.Counters.Ipv4.ReasmTimeout);
        Assert.Equal(0UL, node.Stack.PacketBytesInUse);
    }

    [Fact]
    public void A_packet_for_somebody_else_is_not_taken()
    {
        using TestNode node = Known();
        node.Deliver(Frames.Ethernet(
            node.Mac, Frames.Ipv4(Frames.PeerAddress, IPAddress.Parse("10.0.0.2"), ProtocolType.Icmp, Frames.IcmpEcho(8, 1, 1, [])),
            EthernetType.IPv4));
        node.Deliver(Frames.Ethernet(new PhysicalAddress([2, 0, 0, 0, 0, 2]), Frames.Echo(node, []).PayloadPacket, EthernetType.IPv4));
        Assert.Empty(node.Sent);
        Assert.Equal(1UL, node.Stack.Counters.Ipv4.InAddrErrors);
    }

    private static TestNode Known()
    {
        TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        return node;
    }
}
