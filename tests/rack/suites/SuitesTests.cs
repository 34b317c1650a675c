// The suites image must pass whole, with one CPU and several, while polling and with every wait going through a halt. LEGO_SUITES_FILTER in
// the environment (./lego test --only suites --filter PREFIX) chooses cases by name.

using System;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests.Suites;

public sealed class SuitesTests
{
    /// <summary>What isa-debug-exit makes of an orderly end.</summary>
    private const int OrderlyStatus = 33;

    private static readonly string s_filter = Environment.GetEnvironmentVariable("LEGO_SUITES_FILTER") ?? "";

    [Theory]
    [InlineData(1, "")]
    [InlineData(1, "spin_us=0")]
    [InlineData(4, "")]
    [InlineData(4, "spin_us=0")]
    public async Task Every_case_passes_on_a_machine_with_all_devices(int cpus, string bootWords)
    {
        SuitesResult result = await SuitesMachine.RunAsync(s_filter, cpus, bootWords);
        // What needs several CPUs is skipped on one, and nothing else is ever skipped.
        Assert.True(result.Cases.All(one => one.Verdict == "passed"
            || (one.Verdict == "skipped" && cpus == 1 && IsAboutSeveralCpus(one.Name))), result.Log);
        Assert.True(result.ExitStatus == OrderlyStatus, result.Log);
        Assert.True(result.Cases.Count >= 10 || s_filter.Length > 0, result.Log);
        Assert.True(result.VolumeProblems.Length == 0, result.VolumeProblems);
    }

    private static bool IsAboutSeveralCpus(string name) => name.StartsWith("processors.", StringComparison.Ordinal);

    [Fact]
    public async Task Cases_are_chosen_by_name()
    {
        SuitesResult result = await SuitesMachine.RunAsync("block.", 1);
        Assert.NotEmpty(result.Cases);
        Assert.All(result.Cases, one => Assert.StartsWith("block.", one.Name));
        Assert.Equal(OrderlyStatus, (await SuitesMachine.RunAsync("none-such", 1)).ExitStatus);
    }
}
