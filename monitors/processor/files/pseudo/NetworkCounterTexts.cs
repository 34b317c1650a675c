// /proc/net/snmp and /proc/net/netstat: the counters of IPv4 and of the protocols above it, in the lines of Linux's net/ipv4/proc.c, where
// each line of numbers follows one of their names. What this stack does not count is 0 (what it never does) or left out of netstat, whose
// readers go by the names. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Texts of the network's counters.</summary>
internal static unsafe class NetworkCounterTexts
{
    /// <summary>/proc/net/snmp.</summary>
    public static void Write(NetworkStack stack, ref TextBuffer text)
    {
        const ulong NotForwarding = 2;
        const ulong DefaultHops = 64;
        ref IpCounters ip = ref stack.Counters.Ipv4;
        text.Append("Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers "u8);
        text.Append("OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n"u8);
        Line("Ip:"u8, ref text, stackalloc ulong[]
        {
            NotForwarding, DefaultHops, ip.InReceives, ip.InHdrErrors, ip.InAddrErrors, 0, ip.InUnknownProtos, 0, ip.InDelivers,
            ip.OutRequests, ip.OutDiscards, ip.OutNoRoutes, ip.ReasmTimeout, ip.ReasmReqds, ip.ReasmOKs, ip.ReasmFails, ip.FragOKs,
            ip.FragFails, ip.FragCreates,
        });
        ref IcmpCounters icmp = ref stack.Counters.Icmpv4;
        text.Append("Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos "u8);
        text.Append("InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs "u8);
        text.Append("OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps "u8);
        text.Append("OutTimestampReps OutAddrMasks "u8);
        text.Append("OutAddrMaskReps\n"u8);
        Line("Icmp:"u8, ref text, stackalloc ulong[]
        {
            icmp.InMsgs, icmp.InErrors, icmp.InCsumErrors, icmp.InDestUnreachs, icmp.InTimeExcds, icmp.InParmProbs, 0, icmp.InRedirects,
            icmp.InEchos, icmp.InEchoReps, 0, 0, 0, 0, icmp.OutMsgs, icmp.OutErrors, icmp.OutDestUnreachs, icmp.OutTimeExcds,
            icmp.OutParmProbs, 0, 0, icmp.OutEchos, icmp.OutEchoReps, 0, 0, 0, 0,
        });
        Transport(stack, ref text);
    }

    /// <summary>/proc/net/netstat.</summary>
    public static void WriteMore(NetworkStack stack, ref TextBuffer text)
    {
        ref readonly TcpCounters tcp = ref stack.Tcp.Counters;
        text.Append("TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed TWRecycled PAWSEstab ListenOverflows ListenDrops "u8);
        text.Append("TCPTimeouts TCPLossProbes TCPSackRecovery TCPOFOQueue TCPOFODrop TCPChallengeACK "u8);
        text.Append("TCPACKSkippedChallenge TCPBacklogDrop\n"u8);
        Line("TcpExt:"u8, ref text, stackalloc ulong[]
        {
            tcp.CookiesSent, tcp.CookiesAccepted, tcp.CookiesRefused, tcp.TimeWaitRecycled, tcp.OldTimestamp, tcp.BacklogFull,
            tcp.BacklogFull, tcp.Timeouts, tcp.LossProbes, tcp.FastRecoveries, tcp.OutOfOrder, tcp.OutOfOrderDropped, tcp.ChallengeAcks,
            tcp.ChallengesSuppressed, tcp.NoMemory,
        });
        ref IpCounters ip = ref stack.Counters.Ipv4;
        text.Append("IpExt: InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts InOctets OutOctets ReasmOverlaps\n"u8);
        Line("IpExt:"u8, ref text, stackalloc ulong[]
        {
            ip.InTruncatedPkts, ip.InMcastPkts, ip.OutMcastPkts, ip.InBcastPkts, ip.InOctets, ip.OutOctets, ip.ReasmOverlaps,
        });
    }

    private static void Transport(NetworkStack stack, ref TextBuffer text)
    {
        // Van Jacobson's algorithm (RFC 4022), its bounds in milliseconds, and no bound of connections that is told.
        const ulong VanJacobson = 4;
        const ulong LeastMs = 200;
        const ulong MostMs = 120_000;
        ref readonly TcpCounters tcp = ref stack.Tcp.Counters;
        ulong established = 0;
        for (TcpConnection* connection = stack.Tcp.Next(null); connection != null; connection = stack.Tcp.Next(connection))
        {
            established += connection->State is TcpState.Established or TcpState.CloseWait ? 1UL : 0;
        }

        text.Append("Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs "u8);
        text.Append("OutSegs RetransSegs InErrs OutRsts InCsumErrors\nTcp:"u8);
        Numbers(ref text, stackalloc ulong[] { VanJacobson, LeastMs, MostMs });
        text.Append(" -1"u8);
        Line(default, ref text, stackalloc ulong[]
        {
            tcp.Opened, tcp.Accepted, 0, tcp.ResetsIn, established, tcp.SegmentsIn, tcp.SegmentsOut, tcp.Retransmits,
            tcp.Malformed + tcp.BadChecksum, tcp.ResetsOut, tcp.BadChecksum,
        });
        ref UdpCounters udp = ref stack.Counters.Udpv4;
        text.Append("Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n"u8);
        Line("Udp:"u8, ref text, stackalloc ulong[]
        {
            udp.InDatagrams, udp.NoPorts, udp.InErrors, udp.OutDatagrams, udp.RcvbufErrors, udp.SndbufErrors, udp.InCsumErrors,
            udp.IgnoredMulti, udp.MemErrors,
        });
    }

    private static void Line(scoped ReadOnlySpan<byte> name, ref TextBuffer text, scoped ReadOnlySpan<ulong> values)
    {
        text.Append(name);
        Numbers(ref text, values);
        text.Append((byte)'\n');
    }

    private static void Numbers(ref TextBuffer text, scoped ReadOnlySpan<ulong> values)
    {
        foreach (ulong value in values)
        {
            text.Append((byte)' ');
            text.AppendNumber(value);
        }
    }
}
