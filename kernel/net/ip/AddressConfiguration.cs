// What it takes to give an interface an address or a router, by hand or by DHCP: the entry, the route to its network, and telling the
// neighbours.

using System;

namespace Lego.Kernel;

/// <summary>Changes addresses and default routes as wholes.</summary>
public sealed class AddressConfiguration
{
    private const uint DhcpMetric = 100;

    private readonly AddressTable _addresses;
    private readonly RoutingTable _routes;
    private readonly InterfaceTable _interfaces;
    private readonly Autoconfiguration _autoconfiguration;
    private readonly NameServers _nameServers;
    private readonly ArpInput _arp;

    public AddressConfiguration(
        AddressTable addresses, RoutingTable routes, InterfaceTable interfaces, Autoconfiguration autoconfiguration,
        NameServers nameServers, ArpInput arp)
    {
        _addresses = addresses;
        _routes = routes;
        _interfaces = interfaces;
        _autoconfiguration = autoconfiguration;
        _nameServers = nameServers;
        _arp = arp;
    }

    /// <summary>
    /// Adds an address with the route to its network: EEXIST, ENOBUFS, ENODEV, EINVAL. An IPv6 address is used once nobody has claimed it.
    /// </summary>
    public Errno Add(int interfaceIndex, IpAddress address, byte prefixLength, bool isDynamic)
    {
        if (!_interfaces.Exists(interfaceIndex))
        {
            return Errno.ENODEV;
        }

        if (address.IsUnspecified || address.IsMulticast || prefixLength > (address.IsV4 ? 32 : 128))
        {
            return Errno.EINVAL;
        }

        bool isLoopback = _interfaces[interfaceIndex].Kind == InterfaceKind.Loopback;
        Errno error = !address.IsV4 && !isLoopback
            ? _autoconfiguration.AddAddress(interfaceIndex, address, prefixLength, NetworkClock.Never, NetworkClock.Never, isDynamic, 0)
            : AddAtOnce(interfaceIndex, address, prefixLength, isDynamic);
        if (error != Errno.None || isLoopback)
        {
            return error;
        }

        _routes.AddOrRefresh(NetworkRoute(interfaceIndex, address, prefixLength));
        if (address.IsV4)
        {
            _arp.Announce(interfaceIndex, address);
        }

        return Errno.None;
    }

    /// <summary>Takes an address away, and its network's route: EADDRNOTAVAIL.</summary>
    public Errno Remove(int interfaceIndex, IpAddress address)
    {
        int index = _addresses.Find(address, interfaceIndex);
        if (index < 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        _routes.Remove(NetworkRoute(interfaceIndex, address, _addresses[index].PrefixLength));
        return address.IsV4 ? _addresses.Remove(address, interfaceIndex) : _autoconfiguration.RemoveAddress(interfaceIndex, address);
    }

    /// <summary>Makes a router the way to everywhere, in place of those of the same origin: ENOBUFS.</summary>
    public Errno SetRouter(int interfaceIndex, IpAddress router, RouteOrigin origin)
    {
        RemoveRouters(interfaceIndex, origin);
        Route route = default;
        route.Destination = router.IsV4 ? IpAddress.AnyV4 : default;
        route.Gateway = router;
        route.InterfaceIndex = interfaceIndex;
        route.Metric = origin == RouteOrigin.Dhcp ? DhcpMetric : 0;
        route.Origin = origin;
        route.ExpiresNs = NetworkClock.Never;
        return _routes.Add(route);
    }

    /// <summary>Takes away the IPv4 routes of an origin.</summary>
    public void RemoveRouters(int interfaceIndex, RouteOrigin origin) => _routes.RemoveAll(origin, interfaceIndex, isV4: true);

    /// <summary>Takes a list of IPv4 addresses as DHCP has it.</summary>
    public void SetNameServers(ReadOnlySpan<byte> addresses)
    {
        _nameServers.Clear(isV4: true);
        for (int at = 0; at + IpAddress.V4Bytes <= addresses.Length; at += IpAddress.V4Bytes)
        {
            _nameServers.Add(IpAddress.FromV4(addresses.Slice(at)));
        }
    }

    private Errno AddAtOnce(int interfaceIndex, IpAddress address, byte prefixLength, bool isDynamic)
    {
        InterfaceAddress entry = default;
        entry.Address = address;
        entry.PrefixLength = prefixLength;
        entry.InterfaceIndex = interfaceIndex;
        entry.State = AddressState.Preferred;
        entry.IsDynamic = isDynamic;
        entry.PreferredUntilNs = NetworkClock.Never;
        entry.ValidUntilNs = NetworkClock.Never;
        return _addresses.Add(entry);
    }

    private static Route NetworkRoute(int interfaceIndex, IpAddress address, byte prefixLength)
    {
        Route route = default;
        route.Destination = RoutingTable.NetworkOf(address, prefixLength);
        route.PrefixLength = prefixLength;
        route.InterfaceIndex = interfaceIndex;
        // An IPv6 address may have to wait until it is sure to be ours; its choice is left to the rules.
        route.PreferredSource = address.IsV4 ? address : default;
        route.Origin = RouteOrigin.Kernel;
        route.ExpiresNs = NetworkClock.Never;
        return route;
    }
}
