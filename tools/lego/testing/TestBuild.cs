// Builds what `./lego test` runs, once and before anything runs: all test projects together (tests/tests.slnf), or the one that a single
// stage needs.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Builds test projects.</summary>
internal static class TestBuild
{
    /// <summary>Builds a project's directory or a solution filter; null, or a sentence with the compiler's first error.</summary>
    public static async Task<string?> RunAsync(string target, Share share = Share.Fair)
    {
        // A compiler that stays to serve others would keep its share of the cores for them as well.
        string[] server = share == Share.Fair ? [] : ["-p:UseSharedCompilation=false"];
        (string program, IEnumerable<string> arguments) = LeftoverTime.Command(
            share, Environment.ProcessPath!, ["build", target, "-nodeReuse:false", "-v", "quiet", .. server]);
        HostResult build = await HostProgram.TryRunAsync(program, arguments);
        if (build.Succeeded)
        {
            return null;
        }

        string first = build.Output.Split('\n').FirstOrDefault(l => l.Contains("error", StringComparison.Ordinal)) ?? build.LastWords;
        return $"{Path.GetRelativePath(HostPaths.Root, target)} does not build: {first.Trim()}";
    }
}
