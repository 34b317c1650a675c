// The sources of the images as texts, for tests that judge what stands in them.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Lego.Tests.Layering;

/// <summary>Finds and reads sources; paths are relative to the repository, with slashes.</summary>
internal static class KernelSources
{
    private static readonly string s_root = FindRoot();

    private static readonly Regex s_comment = new(@"//[^\n]*|/\*.*?\*/", RegexOptions.Compiled | RegexOptions.Singleline);

    private static readonly Regex s_text = new("\"(\\\\.|[^\"\\\\])*\"", RegexOptions.Compiled);

    /// <summary>All sources below some folders.</summary>
    internal static IEnumerable<string> In(params string[] folders) =>
        folders.Select(folder => Path.Combine(s_root, folder))
            .Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories))
            .Select(path => Path.GetRelativePath(s_root, path).Replace('\\', '/'))
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal));

    /// <summary>All of a source.</summary>
    internal static string TextOf(string path) => File.ReadAllText(Path.Combine(s_root, path));

    /// <summary>A source without its comments.</summary>
    internal static string CodeOf(string path) => s_comment.Replace(TextOf(path), "");

    /// <summary>Code with empty string literals.</summary>
    internal static string WithoutTexts(string code) => s_text.Replace(code, "\"\"");

    private static string FindRoot([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", ".."));
}
