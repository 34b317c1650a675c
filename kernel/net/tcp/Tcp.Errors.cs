// Tcp: ICMP errors about segments of ours (RFC 9293, 3.9.2.2; RFC 5927). What is quoted must name a connection and a sequence number that
// is under way, else it is a stranger's guess. Only a connection that is not established can be ended by one.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>An error quotes at least so much of the segment: ports and sequence number (RFC 792).</summary>
    private const int LeastQuotedBytes = 8;

    /// <summary>
    /// An ICMP error quotes a segment of ours, of which at least 8 bytes are there. What is hard ends a connection that is not established
    /// yet; all else is kept for when the connection times out.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public void OnIcmpError(IpAddress local, IpAddress remote, uint interfaceIndex, ReadOnlySpan<byte> quoted, Errno error, bool isHard,
        ulong nowNs)
    {
        TcpConnection* connection = FindQuoted(local, remote, interfaceIndex, quoted, out _);
        if (connection == null)
        {
            return;
        }

        if (isHard && connection->State is TcpState.SynSent or TcpState.SynReceived)
        {
            Finish(connection, error);
            Bury();
        }
        else
        {
            connection->SoftError = error;
        }
    }

    /// <summary>
    /// A packet was too big for the path, whose new MTU the host's PayloadLimit tells already: what is under way and too large is sent
    /// again in smaller segments at once, which is no congestion (RFC 1191, 6.4).
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public void OnPacketTooBig(IpAddress local, IpAddress remote, uint interfaceIndex, ReadOnlySpan<byte> quoted, ulong nowNs)
    {
        TcpConnection* connection = FindQuoted(local, remote, interfaceIndex, quoted, out uint sequence);
        if (connection == null || connection->State is TcpState.SynSent or TcpState.SynReceived)
        {
            return;
        }

        uint limit = (uint)_host.PayloadLimit(local, remote, connection->Remote.Scope);
        if (limit >= connection->PathLimit)
        {
            return;
        }

        connection->PathLimit = limit;
        uint before = connection->SndMss;
        UpdateSegmentSize(connection);
        if (connection->SndMss < before)
        {
            for (SentSegment* segment = connection->SentFirst; segment != null; segment = segment->Next)
            {
                if (segment->Length > connection->SndMss && !SequenceNumber.IsBefore(segment->End - 1, sequence))
                {
                    TcpScoreboard.MarkLost(connection, segment);
                }
            }

            Output(connection, nowNs);
        }
    }

    private TcpConnection* FindQuoted(IpAddress local, IpAddress remote, uint interfaceIndex, ReadOnlySpan<byte> quoted, out uint sequence)
    {
        sequence = 0;
        if (quoted.Length < LeastQuotedBytes)
        {
            return null;
        }

        SocketAddress here = new(local, BinaryPrimitives.ReadUInt16BigEndian(quoted), ScopeOf(local, interfaceIndex));
        SocketAddress there = new(remote, BinaryPrimitives.ReadUInt16BigEndian(quoted[2..]), ScopeOf(remote, interfaceIndex));
        sequence = BinaryPrimitives.ReadUInt32BigEndian(quoted[4..]);
        TcpConnection* connection = _table.Find(in here, in there);
        bool isUnderWay = connection != null && sequence - connection->SndUna < connection->SndNxt - connection->SndUna;
        if (connection != null && !isUnderWay)
        {
            _counters.IcmpIgnored++;
        }

        return isUnderWay ? connection : null;
    }
}
