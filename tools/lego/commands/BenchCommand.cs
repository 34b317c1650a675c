// `lego bench fetch`: what a line fetch costs, on ring and on ethernet, in one run on this host. tools/bench/fetch.c measures from user mode on
// the rack (bench=on lets it ask the processor component for the bare link's echo); per-stage times come from a second run with stages=on,
// so that taking the stamps does not disturb the figures.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The bench command.</summary>
public static class BenchCommand
{
    private const string Source = "tools/bench/fetch.c";
    private const string GuestPath = "/bench/fetch";
    /// <summary>Megabytes of ExCache, which the program is told to exceed.</summary>
    private const string ExCacheMegabytes = "16";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    public static Command Create()
    {
        var command = new Command("bench", "Measure a rack.");
        var fetch = new Command("fetch", "What fetching a line costs: echo of the raw link, trap, misses with clean and dirty victims, stages of a miss; "
            + "on ring and ethernet side by side. Medians, microseconds.");
        var json = new Option<string?>("--json") { Description = "Write the medians as JSON, too.", HelpName = "FILE" };
        fetch.Options.Add(json);
        fetch.SetAction(async (result, cancellation) => await FetchAsync(result.GetValue(json), cancellation));
        command.Subcommands.Add(fetch);
        return command;
    }

    private static async Task<int> FetchAsync(string? json, CancellationToken cancellation)
    {
        string program = await CProgram.EnsureAsync(Source);
        var reports = new List<(string Link, BenchReport Report)>();
        foreach (LinkKind link in new[] { LinkKind.Ring, LinkKind.Ethernet })
        {
            string name = link.ToString().ToLowerInvariant();
            using IDisposable step = new Progress(ProgressStyle.Open).Step($"measuring on {name}");
            (string output, _) = await MeasureAsync(program, link, [], cancellation);
            BenchReport report = BenchReport.Parse(output);
            if (!report.IsComplete)
            {
                throw ToolException.Rack($"{GuestPath} did not finish on {name}; it printed: {output.Trim()}");
            }
            (_, StatisticsDocument stages) = await MeasureAsync(program, link, ["stages=on"], cancellation);
            report.AddStages(stages.Components.First().Counters);
            reports.Add((name, report));
        }
        Print(reports);
        if (json is not null)
        {
            await File.WriteAllTextAsync(json, BenchReport.ToJson(reports) + "\n", cancellation);
        }
        return ExitStatus.Success;
    }

    private static async Task<(string Output, StatisticsDocument Statistics)> MeasureAsync(
        string program, LinkKind link, string[] bootArguments, CancellationToken cancellation)
    {
        RackDescription rack = RackDescription.Default with { Link = link };
        rack = rack.With(ComponentKind.Processor, c => c with { BootArguments = ["bench=on", .. bootArguments] });
        var order = new RackOrder(rack, [AddedFile.Parse($"{program}:{GuestPath}")], $"bench-{Environment.ProcessId}");
        await using var session = await RackSession.BootAsync(order, new Progress(ProgressStyle.Open), cancellation);
        SessionResult result = await session.RunAsync([GuestPath, ExCacheMegabytes], s_limit);
        if (result.Status != 0)
        {
            throw ToolException.Rack($"{GuestPath} ended with status {result.Status}: {result.Error.Trim()}");
        }
        return (result.Output, await session.StatisticsAsync());
    }

    private static void Print(List<(string Link, BenchReport Report)> reports)
    {
        List<string[]> rows = [];
        foreach (string name in reports.SelectMany(r => r.Report.Figures).Select(f => f.Name).Distinct())
        {
            rows.Add([Describe(name), .. reports.Select(r => Figure(r.Report.Figures, name))]);
        }
        foreach (string name in reports.SelectMany(r => r.Report.Stages).Select(f => f.Name).Distinct())
        {
            rows.Add([$"stage of a miss: {name} (mean)", .. reports.Select(r => Figure(r.Report.Stages, name))]);
        }
        TextTable.Print(["median, us", .. reports.Select(r => r.Link)], rows);
    }

    private static string Describe(string name) => name switch
    {
        "rpc_echo" => "echo of 4 KB as a request and its reply",
        "echo" => "echo of 4 KB on the raw link",
        "trap" => "bare page-fault trap",
        "first_touch" => "first touch of anonymous memory",
        "miss_clean" => "ExCache miss, clean victim",
        "miss_dirty" => "ExCache miss, dirty victim",
        _ => name,
    };

    private static string Figure(IEnumerable<(string Name, double Microseconds)> figures, string name)
    {
        foreach ((string found, double microseconds) in figures)
        {
            if (found == name)
            {
                return microseconds.ToString("0.00", CultureInfo.InvariantCulture);
            }
        }
        return "-";
    }
}
