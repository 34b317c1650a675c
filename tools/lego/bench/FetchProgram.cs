// tools/bench/fetch.c on a rack of its own: built on the host, booted with bench=on (which gives the program the private system call of
// monitors/processor/linux/BenchCalls.cs), its figures parsed.

using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The measuring program of the bench commands.</summary>
internal static class FetchProgram
{
    private const string Source = "tools/bench/fetch.c";
    private const string GuestPath = "/bench/fetch";
    /// <summary>Megabytes of ExCache, which the program is told to exceed.</summary>
    private const string ExCacheMegabytes = "16";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Boots the rack with further boot arguments for the machine that has the ExCache, and measures. Null for the accelerator chooses one.
    /// Throws a ToolException when the program does not come to its end.
    /// </summary>
    public static async Task<(BenchReport Report, StatisticsDocument Statistics)> RunAsync(
        RackDescription rack, Accelerator? accelerator, string[] bootArguments, CancellationToken cancellation)
    {
        string program = await CProgram.EnsureAsync(Source);
        rack = rack with
        {
            Components = [.. rack.Components.Select(c => c.HasExCache ? c with { BootArguments = ["bench=on", .. bootArguments] } : c)],
        };
        RackOrder order = new(rack, [AddedFile.Parse($"{program}:{GuestPath}")], $"bench-{Environment.ProcessId}")
        {
            Accelerator = accelerator,
        };
        await using Rack session = await Rack.BootAsync(order, new Progress(ProgressStyle.Open), cancellation);
        ProgramResult result = await session.RunAsync(new ProgramOptions { Limit = s_limit }, GuestPath, ExCacheMegabytes);
        if (result.Status != 0)
        {
            throw ToolException.Rack($"{GuestPath} ended with status {result.Status}: {result.Error.Trim()}");
        }

        BenchReport report = BenchReport.Parse(result.Output);
        if (!report.IsComplete)
        {
            throw ToolException.Rack($"{GuestPath} did not finish; it printed: {result.Output.Trim()}");
        }

        return (report, await session.StatisticsAsync());
    }
}
