// Decides where a packet goes and what its source address is: to ourselves over the loopback interface, to a group or all on one link, to a
// neighbour, or to a router.

namespace Lego.Kernel;

/// <summary>Makes paths.</summary>
public sealed class IpRouter
{
    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly RoutingTable _routes;
    private readonly PathMtuCache _pathMtus;

    public IpRouter(InterfaceTable interfaces, AddressTable addresses, RoutingTable routes, PathMtuCache pathMtus)
    {
        _interfaces = interfaces;
        _addresses = addresses;
        _routes = routes;
        _pathMtus = pathMtus;
    }

    /// <summary>
    /// Whom a program means that names no destination: this node (connect(2) to INADDR_ANY, as Linux), by IPv4 where its own end has an
    /// address of that.
    /// </summary>
    public static IpAddress DestinationOf(IpAddress wished, IpAddress local) => !wished.IsUnspecified ? wished
        : wished.IsV4 || local.IsV4 ? IpAddress.FromV4(0x7F000001) : IpAddress.FromV6(0, 1);

    /// <summary>
    /// The path to a destination. ENETUNREACH without a route, ENETDOWN when the only one is down, EADDRNOTAVAIL without a source
    /// address, EINVAL for a link-local destination without an interface.
    /// </summary>
    /// <param name="destination">Where to.</param>
    /// <param name="interfaceIndex">Over which interface; 0: as the routes say.</param>
    /// <param name="wishedSource">Unspecified: the stack chooses.</param>
    /// <param name="path">The decision.</param>
    public Errno TryFind(IpAddress destination, int interfaceIndex, IpAddress wishedSource, out IpPath path)
    {
        path = default;
        path.NextHop = destination;
        path.Source = wishedSource;
        IpAddress preferredSource = default;
        bool isLinkScoped = destination.IsMulticast || destination.IsLimitedBroadcast || (!destination.IsV4 && destination.IsLinkLocal);
        if (!destination.IsMulticast && IsOurs(destination, interfaceIndex))
        {
            path.InterfaceIndex = InterfaceTable.LoopbackIndex;
            preferredSource = destination;
        }
        else if (isLinkScoped)
        {
            path.InterfaceIndex = LinkOf(destination, interfaceIndex, wishedSource);
            if (path.InterfaceIndex == 0)
            {
                return destination.IsV4 ? Errno.ENETUNREACH : Errno.EINVAL;
            }
        }
        else if (_routes.TryFind(destination, interfaceIndex, out Route route))
        {
            path.InterfaceIndex = route.InterfaceIndex;
            path.NextHop = route.HasGateway ? route.Gateway : destination;
            preferredSource = route.PreferredSource;
        }
        else
        {
            return Errno.ENETUNREACH;
        }

        if (!_interfaces.IsRunning(path.InterfaceIndex))
        {
            return Errno.ENETDOWN;
        }

        if (path.Source.IsUnspecified)
        {
            path.Source = !preferredSource.IsUnspecified ? preferredSource : _addresses.SourceFor(destination, path.InterfaceIndex);
        }

        ref NetworkInterface link = ref _interfaces[path.InterfaceIndex];
        path.LinkMtuBytes = destination.IsV4 ? link.MtuBytes : link.Ipv6MtuBytes;
        path.MtuBytes = destination.IsMulticast ? path.LinkMtuBytes : _pathMtus.For(destination, path.LinkMtuBytes);
        return path.Source.IsUnspecified ? Errno.EADDRNOTAVAIL : Errno.None;
    }

    private bool IsOurs(IpAddress destination, int interfaceIndex)
    {
        int link = interfaceIndex == InterfaceTable.LoopbackIndex ? 0 : interfaceIndex;
        return _addresses.IsLocal(destination, link);
    }

    /// <summary>
    /// The link of a group or a link-local address: as asked for, as the source says, as a route says, or the first that there is.
    /// </summary>
    private int LinkOf(IpAddress destination, int interfaceIndex, IpAddress source)
    {
        if (interfaceIndex != 0)
        {
            return _interfaces.Exists(interfaceIndex) ? interfaceIndex : 0;
        }

        int ofSource = source.IsUnspecified ? 0 : _addresses.InterfaceOf(source);
        if (ofSource != 0)
        {
            return ofSource;
        }

        if (_routes.TryFind(destination, 0, out Route route))
        {
            return route.InterfaceIndex;
        }

        // An IPv6 program has to say which link it means (RFC 4007, 6) unless it is a group's.
        bool mayBeAny = destination.IsV4 || destination.IsMulticast;
        for (int index = InterfaceTable.LoopbackIndex + 1; index <= _interfaces.LastIndex; index++)
        {
            if (mayBeAny && _interfaces.IsRunning(index))
            {
                return index;
            }
        }

        return 0;
    }
}
