// Of several memory components one ends that neither caches files nor is anybody's home: the programs with pages there end, each with a
// sentence, and everything else goes on. The end of the one that caches files is the end of the rack.

using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class LostMemoryTests : IDisposable
{
    private const int RackFailedStatus = 70;
    private const int KilledStatus = 137;
    private const string Work = "i=0; while [ $i -lt 15 ]; do seq 1 3000 > /tmp/$$; sort -n /tmp/$$ | md5sum; rm /tmp/$$; i=$((i+1)); done";

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-lost-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("ring", 1)]
    [InlineData("ethernet", 2)]
    public async Task The_end_of_a_memory_component_ends_the_programs_with_pages_there_alone(string link, int processors)
    {
        await UpAsync(link, processors);
        try
        {
            string owner = await OwnerAsync();
            using Process staying = LegoTool.Start("run", "--", "sh", "-c", $"echo ready; {Work}");
            using Process ending = LegoTool.Start("run", "--", "/hold", "4096", "7");
            Assert.Equal("ready", await staying.StandardOutput.ReadLineAsync());
            Assert.Equal("ready", await ending.StandardOutput.ReadLineAsync());
            LegoTool.Signal((await LegoTool.MachinesAsync())[owner], "KILL");

            CommandResult ended = await LegoTool.FinishAsync(ending);
            Assert.Equal((KilledStatus, ""), (ended.Status, ended.OutputText));
            Assert.Matches("^lego: process [0-9]+ \\(hold\\) killed: memory component [0-9]+ does not answer\n$", ended.ErrorText);
            CommandResult stayed = await LegoTool.FinishAsync(staying);
            Assert.True(stayed is { Status: 0, ErrorText: "" }, stayed.ToString());
            string[] sums = stayed.OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal((15, 1), (sums.Length, sums.Distinct().Count()));

            string line = (await LegoTool.RunAsync("ps")).OutputText.Split('\n').Single(row => row.StartsWith(owner + "\t"));
            Assert.Contains("\tended\t", line);
            CommandResult next = await LegoTool.FinishAsync(LegoTool.Start("run", "--", "/hold", "4096", "8"));
            Assert.True(next is { Status: 0, OutputText: "ready\nok\n", ErrorText: "" }, next.ToString());
        }
        finally
        {
            CommandResult down = await LegoTool.RunAsync("down");
            Assert.True(down.Status == 0, down.ToString());
        }

        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task The_end_of_the_memory_component_that_caches_files_is_the_end_of_the_rack()
    {
        await UpAsync("ring", 1);
        string cache = await OwnerAsync() == "m0" ? "m1" : "m0";
        using Process program = LegoTool.Start("run", "--", "sh", "-c", "echo ready; sleep 1000");
        Assert.Equal("ready", await program.StandardOutput.ReadLineAsync());
        LegoTool.Signal((await LegoTool.MachinesAsync())[cache], "KILL");
        CommandResult ended = await LegoTool.FinishAsync(program);
        Assert.Equal((RackFailedStatus, $"lego: {cache} (memory) was killed\n"), (ended.Status, ended.ErrorText));
        await LegoTool.AssertNothingIsLeftAsync();
    }

    /// <summary>Regions go to both memory components in turn.</summary>
    private async Task UpAsync(string link, int processors)
    {
        string file = Path.Combine(_folder, "rack.yml");
        string several = string.Concat(Enumerable.Repeat("{kind: processor}, ", processors));
        await File.WriteAllTextAsync(file, $"link: {link}\nregion: 2M\ncomponents: [{several}{{kind: memory}}, {{kind: memory}}, "
            + "{kind: storage}, {kind: manager}]\n");
        CommandResult up = await LegoTool.RunAsync(["up", "--rack", file, "--excache", "1M", "--boot", "g0:placement=round-robin",
            "--boot", "g0:processes=spread", .. await LinuxPrograms.AddAsync("hold")]);
        Assert.True(up.Status == 0, up.ToString());
    }

    /// <summary>The memory component that caches no files, by their counters.</summary>
    private static async Task<string> OwnerAsync()
    {
        Assert.Equal(0, (await LegoTool.RunAsync("run", "--", "true")).Status);
        string[] counters = (await LegoTool.RunAsync("stats")).OutputText.Split('\n');
        return counters.Select(line => line.Split('\t')).Single(fields => fields is [_, "memory.cache_files", "0", ..])[0];
    }
}
