// The faults that users of small stacks report most: an acknowledgment that puts the retransmission of other data off, a window that opens
// and is not announced, a FIN that is not sent again in CLOSING and LAST-ACK.

using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpFaultTests
{
    [Fact]
    public void An_acknowledgment_of_nothing_new_does_not_put_the_retransmission_off()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Write(100);
        uint sequence = fixture.TakeOne().Sequence;
        ulong due = fixture.Now + connection->RtoNs;
        while (fixture.Now + (20 * TcpFixture.Millisecond) < due)
        {
            fixture.Wait(20 * TcpFixture.Millisecond);
            fixture.Data([1], "A");
            fixture.Read();
            Assert.DoesNotContain(fixture.Take(), sent => sent.Payload.Length > 0);
        }

        fixture.Wait(due - fixture.Now);
        Assert.Contains(fixture.Take(), sent => sent.Sequence == sequence && sent.Payload.Length == 100);
    }

    [Fact]
    public void Acknowledgments_do_not_put_the_probe_of_a_closed_window_off()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish(window: 0);
        fixture.Write(100);
        Assert.Empty(fixture.Take());
        ulong due = fixture.Now + connection->RtoNs;
        while (fixture.Now + (20 * TcpFixture.Millisecond) < due)
        {
            fixture.Wait(20 * TcpFixture.Millisecond);
            fixture.Ack(fixture.OursNext, window: 0);
            Assert.Empty(fixture.Take());
        }

        fixture.Wait(due - fixture.Now);
        Sent probe = fixture.TakeOne();
        Assert.Equal(fixture.OursNext, probe.Sequence);
        Assert.Single(probe.Payload);
    }

    [Fact]
    public void A_window_that_opens_is_announced()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        int window = 65535;
        while (window > 0)
        {
            int length = System.Math.Min(1460, window);
            fixture.Data(TcpFixture.Bytes(length));
            fixture.Wait(50 * TcpFixture.Millisecond);
            window = fixture.Take()[^1].Window;
        }

        fixture.Read(1000);
        Assert.Empty(fixture.Take());
        fixture.Read(1000);
        Assert.True(fixture.TakeOne().Window >= 1460);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_FIN_is_sent_again_in_CLOSING_and_in_LAST_ACK(bool isClosing)
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        if (isClosing)
        {
            fixture.Tcp.Shutdown(connection, TcpDirections.Write, fixture.Now);
            fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
            Assert.Equal(TcpState.Closing, connection->State);
        }
        else
        {
            fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
            fixture.Tcp.Shutdown(connection, TcpDirections.Write, fixture.Now);
            Assert.Equal(TcpState.LastAck, connection->State);
        }

        Assert.Contains(fixture.Take(), sent => sent.Flags == "FA" && sent.Sequence == fixture.OursNext);
        for (int count = 0; count < 3; count++)
        {
            fixture.Wait(RoundTripTime.Timeout(connection));
            Sent again = fixture.TakeOne();
            Assert.Equal("FA", again.Flags);
            Assert.Equal(fixture.OursNext, again.Sequence);
        }
    }
}
