// The checksum against a plain sum of 16-bit words (RFC 1071, 1), in pieces of any length.

using System;
using CsCheck;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed class InternetChecksumTests
{
    [Fact]
    public void The_sum_of_pieces_is_the_sum_of_the_whole()
    {
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[0, 300], Gen.Int[0, 300]).Sample((bytes, first, second) =>
        {
            first = Math.Min(first, bytes.Length);
            second = Math.Min(Math.Max(first, second), bytes.Length);
            InternetChecksum checksum = default;
            checksum.Add(bytes.AsSpan(0, first));
            checksum.Add(bytes.AsSpan(first, second - first));
            checksum.Add(bytes.AsSpan(second));
            return checksum.Value == Plain(bytes);
        });
    }

    [Fact]
    public void The_example_of_RFC_1071_has_its_sum()
    {
        InternetChecksum checksum = default;
        checksum.Add([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        Assert.Equal(0xddf2, checksum.PartialValue);
        Assert.Equal(0x220d, checksum.Value);
    }

    [Fact]
    public void An_update_of_one_word_is_the_sum_of_the_changed_whole()
    {
        Gen.Select(Gen.Byte.Array[20], Gen.UShort, Gen.Int[0, 9]).Sample((bytes, word, at) =>
        {
            ushort before = Plain(bytes);
            ushort old = (ushort)((bytes[2 * at] << 8) | bytes[(2 * at) + 1]);
            bytes[2 * at] = (byte)(word >> 8);
            bytes[(2 * at) + 1] = (byte)word;
            return InternetChecksum.Update(before, old, word) == Plain(bytes);
        });
    }

    private static ushort Plain(byte[] bytes)
    {
        uint sum = 0;
        for (int index = 0; index < bytes.Length; index++)
        {
            sum += (index & 1) == 0 ? (uint)bytes[index] << 8 : bytes[index];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
