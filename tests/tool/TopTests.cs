// The rows of `lego top` from two samples that are known.

using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Lego.Tool.Tests;

public class TopTests
{
    [Fact]
    public void Rates_are_a_second_and_what_a_kind_does_not_have_is_a_dash()
    {
        TopSample before = Sample(10, 1, new()
        {
            ["processor.excache.faults"] = 100,
            ["processor.excache.fills_from_memory"] = 50,
            ["fabric.requests.Miss"] = 50,
            ["fabric.bytes_sent"] = 0,
            ["processor.processes"] = 1,
        });
        TopSample now = Sample(12, 2, new()
        {
            ["processor.excache.faults"] = 300,
            ["processor.excache.fills_from_memory"] = 100,
            ["fabric.requests.Miss"] = 100,
            ["fabric.requests.Flush"] = 7,
            ["fabric.bytes_sent"] = 4096,
            ["processor.processes"] = 3,
            ["processor.excache.lines_resident"] = 512,
        });
        string[][] rows = [.. TopTable.Rows(before, now)];
        Assert.All(rows, row => Assert.Equal(TopTable.Headers.Length, row.Length));
        Assert.Equal(["p0", "processor", "50", "8M", "2M", "3", "100", "75", "25", "0", "25", "2"], rows[0]);
        Assert.Equal(["g0", "manager", "0", "8M", "-", "-", "-", "-", "-", "-", "0", "0"], rows[1]);
    }

    [Fact]
    public void A_process_that_is_gone_has_had_nothing_and_one_with_any_name_is_read()
    {
        Assert.Equal(default, TopSample.ParseStat(""));
        string stat = $"7 (a) b) S {string.Join(' ', Enumerable.Range(1, 10))} 150 50 {string.Join(' ', Enumerable.Range(1, 8))} 3 0";
        Assert.Equal((TimeSpan.FromSeconds(2), 3L * Environment.SystemPageSize), TopSample.ParseStat(stat));
    }

    private static TopSample Sample(int seconds, int processorSeconds, Dictionary<string, ulong> counters) => new(
        TimeSpan.FromSeconds(seconds),
        [
            new(Line("p0", ComponentKind.Processor), counters, TimeSpan.FromSeconds(processorSeconds), 8 << 20),
            new(Line("g0", ComponentKind.Manager), new Dictionary<string, ulong>(), TimeSpan.Zero, 8 << 20),
        ]);

    private static ComponentLine Line(string name, ComponentKind kind) =>
        new(name, kind, 1, 1, 64 << 20, 1, LinkKind.Ring, "running", "any");
}
