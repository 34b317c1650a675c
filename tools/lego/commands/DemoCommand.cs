// `lego demo`: the main job, told step by step. Debian's busybox sorts a file whose working set is eight times the ExCache of a processor
// component that has 32 MB of RAM in all; the same program sorts the same file on this host; the results must be equal, and the components'
// counters must show that the memory was where it is said to be. Ends with one verdict.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The demo command.</summary>
internal static class DemoCommand
{
    /// <summary>Working set over ExCache.</summary>
    private const int Excess = 8;
    /// <summary>What one line costs busybox sort: its text as malloc rounds it, and a pointer.</summary>
    private const int WorkingBytesPerLine = 4096;
    private const int PageBytes = (int)ComponentDescription.PageBytes;
    private const string GuestInput = "/demo/input";
    private const string GuestOutput = "/demo/sorted";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    /// <summary>The default rack with half of its processor component: half the time for the same lesson.</summary>
    private static RackDescription Small => RackDescription.Default.With(
        ComponentKind.Processor, processor => processor with { MemoryBytes = 32 * ByteSize.MiB, ExCacheBytes = 8 * ByteSize.MiB });

    public static Command Create()
    {
        Command command = new("demo", "Watch a Debian program run with remote memory and remote files, and compare with its run here.");
        RackOptions rack = new(command, Small);
        command.SetAction(async (result, cancellation) =>
        {
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            int signal = 0;
            void Stop(int number)
            {
                signal = number;
                stop.Cancel();
            }

            using SignalForwarder signals = new(Stop, Stop);
            using ScratchDirectory scratch = new("demo");
            try
            {
                return await RunAsync(rack.Read(result, $"demo-{Environment.ProcessId}"), scratch.Path, stop.Token)
                    ? ExitStatus.Success
                    : ExitStatus.Failed;
            }
            catch (OperationCanceledException) when (signal != 0)
            {
                return ExitStatus.SignalBase + signal;
            }
        });
        return command;
    }

    private static async Task<bool> RunAsync(RackOrder order, string directory, CancellationToken cancellation)
    {
        ComponentDescription processor = order.Rack.Components.First(c => c.HasExCache);
        long excacheBytes = processor.ExCacheBytes;
        int lines = (int)(Excess * excacheBytes / WorkingBytesPerLine);
        int seed = Random.Shared.Next();
        Progress progress = new(ProgressStyle.Open);

        Say($"Making {lines:N0} random lines, {Excess * excacheBytes / ByteSize.MiB} MB, to sort (seed {seed}, never used before).");
        string input = Path.Combine(directory, "input");
        using (progress.Step("making the data set"))
        {
            await Task.Run(() => DemoData.Write(input, lines, seed), cancellation);
        }

        Say("First on this host, with its own memory: busybox sort.");
        long start = Stopwatch.GetTimestamp();
        string expected = await SortHereAsync(input, directory, progress);
        TimeSpan hostTime = Stopwatch.GetElapsedTime(start);
        Tell($"{hostTime.TotalSeconds:0.0} s; SHA-256 of the result: {expected}");

        Say($"Now a rack: {Describe(order.Rack)}");
        Tell($"Sorting works on about {Excess * excacheBytes / ByteSize.MiB} MB. "
            + $"{processor.Name} has {ByteSize.Format(processor.MemoryBytes)} of RAM in all, "
            + $"of which {ByteSize.Format(excacheBytes)} are its ExCache; the rest must live at the memory component, "
            + "and the files at the storage component.");
        await using Rack session = await Rack.BootAsync(
            order with { Added = [.. order.Added, AddedFile.Parse($"{input}:{GuestInput}")] }, progress, cancellation);
        Tell($"Up after {session.BootTime.TotalSeconds:0.00} s: "
            + string.Join(", ", (await session.ComponentsAsync()).Select(c => $"{c.Title} is process {c.ProcessId}")));

        Say($"The same program from the same file of Debian's: busybox sort {GuestInput}, output to {GuestOutput}, then its SHA-256.");
        start = Stopwatch.GetTimestamp();
        string script = $"busybox sort {GuestInput} > {GuestOutput} && busybox sha256sum < {GuestOutput}";
        ProgramOptions options = new() { Limit = s_limit };
        ProgramResult result = await new LiveCounters(session).WatchAsync(session.RunAsync(options, "/bin/sh", "-c", script));
        TimeSpan rackTime = Stopwatch.GetElapsedTime(start);
        cancellation.ThrowIfCancellationRequested();
        StatisticsDocument statistics = await session.StatisticsAsync();
        string actual = result.Output.Split(' ')[0].Trim();
        string told = result.Status == 0 ? actual : $"none, status {result.Status}: {result.Error.Trim()}";
        Tell($"{rackTime.TotalSeconds:0.0} s; SHA-256 of the result: {told}");
        return Judge(processor, expected, result.Status == 0 ? actual : "", statistics);
    }

    private static bool Judge(ComponentDescription processor, string expected, string actual, StatisticsDocument statistics)
    {
        ulong fetched = statistics["processor.excache.fills_from_memory"];
        ulong flushed = statistics["processor.excache.flushes"];
        ulong beyond = (ulong)((Excess - 1) * processor.ExCacheBytes / PageBytes);
        Say("What must be true:");
        (bool Holds, string What)[] claims =
        [
            (actual == expected, "the rack's result equals the host's, byte for byte"),
            (fetched >= beyond,
                $"lines were fetched from the memory component: {fetched:N0}, at least the {beyond:N0} pages beyond the ExCache"),
            (flushed >= beyond / 2, $"dirty lines went to the memory component: {flushed:N0}"),
        ];
        foreach ((bool holds, string what) in claims)
        {
            Tell($"{(holds ? "yes" : "NO ")}  {what}");
        }

        bool isGood = claims.All(c => c.Holds);
        Console.WriteLine();
        Console.WriteLine(isGood
            ? $"PASSED: an unmodified Debian program sorted {Excess} times its ExCache "
                + $"on a {ByteSize.Format(processor.MemoryBytes)} processor component."
            : "FAILED: see the NO above; `./lego logs` shows what the components said.");
        return isGood;
    }

    private static async Task<string> SortHereAsync(string input, string directory, Progress progress)
    {
        using IDisposable step = progress.Step("sorting on the host");
        string busybox = DefaultVolume.FindBusybox();
        string sorted = Path.Combine(directory, "sorted");
        await HostProgram.RunAsync(busybox, ["sort", "-o", sorted, input]);
        return (await HostProgram.RunAsync(busybox, ["sha256sum", sorted])).Split(' ')[0];
    }

    private static string Describe(RackDescription rack)
    {
        IEnumerable<string> parts = rack.Components.Select(c => $"{c.Title} {ByteSize.Format(c.MemoryBytes)}");
        return $"{string.Join(", ", parts)}; joined by {rack.Link.ToString().ToLowerInvariant()}.";
    }

    private static void Say(string sentence)
    {
        Console.WriteLine();
        Console.WriteLine(sentence);
    }

    private static void Tell(string sentence) => Console.WriteLine("   " + sentence);
}
