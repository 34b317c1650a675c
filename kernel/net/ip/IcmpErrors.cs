// Error reports that this node sends (RFC 792, RFC 1122 3.2.2; RFC 4443, 2.4 and 3), and when it must not: about errors, about packets to
// many or from nobody in particular, about later fragments, and more often than the rate limit allows.

using System;

namespace Lego.Kernel;

/// <summary>Sends errors.</summary>
public sealed class IcmpErrors
{
    /// <summary>An error with its headers is no longer than what every host takes (RFC 1812, 4.3.2.3).</summary>
    private const int MaxIpv4Bytes = 576;

    private readonly IpOutput _output;
    private readonly AddressTable _addresses;
    private readonly NetworkCounters _counters;
    private readonly IcmpRateLimit _limit;

    public IcmpErrors(IpOutput output, AddressTable addresses, NetworkCounters counters, IcmpRateLimit limit)
    {
        _output = output;
        _addresses = addresses;
        _counters = counters;
        _limit = limit;
    }

    /// <summary>Reports an error to the source of a packet, if that is allowed.</summary>
    /// <param name="packet">What it is about.</param>
    /// <param name="type">By the version's numbers.</param>
    /// <param name="code">By the type.</param>
    /// <param name="parameter">Pointer or MTU.</param>
    /// <param name="alsoToMany">About packets to groups too (RFC 4443, 2.4(e.3)).</param>
    public void Send(scoped in IncomingPacket packet, byte type, byte code, uint parameter = 0, bool alsoToMany = false)
    {
        bool isV4 = packet.IsV4;
        bool isFromNobody = packet.Source.IsUnspecified || packet.Source.IsMulticast
            || (isV4 && (packet.Source.IsLimitedBroadcast || _addresses.IsBroadcast(packet.Source, packet.InterfaceIndex)));
        bool isForSomebodyElse = !packet.IsToMany && !_addresses.IsLocal(packet.Destination, 0);
        if (isFromNobody || isForSomebodyElse || (packet.IsToMany && !alsoToMany) || QuotedPacket.IsError(packet.Packet))
        {
            return;
        }

        ref IcmpCounters counters = ref _counters.Icmp(isV4);
        if (packet.InterfaceIndex != InterfaceTable.LoopbackIndex && !_limit.TryTake())
        {
            counters.OutRateLimitGlobal++;
            return;
        }

        IpAddress source = packet.IsToMany ? default : packet.Destination;
        OutgoingPacket answer = new(source, packet.Source, isV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6);
        answer.InterfaceIndex = !isV4 && packet.Source.IsLinkLocal ? packet.InterfaceIndex : 0;
        if (_output.TryFindPath(answer, out IpPath path) != Errno.None)
        {
            counters.OutErrors++;
            return;
        }

        int room = (isV4 ? MaxIpv4Bytes - Ipv4Header.SizeBytes : Ipv6Header.MinimumMtu - Ipv6Header.SizeBytes) - IcmpHeader.SizeBytes;
        ReadOnlySpan<byte> quote = packet.Packet.Slice(0, Math.Min(packet.Packet.Length, room));
        Span<byte> header = stackalloc byte[IcmpHeader.SizeBytes];
        IcmpHeader.Write(header, type, code, parameter);
        InternetChecksum sum = default;
        if (!isV4)
        {
            sum.AddPseudoHeader(path.Source, answer.Destination, IpProtocol.Icmpv6, header.Length + quote.Length);
        }

        sum.Add(header);
        sum.Add(quote);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(header.Slice(IcmpHeader.ChecksumOffset), sum.Value);
        Count(ref counters, isV4, type);
        _output.Send(answer, path, header, quote, default);
    }

    private static void Count(ref IcmpCounters counters, bool isV4, byte type)
    {
        counters.OutMsgs++;
        if (type == (isV4 ? IcmpType.DestinationUnreachable : Icmpv6Type.DestinationUnreachable))
        {
            counters.OutDestUnreachs++;
        }
        else if (type == (isV4 ? IcmpType.TimeExceeded : Icmpv6Type.TimeExceeded))
        {
            counters.OutTimeExcds++;
        }
        else
        {
            counters.OutParmProbs++;
        }
    }
}
