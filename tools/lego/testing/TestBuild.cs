// Builds what `./lego test` runs, once and before anything runs: all test projects together (tests/tests.slnf), or the one that a single
// stage needs. Without the analyzers, which take longer than the compiler: they are a stage of their own, beside the machines.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Builds test projects.</summary>
internal static class TestBuild
{
    /// <summary>Builds a project's directory or a solution filter; null, or a sentence with the compiler's first error.</summary>
    public static async Task<string?> RunAsync(string target, Share share, CancellationToken cancellation)
    {
        using CompilerServer compiler = new();
        return await RunAsync(target, ["-p:RunAnalyzers=false"], compiler, share, cancellation);
    }

    /// <summary>
    /// Compiles a built project once more, with the analyzers and beside what runs; null, or a sentence with the first finding.
    /// </summary>
    public static Task<string?> CheckStyleAsync(string project, CompilerServer compiler, Share share, CancellationToken cancellation) =>
        RunAsync(
            project,
            ["--no-restore", "-t:Compile", $"-p:ChecksStyle={project}", "-p:BuildProjectReferences=false"],
            compiler,
            share,
            cancellation);

    private static async Task<string?> RunAsync(
        string target, string[] options, CompilerServer compiler, Share share, CancellationToken cancellation)
    {
        string[] command = ["build", target, "-nodeReuse:false", "-v", "quiet"];
        (string program, IEnumerable<string> arguments) =
            LeftoverTime.Command(share, Environment.ProcessPath!, [.. command, .. options, .. compiler.Options]);
        HostResult build = await HostProgram.TryRunAsync(program, arguments, cancellation: cancellation);
        if (build.Succeeded)
        {
            return null;
        }

        string first = build.Output.Split('\n').FirstOrDefault(l => l.Contains("error", StringComparison.Ordinal)) ?? build.LastWords;
        return $"{Path.GetRelativePath(HostPaths.Root, target)} does not build: {first.Trim()}";
    }
}
