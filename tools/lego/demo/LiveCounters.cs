// Shows a rack's counters while a program runs: a table that changes in place on a terminal, a plain line every few seconds elsewhere. The
// figures come over the control channels, from the components themselves.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;
using Spectre.Console;

namespace Lego.Tool;

/// <summary>Polls and shows counters.</summary>
internal sealed class LiveCounters
{
    private static readonly TimeSpan s_tableInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_lineInterval = TimeSpan.FromSeconds(5);

    private static readonly (string Counter, string Meaning)[] s_shown =
    [
        ("processor.excache.faults", "page faults at p0"),
        ("processor.excache.fills_zero", "lines first touched at p0, no message"),
        ("processor.excache.fills_from_memory", "lines fetched from m0"),
        ("processor.excache.evictions", "lines evicted"),
        ("processor.excache.flushes", "dirty lines written back to m0"),
        ("processor.excache.flushes_piggybacked", "of these, on a fetch's message"),
        ("memory.frames_used", "page frames in use at m0"),
        ("fabric.bytes_sent", "bytes sent by p0"),
        ("fabric.bytes_received", "bytes received by p0"),
    ];

    private readonly Rack _session;
    private readonly long _start = Stopwatch.GetTimestamp();

    public LiveCounters(Rack session)
    {
        _session = session;
    }

    /// <summary>Shows counters until the task has ended, and returns its result.</summary>
    public async Task<T> WatchAsync<T>(Task<T> running)
    {
        if (Console.IsOutputRedirected)
        {
            while (await Task.WhenAny(running, Task.Delay(s_lineInterval)) != running)
            {
                StatisticsDocument now = await _session.StatisticsAsync();
                Console.WriteLine($"   {Seconds:0} s: {now["processor.excache.fills_from_memory"]} lines fetched, "
                    + $"{now["processor.excache.flushes"]} written back, {now["memory.frames_used"]} frames in use at m0");
            }

            return await running;
        }

        await AnsiConsole.Live(new Text("")).StartAsync(async live =>
        {
            StatisticsDocument? before = null;
            do
            {
                StatisticsDocument now = await _session.StatisticsAsync();
                live.UpdateTarget(TableOf(now, before));
                before = now;
            }
            while (await Task.WhenAny(running, Task.Delay(s_tableInterval)) != running);
        });
        return await running;
    }

    private double Seconds => Stopwatch.GetElapsedTime(_start).TotalSeconds;

    private Table TableOf(StatisticsDocument now, StatisticsDocument? before)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn($"after {Seconds:0.0} s")
            .AddColumn(new TableColumn("total").RightAligned()).AddColumn(new TableColumn("a second").RightAligned());
        foreach ((string counter, string meaning) in s_shown)
        {
            double change = before is null ? 0 : (now[counter] - (double)before[counter]) / s_tableInterval.TotalSeconds;
            table.AddRow(meaning, $"{now[counter]:N0}", $"{Math.Max(change, 0):N0}");
        }

        return table;
    }
}
