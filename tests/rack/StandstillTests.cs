// Time that nobody was there to see is nobody's silence; a component that did stand still alone is given up alone, ends what it had, and
// comes back.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class StandstillTests
{
    /// <summary>Longer than the silence after which the manager gives a member up.</summary>
    private static readonly TimeSpan s_standstill = TimeSpan.FromSeconds(9);
    private static readonly TimeSpan s_patience = HostSpeed.Scale(TimeSpan.FromMinutes(1));

    [Fact]
    public async Task Only_who_stood_still_alone_is_given_up_and_it_comes_back_without_its_programs()
    {
        // Side by side, because nearly all of it is waiting.
        await Task.WhenAll(RunAsync("ring"), RunAsync("ethernet"));
        await LegoTool.AssertNothingIsLeftAsync();
    }

    /// <summary>Everything, on a rack that is named after its link.</summary>
    private static async Task RunAsync(string link)
    {
        CommandResult up = await LegoTool.RunAsync("up", "--link", link, "--name", link);
        Assert.True(up.Status == 0, up.ToString());
        try
        {
            Dictionary<string, int> machines = LegoTool.MachinesIn(up.OutputText);
            int[] tools = [.. KeepersOf(link), .. link == "ethernet" ? HostProcesses.Find("lego.dll switch") : []];
            using Process program = LegoTool.Start("run", "--name", link, "--", "sh", "-c",
                "echo ready; while :; do date +%s > /tmp/beat; sleep 0.1; done");
            Assert.Equal("ready", await program.StandardOutput.ReadLineAsync().WaitAsync(s_patience));

            await StandStillAsync([.. machines.Values, .. tools]);
            await Task.Delay(s_standstill / 3);
            Assert.False(program.HasExited, $"{link}: a program has ended although the whole rack stood still together");

            if (link == "ethernet")
            {
                // The tool alone: what a Ctrl-Z does.
                await StandStillAsync(KeepersOf(link));
                Assert.False(program.HasExited, "the network stood still with the tool");
            }

            // However long it takes the manager, which counts no time that it was not there to see itself.
            LegoTool.Signal(machines["p0"], "STOP");
            CommandResult ended = await LegoTool.FinishAsync(program);
            LegoTool.Signal(machines["p0"], "CONT");
            Assert.Contains("processor node 1 failed", ended.ErrorText);
            CommandResult beats = await RunWhenBackAsync(link, "b=$(cat /tmp/beat); sleep 2; echo $b,$(cat /tmp/beat)");
            string[] times = beats.OutputText.Trim().Split(',');
            Assert.True(times.Length == 2 && times[0] == times[1], $"the program that was reported dead still writes: {beats}");

            string log = (await LegoTool.RunAsync("logs", "--name", link, "g0")).OutputText;
            Assert.Single(log.Split('\n'), line => line.Contains("failed: no sign of life"));
            string stats = (await LegoTool.RunAsync("stats", "--name", link)).OutputText;
            Assert.Contains(stats.Split('\n'), line => line.TrimEnd() == "m0\tmemory.spaces\t0");
        }
        finally
        {
            CommandResult down = await LegoTool.RunAsync("down", "--name", link);
            Assert.True(down.Status == 0, down.ToString());
        }
    }

    private static int[] KeepersOf(string link) => HostProcesses.Find($"lego.dll keep --link {link}");

    private static async Task StandStillAsync(int[] processes)
    {
        Array.ForEach(processes, process => LegoTool.Signal(process, "STOP"));
        await Task.Delay(s_standstill);
        Array.ForEach(processes, process => LegoTool.Signal(process, "CONT"));
    }

    /// <summary>Runs a shell line as soon as the rack has a processor component again.</summary>
    private static async Task<CommandResult> RunWhenBackAsync(string rack, string line)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            CommandResult result = await LegoTool.RunAsync("run", "--name", rack, "--", "sh", "-c", line);
            if (result.Status == 0)
            {
                return result;
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, result.ToString());
        }
    }
}
