// vNodes seen from outside: two of one rack use the same paths, names and keys, and neither knows of the other; a limit hits only its own.

using System;
using System.Linq;
using System.Threading.Tasks;
using Lego.Racks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class VNodeTests
{
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromMinutes(1));

    private static ProgramOptions In(string? vnode) => new() { VNode = vnode, Limit = s_limit };

    [Theory]
    [InlineData(LinkKind.Ring)]
    [InlineData(LinkKind.Ethernet)]
    public async Task Two_vNodes_with_the_same_paths_never_see_each_others_files_and_processes(LinkKind link)
    {
        await using Racks.Rack rack = await Racks.Rack.BootAsync(RackDescription.Default with { Link = link });
        await rack.CreateVNodeAsync("one");
        await rack.CreateVNodeAsync("two");
        await Assert.ThrowsAsync<ToolException>(() => rack.CreateVNodeAsync("one"));
        await Assert.ThrowsAsync<ToolException>(() => rack.CreateVNodeAsync("three", new VNodeOptions { Root = "/nowhere" }));
        await Assert.ThrowsAsync<ToolException>(() => rack.RunAsync(In("nobody"), "true"));

        foreach (string name in new[] { "one", "two" })
        {
            Racks.ProgramResult wrote = await rack.RunAsync(
                In(name), "sh", "-c", $"echo secret of {name} > /tmp/same; cd /tmp; pwd; cat /../../tmp/same; ls / | tr '\\n' ' '");
            Assert.Equal((0, ""), (wrote.Status, wrote.Error));
            Assert.StartsWith($"/tmp\nsecret of {name}\n", wrote.Output);
            Assert.DoesNotContain("vnodes", wrote.Output);
        }

        Assert.Equal("secret of one\n", (await rack.RunAsync(In("one"), "cat", "/tmp/same")).Output);
        Assert.Equal("secret of one\nsecret of two\n",
            (await rack.RunAsync(In(null), "cat", "/vnodes/one/tmp/same", "/vnodes/two/tmp/same")).Output);
        Assert.Equal("/tmp\n", (await rack.RunAsync(In("one"), "sh", "-c", "cd tmp; pwd -P")).Output);

        await using RackProgram first = await rack.StartAsync(In("one"), "sh", "-c", "echo ready; exec sleep 1001");
        await using RackProgram second = await rack.StartAsync(In("two"), "sh", "-c", "echo ready; exec sleep 1002");
        await first.WaitForOutputAsync("ready");
        await second.WaitForOutputAsync("ready");
        string seen = (await rack.RunAsync(In("two"), "ps")).Output;
        Assert.Contains("sleep 1002", seen);
        Assert.DoesNotContain("sleep 1001", seen);
        string all = (await rack.RunAsync(In(null), "ps")).Output;
        Assert.True(all.Contains("sleep 1001") && all.Contains("sleep 1002"), all);

        // The number is no secret, and still names nobody.
        string id = all.Split('\n').First(line => line.Contains("sleep 1001")).Trim().Split(' ')[0];
        Racks.ProgramResult kill = await rack.RunAsync(In("two"), "sh", "-c", $"kill -0 {id}; ls /proc/{id}; kill -9 -1");
        Assert.Contains("No such process", kill.Error);
        Assert.Contains("No such file", kill.Error);
        Assert.Equal(128 + 9, (await second.Result).Status);
        Assert.False(first.Result.IsCompleted);

        VNodeLine line = (await rack.VNodesAsync()).Single(v => v.Name == "one");
        Assert.Equal((1, "/vnodes/one"), (line.Processes, line.Root));
        Assert.True(line.MemoryBytes > 0 && line.CpuTime > TimeSpan.Zero, line.ToString());
        await Assert.ThrowsAsync<ToolException>(() => rack.RemoveVNodeAsync("one"));
        await rack.StopVNodeAsync("one");
        Assert.Equal(128 + 9, (await first.Result).Status);
        await rack.RemoveVNodeAsync("one");
        Assert.Equal(["two"], (await rack.VNodesAsync()).Select(v => v.Name));
        await Assert.ThrowsAsync<ToolException>(() => rack.RunAsync(In("one"), "true"));
        // The name is free, the number is not used again, the files are as they were.
        Assert.True(await rack.CreateVNodeAsync("one") > 2);
        Assert.Equal("secret of one\n", (await rack.RunAsync(In("one"), "cat", "/tmp/same")).Output);
        StatisticsDocument counters = await rack.StatisticsAsync();
        Assert.Equal(0UL, counters["fabric.vnode_violations"] + counters["storage.vnode_violations"]);
    }

    [Fact]
    public async Task A_vNodes_limits_and_its_root_reach_its_own_programs_and_no_others()
    {
        await using Racks.Rack rack = await Racks.Rack.BootAsync();
        foreach (string bad in new[] { "", ".", "..", "-x", "a b", "a/b", new string('a', 32) })
        {
            Assert.Contains("a name has", (await Assert.ThrowsAsync<ToolException>(() => rack.CreateVNodeAsync(bad))).Message);
        }

        ToolException tooSmall = await Assert.ThrowsAsync<ToolException>(
            () => rack.CreateVNodeAsync("small", new VNodeOptions { MemoryBytes = ByteSize.KiB }));
        Assert.Contains("1K of memory is too small", tooSmall.Message);
        // Nothing is made for what is refused.
        Assert.Equal("0\n", (await rack.RunAsync("sh", "-c", "ls / | grep -c vnodes")).Output);
        await rack.CreateVNodeAsync("small", new VNodeOptions { MemoryBytes = 8 * ByteSize.MiB, Processes = 3 });
        await rack.CreateVNodeAsync("large");
        const string Sockets = "/proc/net/tcp /proc/net/tcp6";
        const int Killed = 128 + 9;
        string[] eater = ["dd", "if=/dev/zero", "of=/dev/null", "bs=12M", "count=1"];
        await using RackProgram waiter = await rack.StartAsync(
            In("large"), "sh", "-c", $"nc -l -p 7000 & until grep -qi :1B58 {Sockets}; do sleep 0.1; done; echo ready; wait");
        await waiter.WaitForOutputAsync("ready");
        Racks.ProgramResult strange = await rack.RunAsync(
            In("small"), "sh", "-c", $"cat {Sockets} | grep -ci :1B58; hostname mine; hostname");
        string name = (await rack.RunAsync(In(null), "hostname")).Output;
        Assert.Equal($"0\n{name}", strange.Output);
        Assert.Contains("hostname", strange.Error);
        Racks.ProgramResult eaten = await rack.RunAsync(In("small"), eater);
        Assert.Equal(Killed, eaten.Status);
        Assert.Contains("(dd) killed: vNode 1 has all the memory that it may have", eaten.Error);
        Assert.Equal(0, (await rack.RunAsync(In("large"), eater)).Status);
        Assert.Equal("here\n", (await rack.RunAsync(In("small"), "echo", "here")).Output);
        Racks.ProgramResult forks = await rack.RunAsync(In("small"), "sh", "-c", "sleep 5 & sleep 5 & sleep 5 & wait");
        Assert.Contains("fork", forks.Error);
        Racks.ProgramResult others = await rack.RunAsync(In("large"), "sh", "-c", "sleep 1 & sleep 1 & sleep 1 & wait; echo all");
        Assert.Equal((0, "all\n"), (others.Status, others.Output));
        Assert.False(waiter.Result.IsCompleted);
    }

    [Fact]
    public async Task A_vNode_and_its_programs_outlive_the_managers_machine()
    {
        const string Work =
            "i=0; while [ $i -lt 100 ]; do echo $i >>/tmp/work; cat /tmp/work >/dev/null; i=$((i+1)); done; mv /tmp/work /tmp/done";
        CommandResult up = await LegoTool.RunAsync("up");
        try
        {
            Assert.True(up.Status == 0, up.ToString());
            await RunAsync("vnode", "create", "blue", "--memory", "64M");
            await RunAsync("run", "--vnode", "blue", "--", "sh", "-c", $"(trap '' HUP; {Work}) </dev/null >/dev/null 2>&1 &");
            LegoTool.Signal((await LegoTool.MachinesAsync())["g0"], "KILL");
            string[] lines = (await RunAsync("vnode", "list")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["blue", "1"], lines[1].Split('\t', ' ').Where(word => word.Length != 0).Take(2));
            await RunAsync("vnode", "create", "red");
            string seen = await RunAsync(
                "run", "--vnode", "blue", "--", "sh", "-c", "until [ -e /tmp/done ]; do sleep 0.1; done; wc -l </tmp/done");
            Assert.Equal("100\n", seen);
            Assert.Equal("", await RunAsync("run", "--vnode", "red", "--", "ls", "/tmp"));
            await RunAsync("vnode", "stop", "blue");
            await RunAsync("vnode", "rm", "blue");
            CommandResult refused = await LegoTool.RunAsync("run", "--vnode", "blue", "--", "true");
            Assert.Contains("there is no vNode blue", refused.ErrorText);
        }
        finally
        {
            CommandResult down = await LegoTool.RunAsync("down");
            Assert.True(down.Status == 0, down.ToString());
        }

        await LegoTool.AssertNothingIsLeftAsync();
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        CommandResult result = await LegoTool.RunAsync(arguments);
        Assert.True(result.Status == 0, result.ToString());
        return result.OutputText;
    }
}
