// `lego test`: everything that can be tested, cheapest first. Host tests run the images' own sources in this process's world; the
// simulation runs whole racks of them by seed; the suites image runs named cases on bare metal; rack tests drive this very tool. The last
// line counts; the status is 1 when anything failed.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The test command.</summary>
public static class TestCommand
{
    private const string Simulation = "simulation";
    private const string Unmended = "unmended";
    private const ulong DefaultSeeds = 3000;

    private static readonly string[] s_stages = ["unit", "tool", Simulation, Unmended, "suites", "rack"];

    public static Command Create()
    {
        Command command = new(
            "test", "Run the tests: on the host (unit, tool), on simulated racks (simulation), on bare metal (suites), on whole racks (rack).");
        Option<string?> filter = new("--filter")
        {
            Description = "Only tests whose names contain TEXT (suites: whose names begin with it; simulation: the scenario).",
            HelpName = "TEXT",
        };
        Option<string?> only = new("--only") { Description = "Only this stage: unit, tool, simulation, unmended, suites or rack.", HelpName = "STAGE" };
        Option<ulong> seeds = new("--seeds")
        {
            Description = $"How many seeds the simulation runs ({DefaultSeeds} if not given).",
            DefaultValueFactory = _ => DefaultSeeds,
            HelpName = "N",
        };
        Option<ulong?> seed = new("--seed") { Description = "The simulation replays this seed and prints what happens in it.", HelpName = "S" };
        Option<bool> once = new("--once") { Description = "The simulation runs each seed once, not twice to compare: for long hunts." };
        command.Options.Add(filter);
        command.Options.Add(only);
        command.Options.Add(seeds);
        command.Options.Add(seed);
        command.Options.Add(once);
        command.SetAction(async (result, cancellation) =>
        {
            string? stage = result.GetValue(only);
            if (stage is not null && Array.IndexOf(s_stages, stage) < 0)
            {
                throw ToolException.Usage($"--only: '{stage}' is none of {string.Join(", ", s_stages)}");
            }

            TestWish wish = new(result.GetValue(filter), result.GetValue(seeds), result.GetValue(seed), result.GetValue(once));
            return await RunAsync(stage, wish, cancellation);
        });
        return command;
    }

    private static async Task<int> RunAsync(string? only, TestWish wish, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        int signal = 0;
        void Stop(int number)
        {
            signal = number;
            stop.Cancel();
        }

        using SignalForwarder signals = new(Stop, Stop);
        RackDirectory.Sweep();
        TestCount total = new();
        try
        {
            foreach (string stage in s_stages)
            {
                if (only is null || only == stage)
                {
                    await RunStageAsync(stage, wish, total, stop.Token);
                }
            }
        }
        catch (OperationCanceledException) when (signal != 0)
        {
            return ExitStatus.SignalBase + signal;
        }

        Console.WriteLine($"{total.Passed} passed, {total.Failed} failed");
        return total.Failed == 0 ? ExitStatus.Success : ExitStatus.Failed;
    }

    private static async Task RunStageAsync(string stage, TestWish wish, TestCount total, CancellationToken cancellation)
    {
        string title = stage switch
        {
            "unit" => "host tests of the images' sources (tests/unit)",
            "tool" => "host tests of the rack tool (tests/tool)",
            Simulation => "seeds on simulated racks (tests/simulation)",
            Unmended => "mends that are taken out, which the simulation must notice (tests/simulation/unmended)",
            "suites" => "cases on bare metal (tests/suites)",
            _ => "tests on whole racks (tests/rack)",
        };
        Console.WriteLine($"== {title}");
        long start = Stopwatch.GetTimestamp();
        TestCount count = stage switch
        {
            Simulation => await SimulationRun.RunAsync(wish, cancellation),
            Unmended => await UnmendedRun.RunAsync(wish.Filter, cancellation),
            _ => await RunProjectAsync(stage, wish.Filter, cancellation),
        };
        foreach (string failure in count.Failures)
        {
            Console.WriteLine($"   FAILED {failure}");
        }

        string skipped = count.Skipped > 0 ? $", {count.Skipped} skipped" : "";
        Console.WriteLine($"   {count.Passed} passed, {count.Failed} failed{skipped} in {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s");
        total.Add(count);
    }

    private static async Task<TestCount> RunProjectAsync(string stage, string? filter, CancellationToken cancellation)
    {
        // Cases of the suites image are named on its boot line, by a variable that the tests hand on; all else is a filter of dotnet test.
        const string SuitesSpace = "FullyQualifiedName{0}Lego.Rack.Tests.Suites";
        string? named = filter is null ? null : $"FullyQualifiedName~{filter}";
        (string project, string? expression) = stage switch
        {
            "suites" => ("rack", string.Format(SuitesSpace, "~") + (filter is null ? "" : "&FullyQualifiedName~Every_case")),
            "rack" => ("rack", string.Format(SuitesSpace, "!~") + (named is null ? "" : "&" + named)),
            _ => (stage, named),
        };
        Environment.SetEnvironmentVariable("LEGO_SUITES_FILTER", stage == "suites" ? filter : null);
        bool isTold = project == "rack";
        // A test on machines takes seconds, so each is worth a line; host tests are hundreds.
        using IDisposable? step = isTold ? null : new Progress(ProgressStyle.Open).Step($"building and running tests/{project}");
        TestResult result = await TestProject.RunAsync(
            Path.Combine(HostPaths.Root, "tests", project), expression, line => { if (isTold) { Console.WriteLine("   " + line); } }, cancellation);
        return new TestCount(result.Passed, result.Skipped, result.Failures);
    }
}
