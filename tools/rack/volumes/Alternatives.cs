// The names that several packages offer (awk, vi, nc, editor): on a Debian system their maintainer scripts tell update-alternatives(1),
// which keeps a link for the one of the highest priority. No script is run here; what postinst scripts tell it literally, or in a loop
// over literal words, is read from their text.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

namespace Lego.Racks;

/// <summary>One offer: the link, its name in /etc/alternatives, the program behind it, and the priority of the offer.</summary>
internal sealed record Alternative(string Link, string Name, string Target, int Priority);

/// <summary>Reads and links alternatives.</summary>
internal static partial class Alternatives
{
    private const string Folder = "etc/alternatives";

    /// <summary>The offers of a postinst script, those that follow another one (--slave) with its priority.</summary>
    public static IEnumerable<Alternative> Read(string script)
    {
        string text = script.Replace("\\\n", " ", StringComparison.Ordinal);
        string variable = "";
        string[] words = [""];
        foreach (string line in text.Split('\n'))
        {
            if (Loop().Match(line) is { Success: true } loop)
            {
                variable = loop.Groups[1].Value;
                words = loop.Groups[2].Value.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            }

            foreach (string word in line.Contains("update-alternatives", StringComparison.Ordinal) ? words.Append("").Distinct() : [])
            {
                string command = word.Length == 0
                    ? line
                    : line.Replace($"${{{variable}}}", word, StringComparison.Ordinal)
                        .Replace($"${variable}", word, StringComparison.Ordinal);
                foreach (Alternative offer in ReadCommand(command))
                {
                    yield return offer;
                }
            }
        }
    }

    /// <summary>Links what the tree has no file for: the offer with the highest priority whose program is there.</summary>
    public static void Link(string tree, IEnumerable<Alternative> offers)
    {
        Directory.CreateDirectory(Path.Combine(tree, Folder));
        foreach (IGrouping<string, Alternative> group in offers.GroupBy(o => o.Link))
        {
            Alternative? best = group.Where(o => IsThere(tree, o.Target)).MaxBy(o => o.Priority);
            string link = InTree(tree, group.Key);
            string inner = Path.Combine(tree, Folder, best?.Name ?? "");
            if (best is not null && !IsThere(tree, group.Key) && !IsThere(tree, $"{Folder}/{best.Name}")
                && Directory.Exists(Path.GetDirectoryName(link)))
            {
                File.CreateSymbolicLink(inner, best.Target);
                File.CreateSymbolicLink(link, $"/{Folder}/{best.Name}");
            }
        }
    }

    private static IEnumerable<Alternative> ReadCommand(string command)
    {
        Match install = Install().Match(command);
        if (!install.Success || !int.TryParse(install.Groups[4].Value, out int priority))
        {
            yield break;
        }

        foreach (Match match in Slave().Matches(command).Prepend(install))
        {
            Alternative offer = new(match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value, priority);
            bool isLiteral = offer.Link[0] == '/' && offer.Target[0] == '/' && !$"{offer}".Contains('$')
                && !offer.Name.Contains('/') && !$"{offer}".Contains("..", StringComparison.Ordinal);
            if (isLiteral)
            {
                yield return offer;
            }
        }
    }

    private static string InTree(string tree, string path) => Path.Combine(tree, path.TrimStart('/'));

    /// <summary>A link may be absolute, and then leads nowhere here: it is there all the same.</summary>
    private static bool IsThere(string tree, string path) =>
        Path.Exists(InTree(tree, path)) || new FileInfo(InTree(tree, path)).LinkTarget is not null;

    [GeneratedRegex(@"\bfor\s+(\w+)\s+in\s+([^;$]+?)\s*(;|$)")]
    private static partial Regex Loop();

    [GeneratedRegex(@"--install\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)")]
    private static partial Regex Install();

    [GeneratedRegex(@"--slave\s+(\S+)\s+(\S+)\s+(\S+)")]
    private static partial Regex Slave();
}
