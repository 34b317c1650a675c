// Address spaces with the host's own Linux as the judge: the same program prints the same bytes here and on a rack.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxMemoryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-memory-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public Task Map_calls_that_fail_leave_memory_as_it_was_and_the_others_do_what_they_do_on_the_host() =>
        LinuxPrograms.AssertSameAsync(_folder, "", [], "memory");

    [Fact]
    public Task Mapped_files_and_running_programs_outlive_their_names_and_show_what_is_written_to_them() =>
        LinuxPrograms.AssertSameAsync(_folder, "", [], "mapped");

    [Fact]
    public async Task Shared_mappings_show_every_process_what_all_have_stored_and_agree_with_reads_and_writes()
    {
        string program = await LinuxPrograms.BuildAsync("shared-mappings");
        ProgramResult here = await Rack.HostAsync(_folder, [program, "1"]);
        ProgramResult there = await Rack.RunAsync(["--excache", "2M", .. await LinuxPrograms.AddAsync("shared-mappings")],
            ["/shared-mappings", "1"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Theory]
    [InlineData("1M")]
    [InlineData("16M")]
    public Task Files_in_memory_are_written_mapped_sealed_and_run_as_on_the_host(string cache) =>
        LinuxPrograms.AssertSameAsync(_folder, "", ["--excache", cache], "memory-files");

    [Fact]
    public Task Names_of_shared_memory_are_made_linked_renamed_and_removed_as_on_the_host() =>
        LinuxPrograms.AssertSameAsync(_folder, "", [], "shared-names");

    [Theory]
    [InlineData("1M")]
    [InlineData("16M")]
    public Task Pages_of_a_file_are_the_same_for_all_who_map_it_until_one_of_them_writes(string cache) =>
        LinuxPrograms.AssertSameAsync(_folder, "", ["--excache", cache], "shared-pages");

    [Fact]
    public async Task Files_in_memory_fill_half_of_it_and_give_it_back()
    {
        const string Script = "dd if=/dev/zero of=/dev/shm/full bs=64k 2>&1 | grep -c 'No space left'; busybox echo others run; "
            + "n=$(stat -c %s /dev/shm/full); echo $((n > 40000000)) $((n < 50000000)); "
            + "dd if=/dev/zero of=/dev/shm/more bs=64k count=1 2>/dev/null; echo $?; rm /dev/shm/*; "
            + "dd if=/dev/zero of=/dev/shm/full bs=64k count=500 2>/dev/null; echo $?; rm /dev/shm/full";
        ProgramResult result = await Rack.RunAsync(["--memory", "96M"], ["sh", "-c", Script]);
        Assert.True(result.Output == "1\nothers run\n1 1\n1\n0\n" && result.Status == 0, result.ToString());
    }

    [Theory]
    [InlineData("pages")]
    [InlineData("tables")]
    public async Task Who_takes_all_memory_or_all_page_tables_is_ended_and_nobody_else(string what)
    {
        string script = $"/taker {what} 2>/dev/null & taker=$!; n=0; while kill -0 $taker 2>/dev/null; do "
            + "/bin/busybox true || echo died; n=$((n + 1)); done; wait $taker; echo $? $((n > 0))";
        ProgramResult result = await Rack.RunAsync(["--memory", "48M", .. await LinuxPrograms.AddAsync("taker")], ["sh", "-c", script]);
        Assert.True(result.Output == "137 1\n" && result.Status == 0, result.ToString());
    }
}
