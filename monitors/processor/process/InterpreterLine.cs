// The first line of a script: "#!", optional blanks, the interpreter's path, optionally blanks and one argument that reaches to the end of
// the line (execve(2), "Interpreter scripts"). Pure.

using System;

namespace Lego.Processor;

/// <summary>Parses interpreter lines.</summary>
public static class InterpreterLine
{
    /// <summary>BINPRM_BUF_SIZE: what Linux looks at.</summary>
    public const int MaxBytes = 256;

    /// <summary>False unless the text begins with a complete and non-empty interpreter line.</summary>
    /// <param name="text">The first bytes of the file (256 in Linux; a longer line is not accepted when it cuts the path).</param>
    /// <param name="interpreter">The path.</param>
    /// <param name="argument">The argument; empty when there is none.</param>
    public static bool TryParse(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> interpreter, out ReadOnlySpan<byte> argument)
    {
        interpreter = default;
        argument = default;
        if (text.Length < 3 || text[0] != (byte)'#' || text[1] != (byte)'!')
        {
            return false;
        }

        int end = text.IndexOf((byte)'\n');
        bool isCut = end < 0 && text.Length >= MaxBytes;
        ReadOnlySpan<byte> line = Trim(text.Slice(2, (end < 0 ? text.Length : end) - 2));
        int blank = 0;
        while (blank < line.Length && !IsBlank(line[blank]) && line[blank] != 0)
        {
            blank++;
        }

        interpreter = line.Slice(0, blank);
        argument = Trim(line.Slice(blank));
        // A path that reaches the end of a cut line may go on behind it.
        return interpreter.Length != 0 && !(isCut && blank == line.Length);
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> text)
    {
        int start = 0;
        while (start < text.Length && IsBlank(text[start]))
        {
            start++;
        }

        int end = text.Length;
        while (end > start && (IsBlank(text[end - 1]) || text[end - 1] == 0))
        {
            end--;
        }

        return text.Slice(start, end - start);
    }

    private static bool IsBlank(byte character) => character is (byte)' ' or (byte)'\t';
}
