// Headers and options that PacketDotNet reads and writes as we do.

using System;
using System.Net;
using CsCheck;
using Lego.Kernel;
using PacketDotNet;
using Xunit;

namespace Lego.Tests.Network;

public sealed class TcpHeaderTests
{
    [Fact]
    public void A_header_that_the_library_writes_is_read()
    {
        Gen.Select(Gen.UShort, Gen.UShort, Gen.UInt, Gen.UInt, Gen.UShort, Gen.Byte, Gen.Byte.Array[0, 100])
            .Sample((from, to, sequence, acknowledgment, window, flags, payload) =>
        {
            TcpPacket packet = new(from, to)
            {
                SequenceNumber = sequence,
                AcknowledgmentNumber = acknowledgment,
                Flags = flags,
                WindowSize = window,
                PayloadData = payload,
            };
            return TcpHeader.TryParse(packet.Bytes, out TcpHeader header) && header.SourcePort == from && header.DestinationPort == to
                && header.Sequence == sequence
                && header.Acknowledgment == acknowledgment && header.Window == window && (byte)header.Flags == flags
                && header.Payload.SequenceEqual(payload);
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_checksum_is_the_library_s(bool isV4)
    {
        Gen.Byte.Array[0, 100].Sample(payload =>
        {
            TcpPacket packet = new(1000, 2000) { PayloadData = payload };
            IpAddress source = isV4 ? IpAddress.FromV4(0x0A000001) : IpAddress.FromV6(0xFD00000000000000, 1);
            IpAddress destination = isV4 ? IpAddress.FromV4(0x0A000002) : IpAddress.FromV6(0xFD00000000000000, 2);
            IPPacket ip = isV4
                ? new IPv4Packet(IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2"))
                : new IPv6Packet(IPAddress.Parse("fd00::1"), IPAddress.Parse("fd00::2"));
            ip.PayloadPacket = packet;
            packet.UpdateTcpChecksum();
            byte[] bytes = packet.Bytes;
            bool isIntact = TcpHeader.TryParse(bytes, out TcpHeader header) && header.IsIntact(source, destination);
            bytes[0] ^= 1;
            return isIntact && TcpHeader.TryParse(bytes, out header) && !header.IsIntact(source, destination);
        });
    }

    [Fact]
    public void Bytes_that_are_no_header_are_refused()
    {
        Gen.Byte.Array[0, 64].Sample(bytes =>
        {
            bool isHeader = bytes.Length >= 20 && bytes[12] >> 4 >= 5 && (bytes[12] >> 4) * 4 <= bytes.Length;
            return TcpHeader.TryParse(bytes, out _) == isHeader;
        });
    }

    [Fact]
    public void Options_that_are_written_are_read()
    {
        Gen.Select(Gen.UShort, Gen.Bool, Gen.Byte[0, 14], Gen.Bool, Gen.UInt, Gen.UInt)
            .Sample((mss, hasScale, scale, isSackPermitted, value, echo) =>
        {
            TcpOptions written = default;
            written.Mss = mss;
            written.HasWindowScale = hasScale;
            written.WindowScale = hasScale ? scale : (byte)0;
            written.IsSackPermitted = isSackPermitted;
            written.HasTimestamps = true;
            written.TimestampValue = value;
            written.TimestampEcho = echo;
            byte[] bytes = new byte[40];
            int length = written.Write(bytes);
            TcpOptions read = default;
            TcpOptions.Parse(bytes.AsSpan(0, length), ref read);
            return length % 4 == 0 && read.Mss == mss && read.HasWindowScale == hasScale && read.WindowScale == written.WindowScale
                && read.IsSackPermitted == isSackPermitted && read.HasTimestamps && read.TimestampValue == value
                && read.TimestampEcho == echo;
        });
    }

    [Fact]
    public void Selective_acknowledgments_that_are_written_are_read()
    {
        Gen.Select(Gen.UInt, Gen.UInt).Array[1, 3].Sample(blocks =>
        {
            TcpOptions written = default;
            written.HasTimestamps = true;
            written.SackCount = blocks.Length;
            for (int index = 0; index < blocks.Length; index++)
            {
                written.SackBlocks[index].Left = blocks[index].Item1;
                written.SackBlocks[index].Right = blocks[index].Item2;
            }

            byte[] bytes = new byte[40];
            TcpOptions read = default;
            TcpOptions.Parse(bytes.AsSpan(0, written.Write(bytes)), ref read);
            bool isSame = read.SackCount == blocks.Length;
            for (int index = 0; index < read.SackCount; index++)
            {
                isSame &= read.SackBlocks[index].Left == blocks[index].Item1 && read.SackBlocks[index].Right == blocks[index].Item2;
            }

            return isSame;
        });
    }

    [Fact]
    public void Any_bytes_are_options()
    {
        Gen.Byte.Array[0, 40].Sample(bytes =>
        {
            TcpOptions options = default;
            TcpOptions.Parse(bytes, ref options);
            return options.SackCount <= TcpOptions.MaximumSackBlocks && options.WindowScale <= TcpOptions.MaximumWindowScale;
        });
    }

    [Theory]
    [InlineData("020405b4010303060402", 1460, 6)]
    [InlineData("1e04aabb020405b4", 1460, -1)]
    [InlineData("0200020405b4", 0, -1)]
    [InlineData("00020405b4", 0, -1)]
    [InlineData("020405b403030f", 1460, 14)]
    public void Unknown_options_are_skipped_and_malformed_ones_end_the_list(string hex, int mss, int scale)
    {
        TcpOptions options = default;
        TcpOptions.Parse(Convert.FromHexString(hex), ref options);
        Assert.Equal(mss, options.Mss);
        Assert.Equal(scale >= 0, options.HasWindowScale);
        Assert.Equal(Math.Max(scale, 0), options.WindowScale);
    }
}
