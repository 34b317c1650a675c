// Several CPUs in one processor component: programs that fault on all of them at once keep their memory, and go on, also where the host has
// fewer cores than the machine has CPUs; their clocks are one, and the vDSO knows which CPU it runs on.

using System.Globalization;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class ProcessorTests
{
    private const string RackOfManyProcessors = """
        link: ring
        components:
          - kind: processor
            memory: 64M
            excache: 1M
            policy: lru
            cpus: {0}
          - kind: memory
            memory: 512M
          - kind: storage
          - kind: manager

        """;

    private static string Fill(string format, params object[] values) => string.Format(CultureInfo.InvariantCulture, format, values);

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Programs_that_fault_on_several_processors_at_once_keep_their_memory(int processors)
    {
        string rack = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(rack, Fill(RackOfManyProcessors, processors));
            const string Script =
                "for seed in 1 2 3 4; do {0}pattern 2 $seed > {1}/p$seed & done; wait; for seed in 1 2 3 4; do cat {1}/p$seed; done";
            string folder = Directory.CreateTempSubdirectory("lego-pattern-").FullName;
            string program = await LinuxPrograms.BuildAsync("pattern");
            ProgramResult host = await Rack.HostAsync("/", ["sh", "-c", Fill(Script, Path.GetDirectoryName(program) + "/", folder)]);
            Directory.Delete(folder, recursive: true);
            ProgramResult result = await Rack.RunAsync(["--rack", rack, .. await LinuxPrograms.AddAsync("pattern")],
                ["sh", "-c", Fill(Script, "/", "/tmp")]);
            Assert.Equal(0, host.Status);
            Assert.Equal(host.Output, result.Output);
        }
        finally
        {
            File.Delete(rack);
        }
    }

    [Fact]
    public async Task Clocks_and_numbers_of_several_processors_agree_with_the_kernel()
    {
        string rack = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(rack, Fill(RackOfManyProcessors, 3));
            string folder = Directory.CreateTempSubdirectory("lego-clocks-").FullName;
            ProgramResult host = await Rack.HostAsync(folder, [await LinuxPrograms.BuildAsync("clocks")]);
            Directory.Delete(folder, recursive: true);
            ProgramResult result = await Rack.RunAsync(["--rack", rack, .. await LinuxPrograms.AddAsync("clocks")], ["/clocks"]);
            Assert.Equal(host.Output, result.Output);
            Assert.Equal(0, result.Status);
        }
        finally
        {
            File.Delete(rack);
        }
    }
}
