// Loss recovery and congestion control: RFC 3042, 3168, 5681, 6298, 6582, 6675, 6928, 8985, 9438.

using System;
using System.Linq;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpCongestionTests
{
    private const int Mss = 1460;
    private const ulong RoundTrip = 20 * TcpFixture.Millisecond;

    private static byte[] MssOnly => [2, 4, 5, 0xB4];

    private static byte[] WithSack => [2, 4, 5, 0xB4, 1, 1, 4, 2];

    [Fact]
    public void Ten_segments_go_at_first_and_each_acknowledgment_brings_as_many_more_as_it_took_and_one_for_each()
    {
        using TcpFixture fixture = Begin(MssOnly, TcpCongestion.NewReno);
        fixture.Write(40 * Mss);
        Assert.Equal(10, fixture.Take().Length);
        fixture.Wait(RoundTrip);
        fixture.Ack(fixture.OursNext + Mss);
        Assert.Equal(2, fixture.Take().Length);
        fixture.Ack(fixture.OursNext + (3 * Mss));
        Assert.Equal(4, fixture.Take().Length);
    }

    [Fact]
    public void Three_duplicates_bring_the_missing_segment_back_and_halve_the_window()
    {
        using TcpFixture fixture = Begin(MssOnly, TcpCongestion.NewReno);
        fixture.Write(40 * Mss);
        fixture.Take();
        fixture.Ack(fixture.OursNext);
        fixture.Ack(fixture.OursNext);
        // Limited transmit (RFC 3042): a new segment for each of the first two duplicates.
        Assert.All(fixture.Take(), sent => Assert.True(sent.Sequence >= fixture.OursNext + (10 * Mss)));
        fixture.Ack(fixture.OursNext);
        Sent[] sent = fixture.Take();
        Assert.Equal(fixture.OursNext, sent[0].Sequence);
        Assert.Equal(6u * Mss, fixture.Connection->Ssthresh);
        Assert.Equal(TcpRecovery.Fast, fixture.Connection->Recovery);
    }

    [Fact]
    public void A_partial_acknowledgment_brings_the_next_hole_back_and_a_full_one_ends_recovery()
    {
        using TcpFixture fixture = Begin(MssOnly, TcpCongestion.NewReno);
        fixture.Write(10 * Mss);
        fixture.Take();
        for (int count = 0; count < 3; count++)
        {
            fixture.Ack(fixture.OursNext);
        }

        Assert.Equal(fixture.OursNext, fixture.TakeOne().Sequence);
        fixture.Ack(fixture.OursNext + (4 * Mss));
        Assert.Equal(fixture.OursNext + (4 * Mss), fixture.Take()[0].Sequence);
        fixture.Ack(fixture.OursNext + (10 * Mss));
        Assert.Equal(TcpRecovery.Open, fixture.Connection->Recovery);
        Assert.True(fixture.Connection->Cwnd <= fixture.Connection->Ssthresh);
    }

    [Fact]
    public void With_SACK_only_the_holes_are_sent_again()
    {
        using TcpFixture fixture = Begin(WithSack, TcpCongestion.NewReno);
        fixture.Write(10 * Mss);
        fixture.Take();
        fixture.Wait(RoundTrip);
        uint first = fixture.OursNext;
        fixture.Ack(first, options: TcpFixture.Sack((first + Mss, first + (3 * Mss))));
        fixture.Ack(first, options: TcpFixture.Sack((first + (4 * Mss), first + (8 * Mss)), (first + Mss, first + (3 * Mss))));
        Assert.Equal([first, first + (3 * Mss)], fixture.Take().Select(sent => sent.Sequence).Order());
    }

    [Fact]
    public void CUBIC_keeps_seven_tenths()
    {
        using TcpFixture fixture = Begin(WithSack, TcpCongestion.Cubic);
        fixture.Write(10 * Mss);
        fixture.Wait(RoundTrip);
        fixture.Ack(fixture.OursNext, options: TcpFixture.Sack((fixture.OursNext + Mss, fixture.OursNext + (5 * Mss))));
        Assert.Equal(7u * Mss, fixture.Connection->Ssthresh);
        Assert.Equal(10u * Mss, fixture.Connection->Cubic.WMax);
    }

    [Fact]
    public void The_first_measurement_sets_the_timeout_by_RFC_6298()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Connect();
        Assert.Equal(TcpFixture.Second, connection->RtoNs);
        fixture.Wait(100 * TcpFixture.Millisecond);
        fixture.Give("SA", TcpFixture.TheirSequence, fixture.OursNext);
        Assert.Equal(100 * TcpFixture.Millisecond, connection->SmoothedRttNs);
        Assert.Equal(50 * TcpFixture.Millisecond, connection->RttVariationNs);
        Assert.Equal(300 * TcpFixture.Millisecond, connection->RtoNs);
        fixture.PeerNext++;
        fixture.Write(10);
        fixture.Wait(60 * TcpFixture.Millisecond);
        fixture.Ack(fixture.OursNext + 10);
        Assert.Equal(95 * TcpFixture.Millisecond, connection->SmoothedRttNs);
        Assert.Equal(47_500_000UL, connection->RttVariationNs);
    }

    [Fact]
    public void Each_timeout_doubles_the_next_and_an_acknowledgment_of_a_retransmission_measures_nothing()
    {
        using TcpFixture fixture = Begin(MssOnly, TcpCongestion.NewReno);
        fixture.Write(10);
        fixture.Take();
        ulong rto = fixture.Connection->RtoNs;
        ulong smoothed = fixture.Connection->SmoothedRttNs;
        for (int count = 0; count < 5; count++)
        {
            fixture.Wait((rto << count) - 1);
            Assert.Empty(fixture.Take());
            fixture.Wait(1);
            Assert.Equal(fixture.OursNext, fixture.TakeOne().Sequence);
        }

        Assert.Equal((uint)Mss, fixture.Connection->Cwnd);
        fixture.Ack(fixture.OursNext + 10);
        Assert.Equal(smoothed, fixture.Connection->SmoothedRttNs);
    }

    [Fact]
    public void A_lost_tail_is_probed_before_the_timeout()
    {
        using TcpFixture fixture = Begin(WithSack, TcpCongestion.Cubic);
        fixture.Write(3 * Mss);
        fixture.Take();
        fixture.Wait(2 * fixture.Connection->SmoothedRttNs);
        Sent probe = fixture.TakeOne();
        Assert.Equal(fixture.OursNext + (2 * Mss), probe.Sequence);
        uint first = fixture.OursNext;
        fixture.Wait(RoundTrip);
        fixture.Ack(first, options: TcpFixture.Sack((first + (2 * Mss), first + (3 * Mss))));
        fixture.Wait(RoundTrip);
        Assert.Equal([first, first + Mss], fixture.Take().Select(sent => sent.Sequence));
    }

    [Fact]
    public void Congestion_experienced_is_echoed_until_the_peer_slows_down()
    {
        using TcpFixture fixture = new();
        fixture.Tcp.Ecn = TcpEcn.Active;
        fixture.Establish(MssOnly, flags: "SAE");
        fixture.Give("A", fixture.PeerNext, fixture.OursNext, [1], ecn: EcnCodepoint.CongestionExperienced);
        Assert.Equal("AE", fixture.TakeOne().Flags);
        fixture.PeerNext++;
        fixture.Data([2]);
        Assert.Equal("AE", fixture.TakeOne().Flags);
        fixture.Data([3], "AC");
        Assert.Equal("A", fixture.TakeOne().Flags);
    }

    [Fact]
    public void An_echo_halves_the_window_once_and_is_answered()
    {
        using TcpFixture fixture = new();
        fixture.Tcp.Ecn = TcpEcn.Active;
        TcpConnection* connection = fixture.Establish(MssOnly, flags: "SAE");
        connection->Congestion = TcpCongestion.NewReno;
        fixture.Write(30 * Mss);
        Assert.All(fixture.Take(), sent => Assert.Equal(EcnCodepoint.Capable0, sent.Ecn));
        fixture.Give("AE", fixture.PeerNext, fixture.OursNext + Mss);
        Assert.Equal(5u * Mss, connection->Cwnd);
        fixture.Give("AE", fixture.PeerNext, fixture.OursNext + (2 * Mss));
        Assert.Equal(5u * Mss, connection->Ssthresh);
        fixture.Give("A", fixture.PeerNext, fixture.OursNext + (10 * Mss));
        Assert.Contains('C', fixture.Take()[0].Flags);
    }

    [Fact]
    public void A_packet_too_big_is_sent_again_in_smaller_ones_at_once()
    {
        using TcpFixture fixture = Begin(MssOnly, TcpCongestion.NewReno);
        fixture.Write(2 * Mss);
        Sent[] sent = fixture.Take();
        uint window = fixture.Connection->Cwnd;
        fixture.Host.Limit = 1000;
        fixture.Tcp.OnPacketTooBig(TcpFixture.OurAddress(true), TcpFixture.TheirAddress(true), 1, sent[0].Packet.Bytes.AsSpan(0, 8),
            fixture.Now);
        Sent[] again = fixture.Take();
        Assert.Equal(fixture.OursNext, again[0].Sequence);
        Assert.All(again, segment => Assert.True(segment.Payload.Length <= 1000));
        Assert.Equal(2 * Mss, again.Sum(segment => segment.Payload.Length));
        Assert.Equal(window, fixture.Connection->Cwnd);
    }

    [Fact]
    public void A_packet_too_big_for_a_number_that_is_not_under_way_is_a_stranger_s()
    {
        using TcpFixture fixture = Begin(MssOnly, TcpCongestion.NewReno);
        fixture.Write(Mss);
        byte[] quoted = fixture.TakeOne().Packet.Bytes[..8];
        quoted[4] ^= 0x40;
        fixture.Host.Limit = 500;
        fixture.Tcp.OnPacketTooBig(TcpFixture.OurAddress(true), TcpFixture.TheirAddress(true), 1, quoted, fixture.Now);
        Assert.Empty(fixture.Take());
        Assert.Equal((uint)Mss, fixture.Connection->SndMss);
    }

    /// <summary>An established connection with a round trip of 20 ms behind it.</summary>
    private static TcpFixture Begin(byte[] options, TcpCongestion congestion)
    {
        TcpFixture fixture = new();
        fixture.Connect();
        fixture.Wait(RoundTrip);
        fixture.Give("SA", TcpFixture.TheirSequence, fixture.OursNext, options: options);
        fixture.PeerNext = TcpFixture.TheirSequence + 1;
        fixture.Connection->Congestion = congestion;
        fixture.Tcp.SetOption(fixture.Connection, TcpOption.NoDelay, 1, fixture.Now);
        fixture.Take();
        return fixture;
    }
}
