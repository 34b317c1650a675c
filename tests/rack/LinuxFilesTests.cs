// Files, pipes, terminals and the shell, with the host's own Linux as the judge: the same program prints the same bytes here and on a rack.

using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-files-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task A_shell_script_prints_on_a_rack_what_it_prints_on_the_host(string link)
    {
        string script = Path.Combine(Rack.Root, "tests", "linux", "tour.sh");
        Task<ProgramResult> judge = Rack.HostIntoFileAsync(_folder, ["busybox", "sh", script, _folder]);
        ProgramResult there = await Rack.RunAsync(["--link", link, "--add", $"{script}:/tour.sh"], ["sh", "/tour.sh"]);
        ProgramResult here = await judge;
        Assert.True(there.Status == 0, there.ToString());
        Assert.Equal(here.Output, there.Output);
    }

    [RootFact]
    public Task Open_files_pipes_and_timers_behave_as_on_the_host() =>
        LinuxPrograms.AssertSameAsync(_folder, ".", [], "edges", "files");

    [RootFact]
    public Task Open_files_directories_and_locks_hold_while_names_come_and_go() =>
        LinuxPrograms.AssertSameAsync(_folder, ".", [], "opens");

    [RootFact]
    public Task Attributes_and_names_are_never_older_than_the_last_change() =>
        LinuxPrograms.AssertSameAsync(_folder, ".", [], "attributes");

    [RootFact]
    public Task All_groups_of_a_process_count_for_its_rights() =>
        LinuxPrograms.AssertSameAsync(_folder, ".", [], "groups");

    /// <summary>Root, and a user with supplementary groups: what they count for is part of what is remembered.</summary>
    [Theory]
    [InlineData("0")]
    [InlineData("1000")]
    public async Task Asking_for_names_and_attributes_again_costs_no_message(string user)
    {
        const ulong few = 20;
        ulong seldom = await LookUpsAsync("10", user);
        ulong often = await LookUpsAsync("10000", user);
        Assert.True(often < seldom + few, $"{seldom} messages for 10 rounds and {often} for 10,000");
    }

    [Theory]
    [InlineData("1M", 1)]
    [InlineData("16M", 3)]
    public async Task Reads_agree_with_writes_truncations_replacements_and_mappings_of_the_file(string cache, int firstSeed)
    {
        // Two at a time, each in a folder of its own: of the four, two map their files shared, one privately, and one does not.
        const string Script = "cd $0; for seed in $2 $3; do mkdir $seed; LEGO_READS=$0/$seed $1 $seed 6000 >$seed/said & done; "
            + "wait; cat $2/said $3/said";
        string[] seeds = [$"{firstSeed}", $"{firstSeed + 1}"];
        string program = await LinuxPrograms.BuildAsync("reads");
        Task<ProgramResult> judge = Rack.HostAsync(_folder, ["sh", "-c", Script, _folder, program, .. seeds]);
        ProgramResult there = await Rack.RunAsync(
            ["--excache", cache, .. await LinuxPrograms.AddAsync("reads")], ["sh", "-c", Script, "/tmp", "/reads", .. seeds]);
        ProgramResult here = await judge;
        Assert.Equal(seeds.Length, here.Output.Split("6000 steps").Length - 1);
        Assert.Equal(here.Output, there.Output);
    }

    [Fact]
    public async Task Reading_a_small_file_again_costs_no_message() =>
        Assert.Equal(await ReadsAsync("again", "2"), await ReadsAsync("again", "1000"));

    [Fact]
    public async Task Writing_the_same_pages_again_is_many_writes_to_a_message()
    {
        const ulong Writes = 2 * 20 * 1001;
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync(
            [.. await LinuxPrograms.AddAsync("reads")], ["/reads", "rewrites", "1000"]);
        Assert.True(result is { Status: 0, Output: "" }, result.ToString());
        Assert.InRange(statistics["processor.files.writes_kept"], Writes * 9 / 10, Writes);
        Assert.InRange(statistics["fabric.requests.FileWrite"], 1u, Writes / 20);
    }

    [Fact]
    public async Task An_fsync_of_a_small_write_is_one_message_to_the_memory_component_and_one_to_the_storage_component_and_one_flush()
    {
        const ulong Rounds = 200;
        // What the thread that writes out each second, or another one in the background, does meanwhile comes on top.
        const ulong Beside = 20;
        ulong[] few = await SyncsAsync(10);
        ulong[] many = await SyncsAsync(10 + (int)Rounds);
        Assert.All(few.Zip(many), counts => Assert.InRange(counts.Second - counts.First, Rounds - Beside, Rounds + Beside));
    }

    [Fact]
    public async Task Small_reads_of_a_large_file_displace_no_page_of_a_program()
    {
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync(
            ["--excache", "1M", .. await LinuxPrograms.AddAsync("reads")], ["/reads", "through", "8000000", "4096"]);
        Assert.True(result.Status == 0, result.ToString());
        Assert.True(statistics["processor.excache.reads_kept"] > 1000, "reads keep what they bring");
        Assert.True(statistics["processor.excache.evictions"] - statistics["processor.excache.evictions_clean"] < 100,
            "and write nothing back for it");
    }

    /// <summary>Reads of files that the memory component was asked for.</summary>
    private static async Task<ulong> ReadsAsync(params string[] words)
    {
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync([.. await LinuxPrograms.AddAsync("reads")],
            ["/reads", .. words]);
        Assert.True(result.Status == 0, result.ToString());
        return statistics["fabric.requests.FileRead"];
    }

    /// <summary>
    /// While a program writes and synchronises: messages about it to the memory component, from there to the storage component, and flushes
    /// of its disk.
    /// </summary>
    private static async Task<ulong[]> SyncsAsync(int rounds)
    {
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync([.. await LinuxPrograms.AddAsync("reads")],
            ["/reads", "syncs", $"{rounds}"]);
        Assert.True(result is { Status: 0, Output: "" }, result.ToString());
        const string OfMemory = "components.m0.fabric.requests";
        return
        [
            statistics["fabric.requests.FileWrite"] + statistics["fabric.requests.FileSync"],
            statistics[$"{OfMemory}.StorageWrite"] + statistics[$"{OfMemory}.StorageSync"],
            statistics["components.s0.block.flushes"],
        ];
    }

    /// <summary>Messages about names, attributes and opens while a program asks for the same few again and again.</summary>
    private static async Task<ulong> LookUpsAsync(params string[] words)
    {
        string[] opcodes = ["Open", "Release", "ReadLink", "FileStatus", "StorageStatus", "SetAttributes", "Recall"];
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync([.. await LinuxPrograms.AddAsync("attributes")],
            ["/attributes", .. words]);
        Assert.True(result.Status == 0, result.ToString());
        return opcodes.Aggregate(0UL, (sum, opcode) => sum + statistics[$"fabric.requests.{opcode}"]);
    }
}
