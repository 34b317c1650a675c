// The machine's boot line: "key=value" words separated by spaces, given to the image by the rack tool (QEMU -append).
// Parsed in place (machine/BootLine.cs); no allocation.

using System;

namespace Lego.Kernel;

/// <summary>Look-ups in the boot line.</summary>
public static class BootArguments
{
    /// <summary>Finds the value of a key.</summary>
    public static bool TryGet(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> rest = BootLine.Text;
        while (rest.Length > 0)
        {
            int end = 0;
            while (end < rest.Length && rest[end] != (byte)' ')
            {
                end++;
            }

            ReadOnlySpan<byte> word = rest.Slice(0, end);
            if (word.Length > key.Length && word[key.Length] == (byte)'=' && word.Slice(0, key.Length).SequenceEqual(key))
            {
                value = word.Slice(key.Length + 1);
                return true;
            }

            rest = rest.Slice(end == rest.Length ? end : end + 1);
        }

        value = default;
        return false;
    }

    /// <summary>True when the key has exactly this value.</summary>
    public static bool Is(ReadOnlySpan<byte> key, ReadOnlySpan<byte> wanted) =>
        TryGet(key, out ReadOnlySpan<byte> value) && value.SequenceEqual(wanted);

    /// <summary>A byte count with an optional suffix K, M or G.</summary>
    public static ulong GetSize(ReadOnlySpan<byte> key, ulong fallback)
    {
        if (!TryGet(key, out ReadOnlySpan<byte> text) || !TryParse(text, out ulong number, out ReadOnlySpan<byte> suffix))
        {
            return fallback;
        }

        int shift = suffix.Length == 0 ? 0 : (suffix[0] | 0x20) switch { 'k' => 10, 'm' => 20, 'g' => 30, _ => 0 };
        return number << shift;
    }

    /// <summary>A decimal number, or hexadecimal after 0x.</summary>
    public static ulong GetNumber(ReadOnlySpan<byte> key, ulong fallback) =>
        TryGet(key, out ReadOnlySpan<byte> text) && TryParse(text, out ulong number, out _) ? number : fallback;

    /// <summary>Parses digits at the start of a text; false when there are none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out ulong number, out ReadOnlySpan<byte> rest)
    {
        number = 0;
        uint radix = 10;
        int index = 0;
        if (text.Length > 2 && text[0] == (byte)'0' && text[1] == (byte)'x')
        {
            radix = 16;
            index = 2;
        }

        int start = index;
        for (; index < text.Length; index++)
        {
            uint digit = text[index] switch
            {
                >= (byte)'0' and <= (byte)'9' => (uint)text[index] - '0',
                >= (byte)'a' and <= (byte)'f' => (uint)text[index] - 'a' + 10,
                _ => uint.MaxValue,
            };
            if (digit >= radix)
            {
                break;
            }

            number = (number * radix) + digit;
        }

        rest = text.Slice(index);
        return index > start;
    }
}
