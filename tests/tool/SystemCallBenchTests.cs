// The table of `lego bench syscalls`: which rows are measured, and what becomes of a program's output.

using System.Linq;
using Xunit;

namespace Lego.Tool.Tests;

public sealed class SystemCallBenchTests
{
    private const string List = "null\tnull call\nstat\tstat of a file\nthread\tthreads\n";

    private static ProgramResult Printed(string output) => new(0, output, "");

    [Fact]
    public void All_rows_are_measured_unless_some_are_named()
    {
        Assert.Equal(["null", "stat", "thread"], SystemCallBench.Choose(List, []).Select(row => row.Name));
        Assert.Equal(["null", "thread"], SystemCallBench.Choose(List, ["thread", "null"]).Select(row => row.Name));
    }

    [Fact]
    public void A_row_that_does_not_exist_is_refused_with_the_names_of_those_that_do()
    {
        ToolException error = Assert.Throws<ToolException>(() => SystemCallBench.Choose(List, ["nul"]));
        Assert.Equal(ExitStatus.Usage, error.Status);
        Assert.Contains("null, stat, thread", error.Message);
    }

    [Fact]
    public void Figures_are_medians_in_microseconds_and_the_ratio_is_the_racks_by_the_guests()
    {
        SystemCallRow row = SystemCallBench.Choose(List, ["stat"]).Single();
        foreach (string nanoseconds in new[] { "9000.0", "3000.0", "1000.0" })
        {
            row.Linux.Add(row.Name, Printed($"BENCH stat_ns {nanoseconds}\n"));
        }

        row.Rack.Add(row.Name, Printed("BENCH stat_ns 1500.0\n"));
        Assert.Equal(3.0, row.Linux.Median);
        Assert.Equal(0.5, row.Ratio);
    }

    [Fact]
    public void What_a_side_cannot_run_has_a_reason_and_no_ratio()
    {
        SystemCallRow row = SystemCallBench.Choose(List, ["thread"]).Single();
        row.Linux.Add(row.Name, Printed("BENCH thread_ns 5000.0\n"));
        row.Rack.Add(row.Name, Printed("BENCH thread - pthread_create: Function not implemented\n"));
        Assert.Null(row.Rack.Median);
        Assert.Null(row.Ratio);
        Assert.Equal("pthread_create: Function not implemented", row.Rack.Reason);
        SystemCallRow killed = SystemCallBench.Choose(List, ["thread"]).Single();
        killed.Rack.Add(killed.Name, new ProgramResult(139, "", ""));
        Assert.Equal("status 139", killed.Rack.Reason);
    }
}
