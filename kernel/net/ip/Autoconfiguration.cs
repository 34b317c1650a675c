// IPv6 addresses without anybody's help (RFC 4862): a link-local one for each card, more by the prefixes that routers advertise; each is
// asked for on the link before it is used (duplicate address detection, 5.4). Routers are asked for three times and listened to ever
// after (RFC 4861, 6.3). Interface identifiers are the cards' EUI-64.

using System;

namespace Lego.Kernel;

/// <summary>Makes addresses, default routes and the link's parameters.</summary>
public sealed class Autoconfiguration
{
    private const byte PrefixBits = 64;
    private const uint Forever = uint.MaxValue;
    /// <summary>MAX_RTR_SOLICITATIONS, RTR_SOLICITATION_INTERVAL (RFC 4861, 10).</summary>
    private const int MaxSolicitations = 3;
    private const ulong SolicitationNs = 4 * NetworkClock.NsPerSecond;
    /// <summary>MAX_RTR_SOLICITATION_DELAY: machines that start together do not ask together.</summary>
    private const ulong MaxDelayNs = NetworkClock.NsPerSecond;
    private const ulong TwoHoursNs = 7200 * NetworkClock.NsPerSecond;
    private const uint RouterMetric = 1024;
    private const uint PrefixMetric = 256;
    private const ulong LinkLocalPrefix = 0xFE80UL << 48;

    private readonly NetworkClock _clock;
    private readonly NetworkRandom _random;
    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly RoutingTable _routes;
    private readonly GroupMembership _groups;
    private readonly NeighbourOutput _output;
    private readonly NameServers _nameServers;
    private readonly NetworkCounters _counters;
    private readonly Probe[] _probes;
    private readonly Solicitation[] _solicitations = new Solicitation[InterfaceTable.Capacity];
    private ulong _nextDeadlineNs = NetworkClock.Never;

    /// <summary>Duplicate address detection of the address table's entry of the same index.</summary>
    private struct Probe
    {
        internal ulong AtNs;
        internal bool IsSent;
    }

    private struct Solicitation
    {
        internal ulong AtNs;
        internal int Left;
    }

    public Autoconfiguration(
        NetworkClock clock, NetworkRandom random, InterfaceTable interfaces, AddressTable addresses, RoutingTable routes,
        GroupMembership groups,
        NeighbourOutput output, NameServers nameServers, NetworkCounters counters)
    {
        _clock = clock;
        _random = random;
        _interfaces = interfaces;
        _addresses = addresses;
        _routes = routes;
        _groups = groups;
        _output = output;
        _nameServers = nameServers;
        _counters = counters;
        _probes = new Probe[addresses.Capacity];
    }

    public ulong NextDeadlineNs => _nextDeadlineNs;

    /// <summary>Begins on a card that has come up.</summary>
    public void Start(int interfaceIndex)
    {
        IpAddress linkLocal = IpAddress.FromV6(LinkLocalPrefix, IdentifierOf(interfaceIndex));
        ulong delay = _random.Below(MaxDelayNs);
        AddAddress(interfaceIndex, linkLocal, PrefixBits, NetworkClock.Never, NetworkClock.Never, isDynamic: false, delay);
        AddRoute(interfaceIndex, IpAddress.FromV6(LinkLocalPrefix, 0), default, PrefixMetric, NetworkClock.Never, RouteOrigin.Kernel);
        ref Solicitation solicitation = ref _solicitations[interfaceIndex];
        solicitation.Left = MaxSolicitations;
        // After the link-local address has been found to be ours: the question is asked from it.
        solicitation.AtNs = _clock.NowNs + delay + _interfaces[interfaceIndex].RetransmitNs + NetworkClock.NsPerMillisecond;
        Wake(solicitation.AtNs);
    }

    /// <summary>Adds an address that is used once nobody has claimed it: EEXIST, ENOBUFS.</summary>
    public Errno AddAddress(
        int interfaceIndex, IpAddress address, byte prefixLength, ulong preferredUntilNs, ulong validUntilNs, bool isDynamic, ulong delayNs)
    {
        InterfaceAddress entry = default;
        entry.Address = address;
        entry.PrefixLength = prefixLength;
        entry.InterfaceIndex = interfaceIndex;
        entry.State = AddressState.Tentative;
        entry.IsDynamic = isDynamic;
        entry.PreferredUntilNs = preferredUntilNs;
        entry.ValidUntilNs = validUntilNs;
        Errno error = _addresses.Add(entry);
        if (error != Errno.None)
        {
            return error;
        }

        _groups.Join(NeighbourOutput.SolicitedNodeGroup(address), interfaceIndex);
        ref Probe probe = ref _probes[_addresses.Find(address, interfaceIndex)];
        probe.IsSent = false;
        probe.AtNs = _clock.NowNs + delayNs;
        Wake(probe.AtNs);
        Wake(preferredUntilNs);
        Wake(validUntilNs);
        return Errno.None;
    }

    /// <summary>Takes an address away: EADDRNOTAVAIL.</summary>
    public Errno RemoveAddress(int interfaceIndex, IpAddress address)
    {
        Errno error = _addresses.Remove(address, interfaceIndex);
        if (error == Errno.None)
        {
            _groups.Leave(NeighbourOutput.SolicitedNodeGroup(address), interfaceIndex);
        }

        return error;
    }

    /// <summary>Somebody else has a tentative address, or is asking for it too: it is never used (RFC 4862, 5.4.5).</summary>
    public void OnDuplicate(int interfaceIndex, IpAddress address)
    {
        int index = _addresses.Find(address, interfaceIndex);
        if (index >= 0 && _addresses[index].State == AddressState.Tentative)
        {
            _addresses[index].State = AddressState.Duplicate;
        }
    }

    /// <summary>Takes what a router says (RFC 4861, 6.3.4; RFC 4862, 5.5.3; RFC 8106).</summary>
    public void OnRouterAdvertisement(int interfaceIndex, IpAddress router, scoped in RouterAdvertisement message)
    {
        _solicitations[interfaceIndex].Left = 0;
        ref NetworkInterface link = ref _interfaces[interfaceIndex];
        link.Ipv6HopLimit = message.HopLimit != 0 ? message.HopLimit : link.Ipv6HopLimit;
        link.ReachableNs = message.ReachableMilliseconds is > 0 and <= 3_600_000
            ? message.ReachableMilliseconds * NetworkClock.NsPerMillisecond : link.ReachableNs;
        link.RetransmitNs = message.RetransmitMilliseconds is >= 100 and <= 60_000
            ? message.RetransmitMilliseconds * NetworkClock.NsPerMillisecond : link.RetransmitNs;
        SetDefaultRoute(interfaceIndex, router, message.RouterLifetimeSeconds);
        NeighbourOptions options = message.Options;
        while (options.TryNext(out ReadOnlySpan<byte> option))
        {
            switch (option[0])
            {
                case NeighbourOptions.PrefixInformation when PrefixInformation.TryParse(option, out PrefixInformation prefix):
                    OnPrefix(interfaceIndex, prefix);
                    break;
                case NeighbourOptions.Mtu:
                    uint mtu = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(option.Slice(sizeof(uint)));
                    link.Ipv6MtuBytes = mtu >= Ipv6Header.MinimumMtu && mtu <= (uint)link.MtuBytes ? (int)mtu : link.Ipv6MtuBytes;
                    break;
                case NeighbourOptions.RecursiveDnsServer:
                    OnNameServers(option);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Adds a route that goes when its time is over, or gives the one that is there a new lifetime.</summary>
    public void AddRoute(in Route route)
    {
        _routes.AddOrRefresh(route);
        Wake(route.ExpiresNs);
    }

    /// <summary>Moves probes, solicitations and lifetimes on.</summary>
    public void OnTime()
    {
        if (_clock.NowNs < _nextDeadlineNs)
        {
            return;
        }

        _nextDeadlineNs = NetworkClock.Never;
        for (int index = 0; index < _addresses.Capacity; index++)
        {
            if (_addresses[index].InterfaceIndex != 0 && !_addresses[index].Address.IsV4)
            {
                MoveOn(index);
            }
        }

        for (int index = 0; index < _solicitations.Length; index++)
        {
            SolicitRouters(index);
        }

        Wake(_routes.RemoveExpired(_clock.NowNs));
    }

    private void MoveOn(int index)
    {
        ref InterfaceAddress entry = ref _addresses[index];
        if (entry.ValidUntilNs <= _clock.NowNs)
        {
            RemoveAddress(entry.InterfaceIndex, entry.Address);
            return;
        }

        if (entry.State == AddressState.Tentative)
        {
            MoveProbeOn(ref entry, ref _probes[index]);
        }

        if (entry.State == AddressState.Preferred && entry.PreferredUntilNs <= _clock.NowNs)
        {
            entry.State = AddressState.Deprecated;
        }

        Wake(entry.ValidUntilNs);
        Wake(entry.State == AddressState.Preferred ? entry.PreferredUntilNs : NetworkClock.Never);
    }

    private void MoveProbeOn(ref InterfaceAddress entry, ref Probe probe)
    {
        if (probe.AtNs > _clock.NowNs)
        {
            Wake(probe.AtNs);
        }
        else if (!probe.IsSent)
        {
            _output.SendSolicitation(entry.InterfaceIndex, entry.Address, 0, default);
            probe.IsSent = true;
            probe.AtNs = _clock.NowNs + _interfaces[entry.InterfaceIndex].RetransmitNs;
            Wake(probe.AtNs);
        }
        else
        {
            entry.State = AddressState.Preferred;
        }
    }

    private void SolicitRouters(int interfaceIndex)
    {
        ref Solicitation solicitation = ref _solicitations[interfaceIndex];
        if (solicitation.Left == 0)
        {
            return;
        }

        if (solicitation.AtNs <= _clock.NowNs)
        {
            SendSolicitation(interfaceIndex);
            solicitation.Left--;
            solicitation.AtNs = _clock.NowNs + SolicitationNs;
        }

        Wake(solicitation.Left > 0 ? solicitation.AtNs : NetworkClock.Never);
    }

    private void SendSolicitation(int interfaceIndex)
    {
        const ulong allRouters = 2;
        Span<byte> message = stackalloc byte[IcmpHeader.SizeBytes + NeighbourOptions.LinkAddressBytes];
        IpAddress destination = IpAddress.FromV6(0xFF02UL << 48, allRouters);
        IpAddress source = _addresses.SourceFor(destination, interfaceIndex);
        IcmpHeader.Write(message, Icmpv6Type.RouterSolicitation, 0, 0);
        if (source.IsUnspecified)
        {
            message = message.Slice(0, IcmpHeader.SizeBytes);
        }
        else
        {
            NeighbourOptions.WriteLinkAddress(
                message.Slice(IcmpHeader.SizeBytes), NeighbourOptions.SourceLinkAddress, _interfaces[interfaceIndex].HardwareAddress);
        }

        _counters.Icmpv6.OutRouterSolicits++;
        _output.SendOnLink(interfaceIndex, MacAddress.OfIpv6Group((uint)allRouters), source, destination, message);
    }

    private void SetDefaultRoute(int interfaceIndex, IpAddress router, ushort lifetimeSeconds)
    {
        if (lifetimeSeconds == 0)
        {
            Route route = default;
            route.Gateway = router;
            route.InterfaceIndex = interfaceIndex;
            route.Metric = RouterMetric;
            _routes.Remove(route);
            return;
        }

        ulong until = _clock.NowNs + (lifetimeSeconds * NetworkClock.NsPerSecond);
        AddRoute(interfaceIndex, default, router, RouterMetric, until, RouteOrigin.RouterAdvertisement);
    }

    private void OnPrefix(int interfaceIndex, scoped in PrefixInformation prefix)
    {
        if (prefix.Prefix.IsLinkLocal || prefix.Prefix.IsMulticast || prefix.Prefix.IsV4 || prefix.PreferredSeconds > prefix.ValidSeconds)
        {
            return;
        }

        IpAddress network = RoutingTable.NetworkOf(prefix.Prefix, prefix.PrefixLength);
        ulong validUntil = After(prefix.ValidSeconds);
        if (prefix.IsOnLink && prefix.PrefixLength > 0)
        {
            Route route = RouteOf(
                interfaceIndex, network, (byte)prefix.PrefixLength, default, PrefixMetric, validUntil, RouteOrigin.RouterAdvertisement);
            if (prefix.ValidSeconds == 0)
            {
                _routes.Remove(route);
            }
            else
            {
                AddRoute(route);
            }
        }

        if (prefix.IsAutonomous && prefix.PrefixLength == PrefixBits)
        {
            IpAddress address = IpAddress.FromV6(network.First, IdentifierOf(interfaceIndex));
            SetLifetimes(interfaceIndex, address, After(prefix.PreferredSeconds), validUntil, prefix.ValidSeconds);
        }
    }

    /// <summary>
    /// A forged advertisement cannot end an address at once: less than two hours are believed only if less is left (RFC 4862,
    /// 5.5.3(e)).
    /// </summary>
    private void SetLifetimes(int interfaceIndex, IpAddress address, ulong preferredUntilNs, ulong validUntilNs, uint validSeconds)
    {
        int index = _addresses.Find(address, interfaceIndex);
        if (index < 0)
        {
            if (validSeconds != 0)
            {
                AddAddress(interfaceIndex, address, PrefixBits, preferredUntilNs, validUntilNs, isDynamic: true, _random.Below(MaxDelayNs));
            }

            return;
        }

        ref InterfaceAddress entry = ref _addresses[index];
        if (!entry.IsDynamic)
        {
            return;
        }

        ulong twoHours = _clock.NowNs + TwoHoursNs;
        if (validUntilNs > twoHours || validUntilNs > entry.ValidUntilNs)
        {
            entry.ValidUntilNs = validUntilNs;
        }
        else if (entry.ValidUntilNs > twoHours)
        {
            entry.ValidUntilNs = twoHours;
        }

        entry.PreferredUntilNs = preferredUntilNs;
        if (entry.State == AddressState.Deprecated && preferredUntilNs > _clock.NowNs)
        {
            entry.State = AddressState.Preferred;
        }

        Wake(entry.PreferredUntilNs);
        Wake(entry.ValidUntilNs);
    }

    private void OnNameServers(ReadOnlySpan<byte> option)
    {
        const int listOffset = 8;
        for (int at = listOffset; at + IpAddress.V6Bytes <= option.Length; at += IpAddress.V6Bytes)
        {
            _nameServers.Add(IpAddress.FromV6(option.Slice(at)));
        }
    }

    private void AddRoute(int interfaceIndex, IpAddress network, IpAddress gateway, uint metric, ulong untilNs, RouteOrigin origin)
    {
        byte bits = gateway.IsUnspecified ? PrefixBits : (byte)0;
        AddRoute(RouteOf(interfaceIndex, network, bits, gateway, metric, untilNs, origin));
    }

    private static Route RouteOf(
        int interfaceIndex, IpAddress network, byte prefixLength, IpAddress gateway, uint metric, ulong untilNs, RouteOrigin origin)
    {
        Route route = default;
        route.Destination = network;
        route.PrefixLength = prefixLength;
        route.Gateway = gateway;
        route.InterfaceIndex = interfaceIndex;
        route.Metric = metric;
        route.Origin = origin;
        route.ExpiresNs = untilNs;
        return route;
    }

    private ulong IdentifierOf(int interfaceIndex) => MacAddress.InterfaceIdentifier(_interfaces[interfaceIndex].HardwareAddress);

    private ulong After(uint seconds) => seconds == Forever ? NetworkClock.Never : _clock.NowNs + (seconds * NetworkClock.NsPerSecond);

    private void Wake(ulong atNs) => _nextDeadlineNs = Math.Min(_nextDeadlineNs, atNs);
}
