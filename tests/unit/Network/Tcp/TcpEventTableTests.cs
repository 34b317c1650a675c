// Users' calls, time-outs and ICMP errors in every state, over both versions of IP, against the tables of RFC 9293. Segments are
// TcpStateTableTests' part.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpEventTableTests
{
    private const uint UserTimeoutMs = 10_000;

    public static IEnumerable<object[]> Calls() => Table<UserCall>();

    public static IEnumerable<object[]> TimeOuts() => Table<TimeOut>();

    public static IEnumerable<object[]> IcmpErrors() => Table<IcmpError>();

    [Theory]
    [MemberData(nameof(Calls))]
    public void A_user_calls(Begun state, UserCall call, bool isV4)
    {
        if (state == Begun.SynReceivedPassive)
        {
            // Nobody has accepted it: it has no user.
            return;
        }

        using TcpFixture fixture = new(isV4);
        TcpConnection* connection = Begin(fixture, state);
        if (state == Begun.Closed)
        {
            connection = fixture.Tcp.Create(isV4 ? IpAddress.AnyV4 : default);
        }

        uint next = connection->SndNxt;
        fixture.Take();
        Outcome expected = Rfc9293Events.Expect(state, call);
        (Errno error, int bytes) = Call(fixture, connection, call);
        Assert.Contains(error, Rfc9293Events.ErrorsOf(call, expected.Reply));
        Assert.Equal(TcpStates.Public(expected.Next), StateOf(fixture, connection));
        Sent[] sent = fixture.Take();
        if (expected.Sends.Length == 0)
        {
            Assert.Empty(sent);
            return;
        }

        Sent segment = Assert.Single(sent);
        Assert.All(expected.Sends, bit => Assert.Contains(bit, segment.Flags));
        if (call == UserCall.Send)
        {
            Assert.Equal(bytes, segment.Payload.Length);
        }

        if (call != UserCall.OpenActive)
        {
            Assert.Equal(next, segment.Sequence);
        }
    }

    [Theory]
    [MemberData(nameof(TimeOuts))]
    public void A_time_out(Begun state, TimeOut timeOut, bool isV4)
    {
        using TcpFixture fixture = new(isV4);
        TcpConnection* connection = Begin(fixture, state);
        uint una = connection == null ? 0 : connection->SndUna;
        if (timeOut == TimeOut.User && connection != null && state != Begun.Listen)
        {
            Assert.Equal(Errno.None, fixture.Tcp.SetOption(connection, TcpOption.UserTimeoutMs, (int)UserTimeoutMs, fixture.Now));
        }

        fixture.Take();
        fixture.Wait(timeOut switch
        {
            // The RTO of a connection without a measurement is a second (RFC 6298, 2.1).
            TimeOut.Retransmission => 1500 * TcpFixture.Millisecond,
            // Longer than 2 MSL, and than what the user gives it; with the first probes of an idle state still far away.
            TimeOut.TimeWait => state == Begun.TimeWait ? 61 * TcpFixture.Second : TcpFixture.Millisecond,
            TimeOut.User => 2 * UserTimeoutMs * TcpFixture.Millisecond,
            // 15 time-outs that double up to two minutes.
            _ => 3600 * TcpFixture.Second,
        });
        Outcome expected = Rfc9293Events.Expect(state, timeOut);
        Begun next = timeOut == TimeOut.Retries && state == Begun.TimeWait ? Begun.Closed : expected.Next;
        Assert.Equal(TcpStates.Public(next), StateOf(fixture, connection));
        Sent[] sent = fixture.Take();
        if (timeOut == TimeOut.Retransmission && expected.Sends.Length > 0)
        {
            Assert.Equal(una, sent[0].Sequence);
            Assert.All(expected.Sends, bit => Assert.Contains(bit, sent[0].Flags));
        }
        else if (next == state)
        {
            Assert.Empty(sent);
        }

        bool isTold = next == Begun.Closed && state is not (Begun.Closed or Begun.TimeWait or Begun.SynReceivedPassive);
        if (isTold)
        {
            // "error: connection aborted due to user timeout".
            Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
        }
    }

    [Theory]
    [MemberData(nameof(IcmpErrors))]
    public void An_ICMP_error(Begun state, IcmpError error, bool isV4)
    {
        using TcpFixture fixture = new(isV4);
        TcpConnection* connection = Begin(fixture, state);
        bool isQuotable = connection != null && state != Begun.Listen;
        uint sequence = !isQuotable ? 77 : error == IcmpError.Guessed ? connection->SndNxt + 1000 : connection->SndUna;
        byte[] quoted = [.. Port(TcpFixture.OurPort), .. Port(TcpFixture.TheirPort), .. TcpFixture.Big(sequence), 0, 0, 0, 0];
        fixture.Take();
        Errno told = error == IcmpError.Soft ? Errno.EHOSTUNREACH : Errno.ECONNREFUSED;
        fixture.Tcp.OnIcmpError(TcpFixture.OurAddress(isV4), TcpFixture.TheirAddress(isV4), 1, quoted, told,
            isHard: error != IcmpError.Soft, fixture.Now);
        Outcome expected = Rfc9293Events.Expect(state, error);
        Assert.Equal(TcpStates.Public(expected.Next), StateOf(fixture, connection));
        Assert.Empty(fixture.Take());
        if (expected.Next == Begun.Closed && state is Begun.SynSent or Begun.SynReceivedActive)
        {
            Assert.Equal(told, fixture.Tcp.TakeError(connection));
        }
    }

    private static IEnumerable<object[]> Table<TEvent>()
        where TEvent : struct, Enum =>
        from state in Enum.GetValues<Begun>()
        from happening in Enum.GetValues<TEvent>()
        from isV4 in (bool[])[true, false]
        select new object[] { state, happening, isV4 };

    /// <summary>The connection or listener in its state; null: there is none.</summary>
    private static TcpConnection* Begin(TcpFixture fixture, Begun state)
    {
        TcpConnection* connection = TcpStates.Reach(fixture, state);
        return state == Begun.Listen ? fixture.Tcp.Next(null) : connection;
    }

    private static TcpState StateOf(TcpFixture fixture, TcpConnection* connection) =>
        connection == null || !TcpStates.Exists(fixture, connection) ? TcpState.Closed : connection->State;

    private static (Errno Error, int Bytes) Call(TcpFixture fixture, TcpConnection* connection, UserCall call)
    {
        int count = 0;
        switch (call)
        {
            case UserCall.OpenActive:
                SocketAddress remote = new(TcpFixture.TheirAddress(fixture.IsV4), TcpFixture.TheirPort);
                return (fixture.Tcp.Connect(connection, in remote, fixture.Now), 0);
            case UserCall.OpenPassive:
                return (fixture.Tcp.Listen(connection, 4), 0);
            case UserCall.Send:
                fixture.Tcp.SetOption(connection, TcpOption.NoDelay, 1, fixture.Now);
                return (fixture.Tcp.Write(connection, new byte[50], TcpTransfer.None, fixture.Now, out count), count);
            case UserCall.Receive:
                Errno error = fixture.Tcp.Read(connection, new byte[50], TcpTransfer.None, fixture.Now, out count);
                Assert.Equal(0, count);
                return (error, 0);
            case UserCall.Close when connection->State == TcpState.Listen:
                fixture.Tcp.Close(connection, fixture.Now);
                return (Errno.None, 0);
            case UserCall.Close:
                return (fixture.Tcp.Shutdown(connection, TcpDirections.Write, fixture.Now), 0);
            default:
                fixture.Tcp.Abort(connection, fixture.Now);
                return (Errno.None, 0);
        }
    }

    private static byte[] Port(ushort port) => [(byte)(port >> 8), (byte)port];
}
