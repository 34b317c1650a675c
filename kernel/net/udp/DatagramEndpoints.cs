// Makes and ends endpoints, keeps the list of all, and fills their queues. The protocols (Udp, PingSockets, RawSockets, PacketSockets)
// find out for whom something is; here it is decided whether there is room.

using System;

namespace Lego.Kernel;

/// <summary>All endpoints of a stack.</summary>
public sealed unsafe class DatagramEndpoints
{
    private const ulong MaxEndpoints = 16384;
    private const int MaxQueuedErrors = 16;

    private readonly NetworkClock _clock;
    private readonly PacketStore _packets;
    private readonly NetworkEvents _events;
    private readonly Slab<DatagramEndpoint> _slab;
    private DatagramEndpoint* _first;
    /// <summary>
    /// The last endpoint that is not UDP's; all of those precede UDP's, which may be very many and have a table of their own.
    /// </summary>
    private DatagramEndpoint* _lastOther;

    public DatagramEndpoints(FrameAllocator frames, NetworkClock clock, PacketStore packets, NetworkEvents events)
    {
        _clock = clock;
        _packets = packets;
        _events = events;
        _slab = new Slab<DatagramEndpoint>(frames, MaxEndpoints);
    }

    public ulong Count => _slab.InUse;

    /// <summary>The first of all endpoints; the others follow by <see cref="After"/>, those of UDP behind all others.</summary>
    public DatagramEndpoint* First => _first;

    /// <summary>The next of all endpoints, or null.</summary>
    public static DatagramEndpoint* After(DatagramEndpoint* endpoint) => endpoint->Next;

    /// <summary>A new endpoint without a name, or null.</summary>
    public DatagramEndpoint* Create(DatagramKind kind, bool isV6, byte protocol, ushort etherType, nint owner)
    {
        DatagramEndpoint* endpoint = _slab.Allocate();
        if (endpoint == null)
        {
            return null;
        }

        endpoint->Kind = kind;
        endpoint->IsV6 = isV6;
        endpoint->Protocol = protocol;
        endpoint->EtherType = etherType;
        endpoint->Owner = owner;
        endpoint->Options = DatagramOptions.MulticastLoop | DatagramOptions.MulticastAll;
        endpoint->HopLimit = OutgoingPacket.DefaultHopLimit;
        endpoint->MulticastHopLimit = OutgoingPacket.DefaultHopLimit;
        endpoint->Fragments = FragmentPolicy.PathMtu;
        endpoint->ChecksumOffset = kind == DatagramKind.Raw && protocol == IpProtocol.Icmpv6 ? IcmpHeader.ChecksumOffset : -1;
        endpoint->ReceiveBytes = DatagramEndpoint.DefaultReceiveBytes;
        endpoint->Local = new SocketAddress(isV6 ? default : IpAddress.AnyV4, 0);
        endpoint->Remote = endpoint->Local;
        Insert(endpoint, kind == DatagramKind.Udp ? _lastOther : null);
        if (kind != DatagramKind.Udp && _lastOther == null)
        {
            _lastOther = endpoint;
        }

        return endpoint;
    }

    /// <summary>Ends an endpoint that is in no protocol's table and in no group any more.</summary>
    public void Free(DatagramEndpoint* endpoint)
    {
        endpoint->Received.Clear(_packets);
        endpoint->Errors.Clear(_packets);
        if (endpoint == _lastOther)
        {
            _lastOther = endpoint->Previous;
        }

        if (endpoint->Previous != null)
        {
            endpoint->Previous->Next = endpoint->Next;
        }
        else
        {
            _first = endpoint->Next;
        }

        if (endpoint->Next != null)
        {
            endpoint->Next->Previous = endpoint->Previous;
        }

        _slab.Free(endpoint);
    }

    /// <summary>
    /// Queues a datagram, or counts that there was no room. The packet that it returns has its bytes and its time; addresses are the
    /// caller's to fill in, before anybody else runs. Null: dropped.
    /// </summary>
    public Packet* Offer(
        DatagramEndpoint* endpoint, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c, out bool isOutOfMemory)
    {
        isOutOfMemory = false;
        // One datagram fits always, as in Linux: the bound is looked at before it is added.
        if (endpoint->Received.SizeBytes >= endpoint->ReceiveBytes)
        {
            endpoint->Drops++;
            return null;
        }

        Packet* packet = _packets.Copy(a, b, c);
        if (packet == null)
        {
            endpoint->Drops++;
            isOutOfMemory = true;
            return null;
        }

        packet->ArrivalNs = _clock.NowNs;
        endpoint->Received.Add(packet);
        _events.Changed(endpoint);
        return packet;
    }

    /// <summary>The same for a packet of the IP layer, whose addresses are noted.</summary>
    public Packet* Offer(DatagramEndpoint* endpoint, scoped in IncomingPacket packet, ReadOnlySpan<byte> bytes, out bool isOutOfMemory)
    {
        Packet* queued = Offer(endpoint, bytes, default, default, out isOutOfMemory);
        if (queued != null)
        {
            uint scope = !packet.IsV4 && packet.Source.IsLinkLocal ? (uint)packet.InterfaceIndex : 0;
            queued->InterfaceIndex = packet.InterfaceIndex;
            queued->Source = new SocketAddress(packet.Source, 0, scope);
            queued->Destination = new SocketAddress(packet.Destination, 0);
            queued->HopLimit = packet.HopLimit;
            queued->TrafficClass = packet.TrafficClass;
        }

        return queued;
    }

    /// <summary>Notes an error: in the error queue for those who want it, and as SO_ERROR (ip(7), IP_RECVERR).</summary>
    public void OfferError(DatagramEndpoint* endpoint, scoped in IncomingError error, ReadOnlySpan<byte> payload, SocketAddress destination)
    {
        // SO_EE_ORIGIN_* of <linux/errqueue.h>.
        const byte originLocal = 1;
        const byte originIcmp = 2;
        const byte originIcmpv6 = 3;
        bool wantsQueue = endpoint->Has(DatagramOptions.ReceiveErrors);
        if (!wantsQueue && !(error.IsHard && endpoint->IsConnected))
        {
            return;
        }

        Packet* packet = wantsQueue && endpoint->Errors.Count < MaxQueuedErrors ? _packets.Copy(payload) : null;
        if (packet != null)
        {
            packet->ArrivalNs = _clock.NowNs;
            packet->Error = error.Error;
            packet->ErrorOrigin = error.Reporter.Equals(error.Source) ? originLocal : error.IsV4 ? originIcmp : originIcmpv6;
            packet->ErrorType = error.Type;
            packet->ErrorCode = error.Code;
            packet->ErrorInfo = (uint)error.MtuBytes;
            packet->Destination = destination;
            packet->Offender = new SocketAddress(error.Reporter, 0);
            packet->InterfaceIndex = error.InterfaceIndex;
            endpoint->Errors.Add(packet);
        }

        endpoint->Error = error.Error;
        _events.Changed(endpoint);
    }

    /// <summary>
    /// The oldest datagram, or the oldest error; the caller copies it and releases it with <see cref="Release"/>. Null: none. A peek
    /// leaves it
    /// where it is and adds a reference.
    /// </summary>
    public Packet* Take(DatagramEndpoint* endpoint, bool fromErrors, bool peek)
    {
        ref PacketQueue queue = ref fromErrors ? ref endpoint->Errors : ref endpoint->Received;
        if (!peek)
        {
            return queue.Take();
        }

        Packet* packet = queue.First;
        if (packet != null)
        {
            _packets.AddReference(packet);
        }

        return packet;
    }

    /// <summary>Bytes of the oldest datagram, 0 without one (FIONREAD).</summary>
    public static int LengthOfFirst(DatagramEndpoint* endpoint) => endpoint->Received.IsEmpty ? 0 : endpoint->Received.First->Length;

    public void Release(Packet* packet) => _packets.Release(packet);

    /// <summary>The pending error, which is cleared (SO_ERROR).</summary>
    public static Errno TakeError(DatagramEndpoint* endpoint)
    {
        Errno error = endpoint->Error;
        endpoint->Error = Errno.None;
        return error;
    }

    private void Insert(DatagramEndpoint* endpoint, DatagramEndpoint* before)
    {
        endpoint->Previous = before;
        endpoint->Next = before == null ? _first : before->Next;
        if (before == null)
        {
            _first = endpoint;
        }
        else
        {
            before->Next = endpoint;
        }

        if (endpoint->Next != null)
        {
            endpoint->Next->Previous = endpoint;
        }
    }

    /// <summary>The next endpoint that is not UDP's, the first for null; null at the end.</summary>
    internal DatagramEndpoint* NextOther(DatagramEndpoint* endpoint)
    {
        DatagramEndpoint* next = endpoint == null ? _first : endpoint->Next;
        return next != null && next->Kind != DatagramKind.Udp ? next : null;
    }

    /// <summary>What a raw or ping endpoint's address, peer and interface let through.</summary>
    internal static bool Matches(DatagramEndpoint* endpoint, IpAddress local, IpAddress remote, int interfaceIndex) =>
        (endpoint->InterfaceIndex == 0 || endpoint->InterfaceIndex == interfaceIndex)
        && (endpoint->Local.Address.IsUnspecified || endpoint->Local.Address.Equals(local))
        && (!endpoint->IsConnected || endpoint->Remote.Address.Equals(remote));
}
