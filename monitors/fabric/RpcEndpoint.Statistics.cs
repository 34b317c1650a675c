// What the endpoint counts. Plain fields, written on the paths that they count, read when the control channel asks.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

public sealed unsafe partial class RpcEndpoint
{
    /// <summary>Opcodes per group that have a counter of their own.</summary>
    private const int OpcodesPerGroup = 32;
    private const int CountersPerTable = MaxGroups * OpcodesPerGroup;

    private readonly ulong* _requests;
    private readonly ulong* _served;
    private ulong _bytesSent;
    private ulong _bytesReceived;
    private ulong _retransmissions;
    private ulong _duplicates;
    private ulong _badFrames;
    private ulong _refusedEpoch;
    private ulong _busyAnswers;
    private ulong _turnedAway;
    private ulong _timeouts;
    private ulong _probes;
    private ulong _repliesDropped;

    /// <summary>Requests repeated because no reply came in time.</summary>
    public ulong Retransmissions => _retransmissions;

    /// <summary>Frames that were thrown away: not well-formed, not for this node, or from somebody else than they say.</summary>
    public ulong BadFrames => _badFrames;

    /// <summary>Repeated requests and replies that were recognised as such.</summary>
    public ulong Duplicates => _duplicates;

    /// <summary>Requests refused for their old epoch.</summary>
    public ulong RefusedEpoch => _refusedEpoch;

    /// <summary>Requests of one kind that this endpoint has begun.</summary>
    public ulong RequestsOf(Opcode opcode) => _requests[CounterIndex(opcode)];

    /// <summary>Requests of one kind that this endpoint has handed to a service.</summary>
    public ulong ServedOf(Opcode opcode) => _served[CounterIndex(opcode)];

    /// <summary>Writes all counters; opcodes that never occurred are left out.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        ReportTable(ref writer, "fabric.requests."u8, _requests);
        ReportTable(ref writer, "fabric.served."u8, _served);
        LinkCounters links = default;
        for (int index = 0; index < _linkCount; index++)
        {
            _links[index].AddTo(ref links);
        }

        writer.Add("fabric.bytes_sent"u8, _bytesSent);
        writer.Add("fabric.bytes_received"u8, _bytesReceived);
        writer.Add("fabric.retransmissions"u8, _retransmissions);
        writer.Add("fabric.duplicates"u8, _duplicates);
        writer.Add("fabric.bad_frames"u8, _badFrames);
        writer.Add("fabric.refused_epoch"u8, _refusedEpoch);
        writer.Add("fabric.busy_answers"u8, _busyAnswers);
        writer.Add("fabric.turned_away"u8, _turnedAway);
        writer.Add("fabric.timeouts"u8, _timeouts);
        writer.Add("fabric.probes"u8, _probes);
        writer.Add("fabric.replies_dropped"u8, _repliesDropped);
        writer.Add("fabric.doorbells"u8, links.Doorbells);
        writer.Add("fabric.link_full"u8, links.Full);
        writer.Add("fabric.frames_ignored"u8, links.Ignored);
        writer.Add("fabric.faults_injected"u8, links.Faults);
    }

    private static int CounterIndex(Opcode opcode) => ((((int)opcode >> 8) & (MaxGroups - 1)) * OpcodesPerGroup) + ((int)opcode & (OpcodesPerGroup - 1));

    private static void ReportTable(ref StatisticsWriter writer, System.ReadOnlySpan<byte> prefix, ulong* counters)
    {
        for (int index = 0; index < CountersPerTable; index++)
        {
            Opcode opcode = (Opcode)(((index / OpcodesPerGroup) << 8) | (index % OpcodesPerGroup));
            if (counters[index] != 0 && OpcodeNames.Of(opcode).Length != 0)
            {
                writer.Add(prefix, OpcodeNames.Of(opcode), counters[index]);
            }
        }
    }
}
