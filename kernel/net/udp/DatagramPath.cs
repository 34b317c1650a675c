// From an endpoint's options and what goes with a datagram to the packet that is sent: the part that UDP, ping and raw endpoints share.

namespace Lego.Kernel;

/// <summary>Makes packets of endpoints' options.</summary>
public static unsafe class DatagramPath
{
    /// <summary>
    /// The fields of a packet. EDESTADDRREQ without a destination, EACCES for a broadcast that was not allowed, EAFNOSUPPORT and
    /// ENETUNREACH for the other version's addresses, EPIPE after a shutdown.
    /// </summary>
    public static Errno TryPrepare(
        DatagramEndpoint* endpoint, in DatagramSend send, AddressTable addresses, byte protocol, out OutgoingPacket packet,
        out SocketAddress destination)
    {
        packet = default;
        destination = send.HasDestination ? send.Destination : endpoint->Remote;
        if (!send.HasDestination && !endpoint->IsConnected)
        {
            return Errno.EDESTADDRREQ;
        }

        IpAddress to = IpRouter.DestinationOf(destination.Address, endpoint->Local.Address);
        destination = new SocketAddress(to, destination.Port, destination.Scope);
        if (!endpoint->Takes(to.IsV4))
        {
            return to.IsV4 ? Errno.ENETUNREACH : Errno.EAFNOSUPPORT;
        }

        // A source of IPv4 for IPv6 (ip6_dst_lookup_tail).
        if (!to.IsV4 && endpoint->Local.Address.IsV4)
        {
            return Errno.EAFNOSUPPORT;
        }

        bool isBroadcast = addresses.IsBroadcast(to, 0);
        if (isBroadcast && !endpoint->Has(DatagramOptions.Broadcast))
        {
            return Errno.EACCES;
        }

        packet = new OutgoingPacket(SourceOf(endpoint, send, to), to, protocol);
        packet.InterfaceIndex = InterfaceOf(endpoint, send, destination);
        short endpointLimit = to.IsMulticast ? endpoint->MulticastHopLimit : endpoint->HopLimit;
        packet.HopLimit = send.HopLimit != OutgoingPacket.DefaultHopLimit ? send.HopLimit : endpointLimit;
        packet.TrafficClass = send.TrafficClass >= 0 ? (byte)send.TrafficClass : endpoint->TrafficClass;
        packet.Fragments = endpoint->Fragments;
        packet.LoopsBack = isBroadcast || (to.IsMulticast && endpoint->Has(DatagramOptions.MulticastLoop));
        return Errno.None;
    }

    /// <summary>
    /// Whether the endpoint may send at all, which Linux finds out last, where it takes memory for the packet (sock_alloc_send_skb): an
    /// error that an earlier datagram has brought, EPIPE.
    /// </summary>
    internal static Errno TryBegin(DatagramEndpoint* endpoint)
    {
        Errno error = DatagramEndpoints.TakeError(endpoint);
        return error == Errno.None && endpoint->IsWriteShut ? Errno.EPIPE : error;
    }

    private static IpAddress SourceOf(DatagramEndpoint* endpoint, in DatagramSend send, IpAddress to)
    {
        if (!send.Source.IsUnspecified)
        {
            return send.Source;
        }

        // An endpoint bound to a group or a broadcast address does not send from there.
        IpAddress local = endpoint->Local.Address;
        if (!local.IsUnspecified && local.IsV4 == to.IsV4 && !local.IsMulticast && !local.IsLimitedBroadcast)
        {
            return local;
        }

        return to.IsMulticast && endpoint->MulticastSource.IsV4 == to.IsV4 ? endpoint->MulticastSource : default;
    }

    private static int InterfaceOf(DatagramEndpoint* endpoint, in DatagramSend send, in SocketAddress destination)
    {
        if (send.InterfaceIndex != 0)
        {
            return send.InterfaceIndex;
        }

        if (endpoint->InterfaceIndex != 0)
        {
            return endpoint->InterfaceIndex;
        }

        if (destination.Scope != 0)
        {
            return (int)destination.Scope;
        }

        return destination.Address.IsMulticast ? endpoint->MulticastInterface : 0;
    }
}
