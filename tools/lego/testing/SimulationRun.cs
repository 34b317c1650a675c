// Runs the simulation (tests/simulation) on all CPUs: a process for each, because one simulated rack after the other uses one CPU only,
// with a share of the seeds each. What they print goes to the user; a failing seed counts as a failed test, and so does one that takes its
// process down.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using CliWrap;

namespace Lego.Tool;

/// <summary>Runs the built simulation.</summary>
internal static class SimulationRun
{
    private const string FailureMark = "FAILED ";
    private const int OrderlyFailure = 1;

    /// <summary>Every seed that holds is a passed test.</summary>
    public static async Task<TestCount> RunAsync(TestWish wish, Share share, Action<string> onLine, CancellationToken cancellation)
    {
        string directory = Path.Combine(HostPaths.Root, "tests", "simulation");
        string program = Path.Combine(directory, "bin", "Debug", "net10.0", "Lego.Simulation.dll");
        string[] scenario = wish.Filter is null ? [] : ["--scenario", wish.Filter];
        string[] once = wish.Once ? ["--once"] : [];
        if (wish.Seed is { } seed)
        {
            return await RunSeedsAsync([program, "--seed", $"{seed}", .. scenario], 1, share, onLine, cancellation);
        }

        ulong processes = (ulong)Math.Max(1, Environment.ProcessorCount);
        List<Task<TestCount>> runs = [];
        for (ulong process = 0; process < processes; process++)
        {
            ulong first = 1 + (wish.Seeds * process / processes);
            ulong count = (wish.Seeds * (process + 1) / processes) - first + 1;
            string[] arguments = [program, "--first", $"{first}", "--seeds", $"{count}", "--cpu", $"{process}", .. scenario, .. once];
            runs.Add(Task.Run(() => RunSeedsAsync(arguments, count, share, onLine, cancellation), cancellation));
        }

        TestCount total = new();
        foreach (TestCount count in await Task.WhenAll(runs))
        {
            total.Add(count);
        }

        return total;
    }

    private static async Task<TestCount> RunSeedsAsync(
        string[] arguments, ulong seeds, Share share, Action<string> onLine, CancellationToken cancellation)
    {
        using ScratchDirectory scratch = new("seed");
        string progress = Path.Combine(scratch.Path, "running");
        List<string> failures = [];
        void Take(string line)
        {
            lock (failures)
            {
                if (line.StartsWith(FailureMark, StringComparison.Ordinal))
                {
                    failures.Add(line[FailureMark.Length..]);
                }

                onLine(line);
            }
        }

        (string program, IEnumerable<string> words) =
            LeftoverTime.Command(share, Environment.ProcessPath!, [.. arguments, "--progress", progress]);
        CommandResult result = await Cli.Wrap(program).WithArguments(words)
            .WithValidation(CommandResultValidation.None)
            .WithStandardOutputPipe(PipeTarget.ToDelegate(Take)).WithStandardErrorPipe(PipeTarget.ToDelegate(Take))
                .ExecuteAsync(cancellation);
        if (!result.IsSuccess && result.ExitCode != OrderlyFailure)
        {
            failures.Add(WordsOnDeath(result.ExitCode, progress));
        }

        return new TestCount((int)seeds - failures.Count, 0, failures);
    }

    /// <summary>The simulation died: kernel code has written where it must not.</summary>
    private static string WordsOnDeath(int status, string progress)
    {
        ulong seed = File.Exists(progress) ? BitConverter.ToUInt64(File.ReadAllBytes(progress)) : 0;
        return seed == 0
            ? $"the simulation has ended with status {status}"
            : $"seed {seed}: its process has ended with status {status}; replay: ./lego test --only simulation --seed {seed}";
    }
}
