// The wire view and representation of frames: round trips, and frames that somebody has tampered with.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class MessageFrameTests
{
    [Fact]
    public void The_header_is_64_bytes_with_its_fields_where_the_protocol_says()
    {
        MessageHeader header = Sample(0);
        header.Flags = MessageFlags.Retransmit | MessageFlags.Checksummed;
        byte[] bytes = new ReadOnlySpan<byte>(&header, sizeof(MessageHeader)).ToArray();
        Assert.Equal(64, bytes.Length);
        Assert.Equal("LEGO"u8.ToArray(), bytes[..4]);
        Assert.Equal(2, bytes[4]);
        Assert.Equal((byte)MessageKind.Request, bytes[5]);
        Assert.Equal(5, bytes[6]);
        Assert.Equal((byte)RpcClass.WriteBack, bytes[7]);
        Assert.Equal((ushort)Opcode.Flush, BitConverter.ToUInt16(bytes, 8));
        Assert.Equal(0, BitConverter.ToUInt16(bytes, 10));
        Assert.Equal(3, BitConverter.ToUInt16(bytes, 12));
        Assert.Equal(4, BitConverter.ToUInt16(bytes, 14));
        Assert.Equal(0x1122334455667788UL, BitConverter.ToUInt64(bytes, 16));
        Assert.Equal(9u, BitConverter.ToUInt32(bytes, 24));
        Assert.Equal(77u, BitConverter.ToUInt32(bytes, 28));
        Assert.Equal(5, BitConverter.ToUInt16(bytes, 32));
        Assert.Equal(2, bytes[34]);
        Assert.Equal(0u, BitConverter.ToUInt32(bytes, 36));
        Assert.Equal(4096u, BitConverter.ToUInt32(bytes, 40));
        Assert.Equal(1, BitConverter.ToUInt16(bytes, 46));
        Assert.Equal(0x11223344u, BitConverter.ToUInt32(bytes, 48));
        Assert.Equal(0x55667788u, BitConverter.ToUInt32(bytes, 52));
        Assert.Equal(0x5566778811223344UL, header.Incarnations);
        Assert.Equal(3u, BitConverter.ToUInt32(bytes, 56));
        Assert.Equal(MessageHeader.ChecksumOffset, (int)((byte*)&header.Checksum - (byte*)&header));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(MessageHeader.MaxBodyBytes)]
    public void A_frame_parses_to_what_was_sent(int bodyBytes)
    {
        byte[] frame = Frame(Sample(bodyBytes), bodyBytes);
        MessageHeader header;
        Assert.Equal(bodyBytes, Read(frame, &header));
        Assert.Equal(0x1122334455667788UL, header.RequestId);
        Assert.Equal(Opcode.Flush, header.Opcode);
        Assert.True(Holds(frame, &header));
    }

    [Fact]
    public void Padding_after_the_body_is_ignored()
    {
        byte[] frame = Frame(Sample(3), 60);
        MessageHeader header;
        Assert.Equal(3, Read(frame, &header));
    }

    [Fact]
    public void A_frame_shorter_than_it_says_is_refused()
    {
        byte[] frame = Frame(Sample(100), 100);
        MessageHeader header;
        for (int length = 0; length < frame.Length; length++)
        {
            Assert.True(Read(frame[..length], &header) < 0);
        }
    }

    [Fact]
    public void The_checksum_notices_every_single_bit_that_flips()
    {
        byte[] frame = Frame(Sample(40), 40);
        for (int bit = 0; bit < frame.Length * 8; bit++)
        {
            byte[] changed = (byte[])frame.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            MessageHeader header;
            Assert.False(Read(changed, &header) >= 0 && Holds(changed, &header), $"bit {bit}");
        }
    }

    [Fact]
    public void The_digest_of_a_body_does_not_depend_on_where_its_two_pieces_meet()
    {
        byte[] body = new byte[53];
        new Random(9).NextBytes(body);
        ulong whole = BodyDigest.Of(body, default);
        for (int border = 0; border <= body.Length; border++)
        {
            Assert.Equal(whole, BodyDigest.Of(body.AsSpan(0, border), body.AsSpan(border)));
        }

        Assert.NotEqual(whole, BodyDigest.Of(body.AsSpan(0, 48), default));
        byte[] swapped = [.. body[8..16], .. body[..8], .. body[16..]];
        Assert.NotEqual(whole, BodyDigest.Of(swapped, default));
    }

    [Fact]
    public void Whatever_the_bytes_the_body_of_an_accepted_frame_lies_inside_it()
    {
        Random random = new(7);
        byte[] original = Frame(Sample(2000), 2000);
        int accepted = 0;
        for (int round = 0; round < 50_000; round++)
        {
            byte[] frame = original.AsSpan(0, random.Next(0, original.Length + 1)).ToArray();
            for (int changes = random.Next(0, 6); changes > 0 && frame.Length > 0; changes--)
            {
                frame[random.Next(Math.Min(frame.Length, 64))] = (byte)random.Next(256);
            }

            MessageHeader header;
            int length = Read(frame, &header);
            if (length >= 0)
            {
                accepted++;
                Assert.InRange(length, 0, frame.Length - MessageHeader.SizeBytes);
                Assert.True(header.FragmentOffset + (uint)length <= header.BodyBytes);
                Assert.True(header.BodyBytes <= MessageHeader.MaxBodyBytes);
            }
        }

        Assert.True(accepted > 0);
    }

    [Fact]
    public void Accepted_fragments_of_a_message_cover_it_without_overlap()
    {
        Random random = new(8);
        for (int round = 0; round < 2000; round++)
        {
            uint bodyBytes = (uint)random.Next(1, MessageHeader.MaxBodyBytes + 1);
            uint count = (uint)random.Next(2, MessageHeader.MaxFragments + 1);
            uint unit = MessageHeader.FragmentUnit(bodyBytes, count);
            uint covered = 0;
            int accepted = 0;
            for (uint index = 0; index < count; index++)
            {
                MessageHeader header = Sample((int)bodyBytes);
                header.FragmentCount = (ushort)count;
                header.FragmentIndex = (ushort)index;
                byte[] frame = new byte[MessageHeader.SizeBytes + unit];
                new ReadOnlySpan<byte>(&header, MessageHeader.SizeBytes).CopyTo(frame);
                MessageHeader parsed;
                int length = Read(frame, &parsed);
                if (length >= 0)
                {
                    covered += (uint)length;
                    accepted++;
                }
            }

            // A count that rounding makes too large is refused as a whole: its last fragments would be empty.
            Assert.True(accepted < count || covered == bodyBytes);
        }
    }

    /// <summary>The body's length as the endpoint finds it; the quick check and the full one must agree.</summary>
    private static int Read(byte[] frame, MessageHeader* header)
    {
        fixed (byte* bytes = frame)
        {
            int quick = MessageFrame.ReadPlain(bytes, frame.Length, header);
            int full = MessageFrame.Check(bytes, frame.Length, header);
            Assert.True(quick < 0 || quick == full);
            Assert.True(full < 0 || header->FragmentCount != 1 || quick == full);
            return full;
        }
    }

    private static bool Holds(byte[] frame, MessageHeader* header)
    {
        fixed (byte* body = &frame[MessageHeader.SizeBytes - 1])
        {
            return MessageFrame.ChecksumHolds(header, body + 1, (int)header->BodyBytes);
        }
    }

    private static MessageHeader Sample(int bodyBytes) => new()
    {
        Magic = MessageHeader.MagicValue,
        Version = MessageHeader.CurrentVersion,
        Kind = MessageKind.Request,
        Class = RpcClass.WriteBack,
        Opcode = Opcode.Flush,
        Source = 3,
        Destination = 4,
        RequestId = 0x1122334455667788,
        Epoch = 9,
        Asid = 77,
        VNode = 5,
        Attempt = 2,
        BodyBytes = (uint)bodyBytes,
        FragmentCount = 1,
        SourceIncarnation = 0x11223344,
        TargetIncarnation = 0x55667788,
        OldestOpen = 3,
        ReplyCapacity = 4096,
    };

    private static byte[] Frame(MessageHeader header, int roomBytes)
    {
        byte[] frame = new byte[MessageHeader.SizeBytes + roomBytes];
        new Random(5).NextBytes(frame);
        header.Flags |= MessageFlags.Checksummed;
        header.Checksum = MessageFrame.ChecksumOf(header, frame.AsSpan(MessageHeader.SizeBytes, (int)header.BodyBytes), default);
        new ReadOnlySpan<byte>(&header, MessageHeader.SizeBytes).CopyTo(frame);
        return frame;
    }
}
