// Reads what an image wrote on its serial port: log lines "[seconds.micros] name level: text", and, when it dies by its own decision, lines
// that begin with "PANIC ": first the reason, then the backtrace.

using System;
using System.IO;
using System.Linq;

namespace Lego.Racks;

/// <summary>Questions about a machine's serial log.</summary>
internal static class SerialLog
{
    private const string PanicPrefix = "PANIC ";

    /// <summary>The text behind the first "PANIC ", or null.</summary>
    public static string? PanicReason(string log)
    {
        string? line = log.Split('\n').FirstOrDefault(l => l.StartsWith(PanicPrefix, StringComparison.Ordinal));
        return line?[PanicPrefix.Length..].Trim();
    }

    /// <summary>What follows a text in the last line that has it, or null.</summary>
    public static string? LineWith(string log, string text)
    {
        string? line = log.Split('\n').LastOrDefault(l => l.Contains(text, StringComparison.Ordinal));
        return line?[(line.IndexOf(text, StringComparison.Ordinal) + text.Length)..].Trim();
    }

    /// <summary>The last non-empty line, or null.</summary>
    public static string? LastLine(string log) => log.Split('\n').Select(l => l.TrimEnd()).LastOrDefault(l => l.Length > 0);

    /// <summary>The whole log; empty when there is none yet.</summary>
    public static string Read(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using StreamReader reader = new(file);
            return reader.ReadToEnd();
        }
        catch (IOException)
        {
            return "";
        }
    }
}
