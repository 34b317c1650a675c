// What sockets of datagrams ask of the stack, whatever they speak.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class NetworkStack
{
    /// <summary>A new endpoint: ENOBUFS, EPROTONOSUPPORT for a ping endpoint that is not ICMP's of its version.</summary>
    /// <param name="kind">What it speaks.</param>
    /// <param name="isV6">Of AF_INET6.</param>
    /// <param name="protocol">Of raw and ping endpoints.</param>
    /// <param name="etherType">Of packet endpoints.</param>
    /// <param name="owner">Who hears of changes.</param>
    /// <param name="endpoint">The endpoint, to be closed with <see cref="Close(DatagramEndpoint*)"/>.</param>
    public Errno Open(DatagramKind kind, bool isV6, byte protocol, ushort etherType, nint owner, out DatagramEndpoint* endpoint)
    {
        endpoint = null;
        if (kind == DatagramKind.Ping && protocol != (isV6 ? IpProtocol.Icmpv6 : IpProtocol.Icmp))
        {
            return Errno.EPROTONOSUPPORT;
        }

        endpoint = Endpoints.Create(kind, isV6, protocol, etherType, owner);
        if (endpoint == null)
        {
            return Errno.ENOBUFS;
        }

        if (kind == DatagramKind.Raw)
        {
            RawSockets.Open(endpoint);
        }

        return Errno.None;
    }

    /// <summary>Ends an endpoint; the pointer means nothing afterwards.</summary>
    public void Close(DatagramEndpoint* endpoint)
    {
        if (endpoint->Kind == DatagramKind.Udp)
        {
            Udp.Close(endpoint);
        }

        Joins.LeaveAll(endpoint);
        Endpoints.Free(endpoint);
    }

    /// <summary>
    /// Names an endpoint of IP; packet endpoints: <see cref="PacketSockets.Bind"/>. Errors: those of the protocol's Bind.
    /// </summary>
    public Errno Bind(DatagramEndpoint* endpoint, in SocketAddress local) => endpoint->Kind switch
    {
        DatagramKind.Udp => Udp.Bind(endpoint, local),
        DatagramKind.Ping => Ping.Bind(endpoint, local),
        DatagramKind.Raw => Raw.Bind(endpoint, local),
        _ => Errno.EINVAL,
    };

    /// <summary>Names the peer of an endpoint of IP: EOPNOTSUPP for packet endpoints, errors of <see cref="Kernel.Udp.Connect"/>.</summary>
    public Errno Connect(DatagramEndpoint* endpoint, in SocketAddress remote)
    {
        switch (endpoint->Kind)
        {
            case DatagramKind.Udp:
                return Udp.Connect(endpoint, remote);
            case DatagramKind.Ping or DatagramKind.Raw:
                IpAddress address = IpRouter.DestinationOf(remote.Address, endpoint->Local.Address);
                if (!endpoint->Takes(address.IsV4))
                {
                    return Errno.EAFNOSUPPORT;
                }

                Errno error = _router.TryFind(address, (int)remote.Scope, default, out IpPath path);
                if (error == Errno.None)
                {
                    endpoint->Remote = new SocketAddress(address, remote.Port, remote.Scope);
                    endpoint->IsConnected = true;
                    endpoint->Local = endpoint->Local.Address.IsUnspecified
                        ? new SocketAddress(path.Source, endpoint->Local.Port, endpoint->Local.Scope) : endpoint->Local;
                }

                return error;
            default:
                return Errno.EOPNOTSUPP;
        }
    }

    /// <summary>Forgets the peer.</summary>
    public void Disconnect(DatagramEndpoint* endpoint) => Udp.Disconnect(endpoint);

    /// <summary>
    /// Sends a datagram that lies in two pieces at most; all but UDP want it in the first. Errors: those of the protocol's Send.
    /// </summary>
    public Errno Send(DatagramEndpoint* endpoint, in DatagramSend send, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => endpoint->Kind switch
    {
        DatagramKind.Udp => Udp.Send(endpoint, send, a, b),
        DatagramKind.Ping => Ping.Send(endpoint, send, a),
        DatagramKind.Raw => Raw.Send(endpoint, send, a),
        _ => Frames.Send(endpoint, send, a),
    };
}
