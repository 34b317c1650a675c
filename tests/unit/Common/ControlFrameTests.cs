using System;
using Lego.Common.Control;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Common;

public sealed class ControlFrameTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(ControlFrame.MaxPayloadBytes)]
    public void A_written_frame_parses_to_itself(int payloadBytes)
    {
        byte[] bytes = new byte[ControlFrame.HeaderBytes + payloadBytes + 3];
        Random.Shared.NextBytes(bytes);
        ControlFrame.WriteHeader(bytes, ControlFrameType.StandardError, 0xBEEF, payloadBytes);

        Assert.Equal(ControlParse.Complete, ControlFrame.Parse(bytes, out ControlFrame frame, out int consumed));
        Assert.Equal(ControlFrame.HeaderBytes + payloadBytes, consumed);
        Assert.Equal(ControlFrameType.StandardError, frame.Type);
        Assert.Equal(0xBEEF, frame.Session);
        Assert.True(frame.Payload.SequenceEqual(bytes.AsSpan(ControlFrame.HeaderBytes, payloadBytes)));
    }

    [Fact]
    public void Every_prefix_of_a_frame_is_incomplete()
    {
        byte[] bytes = new byte[ControlFrame.HeaderBytes + 20];
        ControlFrame.WriteHeader(bytes, ControlFrameType.Ping, 1, 20);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Equal(ControlParse.Incomplete, ControlFrame.Parse(bytes.AsSpan(0, length), out _, out _));
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    [InlineData((uint)ControlFrame.MaxPayloadBytes + 5)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0x80000000u)]
    [InlineData(0xFFFFFFFFu)]
    public void Impossible_lengths_are_malformed_from_the_first_word_on(uint length)
    {
        byte[] bytes = new byte[64];
        BitConverter.TryWriteBytes(bytes, length);
        Assert.Equal(ControlParse.Malformed, ControlFrame.Parse(bytes.AsSpan(0, 4), out _, out _));
        Assert.Equal(ControlParse.Malformed, ControlFrame.Parse(bytes, out _, out int consumed));
        Assert.Equal(0, consumed);
    }

    [Fact]
    public void Random_bytes_never_escape_the_buffer()
    {
        Random random = new(20240711);
        for (int round = 0; round < 20000; round++)
        {
            byte[] bytes = new byte[random.Next(0, 40)];
            random.NextBytes(bytes);
            if (bytes.Length >= 4 && round % 2 == 0)
            {
                BitConverter.TryWriteBytes(bytes, random.Next(0, 48));
            }

            if (ControlFrame.Parse(bytes, out ControlFrame frame, out int consumed) == ControlParse.Complete)
            {
                Assert.InRange(consumed, ControlFrame.HeaderBytes, bytes.Length);
                Assert.Equal(consumed - ControlFrame.HeaderBytes, frame.Payload.Length);
            }
        }
    }

    [Fact]
    public void A_start_payload_must_hold_exactly_the_announced_strings()
    {
        byte[] good = FakeChannel.Start(["sh", "-c", "true"], ["A=B"]);
        Assert.Equal(Errno.None, StartFrame.Parse(good, out StartFrame start));
        Assert.Equal(3u, start.ArgumentCount);
        Assert.Equal(1u, start.EnvironmentCount);

        Assert.Equal(Errno.EINVAL, StartFrame.Parse(good.AsSpan(0, good.Length - 1), out _));
        Assert.Equal(Errno.EINVAL, StartFrame.Parse([.. good, 0], out _));
        Assert.Equal(Errno.EINVAL, StartFrame.Parse(good.AsSpan(0, StartFrame.HeadBytes), out _));
        Assert.Equal(Errno.EINVAL, StartFrame.Parse(good.AsSpan(0, 7), out _));
        Assert.Equal(Errno.EINVAL, StartFrame.Parse(FakeChannel.Start([]), out _));
        byte[] manyStrings = (byte[])good.Clone();
        BitConverter.TryWriteBytes(manyStrings.AsSpan(4), uint.MaxValue);
        BitConverter.TryWriteBytes(manyStrings.AsSpan(8), uint.MaxValue);
        Assert.Equal(Errno.EINVAL, StartFrame.Parse(manyStrings, out _));
        Assert.Equal(Errno.E2BIG, StartFrame.Parse(FakeChannel.Start([new string('x', StartFrame.MaxStringBytes)]), out _));
    }
}
