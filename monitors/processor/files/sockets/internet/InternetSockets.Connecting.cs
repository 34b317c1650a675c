// How sockets of AF_INET and AF_INET6 get a peer and lose it (connect(2), close(2)), as Linux's net/ipv4/af_inet.c has it.

using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class InternetSockets
{
    private Errno Disconnect(Socket* socket)
    {
        Stack.Disconnect(socket->Datagram);
        socket->State = SocketState.Closed;
        return Errno.None;
    }

    /// <summary>As inet_dgram_connect: a socket has a port before anybody looks at the name.</summary>
    private Errno ConnectDatagrams(Socket* socket, Errno nameError, in SocketAddress remote)
    {
        socket->Datagram->Options = OptionsOf(socket);
        Errno error = GivePort(socket);
        error = error == Errno.None ? nameError : error;
        error = error == Errno.None ? Stack.Connect(socket->Datagram, in remote) : error;
        socket->State = error == Errno.None ? SocketState.Connected : socket->State;
        return error;
    }

    /// <summary>
    /// As __inet_stream_connect: a connection that is under way is waited for, and its end is told once. What is wrong with the name counts
    /// for a connection that would begin.
    /// </summary>
    private Errno ConnectStream(Socket* socket, Errno nameError, in SocketAddress remote, bool disconnects, bool isNonBlocking)
    {
        if (disconnects)
        {
            return Forget(socket);
        }

        if (socket->State is SocketState.Connected or SocketState.Listening)
        {
            return Errno.EISCONN;
        }

        if (socket->State == SocketState.Disconnecting)
        {
            return Errno.EINVAL;
        }

        Errno pending = Errno.EALREADY;
        if (socket->State != SocketState.Connecting)
        {
            if (nameError != Errno.None)
            {
                return nameError;
            }

            if (remote.Address.IsV4 && socket->Domain == AddressFamily.Internet6 && (socket->InternetFlags & InternetFlags.OnlyV6) != 0)
            {
                return Errno.ENETUNREACH;
            }

            socket->Tcp->Flags = FlagsOf(socket);
            IpAddress to = IpRouter.DestinationOf(remote.Address, socket->Tcp->Local.Address);
            Errno begun = Stack.Tcp.Connect(socket->Tcp, new SocketAddress(to, remote.Port, remote.Scope), Stack.Clock.NowNs);
            if (begun != Errno.EINPROGRESS)
            {
                return begun;
            }

            socket->State = SocketState.Connecting;
            pending = Errno.EINPROGRESS;
            network.Settle();
        }

        if (isNonBlocking && (pending == Errno.EINPROGRESS || socket->Tcp->State is TcpState.SynSent or TcpState.SynReceived))
        {
            return pending;
        }

        ulong deadline = Socket.DeadlineAfter(socket->SendTimeoutNs);
        while (socket->Tcp->State is TcpState.SynSent or TcpState.SynReceived)
        {
            Errno error = Socket.Wait(ref socket->SendersWait, isNonBlocking: false, deadline);
            if (error != Errno.None)
            {
                return error == Errno.EAGAIN ? pending : error;
            }
        }

        if (socket->Tcp->State == TcpState.Closed)
        {
            Errno error = Stack.Tcp.TakeError(socket->Tcp);
            if (Forget(socket) != Errno.None)
            {
                // No memory for another block: this one can be connected again, too.
                socket->State = SocketState.Closed;
            }

            return error == Errno.None ? Errno.ECONNABORTED : error;
        }

        socket->State = SocketState.Connected;
        return Errno.None;
    }

    /// <summary>The socket begins anew.</summary>
    private Errno Forget(Socket* socket)
    {
        IpAddress any = socket->Domain == AddressFamily.Internet6 ? default : IpAddress.AnyV4;
        TcpConnection* fresh = Stack.Tcp.Disconnect(socket->Tcp, any, Stack.Clock.NowNs);
        if (fresh == null)
        {
            return Errno.ENOBUFS;
        }

        Attach(socket, fresh);
        socket->State = SocketState.Closed;
        socket->Shut = SocketSides.None;
        network.Settle();
        return Errno.None;
    }

    /// <summary>close(2) of a connection: SO_LINGER waits for what has been sent, or throws it away (socket(7)). May BLOCK.</summary>
    private void CloseStream(Socket* socket)
    {
        TcpConnection* connection = socket->Tcp;
        bool lingers = (socket->Flags & SocketFlags.Linger) != 0;
        if (lingers && socket->LingerSeconds != 0 && socket->State == SocketState.Connected)
        {
            Stack.Tcp.Shutdown(connection, TcpDirections.Write, Stack.Clock.NowNs);
            network.Settle();
            ulong deadline = Socket.DeadlineAfter(socket->LingerSeconds * SecondNs);
            while (!Stack.Tcp.IsDrained(connection)
                && Socket.Wait(ref socket->SendersWait, isNonBlocking: false, deadline) == Errno.None)
            {
            }

            network.Now();
        }

        socket->Tcp = null;
        connection->Filter = null;
        if (lingers && socket->LingerSeconds == 0)
        {
            Stack.Tcp.Abort(connection, Stack.Clock.NowNs);
        }
        else
        {
            Stack.Tcp.Close(connection, Stack.Clock.NowNs);
        }
    }
}
