// Frames for tests, built by PacketDotNet; what it has no classes for is written byte by byte from the RFC.

using System;
using System.Net;
using PacketDotNet;
using PacketDotNet.Utils;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;

namespace Lego.Tests.Network.Ip;

internal static class Frames
{
    internal static readonly PhysicalAddress Peer = new([2, 0, 0, 0, 0, 99]);
    internal static readonly PhysicalAddress Everybody = new([255, 255, 255, 255, 255, 255]);
    internal static readonly IPAddress PeerAddress = IPAddress.Parse("10.0.0.99");
    internal static readonly IPAddress PeerLinkLocal = IPAddress.Parse("fe80::99");
    internal const ulong PeerHardware = 0x0200_0000_0063;

    internal static EthernetPacket Ethernet(PhysicalAddress to, Packet payload, EthernetType type) =>
        new(Peer, to, type) { PayloadPacket = payload };

    internal static EthernetPacket Arp(
        PhysicalAddress to, ArpOperation operation, IPAddress sender, PhysicalAddress targetMac, IPAddress target) =>
        Ethernet(to, new ArpPacket(operation, targetMac, target, Peer, sender), EthernetType.Arp);

    internal static IPv4Packet Ipv4(IPAddress from, IPAddress to, ProtocolType protocol, Packet payload)
    {
        IPv4Packet packet = new(from, to) { Protocol = protocol, TimeToLive = 64, PayloadPacket = payload };
        return Finished(packet);
    }

    internal static IPv4Packet Ipv4(IPAddress from, IPAddress to, ProtocolType protocol, byte[] payload)
    {
        IPv4Packet packet = new(from, to) { Protocol = protocol, TimeToLive = 64, PayloadData = payload };
        return Finished(packet);
    }

    /// <summary>Lengths, then checksums, innermost first.</summary>
    internal static IPv4Packet Finished(IPv4Packet packet)
    {
        _ = packet.Bytes;
        if (packet.PayloadPacket is UdpPacket udp)
        {
            udp.UpdateUdpChecksum();
        }

        packet.UpdateIPChecksum();
        return packet;
    }

    internal static IPv6Packet Ipv6(IPAddress from, IPAddress to, ProtocolType next, byte[] payload, int hopLimit = 64) =>
        new(from, to) { NextHeader = next, HopLimit = hopLimit, PayloadData = payload, PayloadLength = (ushort)payload.Length };

    /// <summary>An IPv4 datagram in a frame, checksums right.</summary>
    internal static EthernetPacket Udp(TestNode to, ushort fromPort, ushort toPort, byte[] data)
    {
        UdpPacket udp = new(fromPort, toPort) { PayloadData = data };
        return Ethernet(to.Mac, Ipv4(PeerAddress, to.Address, ProtocolType.Udp, udp), EthernetType.IPv4);
    }

    /// <summary>A segment in a frame: a header without options, which this adds (words of 32 bits), and its text.</summary>
    internal static EthernetPacket Tcp(TestNode to, IPAddress from, TcpPacket header, byte[] options, byte[] text)
    {
        const int dataOffset = 12;
        byte[] bytes = [.. header.Bytes, .. options, .. text];
        bytes[dataOffset] = (byte)(((header.Bytes.Length + options.Length) / 4) << 4);
        TcpPacket segment = new(new ByteArraySegment(bytes));
        IPv4Packet packet = Ipv4(from, to.Address, ProtocolType.Tcp, segment);
        segment.UpdateTcpChecksum();
        return Ethernet(to.Mac, packet, EthernetType.IPv4);
    }

    internal static byte[] IcmpEcho(byte type, ushort identifier, ushort sequence, byte[] data)
    {
        byte[] message = [type, 0, 0, 0, (byte)(identifier >> 8), (byte)identifier, (byte)(sequence >> 8), (byte)sequence, .. data];
        Checksum(message, 2);
        return message;
    }

    internal static EthernetPacket Echo(TestNode to, byte[] data) =>
        Ethernet(to.Mac, Ipv4(PeerAddress, to.Address, ProtocolType.Icmp, IcmpEcho(8, 7, 1, data)), EthernetType.IPv4);

    /// <summary>An ICMP error that quotes a packet.</summary>
    internal static EthernetPacket IcmpError(TestNode to, byte type, byte code, ushort low, byte[] quoted)
    {
        byte[] message = [type, code, 0, 0, 0, 0, (byte)(low >> 8), (byte)low, .. quoted];
        Checksum(message, 2);
        return Ethernet(to.Mac, Ipv4(PeerAddress, to.Address, ProtocolType.Icmp, message), EthernetType.IPv4);
    }

    /// <summary>An ICMPv6 message in a frame, its checksum computed here (RFC 8200, 8.1).</summary>
    internal static EthernetPacket Icmpv6(PhysicalAddress mac, IPAddress from, IPAddress to, byte[] message, int hopLimit = 255)
    {
        ushort sum = Sum([.. Pseudo(from, to, 58, message.Length), .. message]);
        message[2] = (byte)(sum >> 8);
        message[3] = (byte)sum;
        return Ethernet(mac, Ipv6(from, to, ProtocolType.IcmpV6, message, hopLimit), EthernetType.IPv6);
    }

    internal static byte[] Solicitation(IPAddress target, PhysicalAddress? source) =>
        [135, 0, 0, 0, 0, 0, 0, 0, .. target.GetAddressBytes(), .. source == null ? [] : (byte[])[1, 1, .. source.GetAddressBytes()]];

    internal static byte[] Advertisement(IPAddress target, byte flags, PhysicalAddress mac) =>
        [136, 0, 0, 0, flags, 0, 0, 0, .. target.GetAddressBytes(), 2, 1, .. mac.GetAddressBytes()];

    /// <summary>A prefix with its lifetimes as a router advertises it.</summary>
    internal static byte[] RouterAdvertisement(ushort lifetime, string prefix, uint valid, uint preferred, PhysicalAddress mac) =>
    [
        134, 0, 0, 0, 64, 0, (byte)(lifetime >> 8), (byte)lifetime, 0, 0, 0, 0, 0, 0, 0, 0,
        3, 4, 64, 0xC0, .. Big(valid), .. Big(preferred), 0, 0, 0, 0, .. IPAddress.Parse(prefix).GetAddressBytes(),
        1, 1, .. mac.GetAddressBytes(),
    ];

    internal static byte[] Big(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    internal static void Checksum(byte[] bytes, int offset)
    {
        ushort sum = Sum(bytes);
        bytes[offset] = (byte)(sum >> 8);
        bytes[offset + 1] = (byte)sum;
    }

    /// <summary>RFC 1071, word by word.</summary>
    internal static ushort Sum(byte[] bytes)
    {
        uint sum = 0;
        for (int at = 0; at < bytes.Length; at += 2)
        {
            sum += (uint)((bytes[at] << 8) | (at + 1 < bytes.Length ? bytes[at + 1] : 0));
        }

        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    /// <summary>Whether a UDP or ICMPv6 payload's checksum is right, by the library's addresses.</summary>
    internal static bool IsIntact(IPPacket ip, byte protocol)
    {
        byte[] payload = Payload(ip);
        return Sum([.. Pseudo(ip.SourceAddress, ip.DestinationAddress, protocol, payload.Length), .. payload]) == 0;
    }

    /// <summary>
    /// What follows the IP header. Of a parsed packet from its bytes as they came: the library puts messages of neighbour discovery
    /// together
    /// with their ICMPv6 header twice.
    /// </summary>
    internal static byte[] Payload(IPPacket ip)
    {
        if (ip.PayloadPacket == null)
        {
            return ip.PayloadData;
        }

        ByteArraySegment header = ip.HeaderSegment;
        int start = header.Offset + header.Length;
        int end = ip is IPv6Packet six ? start + six.PayloadLength : header.Offset + ip.TotalLength;
        return header.Bytes[start..end];
    }

    /// <summary>The sum of IPv6's pseudo-header is IPv4's too: the same numbers, and zeros.</summary>
    private static byte[] Pseudo(IPAddress from, IPAddress to, byte protocol, int length) =>
        [.. from.GetAddressBytes(), .. to.GetAddressBytes(), 0, 0, (byte)(length >> 8), (byte)length, 0, 0, 0, protocol];
}
