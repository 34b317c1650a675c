// Threads and their locks, with the host's own Linux as the judge: the same programs print the same bytes here and on racks whose processor component has
// one, two and four CPUs.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxThreadsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-threads-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Threads_behave_as_on_the_host(int cpus)
    {
        ProgramResult threads = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("threads")]);
        ProgramResult locks = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("threadlocks")]);
        ProgramResult futexes = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("futexes")]);
        string[] programs =
        [
            .. await LinuxPrograms.AddAsync("threads"), .. await LinuxPrograms.AddAsync("threadlocks"), .. await LinuxPrograms.AddAsync("futexes"),
        ];
        ProgramResult there = await Rack.RunAsync(["--cpus", $"{cpus}", .. programs], ["sh", "-c", "/threads; /threadlocks; /futexes"]);
        Assert.Equal(threads.Output + locks.Output + futexes.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Epoll_and_event_counters_behave_as_on_the_host(int cpus)
    {
        ProgramResult here = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("events")]);
        ProgramResult there = await Rack.RunAsync(["--cpus", $"{cpus}", .. await LinuxPrograms.AddAsync("events")], ["/events"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Fact]
    public async Task Polling_an_epoll_instance_asks_for_the_input_that_it_watches()
    {
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("events")], ["/events", "input"], "hello\n");
        Assert.Equal("input: 1 6 hello\n\n", there.Output);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Locks_in_shared_memory_wake_other_processes_and_outlive_their_owners(int cpus)
    {
        ProgramResult here = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("process-locks")]);
        ProgramResult there = await Rack.RunAsync(["--cpus", $"{cpus}", .. await LinuxPrograms.AddAsync("process-locks")], ["/process-locks"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Theory]
    [InlineData(1, "avx")]
    [InlineData(2, "avx")]
    [InlineData(4, "avx")]
    [InlineData(2, "sse")]
    public async Task Programs_keep_their_vector_registers_across_threads_signals_and_forks(int cpus, string vectors)
    {
        ProgramResult here = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("extended")]);
        ProgramResult offered = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("vectors")]);
        string[] programs = [.. await LinuxPrograms.AddAsync("extended"), .. await LinuxPrograms.AddAsync("vectors")];
        ProgramResult there = await Rack.RunAsync(["--cpus", $"{cpus}", "--vectors", vectors, .. programs], ["sh", "-c", "/extended; /vectors"]);
        Assert.Equal(here.Output + offered.Output, there.Output);
        Assert.Equal(0, there.Status);
    }
}
