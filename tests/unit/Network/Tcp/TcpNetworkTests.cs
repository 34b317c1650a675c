// Properties of two stacks over a network with every kind of fault: the streams arrive exactly, in both directions, nobody waits for ever,
// and when all is over no memory is held.

using System;
using CsCheck;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpNetworkTests
{
    private const ulong Hour = 3600UL * 1_000_000_000;

    private static readonly Gen<Wire> s_wires = Gen.Select(Gen.Int[0, 150], Gen.Int[0, 100], Gen.Int[0, 200], Gen.Int[0, 50],
        Gen.Int[0, 60], Gen.Int[64, 2000], Gen.Int[0, int.MaxValue],
        (loss, duplicates, reordered, marked, delay, payload, seed) => new Wire(loss, duplicates, reordered, marked, delay, payload, seed));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Streams_arrive_exactly_in_both_directions(bool isV4) =>
        Gen.Select(s_wires, Gen.Int[0, 60000], Gen.Int[0, 60000]).Sample((wire, up, down) =>
            Check(new TwoStacks(wire, isV4), up, down), iter: 100, threads: 1);

    [Fact]
    public void Streams_arrive_exactly_with_a_small_memory() =>
        Gen.Select(s_wires, Gen.Int[1, 100000]).Sample((wire, up) =>
            Check(new TwoStacks(wire, memoryPages: 24), up, up), iter: 40, threads: 1);

    [Fact]
    public void Streams_arrive_exactly_at_a_slow_reader() =>
        Gen.Select(s_wires, Gen.Int[1, 200000]).Sample((wire, up) =>
            Check(new TwoStacks(wire with { Loss = wire.Loss / 4 }), up, 0, portionBytes: 40000, pauseMs: 300), iter: 40, threads: 1);

    [Fact]
    public void Streams_arrive_exactly_with_NewReno_and_without_SACK() =>
        Gen.Select(s_wires, Gen.Int[1, 60000]).Sample((wire, up) =>
            Check(new TwoStacks(wire) { Congestion = TcpCongestion.NewReno, StripsSack = true }, up, up), iter: 40, threads: 1);

    [Fact]
    public void A_megabyte_crosses_a_clean_network_without_a_retransmission()
    {
        using TwoStacks network = new(new Wire(0, 0, 0, 0, 5, 1460, 1), bufferBytes: 1 << 20);
        network.Client.ToSend = TcpFixture.Bytes(1 << 20);
        Assert.True(network.Run(Hour, portionBytes: 100000));
        Assert.Equal(network.Client.ToSend, network.Server.Received.ToArray());
        StatisticsWriter writer = new(new byte[8192]);
        network.Client.Tcp.Report(ref writer);
        string counters = System.Text.Encoding.ASCII.GetString(writer.Text);
        Assert.True(counters.Contains("tcp.retransmits 0\n", StringComparison.Ordinal), counters);
    }

    private static bool Check(TwoStacks network, int up, int down, int portionBytes = 5000, int pauseMs = 3)
    {
        using (network)
        {
            network.Client.ToSend = TcpFixture.Bytes(up);
            network.Server.ToSend = TcpFixture.Bytes(down, 5);
            Assert.True(network.Run(24 * Hour, portionBytes, pauseMs), $"not over: {network}");
            Assert.True(network.Server.Received.Count == up && network.Client.Received.Count == down, "lengths differ");
            Assert.Equal(network.Client.ToSend, network.Server.Received.ToArray());
            Assert.Equal(network.Server.ToSend, network.Client.Received.ToArray());
            network.AssertNothingHeld();
            return true;
        }
    }
}
