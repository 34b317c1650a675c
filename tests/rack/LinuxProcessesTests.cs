// Processes, signals, timers and clocks, with the host's own Linux as the judge: the same programs print the same bytes here and on a rack.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxProcessesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-processes-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Arguments_and_environment_may_be_as_large_as_on_the_host()
    {
        string program = await LinuxPrograms.BuildAsync("arguments");
        ProgramResult here = await Rack.HostAsync(Path.GetDirectoryName(program)!, ["./arguments"]);
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("arguments")], ["./arguments"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Fact]
    public async Task A_fork_writes_nothing_back_whatever_its_children_do()
    {
        ulong seldom = await WriteBacksAsync(2);
        ulong often = await WriteBacksAsync(200);
        Assert.True(often == seldom, $"{seldom} pages written back by 2 rounds, {often} by 200");
    }

    [Fact]
    public async Task Executing_a_program_again_fetches_nothing_of_its_file()
    {
        const int Few = 20;
        const int Many = 220;
        Statistics few = await ExecutionsAsync(Few);
        Statistics many = await ExecutionsAsync(Many);
        Assert.Equal(few["fabric.requests.FileRead"], many["fabric.requests.FileRead"]);
        // The page where the data end: m has made it for this execution.
        ulong misses = Fetches(many) - Fetches(few);
        Assert.True(misses <= Many - Few, $"{misses} pages fetched by {Many - Few} executions more");
    }

    private static ulong Fetches(Statistics statistics) => statistics["fabric.requests.Miss"] + statistics["fabric.requests.MissFlush"];

    private static async Task<Statistics> ExecutionsAsync(int rounds)
    {
        string script = $"n=0; while [ $n -lt {rounds} ]; do n=$((n + 1)); /bin/busybox true; done; echo $n";
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync([], ["sh", "-c", script]);
        Assert.True(result.Output == $"{rounds}\n" && result.Status == 0, result.ToString());
        return statistics;
    }

    /// <summary>Messages that write a shell's pages back while it forks children that write, end, and execute programs.</summary>
    private static async Task<ulong> WriteBacksAsync(int rounds)
    {
        string script = $"n=0; while [ $n -lt {rounds} ]; do n=$((n + 1)); (x=$n; exit 0); busybox true; done; echo $n";
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync([], ["sh", "-c", script]);
        Assert.True(result.Output == $"{rounds}\n" && result.Status == 0, result.ToString());
        return statistics["fabric.requests.Flush"] + statistics["fabric.requests.MissFlush"];
    }

    [RootFact]
    public Task Segments_semaphores_and_message_queues_of_System_V_behave_as_on_the_host() =>
        LinuxPrograms.AssertSameAsync(_folder, "", [], "sysvipc");

    [RootFact]
    public Task Processes_signals_timers_and_clocks_behave_as_on_the_host() =>
        LinuxPrograms.AssertSameAsync(_folder, "", [], "clocks", "cpu-clocks", "facts", "nice", "processes", "signals", "vectors");
}
