// Frames of all kinds, changed at random: nothing crashes, memory stays bounded, and no answer is sent that an RFC forbids. A million in
// the suite; LEGO_FUZZ_FRAMES sets another number.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using Packet = PacketDotNet.Packet;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class FuzzTests
{
    private const int FramesBetweenChecks = 10_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Changed_frames_crash_nothing_fill_nothing_and_provoke_nothing_forbidden(int seed)
    {
        long count = long.Parse(Environment.GetEnvironmentVariable("LEGO_FUZZ_FRAMES") ?? "1000000", CultureInfo.InvariantCulture) / 2;
        Random random = new(seed);
        using TestNode node = new(1);
        List<byte[]> templates = Templates(node);
        DatagramEndpoint* udp = node.Open(isV6: true);
        node.Stack.Bind(udp, new SocketAddress(default, 5000));
        node.Open(DatagramKind.Raw, protocol: 1);
        node.Open(DatagramKind.Ping, protocol: 1);
        node.Open(DatagramKind.Frame, etherType: DatagramEndpoint.AllEtherTypes);
        node.Stack.StartDhcp(node.Interface, node.Now);
        ulong freeAfterWarmUp = 0;
        for (long frame = 0; frame < count; frame++)
        {
            byte[] given = Change(random, templates[random.Next(templates.Count)]);
            node.Sent.Clear();
            node.Deliver(given);
            foreach (byte[] answer in node.Sent)
            {
                AssertAllowed(answer);
            }

            if (frame % FramesBetweenChecks == 0)
            {
                Assert.True(node.Stack.PacketBytesInUse <= 8 * 1024 * 1024);
                Assert.True(node.Stack.Neighbours.Count <= NeighbourTable.Capacity);
                node.Advance((ulong)random.Next(1_000_000_000));
                if (frame == count / 2 / FramesBetweenChecks * FramesBetweenChecks)
                {
                    freeAfterWarmUp = node.Memory.FreePages;
                }
            }
        }

        Assert.True(node.Memory.FreePages + 1024 > freeAfterWarmUp);
    }

    private static List<byte[]> Templates(TestNode node)
    {
        PhysicalAddress solicited = new([0x33, 0x33, 0xFF, 0, 0, 1]);
        PhysicalAddress allNodes = new([0x33, 0x33, 0, 0, 0, 1]);
        IPAddress group = IPAddress.Parse("ff02::1");
        IPAddress ofTarget = IPAddress.Parse("ff02::1:ff00:1");
        byte[] options = [44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 1, .. new byte[64]];
        byte[] routing = [17, 0, 0, 1, .. new byte[60]];
        IPv4Packet fragment = Frames.Ipv4(Frames.PeerAddress, node.Address, ProtocolType.Udp, new byte[64]);
        fragment.FragmentFlags = 1;
        fragment.UpdateIPChecksum();
        byte[] quoted = Frames.Udp(node, 5000, 9, [1]).PayloadPacket.Bytes;
        List<Packet> packets =
        [
            Frames.Arp(Frames.Everybody, ArpOperation.Request, Frames.PeerAddress, new PhysicalAddress([0, 0, 0, 0, 0, 0]), node.Address),
            Frames.Arp(node.Mac, ArpOperation.Response, Frames.PeerAddress, node.Mac, node.Address),
            Frames.Echo(node, new byte[40]),
            Frames.Udp(node, 1, 5000, new byte[30]),
            Frames.Udp(node, 67, 68, new byte[260]),
            Frames.Udp(node, 1, 9, new byte[30]),
            Frames.IcmpError(node, 3, 4, 600, quoted),
            Frames.IcmpError(node, 3, 3, 0, quoted),
            Frames.Ethernet(node.Mac, fragment, EthernetType.IPv4),
            Frames.Ethernet(node.Mac, Frames.Ipv4(Frames.PeerAddress, node.Address, ProtocolType.Tcp, Tcp()), EthernetType.IPv4),
            Frames.Ethernet(node.Mac, Frames.Ipv6(Frames.PeerLinkLocal, node.LinkLocal, ProtocolType.Tcp, Tcp()), EthernetType.IPv6),
            Frames.Icmpv6(solicited, Frames.PeerLinkLocal, ofTarget, Frames.Solicitation(node.LinkLocal, Frames.Peer)),
            Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, Frames.Advertisement(Frames.PeerLinkLocal, 0x60, Frames.Peer)),
            Frames.Icmpv6(allNodes, Frames.PeerLinkLocal, group, Frames.RouterAdvertisement(60, "2001:db8::", 7200, 3600, Frames.Peer)),
            Frames.Icmpv6(node.Mac, Frames.PeerLinkLocal, node.LinkLocal, [128, 0, 0, 0, 0, 5, 0, 1, 1, 2, 3]),
            Frames.Ethernet(node.Mac, Frames.Ipv6(Frames.PeerLinkLocal, node.LinkLocal, (ProtocolType)60, options), EthernetType.IPv6),
            Frames.Ethernet(node.Mac, Frames.Ipv6(Frames.PeerLinkLocal, node.LinkLocal, (ProtocolType)43, routing), EthernetType.IPv6),
        ];
        return packets.ConvertAll(packet => packet.Bytes);
    }

    private static byte[] Tcp() => [0, 80, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xFF, 0xFF, 0, 0, 0, 0];

    /// <summary>
    /// A few bytes anywhere, the end cut off or drawn out; often the checksums are put right again so that it gets further.
    /// </summary>
    private static byte[] Change(Random random, byte[] template)
    {
        byte[] frame = [.. template];
        int length = random.Next(8) switch
        {
            0 => random.Next(frame.Length + 1),
            1 => frame.Length + random.Next(200),
            _ => frame.Length,
        };
        Array.Resize(ref frame, length);
        for (int changes = random.Next(4); changes > 0 && frame.Length > 14; changes--)
        {
            frame[random.Next(random.Next(4) == 0 ? 0 : 14, frame.Length)] = (byte)random.Next(256);
        }

        if (random.Next(4) != 0 && frame.Length >= 34 && frame[12] == 8 && frame[13] == 0)
        {
            int header = (frame[14] & 15) * 4;
            if (header >= 20 && 14 + header <= frame.Length)
            {
                Repair(frame, 14, header, 24);
                if (frame[23] == 1 && frame.Length >= 14 + header + 4)
                {
                    int total = Math.Min(frame.Length - 14, Math.Max(header, (frame[16] << 8) | frame[17]));
                    Repair(frame, 14 + header, total - header, 14 + header + 2);
                }
            }
        }

        return frame;
    }

    private static void Repair(byte[] frame, int start, int length, int field)
    {
        if (length <= field - start + 1)
        {
            return;
        }

        frame[field] = frame[field + 1] = 0;
        ushort sum = Frames.Sum(frame[start..(start + length)]);
        frame[field] = (byte)(sum >> 8);
        frame[field + 1] = (byte)sum;
    }

    /// <summary>
    /// RFC 1122, 3.2.2; RFC 4443, 2.4(e): no error about an error, about what went to many or came from nobody, or to a group.
    /// </summary>
    private static void AssertAllowed(byte[] answer)
    {
        if (answer.Length < 35 || !IsError(answer, out int start))
        {
            return;
        }

        bool isV4 = answer[12] == 8;
        byte[] quoted = answer[(start + 8)..];
        Assert.False(IsError([.. answer[..14], .. quoted], out _), "an error about an error");
        bool mayBeToMany = !isV4 && answer[start] == 4 && answer[start + 1] == 2;
        bool wasToMany = isV4 ? quoted[16] >= 224 || quoted[19] == 255 : quoted[24] == 0xFF;
        Assert.True(!wasToMany || mayBeToMany, "an error about a packet to many");
        Assert.True(isV4 ? answer[30] is > 0 and < 224 : answer[38] != 0xFF, "an error to a group or nobody");
        if (isV4)
        {
            Assert.Equal(0, ((quoted[6] << 8) | quoted[7]) & 0x1FFF);
        }
    }

    private static bool IsError(byte[] frame, out int start)
    {
        start = 0;
        if (frame.Length > 34 && frame[12] == 8 && frame[13] == 0 && frame[23] == 1)
        {
            start = 14 + ((frame[14] & 15) * 4);
            return start < frame.Length && frame[start] is 3 or 4 or 5 or 11 or 12;
        }

        if (frame.Length > 54 && frame[12] == 0x86 && frame[20] == 58)
        {
            start = 54;
            return frame[start] < 128;
        }

        return false;
    }
}
