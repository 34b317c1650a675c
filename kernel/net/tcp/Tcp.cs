// The Transmission Control Protocol (RFC 9293): all connections of one vNode, and the rules. No clock, no device and no allocator of its
// own: every call that may send or arm a timer is told the time, segments come by OnSegment and go to the TcpHost, memory is the frames'
// and the account's. Nothing here blocks; results are Errno values and counts. Callers hold the kernel lock and do not call in from a
// TcpHost method.
//
//   Tcp.Calls.cs            what users do: connect, listen, accept, write, read, close
//   Tcp.Disconnect.cs       a socket begins anew
//   Tcp.Options.cs          options, readiness, what is shown
//   Tcp.Input.cs            a segment arrives: to whom, and RFC 9293's checks in their order (3.10.7)
//   Tcp.Handshake.cs        SYNs: LISTEN, SYN-SENT, SYN-RECEIVED
//   Tcp.Cookies.cs          SYN cookies
//   Tcp.Backlog.cs          a listener's connections that nobody has accepted
//   Tcp.Acknowledgments.cs  what an acknowledgment changes: window, round trip, losses, congestion
//   Tcp.Data.cs             the segment's text, urgent data and FIN; ranges out of order
//   Tcp.Window.cs           the receive window and buffer
//   Tcp.Output.cs           what to send, and segments
//   Tcp.Expiry.cs           timers
//   Tcp.Errors.cs           ICMP
//
// A connection that ends while a call works on it is marked dead and freed when the call returns.

using System;

namespace Lego.Kernel;

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

/// <summary>Whether connections use explicit congestion notification (Linux's tcp_ecn).</summary>
public enum TcpEcn
{
    Off,

    /// <summary>When the peer asks for it.</summary>
    Passive,

    /// <summary>Connections that begin here ask for it, too.</summary>
    Active,
}

/// <summary>TCP.</summary>
public sealed unsafe partial class Tcp
{
    private const ulong MillisecondNs = 1_000_000;
    private const ulong SecondNs = 1_000_000_000;

    /// <summary>What buffers begin with; they grow when they limit the throughput (Linux: tcp_rmem, tcp_wmem).</summary>
    private const uint InitialReceiveBytes = 65536;
    private const uint InitialSendBytes = 65536;

    /// <summary>A user's smallest buffer.</summary>
    private const uint MinimumBufferBytes = 2304;

    /// <summary>MSS of a peer that gives none (RFC 9293, 3.7.1), by version.</summary>
    private const uint DefaultMssV4 = 536;
    private const uint DefaultMssV6 = 1220;

    /// <summary>A peer cannot make us send smaller segments than Linux's tcp_min_snd_mss, 48: each costs a record.</summary>
    private const uint MinimumMss = 48;

    /// <summary>A segment's bytes lie in two frames at most.</summary>
    private const uint MaximumSegmentBytes = PageOperations.PageSize;

    /// <summary>Records of segments under way for each connection of the limit, on average.</summary>
    private const ulong SegmentsPerConnection = 64;

    private readonly Slab<TcpConnection> _connections;
    private readonly Slab<ReceivedRange> _ranges;
    private readonly TcpScoreboard _scoreboard;
    private readonly NetworkMemory _memory;
    private readonly TcpHost _host;
    private readonly TcpTable _table;
    private readonly TcpSecrets _secrets;
    private readonly TcpLimits _limits;
    private TcpTimers _timers;
    private TcpCounters _counters;
    private TcpConnection* _all;
    private TcpConnection* _dead;
    private TcpConnection* _abandonedFirst;
    private TcpConnection* _abandonedLast;
    private uint _timeWaitCount;

    /// <summary>Made at boot. The keys are random numbers that nobody else knows.</summary>
    public Tcp(FrameAllocator frames, NetworkMemory memory, TcpHost host, TcpLimits limits, ulong key0, ulong key1)
    {
        SipHash hash = new(key0, key1);
        _connections = new Slab<TcpConnection>(frames, (ulong)limits.Connections);
        _ranges = new Slab<ReceivedRange>(frames, (ulong)limits.Connections * SegmentsPerConnection);
        _scoreboard = new TcpScoreboard(frames, (ulong)limits.Connections * SegmentsPerConnection);
        _memory = memory;
        _host = host;
        _limits = limits;
        _limits.ReceiveBufferBytes = Math.Min(limits.ReceiveBufferBytes, StreamBuffer.MaximumBytes);
        _limits.SendBufferBytes = Math.Min(limits.SendBufferBytes, StreamBuffer.MaximumBytes);
        _table = new TcpTable(frames, limits.Connections, hash.Of(key1, key0), hash);
        _secrets = new TcpSecrets(hash);
        Ecn = TcpEcn.Passive;
    }

    /// <summary>Whether connections that begin from now on use ECN.</summary>
    public TcpEcn Ecn { get; set; }

    /// <summary>Connections and listeners there are, TIME-WAIT included.</summary>
    public ulong ConnectionsInUse => _connections.InUse;

    /// <summary>Segments of which records are kept.</summary>
    public ulong SegmentsInUse => _scoreboard.InUse;

    /// <summary>
    /// A connection in state CLOSED, bound to nothing; null when there are too many. <paramref name="any"/>: 0.0.0.0 or ::, by the socket's
    /// family.
    /// </summary>
    public TcpConnection* Create(IpAddress any)
    {
        TcpConnection* connection = _connections.Allocate();
        if (connection == null && RecycleTimeWait())
        {
            connection = _connections.Allocate();
        }

        if (connection == null)
        {
            _counters.RefusedConnections++;
            return null;
        }

        connection->Local = new SocketAddress(any, 0);
        connection->LocalAsNamed = connection->Local;
        connection->Remote = new SocketAddress(any, 0);
        connection->State = TcpState.Closed;
        connection->HopLimit = OutgoingPacket.DefaultHopLimit;
        connection->ReceiveLimit = Math.Min(InitialReceiveBytes, _limits.ReceiveBufferBytes);
        connection->SendLimit = Math.Min(InitialSendBytes, _limits.SendBufferBytes);
        connection->AllNext = _all;
        if (_all != null)
        {
            _all->AllPrevious = connection;
        }

        _all = connection;
        return connection;
    }

    /// <summary>The first of all connections and listeners, then each next one; null at the end. For /proc/net/tcp.</summary>
    public TcpConnection* Next(TcpConnection* previous) => previous == null ? _all : previous->AllNext;

    /// <summary>What has happened.</summary>
    public ref readonly TcpCounters Counters => ref _counters;

    /// <summary>Adds the counters, tcp.*.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        _counters.Report(ref writer);
        writer.Add("tcp.connections"u8, _connections.InUse);
        writer.Add("tcp.time_wait"u8, _timeWaitCount);
        writer.Add("tcp.segments_under_way"u8, _scoreboard.InUse);
        writer.Add("tcp.ranges_out_of_order"u8, _ranges.InUse);
    }

    /// <summary>Has OnTime look at the connection no later than then.</summary>
    private void Arm(TcpConnection* connection, ulong dueNs) => _timers.Arm(connection, dueNs);

    /// <summary>
    /// The connection is over: state CLOSED (RFC 9293, figure 5). Bytes that arrived can still be read; the error is what the next call
    /// returns.
    /// </summary>
    private void Finish(TcpConnection* connection, Errno error)
    {
        if (connection->State == TcpState.Closed)
        {
            return;
        }

        bool wasHalfOpen = connection->State == TcpState.SynReceived && connection->Listener != null;
        Leave(connection);
        connection->State = TcpState.Closed;
        connection->Error = error;
        connection->Facts |= TcpFacts.Failed;
        if (wasHalfOpen)
        {
            RemoveHalfOpen(connection);
            Free(connection);
        }
        else if ((connection->Facts & TcpFacts.Orphaned) != 0)
        {
            Free(connection);
        }
        else if (connection->Listener == null)
        {
            _host.Changed(connection);
        }
    }

    /// <summary>Takes the connection out of tables and timers, and gives back what it needs no more.</summary>
    private void Leave(TcpConnection* connection)
    {
        if (connection->State == TcpState.TimeWait)
        {
            _timeWaitCount--;
            RemoveAbandoned(connection);
        }

        StopTimers(connection);
        _timers.Remove(connection);
        _table.Remove(connection);
        // A port that was asked for stays the socket's own until it is closed.
        if ((connection->Facts & (TcpFacts.PortNamed | TcpFacts.Orphaned)) != TcpFacts.PortNamed)
        {
            _table.Release(connection);
        }

        _scoreboard.Clear(connection);
        if (connection->Ranges != null)
        {
            DropOutOfOrder(connection);
        }

        connection->SendBuffer.Clear(_memory);
    }

    /// <summary>Gives the connection back when the current call is over. It is CLOSED.</summary>
    private void Free(TcpConnection* connection)
    {
        if ((connection->Facts & TcpFacts.Dead) != 0)
        {
            return;
        }

        connection->Facts |= TcpFacts.Dead;
        connection->ReceiveBuffer.Clear(_memory);
        if (connection->AllPrevious != null)
        {
            connection->AllPrevious->AllNext = connection->AllNext;
        }
        else
        {
            _all = connection->AllNext;
        }

        if (connection->AllNext != null)
        {
            connection->AllNext->AllPrevious = connection->AllPrevious;
        }

        connection->HashNext = _dead;
        _dead = connection;
    }

    /// <summary>Every public call that may end a connection ends with this.</summary>
    private void Bury()
    {
        while (_dead != null)
        {
            TcpConnection* connection = _dead;
            _dead = connection->HashNext;
            _connections.Free(connection);
        }
    }

    /// <summary>Too many connections: of those in TIME-WAIT that no user has, the one that has waited longest gives way.</summary>
    private bool RecycleTimeWait()
    {
        if (_abandonedFirst == null)
        {
            return false;
        }

        _counters.TimeWaitRecycled++;
        Finish(_abandonedFirst, Errno.None);
        Bury();
        return true;
    }

    /// <summary>A connection in TIME-WAIT that no user has, linked by ChildNext and ChildPrevious: the last that gives way.</summary>
    private void AddAbandoned(TcpConnection* connection)
    {
        RemoveAbandoned(connection);
        connection->ChildPrevious = _abandonedLast;
        if (_abandonedLast != null)
        {
            _abandonedLast->ChildNext = connection;
        }
        else
        {
            _abandonedFirst = connection;
        }

        _abandonedLast = connection;
    }

    /// <summary>Takes a connection in TIME-WAIT out of the queue, if it is in.</summary>
    private void RemoveAbandoned(TcpConnection* connection)
    {
        if (connection->ChildPrevious != null)
        {
            connection->ChildPrevious->ChildNext = connection->ChildNext;
        }
        else if (_abandonedFirst == connection)
        {
            _abandonedFirst = connection->ChildNext;
        }
        else
        {
            return;
        }

        if (connection->ChildNext != null)
        {
            connection->ChildNext->ChildPrevious = connection->ChildPrevious;
        }
        else
        {
            _abandonedLast = connection->ChildPrevious;
        }

        connection->ChildNext = null;
        connection->ChildPrevious = null;
    }
}
