// The tool's own arguments as the bytes that they are. .NET decodes them as UTF-8 and replaces what is not; on Linux an argument or a
// file's name is any bytes. Here such text is decoded by Mono.Unix's encoding, which keeps the odd bytes and gives them back.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Mono.Unix;

namespace Lego.Racks;

/// <summary>Words of the command line without loss.</summary>
internal static class HostArguments
{
    private const char Replacement = '\uFFFD';

    private static readonly Lazy<byte[][]> s_words = new(ReadWords);

    /// <summary>Decodes any bytes; <see cref="Encode"/> gives the same bytes back.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? "" : UnixEncoding.Instance.GetString(bytes.ToArray());

    /// <summary>The bytes of a text that <see cref="Decode"/> or .NET made.</summary>
    public static byte[] Encode(string text) => text.Length == 0 ? [] : UnixEncoding.Instance.GetBytes(text);

    /// <summary>The last words of the command line, which .NET gave as <paramref name="decoded"/>.</summary>
    public static string[] RestoreLast(IReadOnlyList<string> decoded) =>
        decoded.Any(IsLossy) && s_words.Value.Length >= decoded.Count
            ? [.. s_words.Value[^decoded.Count..].Select(word => Decode(word))]
            : [.. decoded];

    /// <summary>One option's value, which is a word of its own or the end of one (--option=value).</summary>
    public static string Restore(string decoded)
    {
        if (!IsLossy(decoded))
        {
            return decoded;
        }

        foreach (byte[] word in s_words.Value)
        {
            string text = Encoding.UTF8.GetString(word);
            if (text == decoded)
            {
                return Decode(word);
            }

            int equals = Array.IndexOf(word, (byte)'=');
            if (text.StartsWith("--", StringComparison.Ordinal) && equals > 0
                && Encoding.UTF8.GetString(word.AsSpan(equals + 1)) == decoded)
            {
                return Decode(word.AsSpan(equals + 1));
            }
        }

        return decoded;
    }

    private static bool IsLossy(string text) => text.Contains(Replacement, StringComparison.Ordinal);

    private static byte[][] ReadWords()
    {
        List<byte[]> words = [];
        ReadOnlySpan<byte> rest = File.ReadAllBytes("/proc/self/cmdline");
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOf((byte)0);
            end = end < 0 ? rest.Length : end;
            words.Add(rest[..end].ToArray());
            rest = rest[Math.Min(end + 1, rest.Length)..];
        }

        return [.. words];
    }
}
