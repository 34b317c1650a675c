// UDP endpoints by local port: who may bind where, and for whom a datagram is. The rules of SO_REUSEADDR and SO_REUSEPORT are Linux's
// (socket(7)): two endpoints may share a name if both set the same of the two options, for SO_REUSEPORT by the same user; of those that
// share by SO_REUSEPORT a hash of the conversation chooses one, of others the youngest gets what is for one.

namespace Lego.Kernel;

/// <summary>The table.</summary>
public sealed unsafe class UdpTable
{
    private const int Buckets = 1024;

    private readonly nint[] _buckets = new nint[Buckets];
    private readonly NetworkRandom _random;

    public UdpTable(NetworkRandom random)
    {
        _random = random;
    }

    /// <summary>Endpoints of a bucket of a port; the others follow by NextInBucket.</summary>
    internal DatagramEndpoint* BucketOf(ushort port) => (DatagramEndpoint*)_buckets[port % Buckets];

    /// <summary>Gives an endpoint a name: EADDRINUSE. Port 0: one that is free; EADDRINUSE when none is.</summary>
    internal Errno Bind(DatagramEndpoint* endpoint, SocketAddress local)
    {
        if (local.Port != 0)
        {
            return TryAdd(endpoint, local) ? Errno.None : Errno.EADDRINUSE;
        }

        ulong start = _random.Next();
        for (int step = 0; step < EphemeralPorts.Count; step++)
        {
            // A port for itself: sharing is for those who name one.
            ushort port = EphemeralPorts.At(start, step);
            if (!HasPort(port))
            {
                Add(endpoint, new SocketAddress(local.Address, port, local.Scope));
                return Errno.None;
            }
        }

        return Errno.EADDRINUSE;
    }

    /// <summary>Takes an endpoint out of the table; its name stays in it.</summary>
    internal void Remove(DatagramEndpoint* endpoint)
    {
        ref nint bucket = ref _buckets[endpoint->Local.Port % Buckets];
        if ((DatagramEndpoint*)bucket == endpoint)
        {
            bucket = (nint)endpoint->NextInBucket;
            return;
        }

        DatagramEndpoint* before = (DatagramEndpoint*)bucket;
        while (before != null && before->NextInBucket != endpoint)
        {
            before = before->NextInBucket;
        }

        if (before != null)
        {
            before->NextInBucket = endpoint->NextInBucket;
        }
    }

    /// <summary>Whom a datagram to one is for; null: nobody.</summary>
    internal DatagramEndpoint* Find(IpAddress local, ushort localPort, IpAddress remote, ushort remotePort, int interfaceIndex)
    {
        DatagramEndpoint* best = null;
        int bestScore = 0;
        int sharers = 0;
        for (DatagramEndpoint* endpoint = BucketOf(localPort); endpoint != null; endpoint = endpoint->NextInBucket)
        {
            int score = Score(endpoint, local, localPort, remote, remotePort, interfaceIndex);
            if (score > bestScore)
            {
                best = endpoint;
                bestScore = score;
                sharers = 1;
            }
            else if (score == bestScore && score > 0 && endpoint->Has(DatagramOptions.ReusePort) && best->Has(DatagramOptions.ReusePort))
            {
                sharers++;
            }
        }

        return sharers <= 1 ? best : Share(best, bestScore, sharers, local, localPort, remote, remotePort, interfaceIndex);
    }

    /// <summary>Whether an endpoint takes a datagram to a group or to all.</summary>
    internal static bool TakesFromMany(
        DatagramEndpoint* endpoint, IpAddress local, ushort localPort, IpAddress remote, ushort remotePort, int interfaceIndex)
    {
        if (Score(endpoint, local, localPort, remote, remotePort, interfaceIndex) == 0)
        {
            return false;
        }

        return !local.IsMulticast || endpoint->Has(DatagramOptions.MulticastAll) || GroupJoins.HasJoined(endpoint, local, interfaceIndex);
    }

    /// <summary>How well an endpoint fits, 0: not at all (Linux's compute_score).</summary>
    private static int Score(
        DatagramEndpoint* endpoint, IpAddress local, ushort localPort, IpAddress remote, ushort remotePort, int interfaceIndex)
    {
        if (endpoint->Local.Port != localPort || !endpoint->Takes(local.IsV4))
        {
            return 0;
        }

        int score = endpoint->IsV6 == local.IsV4 ? 1 : 2;
        if (!endpoint->Local.Address.IsUnspecified)
        {
            if (!endpoint->Local.Address.Equals(local))
            {
                return 0;
            }

            score += 4;
        }

        if (endpoint->IsConnected)
        {
            if (!endpoint->Remote.Address.Equals(remote) || endpoint->Remote.Port != remotePort)
            {
                return 0;
            }

            score += 8;
        }

        if (endpoint->InterfaceIndex != 0)
        {
            if (endpoint->InterfaceIndex != interfaceIndex)
            {
                return 0;
            }

            score += 4;
        }

        return score;
    }

    private DatagramEndpoint* Share(
        DatagramEndpoint* best, int score, int sharers, IpAddress local, ushort localPort, IpAddress remote, ushort remotePort,
        int interfaceIndex)
    {
        ulong chosen = _random.OffsetFor(remote.First ^ remotePort, remote.Second ^ local.Second) % (ulong)sharers;
        for (DatagramEndpoint* endpoint = best; endpoint != null; endpoint = endpoint->NextInBucket)
        {
            bool isSharer = endpoint->Has(DatagramOptions.ReusePort)
                && Score(endpoint, local, localPort, remote, remotePort, interfaceIndex) == score;
            if (isSharer && chosen-- == 0)
            {
                return endpoint;
            }
        }

        return best;
    }

    private bool TryAdd(DatagramEndpoint* endpoint, SocketAddress local)
    {
        for (DatagramEndpoint* other = BucketOf(local.Port); other != null; other = other->NextInBucket)
        {
            if (other->Local.Port == local.Port && Conflicts(endpoint, other, local.Address))
            {
                return false;
            }
        }

        Add(endpoint, local);
        return true;
    }

    private void Add(DatagramEndpoint* endpoint, SocketAddress local)
    {
        endpoint->Local = local;
        endpoint->IsBound = true;
        ref nint bucket = ref _buckets[local.Port % Buckets];
        endpoint->NextInBucket = (DatagramEndpoint*)bucket;
        bucket = (nint)endpoint;
    }

    private bool HasPort(ushort port)
    {
        for (DatagramEndpoint* other = BucketOf(port); other != null; other = other->NextInBucket)
        {
            if (other->Local.Port == port)
            {
                return true;
            }
        }

        return false;
    }

    private static bool Conflicts(DatagramEndpoint* endpoint, DatagramEndpoint* other, IpAddress address)
    {
        bool differByInterface = endpoint->InterfaceIndex != 0 && other->InterfaceIndex != 0
            && endpoint->InterfaceIndex != other->InterfaceIndex;
        bool shareByAddress = endpoint->Has(DatagramOptions.ReuseAddress) && other->Has(DatagramOptions.ReuseAddress);
        bool shareByPort = endpoint->Has(DatagramOptions.ReusePort) && other->Has(DatagramOptions.ReusePort)
            && endpoint->UserId == other->UserId;
        return !differByInterface && !shareByAddress && !shareByPort && Overlap(endpoint, address, other, other->Local.Address);
    }

    /// <summary>Whether two names have an address in common; the unspecified IPv6 address has IPv4's too, unless IPV6_V6ONLY.</summary>
    private static bool Overlap(DatagramEndpoint* a, IpAddress aAddress, DatagramEndpoint* b, IpAddress bAddress)
    {
        if (aAddress.IsUnspecified || bAddress.IsUnspecified)
        {
            bool aV4 = aAddress.IsUnspecified ? a->Takes(isV4: true) : aAddress.IsV4;
            bool bV4 = bAddress.IsUnspecified ? b->Takes(isV4: true) : bAddress.IsV4;
            bool aV6 = aAddress.IsUnspecified ? a->Takes(isV4: false) : !aAddress.IsV4;
            bool bV6 = bAddress.IsUnspecified ? b->Takes(isV4: false) : !bAddress.IsV4;
            return (aV4 && bV4) || (aV6 && bV6);
        }

        return aAddress.Equals(bAddress);
    }
}
