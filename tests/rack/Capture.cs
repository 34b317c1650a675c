// What --pcap has recorded, judged by PacketDotNet. The file is libpcap's: a header of 24 bytes, then 16 bytes before each frame, the
// third word of which says how much of it there is (draft-ietf-opsawg-pcap).

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using PacketDotNet;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>A record of a card's frames.</summary>
internal static class Capture
{
    private const uint Magic = 0xA1B2C3D4;
    private const int HeaderBytes = 24;
    private const int RecordBytes = 16;

    /// <summary>
    /// Every frame is one that PacketDotNet understands, and checksums of IP, TCP and UDP are right; returns how many segments and
    /// datagrams there are. A last frame that was being written when the machine ended is left out.
    /// </summary>
    public static (int Segments, int Datagrams) AssertIsSound(string path)
    {
        int segments = 0;
        int datagrams = 0;
        int number = 0;
        foreach (byte[] frame in Frames(File.ReadAllBytes(path)))
        {
            number++;
            Packet packet = Packet.ParsePacket(LinkLayers.Ethernet, frame);
            if (packet.PayloadPacket is IPv4Packet ip)
            {
                Assert.True(ip.ValidIPChecksum, $"frame {number}: checksum of IP");
                Assert.True(ip.TotalLength <= frame.Length - EthernetFields.HeaderLength, $"frame {number}: length of IP");
            }

            // PacketDotNet 1.4.8 fails to look for a wake-up call in an empty datagram, which it does even for its checksum.
            switch (packet.PayloadPacket?.PayloadPacket)
            {
                case TcpPacket segment:
                    segments++;
                    Assert.True(segment.ValidTcpChecksum, $"frame {number}: checksum of TCP");
                    break;
                case UdpPacket datagram:
                    datagrams++;
                    bool isUnjudged = datagram.Checksum == 0 || datagram.Length == UdpFields.HeaderLength;
                    Assert.True(isUnjudged || datagram.ValidUdpChecksum, $"frame {number}: checksum of UDP");
                    break;
                default:
                    Assert.True(packet.PayloadPacket is ArpPacket or IPPacket, $"frame {number}: neither ARP nor IP");
                    break;
            }
        }

        return (segments, datagrams);
    }

    private static IEnumerable<byte[]> Frames(byte[] file)
    {
        Assert.Equal(Magic, BinaryPrimitives.ReadUInt32LittleEndian(file));
        for (int at = HeaderBytes; at + RecordBytes <= file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at + 8));
            at += RecordBytes;
            if (at + length > file.Length)
            {
                yield break;
            }

            yield return file[at..(at + length)];
            at += length;
        }
    }
}
