// Received messages of neighbour discovery (RFC 4861): who lives where, which routers there are, and better first hops. A message is only
// believed that has not passed a router (hop limit 255, 7.1).

using System;

namespace Lego.Kernel;

/// <summary>Takes solicitations, advertisements and redirects.</summary>
public sealed class NeighbourDiscovery
{
    private const int AdvertisementBytes = NeighbourMessage.SizeBytes + NeighbourOptions.LinkAddressBytes;
    private const ulong RedirectLifetimeNs = 600 * NetworkClock.NsPerSecond;

    private readonly NetworkClock _clock;
    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly NeighbourTable _neighbours;
    private readonly NeighbourOutput _output;
    private readonly RoutingTable _routes;
    private readonly Autoconfiguration _autoconfiguration;
    private readonly NetworkCounters _counters;

    public NeighbourDiscovery(
        NetworkClock clock, InterfaceTable interfaces, AddressTable addresses, NeighbourTable neighbours, NeighbourOutput output,
        RoutingTable routes,
        Autoconfiguration autoconfiguration, NetworkCounters counters)
    {
        _clock = clock;
        _interfaces = interfaces;
        _addresses = addresses;
        _neighbours = neighbours;
        _output = output;
        _routes = routes;
        _autoconfiguration = autoconfiguration;
        _counters = counters;
    }

    /// <summary>Takes a message whose checksum is right. False: it must not be believed.</summary>
    public bool TryReceive(scoped in IncomingPacket packet, scoped in IcmpHeader message)
    {
        if (packet.HopLimit != NeighbourOutput.OnLinkHopLimit || message.Code != 0)
        {
            return false;
        }

        return message.Type switch
        {
            Icmpv6Type.NeighbourSolicitation => TrySolicitation(packet),
            Icmpv6Type.NeighbourAdvertisement => TryAdvertisement(packet),
            Icmpv6Type.RouterAdvertisement => TryRouterAdvertisement(packet),
            _ => TryRedirect(packet),
        };
    }

    private bool TrySolicitation(scoped in IncomingPacket packet)
    {
        if (!NeighbourMessage.TryParse(packet.Payload, out NeighbourMessage message))
        {
            return false;
        }

        _counters.Icmpv6.InNeighborSolicits++;
        IpAddress target = message.Target;
        bool isProbe = packet.Source.IsUnspecified;
        bool hasLinkAddress = message.Options.TryFindLinkAddress(NeighbourOptions.SourceLinkAddress, out ulong linkAddress);
        if (isProbe && (hasLinkAddress || !packet.Destination.Equals(NeighbourOutput.SolicitedNodeGroup(target))))
        {
            return false;
        }

        int index = _addresses.Find(target, packet.InterfaceIndex);
        if (index < 0)
        {
            return true;
        }

        if (!_addresses[index].IsAssigned)
        {
            if (isProbe)
            {
                _autoconfiguration.OnDuplicate(packet.InterfaceIndex, target);
            }

            return true;
        }

        if (!isProbe && hasLinkAddress)
        {
            _neighbours.Learn(_output, packet.InterfaceIndex, packet.Source, linkAddress, mayCreate: true);
        }

        Advertise(packet, target, isProbe, hasLinkAddress, linkAddress);
        return true;
    }

    private unsafe void Advertise(scoped in IncomingPacket packet, IpAddress target, bool isProbe, bool hasLinkAddress, ulong linkAddress)
    {
        ulong to = linkAddress;
        IpAddress destination = packet.Source;
        if (isProbe)
        {
            destination = IpAddress.FromV6(0xFF02UL << 48, 1);
            to = MacAddress.OfIpv6Group(1);
        }
        else if (!hasLinkAddress)
        {
            Neighbour* asking = _neighbours.Find(packet.InterfaceIndex, packet.Source);
            if (asking == null || !asking->IsUsable)
            {
                // Only a unicast question may come without an address; who asks is known then (RFC 4861, 4.3).
                return;
            }

            to = asking->HardwareAddress;
        }

        Span<byte> message = stackalloc byte[AdvertisementBytes];
        uint flags = NeighbourMessage.OverrideFlag | (isProbe ? 0 : NeighbourMessage.SolicitedFlag);
        NeighbourMessage.Write(message, Icmpv6Type.NeighbourAdvertisement, flags, target);
        NeighbourOptions.WriteLinkAddress(
            message.Slice(NeighbourMessage.SizeBytes), NeighbourOptions.TargetLinkAddress,
            _interfaces[packet.InterfaceIndex].HardwareAddress);
        _counters.Icmpv6.OutNeighborAdvertisements++;
        _output.SendOnLink(packet.InterfaceIndex, to, target, destination, message);
    }

    private bool TryAdvertisement(scoped in IncomingPacket packet)
    {
        if (!NeighbourMessage.TryParse(packet.Payload, out NeighbourMessage message)
            || (packet.Destination.IsMulticast && (message.Flags & NeighbourMessage.SolicitedFlag) != 0))
        {
            return false;
        }

        _counters.Icmpv6.InNeighborAdvertisements++;
        int own = _addresses.Find(message.Target, packet.InterfaceIndex);
        if (own >= 0)
        {
            if (!_addresses[own].IsAssigned)
            {
                _autoconfiguration.OnDuplicate(packet.InterfaceIndex, message.Target);
            }

            return true;
        }

        bool hasAddress = message.Options.TryFindLinkAddress(NeighbourOptions.TargetLinkAddress, out ulong linkAddress);
        NeighbourAnswer answer = ((message.Flags & NeighbourMessage.RouterFlag) != 0 ? NeighbourAnswer.Router : NeighbourAnswer.None)
            | ((message.Flags & NeighbourMessage.SolicitedFlag) != 0 ? NeighbourAnswer.Solicited : NeighbourAnswer.None)
            | ((message.Flags & NeighbourMessage.OverrideFlag) != 0 ? NeighbourAnswer.Override : NeighbourAnswer.None);
        _neighbours.Confirm(_output, packet.InterfaceIndex, message.Target, hasAddress, linkAddress, answer);
        return true;
    }

    private bool TryRouterAdvertisement(scoped in IncomingPacket packet)
    {
        if (!packet.Source.IsLinkLocal || !RouterAdvertisement.TryParse(packet.Payload, out RouterAdvertisement message))
        {
            return false;
        }

        _counters.Icmpv6.InRouterAdvertisements++;
        if (message.Options.TryFindLinkAddress(NeighbourOptions.SourceLinkAddress, out ulong linkAddress))
        {
            _neighbours.Learn(_output, packet.InterfaceIndex, packet.Source, linkAddress, mayCreate: true);
        }

        _autoconfiguration.OnRouterAdvertisement(packet.InterfaceIndex, packet.Source, message);
        return true;
    }

    /// <summary>
    /// A router knows a better first hop (8.1): only the current one is believed, and the way is tried again some time later.
    /// </summary>
    private bool TryRedirect(scoped in IncomingPacket packet)
    {
        if (!packet.Source.IsLinkLocal || !RedirectMessage.TryParse(packet.Payload, out RedirectMessage message)
            || message.Destination.IsMulticast || message.Destination.IsV4 || message.Target.IsV4
            || !(message.Target.IsLinkLocal || message.Target.Equals(message.Destination))
            || !_routes.TryFind(message.Destination, packet.InterfaceIndex, out Route current) || !current.Gateway.Equals(packet.Source))
        {
            return false;
        }

        _counters.Icmpv6.InRedirects++;
        Route route = default;
        route.Destination = message.Destination;
        route.PrefixLength = IpAddress.V6Bytes * 8;
        route.Gateway = message.Target.Equals(message.Destination) ? default : message.Target;
        route.InterfaceIndex = packet.InterfaceIndex;
        route.Origin = RouteOrigin.Redirect;
        route.ExpiresNs = _clock.NowNs + RedirectLifetimeNs;
        _autoconfiguration.AddRoute(route);
        if (message.Options.TryFindLinkAddress(NeighbourOptions.TargetLinkAddress, out ulong linkAddress))
        {
            _neighbours.Learn(_output, packet.InterfaceIndex, message.Target, linkAddress, mayCreate: true);
        }

        return true;
    }
}
