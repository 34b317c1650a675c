// SIGKILL ends a program whatever it waits for, on a host with idle cores and on one without; and what comes and goes, programs, files,
// threads and those that are killed, leaves nothing behind at any component: its counters say so. One rack is up for all of these tests.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class KillTests : IClassFixture<UpRack>
{
    private const int Kinds = 42;
    private const int MostRounds = 4;
    private const int MostLooks = 20;
    private const int LookMs = 250;

    /// <summary>Counters of what there is now, not of what there has been. Free frames include everything that is forgotten.</summary>
    private static readonly string[] s_mustReturn =
    [
        "processor.processes", "processor.files.open", "processor.files.tables", "processor.files.pipes", "processor.files.sessions",
        "processor.files.locks", "processor.excache.entries_mapped", "processor.kernel_frames_free", "memory.spaces", "memory.vmas",
        "memory.frames_used", "memory.page_blocks", "storage.free_inodes", "manager.sessions.running",
    ];

    [Theory]
    [InlineData(0, 8)]
    [InlineData(2, 4)]
    public async Task SIGKILL_ends_a_program_in_every_kind_of_wait(int busyPerCore, int rounds)
    {
        await InstallAsync("kills");
        Process[] busy = [.. Enumerable.Range(0, busyPerCore * Environment.ProcessorCount)
            .Select(_ => Process.Start("sh", ["-c", "while :; do :; done"]))];
        try
        {
            await KillAsync(HostSpeed.Scale(TimeSpan.FromSeconds(1)) * (1 + busyPerCore), rounds);
        }
        finally
        {
            foreach (Process process in busy)
            {
                process.Kill();
                process.Dispose();
            }
        }
    }

    [Fact]
    public async Task Programs_files_threads_and_kills_that_come_and_go_leave_nothing_behind()
    {
        await InstallAsync("kills");
        await InstallAsync("churn");
        string[] differing = s_mustReturn;
        Dictionary<string, ulong> before = await ComeAndGoAsync();
        // The first rounds fill pools, and one may need more at once than those before it; what is lost is lost in each of them.
        for (int round = 1; round < MostRounds && differing.Length > 0; round++)
        {
            Dictionary<string, ulong> after = await ComeAndGoAsync();
            // What is given back in the background may come a little later.
            for (int look = 0; look < MostLooks && differing.Length > 0; look++)
            {
                await Task.Delay(LookMs);
                after = await CountersAsync();
                differing = [.. s_mustReturn.Where(name => before[name] != after[name])
                    .Select(name => $"{name}: {before[name]}, then {after[name]}")];
            }

            before = after;
        }

        Assert.Empty(differing);
    }

    private static async Task<Dictionary<string, ulong>> ComeAndGoAsync()
    {
        CommandResult churn = await LegoTool.RunAsync("run", "--", "/churn", "60", "600", "300");
        Assert.True(churn is { Status: 0, OutputText: "done\n" }, churn.ToString());
        await KillAsync(HostSpeed.Scale(TimeSpan.FromSeconds(2)), 4);
        return await CountersAsync();
    }

    /// <summary>Runs tests/linux/kills.c with an open standard input that nothing comes from.</summary>
    private static async Task KillAsync(TimeSpan limit, int rounds)
    {
        string seconds = limit.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        using Process kills = LegoTool.Start("run", "--", "/kills", seconds, $"{rounds}");
        try
        {
            string output = await kills.StandardOutput.ReadToEndAsync().WaitAsync(HostSpeed.Scale(TimeSpan.FromMinutes(4)));
            CommandResult result = await LegoTool.FinishAsync(kills);
            string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(result.Status == 0 && lines.Length == Kinds && lines.All(line => line.EndsWith(": killed")), output + result);
        }
        finally
        {
            // One that has ended is not killed.
            kills.Kill(entireProcessTree: true);
        }
    }

    private static async Task InstallAsync(string program)
    {
        CommandResult result = await LegoTool.RunAsync(
            await File.ReadAllBytesAsync(await LinuxPrograms.BuildAsync(program)), "run", "--", "sh", "-c",
            $"cat >/{program}; chmod 755 /{program}");
        Assert.True(result.Status == 0, result.ToString());
    }

    /// <summary>All counters by name; of one that several components have, the last one's.</summary>
    private static async Task<Dictionary<string, ulong>> CountersAsync()
    {
        CommandResult stats = await LegoTool.RunAsync("stats");
        Assert.True(stats.Status == 0, stats.ToString());
        Dictionary<string, ulong> counters = [];
        foreach (string[] fields in stats.OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split('\t')))
        {
            counters[fields[1]] = ulong.Parse(fields[2], CultureInfo.InvariantCulture);
        }

        return counters;
    }
}
