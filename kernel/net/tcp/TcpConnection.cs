// All that TCP knows of one connection or listener: RFC 9293's transmission control block (3.3.1), with its variables by their names. Lives
// in the slab of its Tcp, which alone changes it; others read. Times are nanoseconds of the caller's clock, 0 = never or off.
//
// Sequence space of the sender:   SndUna <= (SentFirst ... SentLast: one record per segment under way) <= SndNxt <= first unsent byte
// The send buffer begins with the first unacknowledged byte of data; SYN and FIN take sequence numbers and no byte of it.
// The receive buffer begins with the first byte that nobody has read; what arrived out of order lies behind RcvNxt, at its place.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>What is set or has happened once and for all; see also <see cref="TcpSocketFlags"/>.</summary>
[System.Flags]
internal enum TcpFacts : uint
{
    None = 0,

    /// <summary>The user is gone (close); the connection frees itself when it is CLOSED.</summary>
    Orphaned = 1 << 0,

    /// <summary>The user sends no more: a FIN follows the last byte of the send buffer.</summary>
    WriteClosed = 1 << 1,

    /// <summary>The user reads no more.</summary>
    ReadClosed = 1 << 2,

    /// <summary>The FIN has got its sequence number, the last one before SndNxt.</summary>
    FinSent = 1 << 3,

    /// <summary>The peer's FIN has been taken in order.</summary>
    FinReceived = 1 << 4,

    /// <summary>The connection began with a SYN of the peer (RFC 9293, 3.10.7.4: a reset takes it back to LISTEN).</summary>
    Passive = 1 << 5,

    /// <summary>Both ends offered selective acknowledgments.</summary>
    Sack = 1 << 6,

    /// <summary>Both ends send timestamps.</summary>
    Timestamps = 1 << 7,

    /// <summary>Both ends scale windows.</summary>
    WindowScale = 1 << 8,

    /// <summary>Both ends use ECN.</summary>
    Ecn = 1 << 9,

    /// <summary>A packet came with congestion experienced; acknowledgments say ECE until the peer answers CWR (RFC 3168, 6.1.3).</summary>
    EcnEcho = 1 << 10,

    /// <summary>The next new data say CWR.</summary>
    EcnReduced = 1 << 11,

    /// <summary>RcvUp counts: there are urgent data that were not passed yet.</summary>
    UrgentReceived = 1 << 12,

    /// <summary>SndUp counts: there are urgent data under way.</summary>
    UrgentSent = 1 << 13,

    /// <summary>The urgent byte was taken out of the stream and waits to be read.</summary>
    UrgentByteReady = 1 << 14,

    /// <summary>An acknowledgment must be sent before the current call ends.</summary>
    AckNow = 1 << 15,

    /// <summary>In its table of four-tuples.</summary>
    Hashed = 1 << 16,

    /// <summary>The port was asked for by bind or listen.</summary>
    Bound = 1 << 17,

    /// <summary>The user has named the port, which stays the socket's own until it is closed (SOCK_BINDPORT_LOCK).</summary>
    PortNamed = 1 << 18,

    /// <summary>Connect has been refused or was never finished; only the error is left.</summary>
    Failed = 1 << 19,

    /// <summary>
    /// The user has written since the peer's latest data: an interactive exchange, in which acknowledgments wait for data to ride on.
    /// </summary>
    Interactive = 1 << 20,

    /// <summary>A tail loss probe is under way (RFC 8985, 7).</summary>
    ProbeSent = 1 << 21,

    /// <summary>The tail loss probe sent a byte twice.</summary>
    ProbeRetransmitted = 1 << 22,

    /// <summary>Reordering has been seen (RFC 8985, RACK.reordering_seen).</summary>
    ReorderingSeen = 1 << 23,

    /// <summary>Freed at the end of the current call.</summary>
    Dead = 1 << 24,

    /// <summary>The receive buffer's size was set by the user and does not tune itself.</summary>
    ReceiveBufferFixed = 1 << 25,

    /// <summary>The send buffer's size was set by the user and does not tune itself.</summary>
    SendBufferFixed = 1 << 26,

    /// <summary>Waits in its listener's queue for accept.</summary>
    AcceptQueued = 1 << 27,

    /// <summary>The peer's FIN has been seen, perhaps out of order; PeerFin is its sequence number.</summary>
    FinSeen = 1 << 28,

    /// <summary>The latest write said that more follows.</summary>
    MoreFollows = 1 << 29,

    /// <summary>It was established once.</summary>
    WasEstablished = 1 << 30,

    /// <summary>The urgent byte that RcvUp names has been taken.</summary>
    UrgentTaken = 1u << 31,
}

/// <summary>Options that a user turns on and off.</summary>
[System.Flags]
public enum TcpSocketFlags : uint
{
    None = 0,
    NoDelay = 1 << 0,
    Cork = 1 << 1,
    KeepAlive = 1 << 2,
    ReuseAddress = 1 << 3,
    ReusePort = 1 << 4,
    OutOfBandInline = 1 << 5,

    /// <summary>A socket of AF_INET6 that takes no IPv4 connections.</summary>
    V6Only = 1 << 6,
}

/// <summary>Where loss recovery stands.</summary>
public enum TcpRecovery : byte
{
    /// <summary>Nothing is believed lost.</summary>
    Open,

    /// <summary>Fast recovery (RFC 6675, RFC 6582, RFC 8985).</summary>
    Fast,

    /// <summary>After a retransmission timeout.</summary>
    Loss,
}

/// <summary>The congestion controllers that there are.</summary>
public enum TcpCongestion : byte
{
    Cubic,
    NewReno,
}

/// <summary>A connection, or a listener.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct TcpConnection
{
    /// <summary>The user's, who sets it after Create and Accept. 0 = none.</summary>
    public nint Owner;

    /// <summary>This end. The address is :: or 0.0.0.0 until it is bound or connected.</summary>
    public SocketAddress Local;

    /// <summary>The other end; port 0 = none yet.</summary>
    public SocketAddress Remote;

    /// <summary>What Local was before connect named it: what it is again when the connection is never made.</summary>
    internal SocketAddress LocalAsNamed;

    /// <summary>It has a port, which Local names.</summary>
    public readonly bool HasPort => Port != null;

    public TcpState State;
    public TcpRecovery Recovery;
    public TcpCongestion Congestion;

    /// <summary>The error that the next call returns (SO_ERROR); see <see cref="Tcp.TakeError"/>.</summary>
    public Errno Error;

    /// <summary>The latest ICMP error that did not end the connection; a time-out returns it (RFC 9293, 3.9.2.2).</summary>
    public Errno SoftError;

    internal TcpFacts Facts;
    public TcpSocketFlags Flags;

    // Sender (RFC 9293, figure 2).
    public uint Iss;
    public uint SndUna;
    public uint SndNxt;
    public uint SndWnd;
    public uint SndWl1;
    public uint SndWl2;
    public uint SndUp;

    /// <summary>The largest window that the peer ever offered (RFC 9293, 3.8.6.2.1; RFC 5961, 5).</summary>
    public uint MaxSndWnd;

    /// <summary>Bytes of data that one segment to the peer carries at most: Eff.snd.MSS, options deducted.</summary>
    public uint SndMss;

    /// <summary>The peer's MSS option, or the default.</summary>
    public uint PeerMss;

    /// <summary>The path's limit, from the host.</summary>
    public uint PathLimit;

    public byte SndScale;
    public byte RcvScale;

    // Receiver (RFC 9293, figure 3).
    public uint Irs;
    public uint RcvNxt;
    public uint RcvUp;

    /// <summary>RCV.NXT + RCV.WND as announced: the right edge, which never moves back.</summary>
    public uint RcvAdv;

    /// <summary>The acknowledgment number of the latest segment sent (RFC 7323's Last.ACK.sent).</summary>
    public uint LastAckSent;

    /// <summary>Bytes of data in the latest full segments: the peer's segment size as seen (RFC 5681, 4.2).</summary>
    public uint RcvMss;

    /// <summary>The sequence number of the peer's FIN, when it has been seen.</summary>
    internal uint PeerFin;

    internal StreamBuffer SendBuffer;
    internal StreamBuffer ReceiveBuffer;

    /// <summary>Bytes that the send buffer may hold.</summary>
    public uint SendLimit;

    /// <summary>Bytes that the receive buffer may hold: the largest window.</summary>
    public uint ReceiveLimit;

    internal ReceivedRange* Ranges;

    /// <summary>A number in the range that changed last, which is told first (RFC 2018, 4).</summary>
    internal uint LatestRange;
    internal int RangeCount;

    /// <summary>A duplicate to be told (RFC 2883); empty when equal.</summary>
    internal SackBlock Duplicate;

    // Segments under way.
    internal SentSegment* SentFirst;
    internal SentSegment* SentLast;

    /// <summary>No segment before it is lost; null = look from the first.</summary>
    internal SentSegment* LostHint;

    /// <summary>The end of the latest segment that was not full (Minshall's Nagle).</summary>
    internal uint SmallEnd;

    /// <summary>Bytes of the records that are marked; together with SndNxt - SndUna they give the pipe (TcpScoreboard.cs).</summary>
    internal uint SackedBytes;
    internal uint LostBytes;
    internal uint RetransmittedBytes;
    internal uint SackedSegments;

    /// <summary>Duplicate acknowledgments in a row, for a peer without SACK.</summary>
    internal uint DuplicateAcks;

    /// <summary>Recovery ends when this is acknowledged (RFC 6582's recover).</summary>
    internal uint RecoveryPoint;

    // Congestion (bytes).
    public uint Cwnd;
    public uint Ssthresh;
    internal CubicState Cubic;
    internal uint AckedBytes;

    /// <summary>Window reductions by ECE happen once per window of data (RFC 3168, 6.1.2).</summary>
    internal uint EcnPoint;

    // Round-trip time (RFC 6298).
    public ulong SmoothedRttNs;
    public ulong RttVariationNs;
    public ulong MinimumRttNs;
    internal ulong MinimumRttTakenNs;
    public ulong RtoNs;
    internal int Backoff;

    // RACK-TLP (RFC 8985).
    internal ulong RackSentNs;
    internal ulong RackRttNs;
    internal uint RackEnd;
    internal uint RackForward;
    internal uint RackWindowSteps;
    internal uint RackDuplicateRound;
    internal int RackPersist;
    internal uint ProbeEnd;

    // Timestamps (RFC 7323).
    internal uint TimestampOffset;
    internal uint TsRecent;
    internal ulong TsRecentNs;

    // Timers.
    internal ulong TimeoutDueNs;
    internal ulong LossProbeDueNs;
    internal ulong ReorderDueNs;
    internal ulong PersistDueNs;
    internal ulong RetryDueNs;
    internal ulong DelayedAckDueNs;
    internal ulong KeepAliveDueNs;

    /// <summary>The end of TIME-WAIT, or of FIN-WAIT-2 after close.</summary>
    internal ulong LifetimeDueNs;
    internal TimerNode Timer;

    internal int Retries;
    internal int KeepAliveProbes;
    internal ulong FirstUnackedNs;
    internal ulong LastReceivedNs;
    internal ulong LastTextReceivedNs;
    internal ulong LastDataSentNs;
    internal ulong LastChallengeNs;
    internal uint UnackedBytes;
    internal uint QuickAcks;
    internal byte UrgentByte;

    // Receive buffer tuning: what the user reads in one round trip.
    internal ulong TuneStartNs;
    internal uint TuneReadBytes;
    internal ulong ReceiveRttNs;
    internal ulong ReceiveRttStartNs;
    internal uint ReceiveRttEdge;

    // Settings (0 = the default).
    public uint KeepIdleSeconds;
    public uint KeepIntervalSeconds;
    public uint KeepCount;
    public uint UserTimeoutMs;
    public uint UserMss;
    public uint SynCount;
    public uint WindowClamp;
    public int FinTimeoutSeconds;

    /// <summary>SO_ATTACH_FILTER; the owner's. Null: none, or its listener's.</summary>
    public PacketFilter* Filter;

    /// <summary>IP_TTL, IPV6_UNICAST_HOPS of its packets; -1 = the default.</summary>
    public short HopLimit;

    /// <summary>IP_TOS, IPV6_TCLASS of its packets, without the two bits of ECN.</summary>
    public byte TrafficClass;
    public int BacklogLimit;

    // Counters of TCP_INFO.
    public ulong BytesSent;
    public ulong BytesAcked;
    public ulong BytesReceived;
    public ulong BytesRetransmitted;
    public uint SegmentsSent;
    public uint SegmentsReceived;
    public uint TotalRetransmits;
    public uint DuplicatesReceived;
    public uint OutOfOrderReceived;

    // Listener and its children.
    internal TcpConnection* Listener;
    internal TcpConnection* HalfOpenFirst;
    internal TcpConnection* AcceptFirst;
    internal TcpConnection* AcceptLast;
    internal ulong LastCookieNs;
    internal TcpConnection* ChildNext;
    internal TcpConnection* ChildPrevious;
    public int HalfOpenCount;
    public int AcceptCount;

    // Links of tables.
    internal TcpConnection* HashNext;
    internal TcpConnection* PortNext;
    internal TcpConnection* PortPrevious;
    internal TcpConnection* ListenNext;
    internal TcpPort* Port;
    internal TcpConnection* AllNext;
    internal TcpConnection* AllPrevious;
}
