// `lego bench syscalls`: tools/bench/syscalls.c on a rack and in a Linux guest that are up side by side, the same static program under the
// same QEMU flags. Each round runs every row on one and at once on the other, so that what else the host does meets both; a figure is the
// median of the rounds. The guest's files are on ext4 on a virtio disk, the rack's on its storage component.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>What to measure.</summary>
public sealed record SystemCallOrder(LinkKind Link, IReadOnlyList<string> Rows, int Rounds, int Busy);

/// <summary>A row's samples of one side, in microseconds, or why there are none.</summary>
public sealed class SystemCallFigure
{
    private readonly List<double> _samples = [];

    public string? Reason { get; private set; }

    public double? Median => _samples.Count == 0 ? null : _samples.Order().ElementAt(_samples.Count / 2);

    /// <summary>Takes a program's output: "BENCH row_ns N" or "BENCH row - REASON".</summary>
    public void Add(string row, SessionResult result)
    {
        const double NanosecondsPerMicrosecond = 1000;
        string? line = result.Output.Split('\n').FirstOrDefault(l => l.StartsWith($"BENCH {row}", StringComparison.Ordinal));
        if (line is not null && double.TryParse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture, out double nanoseconds))
        {
            _samples.Add(nanoseconds / NanosecondsPerMicrosecond);
        }
        else
        {
            Reason = line is not null ? line[(line.IndexOf('-') + 1)..].Trim() : $"status {result.Status} {result.Error.Trim()}".Trim();
        }
    }
}

/// <summary>One row of the table.</summary>
public sealed record SystemCallRow(string Name, string Title)
{
    public SystemCallFigure Linux { get; } = new();

    public SystemCallFigure Rack { get; } = new();

    /// <summary>The rack's time in those of the guest.</summary>
    public double? Ratio => Rack.Median / Linux.Median;
}

/// <summary>Runs the bench.</summary>
public static class SystemCallBench
{
    private const string Source = "tools/bench/syscalls.c";
    private const string TourSource = "tests/linux/tour.sh";
    private const string GuestPath = "/bench/syscalls";
    private const string TourPath = "/bench/tour.sh";
    private const string WorkingDirectory = "/tmp";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Measures; throws a ToolException for a row that does not exist and when a side cannot be booted.</summary>
    public static async Task<IReadOnlyList<SystemCallRow>> RunAsync(SystemCallOrder order, CancellationToken cancellation)
    {
        string program = await CProgram.EnsureAsync(Source);
        List<SystemCallRow> rows = Choose(await HostProgram.RunAsync(program, []), order.Rows);
        Progress progress = new(ProgressStyle.Open);
        LinuxKernel kernel = await LinuxKernel.EnsureAsync(progress);
        List<AddedFile> files = [AddedFile.Parse($"{program}:{GuestPath}"), AddedFile.Parse($"{Path.Combine(HostPaths.Root, TourSource)}:{TourPath}")];
        RackDescription description = RackDescription.Default with { Link = order.Link };
        string volume = Path.Combine(HostPaths.Volumes, $".bench-{Environment.ProcessId}.img");
        try
        {
            await Ext4Image.CopyAsync(await DefaultVolume.EnsureAsync(progress), volume);
            await AddedFile.PutAllAsync(files, volume);
            RackOrder rackOrder = new(description, files, $"bench-{Environment.ProcessId}");
            await using RackSession rack = await RackSession.BootAsync(rackOrder, progress, cancellation);
            using MachineStarter starter = new();
            long memoryBytes = description.Components.Sum(c => c.MemoryBytes);
            await using LinuxGuest guest = await BootAsync(kernel, volume, memoryBytes, rack.Keeper.Accelerator, starter, progress, cancellation);
            using BusyLoops loops = await BusyLoops.StartAsync(order.Busy, starter);
            for (int round = 1; round <= order.Rounds; round++)
            {
                using IDisposable step = progress.Step($"round {round} of {order.Rounds}");
                await RunRoundAsync(rows, rack, guest, cancellation);
            }
        }
        finally
        {
            File.Delete(volume);
        }

        return rows;
    }

    /// <summary>{"null": {"linux_us": ..., "rack_us": ..., "ratio": ...}, ...}</summary>
    public static string ToJson(IEnumerable<SystemCallRow> rows)
    {
        JsonObject root = new();
        foreach (SystemCallRow row in rows)
        {
            root[row.Name] = new JsonObject { ["linux_us"] = row.Linux.Median, ["rack_us"] = row.Rack.Median, ["ratio"] = row.Ratio };
        }

        return root.ToJsonString(s_indented);
    }

    /// <summary>The rows that the program lists ("name, tab, title"), or those of them that are wanted.</summary>
    public static List<SystemCallRow> Choose(string list, IReadOnlyList<string> wanted)
    {
        List<SystemCallRow> all =
        [
            .. list.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t')).Select(w => new SystemCallRow(w[0], w[1])),
        ];
        string? unknown = wanted.FirstOrDefault(name => all.All(row => row.Name != name));
        return unknown is not null
            ? throw ToolException.Usage($"there is no row '{unknown}'; the rows are {string.Join(", ", all.Select(row => row.Name))}")
            : wanted.Count == 0 ? all : all.FindAll(row => wanted.Contains(row.Name));
    }

    private static async Task<LinuxGuest> BootAsync(LinuxKernel kernel, string volume, long memoryBytes, Accelerator accelerator,
        MachineStarter starter, Progress progress, CancellationToken cancellation)
    {
        using IDisposable step = progress.Step($"booting Linux {kernel.Name}");
        return await LinuxGuest.BootAsync(kernel, volume, memoryBytes, accelerator, starter, cancellation);
    }

    private static async Task RunRoundAsync(List<SystemCallRow> rows, RackSession rack, LinuxGuest guest, CancellationToken cancellation)
    {
        foreach (SystemCallRow row in rows)
        {
            cancellation.ThrowIfCancellationRequested();
            string[] words = [GuestPath, row.Name, WorkingDirectory];
            if (row.Linux.Reason is null)
            {
                row.Linux.Add(row.Name, await guest.RunAsync(words, s_limit, cancellation));
            }

            if (row.Rack.Reason is null)
            {
                row.Rack.Add(row.Name, await rack.RunAsync(words, s_limit));
            }
        }
    }
}
