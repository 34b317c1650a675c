// Raw endpoints (raw(7), ipv6(7)): whole packets of a protocol, beside whoever else takes them. Over IPv4 a program reads the IP header
// and may write it (IP_HDRINCL); over IPv6 it sees only what follows.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>The protocol of raw endpoints.</summary>
public sealed unsafe class RawSockets
{
    private readonly DatagramEndpoints _endpoints;
    private readonly AddressTable _addresses;
    private readonly IpOutput _output;

    public RawSockets(DatagramEndpoints endpoints, AddressTable addresses, IpOutput output)
    {
        _endpoints = endpoints;
        _addresses = addresses;
        _output = output;
    }

    /// <summary>Begins an endpoint; whoever speaks IPPROTO_RAW writes the header (raw(7)).</summary>
    public static void Open(DatagramEndpoint* endpoint)
    {
        if (!endpoint->IsV6 && endpoint->Protocol == IpProtocol.Raw)
        {
            endpoint->Options |= DatagramOptions.HeaderIncluded;
        }
    }

    /// <summary>Gives an endpoint its address: EADDRNOTAVAIL.</summary>
    public Errno Bind(DatagramEndpoint* endpoint, in SocketAddress local)
    {
        if (!local.Address.IsUnspecified && !local.Address.IsMulticast && !_addresses.IsLocal(local.Address, (int)local.Scope))
        {
            return Errno.EADDRNOTAVAIL;
        }

        endpoint->Local = new SocketAddress(local.Address, 0, local.Scope);
        endpoint->IsBound = true;
        return Errno.None;
    }

    /// <summary>Sends a packet. EINVAL for a header that is none, EMSGSIZE, and the errors of <see cref="IpOutput"/>.</summary>
    public Errno Send(DatagramEndpoint* endpoint, in DatagramSend send, ReadOnlySpan<byte> bytes)
    {
        Errno error = DatagramPath.TryPrepare(endpoint, send, _addresses, endpoint->Protocol, out OutgoingPacket packet, out _);
        error = error == Errno.None ? DatagramPath.TryBegin(endpoint) : error;
        if (error != Errno.None)
        {
            return error;
        }

        if (endpoint->Has(DatagramOptions.HeaderIncluded) && !endpoint->IsV6)
        {
            return SendWithHeader(packet, bytes);
        }

        error = _output.TryFindPath(packet, out IpPath path);
        if (error != Errno.None)
        {
            return error;
        }

        // The checksum lies within the first bytes, which are sent from a copy.
        Span<byte> start = stackalloc byte[IpOutput.MaxProtocolHeaderBytes];
        start = start.Slice(0, Math.Min(start.Length, bytes.Length));
        bytes.Slice(0, start.Length).CopyTo(start);
        ReadOnlySpan<byte> rest = bytes.Slice(start.Length);
        int offset = endpoint->IsV6 ? endpoint->ChecksumOffset : -1;
        if (offset >= 0)
        {
            if (offset + sizeof(ushort) > start.Length)
            {
                return Errno.EINVAL;
            }

            BinaryPrimitives.WriteUInt16BigEndian(start.Slice(offset), 0);
            InternetChecksum sum = default;
            sum.AddPseudoHeader(path.Source, packet.Destination, endpoint->Protocol, bytes.Length);
            sum.Add(start);
            sum.Add(rest);
            BinaryPrimitives.WriteUInt16BigEndian(start.Slice(offset), sum.Value);
        }

        return _output.Send(packet, path, start, rest, default);
    }

    /// <summary>Gives copies of a packet to all whose protocol it is; whether there was one.</summary>
    public bool Receive(scoped in IncomingPacket packet)
    {
        bool isTaken = false;
        for (DatagramEndpoint* endpoint = _endpoints.NextOther(null); endpoint != null; endpoint = _endpoints.NextOther(endpoint))
        {
            if (!IsOf(endpoint, packet.Protocol, packet.IsV4)
                || !DatagramEndpoints.Matches(endpoint, packet.Destination, packet.Source, packet.InterfaceIndex))
            {
                continue;
            }

            isTaken = true;
            if (!IsFiltered(endpoint, packet))
            {
                ReadOnlySpan<byte> bytes = packet.IsV4 ? packet.Packet : packet.Payload;
                int most = endpoint->Program == null ? bytes.Length
                    : endpoint->Program->Passing(packet.ViewFrom(packet.Packet.Length - bytes.Length), least: 1);
                if (endpoint->Program == null || most != 0)
                {
                    _endpoints.Offer(endpoint, packet, bytes.Slice(0, most), out _);
                }
            }
        }

        return isTaken;
    }

    /// <summary>Takes an error about a packet.</summary>
    public void ReceiveError(scoped in IncomingError error)
    {
        for (DatagramEndpoint* endpoint = _endpoints.NextOther(null); endpoint != null; endpoint = _endpoints.NextOther(endpoint))
        {
            if (IsOf(endpoint, error.Protocol, error.IsV4)
                && DatagramEndpoints.Matches(endpoint, error.Source, error.Destination, error.InterfaceIndex))
            {
                _endpoints.OfferError(endpoint, error, error.Payload, new SocketAddress(error.Destination, 0));
            }
        }
    }

    private static bool IsOf(DatagramEndpoint* endpoint, byte protocol, bool isV4) =>
        endpoint->Kind == DatagramKind.Raw && endpoint->IsV6 != isV4 && endpoint->Protocol == protocol;

    private static bool IsFiltered(DatagramEndpoint* endpoint, scoped in IncomingPacket packet)
    {
        if (packet.Payload.IsEmpty)
        {
            return false;
        }

        if (packet.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6)
        {
            return endpoint->Filter.Blocks(packet.Payload[0]);
        }

        return !packet.IsV4 && endpoint->ChecksumOffset >= 0
            && !ChecksumField.IsIntact(packet.Payload, packet.Source, packet.Destination, packet.Protocol);
    }

    /// <summary>
    /// A header that the program has written: the stack fills in what is 0 of source and identification, and lengths (raw(7)).
    /// </summary>
    private Errno SendWithHeader(in OutgoingPacket packet, ReadOnlySpan<byte> bytes)
    {
        if (!Ipv4Header.TryParseQuoted(bytes, out Ipv4Header header))
        {
            return Errno.EINVAL;
        }

        OutgoingPacket sent = packet;
        sent.Protocol = header.Protocol;
        sent.Source = header.Source.IsUnspecified ? packet.Source : header.Source;
        Errno error = _output.TryFindPath(sent, out IpPath path);
        return error == Errno.None ? _output.SendWhole(path, header.Header, header.Payload) : error;
    }
}
