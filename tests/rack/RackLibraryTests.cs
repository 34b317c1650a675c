// tools/rack as rack scripts use it: programs with their streams, what can be done to components, and their memory seen from outside.

using System;
using System.IO;
using System.Text;
using System.Threading.Tasks;
using Lego.Racks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class RackLibraryTests
{
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromMinutes(1));
    private static readonly ProgramOptions s_limited = new() { Limit = s_limit };

    /// <summary>The default rack, with a manager that gives nobody up within the test's time.</summary>
    private static RackDescription Patient =>
        RackDescription.Default.With(ComponentKind.Manager, c => c with { BootArguments = ["fail_ms=600000"] });

    [Fact]
    public async Task A_script_runs_programs_with_input_environment_and_signals_and_sees_their_output_as_it_comes()
    {
        await using Racks.Rack rack = await Racks.Rack.BootAsync();
        ProgramOptions options = s_limited with
        {
            Environment = ["WHO=script"],
            WorkingDirectory = "/tmp",
            Input = new MemoryStream("from here\n"u8.ToArray()),
            Output = new MemoryStream(),
        };
        Racks.ProgramResult result = await rack.RunAsync(options, "sh", "-c", "cat; echo $WHO; pwd; echo oh >&2; exit 7");
        Assert.Equal((7, "from here\nscript\n/tmp\n", "oh\n"), (result.Status, result.Output, result.Error));
        Assert.Equal(result.Output, Encoding.UTF8.GetString(((MemoryStream)options.Output).ToArray()));

        await using RackProgram program = await rack.StartAsync(
            s_limited, "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 1; done");
        await program.WaitForOutputAsync("ready");
        Assert.False(program.Result.IsCompleted);
        program.Signal(2);
        Assert.Equal(9, (await program.Result).Status);
        await Assert.ThrowsAsync<ToolException>(async () => await rack.RunAsync("no-such-program"));
        Assert.True((await rack.StatisticsAsync())["processor.excache.faults"] > 0);
        Assert.Contains("joined", rack.LogOf("g0"));
    }

    [Theory]
    [InlineData(LinkKind.Ring, "s0")]
    [InlineData(LinkKind.Ethernet, "m0")]
    public async Task A_component_that_is_frozen_or_cut_for_a_while_holds_programs_up_and_nothing_is_lost(LinkKind link, string name)
    {
        await using Racks.Rack rack = await Racks.Rack.BootAsync(Patient with { Link = link });
        await (link == LinkKind.Ring ? rack.FreezeAsync(name) : rack.CutAsync(name));
        Task<Racks.ProgramResult> held = rack.RunAsync(s_limited, "sh", "-c", "ls /bin | wc -l");
        await Task.Delay(TimeSpan.FromSeconds(1));
        Assert.False(held.IsCompleted);
        await (link == LinkKind.Ring ? rack.ThawAsync(name) : rack.MendAsync(name));
        Racks.ProgramResult result = await held;
        Assert.True(result.Status == 0 && int.Parse(result.Output) > 10, result.ToString());
    }

    [Fact]
    public async Task A_killed_component_fails_the_rack_and_its_programs_with_a_sentence_that_names_it()
    {
        await using Racks.Rack rack = await Racks.Rack.BootAsync();
        await using RackProgram program = await rack.StartAsync(s_limited, "sh", "-c", "echo ready; sleep 1000");
        await program.WaitForOutputAsync("ready");
        Task<string> failure = rack.WaitForFailureAsync();
        await rack.KillAsync("m0");
        Assert.StartsWith("m0 (memory)", await failure.WaitAsync(s_limit));
        ToolException error = await Assert.ThrowsAsync<ToolException>(async () => await program.Result);
        Assert.StartsWith("m0 (memory)", error.Message);
    }

    [Fact]
    public async Task What_a_program_writes_to_a_file_is_found_in_the_memory_components_memory()
    {
        const int MegabytesSeen = 64;
        string mark = $"mark-{Guid.NewGuid():N}";
        await using Racks.Rack rack = await Racks.Rack.BootAsync(
            RackDescription.Default.With(ComponentKind.Memory, c => c with { MemoryBytes = MegabytesSeen * ByteSize.MiB }));
        Racks.ProgramResult result = await rack.RunAsync(s_limited with { Input = new MemoryStream(Encoding.ASCII.GetBytes(mark)) },
            "sh", "-c", "cat >/tmp/seen");
        Assert.True(result.Status == 0, result.ToString());
        Assert.True((await rack.PeekAsync("m0", 0, MegabytesSeen << 20)).AsSpan().IndexOf(Encoding.ASCII.GetBytes(mark)) >= 0);
    }
}
