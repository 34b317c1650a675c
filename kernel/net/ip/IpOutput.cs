// Sending of IP packets of both versions: header, fragments (RFC 791, 3.2; RFC 8200, 4.5), and on to the neighbour.

using System;

namespace Lego.Kernel;

/// <summary>Sends packets.</summary>
public sealed class IpOutput
{
    /// <summary>The longest protocol header that may precede the data.</summary>
    public const int MaxProtocolHeaderBytes = 64;

    private const int MaxPayloadBytes = ushort.MaxValue;
    private const int HopByHopBytes = 8;
    private const int MaxHeadBytes =
        EthernetHeader.SizeBytes + Ipv6Header.SizeBytes + HopByHopBytes + Ipv6FragmentHeader.SizeBytes + MaxProtocolHeaderBytes;
    private const int FragmentUnitMask = ~7;
    private const byte DefaultTimeToLive = 64;
    private const int IdentificationSlots = 256;

    private readonly IpRouter _router;
    private readonly NeighbourOutput _neighbours;
    private readonly LinkSender _link;
    private readonly InterfaceTable _interfaces;
    private readonly GroupTable _groups;
    private readonly NetworkCounters _counters;
    private readonly NetworkRandom _random;
    private readonly uint[] _identifications = new uint[IdentificationSlots];

    public IpOutput(
        IpRouter router, NeighbourOutput neighbours, LinkSender link, InterfaceTable interfaces, GroupTable groups,
        NetworkCounters counters,
        NetworkRandom random)
    {
        _router = router;
        _neighbours = neighbours;
        _link = link;
        _interfaces = interfaces;
        _groups = groups;
        _counters = counters;
        _random = random;
    }

    /// <summary>
    /// Finds the path of a packet, for protocols whose checksum needs the source address. Errors: <see cref="IpRouter.TryFind"/>.
    /// </summary>
    public Errno TryFindPath(in OutgoingPacket packet, out IpPath path)
    {
        Errno error = _router.TryFind(packet.Destination, packet.InterfaceIndex, packet.Source, out path);
        if (error == Errno.EADDRNOTAVAIL && packet.MayLackSource)
        {
            error = Errno.None;
        }

        if (error != Errno.None)
        {
            _counters.Ip(packet.Destination.IsV4).OutNoRoutes++;
        }

        return error;
    }

    /// <summary>Sends a packet whose checksum does not depend on the path.</summary>
    public Errno Send(in OutgoingPacket packet, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Errno error = TryFindPath(packet, out IpPath path);
        return error == Errno.None ? Send(packet, path, header, a, b) : error;
    }

    /// <summary>
    /// Sends a packet along a path. EMSGSIZE when it is too long and must not be cut; ENOBUFS, ENETDOWN, EHOSTUNREACH from the link. A
    /// neighbour that does not answer is reported later.
    /// </summary>
    /// <param name="packet">Its fields; the source is the path's.</param>
    /// <param name="path">From <see cref="TryFindPath"/>.</param>
    /// <param name="header">The protocol's header, at most <see cref="MaxProtocolHeaderBytes"/>.</param>
    /// <param name="a">Data.</param>
    /// <param name="b">More data.</param>
    public Errno Send(in OutgoingPacket packet, in IpPath path, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        bool isV4 = packet.Destination.IsV4;
        ref IpCounters counters = ref _counters.Ip(isV4);
        counters.OutRequests++;
        int payloadBytes = header.Length + a.Length + b.Length;
        int headerBytes = HeaderBytes(packet);
        int countedHeaderBytes = isV4 ? headerBytes : headerBytes - Ipv6Header.SizeBytes;
        if (header.Length > MaxProtocolHeaderBytes || payloadBytes + countedHeaderBytes > MaxPayloadBytes)
        {
            return Errno.EMSGSIZE;
        }

        int mtu = packet.Fragments is FragmentPolicy.Probe or FragmentPolicy.Always ? path.LinkMtuBytes : path.MtuBytes;
        if (headerBytes + payloadBytes <= mtu)
        {
            Fragment whole = default;
            if (isV4 && packet.Fragments == FragmentPolicy.Always)
            {
                whole.Identification = NextIdentification(packet.Destination, path.Source);
            }

            return SendPiece(packet, path, header, a, b, whole);
        }

        if (packet.Fragments is FragmentPolicy.Never or FragmentPolicy.Probe)
        {
            counters.FragFails++;
            return Errno.EMSGSIZE;
        }

        return SendFragments(packet, path, header, a, b, mtu, ref counters);
    }

    /// <summary>
    /// Sends a packet whose IPv4 header a program has written; source and identification are filled in where they are 0, lengths and
    /// checksum
    /// always. EMSGSIZE for what is longer than the link carries: it is not cut.
    /// </summary>
    public Errno SendWhole(in IpPath path, ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        _counters.Ipv4.OutRequests++;
        if (header.Length + payload.Length > path.LinkMtuBytes)
        {
            return Errno.EMSGSIZE;
        }

        Span<byte> head = stackalloc byte[EthernetHeader.SizeBytes + Ipv4Header.MaxSizeBytes];
        head = head.Slice(0, EthernetHeader.SizeBytes + header.Length);
        header.CopyTo(head.Slice(EthernetHeader.SizeBytes));
        Ipv4Header.Complete(
            head.Slice(EthernetHeader.SizeBytes), path.Source, (ushort)NextIdentification(path.NextHop, path.Source), payload.Length);
        Errno error = _neighbours.Send(path.InterfaceIndex, path.NextHop, path.Source, head, payload, default);
        _counters.Ipv4.OutDiscards += error == Errno.None ? 0UL : 1;
        return error;
    }

    private Errno SendFragments(
        in OutgoingPacket packet, in IpPath path, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int mtu,
        ref IpCounters counters)
    {
        bool isV4 = packet.Destination.IsV4;
        int room = (mtu - HeaderBytes(packet) - (isV4 ? 0 : Ipv6FragmentHeader.SizeBytes)) & FragmentUnitMask;
        int total = header.Length + a.Length + b.Length;
        Fragment fragment = default;
        fragment.IsPart = true;
        fragment.Identification = NextIdentification(packet.Destination, path.Source);
        for (int offset = 0; offset < total; offset += room)
        {
            fragment.OffsetBytes = offset;
            int end = Math.Min(offset + room, total);
            fragment.HasMore = end < total;
            Errno error = SendPiece(
                packet, path, Cut(header, offset, end), Cut(a, offset - header.Length, end - header.Length),
                Cut(b, offset - header.Length - a.Length, end - header.Length - a.Length), fragment);
            if (error != Errno.None)
            {
                counters.FragFails++;
                return error;
            }

            counters.FragCreates++;
        }

        counters.FragOKs++;
        return Errno.None;
    }

    private Errno SendPiece(
        in OutgoingPacket packet, in IpPath path, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b,
        in Fragment fragment)
    {
        Span<byte> head = stackalloc byte[MaxHeadBytes];
        int payloadBytes = header.Length + a.Length + b.Length;
        Span<byte> ip = head.Slice(EthernetHeader.SizeBytes);
        int ipBytes = packet.Destination.IsV4
            ? WriteIpv4(ip, packet, path, payloadBytes, fragment)
            : WriteIpv6(ip, packet, path, payloadBytes, fragment);
        header.CopyTo(ip.Slice(ipBytes));
        head = head.Slice(0, EthernetHeader.SizeBytes + ipBytes + header.Length);
        ref IpCounters counters = ref _counters.Ip(packet.Destination.IsV4);
        counters.OutOctets += (ulong)(ipBytes + payloadBytes);
        Errno error = _neighbours.Send(path.InterfaceIndex, path.NextHop, path.Source, head, a, b);
        if (error != Errno.None)
        {
            counters.OutDiscards++;
        }

        if (packet.Destination.IsMulticast)
        {
            counters.OutMcastPkts++;
        }

        if (packet.LoopsBack && path.InterfaceIndex != InterfaceTable.LoopbackIndex
            && (!packet.Destination.IsMulticast || _groups.IsJoined(packet.Destination, path.InterfaceIndex)))
        {
            // The head is that of the frame that has just been sent.
            _link.LoopBack(path.InterfaceIndex, head, a, b);
        }

        return error;
    }

    private static int WriteIpv4(Span<byte> to, in OutgoingPacket packet, in IpPath path, int payloadBytes, in Fragment fragment)
    {
        Ipv4Fields fields = default;
        fields.Source = path.Source;
        fields.Destination = packet.Destination;
        fields.Protocol = packet.Protocol;
        fields.TypeOfService = packet.TrafficClass;
        fields.TimeToLive = packet.HopLimit != OutgoingPacket.DefaultHopLimit
            ? (byte)packet.HopLimit
            : packet.Destination.IsMulticast ? (byte)1 : DefaultTimeToLive;
        fields.HasRouterAlert = packet.HasRouterAlert;
        if (fragment.IsPart)
        {
            fields.Identification = (ushort)fragment.Identification;
            fields.OffsetBytes = fragment.OffsetBytes;
            fields.Flags = fragment.HasMore ? Ipv4Header.MoreFragmentsFlag : (ushort)0;
        }
        else if (packet.Fragments == FragmentPolicy.Always)
        {
            fields.Identification = (ushort)fragment.Identification;
        }
        else
        {
            // What cannot be cut needs no identification (RFC 6864, 4.1).
            fields.Flags = Ipv4Header.DontFragmentFlag;
        }

        return Ipv4Header.Write(to, fields, payloadBytes);
    }

    private int WriteIpv6(Span<byte> to, in OutgoingPacket packet, in IpPath path, int payloadBytes, in Fragment fragment)
    {
        int headerBytes = Ipv6Header.SizeBytes;
        byte next = packet.Protocol;
        if (fragment.IsPart)
        {
            int at = headerBytes + (packet.HasRouterAlert ? HopByHopBytes : 0);
            Ipv6FragmentHeader.Write(to.Slice(at), next, fragment.OffsetBytes, fragment.HasMore, fragment.Identification);
            next = IpProtocol.FragmentHeader;
        }

        if (packet.HasRouterAlert)
        {
            WriteRouterAlert(to.Slice(headerBytes), next);
            next = IpProtocol.HopByHopOptions;
            headerBytes += HopByHopBytes;
        }

        headerBytes += fragment.IsPart ? Ipv6FragmentHeader.SizeBytes : 0;
        Ipv6Fields fields = default;
        fields.Source = path.Source;
        fields.Destination = packet.Destination;
        fields.NextHeader = next;
        fields.TrafficClass = packet.TrafficClass;
        fields.FlowLabel = packet.FlowLabel;
        fields.HopLimit = packet.HopLimit != OutgoingPacket.DefaultHopLimit
            ? (byte)packet.HopLimit
            : packet.Destination.IsMulticast ? (byte)1 : _interfaces[path.InterfaceIndex].Ipv6HopLimit;
        Ipv6Header.Write(to, fields, headerBytes - Ipv6Header.SizeBytes + payloadBytes);
        return headerBytes;
    }

    /// <summary>A hop-by-hop header with the alert of MLD, value 0, and two bytes of padding (RFC 2711, 2.1).</summary>
    private static void WriteRouterAlert(Span<byte> to, byte next)
    {
        to.Slice(0, HopByHopBytes).Clear();
        to[0] = next;
        to[2] = Ipv6Option.RouterAlert;
        to[3] = 2;
        to[6] = Ipv6Option.PadN;
    }

    private static int HeaderBytes(in OutgoingPacket packet) => packet.Destination.IsV4
        ? Ipv4Header.SizeBytes + (packet.HasRouterAlert ? sizeof(uint) : 0)
        : Ipv6Header.SizeBytes + (packet.HasRouterAlert ? HopByHopBytes : 0);

    /// <summary>Unguessable from outside, and not repeated soon for a pair of addresses (RFC 7739, 5.3).</summary>
    private uint NextIdentification(IpAddress destination, IpAddress source)
    {
        ulong offset = _random.OffsetFor(destination.First ^ source.First, destination.Second ^ source.Second);
        return (uint)(offset >> 32) + _identifications[offset % IdentificationSlots]++;
    }

    private static ReadOnlySpan<byte> Cut(ReadOnlySpan<byte> bytes, int from, int to)
    {
        int start = Math.Clamp(from, 0, bytes.Length);
        int end = Math.Clamp(to, 0, bytes.Length);
        return bytes.Slice(start, end - start);
    }

    private struct Fragment
    {
        internal bool IsPart;
        internal bool HasMore;
        internal int OffsetBytes;
        internal uint Identification;
    }
}
