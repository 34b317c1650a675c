// Options of TCP sockets (tcp(7)) and struct tcp_info.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class InternetSockets
{
    private const int InfoOption = 11;
    private const int CongestionName = 13;
    private const int DeferAccept = 9;
    private const int FastOpen = 23;
    private const uint MicrosecondsOfNs = 1000;
    private const uint MillisecondsOfNs = 1_000_000;

    /// <summary>
    /// struct tcp_info as Linux 6.1 has it (include/uapi/linux/tcp.h); programs take as much as they know. What this TCP keeps no
    /// account of (rates, limits, deliveries) is 0, as Linux says of what it has not measured.
    /// </summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LinuxTcpInfo
    {
        internal byte State;
        internal byte CongestionState;
        internal byte Retransmits;
        internal byte Probes;
        internal byte Backoff;
        internal byte Options;
        internal byte Scales;
        internal byte Padding;
        internal uint Rto;
        internal uint AckTimeout;
        internal uint SendMss;
        internal uint ReceiveMss;
        internal uint Unacked;
        internal uint Sacked;
        internal uint Lost;
        internal uint Retransmitted;
        internal uint ForwardAcks;
        internal uint LastDataSent;
        internal uint LastAckSent;
        internal uint LastDataReceived;
        internal uint LastAckReceived;
        internal uint PathMtu;
        internal uint ReceiveThreshold;
        internal uint Rtt;
        internal uint RttVariation;
        internal uint SendThreshold;
        internal uint SendWindow;
        internal uint AdvertisedMss;
        internal uint Reordering;
        internal uint ReceiveRtt;
        internal uint ReceiveSpace;
        internal uint TotalRetransmits;
        internal ulong PacingRate;
        internal ulong MaxPacingRate;
        internal ulong BytesAcked;
        internal ulong BytesReceived;
        internal uint SegmentsOut;
        internal uint SegmentsIn;
        internal uint NotSentBytes;
        internal uint MinimumRtt;
        internal uint DataSegmentsIn;
        internal uint DataSegmentsOut;
        internal ulong DeliveryRate;
        internal ulong BusyTime;
        internal ulong WindowLimitedTime;
        internal ulong BufferLimitedTime;
        internal uint Delivered;
        internal uint DeliveredMarked;
        internal ulong BytesSent;
        internal ulong BytesRetransmitted;
        internal uint DuplicatesTold;
        internal uint ReorderingSeen;
        internal uint OutOfOrderPackets;
        internal uint PeerWindow;
    }

    private Errno SetTcpOption(Socket* socket, int option, int number, ReadOnlySpan<byte> value)
    {
        switch (option)
        {
            case CongestionName:
                int end = value.IndexOf((byte)0);
                value = end < 0 ? value : value.Slice(0, end);
                return value.SequenceEqual("cubic"u8) ? SetTcp(socket, TcpOption.Congestion, (int)TcpCongestion.Cubic)
                    : value.SequenceEqual("reno"u8) ? SetTcp(socket, TcpOption.Congestion, (int)TcpCongestion.NewReno)
                    : Errno.ENOENT;
            case DeferAccept:
                // Only a hint of when accept should return; it returns as soon as there is a connection.
                return Errno.None;
            case FastOpen:
                return Errno.EOPNOTSUPP;
            default:
                return TryTcpOption(option, out TcpOption kept) ? SetTcp(socket, kept, number) : Errno.ENOPROTOOPT;
        }
    }

    private Errno SetTcp(Socket* socket, TcpOption option, int number)
    {
        Errno error = Stack.Tcp.SetOption(socket->Tcp, option, number, network.Now());
        network.Settle();
        return error;
    }

    private Errno GetCongestion(Socket* socket, Span<byte> value, out int lengthBytes)
    {
        const int NameBytes = 16;
        lengthBytes = Math.Min(value.Length, NameBytes);
        value.Slice(0, lengthBytes).Clear();
        bool isCubic = Stack.Tcp.GetOption(socket->Tcp, TcpOption.Congestion) == (int)TcpCongestion.Cubic;
        ReadOnlySpan<byte> name = isCubic ? "cubic"u8 : "reno"u8;
        name.Slice(0, Math.Min(name.Length, lengthBytes)).CopyTo(value);
        return Errno.None;
    }

    /// <summary>What sock_diag(7) is asked about a connection beyond its names: INET_DIAG_INFO and INET_DIAG_CONG, by their bits.</summary>
    internal void Describe(Socket* socket, uint extensions, ref NetlinkWriter to)
    {
        const ushort Information = 2;
        const ushort Congestion = 4;
        const int MostBytes = 256;
        Span<byte> value = stackalloc byte[MostBytes];
        if ((extensions & (1u << (Information - 1))) != 0 && GetTcpInfo(socket, value, out int length) == Errno.None)
        {
            to.Add(Information, value.Slice(0, length));
        }

        if ((extensions & (1u << (Congestion - 1))) != 0 && GetCongestion(socket, value, out length) == Errno.None)
        {
            int end = value.IndexOf((byte)0);
            to.Add(Congestion, value.Slice(0, end + 1));
        }
    }

    private Errno GetTcpInfo(Socket* socket, Span<byte> value, out int lengthBytes)
    {
        ulong now = network.Now();
        Stack.Tcp.Describe(socket->Tcp, now, out TcpInfo info);
        uint mss = Math.Max(info.SendMss, 1);
        LinuxTcpInfo told = new()
        {
            State = LinuxStateOf(info.State),
            CongestionState = info.Recovery switch { TcpRecovery.Open => 0, TcpRecovery.Fast => 3, _ => 4 },
            Retransmits = (byte)info.Retries,
            Probes = (byte)info.KeepAliveProbes,
            Backoff = (byte)info.Backoff,
            Options = (byte)((info.HasTimestamps ? 1 : 0) | (info.HasSack ? 2 : 0) | (info.HasWindowScale ? 4 : 0) | (info.HasEcn ? 8 : 0)),
            Scales = (byte)(info.SendScale | (info.ReceiveScale << 4)),
            Rto = (uint)(info.RtoNs / MicrosecondsOfNs),
            SendMss = info.SendMss,
            ReceiveMss = info.ReceiveMss,
            Unacked = (info.UnackedBytes + mss - 1) / mss,
            Sacked = info.SackedBytes / mss,
            Lost = info.LostBytes / mss,
            Retransmitted = info.RetransmittedBytes / mss,
            LastDataSent = MillisecondsSince(info.LastSentNs, now),
            LastDataReceived = MillisecondsSince(info.LastTextReceivedNs == 0 ? info.LastReceivedNs : info.LastTextReceivedNs, now),
            // Every segment acknowledges something from the first answer on.
            LastAckReceived = MillisecondsSince(info.LastReceivedNs, now),
            PathMtu = info.PathLimit,
            Rtt = (uint)(info.SmoothedRttNs / MicrosecondsOfNs),
            RttVariation = (uint)(info.RttVariationNs / MicrosecondsOfNs),
            SendThreshold = info.Ssthresh / mss,
            SendWindow = info.Cwnd / mss,
            AdvertisedMss = info.ReceiveMss,
            ReceiveRtt = (uint)(info.ReceiveRttNs / MicrosecondsOfNs),
            ReceiveSpace = info.ReceiveWindow,
            TotalRetransmits = info.TotalRetransmits,
            BytesAcked = info.BytesAcked,
            BytesReceived = info.BytesReceived,
            SegmentsOut = info.SegmentsSent,
            SegmentsIn = info.SegmentsReceived,
            NotSentBytes = info.NotSentBytes,
            MinimumRtt = (uint)(info.MinimumRttNs / MicrosecondsOfNs),
            BytesSent = info.BytesSent + info.BytesRetransmitted,
            BytesRetransmitted = info.BytesRetransmitted,
            OutOfOrderPackets = info.OutOfOrderReceived,
            PeerWindow = info.SendWindow,
        };
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<LinuxTcpInfo>(in told));
        lengthBytes = Math.Min(bytes.Length, value.Length);
        bytes.Slice(0, lengthBytes).CopyTo(value);
        return Errno.None;
    }

    private static uint MillisecondsSince(ulong whenNs, ulong now) => whenNs == 0 ? 0 : (uint)((now - whenNs) / MillisecondsOfNs);

    /// <summary>The number of a state in tcp_info and /proc/net/tcp (include/net/tcp_states.h).</summary>
    internal static byte LinuxStateOf(TcpState state) => state switch
    {
        TcpState.Established => 1,
        TcpState.SynSent => 2,
        TcpState.SynReceived => 3,
        TcpState.FinWait1 => 4,
        TcpState.FinWait2 => 5,
        TcpState.TimeWait => 6,
        TcpState.Closed => 7,
        TcpState.CloseWait => 8,
        TcpState.LastAck => 9,
        TcpState.Listen => 10,
        _ => 11,
    };
}
