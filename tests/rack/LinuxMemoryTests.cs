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
    public async Task Map_calls_that_fail_leave_memory_as_it_was_and_the_others_do_what_they_do_on_the_host()
    {
        string program = await LinuxPrograms.BuildAsync("memory");
        ProgramResult here = await Rack.HostAsync(_folder, [program]);
        ProgramResult there = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("memory")], ["/memory"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }
}
