// Unpacks Debian packages and all that they depend on into a directory, without root and without touching the host's own packages:
// apt-cache resolves, apt-get download fetches, dpkg-deb -x unpacks. Maintainer scripts are not run.

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

    /// <summary>Unpacks the packages into <paramref name="tree"/>.</summary>
    public static async Task MakeAsync(string tree, IReadOnlyList<string> packages, Progress progress)
    {
        string[] all;
        using (progress.Step($"resolving {string.Join(", ", packages)}"))
        {
            all = await ResolveAsync(packages);
        }

        string archives = tree + ".deb";
        DefaultVolume.DeleteTree(archives);
        Directory.CreateDirectory(archives);
        using (progress.Step($"downloading {all.Length} packages"))
        {
            await HostProgram.RunAsync("apt-get", ["-q", "download", .. all], archives);
        }

        foreach (string name in s_mergedDirectories)
        {
            Directory.CreateDirectory(Path.Combine(tree, "usr", name));
            File.CreateSymbolicLink(Path.Combine(tree, name), "usr/" + name);
        }

        using (progress.Step($"unpacking {all.Length} packages"))
        {
            foreach (string archive in Directory.EnumerateFiles(archives, "*.deb").Order(StringComparer.Ordinal))
            {
                await HostProgram.RunAsync("dpkg-deb", ["-x", archive, tree]);
            }
        }

        DefaultVolume.DeleteTree(archives);
        DefaultVolume.MakeSkeleton(tree);
    }

    private static async Task<string[]> ResolveAsync(IReadOnlyList<string> packages)
    {
        foreach (string package in packages)
        {
            if (!(await HostProgram.TryRunAsync("apt-cache", ["show", package])).Succeeded)
            {
                throw ToolException.Usage($"apt knows no package {package} (is its list empty? then: sudo apt-get update)");
            }
        }

        string[] options =
        [
            "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances",
        ];
        string lines = await HostProgram.RunAsync("apt-cache", [.. options, .. packages]);
        // Names at the line's start are packages; indented lines are relations, <angle brackets> virtual packages.
        return [.. lines.Split('\n').Where(l => l.Length > 0 && char.IsAsciiLetterOrDigit(l[0])).Distinct().Order(StringComparer.Ordinal)];
    }
}
