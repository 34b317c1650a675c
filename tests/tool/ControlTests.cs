// Frames and start requests: round trips and hostile bytes; counters as JSON.

using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public class ControlTests
{
    [Fact]
    public async Task Frames_arrive_as_they_were_sent()
    {
        using ChannelPair pair = new();
        byte[] payload = new byte[70_000];
        new Random(1).NextBytes(payload);
        Task<bool> sent = pair.Near.WriteAsync(new ControlFrame(ControlFrameType.StandardOutput, 513, payload));
        ControlFrame frame = (await pair.Far.ReadAsync())!.Value;
        Assert.True(await sent);
        Assert.Equal((ControlFrameType.StandardOutput, (ushort)513), (frame.Type, frame.Session));
        Assert.Equal(payload, frame.Payload.ToArray());
        pair.Near.Dispose();
        Assert.Null(await pair.Far.ReadAsync());
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    [InlineData(0x7FFF_FFFFu)]
    [InlineData(0xFFFF_FFFFu)]
    public async Task An_impossible_length_is_an_error_and_not_an_allocation(uint length)
    {
        using ChannelPair pair = new();
        byte[] header = new byte[ControlFrame.HeaderBytes];
        BitConverter.TryWriteBytes(header, length);
        pair.SendRaw(header);
        await Assert.ThrowsAsync<InvalidDataException>(() => pair.Far.ReadAsync());
    }

    [Fact]
    public void A_start_request_survives_the_round_trip()
    {
        StartRequest request = new()
        {
            Arguments = ["sh", "-c", "echo 'ü' \"$1\"", ""],
            Environment = ["A=1", "B="],
            WorkingDirectory = "/tmp",
            Flags = StartFlags.StandardOutputIsTerminal,
            TerminalRows = 24,
            TerminalColumns = 80,
            Modes = Enumerable.Range(1, HostTerminal.ModesBytes).Select(value => (byte)value).ToArray(),
        };
        StartRequest parsed = StartRequest.Parse(request.ToPayload())!;
        Assert.Equal(request.Arguments, parsed.Arguments);
        Assert.Equal(request.Environment, parsed.Environment);
        Assert.True(request.Modes.Span.SequenceEqual(parsed.Modes.Span));
        Assert.Equal(("/tmp", StartFlags.StandardOutputIsTerminal, 24, 80),
            (parsed.WorkingDirectory, parsed.Flags, parsed.TerminalRows, parsed.TerminalColumns));
    }

    [Fact]
    public void A_cut_or_changed_start_request_never_parses_as_something_else_than_strings()
    {
        byte[] good = new StartRequest { Arguments = ["a", "b"] }.ToPayload();
        for (int length = 0; length < good.Length; length++)
        {
            Assert.Null(StartRequest.Parse(good.AsSpan(0, length)));
        }

        Random random = new(7);
        for (int i = 0; i < 1000; i++)
        {
            byte[] bad = (byte[])good.Clone();
            bad[random.Next(bad.Length)] = (byte)random.Next(256);
            StartRequest.Parse(bad);
        }
    }

    [Fact]
    public void Counters_become_nested_objects_with_the_processors_fabric_figures_on_top()
    {
        StatisticsDocument document = new();
        document.Add("p0", ComponentKind.Processor,
            "processor.excache.faults 12\nfabric.requests.Miss 5\nfabric.bytes_sent 900\nnot a counter line\n");
        document.Add("m0", ComponentKind.Memory, "memory.frames_used 77\nfabric.requests.StorageRead 3\n");
        using JsonDocument json = JsonDocument.Parse(document.ToJson());
        JsonElement root = json.RootElement;
        Assert.Equal(12, root.GetProperty("processor").GetProperty("excache").GetProperty("faults").GetInt32());
        Assert.Equal(77, root.GetProperty("memory").GetProperty("frames_used").GetInt32());
        JsonElement fabric = root.GetProperty("fabric");
        Assert.Equal(5, fabric.GetProperty("requests").GetProperty("Miss").GetInt32());
        Assert.Equal(900, fabric.GetProperty("bytes_sent").GetInt32());
        Assert.False(fabric.GetProperty("requests").TryGetProperty("StorageRead", out _));
        JsonElement memory = root.GetProperty("components").GetProperty("m0");
        Assert.Equal(3, memory.GetProperty("fabric").GetProperty("requests").GetProperty("StorageRead").GetInt32());
        Assert.Equal(5ul, document["fabric.requests.Miss"]);
    }

    [Fact]
    public void A_counter_that_is_also_a_group_keeps_its_value()
    {
        StatisticsDocument document = new();
        document.Add("p0", ComponentKind.Processor, "processor.a 1\nprocessor.a.b 2\n");
        using JsonDocument json = JsonDocument.Parse(document.ToJson());
        JsonElement group = json.RootElement.GetProperty("processor").GetProperty("a");
        Assert.Equal((1, 2), (group.GetProperty("total").GetInt32(), group.GetProperty("b").GetInt32()));
    }

    [Fact]
    public void Bench_lines_become_microseconds_and_stages_means()
    {
        BenchReport report = BenchReport.Parse("BENCH echo_ns 1950\nnoise\nBENCH trap_ns 600\n");
        Assert.False(report.IsComplete);
        report = BenchReport.Parse("BENCH echo_ns 1950\nBENCH miss_clean_ns 4100\nBENCH done\n");
        Assert.True(report.IsComplete);
        report.AddStages(StatisticsDocument.Parse(
            "machine.ticks_per_second 2000000000\nprocessor.excache.stage.samples 10\nprocessor.excache.stage.fetch_ticks 40000\n"));
        using JsonDocument json = JsonDocument.Parse(BenchReport.ToJson([("ring", report)]));
        JsonElement ring = json.RootElement.GetProperty("ring");
        Assert.Equal((1.95, 4.1), (ring.GetProperty("echo_us").GetDouble(), ring.GetProperty("miss_clean_us").GetDouble()));
        Assert.Equal(2.0, ring.GetProperty("stage_means_us").GetProperty("fetch").GetDouble());
        Assert.Equal(1950, report.InNanoseconds().Figures.First().Value);
    }
}
