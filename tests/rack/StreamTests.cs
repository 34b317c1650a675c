// Standard streams between a program on the rack and the shell that started it, as they are between a program and a shell on one machine:
// who waits for whom, what is read and what is not, and what happens when a side goes away. One rack is up for all of these tests.

using System;
using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>A rack that is up for a class of tests.</summary>
public sealed class UpRack : IAsyncLifetime
{
    public async Task InitializeAsync()
    {
        CommandResult up = await LegoTool.RunAsync("up");
        Assert.True(up.Status == 0, up.ToString());
    }

    public async Task DisposeAsync()
    {
        CommandResult down = await LegoTool.RunAsync("down");
        Assert.True(down.Status == 0, down.ToString());
        await LegoTool.AssertNothingIsLeftAsync();
    }
}

[Collection(Alone.Name)]
public sealed class StreamTests : IClassFixture<UpRack>
{
    private const int TimedOutStatus = 124;

    [Fact]
    public async Task A_reader_that_pauses_stops_its_own_program_and_nobody_else()
    {
        const int Bytes = 3_000_000;
        using Process paused = LegoTool.Start("run", "--", "sh", "-c", $"yes | head -c {Bytes}");
        // Seven writers of large blocks, none of whose bytes anybody reads; what goes to the other stream passes.
        using Process crowd = LegoTool.Start("run", "--", "sh", "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do dd if=/dev/zero bs=64k 2>/dev/null & done; sleep 1; ls / >/tmp/list; "
            + "kill -9 $!; wait $! 2>/dev/null; echo \"$? $(grep -c bin /tmp/list)\" >&2; kill -9 0");
        string? killed = await crowd.StandardError.ReadLineAsync().WaitAsync(HostSpeed.Scale(TimeSpan.FromMinutes(2)));
        Assert.Equal("137 2", killed);

        CommandResult echo = await LegoTool.RunAsync("run", "--", "echo", "x");
        Assert.True(echo is { Status: 0, OutputText: "x\n" }, echo.ToString());
        CommandResult limited = await LegoTool.RunAsync("run", "--timeout", "1", "--", "yes");
        Assert.Equal(TimedOutStatus, limited.Status);
        Assert.Equal(4, (await LegoTool.MachinesAsync()).Count);

        CommandResult all = await LegoTool.FinishAsync(paused);
        Assert.Equal((0, Bytes), (all.Status, all.Output.Length));
        Assert.Equal(137, (await LegoTool.FinishAsync(crowd)).Status);
    }

    [Fact]
    public async Task A_reader_that_goes_away_is_told_to_the_programs_writes()
    {
        await AssertShellAsync("./lego run -- yes | head -1; echo ${PIPESTATUS[0]}", "y\n141\n");
        await AssertShellAsync(
            "{ ./lego run -- sh -c 'trap \"\" PIPE; while echo x; do :; done 2>/dev/null; echo ended >&2' 2>&3 | head -1; } 3>&1",
            "x\nended\n");
    }

    [Fact]
    public async Task Output_that_cannot_be_written_is_a_sentence_and_a_status()
    {
        await AssertShellAsync("./lego run -- echo hi 2>&1 >/dev/full; echo $?",
            "lego: cannot write standard output: No space left on device\n1\n");
        await AssertShellAsync("./lego run -- sh -c 'exec 2>/dev/null; cat /bin/busybox; exit 9' 2>&1 >/dev/full; echo $?",
            "lego: cannot write standard output: No space left on device\n9\n");
    }

    [Fact]
    public async Task Standard_input_that_a_program_does_not_read_is_there_for_the_next_one()
    {
        await AssertShellAsync("printf '1\\n2\\n3\\n' | while read l; do ./lego run -- echo $l; done", "1\n2\n3\n");
        await AssertShellAsync("printf 'a\\nb\\nc\\n' | (./lego run -- sh -c 'read x; echo got $x'; cat)", "got a\nb\nc\n");
        await AssertShellAsync("./lego run -- sh -c 'cat | wc -c' <&-", "0\n");
    }

    [Fact]
    public async Task Standard_input_of_many_bytes_arrives_whole()
    {
        byte[] bytes = new byte[3_000_000];
        new Random(5).NextBytes(bytes);
        "a line\n"u8.CopyTo(bytes);
        CommandResult result = await LegoTool.RunAsync(bytes, "run", "--", "sh", "-c", "read line; echo \"$line\"; sleep 0.1; cat");
        Assert.Equal(0, result.Status);
        Assert.True(result.Output.SequenceEqual(bytes));
    }

    [Fact]
    public async Task A_client_that_is_killed_takes_everything_with_it_that_it_started()
    {
        using Process client = await LegoTool.StartReadyAsync([], "setsid sleep 4321 & sleep 4322");
        LegoTool.Signal(client.Id, "KILL");
        await LegoTool.FinishAsync(client);
        await AssertShellAsync("./lego run -- sh -c 'while ps | grep -q \"sleep 432[12]\"; do sleep 0.1; done; echo gone'", "gone\n");
    }

    [Fact]
    public async Task Arguments_are_the_bytes_that_they_are_and_too_many_of_them_are_a_sentence()
    {
        await AssertShellAsync("./lego run --env $'A=\\xfe' -- sh -c 'printf \"%s%s\" \"$1\" \"$A\"' sh $'\\xffü' | od -An -tx1",
            " ff c3 bc fe\n");
        await AssertShellAsync("./lego run -- sh -c 'echo ${#1}' sh $(head -c 50000 /dev/zero | tr '\\0' a)", "50000\n");
        CommandResult refused = await LegoTool.RunAsync("run", "--", "echo", new string('a', 120_000));
        Assert.Equal(126, refused.Status);
        Assert.Contains("too long (E2BIG)", refused.ErrorText);
        CommandResult echo = await LegoTool.RunAsync("run", "--", "echo", "x");
        Assert.True(echo is { Status: 0, OutputText: "x\n" }, echo.ToString());
    }

    private static async Task AssertShellAsync(string line, string expected)
    {
        ProgramResult result = await Rack.HostAsync(Rack.Root, ["bash", "-c", line]);
        Assert.True(result.Output == expected, $"{line}\n{result}");
    }
}
