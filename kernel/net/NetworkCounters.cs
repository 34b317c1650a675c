// What the stack counts, by the names of RFC 4293, RFC 4113 and /proc/net/snmp, snmp6 and netstat. Nothing is dropped without being
// counted.

using System;

namespace Lego.Kernel;

/// <summary>The counters of one stack.</summary>
public sealed class NetworkCounters
{
    public IpCounters Ipv4;
    public IpCounters Ipv6;
    public IcmpCounters Icmpv4;
    public IcmpCounters Icmpv6;
    public UdpCounters Udpv4;
    public UdpCounters Udpv6;
    public NeighbourCounters Neighbours;

    /// <summary>Frames that are no Ethernet, or of a protocol that nobody takes.</summary>
    public ulong FramesIgnored;

    /// <summary>Packets for the loopback interface that its queue had no room for.</summary>
    public ulong LoopbackDrops;

    /// <summary>Adds the counters, net.*.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        Ipv4.Report(ref writer, "net.ip."u8);
        Ipv6.Report(ref writer, "net.ip6."u8);
        Icmpv4.Report(ref writer, "net.icmp."u8);
        Icmpv6.Report(ref writer, "net.icmp6."u8);
        Udpv4.Report(ref writer, "net.udp."u8);
        Udpv6.Report(ref writer, "net.udp6."u8);
        Neighbours.Report(ref writer, "net.neighbours."u8);
        writer.Add("net.frames_ignored"u8, FramesIgnored);
        writer.Add("net.loopback_drops"u8, LoopbackDrops);
    }

    public ref IpCounters Ip(bool isV4)
    {
        if (isV4)
        {
            return ref Ipv4;
        }

        return ref Ipv6;
    }

    public ref IcmpCounters Icmp(bool isV4)
    {
        if (isV4)
        {
            return ref Icmpv4;
        }

        return ref Icmpv6;
    }

    public ref UdpCounters Udp(bool isV4)
    {
        if (isV4)
        {
            return ref Udpv4;
        }

        return ref Udpv6;
    }
}

/// <summary>Ip: and Ip6 of the tables.</summary>
public struct IpCounters
{
    public ulong InReceives;
    public ulong InHdrErrors;
    public ulong InTruncatedPkts;
    public ulong InAddrErrors;
    public ulong InUnknownProtos;
    public ulong InDelivers;
    public ulong OutRequests;
    public ulong OutDiscards;
    public ulong OutNoRoutes;
    public ulong ReasmTimeout;
    public ulong ReasmReqds;
    public ulong ReasmOKs;
    public ulong ReasmFails;
    public ulong ReasmOverlaps;
    public ulong FragOKs;
    public ulong FragFails;
    public ulong FragCreates;
    public ulong InMcastPkts;
    public ulong OutMcastPkts;
    public ulong InBcastPkts;
    public ulong InOctets;
    public ulong OutOctets;

    internal readonly void Report(ref StatisticsWriter writer, ReadOnlySpan<byte> prefix)
    {
        writer.Add(prefix, "InReceives"u8, InReceives);
        writer.Add(prefix, "InHdrErrors"u8, InHdrErrors);
        writer.Add(prefix, "InTruncatedPkts"u8, InTruncatedPkts);
        writer.Add(prefix, "InAddrErrors"u8, InAddrErrors);
        writer.Add(prefix, "InUnknownProtos"u8, InUnknownProtos);
        writer.Add(prefix, "InDelivers"u8, InDelivers);
        writer.Add(prefix, "OutRequests"u8, OutRequests);
        writer.Add(prefix, "OutDiscards"u8, OutDiscards);
        writer.Add(prefix, "OutNoRoutes"u8, OutNoRoutes);
        writer.Add(prefix, "ReasmTimeout"u8, ReasmTimeout);
        writer.Add(prefix, "ReasmReqds"u8, ReasmReqds);
        writer.Add(prefix, "ReasmOKs"u8, ReasmOKs);
        writer.Add(prefix, "ReasmFails"u8, ReasmFails);
        writer.Add(prefix, "ReasmOverlaps"u8, ReasmOverlaps);
        writer.Add(prefix, "FragOKs"u8, FragOKs);
        writer.Add(prefix, "FragFails"u8, FragFails);
    }
}

/// <summary>Icmp: and Icmp6 of the tables, with one counter for each type that the tables have.</summary>
public struct IcmpCounters
{
    public ulong InMsgs;
    public ulong InErrors;
    public ulong InCsumErrors;
    public ulong OutMsgs;
    public ulong OutErrors;
    public ulong OutRateLimitGlobal;
    public ulong InDestUnreachs;
    public ulong InTimeExcds;
    public ulong InParmProbs;
    public ulong InPktTooBigs;
    public ulong InRedirects;
    public ulong InEchos;
    public ulong InEchoReps;
    public ulong InRouterAdvertisements;
    public ulong InNeighborSolicits;
    public ulong InNeighborAdvertisements;
    public ulong InGroupMembQueries;
    public ulong InGroupMembReports;
    public ulong OutDestUnreachs;
    public ulong OutTimeExcds;
    public ulong OutParmProbs;
    public ulong OutEchos;
    public ulong OutEchoReps;
    public ulong OutRouterSolicits;
    public ulong OutNeighborSolicits;
    public ulong OutNeighborAdvertisements;
    public ulong OutGroupMembReports;

    internal readonly void Report(ref StatisticsWriter writer, ReadOnlySpan<byte> prefix)
    {
        writer.Add(prefix, "InMsgs"u8, InMsgs);
        writer.Add(prefix, "InErrors"u8, InErrors);
        writer.Add(prefix, "InCsumErrors"u8, InCsumErrors);
        writer.Add(prefix, "OutMsgs"u8, OutMsgs);
        writer.Add(prefix, "OutErrors"u8, OutErrors);
        writer.Add(prefix, "OutRateLimitGlobal"u8, OutRateLimitGlobal);
    }
}

/// <summary>Udp: and Udp6 of the tables.</summary>
public struct UdpCounters
{
    public ulong InDatagrams;
    public ulong NoPorts;
    public ulong InErrors;
    public ulong OutDatagrams;
    public ulong RcvbufErrors;
    public ulong SndbufErrors;
    public ulong InCsumErrors;
    public ulong IgnoredMulti;
    public ulong MemErrors;

    internal readonly void Report(ref StatisticsWriter writer, ReadOnlySpan<byte> prefix)
    {
        writer.Add(prefix, "InDatagrams"u8, InDatagrams);
        writer.Add(prefix, "NoPorts"u8, NoPorts);
        writer.Add(prefix, "InErrors"u8, InErrors);
        writer.Add(prefix, "OutDatagrams"u8, OutDatagrams);
        writer.Add(prefix, "RcvbufErrors"u8, RcvbufErrors);
        writer.Add(prefix, "SndbufErrors"u8, SndbufErrors);
        writer.Add(prefix, "InCsumErrors"u8, InCsumErrors);
        writer.Add(prefix, "MemErrors"u8, MemErrors);
    }
}

/// <summary>What the neighbour cache did (the columns of /proc/net/stat/arp_cache, both versions together).</summary>
public struct NeighbourCounters
{
    public ulong Allocs;
    public ulong Lookups;
    public ulong Hits;
    public ulong ResFailed;
    public ulong ForcedGcRuns;
    public ulong TableFulls;
    public ulong UnresolvedDiscards;

    internal readonly void Report(ref StatisticsWriter writer, ReadOnlySpan<byte> prefix)
    {
        writer.Add(prefix, "Allocs"u8, Allocs);
        writer.Add(prefix, "ResFailed"u8, ResFailed);
        writer.Add(prefix, "ForcedGcRuns"u8, ForcedGcRuns);
        writer.Add(prefix, "TableFulls"u8, TableFulls);
        writer.Add(prefix, "UnresolvedDiscards"u8, UnresolvedDiscards);
    }
}
