// One stage of `./lego test`: what it runs, and how its lines reach the user, each with the stage's name in front, because two stages run
// at a time (TestLanes.cs).

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Stages by name.</summary>
internal static class TestStage
{
    private const string Simulation = "simulation";
    private const string Unmended = "unmended";
    private const string Style = "style";
    private const string Suites = "suites";
    private const string Rack = "rack";

    /// <summary>Stages that run on this host alone.</summary>
    public static readonly string[] OnHost = ["unit", Simulation, Unmended, Style];

    /// <summary>Stages whose timing is the rack tool's or that of machines.</summary>
    public static readonly string[] OnMachines = ["tool", Suites, Rack];

    /// <summary>
    /// Between them they compile every source but the Main of most images: one image has kernel/machine, kernel/corelib and boot/common.
    /// </summary>
    private static readonly string[] s_styled =
    [
        "tests/unit", "tests/simulation", "tests/tool", "tests/rack", "tools/rack", "tools/lego", "tools/dashboard", "tools/netstack",
        "boot/suites",
    ];

    private static readonly Lock s_output = new();

    /// <summary>What must be built for a stage before it runs; null when it builds for itself.</summary>
    public static string? TargetOf(string stage) =>
        stage == Unmended ? null : Path.Combine(HostPaths.Root, "tests", stage switch
        {
            Suites => Rack,
            Style => "tests.slnf",
            _ => stage,
        });

    /// <summary>Runs a stage and tells what came of it.</summary>
    public static async Task<TestCount> RunAsync(string stage, TestWish wish, Share share, CancellationToken cancellation)
    {
        Tell(stage, stage switch
        {
            "unit" => "host tests of the images' sources (tests/unit)",
            "tool" => "host tests of the rack tool (tests/tool)",
            Simulation => "seeds on simulated racks (tests/simulation)",
            Unmended => "mends that are taken out, which the simulation must notice (tests/simulation/unmended)",
            Style => "rules of .editorconfig (every source)",
            Suites => "cases on bare metal (tests/suites)",
            _ => "tests on whole racks (tests/rack)",
        });
        long start = Stopwatch.GetTimestamp();
        TestCount count = stage switch
        {
            Simulation => await SimulationRun.RunAsync(wish, share, line => Tell(stage, line), cancellation),
            Unmended => await UnmendedRun.RunAsync(wish.Filter, share, line => Tell(stage, line), cancellation),
            Style => await CheckStyleAsync(wish.Filter, share, cancellation),
            _ => await RunProjectAsync(stage, wish.Filter, share, cancellation),
        };
        foreach (string failure in count.Failures)
        {
            Tell(stage, $"FAILED {failure}");
        }

        string skipped = count.Skipped > 0 ? $", {count.Skipped} skipped" : "";
        Tell(stage, $"{count.Passed} passed, {count.Failed} failed{skipped} in {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s");
        return count;
    }

    /// <summary>A project in which the analyzers find nothing is a passed test.</summary>
    private static async Task<TestCount> CheckStyleAsync(string? filter, Share share, CancellationToken cancellation)
    {
        string[] projects = [.. s_styled.Where(project => filter is null || project.Contains(filter, StringComparison.Ordinal))];
        string?[] findings = new string?[projects.Length];
        using CompilerServer compiler = new();
        // Two at a time: reading a project and finding its references takes one core, and this is the last stage.
        ParallelOptions options = new() { MaxDegreeOfParallelism = 2, CancellationToken = cancellation };
        await Parallel.ForAsync(0, projects.Length, options, async (index, stop) =>
            findings[index] = await TestBuild.CheckStyleAsync(Path.Combine(HostPaths.Root, projects[index]), compiler, share, stop));
        List<string> found = [.. findings.OfType<string>()];
        return new TestCount(projects.Length - found.Count, 0, found);
    }

    private static async Task<TestCount> RunProjectAsync(string stage, string? filter, Share share, CancellationToken cancellation)
    {
        // Cases of the suites image are named on its boot line, by a variable that the tests hand on; all else is a filter of dotnet test.
        const string SuitesSpace = "FullyQualifiedName{0}Lego.Rack.Tests.Suites";
        string? named = filter is null ? null : $"FullyQualifiedName~{filter}";
        (string project, string? expression) = stage switch
        {
            Suites => (Rack, string.Format(SuitesSpace, "~") + (filter is null ? "" : "&FullyQualifiedName~Every_case")),
            Rack => (Rack, string.Format(SuitesSpace, "!~") + (named is null ? "" : "&" + named)),
            _ => (stage, named),
        };
        Environment.SetEnvironmentVariable("LEGO_SUITES_FILTER", stage == Suites ? filter : null);
        // All tests need everything, so that what takes long to make may be begun beside the first (Preparation.cs).
        Environment.SetEnvironmentVariable("LEGO_PREPARE", stage == Rack && filter is null ? "yes" : null);
        // Tests that run C# scripts as users do share one warm compiler.
        using CompilerServer? compiler = stage == Rack ? new CompilerServer() : null;
        compiler?.ServeChildren();
        // A test on machines takes seconds, so each is worth a line; host tests are hundreds.
        Action<string> take = project == Rack ? line => Tell(stage, line) : _ => { };
        TestResult result = await TestProject.RunAsync(Path.Combine(HostPaths.Root, "tests", project), expression, share, take,
            cancellation);
        return new TestCount(result.Passed, result.Skipped, result.Failures);
    }

    private static void Tell(string stage, string text)
    {
        lock (s_output)
        {
            Console.WriteLine($"{stage,-10} {text}");
        }
    }
}
