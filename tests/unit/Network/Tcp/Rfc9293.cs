// What RFC 9293, 3.10.7, wants of a segment in every state, written from its text alone (with RFC 5961's challenge acknowledgments, which
// it includes). Numbers are relative: RCV.NXT and SND.UNA are 0, so that a case reads as it stands in the table.

using System;

namespace Lego.Tests.Network;

/// <summary>States as the tests reach them; SYN-RECEIVED by a passive and by a simultaneous open.</summary>
public enum Begun
{
    Closed,
    Listen,
    SynSent,
    SynReceivedPassive,
    SynReceivedActive,
    Established,
    FinWait1,
    FinWait2,
    Closing,
    TimeWait,
    CloseWait,
    LastAck,
}

/// <summary>What is sent back at once or within the delay of an acknowledgment.</summary>
public enum Answer
{
    Nothing,

    /// <summary>SEQ=SND.NXT, ACK=RCV.NXT.</summary>
    Ack,

    /// <summary>SEQ=SEG.ACK, CTL=RST.</summary>
    Reset,

    /// <summary>SEQ=0, ACK=SEG.SEQ+SEG.LEN, CTL=RST,ACK.</summary>
    ResetAck,
    SynAck,
}

/// <summary>A segment: control bits as letters, SEG.SEQ - RCV.NXT, SEG.ACK - SND.UNA, bytes of text.</summary>
public sealed record Segment(string Flags, long Sequence, long Acknowledgment, int Text)
{
    public bool Has(char flag) => Flags.Contains(flag, StringComparison.Ordinal);

    public long Length => Text + (Has('S') ? 1 : 0) + (Has('F') ? 1 : 0);
}

/// <summary>The model. Window: RCV.WND; flight: SND.NXT - SND.UNA; largest: the largest window that the peer offered.</summary>
public sealed record Rfc9293(Begun State, long Window, long Flight, long Largest)
{
    /// <summary>The next state, the answer, and by how much RCV.NXT advances.</summary>
    public (Begun State, Answer Answer, long Advance) Expect(Segment segment) => State switch
    {
        Begun.Closed => (State, OfClosed(segment), 0),
        Begun.Listen => OfListen(segment),
        Begun.SynSent => OfSynSent(segment),
        _ => OfSynchronized(segment),
    };

    /// <summary>3.10.7.1.</summary>
    private static Answer OfClosed(Segment segment) =>
        segment.Has('R') ? Answer.Nothing : segment.Has('A') ? Answer.Reset : Answer.ResetAck;

    /// <summary>3.10.7.2.</summary>
    private static (Begun, Answer, long) OfListen(Segment segment) =>
        segment.Has('R') ? (Begun.Listen, Answer.Nothing, 0)
        : segment.Has('A') ? (Begun.Listen, Answer.Reset, 0)
        : segment.Has('S') && !segment.Has('F') ? (Begun.SynReceivedPassive, Answer.SynAck, 0)
        : (Begun.Listen, Answer.Nothing, 0);

    /// <summary>3.10.7.3. SND.UNA is ISS, SND.NXT is ISS + 1; RCV.NXT is what it will be after the SYN.</summary>
    private static (Begun, Answer, long) OfSynSent(Segment segment)
    {
        if (segment.Has('A') && segment.Acknowledgment != 1)
        {
            return (Begun.SynSent, segment.Has('R') ? Answer.Nothing : Answer.Reset, 0);
        }

        if (segment.Has('R'))
        {
            return (segment.Has('A') ? Begun.Closed : Begun.SynSent, Answer.Nothing, 0);
        }

        if (!segment.Has('S'))
        {
            return (Begun.SynSent, Answer.Nothing, 0);
        }

        return !segment.Has('A') ? (Begun.SynReceivedActive, Answer.SynAck, 0)
            : segment.Has('F') ? (Begun.CloseWait, Answer.Ack, segment.Text + 1)
            : (Begun.Established, Answer.Ack, segment.Text);
    }

    /// <summary>3.10.7.4.</summary>
    private (Begun, Answer, long) OfSynchronized(Segment segment)
    {
        // First: the sequence number.
        if (!IsAcceptable(segment))
        {
            return (State, segment.Has('R') ? Answer.Nothing : Answer.Ack, 0);
        }

        // Second: RST.
        if (segment.Has('R'))
        {
            return segment.Sequence == 0 ? (Begun.Closed, Answer.Nothing, 0) : (State, Answer.Ack, 0);
        }

        // Fourth: SYN.
        if (segment.Has('S'))
        {
            return State == Begun.SynReceivedPassive ? (Begun.Closed, Answer.Nothing, 0) : (State, Answer.Ack, 0);
        }

        // Fifth: ACK.
        if (!segment.Has('A'))
        {
            return (State, Answer.Nothing, 0);
        }

        Begun state = State;
        if (state is Begun.SynReceivedPassive or Begun.SynReceivedActive)
        {
            if (segment.Acknowledgment <= 0 || segment.Acknowledgment > Flight)
            {
                return (state, Answer.Reset, 0);
            }

            state = Begun.Established;
        }
        else if (segment.Acknowledgment > Flight || segment.Acknowledgment < -Largest)
        {
            return (state, Answer.Ack, 0);
        }

        bool finAcknowledged = segment.Acknowledgment == Flight;
        state = (state, finAcknowledged) switch
        {
            (Begun.FinWait1, true) => Begun.FinWait2,
            (Begun.Closing, true) => Begun.TimeWait,
            (Begun.LastAck, true) => Begun.Closed,
            _ => state,
        };
        return state == Begun.Closed ? (state, Answer.Nothing, 0) : OfText(segment, state);
    }

    /// <summary>
    /// Seventh and eighth: the text and the FIN, of which what was received before and what is beyond the window are cut off.
    /// </summary>
    private (Begun, Answer, long) OfText(Segment segment, Begun state)
    {
        bool takes = state is Begun.Established or Begun.FinWait1 or Begun.FinWait2;
        long end = Math.Min(segment.Sequence + segment.Text, Window);
        bool hasFin = segment.Has('F') && segment.Sequence + segment.Text < Window;
        bool isInOrder = segment.Sequence <= 0;
        long advance = takes && isInOrder ? Math.Max(0, end) : 0;
        if (!takes)
        {
            // Nothing may come behind the peer's FIN. What does is at best acknowledged; a second FIN is.
            return (state, segment.Length > 0 && (segment.Sequence < 0 || hasFin || segment.Sequence + segment.Length > Window)
                ? Answer.Ack : Answer.Nothing, 0);
        }

        if (hasFin && isInOrder && end == advance)
        {
            state = state switch
            {
                Begun.Established => Begun.CloseWait,
                Begun.FinWait1 => Begun.Closing,
                _ => Begun.TimeWait,
            };
            advance++;
        }

        return (state, segment.Length > 0 ? Answer.Ack : Answer.Nothing, advance);
    }

    /// <summary>Table 6.</summary>
    private bool IsAcceptable(Segment segment)
    {
        long last = segment.Sequence + segment.Length - 1;
        return segment.Length == 0
            ? Window == 0 ? segment.Sequence == 0 : segment.Sequence >= 0 && segment.Sequence < Window
            : Window > 0 && ((segment.Sequence >= 0 && segment.Sequence < Window) || (last >= 0 && last < Window));
    }
}
