// Sizes as people write them on command lines and in rack files: 64M, 1G, 512K, 4096. Powers of 1024, as QEMU's -m and the images' boot
// arguments read them. Pure; no component is involved.

using System.Globalization;

namespace Lego.Racks;

/// <summary>Parses and prints byte counts with the suffixes K, M, G and T.</summary>
public static class ByteSize
{
    public const long KiB = 1024;
    public const long MiB = 1024 * KiB;
    public const long GiB = 1024 * MiB;
    private const string Suffixes = "KMGT";

    /// <summary>Reads a size; false for anything that is not a positive number with an optional suffix, or does not fit 63 bits.</summary>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        if (string.IsNullOrEmpty(text))
        {
            return false;
        }

        int power = Suffixes.IndexOf(char.ToUpperInvariant(text[^1])) + 1;
        string digits = power == 0 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) || number <= 0)
        {
            return false;
        }

        int shift = 10 * power;
        if (number > long.MaxValue >> shift)
        {
            return false;
        }

        bytes = number << shift;
        return true;
    }

    /// <summary>Reads a size or fails with a sentence that names the option or key it came from.</summary>
    public static long Parse(string text, string where)
    {
        return TryParse(text, out long bytes)
            ? bytes
            : throw ToolException.Usage($"{where}: '{text}' is not a size; write for example 64M, 1G or 4096");
    }

    /// <summary>The shortest exact form: 64M rather than 67108864, 4097 where no suffix divides it.</summary>
    public static string Format(long bytes)
    {
        int power = 0;
        while (power < Suffixes.Length && bytes != 0 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            power++;
        }

        string number = bytes.ToString(CultureInfo.InvariantCulture);
        return power == 0 ? number : number + Suffixes[power - 1];
    }
}
