// What happened, counted; drops by their reason.

namespace Lego.Kernel;

/// <summary>Counters of one Tcp.</summary>
internal struct TcpCounters
{
    internal ulong SegmentsIn;
    internal ulong SegmentsOut;
    internal ulong Malformed;
    internal ulong BadChecksum;
    internal ulong BadAddress;
    internal ulong NoConnection;
    internal ulong ResetsOut;
    internal ulong ResetsIn;
    internal ulong Retransmits;
    internal ulong Timeouts;
    internal ulong LossProbes;
    internal ulong FastRecoveries;
    internal ulong ChallengeAcks;
    internal ulong ChallengesSuppressed;
    internal ulong OutOfWindow;
    internal ulong OldTimestamp;
    internal ulong BadAcknowledgment;
    internal ulong OutOfOrder;
    internal ulong OutOfOrderDropped;
    internal ulong NoMemory;
    internal ulong CookiesSent;
    internal ulong CookiesAccepted;
    internal ulong CookiesRefused;
    internal ulong BacklogFull;
    internal ulong RefusedConnections;
    internal ulong TimeWaitRecycled;
    internal ulong DataAfterClose;
    internal ulong IcmpIgnored;
    internal ulong Opened;
    internal ulong Accepted;

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
