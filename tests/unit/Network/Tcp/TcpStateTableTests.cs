// Every kind of segment in every state, over both versions of IP, against the model of RFC 9293.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpStateTableTests
{
    private const long Window = 65535;
    private const int FlightBytes = 100;

    private static readonly Begun[] s_synchronized =
    [
        Begun.SynReceivedPassive, Begun.SynReceivedActive, Begun.Established, Begun.FinWait1, Begun.FinWait2, Begun.Closing, Begun.TimeWait,
            Begun.CloseWait, Begun.LastAck,
    ];

    private static readonly string[] s_flags = ["", "A", "AP", "AU", "S", "SA", "R", "RA", "F", "FA"];

    /// <summary>Left of the window, across its left edge, exact, in it, its last number, across its right edge, right of it.</summary>
    private static readonly long[] s_sequences = [-1000, -5, 0, 100, Window - 1, Window - 5, Window + 10];

    public static IEnumerable<object[]> Synchronized()
    {
        foreach (Begun state in s_synchronized)
        {
            long flight = FlightOf(state);
            long[] acknowledgments = [-Window - 1, -1, 0, flight / 2, flight, flight + 1];
            foreach (string flags in s_flags)
            {
                foreach (long sequence in s_sequences)
                {
                    foreach (long acknowledgment in flags.Contains('A', StringComparison.Ordinal) ? acknowledgments.Distinct() : [0])
                    {
                        yield return [state, flags, sequence, acknowledgment, 0];
                        yield return [state, flags, sequence, acknowledgment, 10];
                    }
                }
            }
        }
    }

    public static IEnumerable<object[]> Unsynchronized()
    {
        foreach (Begun state in (Begun[])[Begun.Closed, Begun.Listen, Begun.SynSent])
        {
            foreach (string flags in (string[])[.. s_flags, "SF", "SFA"])
            {
                foreach (long acknowledgment in flags.Contains('A', StringComparison.Ordinal) ? (long[])[-1, 0, 1, 2] : [0])
                {
                    yield return [state, flags, -1L, acknowledgment, 0];
                    yield return [state, flags, -1L, acknowledgment, 10];
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void A_segment_in_a_synchronized_state(Begun state, string flags, long sequence, long acknowledgment, int text)
    {
        Check(state, new Segment(flags, sequence, acknowledgment, text), isV4: true);
        Check(state, new Segment(flags, sequence, acknowledgment, text), isV4: false);
    }

    [Theory]
    [MemberData(nameof(Unsynchronized))]
    public void A_segment_before_there_is_a_connection(Begun state, string flags, long sequence, long acknowledgment, int text)
    {
        Check(state, new Segment(flags, sequence, acknowledgment, text), isV4: true);
        Check(state, new Segment(flags, sequence, acknowledgment, text), isV4: false);
    }

    private static void Check(Begun state, Segment segment, bool isV4)
    {
        using TcpFixture fixture = new(isV4);
        TcpConnection* connection = Reach(fixture, state);
        uint una = connection == null ? 77 : connection->SndUna;
        uint next = connection == null ? 77 : connection->SndNxt;
        uint received = state is Begun.Closed or Begun.Listen or Begun.SynSent ? fixture.PeerNext + 1 : connection->RcvNxt;
        if (state is not (Begun.Closed or Begun.Listen or Begun.SynSent))
        {
            Assert.Equal(FlightOf(state), next - una);
            Assert.Equal(Window, connection->RcvAdv - connection->RcvNxt);
        }

        fixture.Take();
        uint acknowledged = (uint)(una + segment.Acknowledgment);
        fixture.Give(segment.Flags, (uint)(received + segment.Sequence), segment.Has('A') ? acknowledged : 0,
            TcpFixture.Bytes(segment.Text),
            urgent: segment.Has('U') ? 5 : 0);
        TcpState after = connection == null || !Exists(fixture, connection) ? TcpState.Closed : connection->State;
        fixture.Wait(45 * TcpFixture.Millisecond);
        Sent[] answers = fixture.Take().Where(sent => sent.Payload.Length == 0).ToArray();

        (Begun expectedState, Answer answer, long advance) = new Rfc9293(state, Window, FlightOf(state), Window).Expect(segment);
        if (state != Begun.Listen)
        {
            Assert.Equal(Public(expectedState), after);
        }

        if (answer == Answer.Nothing)
        {
            Assert.Empty(answers);
            return;
        }

        Assert.NotEmpty(answers);
        Sent sent = answers[^1];
        switch (answer)
        {
            case Answer.Ack:
                Assert.Equal("A", sent.Flags);
                Assert.Equal(next, sent.Sequence);
                Assert.Equal((uint)(received + advance), sent.Acknowledgment);
                break;
            case Answer.Reset:
                Assert.Equal("R", sent.Flags);
                Assert.Equal(acknowledged, sent.Sequence);
                break;
            case Answer.ResetAck:
                Assert.Equal("RA", sent.Flags);
                Assert.Equal(0u, sent.Sequence);
                Assert.Equal((uint)(received + segment.Sequence + segment.Length), sent.Acknowledgment);
                break;
            case Answer.SynAck:
                Assert.Equal("SA", sent.Flags);
                Assert.Equal((uint)(received + segment.Sequence + 1), sent.Acknowledgment);
                break;
        }
    }

    private static long FlightOf(Begun state) => state switch
    {
        Begun.SynReceivedPassive or Begun.SynReceivedActive or Begun.SynSent => 1,
        Begun.Established or Begun.CloseWait => FlightBytes,
        Begun.FinWait1 or Begun.Closing or Begun.LastAck => FlightBytes + 1,
        _ => 0,
    };

    private static TcpState Public(Begun state) => state switch
    {
        Begun.SynReceivedActive or Begun.SynReceivedPassive => TcpState.SynReceived,
        _ => Enum.Parse<TcpState>(state.ToString()),
    };

    private static bool Exists(TcpFixture fixture, TcpConnection* connection)
    {
        for (TcpConnection* other = fixture.Tcp.Next(null); other != null; other = fixture.Tcp.Next(other))
        {
            if (other == connection)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Brings a connection into the state by segments and calls; null where there is none.</summary>
    private static TcpConnection* Reach(TcpFixture fixture, Begun state)
    {
        switch (state)
        {
            case Begun.Closed:
                return null;
            case Begun.Listen:
                fixture.Listen();
                return null;
            case Begun.SynSent:
                return fixture.Connect();
            case Begun.SynReceivedPassive:
                fixture.Listen();
                fixture.Give("S", fixture.PeerNext, 0);
                return fixture.Tcp.Next(null);
            case Begun.SynReceivedActive:
                fixture.Connect();
                fixture.Give("S", fixture.PeerNext, 0);
                return fixture.Connection;
        }

        TcpConnection* connection = fixture.Establish();
        // Acknowledgments are not hurried any more: the table's answers come within the delay.
        fixture.Tcp.SetOption(connection, TcpOption.QuickAck, 0, fixture.Now);
        bool peerCloses = state is Begun.CloseWait or Begun.LastAck;
        if (peerCloses)
        {
            fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
            Widen(connection);
        }

        if (state is not (Begun.FinWait2 or Begun.TimeWait))
        {
            fixture.Write(FlightBytes);
        }

        if (state is Begun.Established or Begun.CloseWait)
        {
            return connection;
        }

        fixture.Tcp.Shutdown(connection, TcpDirections.Write, fixture.Now);
        switch (state)
        {
            case Begun.FinWait2:
                fixture.Ack(connection->SndNxt);
                break;
            case Begun.Closing:
                fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
                Widen(connection);
                break;
            case Begun.TimeWait:
                fixture.Give("FA", fixture.PeerNext, connection->SndNxt);
                Widen(connection);
                break;
        }

        return connection;
    }

    /// <summary>
    /// A FIN takes a number of the window, which is announced anew with the next segment only: the table's edges are counted from a full
    /// one.
    /// </summary>
    private static void Widen(TcpConnection* connection) => connection->RcvAdv = connection->RcvNxt + (uint)Window;
}
