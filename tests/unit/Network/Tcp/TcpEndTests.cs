// Connections that end, or never begin: what their user is told, and what a socket that begins anew has left.

using System.Linq;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpEndTests
{
    [Fact]
    public void Data_that_nobody_acknowledges_end_the_connection()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Write(100);
        fixture.Wait(3600 * TcpFixture.Second);
        Assert.Equal(TcpState.Closed, connection->State);
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
        Assert.Equal("RA", fixture.Take()[^1].Flags);
    }

    [Fact]
    public void The_user_s_timeout_ends_the_connection_sooner()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Tcp.SetOption(connection, TcpOption.UserTimeoutMs, 3000, fixture.Now);
        fixture.Write(100);
        fixture.Wait(2990 * TcpFixture.Millisecond);
        Assert.Equal(TcpState.Established, connection->State);
        fixture.Wait(20 * TcpFixture.Millisecond);
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void A_SYN_that_nobody_answers_is_given_up()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Connect();
        fixture.Wait(600 * TcpFixture.Second);
        Assert.Equal(7, fixture.Take().Count(sent => sent.Flags == "S"));
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void A_connect_after_one_that_timed_out_has_its_full_time_again()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Connect();
        fixture.Wait(600 * TcpFixture.Second);
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
        fixture.Take();
        SocketAddress remote = new(TcpFixture.TheirAddress(true), TcpFixture.TheirPort);
        Assert.Equal(Errno.EINPROGRESS, fixture.Tcp.Connect(connection, in remote, fixture.Now));
        Assert.Equal(TcpFixture.OurPort, connection->Local.Port);
        fixture.Wait(600 * TcpFixture.Second);
        Assert.Equal(7, fixture.Take().Count(sent => sent.Flags == "S"));
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void A_connect_that_failed_gives_back_its_name_when_it_begins_anew()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Tcp.Create(IpAddress.AnyV4);
        fixture.Tcp.SetOption(connection, TcpOption.ReceiveBuffer, 5000, fixture.Now);
        SocketAddress remote = new(TcpFixture.TheirAddress(true), TcpFixture.TheirPort);
        Assert.Equal(Errno.EINPROGRESS, fixture.Tcp.Connect(connection, in remote, fixture.Now));
        Assert.Equal(TcpFixture.OurAddress(true), connection->Local.Address);
        fixture.Wait(600 * TcpFixture.Second);
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
        connection = fixture.Tcp.Disconnect(connection, IpAddress.AnyV4, fixture.Now);
        Assert.True(connection->Local.Address.IsUnspecified);
        Assert.False(connection->HasPort);
        Assert.Equal(Errno.EINPROGRESS, fixture.Tcp.Connect(connection, in remote, fixture.Now));
        Assert.True((connection->Facts & TcpFacts.ReceiveBufferFixed) != 0);
    }

    [Fact]
    public void A_stream_that_has_ended_stays_ended_for_readers_when_a_reset_follows()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
        Assert.Equal(TcpState.CloseWait, connection->State);
        fixture.Give("R", fixture.PeerNext + 1, 0);
        Assert.Equal(TcpState.Closed, connection->State);
        byte[] buffer = new byte[1];
        Assert.Equal(Errno.None, fixture.Tcp.Read(connection, buffer, TcpTransfer.None, fixture.Now, out int count));
        Assert.Equal(0, count);
        Assert.Equal(Errno.EPIPE, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void An_error_that_nobody_was_told_outlives_a_listener_that_begins_anew()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Connect();
        fixture.Give("RA", 0, fixture.TakeOne().Sequence + 1);
        connection = fixture.Tcp.Disconnect(connection, IpAddress.AnyV4, fixture.Now);
        Assert.Equal(Errno.None, fixture.Tcp.Listen(connection, 1));
        connection = fixture.Tcp.Disconnect(connection, IpAddress.AnyV4, fixture.Now);
        Assert.Equal(Errno.ECONNREFUSED, fixture.Tcp.TakeError(connection));
    }
}
