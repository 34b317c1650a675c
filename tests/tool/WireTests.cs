// The faults of the programs' wire, by a clock of the tests' own.

using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Lego.Tool.Tests;

public class WireTests
{
    private const int Frames = 20_000;

    private static TimeSpan Ms(double milliseconds) => TimeSpan.FromMilliseconds(milliseconds);

    private static byte[] Frame(int number)
    {
        byte[] frame = new byte[64];
        BitConverter.TryWriteBytes(frame.AsSpan(20), number);
        return frame;
    }

    private static int NumberOf(byte[] frame) => BitConverter.ToInt32(frame, 20);

    /// <summary>Sends one frame each millisecond; what arrives, in order, with its time.</summary>
    private static List<(byte[] Frame, double Ms)> Run(WireFaults faults, ulong seed = 1)
    {
        FaultyWire wire = new(faults, seed);
        List<(byte[], double)> arrived = [];
        for (int now = 0; now < Frames + 1000; now++)
        {
            if (now < Frames)
            {
                wire.Send(Frame(now), Ms(now));
            }

            while (wire.TryReceive(Ms(now), out _) is { } frame)
            {
                arrived.Add((frame, now));
            }
        }

        return arrived;
    }

    [Fact]
    public void A_wire_without_faults_delivers_every_frame_at_once_and_in_order() =>
        Assert.Equal(Enumerable.Range(0, Frames).Select(n => (n, (double)n)), Run(new WireFaults()).Select(a => (NumberOf(a.Frame), a.Ms)));

    [Fact]
    public void Frames_are_lost_doubled_and_changed_in_the_asked_proportions()
    {
        Assert.InRange(Run(new WireFaults { Loss = 0.1 }).Count, Frames * 0.88, Frames * 0.92);
        Assert.InRange(Run(new WireFaults { Duplicate = 0.1 }).Count, Frames * 1.08, Frames * 1.12);
        byte[] whole = Frame(0);
        int changed = Run(new WireFaults { Corrupt = 0.1 })
            .Count(a => Enumerable.Range(0, whole.Length).Any(i => i is < 20 or > 23 && a.Frame[i] != 0)
            || NumberOf(a.Frame) != (int)a.Ms);
        Assert.InRange(changed, Frames * 0.08, Frames * 0.12);
        Assert.All(Run(new WireFaults { Corrupt = 1 }), a => Assert.All(a.Frame[..14], octet => Assert.Equal(0, octet)));
    }

    [Fact]
    public void A_late_frame_comes_after_those_behind_it_and_all_arrive()
    {
        List<int> order = [.. Run(new WireFaults { Reorder = 0.05 }).Select(a => NumberOf(a.Frame))];
        Assert.Equal(Enumerable.Range(0, Frames), order.Order());
        int late = order.Zip(order.Skip(1)).Count(pair => pair.First > pair.Second);
        Assert.InRange(late, Frames * 0.03, Frames * 0.06);
    }

    [Fact]
    public void Frames_take_the_delay_and_follow_each_other_at_the_rate()
    {
        Assert.All(Run(new WireFaults { Delay = Ms(5) }), a => Assert.Equal(NumberOf(a.Frame) + 5, a.Ms));
        // 64 bytes in 2 ms: every other frame finds the line taken, and the queue fills up.
        List<(byte[] Frame, double Ms)> slow = Run(new WireFaults { Rate = 256_000 });
        Assert.InRange(slow.Count, (Frames / 2) + FaultyWire.MostFrames - 501, (Frames / 2) + FaultyWire.MostFrames);
    }

    [Fact]
    public void The_same_seed_has_the_same_faults()
    {
        WireFaults faults = new() { Loss = 0.1, Reorder = 0.1, Duplicate = 0.1, Corrupt = 0.1 };
        Assert.Equal(Run(faults, 7).Select(a => NumberOf(a.Frame)), Run(faults, 7).Select(a => NumberOf(a.Frame)));
        Assert.NotEqual(Run(faults, 7).Select(a => NumberOf(a.Frame)), Run(faults, 8).Select(a => NumberOf(a.Frame)));
    }

    [Fact]
    public void Faults_are_read()
    {
        WireFaults faults = WireFaults.Parse("loss=1%,delay=5ms,reorder=2%,duplicate=1%,corrupt=0.1%,rate=10M", "--wire");
        Assert.Equal((0.01, Ms(5), 0.02, 0.01, 0.001, 10e6),
            (faults.Loss, faults.Delay, faults.Reorder, faults.Duplicate, faults.Corrupt, faults.Rate));
    }

    [Theory]
    [InlineData("loss=1%,delay=5ms,reorder=2%,duplicate=1%,corrupt=0.1%,rate=10M")]
    [InlineData("loss=0.00001%")]
    [InlineData("delay=1us,rate=1000G")]
    [InlineData("rate=1")]
    public void Faults_are_read_again_as_they_are_written(string text)
    {
        WireFaults faults = WireFaults.Parse(text, "--wire");
        Assert.Equal(faults, WireFaults.Parse(faults.ToString(), "--wire"));
    }

    [Fact]
    public void The_slowest_wire_and_the_longest_delay_have_a_time_for_every_frame()
    {
        FaultyWire wire = new(WireFaults.Parse("rate=1,delay=60s,reorder=100%", "--wire"), 1);
        for (int number = 0; number < FaultyWire.MostFrames; number++)
        {
            wire.Send(new byte[65536], Ms(number));
        }

        Assert.Null(wire.TryReceive(Ms(0), out TimeSpan? next));
        Assert.InRange(next!.Value.TotalMilliseconds, 1, int.MaxValue);
    }

    [Theory]
    [InlineData("")]
    [InlineData("loss")]
    [InlineData("loss=1")]
    [InlineData("loss=101%")]
    [InlineData("loss=-1%")]
    [InlineData("delay=5")]
    [InlineData("delay=2000s")]
    [InlineData("rate=fast")]
    [InlineData("rate=0.01")]
    [InlineData("rate=1001G")]
    [InlineData("loss=1%,delay=5ms,loss=2%")]
    [InlineData("noise=1%")]
    public void What_is_no_fault_is_refused_with_a_sentence(string text) =>
        Assert.StartsWith("--wire: ", Assert.Throws<ToolException>(() => WireFaults.Parse(text, "--wire")).Message);
}
