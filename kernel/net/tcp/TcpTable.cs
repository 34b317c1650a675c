// Finding connections: by both ends (a hash table with a key, so that nobody can fill one bucket), and by local port, for listeners and for
// whether a port may be bound. A port in use has a record with all connections that have it (Linux's inet_bind_bucket).

using System;

namespace Lego.Kernel;

/// <summary>A local port that somebody uses.</summary>
internal unsafe struct TcpPort
{
    internal TcpPort* Next;

    /// <summary>All connections with this local port.</summary>
    internal TcpConnection* Users;

    internal TcpConnection* Listeners;

    /// <summary>Those that asked for this very port; others came by accept, or connect chose it.</summary>
    internal int BoundCount;
    internal ushort Number;
}

/// <summary>The tables of one Tcp.</summary>
internal sealed unsafe class TcpTable
{
    private const int PortBuckets = 1024;

    private readonly ulong[] _tuples;
    private readonly ulong[] _ports = new ulong[PortBuckets];
    private readonly Slab<TcpPort> _portRecords;
    private readonly ulong _key;
    private readonly SipHash _hash;
    private int _ephemeralSteps;

    internal TcpTable(FrameAllocator frames, int buckets, ulong key, SipHash hash)
    {
        _tuples = new ulong[buckets];
        _portRecords = new Slab<TcpPort>(frames);
        _key = key | 1;
        _hash = hash;
    }

    /// <summary>The connection between two ends, or null.</summary>
    internal TcpConnection* Find(in SocketAddress local, in SocketAddress remote)
    {
        TcpConnection* connection = (TcpConnection*)BucketOf(in local, in remote);
        while (connection != null && !(connection->Remote.Port == remote.Port && connection->Local.Port == local.Port
            && connection->Remote.Address.Equals(remote.Address) && connection->Local.Address.Equals(local.Address)
            && connection->Remote.Scope == remote.Scope))
        {
            connection = connection->HashNext;
        }

        return connection;
    }

    /// <summary>Adds a connection under its two ends.</summary>
    internal void Add(TcpConnection* connection)
    {
        ref ulong bucket = ref BucketOf(in connection->Local, in connection->Remote);
        connection->HashNext = (TcpConnection*)bucket;
        bucket = (ulong)connection;
        connection->Facts |= TcpFacts.Hashed;
    }

    internal void Remove(TcpConnection* connection)
    {
        if ((connection->Facts & TcpFacts.Hashed) == 0)
        {
            return;
        }

        connection->Facts &= ~TcpFacts.Hashed;
        ref ulong bucket = ref BucketOf(in connection->Local, in connection->Remote);
        if (bucket == (ulong)connection)
        {
            bucket = (ulong)connection->HashNext;
            return;
        }

        TcpConnection* previous = (TcpConnection*)bucket;
        while (previous->HashNext != connection)
        {
            previous = previous->HashNext;
        }

        previous->HashNext = connection->HashNext;
    }

    /// <summary>
    /// Gives a connection its local port, which Local names already; false without memory. <paramref name="isBound"/>: the port was asked
    /// for.
    /// </summary>
    internal bool TryHold(TcpConnection* connection, bool isBound)
    {
        TcpPort* port = FindPort(connection->Local.Port);
        if (port == null)
        {
            port = _portRecords.Allocate();
            if (port == null)
            {
                return false;
            }

            ref ulong bucket = ref _ports[connection->Local.Port % PortBuckets];
            port->Number = connection->Local.Port;
            port->Next = (TcpPort*)bucket;
            bucket = (ulong)port;
        }

        connection->Port = port;
        connection->PortPrevious = null;
        connection->PortNext = port->Users;
        if (port->Users != null)
        {
            port->Users->PortPrevious = connection;
        }

        port->Users = connection;
        if (isBound)
        {
            connection->Facts |= TcpFacts.Bound;
            port->BoundCount++;
        }

        return true;
    }

    /// <summary>The connection uses its port no longer.</summary>
    internal void Release(TcpConnection* connection)
    {
        TcpPort* port = connection->Port;
        if (port == null)
        {
            return;
        }

        RemoveListener(connection);
        if (connection->PortPrevious != null)
        {
            connection->PortPrevious->PortNext = connection->PortNext;
        }
        else
        {
            port->Users = connection->PortNext;
        }

        if (connection->PortNext != null)
        {
            connection->PortNext->PortPrevious = connection->PortPrevious;
        }

        port->BoundCount -= (connection->Facts & TcpFacts.Bound) != 0 ? 1 : 0;
        connection->Facts &= ~TcpFacts.Bound;
        connection->Port = null;
        if (port->Users == null)
        {
            FreePort(port);
        }
    }

    internal void AddListener(TcpConnection* listener)
    {
        listener->ListenNext = listener->Port->Listeners;
        listener->Port->Listeners = listener;
    }

    internal void RemoveListener(TcpConnection* listener)
    {
        TcpConnection** link = &listener->Port->Listeners;
        while (*link != null && *link != listener)
        {
            link = &(*link)->ListenNext;
        }

        if (*link == listener)
        {
            *link = listener->ListenNext;
            listener->ListenNext = null;
        }
    }

    /// <summary>
    /// The listener for a connection from there: one that is bound to the address goes before one for all addresses of the version, and
    /// that before one for both versions. Among equals (SO_REUSEPORT) the ends decide, so that a handshake stays with its listener.
    /// </summary>
    internal TcpConnection* FindListener(in SocketAddress local, in SocketAddress remote)
    {
        TcpPort* port = FindPort(local.Port);
        if (port == null)
        {
            return null;
        }

        int best = 0;
        uint equals = 0;
        for (TcpConnection* listener = port->Listeners; listener != null; listener = listener->ListenNext)
        {
            int fit = Fit(listener, local.Address);
            equals = fit > best ? 1 : fit == best && fit > 0 ? equals + 1 : equals;
            best = Math.Max(best, fit);
        }

        if (best == 0)
        {
            return null;
        }

        uint chosen = equals == 1 ? 0 : (uint)(Mix(in local, in remote) >> 32) % equals;
        for (TcpConnection* listener = port->Listeners; ; listener = listener->ListenNext)
        {
            if (Fit(listener, local.Address) == best && chosen-- == 0)
            {
                return listener;
            }
        }
    }

    /// <summary>May the connection have this address and port, beside those that use the port already (bind(2), socket(7))?</summary>
    internal bool MayBind(TcpConnection* connection, IpAddress address, ushort number)
    {
        TcpPort* port = FindPort(number);
        if (port == null)
        {
            return true;
        }

        for (TcpConnection* other = port->Users; other != null; other = other->PortNext)
        {
            TcpSocketFlags both = other->Flags & connection->Flags;
            bool mayShare = (both & TcpSocketFlags.ReusePort) != 0
                || ((both & TcpSocketFlags.ReuseAddress) != 0 && other->State != TcpState.Listen);
            if (other != connection && !mayShare && Overlaps(connection, address, other))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// A port for a connection to there, with which it is the only one between the two ends; 0 when there is none. The sequence of ports
    /// for a destination begins where a keyed hash says and goes on in steps (RFC 6056, 3.3.3), so that it is neither guessed nor reused
    /// early.
    /// </summary>
    internal ushort ChooseEphemeral(IpAddress local, in SocketAddress remote)
    {
        uint offset = (uint)TupleHash.Of(_hash, new SocketAddress(local, 0), in remote, SecretPurpose.EphemeralPort);
        for (int step = 0; step < EphemeralPorts.Count; step++)
        {
            ushort candidate = EphemeralPorts.At(offset, _ephemeralSteps++);
            TcpPort* port = FindPort(candidate);
            if (port == null || (port->BoundCount == 0 && Find(new SocketAddress(local, candidate), in remote) == null))
            {
                return candidate;
            }
        }

        return 0;
    }

    /// <summary>A port that nobody uses, for bind with port 0; 0 when there is none.</summary>
    internal ushort ChooseFree()
    {
        ulong offset = _hash.Of((ulong)SecretPurpose.EphemeralPort, 0);
        for (int step = 0; step < EphemeralPorts.Count; step++)
        {
            ushort candidate = EphemeralPorts.At(offset, _ephemeralSteps++);
            if (FindPort(candidate) == null)
            {
                return candidate;
            }
        }

        return 0;
    }

    private static int Fit(TcpConnection* listener, IpAddress address) =>
        listener->Local.Address.Equals(address) ? 3
        : !listener->Local.Address.IsUnspecified ? 0
        : listener->Local.Address.IsV4 == address.IsV4 ? 2
        : address.IsV4 && (listener->Flags & TcpSocketFlags.V6Only) == 0 ? 1 : 0;

    private static bool Overlaps(TcpConnection* connection, IpAddress address, TcpConnection* other)
    {
        IpAddress theirs = other->Local.Address;
        if (address.Equals(theirs))
        {
            return true;
        }

        return address.IsUnspecified ? Covers(address, connection->Flags, theirs)
            || (theirs.IsUnspecified && Covers(theirs, other->Flags, address))
            : theirs.IsUnspecified && Covers(theirs, other->Flags, address);
    }

    /// <summary>Does an unspecified address stand for this one, too?</summary>
    private static bool Covers(IpAddress unspecified, TcpSocketFlags flags, IpAddress address) =>
        unspecified.IsV4 == address.IsV4 || (address.IsV4 && (flags & TcpSocketFlags.V6Only) == 0);

    private TcpPort* FindPort(ushort number)
    {
        TcpPort* port = (TcpPort*)_ports[number % PortBuckets];
        while (port != null && port->Number != number)
        {
            port = port->Next;
        }

        return port;
    }

    private void FreePort(TcpPort* port)
    {
        ref ulong bucket = ref _ports[port->Number % PortBuckets];
        if (bucket == (ulong)port)
        {
            bucket = (ulong)port->Next;
        }
        else
        {
            TcpPort* previous = (TcpPort*)bucket;
            while (previous->Next != port)
            {
                previous = previous->Next;
            }

            previous->Next = port->Next;
        }

        _portRecords.Free(port);
    }

    private ref ulong BucketOf(in SocketAddress local, in SocketAddress remote) =>
        ref _tuples[(int)(Mix(in local, in remote) % (ulong)_tuples.Length)];

    /// <summary>
    /// Mixes by multiplication under a key: far cheaper than SipHash, and whoever fills a bucket would have to see times.
    /// </summary>
    private ulong Mix(in SocketAddress local, in SocketAddress remote)
    {
        ulong mixed = (remote.Address.FirstWord ^ _key) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 32) ^ remote.Address.SecondWord ^ local.Address.FirstWord) * _key;
        mixed = (mixed ^ (mixed >> 29) ^ local.Address.SecondWord ^ (((ulong)remote.Port << 16) | local.Port)) * 0xD6E8FEB86659FD93;
        mixed = (mixed ^ (mixed >> 32)) * _key;
        return mixed ^ (mixed >> 32);
    }
}
