// What one may want to know of a connection (Linux's struct tcp_info, /proc/net/tcp), in this house's units. Sockets convert it.

namespace Lego.Kernel;

/// <summary>What a user asks for or waits for (poll(2)).</summary>
[System.Flags]
public enum TcpReadiness
{
    None = 0,

    /// <summary>A read finds bytes, the end of the stream or an error; an accept finds a connection.</summary>
    Readable = 1,

    /// <summary>A write finds room, or an error.</summary>
    Writable = 2,

    /// <summary>The peer sends no more.</summary>
    PeerClosed = 4,

    /// <summary>Both directions are closed.</summary>
    HungUp = 8,

    /// <summary>An error waits.</summary>
    Error = 16,

    /// <summary>An urgent byte waits.</summary>
    Urgent = 32,
}

/// <summary>
/// Options with a value (tcp(7), socket(7)). Those that are on or off are <see cref="TcpSocketFlags"/>, which need no call but NoDelay and
/// Cork.
/// </summary>
public enum TcpOption
{
    /// <summary>1 = send at once; 0 = Nagle's algorithm.</summary>
    NoDelay,

    /// <summary>1 = whole segments only; 0 sends what waits.</summary>
    Cork,

    /// <summary>1 = probes of an idle connection.</summary>
    KeepAlive,
    KeepIdleSeconds,
    KeepIntervalSeconds,
    KeepCount,

    /// <summary>Milliseconds that data may stay unacknowledged (RFC 5482); 0 = the default.</summary>
    UserTimeoutMs,

    /// <summary>TCP_MAXSEG, bytes.</summary>
    MaximumSegment,

    /// <summary>TCP_SYNCNT.</summary>
    SynCount,

    /// <summary>TCP_WINDOW_CLAMP, bytes.</summary>
    WindowClamp,

    /// <summary>TCP_LINGER2: seconds in FIN-WAIT-2 after close; negative = none.</summary>
    FinTimeoutSeconds,

    /// <summary>1 = acknowledge at once for a while.</summary>
    QuickAck,

    /// <summary>SO_SNDBUF, bytes; the buffer does not tune itself any more.</summary>
    SendBuffer,

    /// <summary>SO_RCVBUF, bytes; the buffer does not tune itself any more.</summary>
    ReceiveBuffer,

    /// <summary>A value of <see cref="TcpCongestion"/>.</summary>
    Congestion,
}

/// <summary>A connection as it stands. Times in nanoseconds, sizes in bytes.</summary>
public struct TcpInfo
{
    public TcpState State;
    public TcpRecovery Recovery;
    public bool HasTimestamps;
    public bool HasSack;
    public bool HasWindowScale;
    public bool HasEcn;
    public byte SendScale;
    public byte ReceiveScale;
    public int Retries;
    public int KeepAliveProbes;
    public int Backoff;
    public ulong RtoNs;
    public ulong SmoothedRttNs;
    public ulong RttVariationNs;
    public ulong MinimumRttNs;
    public uint SendMss;
    public uint ReceiveMss;
    public uint PathLimit;
    public uint Cwnd;
    public uint Ssthresh;
    public uint ReceiveWindow;
    public uint SendWindow;

    /// <summary>Bytes sent and not acknowledged, by what is known of them.</summary>
    public uint UnackedBytes;
    public uint SackedBytes;
    public uint LostBytes;
    public uint RetransmittedBytes;

    /// <summary>Bytes in the send buffer, acknowledged ones excluded, and those of them that were not sent yet.</summary>
    public uint SendQueueBytes;
    public uint NotSentBytes;

    /// <summary>Bytes that can be read; of a listener, connections that can be accepted.</summary>
    public uint ReceiveQueueBytes;
    public uint TotalRetransmits;
    public ulong BytesSent;
    public ulong BytesAcked;
    public ulong BytesReceived;
    public ulong BytesRetransmitted;
    public uint SegmentsSent;
    public uint SegmentsReceived;
    public ulong LastSentNs;
    /// <summary>A segment of any kind, and one with text.</summary>
    public ulong LastReceivedNs;
    public ulong LastTextReceivedNs;

    /// <summary>The round trip as the receiver of a stream sees it; 0: not known.</summary>
    public ulong ReceiveRttNs;
    public uint OutOfOrderReceived;

    /// <summary>
    /// The next time-out: what runs (/proc/net/tcp's tr: 0 none, 1 retransmission, 2 another, 3 TIME-WAIT, 4 window probe), and when.
    /// </summary>
    public int TimerKind;
    public ulong TimerNs;
}
