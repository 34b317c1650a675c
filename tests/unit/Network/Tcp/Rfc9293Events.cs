// What RFC 9293, 3.10.1 to 3.10.5 and 3.10.8, and 3.9.2.2 want of a user's call, a time-out and an ICMP message in every state, written
// from their text alone. Where the text leaves a choice, the one that a socket interface takes stands here, with its reason.

using System;
using Lego.Kernel;

namespace Lego.Tests.Network;

/// <summary>The calls of 3.9.1.</summary>
public enum UserCall
{
    OpenActive,
    OpenPassive,
    Send,
    Receive,

    /// <summary>"I have no more data to send": shutdown(2), not close(2).</summary>
    Close,
    Abort,
}

/// <summary>What a call returns, in the RFC's words.</summary>
public enum Reply
{
    Ok,

    /// <summary>Queued for later: a call that would block.</summary>
    Queued,

    /// <summary>"error: connection does not exist".</summary>
    DoesNotExist,

    /// <summary>"error: connection already exists".</summary>
    AlreadyExists,

    /// <summary>"error: connection closing".</summary>
    Closing,
}

/// <summary>The time-outs of 3.10.8, and giving up after R2 (3.8.3).</summary>
public enum TimeOut
{
    Retransmission,
    User,
    Retries,
    TimeWait,
}

/// <summary>The ICMP errors of 3.9.2.2: soft, hard, and either about a sequence number that is not under way (RFC 5927, 4).</summary>
public enum IcmpError
{
    Soft,
    Hard,
    Guessed,
}

/// <summary>The next state, the reply, and the control bits of the segment that the event sends at once; "" = none.</summary>
public sealed record Outcome(Begun Next, Reply Reply, string Sends);

/// <summary>The tables.</summary>
public static class Rfc9293Events
{
    public static Outcome Expect(Begun state, UserCall call) => call switch
    {
        UserCall.OpenActive => OpenActive(state),
        UserCall.OpenPassive => OpenPassive(state),
        UserCall.Send => Send(state),
        UserCall.Receive => Receive(state),
        UserCall.Close => Close(state),
        _ => Abort(state),
    };

    /// <summary>3.10.1. A listener that is opened actively could become active; sockets refuse it.</summary>
    private static Outcome OpenActive(Begun state) => state == Begun.Closed
        ? new Outcome(Begun.SynSent, Reply.Ok, "S") : new Outcome(state, Reply.AlreadyExists, "");

    /// <summary>3.10.1. A listener may be opened passively again, for another backlog (listen(2)).</summary>
    private static Outcome OpenPassive(Begun state) => state is Begun.Closed or Begun.Listen
        ? new Outcome(Begun.Listen, Reply.Ok, "") : new Outcome(state, Reply.AlreadyExists, "");

    /// <summary>3.10.2. A listener's remote socket is not specified.</summary>
    private static Outcome Send(Begun state) => state switch
    {
        Begun.Closed or Begun.Listen => new Outcome(state, Reply.DoesNotExist, ""),
        Begun.SynSent or Begun.SynReceivedActive => new Outcome(state, Reply.Queued, ""),
        Begun.Established or Begun.CloseWait => new Outcome(state, Reply.Ok, "A"),
        _ => new Outcome(state, Reply.Closing, ""),
    };

    /// <summary>3.10.3, with nothing to be read. A listener's data come to its children.</summary>
    private static Outcome Receive(Begun state) => state switch
    {
        Begun.Closed or Begun.Listen => new Outcome(state, Reply.DoesNotExist, ""),
        Begun.CloseWait or Begun.Closing or Begun.LastAck or Begun.TimeWait => new Outcome(state, Reply.Closing, ""),
        _ => new Outcome(state, Reply.Queued, ""),
    };

    /// <summary>
    /// 3.10.4. SYN-RECEIVED may queue it until it is ESTABLISHED. A second one may be told ok, as long as no second FIN is sent.
    /// </summary>
    private static Outcome Close(Begun state) => state switch
    {
        Begun.Closed => new Outcome(state, Reply.DoesNotExist, ""),
        Begun.Listen or Begun.SynSent => new Outcome(Begun.Closed, Reply.Ok, ""),
        Begun.SynReceivedActive => new Outcome(state, Reply.Ok, ""),
        Begun.Established => new Outcome(Begun.FinWait1, Reply.Ok, "FA"),
        Begun.CloseWait => new Outcome(Begun.LastAck, Reply.Ok, "FA"),
        Begun.TimeWait => new Outcome(state, Reply.Closing, ""),
        _ => new Outcome(state, Reply.Ok, ""),
    };

    /// <summary>3.10.5.</summary>
    private static Outcome Abort(Begun state) => state switch
    {
        Begun.SynReceivedActive or Begun.Established or Begun.FinWait1 or Begun.FinWait2 or Begun.CloseWait =>
            new Outcome(Begun.Closed, Reply.Ok, "R"),
        _ => new Outcome(Begun.Closed, Reply.Ok, ""),
    };

    /// <summary>
    /// 3.10.8. Retransmission: the bits of the segment at the front of the queue, sent again with SEQ=SND.UNA. User and Retries: the
    /// connection is over if anything waits for an acknowledgment.
    /// </summary>
    public static Outcome Expect(Begun state, TimeOut timeOut)
    {
        string front = state switch
        {
            Begun.SynSent => "S",
            Begun.SynReceivedActive or Begun.SynReceivedPassive => "SA",
            Begun.Established or Begun.CloseWait => "AP",
            Begun.FinWait1 or Begun.Closing or Begun.LastAck => "AP",
            _ => "",
        };
        return timeOut switch
        {
            TimeOut.Retransmission => new Outcome(state, Reply.Ok, front),
            TimeOut.TimeWait => new Outcome(state == Begun.TimeWait ? Begun.Closed : state, Reply.Ok, ""),
            _ => new Outcome(front.Length > 0 ? Begun.Closed : state, Reply.Ok, ""),
        };
    }

    /// <summary>
    /// 3.9.2.2: soft errors must not end a connection, hard ones should; in synchronized states they are taken as soft ones (RFC 5461,
    /// which the text names). Nothing is sent.
    /// </summary>
    public static Outcome Expect(Begun state, IcmpError error)
    {
        bool isOpening = state is Begun.SynSent or Begun.SynReceivedActive or Begun.SynReceivedPassive;
        return new Outcome(isOpening && error == IcmpError.Hard ? Begun.Closed : state, Reply.Ok, "");
    }

    /// <summary>Linux's names of the replies (tcp(7), connect(2), listen(2), shutdown(2)).</summary>
    public static Errno[] ErrorsOf(UserCall call, Reply reply) => (call, reply) switch
    {
        (UserCall.OpenActive, Reply.Ok) => [Errno.EINPROGRESS],
        (UserCall.OpenActive, Reply.AlreadyExists) => [Errno.EALREADY, Errno.EISCONN, Errno.EOPNOTSUPP],
        (UserCall.OpenPassive, Reply.AlreadyExists) => [Errno.EINVAL],
        (UserCall.Send, Reply.DoesNotExist or Reply.Closing) => [Errno.EPIPE],
        (UserCall.Receive, Reply.DoesNotExist) or (UserCall.Close, Reply.DoesNotExist or Reply.Closing) => [Errno.ENOTCONN],
        // The end of the stream.
        (UserCall.Receive, Reply.Closing) => [Errno.None],
        (_, Reply.Queued) => [Errno.EAGAIN],
        _ => [Errno.None],
    };
}
