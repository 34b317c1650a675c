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
        ProgramResult here = await Rack.HostAsync(_folder, ["busybox", "sh", script, _folder]);
        ProgramResult there = await Rack.RunAsync(["--link", link, "--add", $"{script}:/tour.sh"], ["sh", "/tour.sh"]);
        Assert.True(there.Status == 0, there.ToString());
        Assert.Equal(here.Output, there.Output);
    }

    [Fact]
    public async Task Open_files_pipes_and_timers_behave_as_on_the_host()
    {
        string program = await LinuxPrograms.BuildAsync("files");
        ProgramResult here = await Rack.HostAsync(_folder, [program, _folder]);
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("files")], ["/files"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Fact]
    public async Task Open_files_directories_and_locks_hold_while_names_come_and_go()
    {
        string program = await LinuxPrograms.BuildAsync("opens");
        ProgramResult here = await Rack.HostAsync(_folder, [program, _folder]);
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("opens")], ["/opens"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Fact]
    public async Task Attributes_and_names_are_never_older_than_the_last_change()
    {
        string program = await LinuxPrograms.BuildAsync("attributes");
        ProgramResult here = await Rack.HostAsync(_folder, [program, _folder]);
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("attributes")], ["/attributes"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Fact]
    public async Task Asking_for_names_and_attributes_again_costs_no_message()
    {
        const ulong few = 20;
        ulong seldom = await LookUpsAsync("10");
        ulong often = await LookUpsAsync("10000");
        Assert.True(often < seldom + few, $"{seldom} messages for 10 rounds and {often} for 10,000");
    }

    /// <summary>Messages about names, attributes and opens while a program asks for the same few again and again.</summary>
    private static async Task<ulong> LookUpsAsync(string rounds)
    {
        string[] opcodes = ["Open", "Release", "ReadLink", "FileStatus", "StorageStatus", "SetAttributes", "Recall"];
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync([.. await LinuxPrograms.AddAsync("attributes")], ["/attributes", rounds]);
        Assert.True(result.Status == 0, result.ToString());
        return opcodes.Aggregate(0UL, (sum, opcode) => sum + statistics[$"fabric.requests.{opcode}"]);
    }
}
