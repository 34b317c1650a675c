// Racks with several memory components: a program's memory lies on all of them, every page is asked for where it is, and the messages are
// those that docs/protocol.md counts.

using System;
using System.IO;
using System.IO.Pipelines;
using System.Linq;
using System.Threading.Tasks;
using Lego.Racks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class SeveralMemoriesTests : IDisposable
{
    /// <summary>Pages of a small static program besides those it asks for.</summary>
    private const ulong OwnPages = 256;

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-memories-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("ring", 8, "2M")]
    [InlineData("ethernet", 6, "2M")]
    public async Task An_array_over_four_memory_components_is_sorted_moved_copied_and_given_up_as_on_the_host(
        string link, int megabytes, string region)
    {
        string[] arguments = ["sort", $"{megabytes}", "20261127"];
        ProgramResult host = await Rack.HostAsync("/", [await LinuxPrograms.BuildAsync("spans"), .. arguments]);
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync(
            [.. RackOf(4, link, region), "--excache", "1M", .. await LinuxPrograms.AddAsync("spans")], ["/spans", .. arguments]);
        Assert.Equal(host, result);
        for (int memory = 0; memory < 4; memory++)
        {
            Assert.True(statistics[$"components.m{memory}.memory.pages_written_back"] > 300, $"m{memory} has a share of the pages");
            Assert.True(statistics[$"components.m{memory}.memory.misses"] > 300, $"m{memory} is asked for them");
            Assert.Equal(0UL, statistics[$"components.m{memory}.memory.wrong_owner"]);
            Assert.Equal(0UL, statistics[$"components.m{memory}.memory.violations"]);
        }

        Assert.True(statistics["memory.pages_sent"] > 0, "what was moved has changed its owner");
    }

    [Theory]
    [InlineData(LinkKind.Ring)]
    [InlineData(LinkKind.Ethernet)]
    public async Task A_memory_component_is_drained_while_a_program_forks_and_maps_and_the_program_sees_nothing_of_it(LinkKind link)
    {
        string[] arguments = ["turns", "6", "20261128"];
        ProgramResult host = await Rack.HostAsync("/", [await LinuxPrograms.BuildAsync("spans"), .. arguments]);
        string file = RackFileOf(3, link.ToString().ToLowerInvariant(), "2M");
        RackDescription description = RackFile.Load(file).With(ComponentKind.Processor, c => c with { ExCacheBytes = ByteSize.MiB })
            .With(ComponentKind.Manager, c => c with { BootArguments = ["placement=round-robin"] });
        await using Racks.Rack rack = await Racks.Rack.BootAsync(
            description, [AddedFile.Parse($"{await LinuxPrograms.BuildAsync("spans")}:/bin/spans")]);
        Pipe input = new();
        ProgramOptions options = new() { Input = input.Reader.AsStream(), Limit = HostSpeed.Scale(TimeSpan.FromMinutes(2)) };
        await using RackProgram program = await rack.StartAsync(options, ["spans", .. arguments]);
        await program.WaitForOutputAsync("ready");
        Assert.True(await CounterAsync("memory.frames_used") > 0, "m1 has a share of the pages");

        // The home of all programs stays; what there is no room for elsewhere, too.
        Assert.Contains("cannot be drained", (await Assert.ThrowsAsync<ToolException>(() => rack.DrainAsync("m0"))).Message);
        DrainReport report = await rack.DrainAsync("m1");
        Assert.True(report.Pages > 0, "pages have moved");
        Assert.Equal((0UL, 0UL, 0UL), (await CounterAsync("memory.spaces"), await CounterAsync("memory.region_runs"),
            await CounterAsync("memory.frames_used")));
        await rack.UndrainAsync("m1");
        await rack.DrainAsync("m2");
        await input.Writer.CompleteAsync();
        Racks.ProgramResult result = await program.Result;
        Assert.Equal((host.Status, host.Output, host.Error), (result.Status, result.Output, result.Error));

        async Task<ulong> CounterAsync(string name) => (await rack.StatisticsAsync()).Components.First(c => c.Name == "m1").Counters[name];
    }

    [Fact]
    public async Task New_regions_cost_one_question_and_a_grant_for_each_other_owner_and_old_ones_cost_nothing_more()
    {
        // The region at the top of the space is the home's from the beginning, and holds a small mapping.
        Statistics small = await MapAsync("1");
        Statistics large = await MapAsync("64");
        Assert.Equal(0UL, small["memory.consultations"]);
        Assert.Equal(0UL, small["memory.runs_granted"]);
        Assert.Equal(1UL, large["memory.consultations"]);
        Assert.Equal(1UL, large["manager.consultations"]);
        Assert.Equal(small["fabric.requests.Map"], large["fabric.requests.Map"]);
        // Four new ones, of which the home gets one.
        Assert.Equal(3UL, large["memory.runs_granted"]);
        Assert.Equal(0UL, large["memory.runs_kept"]);

        Task<Statistics> MapAsync(string megabytes) => StatisticsAsync(RackOf(4, "ring", "16M"), "spans", "map", megabytes);
    }

    [Fact]
    public async Task Pages_of_two_owners_cost_as_many_messages_as_those_of_one()
    {
        const ulong Pages = 4000;
        const ulong Rounds = 2;
        // With piggyback a victim rides on a fetch from its own owner only, so how many do depends on where the sweep crosses a border.
        string[] options = ["--excache", "2M", "--boot", "p0:piggyback=off"];
        Statistics one = await StatisticsAsync([.. RackOf(1, "ring", "4M"), .. options], "touch", "write", $"{Pages}", $"{Rounds}");
        Statistics two = await StatisticsAsync([.. RackOf(2, "ring", "4M"), .. options], "touch", "write", $"{Pages}", $"{Rounds}");
        Assert.True(two["components.m0.memory.misses"] > 1000 && two["components.m1.memory.misses"] > 1000, "both own a part");
        Assert.Equal(0UL, two["memory.wrong_owner"]);
        foreach (string counter in new[] { "processor.excache.fills_from_memory", "fabric.requests.Miss", "fabric.requests.Flush" })
        {
            Assert.InRange(two[counter], one[counter] - OwnPages, one[counter] + OwnPages);
        }

        Assert.InRange(two["fabric.requests.Miss"], Pages * Rounds, (Pages * Rounds) + (2 * OwnPages));
    }

    [Theory]
    [InlineData("memory")]
    [InlineData("mapped")]
    [InlineData("shared-pages")]
    [InlineData("memory-files")]
    public Task Programs_about_memory_print_on_four_memory_components_what_they_print_on_the_host(string program) =>
        LinuxPrograms.AssertSameAsync(_folder, "", [.. RackOf(4, "ring", "2M"), "--excache", "1M"], program);

    private static async Task<Statistics> StatisticsAsync(string[] options, string program, params string[] arguments)
    {
        (ProgramResult result, Statistics statistics) =
            await Rack.MeasureAsync([.. options, .. await LinuxPrograms.AddAsync(program)], [$"/{program}", .. arguments]);
        Assert.True(result.Status == 0, result.ToString());
        return statistics;
    }

    /// <summary>
    /// The options for a rack with so many memory components, which get regions in turn, however busy one has just been.
    /// </summary>
    private string[] RackOf(int memories, string link, string region) =>
        ["--rack", RackFileOf(memories, link, region), "--boot", "g0:placement=round-robin"];

    private string RackFileOf(int memories, string link, string region)
    {
        string file = Path.Combine(_folder, $"{memories}-{link}-{region}.yml");
        string memory = string.Concat(Enumerable.Repeat("  - {kind: memory, memory: 128M}\n", memories));
        File.WriteAllText(file, $"link: {link}\nregion: {region}\ncomponents:\n  - kind: processor\n{memory}"
            + "  - kind: storage\n  - kind: manager\n");
        return file;
    }
}
