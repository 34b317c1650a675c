// Where packets go: the longest prefix that matches a destination wins, then the lowest metric, then the older route. The table is kept in
// that order and searched from the front; a host has a handful of routes, and a search of a few entries is cheaper than a tree.

namespace Lego.Kernel;

/// <summary>Who has made a route (rtm_protocol, rtnetlink(7)).</summary>
public enum RouteOrigin : byte
{
    None = 0,
    Redirect = 1,
    Kernel = 2,
    Boot = 3,
    Static = 4,
    RouterAdvertisement = 9,
    Dhcp = 16,
}

/// <summary>One route.</summary>
public struct Route
{
    /// <summary>Network; its bits beyond the prefix are 0.</summary>
    public IpAddress Destination;
    /// <summary>In bits of the version's own length; 0 for a default route.</summary>
    public byte PrefixLength;
    /// <summary>Unspecified: destinations are neighbours.</summary>
    public IpAddress Gateway;
    public int InterfaceIndex;
    public uint Metric;
    /// <summary>Source address for those who have none; unspecified: by the rules of RFC 6724.</summary>
    public IpAddress PreferredSource;
    public RouteOrigin Origin;
    /// <summary>Monotonic; NetworkClock.Never = for ever.</summary>
    public ulong ExpiresNs;

    public readonly bool HasGateway => !Gateway.IsUnspecified;

    internal readonly bool IsSameAs(in Route other) =>
        Destination.Equals(other.Destination) && PrefixLength == other.PrefixLength && Metric == other.Metric
        && Gateway.Equals(other.Gateway) && InterfaceIndex == other.InterfaceIndex;

    /// <summary>Whether it is looked at before another one that matches too.</summary>
    internal readonly bool Precedes(in Route other) =>
        PrefixLength != other.PrefixLength ? PrefixLength > other.PrefixLength : Metric < other.Metric;
}

/// <summary>All routes of a stack, of both versions.</summary>
public sealed class RoutingTable
{
    /// <summary>Routers and servers may not fill memory with routes.</summary>
    public const int Capacity = 128;

    private readonly Route[] _routes = new Route[Capacity];

    public int Count { get; private set; }

    /// <summary>By position, most specific first.</summary>
    public ref readonly Route this[int position] => ref _routes[position];

    /// <summary>Adds a route: EEXIST, ENOBUFS when the table is full, EINVAL for bits beyond the prefix.</summary>
    public Errno Add(in Route route)
    {
        int bits = route.Destination.IsV4 ? IpAddress.V4Bytes * 8 : IpAddress.V6Bytes * 8;
        if (route.PrefixLength > bits || !IsNetwork(route.Destination, route.PrefixLength))
        {
            return Errno.EINVAL;
        }

        int position = 0;
        for (int index = 0; index < Count; index++)
        {
            if (_routes[index].IsSameAs(route))
            {
                return Errno.EEXIST;
            }

            if (!route.Precedes(_routes[index]))
            {
                position = index + 1;
            }
        }

        if (Count == Capacity)
        {
            return Errno.ENOBUFS;
        }

        for (int index = Count; index > position; index--)
        {
            _routes[index] = _routes[index - 1];
        }

        _routes[position] = route;
        Count++;
        return Errno.None;
    }

    /// <summary>Adds it, or gives the route that is there already a new lifetime.</summary>
    public Errno AddOrRefresh(in Route route)
    {
        for (int index = 0; index < Count; index++)
        {
            if (_routes[index].IsSameAs(route))
            {
                _routes[index].ExpiresNs = route.ExpiresNs;
                return Errno.None;
            }
        }

        return Add(route);
    }

    /// <summary>Takes a route away: ESRCH when it is not there.</summary>
    public Errno Remove(in Route route)
    {
        for (int index = 0; index < Count; index++)
        {
            if (_routes[index].IsSameAs(route))
            {
                RemoveAt(index);
                return Errno.None;
            }
        }

        return Errno.ESRCH;
    }

    /// <summary>Takes away all that one origin has made for an interface.</summary>
    public void RemoveAll(RouteOrigin origin, int interfaceIndex, bool isV4)
    {
        for (int index = Count - 1; index >= 0; index--)
        {
            ref Route route = ref _routes[index];
            if (route.Origin == origin && route.InterfaceIndex == interfaceIndex && route.Destination.IsV4 == isV4)
            {
                RemoveAt(index);
            }
        }
    }

    /// <summary>Takes away what has expired; when the next one does.</summary>
    public ulong RemoveExpired(ulong nowNs)
    {
        ulong next = NetworkClock.Never;
        for (int index = Count - 1; index >= 0; index--)
        {
            if (_routes[index].ExpiresNs <= nowNs)
            {
                RemoveAt(index);
            }
            else if (_routes[index].ExpiresNs < next)
            {
                next = _routes[index].ExpiresNs;
            }
        }

        return next;
    }

    /// <summary>The route for a destination. Interface 0 stands for any.</summary>
    public bool TryFind(IpAddress destination, int interfaceIndex, out Route route)
    {
        for (int index = 0; index < Count; index++)
        {
            ref Route candidate = ref _routes[index];
            if ((interfaceIndex == 0 || candidate.InterfaceIndex == interfaceIndex)
                && destination.HasPrefix(candidate.Destination, candidate.PrefixLength))
            {
                route = candidate;
                return true;
            }
        }

        route = default;
        return false;
    }

    /// <summary>An address without the bits beyond a prefix.</summary>
    public static IpAddress NetworkOf(IpAddress address, int prefixLength)
    {
        if (address.IsV4)
        {
            return IpAddress.FromV4(prefixLength == 0 ? 0 : address.V4 & (uint.MaxValue << (32 - prefixLength)));
        }

        ulong first = prefixLength == 0 ? 0 : prefixLength >= 64 ? address.First : address.First & (ulong.MaxValue << (64 - prefixLength));
        ulong second = prefixLength <= 64 ? 0 : address.Second & (ulong.MaxValue << (128 - prefixLength));
        return IpAddress.FromV6(first, second);
    }

    private static bool IsNetwork(IpAddress address, int prefixLength) => NetworkOf(address, prefixLength).Equals(address);

    private void RemoveAt(int position)
    {
        for (int index = position; index + 1 < Count; index++)
        {
            _routes[index] = _routes[index + 1];
        }

        Count--;
    }
}
