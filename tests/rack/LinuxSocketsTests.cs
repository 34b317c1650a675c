// Sockets, and the files that tell of events, with the host's own Linux as the judge: the same program prints the same bytes here and on a
// rack.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxSocketsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-sockets-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [RootTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Unix_sockets_behave_as_on_the_host(int cpus)
    {
        string program = await LinuxPrograms.BuildAsync("unix-sockets");
        // Abstract names belong to a network namespace (unix(7)): one of its own, so that nobody else on this host has taken them.
        ProgramResult here = await Rack.HostAsync(_folder, ["unshare", "--net", program, _folder]);
        string[] options = ["--cpus", $"{cpus}", .. await LinuxPrograms.AddAsync("unix-sockets")];
        ProgramResult there = await Rack.RunAsync(options, ["/unix-sockets", "/"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [RootTheory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Timers_signals_and_epoll_instances_within_others_tell_as_on_the_host(int cpus)
    {
        ProgramResult here = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync("told-events")]);
        ProgramResult there = await Rack.RunAsync(["--cpus", $"{cpus}", .. await LinuxPrograms.AddAsync("told-events")], ["/told-events"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [RootTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Internet_sockets_over_the_loopback_behave_as_on_the_host(int cpus)
    {
        // A network namespace of the test's own: nothing of the host's settings or ports is seen.
        string program = await LinuxPrograms.BuildAsync("internet-sockets");
        ProgramResult here = await Rack.HostAsync(_folder, ["unshare", "-n", "sh", "-c", $"ip link set lo up; {program}"]);
        string[] options = ["--cpus", $"{cpus}", .. await LinuxPrograms.AddAsync("internet-sockets")];
        ProgramResult there = await Rack.RunAsync(options, ["/internet-sockets"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [RootTheory]
    [InlineData("many-sockets", "128M")]
    [InlineData("socket-memory", "64M")]
    public async Task Ten_thousand_sockets_are_open_and_buffers_beyond_the_memory_wait_as_on_the_host(string name, string memory)
    {
        string program = await LinuxPrograms.BuildAsync(name);
        ProgramResult here = await Rack.HostAsync(_folder, ["unshare", "-n", "sh", "-c", $"ip link set lo up; {program}"]);
        string[] options = ["--processor-memory", memory, .. await LinuxPrograms.AddAsync(name)];
        ProgramResult there = await Rack.RunAsync(options, [$"/{name}"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal((0, ""), (there.Status, there.Error));
    }

    /// <summary>
    /// Sequences of calls, names, flags, options and bad arguments drawn from a table, each a line: the first that differs is shown whole.
    /// </summary>
    [RootFact]
    public async Task Three_thousand_sequences_of_socket_calls_return_what_the_host_returns()
    {
        string program = await LinuxPrograms.BuildAsync("socket-sequences");
        ProgramResult here = await Rack.HostAsync(_folder, ["unshare", "-n", "sh", "-c", $"ip link set lo up; {program} 0 3000"]);
        string[] options = await LinuxPrograms.AddAsync("socket-sequences");
        ProgramResult there = await Rack.RunAsync(options, ["/socket-sequences", "0", "3000"]);
        Assert.Equal(here.Output.Split('\n'), there.Output.Split('\n'));
        Assert.Equal(0, there.Status);
    }
}
