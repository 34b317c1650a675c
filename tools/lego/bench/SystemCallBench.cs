// `lego bench syscalls`: tools/bench/syscalls.c on a rack and in a Linux guest (SideBySideBench), and the table of such benches.

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
internal sealed record SystemCallOrder(LinkKind Link, IReadOnlyList<string> Rows, int Rounds, int Busy);

/// <summary>A row's samples of one side, in microseconds, or why there are none.</summary>
internal sealed class SystemCallFigure
{
    private readonly List<double> _samples = [];

    public string? Reason { get; private set; }

    public double? Median => _samples.Count == 0 ? null : _samples.Order().ElementAt(_samples.Count / 2);

    /// <summary>Takes a program's output: "BENCH row_ns N" or "BENCH row - REASON".</summary>
    public void Add(string row, ProgramResult result)
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
internal sealed record SystemCallRow(string Name, string Title)
{
    public SystemCallFigure Linux { get; } = new();

    public SystemCallFigure Rack { get; } = new();

    /// <summary>The rack's time in those of the guest.</summary>
    public double? Ratio => Rack.Median / Linux.Median;
}

/// <summary>Runs the bench.</summary>
internal static class SystemCallBench
{
    private const string Source = "tools/bench/syscalls.c";
    private const string TourSource = "tests/linux/tour.sh";
    private const string GuestPath = "/bench/syscalls";
    private const string TourPath = "/bench/tour.sh";
    private const string WorkingDirectory = "/tmp";
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Measures; throws a ToolException for a row that does not exist and when a side cannot be booted.</summary>
    public static async Task<IReadOnlyList<SystemCallRow>> RunAsync(SystemCallOrder order, CancellationToken cancellation)
    {
        AddedFile tour = AddedFile.Parse($"{Path.Combine(HostPaths.Root, TourSource)}:{TourPath}");
        return await SideBySideBench.RunAsync(
            new SideBySideOrder
            {
                Rack = RackDescription.Default with { Link = order.Link },
                Source = Source,
                GuestPath = GuestPath,
                Rows = order.Rows,
                Rounds = order.Rounds,
                Arguments = [WorkingDirectory],
                Files = [tour],
                Busy = order.Busy,
            },
            cancellation);
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
            .. list.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t'))
                .Select(w => new SystemCallRow(w[0], w[1])),
        ];
        string? unknown = wanted.FirstOrDefault(name => all.All(row => row.Name != name));
        return unknown is not null
            ? throw ToolException.Usage($"there is no row '{unknown}'; the rows are {string.Join(", ", all.Select(row => row.Name))}")
            : wanted.Count == 0 ? all : all.FindAll(row => wanted.Contains(row.Name));
    }
}
