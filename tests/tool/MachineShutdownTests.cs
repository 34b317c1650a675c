// How a machine is asked to end, with a shell in QEMU's place: for as long as its counters move it is given time, and one that stands still
// is killed.

using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public class MachineShutdownTests
{
    /// <summary>Looks at the counters: more than the limit has.</summary>
    private const int LongFlush = 8;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2.5);

    [Fact]
    public async Task A_machine_that_goes_on_writing_is_given_the_time_that_it_needs() =>
        Assert.Null(await ShutDownAsync(look => $"memory.storage_writes {look}\n", LongFlush));

    [Fact]
    public async Task A_machine_whose_counters_stand_still_is_killed() =>
        Assert.Contains("it had done nothing", await ShutDownAsync(_ => "memory.storage_writes 7\n", int.MaxValue),
            StringComparison.Ordinal);

    [Fact]
    public async Task Heartbeats_are_no_work() =>
        Assert.Contains("it had done nothing", await ShutDownAsync(look => $"fabric.frames {look}\n", int.MaxValue),
            StringComparison.Ordinal);

    /// <summary>Ends a machine that answers each look at its counters, and leaves in good order after so many.</summary>
    private static async Task<string?> ShutDownAsync(Func<int, string> counters, int looks)
    {
        using ChannelPair channels = new();
        using RackDirectory directory = RackDirectory.TryCreate($"test-{Guid.NewGuid():N}")!;
        using Process process = Process.Start(
            new ProcessStartInfo("sh", ["-c", $"read line; exit {MachineEnd.OrderlyStatus}"]) { RedirectStandardInput = true })!;
        ComponentDescription component = new() { Kind = ComponentKind.Memory, Name = "m0", Node = 2, MemoryBytes = 1 << 28 };
        using Machine machine = new(component, process, channels.Near, directory);
        Task served = machine.ServeAsync(_ => { });
        Task image = Task.Run(async () =>
        {
            for (int look = 1; await channels.Far.ReadAsync() is { } frame;)
            {
                if (frame.Type == ControlFrameType.Statistics)
                {
                    await channels.Far.WriteAsync(ControlFrame.WithText(ControlFrameType.StatisticsReply, counters(look)));
                    if (look++ == looks)
                    {
                        process.StandardInput.Close();
                    }
                }
            }
        });
        string? complaint = await machine.ShutDownAsync(s_limit, CancellationToken.None);
        channels.Dispose();
        await Task.WhenAll(served, image);
        return complaint;
    }
}
