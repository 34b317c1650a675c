// Every kind of segment in every state, over both versions of IP, against the model of RFC 9293.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpStateTableTests
{
    private const long Window = TcpStates.Window;

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
            long flight = TcpStates.FlightOf(state);
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
        TcpConnection* connection = TcpStates.Reach(fixture, state);
        uint una = connection == null ? 77 : connection->SndUna;
        uint next = connection == null ? 77 : connection->SndNxt;
        uint received = state is Begun.Closed or Begun.Listen or Begun.SynSent ? fixture.PeerNext + 1 : connection->RcvNxt;
        if (state is not (Begun.Closed or Begun.Listen or Begun.SynSent))
        {
            Assert.Equal(TcpStates.FlightOf(state), next - una);
            Assert.Equal(Window, connection->RcvAdv - connection->RcvNxt);
        }

        fixture.Take();
        uint acknowledged = (uint)(una + segment.Acknowledgment);
        fixture.Give(segment.Flags, (uint)(received + segment.Sequence), segment.Has('A') ? acknowledged : 0,
            TcpFixture.Bytes(segment.Text),
            urgent: segment.Has('U') ? 5 : 0);
        TcpState after = connection == null || !TcpStates.Exists(fixture, connection) ? TcpState.Closed : connection->State;
        fixture.Wait(45 * TcpFixture.Millisecond);
        Sent[] answers = fixture.Take().Where(sent => sent.Payload.Length == 0).ToArray();

        (Begun expectedState, Answer answer, long advance) = new Rfc9293(state, Window, TcpStates.FlightOf(state), Window).Expect(segment);
        if (state != Begun.Listen)
        {
            Assert.Equal(TcpStates.Public(expectedState), after);
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
}
