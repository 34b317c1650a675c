// Families of system calls in breadth, with the host's own Linux as the judge: programs that print hundreds of findings, the same here and
// on a rack.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxCallsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-calls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [RootFact]
    public async Task What_processes_share_who_runs_first_and_how_bytes_move_is_as_on_the_host() =>
        await AssertSameAsync(["sharing", "policies", "transfers", "packets", "written-back"]);

    [RootFact]
    public async Task Rights_owners_limits_times_and_attributes_of_files_are_as_on_the_host() =>
        await AssertSameAsync(["permissions", "xattrs"]);

    [RootFact]
    public async Task Files_without_names_holes_and_bytes_between_processes_are_as_on_the_host() =>
        await AssertSameAsync(["nameless", "holes", "between"]);

    [RootFact]
    public async Task Answers_to_arguments_of_every_kind_are_as_on_the_host() => await AssertSameAsync(["answers"]);

    [RootFact]
    public async Task What_is_refused_when_arguments_are_wrong_one_by_one_or_together_is_as_on_the_host() =>
        await AssertSameAsync(["refusals", "structs"]);

    [RootFact]
    public async Task Message_queues_of_POSIX_their_limits_waits_and_notices_are_as_on_the_host() =>
        await AssertSameAsync(["queues"]);

    [RootFact]
    public async Task Asynchronous_input_and_output_and_flags_of_single_transfers_are_as_on_the_host() =>
        await AssertSameAsync(["asynchronous"]);

    [RootFact]
    public async Task What_filters_of_system_calls_refuse_and_who_has_them_is_as_on_the_host() => await AssertSameAsync(["filters"]);

    [RootFact]
    public async Task Advice_about_children_and_other_processes_and_signals_of_open_files_are_as_on_the_host() =>
        await AssertSameAsync(["options", "remaps"]);

    [Fact]
    public async Task What_watchers_of_files_and_directories_are_told_is_as_on_the_host() =>
        await AssertSameAsync(["inotify", "told-owners"]);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Programs_in_Go_and_Rust_compute_what_they_compute_on_the_host(int cpus) =>
        await AssertSameAsync(["goroutines", "rust-threads"], "--cpus", $"{cpus}");

    [Fact]
    public async Task A_core_file_has_what_a_reader_of_the_dead_process_seeks()
    {
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("cores")], ["/cores", "/"]);
        Assert.Equal(
            """
            no limit, no core: code 2 status 6, no file
            less than a page: code 2 status 3, no file
            a signal that writes none: code 2 status 15, no file
            not dumpable: code 2 status 3, no file
            quit: code 3 status 3, a file of mode 100600 with 1 name
            type 4 machine 62, first segment a note 1
            status: 336 bytes, signal 3, stack is its 1, returns to its text 1
            process: 136 bytes, cores, arguments begin with /
            signal: 128 bytes, 3
            auxiliary vector: long
            files: at least one 1, unit 4096
            floating point: 512 bytes, control word 37f
            data: changed before the end, heap: [] [a text in the last page of three]
            in the place of the old one, cut off: code 3 status 11, a file of mode 100600 with 1 name
            in the place of a link: code 3 status 11, a file of mode 100600 with 1 name
            in the place of a directory: code 2 status 11, a file of mode 40700 with 2 name

            """,
            there.Output);
    }

    /// <summary>Several programs on one rack, each in a directory of its own there and here.</summary>
    private async Task AssertSameAsync(string[] programs, params string[] options)
    {
        List<string> added = [];
        string expected = "";
        foreach (string program in programs)
        {
            ProgramResult here = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync(program), _folder]);
            Assert.True(here.Status == 0, here.ToString());
            expected += here.Output;
            added.AddRange(await LinuxPrograms.AddAsync(program));
        }

        ProgramResult there = await Rack.RunAsync([.. options, .. added],
            ["sh", "-c", string.Join(" && ", programs.Select(program => $"/{program} /"))]);
        Assert.Equal(expected, there.Output);
        Assert.Equal(0, there.Status);
    }
}
