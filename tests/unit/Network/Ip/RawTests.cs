// Raw, ping and packet endpoints (raw(7), icmp(7), packet(7)).

using System;
using System.Collections.Generic;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class RawTests
{
    [Fact]
    public void A_ping_gets_its_identifier_and_hears_only_its_own_replies()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        DatagramEndpoint* first = a.Open(DatagramKind.Ping, protocol: 1);
        DatagramEndpoint* second = a.Open(DatagramKind.Ping, protocol: 1);
        Assert.Equal(Errno.None, a.SendTo(first, b.Address, 0, [8, 0, 0, 0, 99, 99, 0, 3, 1, 2, 3]));
        Assert.Equal(Errno.None, a.Stack.Bind(second, new SocketAddress(IpAddress.AnyV4, 0)));
        TestNode.Carry(a, b);
        byte[] reply = a.Receive(first, out SocketAddress source)!;
        Assert.Null(a.Receive(second, out _));
        Assert.Equal(TestNode.V4(b.Address).V4, source.Address.V4);
        Assert.Equal([0, 0], reply[..2]);
        Assert.Equal(first->Local.Port, (reply[4] << 8) | reply[5]);
        Assert.Equal([0, 3, 1, 2, 3], reply[6..]);
        Assert.Equal(Errno.EINVAL, a.SendTo(first, b.Address, 0, [0, 0, 0, 0, 0, 0, 0, 0]));
        SocketAddress taken = new(IpAddress.AnyV4, first->Local.Port);
        Assert.Equal(Errno.EADDRINUSE, a.Stack.Bind(a.Open(DatagramKind.Ping, protocol: 1), taken));
        Assert.Equal(Errno.EPROTONOSUPPORT, a.Stack.Open(DatagramKind.Ping, false, 17, 0, 0, out _));
    }

    [Fact]
    public void Ping_works_over_IPv6_and_over_loopback()
    {
        using TestNode node = new(1);
        DatagramEndpoint* six = node.Open(DatagramKind.Ping, isV6: true, protocol: 58);
        Assert.Equal(Errno.None, node.SendTo(six, IPAddress.IPv6Loopback, 0, [128, 0, 0, 0, 0, 0, 0, 1, 7]));
        Assert.Equal(129, node.Receive(six, out _)![0]);
        DatagramEndpoint* four = node.Open(DatagramKind.Ping, protocol: 1);
        Assert.Equal(Errno.None, node.SendTo(four, IPAddress.Loopback, 0, [8, 0, 0, 0, 0, 0, 0, 1, 7]));
        Assert.Equal(0, node.Receive(four, out _)![0]);
    }

    [Fact]
    public void A_raw_endpoint_sees_packets_with_their_header_beside_the_protocol()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        DatagramEndpoint* raw = node.Open(DatagramKind.Raw, protocol: 1);
        node.Deliver(Frames.Echo(node, [1, 2]));
        Assert.NotNull(node.Next().Extract<IcmpV4Packet>());
        byte[] seen = node.Receive(raw, out _)!;
        Assert.Equal(0x45, seen[0]);
        Assert.Equal(8, seen[20]);
        raw->Filter[0] = 1UL << 8;
        node.Deliver(Frames.Echo(node, [1, 2]));
        Assert.Null(node.Receive(raw, out _));
    }

    [Fact]
    public void A_protocol_that_a_raw_endpoint_takes_is_not_unknown()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        DatagramEndpoint* raw = node.Open(DatagramKind.Raw, protocol: 200);
        node.DeliverIpv4(200, new byte[8]);
        Assert.Equal(28, node.Receive(raw, out _)!.Length);
        Assert.Empty(node.Sent);
        node.Stack.Close(raw);
        node.DeliverIpv4(200, new byte[8]);
        Assert.Single(node.Sent);
    }

    [Fact]
    public void A_raw_endpoint_sends_a_payload_or_a_header_of_its_own()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        DatagramEndpoint* raw = node.Open(DatagramKind.Raw, protocol: 200);
        Assert.Equal(Errno.None, node.SendTo(raw, Frames.PeerAddress, 0, [1, 2, 3]));
        IPv4Packet ip = node.Next().Extract<IPv4Packet>();
        Assert.Equal(200, (int)ip.Protocol);
        Assert.Equal([1, 2, 3], ip.Bytes[20..23]);
        DatagramEndpoint* whole = node.Open(DatagramKind.Raw, protocol: 255);
        IPv4Packet own = new(IPAddress.Any, Frames.PeerAddress) { Protocol = (ProtocolType)99, TimeToLive = 3, PayloadData = [9, 9] };
        Assert.Equal(Errno.None, node.SendTo(whole, Frames.PeerAddress, 0, own.Bytes));
        IPv4Packet sent = node.Next().Extract<IPv4Packet>();
        Assert.Equal(3, sent.TimeToLive);
        Assert.Equal(node.Address, sent.SourceAddress);
        Assert.NotEqual(0, sent.Id);
        Assert.True(sent.ValidIPChecksum);
        Assert.Equal(22, sent.TotalLength);
        Assert.Equal(Errno.EINVAL, node.SendTo(whole, Frames.PeerAddress, 0, [1]));
    }

    [Fact]
    public void A_raw_endpoint_of_ICMPv6_has_its_checksum_filled_in()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerLinkLocal, Frames.PeerHardware);
        DatagramEndpoint* raw = node.Open(DatagramKind.Raw, isV6: true, protocol: 58);
        raw->InterfaceIndex = node.Interface;
        Assert.Equal(Errno.None, node.SendTo(raw, Frames.PeerLinkLocal, 0, [128, 0, 0, 0, 0, 0, 0, 1, .. new byte[100]]));
        Assert.True(Frames.IsIntact(node.Next().Extract<IPv6Packet>(), 58));
    }

    [Fact]
    public void Endpoints_of_all_kinds_come_and_go_in_any_order_and_the_raw_ones_hear()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        Random random = new(5);
        List<nint> raw = [];
        List<nint> udp = [];
        for (int step = 0; step < 2000; step++)
        {
            bool isRaw = random.Next(2) == 0;
            List<nint> list = isRaw ? raw : udp;
            if (list.Count > 0 && random.Next(2) == 0)
            {
                int index = random.Next(list.Count);
                node.Stack.Close((DatagramEndpoint*)list[index]);
                list.RemoveAt(index);
            }
            else if (list.Count < 20)
            {
                list.Add((nint)node.Open(isRaw ? DatagramKind.Raw : DatagramKind.Udp, protocol: 200));
            }

            node.DeliverIpv4(200, new byte[8]);
            Assert.All(raw, endpoint => Assert.NotNull(node.Receive((DatagramEndpoint*)endpoint, out _)));
            Assert.Equal((ulong)(raw.Count + udp.Count), node.Stack.Endpoints.Count);
        }
    }

    [Fact]
    public void A_packet_endpoint_sees_what_comes_and_goes_and_sends_frames()
    {
        using TestNode node = new(1);
        node.Knows(Frames.PeerAddress, Frames.PeerHardware);
        DatagramEndpoint* all = node.Open(DatagramKind.Frame, etherType: DatagramEndpoint.AllEtherTypes);
        DatagramEndpoint* cooked = node.Open(DatagramKind.CookedFrame, etherType: 0x0800);
        byte[] frame = Frames.Echo(node, [1, 2]).Bytes;
        node.Deliver(frame);
        Assert.Equal(frame, node.Receive(all, out _));
        Assert.Equal(node.Sent.Peek(), node.Receive(all, out _));
        Assert.Equal(frame[14..], node.Receive(cooked, out _));
        Assert.Null(node.Receive(cooked, out _));
        node.Sent.Clear();
        Assert.Equal(Errno.None, node.Stack.Frames.Bind(all, node.Interface, 0));
        Assert.Equal(Errno.None, node.Stack.Send(all, DatagramSend.ToPeer, frame, default));
        Assert.Equal(frame, node.Sent.Dequeue());
        DatagramSend send = DatagramSend.ToPeer;
        send.InterfaceIndex = node.Interface;
        send.LinkAddress = Frames.PeerHardware;
        Assert.Equal(Errno.None, node.Stack.Send(cooked, send, frame[14..], default));
        EthernetPacket sent = node.Next();
        Assert.Equal(Frames.Peer, sent.DestinationHardwareAddress);
        Assert.Equal(EthernetType.IPv4, sent.Type);
        Assert.Equal(Errno.ENODEV, node.Stack.Frames.Bind(all, 7, 0));
        Assert.Equal(Errno.EMSGSIZE, node.Stack.Send(all, DatagramSend.ToPeer, new byte[1515], default));
    }
}
