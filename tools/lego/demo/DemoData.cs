// The demo's data set: lines of random letters and digits from a seed that differs each time, so that no result can have been prepared.

using System;
using System.IO;
using System.Text;

namespace Lego.Tool;

/// <summary>Writes files to sort.</summary>
internal static class DemoData
{
    /// <summary>
    /// Letters in a line; with its terminator, the allocator's header and its pointer a line takes 4 KB of a sorting program's memory, so
    /// that each comparison looks at other pages.
    /// </summary>
    public const int LineLetters = 4000;
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz012345";

    /// <summary>Writes <paramref name="lines"/> lines.</summary>
    public static void Write(string path, int lines, int seed)
    {
        Random random = new(seed);
        byte[] alphabet = Encoding.ASCII.GetBytes(Alphabet);
        byte[] line = new byte[LineLetters + 1];
        line[^1] = (byte)'\n';
        using BufferedStream file = new(File.Create(path), 1 << 20);
        for (int i = 0; i < lines; i++)
        {
            random.GetItems(alphabet, line.AsSpan(0, LineLetters));
            file.Write(line);
        }
    }
}
