// Unpacks Debian packages and all that they depend on into a directory, without root and without touching the host's own packages, which
// do not count either: apt-cache resolves, apt-get download fetches, dpkg-deb unpacks. Maintainer scripts are not run (Alternatives.cs).

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Makes a tree from packages.</summary>
internal static class PackageTree
{
    // Debian's merged /usr: packages ship files under both names.
    private static readonly string[] s_mergedDirectories = ["bin", "sbin", "lib", "lib64"];

    private const string NameField = "Package: ";

    /// <summary>A version that is installed here but in no archive is none that could be fetched.</summary>
    private static readonly string[] s_nothingInstalled = ["-o", "Dir::State::status=/dev/null"];

    /// <summary>Unpacks the packages into <paramref name="tree"/>.</summary>
    public static async Task MakeAsync(string tree, IReadOnlyList<string> packages, Progress progress)
    {
        string[] all;
        using (progress.Step($"resolving {string.Join(", ", packages)}"))
        {
            all = await ResolveAsync(packages);
        }

        string archives = tree + ".deb";
        try
        {
            await UnpackAsync(tree, all, archives, progress);
        }
        finally
        {
            DefaultVolume.DeleteTree(archives);
        }

        DefaultVolume.MakeSkeleton(tree);
    }

    private static async Task UnpackAsync(string tree, string[] all, string archives, Progress progress)
    {
        // A killed command may have left some.
        DefaultVolume.DeleteTree(archives);
        Directory.CreateDirectory(archives);
        using (progress.Step($"downloading {all.Length} packages"))
        {
            await HostProgram.RunAsync("apt-get", [.. s_nothingInstalled, "-q", "download", .. all], archives);
        }

        foreach (string name in s_mergedDirectories)
        {
            Directory.CreateDirectory(Path.Combine(tree, "usr", name));
            File.CreateSymbolicLink(Path.Combine(tree, name), "usr/" + name);
        }

        using (progress.Step($"unpacking {all.Length} packages"))
        {
            List<Alternative> offers = [];
            foreach (string archive in Directory.EnumerateFiles(archives, "*.deb").Order(StringComparer.Ordinal))
            {
                await HostProgram.RunAsync("dpkg-deb", ["-x", archive, tree]);
                // Fails for a package without such a script.
                HostResult script = await HostProgram.TryRunAsync("dpkg-deb", ["-I", archive, "postinst"]);
                offers.AddRange(script.Succeeded ? Alternatives.Read(script.Output) : []);
            }

            Alternatives.Link(tree, offers);
        }
    }

    private static async Task<string[]> ResolveAsync(IReadOnlyList<string> packages)
    {
        // One question for all, because apt makes its cache anew for each. It tells of those that it knows, whatever its status.
        HostResult shown = await HostProgram.TryRunAsync("apt-cache", [.. s_nothingInstalled, "show", .. packages]);
        HashSet<string> known = [.. shown.Output.Split('\n').Where(line => line.StartsWith(NameField, StringComparison.Ordinal))
            .Select(line => line[NameField.Length..].Trim())];
        if (packages.FirstOrDefault(package => !known.Contains(package.Split(':', '=')[0])) is { } unknown)
        {
            throw ToolException.Usage($"apt knows no package {unknown} (is its list empty? then: sudo apt-get update)");
        }

        string[] options =
        [
            .. s_nothingInstalled, "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
            "--no-replaces", "--no-enhances",
        ];
        string lines = await HostProgram.RunAsync("apt-cache", [.. options, .. packages]);
        // Names at the line's start are packages; indented lines are relations, <angle brackets> virtual packages.
        return [.. lines.Split('\n').Where(l => l.Length > 0 && char.IsAsciiLetterOrDigit(l[0])).Distinct().Order(StringComparer.Ordinal)];
    }
}
