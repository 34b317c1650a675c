// The options of RFC 9293, 2018, 2883, 7323 on a live connection.

using System;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpOptionTests
{
    /// <summary>MSS 1460, SACK permitted, timestamps 100/0, window scale 7.</summary>
    private static byte[] All => [2, 4, 5, 0xB4, 4, 2, 8, 10, .. TcpFixture.Big(100), 0, 0, 0, 0, 1, 3, 3, 7];

    private static byte[] SackOnly => [2, 4, 5, 0xB4, 1, 1, 4, 2];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_SYN_offers_all_options(bool isV4)
    {
        using TcpFixture fixture = new(isV4);
        fixture.Connect();
        Sent syn = fixture.TakeOne();
        Assert.Equal("S", syn.Flags);
        Assert.Equal([0x05, 0xB4], syn.Option(2));
        Assert.NotNull(syn.Option(3));
        Assert.NotNull(syn.Option(4));
        Assert.NotNull(syn.Option(8));
    }

    [Fact]
    public void A_SYN_ACK_has_only_the_options_that_the_SYN_had()
    {
        using TcpFixture fixture = new();
        fixture.Listen();
        fixture.Give("S", 1, 0, options: [2, 4, 5, 0xB4]);
        Sent answer = fixture.TakeOne();
        Assert.NotNull(answer.Option(2));
        Assert.Null(answer.Option(3));
        Assert.Null(answer.Option(4));
        Assert.Null(answer.Option(8));
    }

    [Theory]
    [InlineData(true, 536)]
    [InlineData(false, 1220)]
    public void A_peer_without_the_MSS_option_gets_segments_of_the_default(bool isV4, int expected)
    {
        using TcpFixture fixture = new(isV4);
        fixture.Establish();
        fixture.Write(4000);
        Assert.Equal(expected, fixture.Take()[0].Payload.Length);
    }

    [Fact]
    public void The_peer_s_window_is_scaled_after_the_handshake()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish(All, window: 1000);
        Assert.Equal(1000u, connection->SndWnd);
        fixture.Ack(fixture.OursNext, window: 1000);
        Assert.Equal(128000u, connection->SndWnd);
    }

    [Fact]
    public void A_segment_with_an_older_timestamp_is_acknowledged_and_dropped()
    {
        using TcpFixture fixture = new();
        fixture.Establish(All);
        fixture.PeerClock = 200;
        fixture.Data([1]);
        fixture.Take();
        fixture.PeerClock = 150;
        fixture.Give("AP", fixture.PeerNext, fixture.OursNext, [9]);
        Assert.Equal(fixture.PeerNext, fixture.TakeOne().Acknowledgment);
        Assert.Equal([1], fixture.Read());
    }

    [Fact]
    public void A_reset_is_taken_whatever_its_timestamp()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish(All);
        fixture.PeerClock = 50;
        fixture.Give("R", fixture.PeerNext, 0);
        Assert.Equal(TcpState.Closed, connection->State);
    }

    [Fact]
    public void The_echo_is_of_the_segment_that_was_acknowledged_first_to_arrive()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish(All);
        fixture.Tcp.SetOption(connection, TcpOption.QuickAck, 0, fixture.Now);
        fixture.PeerClock = 300;
        fixture.Data([1]);
        fixture.PeerClock = 310;
        fixture.Data([2]);
        fixture.Wait(50 * TcpFixture.Millisecond);
        Assert.Equal(TcpFixture.Big(300), fixture.TakeOne().Option(8)![4..]);
    }

    [Fact]
    public void Holes_are_told_with_the_latest_range_first()
    {
        using TcpFixture fixture = new();
        fixture.Establish(SackOnly);
        uint next = fixture.PeerNext;
        fixture.Give("A", next + 100, fixture.OursNext, TcpFixture.Bytes(100));
        Assert.Equal([(next + 100, next + 200)], fixture.TakeOne().SackBlocks);
        fixture.Give("A", next + 400, fixture.OursNext, TcpFixture.Bytes(100));
        Assert.Equal([(next + 400, next + 500), (next + 100, next + 200)], fixture.TakeOne().SackBlocks);
        fixture.Give("A", next + 200, fixture.OursNext, TcpFixture.Bytes(100));
        Assert.Equal([(next + 100, next + 300), (next + 400, next + 500)], fixture.TakeOne().SackBlocks);
        fixture.Give("A", next, fixture.OursNext, TcpFixture.Bytes(100));
        Sent answer = fixture.TakeOne();
        Assert.Equal(next + 300, answer.Acknowledgment);
        Assert.Equal([(next + 400, next + 500)], answer.SackBlocks);
    }

    [Fact]
    public void A_duplicate_is_told()
    {
        using TcpFixture fixture = new();
        fixture.Establish(SackOnly);
        uint next = fixture.PeerNext;
        fixture.Data(TcpFixture.Bytes(100));
        fixture.Take();
        fixture.Give("A", next, fixture.OursNext, TcpFixture.Bytes(100));
        Sent answer = fixture.TakeOne();
        Assert.Equal(next + 100, answer.Acknowledgment);
        Assert.Equal([(next, next + 100)], answer.SackBlocks);
    }

    [Fact]
    public void What_is_refused_and_was_never_received_is_not_told_as_received()
    {
        using TcpFixture fixture = new();
        fixture.Establish([.. SackOnly, 8, 10, .. TcpFixture.Big(100), 0, 0, 0, 0, 1, 1]);
        fixture.PeerClock = 50;
        fixture.Give("A", fixture.PeerNext + 100, fixture.OursNext, TcpFixture.Bytes(100));
        Assert.Empty(fixture.TakeOne().SackBlocks);
    }

    [Fact]
    public void A_peer_without_SACK_is_told_no_ranges()
    {
        using TcpFixture fixture = new();
        fixture.Establish();
        fixture.Give("A", fixture.PeerNext + 100, fixture.OursNext, TcpFixture.Bytes(100));
        Assert.Empty(fixture.TakeOne().SackBlocks);
    }
}
