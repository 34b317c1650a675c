// Files that a command writes when its work is done, minutes later perhaps: whether they can be written is found out before it begins.

using System;
using System.IO;

namespace Lego.Tool;

/// <summary>Looks at files that options name.</summary>
internal static class OutputFile
{
    /// <summary>Makes the file if it is missing; what it has stays, unless the mode is another one.</summary>
    /// <exception cref="ToolException">It cannot be written; names the option.</exception>
    public static void Check(string? path, string option, FileMode mode = FileMode.OpenOrCreate)
    {
        if (path is null)
        {
            return;
        }

        try
        {
            using FileStream file = new(path, mode, FileAccess.Write);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw ToolException.Usage($"{option}: cannot write '{path}': {error.Message}");
        }
    }
}
