// The test of the simulation: takes the mends of interleaving defects out, one after the other, and expects it to find each within some
// seeds. The mends are patches (tests/simulation/unmended/NAME.patch: a scenario, a number of seeds, a sentence, a diff) of a copy of the
// sources, all in one build, where a name on the command line says which of them acts.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using CliWrap;

namespace Lego.Tool;

/// <summary>Builds the patched copy and runs each patch's scenario.</summary>
internal static class UnmendedRun
{
    private static readonly string[] s_copied = ["kernel", "monitors", "boot", "tests/simulation", "tests/unit/host"];
    private static readonly string[] s_settings = ["Directory.Build.props", "tests/Directory.Build.props"];
    private static readonly string[] s_products = ["bin", "obj"];

    /// <summary>A mend that is missed counts as a failed test.</summary>
    public static async Task<TestCount> RunAsync(string? filter, Share share, Action<string> onLine, CancellationToken cancellation)
    {
        string copy = Path.Combine(HostPaths.Out, "unmended");
        string[] patches = [.. Directory.GetFiles(Path.Combine(HostPaths.Root, "tests", "simulation", "unmended"), "*.patch").Order()];
        CopySources(copy);
        string? error = await PatchAsync(copy, patches) ?? await TestBuild.RunAsync(
            Path.Combine(copy, "tests", "simulation"), share, cancellation);
        if (error is not null)
        {
            return new TestCount(0, 0, [error]);
        }

        TestCount total = new();
        ParallelOptions options = new() { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellation };
        await Parallel.ForEachAsync(patches.Where(patch => filter is null || Path.GetFileName(patch)
            .Contains(filter, StringComparison.Ordinal)), options,
            async (patch, stop) =>
            {
                TestCount one = await RunOneAsync(copy, patch, share, onLine, stop);
                lock (total)
                {
                    total.Add(one);
                }
            });
        return total;
    }

    private static async Task<TestCount> RunOneAsync(string copy, string patch, Share share, Action<string> onLine,
        CancellationToken cancellation)
    {
        string name = Path.GetFileNameWithoutExtension(patch);
        string[] head = File.ReadAllLines(patch);
        string scenario = ValueOf(head[0], "Scenario");
        string seeds = ValueOf(head[1], "Seeds");
        (string program, IEnumerable<string> arguments) = LeftoverTime.Command(share, Environment.ProcessPath!,
            [ProgramIn(copy), "--scenario", scenario, "--seeds", seeds, "--until-failure", "--once", "--unmend", name]);
        CommandResult result = await Cli.Wrap(program).WithArguments(arguments).WithValidation(CommandResultValidation.None)
            .ExecuteAsync(cancellation);
        // A process that dies of what the defect has written is a find as well.
        bool isFound = !result.IsSuccess;
        onLine($"{(isFound ? "found " : "MISSED")} {name}: {head[2]}");
        return isFound
            ? new TestCount(1, 0, [])
            : new TestCount(0, 0, [$"{name}: {seeds} seeds of scenario {scenario} hold although this mend is taken out: {head[2]}"]);
    }

    private static string ProgramIn(string copy) =>
        Path.Combine(copy, "tests", "simulation", "bin", "Debug", "net10.0", "Lego.Simulation.dll");

    private static string ValueOf(string line, string key) => line.StartsWith(key + ": ", StringComparison.Ordinal)
        ? line[(key.Length + 2)..]
        : throw ToolException.Host($"a patch in tests/simulation/unmended has '{line}' where '{key}: ...' belongs");

    private static void CopySources(string copy)
    {
        foreach (string part in s_copied)
        {
            string from = Path.Combine(HostPaths.Root, part);
            string to = Path.Combine(copy, part);
            if (Directory.Exists(to))
            {
                foreach (string old in Directory.GetFiles(to, "*.cs", SearchOption.AllDirectories).Where(IsSource))
                {
                    File.Delete(old);
                }
            }

            foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories).Where(IsSource))
            {
                string target = Path.Combine(to, Path.GetRelativePath(from, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target, overwrite: true);
            }
        }

        foreach (string settings in s_settings)
        {
            File.Copy(Path.Combine(HostPaths.Root, settings), Path.Combine(copy, settings), overwrite: true);
        }
    }

    private static bool IsSource(string path) => !path.Split(Path.DirectorySeparatorChar).Any(part => s_products.Contains(part));

    private static async Task<string?> PatchAsync(string copy, string[] patches)
    {
        foreach (string patch in patches)
        {
            HostResult result = await HostProgram.TryRunAsync("patch", ["-p1", "--batch", "--forward", "-i", patch], copy);
            if (!result.Succeeded)
            {
                return $"{Path.GetFileName(patch)} no longer fits the sources: "
                    + $"make it anew from the mend that it takes out ({result.LastWords})";
            }
        }

        return null;
    }
}
