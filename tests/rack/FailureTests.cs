// When a component dies, the run ends within ten seconds and says which; when the tool dies or is signalled, nothing of its rack stays.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class FailureTests
{
    private const int RackFailedStatus = 70;
    private const int TimedOutStatus = 124;
    private static readonly TimeSpan s_promise = HostSpeed.Scale(TimeSpan.FromSeconds(10));

    [Theory]
    [InlineData("m0", "ring")]
    [InlineData("s0", "ring")]
    [InlineData("g0", "ring")]
    [InlineData("p0", "ring")]
    [InlineData("m0", "ethernet")]
    [InlineData("s0", "ethernet")]
    [InlineData("g0", "ethernet")]
    public async Task Killing_a_component_ends_the_run_with_a_sentence_that_names_it(string name, string link)
    {
        using Process process = await LegoTool.StartReadyAsync(["--link", link],
            "while :; do echo x > /tmp/f; cat /tmp/f > /dev/null; done");
        Dictionary<string, int> machines = await LegoTool.MachinesAsync();
        LegoTool.Signal(machines[name], "KILL");
        CommandResult result = await LegoTool.FinishAsync(process);
        Assert.Equal(RackFailedStatus, result.Status);
        Assert.Contains($"lego: {name} (", result.ErrorText);
        Assert.True(result.Time < s_promise, result.ToString());
        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("HUP")]
    public async Task Nothing_is_left_when_the_tool_itself_is_ended(string signal)
    {
        using Process process = await LegoTool.StartReadyAsync([], "sleep 1000");
        LegoTool.Signal(process.Id, signal);
        await LegoTool.FinishAsync(process);
        // The machines die with the tool; its files go at the next start, which asking for them is.
        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Theory]
    [InlineData("INT", "caught 2\n", 12)]
    [InlineData("TERM", "caught 15\n", 13)]
    public async Task A_signal_to_the_tool_reaches_the_program(string signal, string output, int status)
    {
        using Process process = await LegoTool.StartReadyAsync([],
            "trap 'echo caught 2; exit 12' INT; trap 'echo caught 15; exit 13' TERM; while :; do sleep 0.1; done");
        // "ready" comes before the traps are set.
        await Task.Delay(TimeSpan.FromSeconds(1));
        LegoTool.Signal(process.Id, signal);
        CommandResult result = await LegoTool.FinishAsync(process);
        Assert.True(result.Status == status && result.OutputText == output, result.ToString());
        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_time_limit_ends_the_program_and_the_rack()
    {
        CommandResult result = await LegoTool.RunAsync("run", "--timeout", "3", "--", "sleep", "1000");
        Assert.True(result.Status == TimedOutStatus && result.Time < s_promise, result.ToString());
        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_rack_that_is_up_serves_several_programs_and_goes_down_clean()
    {
        CommandResult up = await LegoTool.RunAsync("up");
        try
        {
            Assert.True(up.Status == 0, up.ToString());
            CommandResult[] results = await Task.WhenAll(
                LegoTool.RunAsync("run", "--", "sh", "-c", "sleep 0.5; echo first"),
                LegoTool.RunAsync("run", "--", "sh", "-c", "sleep 0.5; echo second"));
            Assert.Equal(("first\n", "second\n"), (results[0].OutputText, results[1].OutputText));
            Assert.Contains("processor.excache.faults", (await LegoTool.RunAsync("stats")).OutputText);
            Assert.Contains("joined", (await LegoTool.RunAsync("logs", "g0")).OutputText);
        }
        finally
        {
            CommandResult down = await LegoTool.RunAsync("down");
            Assert.True(down.Status == 0, down.ToString());
        }

        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task Of_many_that_bring_a_rack_up_at_once_one_has_it_and_the_others_say_so()
    {
        const int Many = 6;
        const int ApartMs = 150;
        try
        {
            Task<CommandResult>[] ups = new Task<CommandResult>[Many];
            for (int index = 0; index < Many; index++)
            {
                ups[index] = LegoTool.RunAsync("up");
                await Task.Delay(ApartMs);
            }

            CommandResult[] results = await Task.WhenAll(ups);
            Assert.Single(results, result => result.Status == 0);
            Assert.All(results.Where(result => result.Status != 0), result => Assert.Contains("a rack is already up", result.ErrorText));
        }
        finally
        {
            await LegoTool.RunAsync("down");
        }

        await LegoTool.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task What_is_written_to_a_named_volume_stays_and_the_volume_stays_clean()
    {
        string name = $"kept-{Environment.ProcessId}";
        string image = Path.Combine(Rack.Root, "out", "volumes", name + ".img");
        string tree = Directory.CreateTempSubdirectory("lego-tree-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(tree, "bin"));
            File.Copy("/bin/busybox", Path.Combine(tree, "bin", "busybox"));
            Assert.Equal(0, (await LegoTool.RunAsync("volume", "create", name, "--from", tree)).Status);
            ProgramResult wrote = await Rack.RunAsync(["--volume", name],
                ["/bin/busybox", "sh", "-c", "/bin/busybox seq 1 50000 > /numbers"]);
            Assert.True(wrote.Status == 0, wrote.ToString());
            ProgramResult read = await Rack.RunAsync(["--volume", name], ["/bin/busybox", "md5sum", "/numbers"]);
            ProgramResult expected = await Rack.HostAsync("/", ["sh", "-c", "seq 1 50000 | md5sum"]);
            Assert.Equal(expected.Output.Split(' ')[0], read.Output.Split(' ')[0]);
            ProgramResult check = await Rack.HostAsync("/", ["sh", "-c", $"PATH=$PATH:/usr/sbin e2fsck -fn {image}"]);
            Assert.True(check.Status == 0, check.ToString());
        }
        finally
        {
            Directory.Delete(tree, recursive: true);
            File.Delete(image);
        }
    }
}
