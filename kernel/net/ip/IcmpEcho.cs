// Answers echo requests of both versions (RFC 792; RFC 4443, 4.2), with the data that came.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>Sends echo replies.</summary>
public sealed class IcmpEcho
{
    private readonly IpOutput _output;
    private readonly NetworkCounters _counters;

    public IcmpEcho(IpOutput output, NetworkCounters counters)
    {
        _output = output;
        _counters = counters;
    }

    /// <summary>
    /// Answers a request. Nobody who asks many gets an answer over IPv4 (RFC 1122, 3.2.2.6, as Linux's icmp_echo_ignore_broadcasts), so
    /// that a forged question is not answered by a whole network; over IPv6 groups are answered (RFC 4443, 4.2).
    /// </summary>
    public void Answer(scoped in IncomingPacket packet, scoped in IcmpHeader request)
    {
        bool isV4 = packet.IsV4;
        if (packet.Source.IsUnspecified || packet.Source.IsMulticast || (isV4 && packet.IsToMany))
        {
            return;
        }

        OutgoingPacket answer = new(
            packet.Destination.IsMulticast ? default : packet.Destination, packet.Source, isV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6);
        answer.InterfaceIndex = !isV4 && packet.Source.IsLinkLocal ? packet.InterfaceIndex : 0;
        answer.TrafficClass = packet.TrafficClass;
        if (_output.TryFindPath(answer, out IpPath path) != Errno.None)
        {
            return;
        }

        Span<byte> header = stackalloc byte[IcmpHeader.SizeBytes];
        IcmpHeader.Write(header, isV4 ? IcmpType.EchoReply : Icmpv6Type.EchoReply, 0, request.Parameter);
        InternetChecksum sum = default;
        if (!isV4)
        {
            sum.AddPseudoHeader(path.Source, answer.Destination, IpProtocol.Icmpv6, header.Length + request.Body.Length);
        }

        sum.Add(header);
        sum.Add(request.Body);
        BinaryPrimitives.WriteUInt16BigEndian(header.Slice(IcmpHeader.ChecksumOffset), sum.Value);
        ref IcmpCounters counters = ref _counters.Icmp(isV4);
        counters.OutMsgs++;
        counters.OutEchoReps++;
        _output.Send(answer, path, header, request.Body, default);
    }
}
