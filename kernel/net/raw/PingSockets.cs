// Ping endpoints (icmp(7)): echo requests by programs without privileges. The endpoint's port is the identifier, which the stack fills
// in, as it does the checksum; only replies with that identifier come back.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>The protocol of ping endpoints.</summary>
public sealed unsafe class PingSockets
{
    private const int MaxPayloadBytes = ushort.MaxValue - IcmpHeader.SizeBytes - Ipv4Header.SizeBytes;

    private readonly DatagramEndpoints _endpoints;
    private readonly AddressTable _addresses;
    private readonly IpOutput _output;
    private readonly NetworkCounters _counters;
    private readonly NetworkRandom _random;

    public PingSockets(
        DatagramEndpoints endpoints, AddressTable addresses, IpOutput output, NetworkCounters counters, NetworkRandom random)
    {
        _endpoints = endpoints;
        _addresses = addresses;
        _output = output;
        _counters = counters;
        _random = random;
    }

    /// <summary>Gives an endpoint its address and identifier; 0: one is chosen. EINVAL, EADDRNOTAVAIL, EADDRINUSE.</summary>
    public Errno Bind(DatagramEndpoint* endpoint, in SocketAddress local)
    {
        if (endpoint->IsBound)
        {
            return Errno.EINVAL;
        }

        if (!local.Address.IsUnspecified && !_addresses.IsLocal(local.Address, (int)local.Scope))
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (local.Port != 0)
        {
            return Find(local.Port, endpoint->IsV6) == null ? SetName(endpoint, local) : Errno.EADDRINUSE;
        }

        ulong start = _random.Next();
        for (int step = 0; step < ushort.MaxValue; step++)
        {
            ushort identifier = (ushort)(start + (ulong)step);
            if (identifier != 0 && Find(identifier, endpoint->IsV6) == null)
            {
                return SetName(endpoint, new SocketAddress(local.Address, identifier, local.Scope));
            }
        }

        return Errno.EADDRINUSE;
    }

    /// <summary>
    /// Sends an echo request whose header the program has written, all but identifier and checksum. EINVAL for anything else.
    /// </summary>
    public Errno Send(DatagramEndpoint* endpoint, in DatagramSend send, ReadOnlySpan<byte> message)
    {
        byte request = endpoint->IsV6 ? Icmpv6Type.EchoRequest : IcmpType.Echo;
        if (!IcmpHeader.TryParse(message, out IcmpHeader program) || program.Type != request || program.Code != 0)
        {
            return Errno.EINVAL;
        }

        if (message.Length > MaxPayloadBytes)
        {
            return Errno.EMSGSIZE;
        }

        Errno error = endpoint->IsBound ? Errno.None : Bind(endpoint, endpoint->Local);
        if (error != Errno.None)
        {
            return error;
        }

        error = DatagramPath.TryPrepare(endpoint, send, _addresses, endpoint->Protocol, out OutgoingPacket packet, out _);
        error = error == Errno.None ? DatagramPath.TryBegin(endpoint) : error;
        if (error != Errno.None)
        {
            return error;
        }

        error = _output.TryFindPath(packet, out IpPath path);
        if (error != Errno.None)
        {
            return error;
        }

        Span<byte> header = stackalloc byte[IcmpHeader.SizeBytes];
        IcmpHeader.Write(header, request, 0, ((uint)endpoint->Local.Port << 16) | program.Sequence);
        InternetChecksum sum = default;
        if (endpoint->IsV6)
        {
            sum.AddPseudoHeader(path.Source, packet.Destination, IpProtocol.Icmpv6, message.Length);
        }

        sum.Add(header);
        sum.Add(program.Body);
        BinaryPrimitives.WriteUInt16BigEndian(header.Slice(IcmpHeader.ChecksumOffset), sum.Value);
        ref IcmpCounters counters = ref _counters.Icmp(packet.Destination.IsV4);
        counters.OutMsgs++;
        counters.OutEchos++;
        return _output.Send(packet, path, header, program.Body, default);
    }

    /// <summary>Takes an intact ICMP message: a reply goes to whoever has its identifier.</summary>
    public void Receive(scoped in IncomingPacket packet)
    {
        byte reply = packet.IsV4 ? IcmpType.EchoReply : Icmpv6Type.EchoReply;
        if (!IcmpHeader.TryParse(packet.Payload, out IcmpHeader message) || message.Type != reply)
        {
            return;
        }

        DatagramEndpoint* endpoint = Find(message.Identifier, !packet.IsV4);
        if (endpoint != null && DatagramEndpoints.Matches(endpoint, packet.Destination, packet.Source, packet.InterfaceIndex))
        {
            int most = endpoint->Program == null ? packet.Payload.Length
                : endpoint->Program->Passing(packet.ViewFrom(packet.Packet.Length - packet.Payload.Length), least: 1);
            if (most != 0)
            {
                _endpoints.Offer(endpoint, packet, packet.Payload.Slice(0, most), out _);
            }
        }
    }

    /// <summary>Takes an error about a request.</summary>
    public void ReceiveError(scoped in IncomingError error)
    {
        if (!IcmpHeader.TryParse(error.Payload, out IcmpHeader request)
            || request.Type != (error.IsV4 ? IcmpType.Echo : Icmpv6Type.EchoRequest))
        {
            return;
        }

        DatagramEndpoint* endpoint = Find(request.Identifier, !error.IsV4);
        if (endpoint != null)
        {
            _endpoints.OfferError(endpoint, error, error.Payload, new SocketAddress(error.Destination, 0));
        }
    }

    private static Errno SetName(DatagramEndpoint* endpoint, in SocketAddress local)
    {
        endpoint->Local = local;
        endpoint->IsBound = true;
        return Errno.None;
    }

    private DatagramEndpoint* Find(ushort identifier, bool isV6)
    {
        for (DatagramEndpoint* endpoint = _endpoints.NextOther(null); endpoint != null; endpoint = _endpoints.NextOther(endpoint))
        {
            if (endpoint->Kind == DatagramKind.Ping && endpoint->IsV6 == isV6 && endpoint->IsBound && endpoint->Local.Port == identifier)
            {
                return endpoint;
            }
        }

        return null;
    }
}
