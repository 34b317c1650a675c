// What happened, counted; drops by their reason.

namespace Lego.Kernel;

/// <summary>Counters of one Tcp.</summary>
public struct TcpCounters
{
    public ulong SegmentsIn;
    public ulong SegmentsOut;
    public ulong Malformed;
    public ulong BadChecksum;
    public ulong BadAddress;
    public ulong NoConnection;
    public ulong Filtered;
    public ulong ResetsOut;
    public ulong ResetsIn;
    public ulong Retransmits;
    public ulong Timeouts;
    public ulong LossProbes;
    public ulong FastRecoveries;
    public ulong ChallengeAcks;
    public ulong ChallengesSuppressed;
    public ulong OutOfWindow;
    public ulong OldTimestamp;
    public ulong BadAcknowledgment;
    public ulong OutOfOrder;
    public ulong OutOfOrderDropped;
    public ulong NoMemory;
    public ulong CookiesSent;
    public ulong CookiesAccepted;
    public ulong CookiesRefused;
    public ulong BacklogFull;
    public ulong RefusedConnections;
    public ulong TimeWaitRecycled;
    public ulong DataAfterClose;
    public ulong IcmpIgnored;
    public ulong Opened;
    public ulong Accepted;

    internal readonly void Report(ref StatisticsWriter writer)
    {
        writer.Add("tcp.segments_in"u8, SegmentsIn);
        writer.Add("tcp.segments_out"u8, SegmentsOut);
        writer.Add("tcp.opened"u8, Opened);
        writer.Add("tcp.accepted"u8, Accepted);
        writer.Add("tcp.retransmits"u8, Retransmits);
        writer.Add("tcp.timeouts"u8, Timeouts);
        writer.Add("tcp.loss_probes"u8, LossProbes);
        writer.Add("tcp.fast_recoveries"u8, FastRecoveries);
        writer.Add("tcp.resets_in"u8, ResetsIn);
        writer.Add("tcp.resets_out"u8, ResetsOut);
        writer.Add("tcp.challenge_acks"u8, ChallengeAcks);
        writer.Add("tcp.challenges_suppressed"u8, ChallengesSuppressed);
        writer.Add("tcp.cookies_sent"u8, CookiesSent);
        writer.Add("tcp.cookies_accepted"u8, CookiesAccepted);
        writer.Add("tcp.cookies_refused"u8, CookiesRefused);
        writer.Add("tcp.out_of_order"u8, OutOfOrder);
        writer.Add("tcp.drop.malformed"u8, Malformed);
        writer.Add("tcp.drop.checksum"u8, BadChecksum);
        writer.Add("tcp.drop.address"u8, BadAddress);
        writer.Add("tcp.drop.filtered"u8, Filtered);
        writer.Add("tcp.drop.no_connection"u8, NoConnection);
        writer.Add("tcp.drop.out_of_window"u8, OutOfWindow);
        writer.Add("tcp.drop.old_timestamp"u8, OldTimestamp);
        writer.Add("tcp.drop.acknowledgment"u8, BadAcknowledgment);
        writer.Add("tcp.drop.out_of_order"u8, OutOfOrderDropped);
        writer.Add("tcp.drop.memory"u8, NoMemory);
        writer.Add("tcp.drop.backlog"u8, BacklogFull);
        writer.Add("tcp.drop.after_close"u8, DataAfterClose);
        writer.Add("tcp.drop.icmp"u8, IcmpIgnored);
        writer.Add("tcp.refused_connections"u8, RefusedConnections);
        writer.Add("tcp.time_wait_recycled"u8, TimeWaitRecycled);
    }
}
