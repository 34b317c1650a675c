// The figures of the bench commands: read from the measuring program's "BENCH name_ns N" lines, kept in microseconds (or, where the clock
// counts instructions, in those), printed side by side for the links and written as JSON.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lego.Tool;

/// <summary>Medians of one link by name, in the order printed.</summary>
internal sealed class BenchReport
{
    private const string LinePrefix = "BENCH ";
    private const string UnitSuffix = "_ns";
    private const double NanosecondsPerMicrosecond = 1000;
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private readonly List<(string Name, double Value)> _figures = [];
    private readonly List<(string Name, double Value)> _stages = [];

    public IEnumerable<(string Name, double Value)> Figures => _figures;

    /// <summary>Means of the stages of a miss, in their order.</summary>
    public IEnumerable<(string Name, double Value)> Stages => _stages;

    /// <summary>True when the program printed its last line.</summary>
    public bool IsComplete { get; private set; }

    public static BenchReport Parse(string output)
    {
        BenchReport report = new();
        foreach (string line in output.Split('\n'))
        {
            string[] words = line.Trim().Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!line.StartsWith(LinePrefix, StringComparison.Ordinal) || words.Length < 2)
            {
                continue;
            }

            report.IsComplete |= words[1] == "done";
            if (words.Length == 3 && words[1].EndsWith(UnitSuffix, StringComparison.Ordinal)
                && double.TryParse(words[2], NumberStyles.Float, CultureInfo.InvariantCulture, out double nanoseconds))
            {
                report._figures.Add((words[1][..^UnitSuffix.Length], nanoseconds / NanosecondsPerMicrosecond));
            }
        }

        return report;
    }

    /// <summary>Takes the stages from a processor component's counters: ticks added up over a number of samples.</summary>
    public void AddStages(IReadOnlyDictionary<string, ulong> counters)
    {
        const string Prefix = "processor.excache.stage.";
        const double MicrosecondsPerSecond = 1e6;
        ulong samples = counters.GetValueOrDefault(Prefix + "samples");
        ulong ticksPerSecond = counters.GetValueOrDefault("machine.ticks_per_second");
        if (samples == 0 || ticksPerSecond == 0)
        {
            return;
        }

        foreach (string name in new[] { "lookup", "victim", "fetch", "map" })
        {
            _stages.Add((name, counters.GetValueOrDefault($"{Prefix}{name}_ticks") * MicrosecondsPerSecond / ticksPerSecond / samples));
        }
    }

    /// <summary>The same figures in nanoseconds.</summary>
    public BenchReport InNanoseconds()
    {
        BenchReport report = new() { IsComplete = IsComplete };
        report._figures.AddRange(_figures.Select(f => (f.Name, Math.Round(f.Value * NanosecondsPerMicrosecond))));
        return report;
    }

    /// <summary>{"ring": {"echo_us": ...}, "ethernet": {...}}; <paramref name="unit"/> ends the names.</summary>
    public static string ToJson(IEnumerable<(string Name, BenchReport Report)> reports, string unit = "_us")
    {
        JsonObject root = new();
        foreach ((string heading, BenchReport report) in reports)
        {
            JsonObject figures = new();
            foreach ((string name, double value) in report._figures)
            {
                figures[name + unit] = Math.Round(value, 3);
            }

            if (report._stages.Count > 0)
            {
                JsonObject stages = new();
                foreach ((string name, double value) in report._stages)
                {
                    stages[name] = Math.Round(value, 3);
                }

                figures["stage_means_us"] = stages;
            }

            root[heading] = figures;
        }

        return root.ToJsonString(s_indented);
    }
}
