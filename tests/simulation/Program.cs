// The command: runs seeds, prints the failing ones with the command that replays them. Status 0: all held; 1: some failed.

using System;
using System.CommandLine;
using System.Linq;

namespace Lego.Simulation;

/// <summary>Entry.</summary>
internal static class Program
{
    private const ulong DefaultSeeds = 1000;
    private const int MostFailures = 5;
    /// <summary>Last lines of a failing seed's trace that are shown; all of them when it is replayed.</summary>
    private const int TraceLines = 25;

    private static int Main(string[] arguments)
    {
        Option<ulong> seeds = new("--seeds") { Description = "How many seeds to run.", DefaultValueFactory = _ => DefaultSeeds };
        Option<ulong> first = new("--first") { Description = "The first seed.", DefaultValueFactory = _ => 1 };
        Option<ulong?> seed = new("--seed") { Description = "Run this seed only, and print what it does." };
        Option<string?> scenario = new("--scenario") { Description = "Run all seeds on this scenario." };
        Option<string?> progress = new("--progress") { Description = "A file that always holds the number of the seed that runs." };
        Option<bool> untilFailure = new("--until-failure") { Description = "One failing seed is enough; it is not shrunk." };
        Option<string?> unmend = new("--unmend") { Description = "Take this mend out; only in a build with the patches of unmended/." };
        Option<bool> once = new("--once") { Description = "Do not check that seeds replay." };
        Option<int?> cpu = new("--cpu") { Description = "Which of the CPUs that this process may use it is to use." };
        RootCommand command = new("Runs whole racks in one process, deterministically by seed.")
        {
            seeds, first, seed, scenario, progress, unmend, untilFailure, once, cpu,
        };
        command.SetAction(result =>
        {
            string? name = result.GetValue(scenario);
            Scenario? named = name is null ? null : Scenarios.Named(name);
            if (name is not null && named is null)
            {
                Console.Error.WriteLine($"--scenario: '{name}' is none of {Scenarios.Names}");
                return 2;
            }

            Unmended.Name = result.GetValue(unmend);
            if (result.GetValue(cpu) is { } index)
            {
                HostThread.StayOn(index);
            }

            using SeedProgress running = new(result.GetValue(progress));
            ulong? single = result.GetValue(seed);
            int mostFailures = result.GetValue(untilFailure) ? 1 : MostFailures;
            return single is { } only
                ? Replay(named ?? Scenarios.Of(only), only, named is null)
                : RunAll(named, result.GetValue(first), result.GetValue(seeds), !result.GetValue(once), running, mostFailures);
        });
        return command.Parse(arguments).Invoke();
    }

    private static int RunAll(Scenario? named, ulong first, ulong count, bool twice, SeedProgress running, int mostFailures)
    {
        int failures = 0;
        for (ulong seed = first; seed < first + count && failures < mostFailures; seed++)
        {
            running.At(seed);
            Scenario scenario = named ?? Scenarios.Of(seed);
            if (Runner.Try(scenario, seed, twice, mostFailures > 1) is { } failed)
            {
                failures++;
                Print(failed, TraceLines, false, named is null);
            }
        }

        Console.WriteLine($"{count} seeds, {failures} failed");
        return failures == 0 ? 0 : 1;
    }

    private static int Replay(Scenario scenario, ulong seed, bool isByNumber)
    {
        FailedSeed? failed = Runner.Try(scenario, seed, true, true);
        if (failed is null)
        {
            Console.WriteLine($"seed {seed} ({scenario.Name}) holds");
            return 0;
        }

        Print(failed, int.MaxValue, true, isByNumber);
        return 1;
    }

    private static void Print(FailedSeed failed, int traceLines, bool withWaits, bool isByNumber)
    {
        foreach (string line in failed.Result.Trace.Lines.TakeLast(traceLines))
        {
            Console.WriteLine(line);
        }

        if (withWaits)
        {
            Console.WriteLine(failed.Result.Waits);
        }

        string scenario = isByNumber ? "" : $" --scenario {failed.Scenario.Name}";
        Console.WriteLine($"FAILED seed {failed.Seed} ({failed.Scenario.Name}): {failed.Result.Failure}");
        if (failed.Plan.Length > 0)
        {
            Console.WriteLine(failed.Scenario.Describe(failed.Plan));
        }

        Console.WriteLine($"  replay: ./lego test --only simulation --seed {failed.Seed}{scenario}");
    }
}
