// The C interface (netstack.h): sockets. Nothing waits: what cannot be done now is EAGAIN or EINPROGRESS.

using System;
using System.Runtime;
using Lego.Kernel;

namespace Lego.NetStack;

/// <summary>Calls about a socket of a node. Results below 0 are minus Linux's errno.</summary>
internal static unsafe class SocketCalls
{
    private const int Stream = 1;
    private const int Datagram = 2;
    private const int Raw = 3;

    // Linux's flags of send(2) and recv(2).
    private const int Urgent = 1;
    private const int Peek = 2;
    private const int More = 0x8000;

    [RuntimeExport("lego_socket")]
    private static int Open(nint handle, int version, int type, int protocol, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        bool isV6 = version == 6;
        if (version is not (4 or 6) || type is < Stream or > Raw || protocol is < 0 or > byte.MaxValue)
        {
            return NodeCalls.Result(Errno.EINVAL);
        }

        if (type == Stream)
        {
            TcpConnection* connection = node.Stack.Tcp.Create(isV6 ? default : IpAddress.AnyV4);
            return connection == null ? NodeCalls.Result(Errno.ENOBUFS) : Added(node, connection, null);
        }

        DatagramKind kind = type == Raw ? DatagramKind.Raw
            : protocol == (isV6 ? IpProtocol.Icmpv6 : IpProtocol.Icmp) ? DatagramKind.Ping : DatagramKind.Udp;
        Errno error = node.Stack.Open(kind, isV6, (byte)protocol, 0, owner: 1, out DatagramEndpoint* endpoint);
        return error != Errno.None ? NodeCalls.Result(error) : Added(node, null, endpoint);
    }

    [RuntimeExport("lego_bind")]
    private static int Bind(nint handle, int number, SocketAddress* local)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null)
        {
            return NodeCalls.Result(Errno.EBADF);
        }

        if (socket->Tcp == null)
        {
            return NodeCalls.Result(node.Stack.Bind(socket->Datagram, in *local));
        }

        bool isOurs = local->Address.IsUnspecified || node.Stack.Addresses.IsLocal(local->Address, (int)local->Scope);
        return NodeCalls.Result(isOurs ? node.Stack.Tcp.Bind(socket->Tcp, in *local) : Errno.EADDRNOTAVAIL);
    }

    [RuntimeExport("lego_listen")]
    private static int Listen(nint handle, int number, int backlog)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        return NodeCalls.Result(socket == null ? Errno.EBADF
            : socket->Tcp == null ? Errno.EOPNOTSUPP
            : node.Stack.Tcp.Listen(socket->Tcp, backlog));
    }

    [RuntimeExport("lego_accept")]
    private static int Accept(nint handle, int number, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        NumberedSocket* socket = node.Sockets.Find(number);
        Errno error = socket == null ? Errno.EBADF : socket->Tcp == null ? Errno.EOPNOTSUPP : Errno.None;
        TcpConnection* accepted = null;
        error = error != Errno.None ? error : node.Stack.Tcp.Accept(socket->Tcp, out accepted);
        return error == Errno.None ? Added(node, accepted, null) : NodeCalls.Result(error);
    }

    [RuntimeExport("lego_connect")]
    private static int Connect(nint handle, int number, SocketAddress* remote, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        NumberedSocket* socket = node.Sockets.Find(number);
        Errno error = socket == null ? Errno.EBADF
            : socket->Tcp == null ? node.Stack.Connect(socket->Datagram, in *remote)
            : node.Stack.Tcp.Connect(socket->Tcp, in *remote, nowNs);
        node.Settle();
        return NodeCalls.Result(error);
    }

    /// <summary>To an address, or null: the peer's.</summary>
    [RuntimeExport("lego_send")]
    private static long Send(nint handle, int number, byte* bytes, uint lengthBytes, int flags, SocketAddress* to, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null)
        {
            return NodeCalls.Result(Errno.EBADF);
        }

        ReadOnlySpan<byte> data = new(bytes, (int)lengthBytes);
        int count = data.Length;
        Errno error;
        if (socket->Tcp != null)
        {
            TcpTransfer how = (flags & Urgent) != 0 ? TcpTransfer.Urgent : TcpTransfer.None;
            how |= (flags & More) != 0 ? TcpTransfer.More : TcpTransfer.None;
            error = node.Stack.Tcp.Write(socket->Tcp, data, how, nowNs, out count);
        }
        else
        {
            DatagramSend send = DatagramSend.ToPeer;
            send.HasDestination = to != null;
            send.Destination = to != null ? *to : default;
            error = node.Stack.Send(socket->Datagram, send, data, default);
        }

        node.Settle();
        return error == Errno.None ? count : NodeCalls.Result(error);
    }

    /// <summary>From: whose datagram it was; may be null.</summary>
    [RuntimeExport("lego_receive")]
    private static long Receive(nint handle, int number, byte* buffer, uint capacityBytes, int flags, SocketAddress* from, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null)
        {
            return NodeCalls.Result(Errno.EBADF);
        }

        Span<byte> destination = new(buffer, (int)capacityBytes);
        bool peeks = (flags & Peek) != 0;
        if (socket->Tcp == null)
        {
            return ReceiveDatagram(node, socket->Datagram, destination, peeks, from);
        }

        TcpTransfer how = (flags & Urgent) != 0 ? TcpTransfer.Urgent : TcpTransfer.None;
        how |= peeks ? TcpTransfer.Peek : TcpTransfer.None;
        Errno error = node.Stack.Tcp.Read(socket->Tcp, destination, how, nowNs, out int count);
        node.Settle();
        return error == Errno.None ? count : NodeCalls.Result(error);
    }

    /// <summary>how: SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2.</summary>
    [RuntimeExport("lego_shutdown")]
    private static int Shutdown(nint handle, int number, int how, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null || how is < 0 or > 2)
        {
            return NodeCalls.Result(socket == null ? Errno.EBADF : Errno.EINVAL);
        }

        TcpDirections directions = (TcpDirections)(how + 1);
        if (socket->Tcp == null)
        {
            socket->Datagram->IsReadShut |= (directions & TcpDirections.Read) != 0;
            socket->Datagram->IsWriteShut |= (directions & TcpDirections.Write) != 0;
            return NodeCalls.Result(socket->Datagram->IsConnected ? Errno.None : Errno.ENOTCONN);
        }

        Errno error = node.Stack.Tcp.Shutdown(socket->Tcp, directions, nowNs);
        node.Settle();
        return NodeCalls.Result(error);
    }

    /// <summary>resets: by a reset and at once (SO_LINGER with 0).</summary>
    [RuntimeExport("lego_close")]
    private static int Close(nint handle, int number, int resets, ulong nowNs)
    {
        Node node = At(handle, nowNs);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null)
        {
            return NodeCalls.Result(Errno.EBADF);
        }

        if (socket->Tcp == null)
        {
            node.Stack.Close(socket->Datagram);
        }
        else if (resets != 0)
        {
            node.Stack.Tcp.Abort(socket->Tcp, nowNs);
        }
        else
        {
            node.Stack.Tcp.Close(socket->Tcp, nowNs);
        }

        *socket = default;
        node.Settle();
        return 0;
    }

    private static Node At(nint handle, ulong nowNs)
    {
        Node node = NodeCalls.Of(handle);
        node.Stack.Clock.NowNs = nowNs;
        return node;
    }

    private static int Added(Node node, TcpConnection* connection, DatagramEndpoint* endpoint)
    {
        int number = node.Sockets.Add(connection, endpoint);
        if (number < 0 && connection != null)
        {
            node.Stack.Tcp.Close(connection, node.Stack.Clock.NowNs);
        }
        else if (number < 0)
        {
            node.Stack.Close(endpoint);
        }

        return number;
    }

    private static long ReceiveDatagram(Node node, DatagramEndpoint* endpoint, Span<byte> destination, bool peeks, SocketAddress* from)
    {
        Errno error = DatagramEndpoints.TakeError(endpoint);
        if (error != Errno.None)
        {
            return NodeCalls.Result(error);
        }

        Packet* packet = node.Stack.Endpoints.Take(endpoint, fromErrors: false, peeks);
        if (packet == null)
        {
            return endpoint->IsReadShut ? 0 : NodeCalls.Result(Errno.EAGAIN);
        }

        int count = packet->CopyTo(0, destination);
        if (from != null)
        {
            *from = packet->Source;
        }

        node.Stack.Endpoints.Release(packet);
        return count;
    }
}
