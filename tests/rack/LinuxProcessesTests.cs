// Processes, signals and timers, with the host's own Linux as the judge: the same programs print the same bytes here and on a rack.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class LinuxProcessesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-processes-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("processes")]
    public async Task Processes_behave_as_on_the_host(string program)
    {
        ProgramResult here = await Rack.HostAsync(_folder, [await LinuxPrograms.BuildAsync(program)]);
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync(program)], ["/" + program]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }
}
