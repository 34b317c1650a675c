// Memory far beyond the ExCache keeps its contents, and the messages are those that the design promises (T1, T2, T8 of the acceptance
// ideas: little RAM at the processor component, seeded patterns, an ablation).

using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class MemoryTests
{
    /// <summary>A small ExCache: what matters is how often a working set exceeds it, and each page beyond costs time.</summary>
    private const string SmallExCache = "4M";

    /// <summary>Its lines.</summary>
    private const ulong Lines = 1024;

    /// <summary>Pages that a small static program uses besides those it asks for: code, data, stack, libc's heap.</summary>
    private const ulong OwnPages = 256;

    [Theory]
    [InlineData("ring", 32)]
    [InlineData("ethernet", 16)]
    public async Task A_working_set_beyond_the_ExCache_survives_a_fork(string link, int megabytes)
    {
        string[] arguments = [$"{megabytes}", "20261121"];
        ProgramResult host = await Rack.HostAsync("/", [await LinuxPrograms.BuildAsync("pattern"), .. arguments]);
        (ProgramResult rack, Statistics statistics) =
            await Rack.MeasureAsync(["--link", link, "--excache", SmallExCache, .. await LinuxPrograms.AddAsync("pattern")],
                ["/pattern", .. arguments]);
        Assert.Equal(host, rack);
        ulong pages = (ulong)megabytes * 256;
        Assert.True(statistics["processor.excache.fills_from_memory"] >= pages - Lines, "pages beyond the ExCache come from memory");
        Assert.True(statistics["processor.excache.flushes"] >= pages - Lines, "and have gone there before");
    }

    [Fact]
    public async Task Fresh_memory_smaller_than_the_ExCache_sends_no_miss()
    {
        ulong few = await MissesAsync([], "fresh", "1");
        ulong many = await MissesAsync([], "fresh", "2000");
        Assert.Equal(few, many);
    }

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task Calls_on_terabytes_of_untouched_memory_stall_no_component(string link)
    {
        string program = await LinuxPrograms.BuildAsync("sparse");
        ProgramResult host = await Rack.HostAsync("/", ["sh", "-c", "$0 2>/dev/null; echo $?", program]);
        ProgramResult rack = await Rack.RunAsync(
            ["--link", link, .. await LinuxPrograms.AddAsync("sparse")], ["sh", "-c", "/sparse 2>/dev/null; echo $?"]);
        Assert.Contains("the end", host.Output);
        Assert.Equal(host.Output, rack.Output);
    }

    [Fact]
    public async Task A_loop_over_a_resident_set_sends_no_message()
    {
        // Numbers of three decimal digits both: strtoull(3) takes another way for others, which may be one more page of code to miss.
        (ulong once, ulong onceRequests) = await MissesAndRequestsAsync([], "loop", "2000", "100");
        (ulong often, ulong oftenRequests) = await MissesAndRequestsAsync([], "loop", "2000", "900");
        Assert.Equal(once, often);
        // Heartbeats go on meanwhile.
        Assert.InRange(oftenRequests, onceRequests, onceRequests + 20);
    }

    [Fact]
    public async Task A_write_sweep_sends_one_request_per_miss_and_two_without_piggyback()
    {
        const ulong Pages = 2048;
        const ulong Rounds = 3;
        string[] options = ["--excache", SmallExCache];
        (ProgramResult result, Statistics with) = await TouchAsync(options, "write", $"{Pages}", $"{Rounds}");
        Assert.Equal(0, result.Status);
        ulong misses = with["processor.excache.fills_from_memory"];
        Assert.InRange(misses, Pages * Rounds, (Pages * Rounds) + OwnPages);
        ulong requests = with["fabric.requests.Miss"] + with["fabric.requests.MissFlush"] + with["fabric.requests.Flush"];
        // The first touches evict too: their victims have no miss to ride on.
        ulong firstTouchFlushes = Pages - Lines + OwnPages;
        Assert.InRange(requests, misses, misses + firstTouchFlushes);
        Assert.True(with["processor.excache.flushes_piggybacked"] > misses * 9 / 10, "victims ride on misses");

        (result, Statistics without) = await TouchAsync([.. options, "--boot", "p0:piggyback=off"], "write", $"{Pages}", $"{Rounds}");
        Assert.Equal(0, result.Status);
        Assert.Equal(0UL, without["processor.excache.flushes_piggybacked"]);
        Assert.Equal(0UL, without["fabric.requests.MissFlush"]);
        misses = without["processor.excache.fills_from_memory"];
        Assert.InRange(without["fabric.requests.Flush"], misses, misses + firstTouchFlushes);
    }

    private static async Task<(ProgramResult Result, Statistics Statistics)> TouchAsync(string[] options, params string[] arguments) =>
        await Rack.MeasureAsync([.. options, .. await LinuxPrograms.AddAsync("touch")], ["/touch", .. arguments]);

    private static async Task<ulong> MissesAsync(string[] options, params string[] arguments) =>
        (await MissesAndRequestsAsync(options, arguments)).Misses;

    private static async Task<(ulong Misses, ulong Requests)> MissesAndRequestsAsync(string[] options, params string[] arguments)
    {
        (ProgramResult result, Statistics statistics) = await TouchAsync(options, arguments);
        Assert.True(result.Status == 0, result.ToString());
        ulong requests = statistics["fabric.requests.Miss"] + statistics["fabric.requests.MissFlush"] + statistics["fabric.requests.Flush"]
            + statistics["fabric.requests.Map"] + statistics["fabric.requests.FileRead"] + statistics["fabric.requests.Heartbeat"];
        return (statistics["processor.excache.fills_from_memory"], requests);
    }
}
