// The manager's machine is killed while the rack is up: it is started anew, the users of programs that ran hear of it, and work that has no
// user goes on.

using System;
using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class LostManagerTests
{
    private const int RackFailedStatus = 70;
    private const string Work = "i=0; while [ $i -lt 400 ]; do echo $i >> /tmp/work; i=$((i+1)); done; mv /tmp/work /tmp/done";

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task A_manager_that_is_killed_is_started_anew_and_takes_up_where_the_rack_is(string link)
    {
        CommandResult up = await LegoTool.RunAsync("up", "--link", link);
        try
        {
            Assert.True(up.Status == 0, up.ToString());
            using Process left = LegoTool.Start("run", "--", "sh", "-c", $"(trap '' HUP; {Work}) </dev/null >/dev/null 2>&1 & echo ready");
            Assert.Equal("ready", await left.StandardOutput.ReadLineAsync());
            Assert.Equal(0, (await LegoTool.FinishAsync(left)).Status);
            using Process talking = LegoTool.Start("run", "--", "sh", "-c", "echo ready; sleep 1000");
            Assert.Equal("ready", await talking.StandardOutput.ReadLineAsync());
            LegoTool.Signal((await LegoTool.MachinesAsync())["g0"], "KILL");

            CommandResult ended = await LegoTool.FinishAsync(talking);
            Assert.Equal((RackFailedStatus, "lego: g0 (manager) was killed\n"), (ended.Status, ended.ErrorText));
            CommandResult read = await LegoTool.RunAsync(
                "run", "--", "sh", "-c", "until [ -e /tmp/done ]; do sleep 0.1; done; md5sum </tmp/done");
            ProgramResult host = await Rack.HostAsync("/", ["sh", "-c", "seq 0 399 | md5sum"]);
            Assert.Equal((0, host.Output, ""), (read.Status, read.OutputText, read.ErrorText));
            string line = (await LegoTool.RunAsync("ps")).OutputText.Split('\n').Single(row => row.StartsWith("g0\t"));
            Assert.Contains("\trunning, restarted 1x\t", line);
            CommandResult sleeping = await LegoTool.RunAsync("run", "--", "sh", "-c", "ps | grep -c '[s]leep 1000'");
            Assert.Equal("0\n", sleeping.OutputText);
        }
        finally
        {
            CommandResult down = await LegoTool.RunAsync("down");
            Assert.True(down.Status == 0, down.ToString());
        }

        await LegoTool.AssertNothingIsLeftAsync();
    }
}
