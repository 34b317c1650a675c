// Tcp: what users do (RFC 9293, 3.9.1 and 3.10.1 to 3.10.6), with the results of Linux's system calls.

using System;

namespace Lego.Kernel;

/// <summary>How a read or write differs from the plain one.</summary>
[Flags]
public enum TcpTransfer
{
    None = 0,

    /// <summary>The bytes stay where they are (MSG_PEEK).</summary>
    Peek = 1,

    /// <summary>Urgent data (MSG_OOB).</summary>
    Urgent = 2,

    /// <summary>More follows soon: an incomplete segment may wait for it (MSG_MORE).</summary>
    More = 4,
}

/// <summary>Which directions a shutdown closes (shutdown(2)).</summary>
[Flags]
public enum TcpDirections
{
    Read = 1,
    Write = 2,
}

public sealed unsafe partial class Tcp
{
    private const TcpFacts Closed = TcpFacts.WriteClosed | TcpFacts.ReadClosed;

    /// <summary>An orphan stays in FIN-WAIT-2 so long at most (Linux's tcp_fin_timeout).</summary>
    private const ulong FinTimeoutNs = 60 * SecondNs;

    /// <summary>
    /// Names this end; port 0 = choose one. EADDRINUSE; EINVAL: it is bound or connected already. Whether the address is ours the caller
    /// knows.
    /// </summary>
    public Errno Bind(TcpConnection* connection, in SocketAddress local)
    {
        if (connection->Port != null || connection->State != TcpState.Closed)
        {
            return Errno.EINVAL;
        }

        ushort number = local.Port == 0 ? _table.ChooseFree() : local.Port;
        if (number == 0 || !_table.MayBind(connection, local.Address, number))
        {
            return Errno.EADDRINUSE;
        }

        SocketAddress before = connection->Local;
        connection->Local = new SocketAddress(local.Address, number, local.Scope);
        if (!_table.TryHold(connection, isBound: true))
        {
            connection->Local = before;
            return Errno.ENOBUFS;
        }

        connection->LocalAsNamed = connection->Local;
        connection->Facts |= local.Port != 0 ? TcpFacts.PortNamed : TcpFacts.None;
        return Errno.None;
    }

    /// <summary>
    /// Takes connections, at most backlog at a time that nobody accepted. May be called again for another backlog. EADDRINUSE; EINVAL:
    /// connected.
    /// </summary>
    public Errno Listen(TcpConnection* connection, int backlog)
    {
        if (connection->State == TcpState.Listen)
        {
            connection->BacklogLimit = backlog;
            return Errno.None;
        }

        if (connection->State != TcpState.Closed || connection->Remote.Port != 0)
        {
            return Errno.EINVAL;
        }

        if (connection->Port == null)
        {
            SocketAddress any = new(connection->Local.Address, 0);
            Errno error = Bind(connection, in any);
            if (error != Errno.None)
            {
                return error;
            }
        }
        else if (!_table.MayBind(connection, connection->Local.Address, connection->Local.Port))
        {
            return Errno.EADDRINUSE;
        }

        connection->State = TcpState.Listen;
        connection->BacklogLimit = backlog;
        _table.AddListener(connection);
        return Errno.None;
    }

    /// <summary>The oldest established connection of a listener. EAGAIN: none yet. EINVAL: no listener.</summary>
    [NoBlock]
    [NoAllocation]
    public Errno Accept(TcpConnection* listener, out TcpConnection* accepted)
    {
        accepted = null;
        if (listener->State != TcpState.Listen)
        {
            return Errno.EINVAL;
        }

        TcpConnection* child = listener->AcceptFirst;
        if (child == null)
        {
            return Errno.EAGAIN;
        }

        RemoveAcceptable(child);
        _counters.Accepted++;
        accepted = child;
        return Errno.None;
    }

    /// <summary>
    /// Begins a connection and returns EINPROGRESS; when it is there, or an error is, the host's Changed is called. EALREADY, EISCONN,
    /// ENETUNREACH, EADDRNOTAVAIL (no port, or the two ends have a connection already), EOPNOTSUPP (a listener).
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public Errno Connect(TcpConnection* connection, in SocketAddress remote, ulong nowNs)
    {
        switch (connection->State)
        {
            case TcpState.Closed when (connection->Facts & TcpFacts.Failed) == 0:
                break;
            case TcpState.Closed:
                return ReviveFailed(connection, in remote, nowNs);
            case TcpState.Listen:
                return Errno.EOPNOTSUPP;
            case TcpState.SynSent:
            case TcpState.SynReceived:
                return Errno.EALREADY;
            default:
                return Errno.EISCONN;
        }

        if (remote.Address.IsMulticast || remote.Address.IsLimitedBroadcast)
        {
            return Errno.ENETUNREACH;
        }

        IpAddress source = connection->Local.Address;
        if (source.IsUnspecified && !_host.TrySourceFor(remote.Address, remote.Scope, out source))
        {
            return Errno.ENETUNREACH;
        }

        if (source.IsV4 != remote.Address.IsV4)
        {
            return Errno.EAFNOSUPPORT;
        }

        return Open(connection, source, in remote, nowNs);
    }

    /// <summary>
    /// Queues bytes and sends what may be sent. EAGAIN: no room, or not connected yet. ENOBUFS: there is room, and no memory, of which
    /// nobody tells when there is some again. EPIPE, ENOTCONN, or the connection's error.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public Errno Write(TcpConnection* connection, ReadOnlySpan<byte> bytes, TcpTransfer how, ulong nowNs, out int count)
    {
        count = 0;
        if (connection->Error != Errno.None)
        {
            return TakeError(connection);
        }

        if ((connection->Facts & TcpFacts.WriteClosed) != 0)
        {
            return Errno.EPIPE;
        }

        switch (connection->State)
        {
            case TcpState.Established:
            case TcpState.CloseWait:
                break;
            case TcpState.SynSent:
            case TcpState.SynReceived:
                return Errno.EAGAIN;
            default:
                return Errno.EPIPE;
        }

        if (bytes.Length == 0)
        {
            return Errno.None;
        }

        uint room = WriteRoom(connection);
        if (room == 0)
        {
            return Errno.EAGAIN;
        }

        if (_memory.MaySend(connection->SendBuffer.Length == 0))
        {
            count = (int)connection->SendBuffer.Append(_memory, bytes[..(int)Math.Min(room, (uint)bytes.Length)]);
        }

        if (count == 0)
        {
            return Errno.ENOBUFS;
        }

        if ((how & TcpTransfer.Urgent) != 0)
        {
            // The pointer names the byte behind the urgent one (RFC 9293, 3.8.5).
            connection->SndUp = FirstUnqueued(connection);
            connection->Facts |= TcpFacts.UrgentSent;
        }

        bool hasMore = (how & TcpTransfer.More) != 0 && count == bytes.Length;
        connection->Facts = (connection->Facts & ~TcpFacts.MoreFollows) | TcpFacts.Interactive | (hasMore ? TcpFacts.MoreFollows
            : TcpFacts.None);
        connection->QuickAcks = 0;
        Output(connection, nowNs);
        Bury();
        return Errno.None;
    }

    /// <summary>
    /// Reads bytes; None with 0 = the end of the stream. EAGAIN: nothing yet. ENOTCONN, or the connection's error. With Urgent: the urgent
    /// byte; EINVAL: there is none, or it is in the stream.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public Errno Read(TcpConnection* connection, Span<byte> destination, TcpTransfer how, ulong nowNs, out int count)
    {
        count = 0;
        if ((how & TcpTransfer.Urgent) != 0)
        {
            return ReadUrgent(connection, destination, how, out count);
        }

        SkipUrgent(connection);
        while (count < destination.Length)
        {
            ReadOnlySpan<byte> piece = Readable(connection, (uint)count);
            if (piece.Length == 0)
            {
                break;
            }

            piece = piece[..Math.Min(piece.Length, destination.Length - count)];
            piece.CopyTo(destination[count..]);
            count += piece.Length;
        }

        if (count > 0)
        {
            if ((how & TcpTransfer.Peek) == 0)
            {
                Consume(connection, (uint)count, nowNs);
            }

            return Errno.None;
        }

        // A read of nothing is told what a read of something would be.
        return destination.Length == 0 && ReadLimit(connection) > 0 ? Errno.None : NothingToRead(connection);
    }

    /// <summary>
    /// The bytes from an offset on that can be read and lie together, lent until the next call; empty at the end of what is there, and at
    /// the urgent byte, where a read stops. <see cref="Consume"/> takes them. For copies without a buffer between.
    /// </summary>
    public ReadOnlySpan<byte> Readable(TcpConnection* connection, uint offset)
    {
        uint limit = ReadLimit(connection);
        return offset >= limit ? default : connection->ReceiveBuffer.Piece(offset, limit - offset);
    }

    /// <summary>
    /// Takes bytes that <see cref="Readable"/> lent, from the first on. A window that has opened far enough is announced.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public void Consume(TcpConnection* connection, uint count, ulong nowNs)
    {
        connection->ReceiveBuffer.Consume(_memory, count, connection->Ranges == null);
        TuneReceiveBuffer(connection, count, nowNs);
        ForgetUrgent(connection);
        AnnounceWindow(connection, nowNs);
    }

    /// <summary>
    /// The next byte to be read is the urgent one (sockatmark(3)): a read that has taken something stops here. The peer has told of it;
    /// it need not be here yet.
    /// </summary>
    public static bool IsAtMark(TcpConnection* connection) =>
        (connection->Facts & TcpFacts.UrgentReceived) != 0 && ReadSequence(connection) == connection->RcvUp - 1;

    /// <summary>What FIONREAD tells: bytes that can be read, up to the urgent one unless that is in the stream.</summary>
    public static uint BytesBeforeMark(TcpConnection* connection) =>
        (connection->Flags & TcpSocketFlags.OutOfBandInline) != 0 ? connection->ReceiveBuffer.Length : ReadLimit(connection);

    /// <summary>Room for a write now, bytes.</summary>
    public uint WriteRoom(TcpConnection* connection) =>
        connection->SendLimit > connection->SendBuffer.Length ? connection->SendLimit - connection->SendBuffer.Length : 0;

    /// <summary>Closes directions. ENOTCONN.</summary>
    [NoBlock]
    [NoAllocation]
    public Errno Shutdown(TcpConnection* connection, TcpDirections directions, ulong nowNs)
    {
        switch (connection->State)
        {
            case TcpState.Listen:
                // Linux: a listener that is shut down for reading listens no longer, and has no other direction.
                if ((directions & TcpDirections.Read) != 0)
                {
                    CloseListener(connection, nowNs);
                    connection->State = TcpState.Closed;
                    Bury();
                }

                return Errno.None;
            case TcpState.SynSent:
                Finish(connection, Errno.None);
                return Errno.None;
            case TcpState.Closed:
            case TcpState.TimeWait:
                return Errno.ENOTCONN;
        }

        if ((directions & TcpDirections.Read) != 0)
        {
            connection->Facts |= TcpFacts.ReadClosed;
        }

        if ((directions & TcpDirections.Write) != 0)
        {
            CloseWriting(connection, nowNs);
        }

        _host.Changed(connection);
        Bury();
        return Errno.None;
    }

    /// <summary>
    /// The user is gone: the connection finishes by itself, and the pointer is no longer the user's. With unread data it ends by a reset
    /// (RFC 9293, 3.6.1; RFC 2525, 2.17). A listener's connections that nobody accepted are reset.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public void Close(TcpConnection* connection, ulong nowNs)
    {
        connection->Owner = 0;
        connection->Facts |= TcpFacts.Orphaned;
        switch (connection->State)
        {
            case TcpState.Closed:
                _table.Release(connection);
                Free(connection);
                break;
            case TcpState.Listen:
                CloseListener(connection, nowNs);
                connection->State = TcpState.Closed;
                Free(connection);
                break;
            case TcpState.SynSent:
                Finish(connection, Errno.None);
                break;
            case var _ when connection->ReceiveBuffer.Length > 0:
                Reset(connection, Errno.None, nowNs);
                break;
            default:
                connection->Facts |= TcpFacts.ReadClosed;
                CloseWriting(connection, nowNs);
                if (connection->State == TcpState.FinWait2)
                {
                    BeginFinTimeout(connection, nowNs);
                }
                else if (connection->State == TcpState.TimeWait)
                {
                    AddAbandoned(connection);
                }

                break;
        }

        Bury();
    }

    /// <summary>
    /// As Close, and at once (SO_LINGER with 0): by a reset, but not where both ends have sent their FINs (RFC 9293, 3.10.5).
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public void Abort(TcpConnection* connection, ulong nowNs)
    {
        if (connection->State is TcpState.Closed or TcpState.Listen or TcpState.SynSent)
        {
            Close(connection, nowNs);
            return;
        }

        connection->Owner = 0;
        connection->Facts |= TcpFacts.Orphaned;
        bool bothClosed = connection->State is TcpState.Closing or TcpState.LastAck or TcpState.TimeWait
            && (connection->Facts & TcpFacts.FinSent) != 0;
        if (bothClosed)
        {
            Finish(connection, Errno.None);
        }
        else
        {
            Reset(connection, Errno.None, nowNs);
        }

        Bury();
    }

    /// <summary>
    /// True when all that was written, and the FIN if there is one, has been acknowledged or never will be: what SO_LINGER waits for.
    /// </summary>
    public bool IsDrained(TcpConnection* connection) =>
        connection->State is TcpState.Closed or TcpState.Listen or TcpState.TimeWait or TcpState.FinWait2
        || (connection->SendBuffer.Length == 0 && connection->SndUna == connection->SndNxt
        && connection->State is TcpState.Established or TcpState.CloseWait);

    /// <summary>No more bytes: the FIN follows those that are queued (RFC 9293, 3.10.4).</summary>
    private void CloseWriting(TcpConnection* connection, ulong nowNs)
    {
        if ((connection->Facts & TcpFacts.WriteClosed) != 0)
        {
            return;
        }

        connection->Facts = (connection->Facts | TcpFacts.WriteClosed) & ~TcpFacts.MoreFollows;
        switch (connection->State)
        {
            case TcpState.Established:
                connection->State = TcpState.FinWait1;
                break;
            case TcpState.CloseWait:
                connection->State = TcpState.LastAck;
                break;
            default:
                // SYN-RECEIVED: the FIN is sent when the connection is established.
                return;
        }

        Output(connection, nowNs);
    }

    private Errno NothingToRead(TcpConnection* connection)
    {
        if (connection->State == TcpState.Listen)
        {
            return Errno.ENOTCONN;
        }

        // A stream that has come to its end has no error for readers: what happens afterwards is told by writes and SO_ERROR.
        if ((connection->Facts & TcpFacts.FinReceived) != 0)
        {
            return Errno.None;
        }

        if (connection->Error != Errno.None)
        {
            return TakeError(connection);
        }

        if ((connection->Facts & TcpFacts.ReadClosed) != 0)
        {
            return Errno.None;
        }

        return connection->State switch
        {
            TcpState.Closed => (connection->Facts & (TcpFacts.WasEstablished | TcpFacts.Failed)) != 0 ? Errno.None : Errno.ENOTCONN,
            _ => Errno.EAGAIN,
        };
    }

    /// <summary>The sequence number behind the last byte of the send buffer.</summary>
    private static uint FirstUnqueued(TcpConnection* connection) => connection->SndUna + connection->SendBuffer.Length;
}
