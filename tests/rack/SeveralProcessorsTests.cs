// A rack with two processor components: programs are placed by policy and by name, have ids of their own, see each other's files as on one
// machine, and end alone when their component does.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class SeveralProcessorsTests : IDisposable
{
    private const int RackFailedStatus = 70;
    private const int UsageStatus = 2;
    private const int KilledStatus = 137;
    private const int IdsPerComponent = 32768;
    private const int MostLooks = 100;
    private const int LookMs = 100;

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-several-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("ring", 30)]
    [InlineData("ethernet", 6)]
    public async Task Programs_are_spread_over_the_processors_and_have_ids_of_their_own(string link, int count)
    {
        await OnRackAsync(link, "spread", async () =>
        {
            List<int> ids = [];
            for (int run = 0; run < count; run++)
            {
                ids.Add(await ProcessIdAsync());
            }

            Assert.Equal(count, ids.Distinct().Count());
            Assert.Equal([count / 2, count / 2], ids.GroupBy(id => id / IdsPerComponent).Select(group => group.Count()));
            int[] named = [await ProcessIdAsync("--on", "p0"), await ProcessIdAsync("--on", "p1"), await ProcessIdAsync("--on", "p1")];
            Assert.Equal([0, 1, 1], named.Select(id => id / IdsPerComponent));

            CommandResult unknown = await LegoTool.RunAsync("run", "--on", "m0", "--", "true");
            Assert.Equal(UsageStatus, unknown.Status);
            Assert.Equal("lego: no program runs on m0; this rack has p0, p1 for them\n", unknown.ErrorText);
            Assert.Equal(["p0", "p1", "m0", "s0", "g0"], (await LegoTool.MachinesAsync()).Keys);
            Assert.Contains("processor node 2 joined", (await LegoTool.RunAsync("logs", "p1")).OutputText);
            Dictionary<string, ulong> created = await CountersAsync("processor.processes_created");
            Assert.True(created.Count == 2 && created.Values.All(processes => processes > 1));
        });
    }

    [Fact]
    public async Task A_program_goes_where_the_fewest_processes_are_those_left_by_others_counted()
    {
        await OnRackAsync("ring", "fewest", async () =>
        {
            List<int> left = [];
            for (int run = 0; run < 6; run++)
            {
                CommandResult started = await LegoTool.RunAsync("run", "--", "sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!");
                left.Add(int.Parse(started.OutputText));
            }

            Assert.Equal([0, 1, 0, 1, 0, 1], left.Select(id => id / IdsPerComponent));
            string[] ended = [.. left.Where(id => id >= IdsPerComponent).Take(2).Select(id => $"{id}")];
            Assert.Equal(0, (await LegoTool.RunAsync(["run", "--on", "p1", "--", "kill", .. ended])).Status);
            // Three are left here and one there.
            int[] next = [await ProcessIdAsync(), await ProcessIdAsync()];
            Assert.Equal([1, 1], next.Select(id => id / IdsPerComponent));
        });
    }

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task Programs_on_two_processors_see_each_others_files_as_on_one_machine(string link)
    {
        string program = await LinuxPrograms.BuildAsync("two-machines");
        Task<ProgramResult[]> judges = Task.WhenAll(
            Rack.HostAsync(_folder, [program, "left", _folder]), Rack.HostAsync(_folder, [program, "right", _folder]));
        await OnRackAsync(link, "fewest", async () =>
        {
            CommandResult[] sides = await Task.WhenAll(
                LegoTool.RunAsync("run", "--on", "p0", "--", "/two-machines", "left"),
                LegoTool.RunAsync("run", "--on", "p1", "--", "/two-machines", "right"));
            ProgramResult[] expected = await judges;
            Assert.Equal((expected[0].Output, expected[1].Output), (sides[0].OutputText, sides[1].OutputText));
            Assert.Equal((0, 0), (sides[0].Status, sides[1].Status));
        }, "--add", $"{program}:/two-machines");
    }

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task The_end_of_one_processor_ends_its_programs_alone(string link)
    {
        const string Work = "i=0; while [ $i -lt 60 ]; do seq 1 3000 > /tmp/$1; sort -n /tmp/$1 | md5sum; rm /tmp/$1; i=$((i+1)); done";
        await OnRackAsync(link, "spread", async () =>
        {
            Dictionary<string, ulong> before = await CountersAsync("memory.spaces", "storage.free_inodes");
            using Process staying = LegoTool.Start("run", "--on", "p0", "--", "sh", "-c", $"echo ready; {Work}", "sh", "staying");
            using Process ending = LegoTool.Start(
                "run", "--on", "p1", "--", "sh", "-c", $"exec 3>/tmp/open; rm /tmp/open; echo ready; {Work}; {Work}", "sh", "ending");
            Assert.Equal("ready", await staying.StandardOutput.ReadLineAsync());
            Assert.Equal("ready", await ending.StandardOutput.ReadLineAsync());
            LegoTool.Signal((await LegoTool.MachinesAsync())["p1"], "KILL");

            CommandResult ended = await LegoTool.FinishAsync(ending);
            Assert.Equal(RackFailedStatus, ended.Status);
            Assert.Equal("lego: p1 (processor) was killed\n", ended.ErrorText);
            CommandResult stayed = await LegoTool.FinishAsync(staying);
            Assert.True(stayed is { Status: 0, ErrorText: "" }, stayed.ToString());
            string[] sums = stayed.OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal((60, 1), (sums.Length, sums.Distinct().Count()));

            for (int run = 0; run < 3; run++)
            {
                Assert.Equal(0, await ProcessIdAsync() / IdsPerComponent);
            }

            CommandResult named = await LegoTool.RunAsync("run", "--on", "p1", "--", "true");
            Assert.Equal((RackFailedStatus, "lego: p1 (processor) has ended\n"), (named.Status, named.ErrorText));
            Assert.Contains("p1\tprocessor\t2", (await LegoTool.RunAsync("ps")).OutputText);
            // The file that was being worked on may have its name.
            Assert.Equal(0, (await LegoTool.RunAsync("run", "--", "rm", "-f", "/tmp/ending")).Status);
            await AssertComesBackAsync(before);
        });
    }

    [Theory]
    [InlineData("p0", "p1")]
    [InlineData("p1", "p0")]
    public async Task A_client_that_is_killed_takes_its_program_on_either_processor_and_no_other(string name, string other)
    {
        await OnRackAsync("ring", "fewest", async () =>
        {
            Dictionary<string, ulong> before = await CountersAsync("processor.processes", "memory.spaces", "manager.sessions.running");
            using Process killed = LegoTool.Start("run", "--on", name, "--", "sh", "-c", "echo ready; sleep 1000");
            using Process stays = LegoTool.Start("run", "--on", other, "--", "sh", "-c", "echo ready; read line; echo $line");
            Assert.Equal("ready", await killed.StandardOutput.ReadLineAsync());
            Assert.Equal("ready", await stays.StandardOutput.ReadLineAsync());
            LegoTool.Signal(killed.Id, "KILL");
            Assert.Equal(KilledStatus, (await LegoTool.FinishAsync(killed)).Status);
            CommandResult stayed = await LegoTool.FinishAsync(stays, "still here\n"u8.ToArray());
            Assert.True(stayed is { Status: 0, OutputText: "still here\n" }, stayed.ToString());
            await AssertComesBackAsync(before);
        });
    }

    /// <summary>Brings a rack with two processor components up, does something and takes it down.</summary>
    private async Task OnRackAsync(string link, string policy, Func<Task> act, params string[] options)
    {
        string file = Path.Combine(_folder, "rack.yml");
        await File.WriteAllTextAsync(file,
            $"link: {link}\ncomponents: [{{kind: processor}}, {{kind: processor}}, {{kind: memory}}, {{kind: storage}}, "
            + $"{{kind: manager, processes: {policy}}}]\n");
        CommandResult up = await LegoTool.RunAsync(["up", "--rack", file, .. options]);
        try
        {
            Assert.True(up.Status == 0, up.ToString());
            await act();
        }
        finally
        {
            CommandResult down = await LegoTool.RunAsync("down");
            Assert.True(down.Status == 0, down.ToString());
        }

        await LegoTool.AssertNothingIsLeftAsync();
    }

    /// <summary>The id of a program that ends at once.</summary>
    private static async Task<int> ProcessIdAsync(params string[] options)
    {
        CommandResult result = await LegoTool.RunAsync(["run", .. options, "--", "sh", "-c", "echo $$"]);
        Assert.True(result.Status == 0, result.ToString());
        return int.Parse(result.OutputText);
    }

    /// <summary>What is given back in the background may come a little later.</summary>
    private static async Task AssertComesBackAsync(Dictionary<string, ulong> before)
    {
        string[] names = [.. before.Keys.Select(key => key.Split(' ')[^1]).Distinct()];
        Dictionary<string, ulong> after = [];
        for (int look = 0; look < MostLooks; look++)
        {
            after = await CountersAsync(names);
            if (before.All(counter => after.GetValueOrDefault(counter.Key) == counter.Value))
            {
                return;
            }

            await Task.Delay(LookMs);
        }

        Assert.Equal(before, after);
    }

    /// <summary>Counters of some names, as "component name".</summary>
    private static async Task<Dictionary<string, ulong>> CountersAsync(params string[] names)
    {
        CommandResult stats = await LegoTool.RunAsync("stats");
        Assert.True(stats.Status == 0, stats.ToString());
        return stats.OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))
            .Where(fields => names.Contains(fields[1]))
            .ToDictionary(fields => $"{fields[0]} {fields[1]}", fields => ulong.Parse(fields[2]));
    }
}
