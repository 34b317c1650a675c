// Threads and their locks, with the host's own Linux as the judge: the same programs print the same bytes here and on racks whose processor
// component has one, two and four CPUs.

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
    public Task Threads_their_locks_events_and_vector_registers_behave_as_on_the_host(int cpus) =>
        LinuxPrograms.AssertSameAsync(
            _folder, "", ["--cpus", $"{cpus}"], "threads", "threadlocks", "futexes", "process-locks", "events", "extended", "vectors");

    [Fact]
    public Task Programs_keep_their_vector_registers_where_the_processor_component_offers_the_narrow_ones_only() =>
        LinuxPrograms.AssertSameAsync(_folder, "", ["--cpus", "2", "--vectors", "sse"], "extended", "vectors");

    [Theory]
    [InlineData(1, "ring", 2000)]
    [InlineData(2, "ethernet", 800)]
    [InlineData(4, "ring", 1600)]
    public async Task Evictions_that_race_writers_lose_nothing_and_fetches_of_threads_overlap(int cpus, string link, int steps)
    {
        const int Pages = 2048;
        (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync(
            ["--cpus", $"{cpus}", "--link", link, "--excache", "1M", .. await LinuxPrograms.AddAsync("evictions")],
            ["/evictions", "4", $"{Pages}", $"{steps}"]);
        Assert.True(result is { Status: 0, Output: "ok\n" }, result.ToString());
        Assert.True(statistics["processor.excache.evictions"] > 3UL * (ulong)steps, "most steps displace a page");
        Assert.True(statistics["processor.excache.fetches_at_once"] > 1, "a thread fetches while another one waits for its page");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task No_wakeup_of_a_futex_is_lost(int cpus)
    {
        ProgramResult result = await Rack.RunAsync(["--cpus", $"{cpus}", .. await LinuxPrograms.AddAsync("wakeups")],
            ["/wakeups", "3", "20000"]);
        Assert.True(result is { Status: 0, Output: "ok\n" }, result.ToString());
    }

    [Fact]
    public async Task Polling_an_epoll_instance_asks_for_the_input_that_it_watches()
    {
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("events")], ["/events", "input"], "hello\n");
        Assert.Equal("input: 1 6 hello\n\n", there.Output);
    }
}
