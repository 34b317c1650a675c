// UDP (RFC 768; RFC 8200, 8.1; RFC 1122, 4.1) over both versions of IP. An endpoint of IPv6 speaks IPv4 too, by mapped addresses, unless
// it says otherwise (RFC 3493, 5.3). Nothing blocks: what finds no room is dropped and counted.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>The protocol.</summary>
public sealed unsafe class Udp
{
    private readonly DatagramEndpoints _endpoints;
    private readonly UdpTable _table;
    private readonly AddressTable _addresses;
    private readonly IpOutput _output;
    private readonly NetworkCounters _counters;

    public Udp(
        DatagramEndpoints endpoints, AddressTable addresses, IpOutput output, NetworkCounters counters, NetworkRandom random)
    {
        _endpoints = endpoints;
        _table = new UdpTable(random);
        _addresses = addresses;
        _output = output;
        _counters = counters;
    }

    /// <summary>
    /// Gives an endpoint its name; port 0: one is chosen. EINVAL when it has one, EADDRNOTAVAIL for an address that is not ours,
    /// EADDRINUSE, EAFNOSUPPORT for the other version's address.
    /// </summary>
    public Errno Bind(DatagramEndpoint* endpoint, in SocketAddress local)
    {
        if (endpoint->IsBound)
        {
            return Errno.EINVAL;
        }

        IpAddress address = local.Address;
        if (!endpoint->Takes(address.IsV4))
        {
            return Errno.EAFNOSUPPORT;
        }

        bool isPossible = address.IsUnspecified || address.IsMulticast || _addresses.IsBroadcast(address, 0)
            || _addresses.IsLocal(address, (int)local.Scope);
        Errno error = isPossible ? _table.Bind(endpoint, local) : Errno.EADDRNOTAVAIL;
        endpoint->IsPortNamed = error == Errno.None && local.Port != 0;
        return error;
    }

    /// <summary>
    /// Names the peer; no packet is sent. Errors: <see cref="IpRouter.TryFind"/>, EACCES for a broadcast address that is not allowed,
    /// EINVAL for a link-local address without its interface (ipv6(7)).
    /// </summary>
    public Errno Connect(DatagramEndpoint* endpoint, in SocketAddress remote)
    {
        DatagramSend send = DatagramSend.ToPeer;
        send.HasDestination = true;
        send.Destination = remote;
        if (!remote.Address.IsV4 && remote.Address.IsLinkLocal && remote.Scope == 0 && endpoint->InterfaceIndex == 0)
        {
            return Errno.EINVAL;
        }

        Errno error = DatagramPath.TryPrepare(
            endpoint, send, _addresses, IpProtocol.Udp, out OutgoingPacket packet, out SocketAddress destination);
        if (error == Errno.None)
        {
            error = _output.TryFindPath(packet, out IpPath path);
            if (error == Errno.None)
            {
                error = SetPeer(endpoint, path.Source, destination);
            }
        }

        return error;
    }

    /// <summary>Forgets the peer (connect(2) with AF_UNSPEC); an address and a port that the user has not named go too.</summary>
    public void Disconnect(DatagramEndpoint* endpoint)
    {
        endpoint->IsConnected = false;
        endpoint->Remote = new SocketAddress(endpoint->IsV6 ? default : IpAddress.AnyV4, 0);
        if (endpoint->Kind == DatagramKind.Udp && endpoint->IsBound && !endpoint->IsPortNamed)
        {
            _table.Remove(endpoint);
            endpoint->IsBound = false;
            endpoint->Local = new SocketAddress(endpoint->Local.Address, 0, endpoint->Local.Scope);
        }

        if (endpoint->IsAddressChosen)
        {
            endpoint->Local = new SocketAddress(endpoint->Remote.Address, endpoint->Local.Port);
            endpoint->IsAddressChosen = false;
        }
    }

    /// <summary>
    /// Sends a datagram of two pieces. EMSGSIZE, EINVAL for port 0, the errors of <see cref="DatagramPath.TryPrepare"/>,
    /// <see cref="IpRouter.TryFind"/> and <see cref="IpOutput"/>, then those of
    /// <see cref="DatagramPath.TryBegin"/>.
    /// </summary>
    public Errno Send(DatagramEndpoint* endpoint, in DatagramSend send, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Errno error = DatagramPath.TryPrepare(
            endpoint, send, _addresses, IpProtocol.Udp, out OutgoingPacket packet, out SocketAddress destination);
        if (error != Errno.None)
        {
            return error;
        }

        if (destination.Port == 0)
        {
            return Errno.EINVAL;
        }

        if (a.Length + b.Length > UdpHeader.MaxPayloadBytes)
        {
            return Errno.EMSGSIZE;
        }

        if (!endpoint->IsBound && _table.Bind(endpoint, endpoint->Local) != Errno.None)
        {
            return Errno.EAGAIN;
        }

        error = _output.TryFindPath(packet, out IpPath path);
        error = error == Errno.None ? DatagramPath.TryBegin(endpoint) : error;
        return error == Errno.None ? SendAlong(endpoint, packet, path, destination.Port, a, b) : error;
    }

    /// <summary>Takes a datagram. False: nobody listens on its port, and its sender may be told.</summary>
    public bool TryReceive(scoped in IncomingPacket packet)
    {
        ref UdpCounters counters = ref _counters.Udp(packet.IsV4);
        if (!UdpHeader.TryParse(packet.Payload, out UdpHeader header))
        {
            counters.InErrors++;
            return true;
        }

        // Without a checksum it is believed over IPv4 only (RFC 8200, 8.1).
        bool isIntact = header.Checksum == 0
            ? packet.IsV4
            : ChecksumField.IsIntact(header.Datagram, packet.Source, packet.Destination, IpProtocol.Udp);
        if (!isIntact)
        {
            counters.InErrors++;
            counters.InCsumErrors++;
            return true;
        }

        if (packet.Destination.IsMulticast || _addresses.IsBroadcast(packet.Destination, packet.InterfaceIndex))
        {
            ReceiveFromMany(packet, header, ref counters);
            return true;
        }

        DatagramEndpoint* endpoint = _table.Find(
            packet.Destination, header.DestinationPort, packet.Source, header.SourcePort, packet.InterfaceIndex);
        if (endpoint == null)
        {
            counters.NoPorts++;
            return false;
        }

        Queue(endpoint, packet, header, ref counters);
        return true;
    }

    /// <summary>Takes an error about a datagram of ours.</summary>
    public void ReceiveError(scoped in IncomingError error)
    {
        if (error.Payload.Length < UdpHeader.SizeBytes)
        {
            return;
        }

        ushort localPort = BinaryPrimitives.ReadUInt16BigEndian(error.Payload);
        ushort remotePort = BinaryPrimitives.ReadUInt16BigEndian(error.Payload.Slice(sizeof(ushort)));
        DatagramEndpoint* endpoint = _table.Find(error.Source, localPort, error.Destination, remotePort, error.InterfaceIndex);
        if (endpoint != null)
        {
            _endpoints.OfferError(
                endpoint, error, error.Payload.Slice(UdpHeader.SizeBytes), new SocketAddress(error.Destination, remotePort));
        }
    }

    /// <summary>Takes an endpoint out of the table.</summary>
    public void Close(DatagramEndpoint* endpoint)
    {
        if (endpoint->IsBound)
        {
            _table.Remove(endpoint);
        }
    }

    private Errno SetPeer(DatagramEndpoint* endpoint, IpAddress source, in SocketAddress destination)
    {
        if (!endpoint->IsBound && _table.Bind(endpoint, endpoint->Local) != Errno.None)
        {
            return Errno.EAGAIN;
        }

        // What another peer has brought stays until there is none (inet_saddr of Linux).
        if (endpoint->Local.Address.IsUnspecified)
        {
            endpoint->Local = new SocketAddress(source, endpoint->Local.Port, endpoint->Local.Scope);
            endpoint->IsAddressChosen = true;
        }

        endpoint->Remote = destination;
        endpoint->IsConnected = true;
        return Errno.None;
    }

    private Errno SendAlong(
        DatagramEndpoint* endpoint, in OutgoingPacket packet, in IpPath path, ushort port, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        ref UdpCounters counters = ref _counters.Udp(packet.Destination.IsV4);
        Span<byte> header = stackalloc byte[UdpHeader.SizeBytes];
        UdpHeader.Write(header, endpoint->Local.Port, port, a.Length + b.Length);
        if (!endpoint->Has(DatagramOptions.NoChecksum) || !packet.Destination.IsV4)
        {
            UdpHeader.WriteChecksum(header, path.Source, packet.Destination, a, b);
        }

        Errno error = _output.Send(packet, path, header, a, b);
        counters.OutDatagrams += error == Errno.None ? 1UL : 0;
        counters.SndbufErrors += error == Errno.ENOBUFS ? 1UL : 0;
        return error;
    }

    private void ReceiveFromMany(scoped in IncomingPacket packet, scoped in UdpHeader header, ref UdpCounters counters)
    {
        bool isTaken = false;
        for (DatagramEndpoint* endpoint = _table.BucketOf(header.DestinationPort); endpoint != null; endpoint = endpoint->NextInBucket)
        {
            if (UdpTable.TakesFromMany(
                endpoint, packet.Destination, header.DestinationPort, packet.Source, header.SourcePort, packet.InterfaceIndex))
            {
                Queue(endpoint, packet, header, ref counters);
                isTaken = true;
            }
        }

        counters.IgnoredMulti += isTaken ? 0UL : 1;
    }

    private void Queue(DatagramEndpoint* endpoint, scoped in IncomingPacket packet, scoped in UdpHeader header, ref UdpCounters counters)
    {
        ReadOnlySpan<byte> payload = header.Payload;
        if (endpoint->Program != null)
        {
            FilterView view = packet.ViewFrom(packet.Packet.Length - packet.Payload.Length);
            view.Head = view.Head.Slice(0, view.Start + header.Datagram.Length);
            int most = endpoint->Program->Passing(in view, UdpHeader.SizeBytes);
            if (most == 0)
            {
                counters.InErrors++;
                endpoint->Drops++;
                return;
            }

            payload = payload.Slice(0, Math.Min(payload.Length, most - UdpHeader.SizeBytes));
        }

        Packet* queued = _endpoints.Offer(endpoint, packet, payload, out bool isOutOfMemory);
        if (queued != null)
        {
            queued->Source = new SocketAddress(queued->Source.Address, header.SourcePort, queued->Source.Scope);
            queued->Destination = new SocketAddress(queued->Destination.Address, header.DestinationPort);
            counters.InDatagrams++;
        }
        else
        {
            counters.InErrors++;
            counters.RcvbufErrors += isOutOfMemory ? 0UL : 1;
            counters.MemErrors += isOutOfMemory ? 1UL : 0;
        }
    }
}
