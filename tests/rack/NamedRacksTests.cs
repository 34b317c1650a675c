// Two racks side by side, from rack files, by name: each command means the one that it names.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Lego.Racks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class NamedRacksTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_racks_from_files_are_up_side_by_side_and_each_command_means_the_one_that_it_names(bool firstGoesFirst)
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
            CommandResult left = await LegoTool.RunAsync("down", "--name", firstGoesFirst ? first : second);
            CommandResult stays = await LegoTool.RunAsync("run", "--name", firstGoesFirst ? second : first, "--", "true");
            CommandResult last = await LegoTool.RunAsync("down", "--name", firstGoesFirst ? second : first);
            Assert.All([left, stays, last], result => Assert.True(result.Status == 0, result.ToString()));
            File.Delete(file);
        }

        CommandResult nobody = await LegoTool.RunAsync("down", "--name", first);
        Assert.Equal((0, $"lego: no rack {first} is up\n"), (nobody.Status, nobody.ErrorText));
    }

    [Fact]
    public async Task A_command_without_a_name_means_the_rack_without_one_although_a_script_has_one_too()
    {
        await using Racks.Rack own = await Racks.Rack.BootAsync();
        try
        {
            Assert.Equal(0, (await LegoTool.RunAsync("up")).Status);
            Assert.Equal(0, (await LegoTool.RunAsync("run", "--", "true")).Status);
            Assert.Contains("\tfabric.served.StartProcess\t1\n", (await LegoTool.RunAsync("stats")).OutputText);
        }
        finally
        {
            Assert.Equal(0, (await LegoTool.RunAsync("down")).Status);
        }
    }

    [Fact]
    public async Task Of_a_rack_that_was_taken_down_nothing_is_left_when_that_is_confirmed()
    {
        string name = $"c{Environment.ProcessId}";
        Assert.Equal(0, (await LegoTool.RunAsync("up", "--name", name)).Status);
        await using Racks.Rack rack = await Racks.Rack.FindUpAsync(name);
        await rack.ShutDownAsync();
        // Of the same name, at once.
        using RackDirectory? free = RackDirectory.TryCreate(RackDirectory.UpNameOf(name));
        Assert.NotNull(free);
    }
}
