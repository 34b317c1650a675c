// Texts of pseudo-files: numbers, and windows that join up to the whole.

using System;
using System.Text;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class TextBufferTests
{
    [Fact]
    public void Numbers_are_written_as_printf_writes_them()
    {
        TextBuffer text = new(new byte[512]);
        text.AppendNumber(0);
        text.Append((byte)' ');
        text.AppendNumber(ulong.MaxValue);
        text.Append((byte)' ');
        text.AppendNumber(42, 6);
        text.AppendNumber(7, 3, (byte)'0');
        text.Append((byte)' ');
        text.AppendSigned(-5);
        text.Append((byte)' ');
        text.AppendSigned(long.MinValue);
        text.Append((byte)' ');
        text.AppendHex(0);
        text.Append((byte)' ');
        text.AppendHex(0xdeadbeef);
        text.Append((byte)' ');
        text.AppendHex(0xab, 8);
        text.Append((byte)' ');
        text.AppendHex(ulong.MaxValue, 16);
        text.Append((byte)' ');
        text.AppendOctal(18, 4);
        text.Append((byte)' ');
        text.AppendHundredths(12345);
        text.Append((byte)' ');
        text.AppendHundredths(5);
        Assert.Equal(
            "0 18446744073709551615     42007 -5 -9223372036854775808 0 deadbeef 000000ab ffffffffffffffff 0022 123.45 0.05",
            Encoding.ASCII.GetString(text.Text));
    }

    [Fact]
    public void Windows_of_any_size_join_up_to_the_whole_text()
    {
        byte[] whole = Generate(new byte[4096], 0);
        for (int size = 1; size < 40; size++)
        {
            byte[] joined = [];
            byte[] window;
            do
            {
                window = Generate(new byte[size], (ulong)joined.Length);
                joined = [.. joined, .. window];
            }
            while (window.Length != 0);
            Assert.Equal(whole, joined);
        }
    }

    [Fact]
    public void Nothing_is_written_outside_the_window()
    {
        byte[] memory = new byte[8];
        TextBuffer text = new(memory.AsSpan(2, 3));
        text.Append("abcdefgh"u8);
        text.Append((byte)'x');
        Assert.True(text.IsFull);
        Assert.Equal([0, 0, (byte)'a', (byte)'b', (byte)'c', 0, 0, 0], memory);
    }

    private static byte[] Generate(byte[] window, ulong skip)
    {
        TextBuffer text = new(window, skip);
        for (uint line = 0; line < 20; line++)
        {
            text.Append("line "u8);
            text.AppendNumber(line * 12345, 8);
            text.Append((byte)':');
            text.AppendHex(line, 4);
            text.AppendLine(" value "u8, line, " kB"u8);
        }

        return text.Text.ToArray();
    }
}
