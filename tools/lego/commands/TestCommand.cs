// `lego test`: everything that can be tested. Host tests run the images' own sources in this host's world; the simulation runs whole racks
// of them by seed; the analyzers look at every source; the suites image runs named cases on bare metal; rack tests drive this very tool.
// The last line counts; the status is 1 when anything failed.

using System;
using System.CommandLine;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The test command.</summary>
internal static class TestCommand
{
    private const ulong DefaultSeeds = 2000;

    private static readonly string[] s_stages = [.. TestStage.OnHost, .. TestStage.OnMachines];

    public static Command Create()
    {
        Command command = new(
            "test",
            "Run the tests: on the host (unit, tool), on simulated racks (simulation, unmended), of the sources' style (style), on bare "
            + "metal (suites), on whole racks (rack).");
        Option<string?> filter = new("--filter")
        {
            Description = "Only tests whose names contain TEXT (suites: whose names begin with it; simulation: the scenario).",
            HelpName = "TEXT",
        };
        Option<string?> only = new("--only") { Description = $"Only this stage: {string.Join(", ", s_stages)}.", HelpName = "STAGE" };
        Option<ulong> seeds = new("--seeds")
        {
            Description = $"How many seeds the simulation runs ({DefaultSeeds} if not given).",
            DefaultValueFactory = _ => DefaultSeeds,
            HelpName = "N",
        };
        Option<ulong?> seed = new("--seed")
        {
            Description = "The simulation replays this seed and prints what happens in it.",
            HelpName = "S",
        };
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
        using ScratchDirectory scratch = new("test");
        TestCount total;
        try
        {
            // Compilers and tests that run for a minute gain nothing from watching which of their own code is hot (dynamic
            // profile-guided optimisation).
            Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
            string? error = await BuildAsync(only, stop.Token);
            // What tests leave when they are killed goes with this, at the latest when the tool is started next.
            Environment.SetEnvironmentVariable("TMPDIR", scratch.Path);
            total = error is not null
                ? new TestCount(0, 0, [error])
                : only is null ? await TestLanes.RunAsync(wish, stop.Token) : await TestStage.RunAsync(only, wish, Share.Fair, stop.Token);
        }
        catch (OperationCanceledException) when (signal != 0)
        {
            return ExitStatus.SignalBase + signal;
        }

        Console.WriteLine($"{total.Passed} passed, {total.Failed} failed");
        return total.Failed == 0 ? ExitStatus.Success : ExitStatus.Failed;
    }

    private static async Task<string?> BuildAsync(string? only, CancellationToken cancellation)
    {
        string? target = only is null ? Path.Combine(HostPaths.Root, "tests", "tests.slnf") : TestStage.TargetOf(only);
        if (target is null)
        {
            return null;
        }

        string? error;
        using (new Progress(ProgressStyle.Open).Step("building the tests"))
        {
            error = await TestBuild.RunAsync(target, Share.Fair, cancellation);
        }

        if (error is not null)
        {
            Console.WriteLine($"FAILED {error}");
        }

        return error;
    }
}
