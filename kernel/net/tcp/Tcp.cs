using System;

namespace Lego.Kernel;

/// <summary>What a retransmission timer is for.</summary>
internal enum TcpRetransmitTimer : byte
{
    Timeout,
}

/// <summary>How much one Tcp may take.</summary>
public struct TcpLimits
{
    /// <summary>Connections and listeners together, TIME-WAIT included.</summary>
    public int Connections;

    /// <summary>Up to so many bytes a receive buffer grows by itself.</summary>
    public uint ReceiveBufferBytes;

    /// <summary>Up to so many bytes a send buffer grows by itself.</summary>
    public uint SendBufferBytes;
}

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

/// <summary>TCP.</summary>
public sealed unsafe class Tcp
{
    /// <summary>Made at boot. The keys are random numbers.</summary>
    public Tcp(FrameAllocator frames, NetworkMemory memory, TcpHost host, TcpLimits limits, ulong key0, ulong key1)
    {
    }

    /// <summary>When <see cref="OnTime"/> wants to be called; ulong.MaxValue: not before something else happens. May be early.</summary>
    public ulong NextDeadlineNs => ulong.MaxValue;

    /// <summary>A connection in state CLOSED, bound to nothing; null when there are too many. <paramref name="any"/>: 0.0.0.0 or ::, by the socket's family.</summary>
    public TcpConnection* Create(IpAddress any) => null;

    /// <summary>Names this end; port 0 = choose one. EADDRINUSE, EINVAL (bound already). Whether the address is ours the caller knows.</summary>
    public Errno Bind(TcpConnection* connection, in SocketAddress local) => Errno.ENOSYS;

    /// <summary>Takes connections, at most backlog at a time that nobody accepted. May be called again. EADDRINUSE, EINVAL (connected).</summary>
    public Errno Listen(TcpConnection* connection, int backlog) => Errno.ENOSYS;

    /// <summary>The oldest established connection of a listener. EAGAIN: none yet. EINVAL: no listener.</summary>
    public Errno Accept(TcpConnection* listener, out TcpConnection* accepted)
    {
        accepted = null;
        return Errno.ENOSYS;
    }

    /// <summary>
    /// Begins a connection and returns EINPROGRESS; when it is there, or an error is, the host's Changed is called. EALREADY, EISCONN, ENETUNREACH,
    /// EADDRNOTAVAIL (no port), EADDRINUSE.
    /// </summary>
    public Errno Connect(TcpConnection* connection, in SocketAddress remote, ulong nowNs) => Errno.ENOSYS;

    /// <summary>Queues bytes and sends what may be sent. EAGAIN: no room, or not connected yet. EPIPE, ENOTCONN, or the connection's error.</summary>
    public Errno Write(TcpConnection* connection, ReadOnlySpan<byte> bytes, TcpTransfer how, ulong nowNs, out int count)
    {
        count = 0;
        return Errno.ENOSYS;
    }

    /// <summary>
    /// Reads bytes; None with 0 = the end of the stream. EAGAIN: nothing yet. ENOTCONN, or the connection's error. With Urgent: the urgent
    /// byte; EINVAL: there is none, or it is in the stream.
    /// </summary>
    public Errno Read(TcpConnection* connection, Span<byte> destination, TcpTransfer how, ulong nowNs, out int count)
    {
        count = 0;
        return Errno.ENOSYS;
    }

    /// <summary>
    /// The bytes from an offset on that can be read and lie together, lent until the next call; empty at the end of what is there.
    /// <see cref="Consume"/> takes them. For copies without a buffer between.
    /// </summary>
    public ReadOnlySpan<byte> Readable(TcpConnection* connection, uint offset) => default;

    /// <summary>Takes bytes that <see cref="Readable"/> lent, from the first on.</summary>
    public void Consume(TcpConnection* connection, uint count, ulong nowNs)
    {
    }

    /// <summary>Room for a write now, bytes.</summary>
    public uint WriteRoom(TcpConnection* connection) => 0;

    /// <summary>True when the next byte to read is the one behind the urgent byte (sockatmark(3)).</summary>
    public bool IsAtMark(TcpConnection* connection) => false;

    /// <summary>Closes directions. ENOTCONN.</summary>
    public Errno Shutdown(TcpConnection* connection, TcpDirections directions, ulong nowNs) => Errno.ENOSYS;

    /// <summary>
    /// The user is gone: the connection finishes by itself, and the pointer is no longer the user's. With unread data it ends by a reset (RFC
    /// 9293, 3.6.1). A listener's connections that nobody accepted are reset.
    /// </summary>
    public void Close(TcpConnection* connection, ulong nowNs)
    {
    }

    /// <summary>As Close, by a reset and at once (SO_LINGER with 0).</summary>
    public void Abort(TcpConnection* connection, ulong nowNs)
    {
    }

    /// <summary>True when all that was written, and the FIN if there is one, has been acknowledged or never will be: what SO_LINGER waits for.</summary>
    public bool IsDrained(TcpConnection* connection) => true;

    /// <summary>What a call would find.</summary>
    public TcpReadiness Poll(TcpConnection* connection) => TcpReadiness.None;

    /// <summary>The pending error, which is then no longer pending (SO_ERROR).</summary>
    public Errno TakeError(TcpConnection* connection) => Errno.None;

    /// <summary>Sets an option. EINVAL.</summary>
    public Errno SetOption(TcpConnection* connection, TcpOption option, int value, ulong nowNs) => Errno.ENOSYS;

    /// <summary>An option as it stands, defaults filled in.</summary>
    public int GetOption(TcpConnection* connection, TcpOption option) => 0;

    /// <summary>The connection as it stands.</summary>
    public void Describe(TcpConnection* connection, ulong nowNs, out TcpInfo info) => info = default;

    /// <summary>The first of all connections and listeners, then each next one; null at the end. For /proc/net/tcp.</summary>
    public TcpConnection* Next(TcpConnection* previous) => null;

    /// <summary>A segment has arrived: the IP payload with TCP's header.</summary>
    public void OnSegment(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment, uint ecn, SegmentChecksum checksum, ulong nowNs)
    {
    }

    /// <summary>
    /// An ICMP error quotes a segment of ours, of which at least 8 bytes are there. What is hard ends a connection that is not established yet
    /// (RFC 9293, 3.9.2.2, with RFC 5927, 5); all else is kept for when the connection times out.
    /// </summary>
    public void OnIcmpError(IpAddress local, IpAddress remote, uint interfaceIndex, ReadOnlySpan<byte> quoted, Errno error, bool isHard, ulong nowNs)
    {
    }

    /// <summary>
    /// A packet was too big for the path, whose new MTU the host's PayloadLimit tells already: the segment is sent again in smaller ones at once.
    /// </summary>
    public void OnPacketTooBig(IpAddress local, IpAddress remote, uint interfaceIndex, ReadOnlySpan<byte> quoted, ulong nowNs)
    {
    }

    /// <summary>Does what is due.</summary>
    public void OnTime(ulong nowNs)
    {
    }

    /// <summary>Adds the counters, tcp.*.</summary>
    public void Report(ref StatisticsWriter writer)
    {
    }
}
