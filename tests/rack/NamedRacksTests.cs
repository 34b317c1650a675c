// Two racks side by side, from rack files, by name: each command means the one that it names.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Lego.Racks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class NamedRacksTests
{
    [Fact]
    public async Task Two_racks_from_files_are_up_side_by_side_and_each_command_means_the_one_that_it_names()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, """
            components:
              - {kind: processor, cores: [0]}
              - {kind: memory, memory: 256M}
              - kind: storage
              - kind: manager
            """);
        string first = $"a{Environment.ProcessId}";
        string second = $"b{Environment.ProcessId}";
        try
        {
            foreach (string name in new[] { first, second })
            {
                CommandResult up = await LegoTool.RunAsync("up", "--rack", file, "--name", name);
                Assert.True(up.Status == 0, up.ToString());
            }

            Assert.Equal(0, (await LegoTool.RunAsync("run", "--name", first, "--", "sh", "-c", "echo first >/tmp/which")).Status);
            Assert.NotEqual(0, (await LegoTool.RunAsync("run", "--name", second, "--", "cat", "/tmp/which")).Status);
            Assert.Equal("first\n", (await LegoTool.RunAsync("run", "--name", first, "--", "cat", "/tmp/which")).OutputText);
            Assert.Contains("processor.excache.faults", (await LegoTool.RunAsync("stats", "--name", second)).OutputText);
            Assert.Contains("joined", (await LegoTool.RunAsync("logs", "--name", second, "g0")).OutputText);
            string[] top = (await LegoTool.RunAsync("top", "--name", second)).OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["name", "p0", "m0", "s0", "g0"], top.Select(line => line.Split('\t')[0]));
            Assert.Contains("is up", (await LegoTool.RunAsync("stats", "--name", "nobody")).ErrorText);

            await using Racks.Rack rack = await Racks.Rack.FindUpAsync(second);
            IReadOnlyList<ComponentLine> components = await rack.ComponentsAsync();
            Assert.Contains("Cpus_allowed_list:\t0\n", await File.ReadAllTextAsync($"/proc/{components[0].ProcessId}/status"));
        }
        finally
        {
            CommandResult[] downs = [await LegoTool.RunAsync("down", "--name", first), await LegoTool.RunAsync("down", "--name", second)];
            Assert.All(downs, down => Assert.True(down.Status == 0, down.ToString()));
            File.Delete(file);
        }
    }
}
