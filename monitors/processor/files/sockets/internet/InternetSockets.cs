// The families AF_INET and AF_INET6 (ip(7), ipv6(7), tcp(7), udp(7), raw(7), icmp(7)) over the stack of kernel/net: a stream socket has a
// TcpConnection, the others a DatagramEndpoint. The stack never blocks and never calls back into a socket but to say that something may
// have changed (NetworkService); the waiting, the copies to and from programs and Linux's errors are here. The comments name functions of
// Linux's net/ipv4 whose order of checks decides which of several errors a program sees.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>AF_INET and AF_INET6.</summary>
public sealed unsafe partial class InternetSockets(FileSystem files, NetworkService network) : SocketFamily(files)
{
    private const int FirstFreePort = 1024;
    private const int MostBacklog = 4096;
    private const ulong SecondNs = 1_000_000_000;

    private const PollEvents Out = PollEvents.Writable | PollEvents.WriteBand;

    private NetworkStack Stack => network.Stack;

    public override Errno Create(Process* process, int domain, SocketType type, int protocol, out Socket* socket)
    {
        socket = null;
        bool isV6 = domain == AddressFamily.Internet6;
        Errno error = KindOf(process, isV6, type, ref protocol, out DatagramKind kind);
        if (error != Errno.None)
        {
            return error;
        }

        Socket* made = Socket.Create(this, domain, type, protocol, process);
        if (made == null)
        {
            return Errno.ENOBUFS;
        }

        network.Now();
        if (type == SocketType.Stream)
        {
            made->Tcp = Stack.Tcp.Create(isV6 ? default : IpAddress.AnyV4);
            error = made->Tcp == null ? Errno.ENOBUFS : Errno.None;
        }
        else
        {
            error = Stack.Open(kind, isV6, (byte)protocol, 0, (nint)made, out made->Datagram);
        }

        if (error != Errno.None)
        {
            Socket.Release(made);
            return error;
        }

        if (made->Tcp != null)
        {
            Attach(made, made->Tcp);
        }
        else
        {
            made->Datagram->UserId = process->EffectiveUserId;
            made->Datagram->ReceiveBytes = made->ReceiveLimitBytes;
        }

        socket = made;
        return Errno.None;
    }

    public override Errno Bind(Process* process, Socket* socket, in SocketName name)
    {
        Errno error = InternetName.Read(in name, socket->Domain, allowsV4: false, out SocketAddress local);
        if (error != Errno.None)
        {
            return error;
        }

        bool isRaw = socket->Type == SocketType.Raw;
        if (local.Port is > 0 and < FirstFreePort && process->EffectiveUserId != 0 && !isRaw && !IsPing(socket))
        {
            return Errno.EACCES;
        }

        bool isOnlyV6 = socket->Domain == AddressFamily.Internet6 && (socket->InternetFlags & InternetFlags.OnlyV6) != 0;
        if (isOnlyV6 && local.Address.IsV4)
        {
            return Errno.EINVAL;
        }

        bool isForeign = !local.Address.IsUnspecified && !local.Address.IsMulticast && !local.Address.IsLimitedBroadcast
            && !Stack.Addresses.IsLocal(local.Address, (int)local.Scope) && !Stack.Addresses.IsBroadcast(local.Address, 0);
        if (isForeign && (socket->InternetFlags & InternetFlags.FreeBind) == 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        network.Now();
        if (socket->Tcp == null)
        {
            socket->Datagram->Options = OptionsOf(socket);
            error = Stack.Bind(socket->Datagram, in local);
            return error == Errno.None ? BindToVersion(socket, in local) : error;
        }

        socket->Tcp->Flags = FlagsOf(socket);
        error = local.Address.IsMulticast ? Errno.EADDRNOTAVAIL : Stack.Tcp.Bind(socket->Tcp, in local);
        if (error == Errno.EADDRINUSE)
        {
            // The address that a failed connect has left is gone as well (inet_reset_saddr).
            IpAddress any = socket->Domain == AddressFamily.Internet6 ? default : IpAddress.AnyV4;
            socket->Tcp->Local = new SocketAddress(any, socket->Tcp->Local.Port);
        }

        return error == Errno.None ? BindToVersion(socket, in local) : error;
    }

    /// <summary>A socket of AF_INET6 with an address of its own takes no IPv4 any more (inet6_bind).</summary>
    private Errno BindToVersion(Socket* socket, in SocketAddress local)
    {
        bool isOfV6 = socket->Domain == AddressFamily.Internet6 && !local.Address.IsUnspecified && !local.Address.IsV4;
        socket->InternetFlags |= isOfV6 ? InternetFlags.OnlyV6 : InternetFlags.None;
        return Renew(socket);
    }

    public override Errno Connect(Process* process, Socket* socket, in SocketName name, bool isNonBlocking)
    {
        if (name.Length < SocketName.FamilyBytes)
        {
            return Errno.EINVAL;
        }

        bool disconnects = name.Family == AddressFamily.Unspecified;
        SocketAddress remote = default;
        Errno error = disconnects ? Errno.None : InternetName.Read(in name, socket->Domain, allowsV4: socket->Tcp == null, out remote);
        network.Now();
        return socket->Tcp != null ? ConnectStream(socket, error, in remote, disconnects, isNonBlocking)
            : disconnects ? Disconnect(socket)
            : ConnectDatagrams(socket, error, in remote);
    }

    public override Errno Listen(Process* process, Socket* socket, int backlog)
    {
        if (socket->Tcp == null)
        {
            return Errno.EOPNOTSUPP;
        }

        if (socket->State is SocketState.Connected or SocketState.Connecting or SocketState.Disconnecting)
        {
            return Errno.EINVAL;
        }

        network.Now();
        socket->Tcp->Flags = FlagsOf(socket);
        Errno error = Stack.Tcp.Listen(socket->Tcp, (int)Math.Min((uint)backlog, MostBacklog));
        socket->State = error == Errno.None ? SocketState.Listening : socket->State;
        return error;
    }

    public override Errno Accept(Process* process, Socket* socket, bool isNonBlocking, out Socket* accepted)
    {
        accepted = null;
        if (socket->Tcp == null)
        {
            return Errno.EOPNOTSUPP;
        }

        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        while (true)
        {
            network.Now();
            Errno error = Stack.Tcp.Accept(socket->Tcp, out TcpConnection* connection);
            if (error == Errno.None)
            {
                return Adopt(process, socket, connection, out accepted);
            }

            error = error == Errno.EAGAIN ? Socket.Wait(ref socket->ReceiversWait, isNonBlocking, deadline) : error;
            if (error != Errno.None)
            {
                return error;
            }
        }
    }

    public override Errno NameOf(Socket* socket, bool ofPeer, out SocketName name)
    {
        SocketAddress address;
        if (socket->Tcp != null)
        {
            // TIME-WAIT is no longer the socket's (tcp_time_wait).
            bool hasPeer = socket->Tcp->State is not (TcpState.Closed or TcpState.Listen or TcpState.SynSent or TcpState.TimeWait);
            address = ofPeer ? socket->Tcp->Remote : socket->Tcp->Local;
            name = InternetName.Write(in address, socket->Domain);
            return ofPeer && !hasPeer ? Errno.ENOTCONN : Errno.None;
        }

        address = ofPeer ? socket->Datagram->Remote : socket->Datagram->Local;
        name = InternetName.Write(in address, socket->Domain);
        return ofPeer && !socket->Datagram->IsConnected ? Errno.ENOTCONN : Errno.None;
    }

    public override Errno Shutdown(Socket* socket, SocketSides sides)
    {
        network.Now();
        Errno error = Errno.None;
        bool beginsAnew = socket->Tcp != null
            && (socket->Tcp->State == TcpState.SynSent || (socket->Tcp->State == TcpState.Listen && (sides & SocketSides.Receive) != 0));
        if (beginsAnew)
        {
            sides = SocketSides.None;
            error = Forget(socket);
        }
        else if (socket->Tcp != null)
        {
            bool isOver = socket->Tcp->State == TcpState.Closed;
            socket->State = socket->State != SocketState.Connecting ? socket->State
                : isOver ? SocketState.Disconnecting : SocketState.Connected;
            error = Stack.Tcp.Shutdown(socket->Tcp, (TcpDirections)(int)sides, Stack.Clock.NowNs);
        }
        else
        {
            // Linux shuts an unconnected one as well, and says that it is not connected (inet_shutdown).
            error = socket->Datagram->IsConnected ? Errno.None : Errno.ENOTCONN;
            socket->Datagram->IsReadShut |= (sides & SocketSides.Receive) != 0;
            socket->Datagram->IsWriteShut |= (sides & SocketSides.Send) != 0;
        }

        socket->Shut |= sides;
        network.Settle();
        socket->WakeReceivers();
        socket->WakeSenders();
        return error;
    }

    public override PollEvents Poll(Socket* socket)
    {
        PollEvents events = socket->Tcp != null ? EventsOf(Stack.Tcp.Poll(socket->Tcp)) : EventsOf(socket->Datagram);
        // A socket that is not connected can be shut down as well, although that is an error.
        bool isShut = (socket->Shut & SocketSides.Receive) != 0 && socket->State != SocketState.Listening;
        events |= isShut ? PollEvents.Readable | PollEvents.ReadHangUp : PollEvents.None;
        bool isOver = (socket->Shut & SocketSides.Send) != 0 && (events & PollEvents.ReadHangUp) != 0;
        events |= isOver ? PollEvents.HangUp : PollEvents.None;
        socket->ToldEvents &= events;
        return events;
    }

    public override Errno TakeError(Socket* socket) =>
        socket->Tcp != null ? Stack.Tcp.TakeError(socket->Tcp) : DatagramEndpoints.TakeError(socket->Datagram);

    public override long Control(Process* process, Socket* socket, uint request, ulong argument)
    {
        const uint BytesUnsent = 0x5411;
        const uint IsAtMark = 0x8905;
        int number = 0;
        switch (request)
        {
            case TerminalRequests.BytesReadable when socket->Tcp != null:
                number = (int)Tcp.BytesBeforeMark(socket->Tcp);
                break;
            case IsAtMark when socket->Tcp != null:
                number = Tcp.IsAtMark(socket->Tcp) ? 1 : 0;
                return CallResult.Of(new UserPointer<int>(argument).Write(process, in number));
            case BytesUnsent when socket->Tcp != null:
                Stack.Tcp.Describe(socket->Tcp, network.Now(), out TcpInfo sending);
                number = (int)sending.SendQueueBytes;
                break;
            case TerminalRequests.BytesReadable:
                number = DatagramEndpoints.LengthOfFirst(socket->Datagram);
                break;
            case BytesUnsent:
                break;
            default:
                return CallResult.Fail(Errno.ENOTTY);
        }

        return socket->Tcp != null && socket->Tcp->State == TcpState.Listen
            ? CallResult.Fail(Errno.EINVAL) : CallResult.Of(new UserPointer<int>(argument).Write(process, in number));
    }

    public override void Close(Socket* socket)
    {
        network.Now();
        if (socket->Datagram != null)
        {
            DatagramEndpoint* endpoint = socket->Datagram;
            socket->Datagram = null;
            Stack.Close(endpoint);
        }
        else if (socket->Tcp != null)
        {
            CloseStream(socket);
        }

        network.Settle();
    }

    public override void Resized(Socket* socket)
    {
        if (socket->Tcp == null)
        {
            socket->Datagram->ReceiveBytes = socket->ReceiveLimitBytes;
        }
    }

    /// <summary>What poll(2) says of a connection.</summary>
    internal static PollEvents EventsOf(TcpReadiness readiness)
    {
        PollEvents events = (readiness & TcpReadiness.Readable) != 0 ? PollEvents.Readable : PollEvents.None;
        events |= (readiness & TcpReadiness.Writable) != 0 ? Out : PollEvents.None;
        events |= (readiness & TcpReadiness.PeerClosed) != 0 ? PollEvents.ReadHangUp : PollEvents.None;
        events |= (readiness & TcpReadiness.HungUp) != 0 ? PollEvents.HangUp : PollEvents.None;
        events |= (readiness & TcpReadiness.Error) != 0 ? PollEvents.Error : PollEvents.None;
        return events | ((readiness & TcpReadiness.Urgent) != 0 ? PollEvents.Priority : PollEvents.None);
    }

    /// <summary>What poll(2) says of an endpoint.</summary>
    internal static PollEvents EventsOf(DatagramEndpoint* endpoint)
    {
        PollEvents events = endpoint->IsReadable ? PollEvents.Readable : PollEvents.None;
        events |= endpoint->IsReadShut ? PollEvents.ReadHangUp : PollEvents.None;
        events |= endpoint->IsReadShut && endpoint->IsWriteShut ? PollEvents.HangUp : PollEvents.None;
        return events | Out | (endpoint->HasError ? PollEvents.Error : PollEvents.None);
    }

    /// <summary>
    /// Tells waiters what has become true, and again what has come anew to what was readable. Called in the middle of the stack's work.
    /// </summary>
    internal static void Tell(Socket* socket, PollEvents events)
    {
        PollEvents fresh = events & ~(socket->ToldEvents & ~(PollEvents.Readable | PollEvents.Error));
        socket->ToldEvents = events;
        socket->ReceiversWait.WakeAll();
        socket->SendersWait.WakeAll();
        if (fresh != PollEvents.None)
        {
            socket->Family.Files.Readiness.Notify(ref socket->Watchers, fresh);
        }
    }

    private static bool IsPing(Socket* socket) => socket->Datagram != null && socket->Datagram->Kind == DatagramKind.Ping;

    /// <summary>What a socket speaks; the default protocol of its type (inet_create).</summary>
    private static Errno KindOf(Process* process, bool isV6, SocketType type, ref int protocol, out DatagramKind kind)
    {
        kind = DatagramKind.Udp;
        if (protocol is < 0 or > byte.MaxValue)
        {
            return Errno.EINVAL;
        }

        int wanted = protocol;
        switch (type)
        {
            case SocketType.Stream:
                protocol = IpProtocol.Tcp;
                return wanted is 0 or IpProtocol.Tcp ? Errno.None : Errno.EPROTONOSUPPORT;
            case SocketType.Datagram:
                kind = wanted == (isV6 ? IpProtocol.Icmpv6 : IpProtocol.Icmp) ? DatagramKind.Ping : DatagramKind.Udp;
                protocol = wanted == 0 ? IpProtocol.Udp : wanted;
                return wanted is 0 or IpProtocol.Udp || kind == DatagramKind.Ping ? Errno.None : Errno.EPROTONOSUPPORT;
            case SocketType.Raw:
                kind = DatagramKind.Raw;
                return wanted == 0 ? Errno.EPROTONOSUPPORT : !Visibility.IsRootOfComponent(process) ? Errno.EPERM : Errno.None;
            default:
                return Errno.ESOCKTNOSUPPORT;
        }
    }

    private static void Attach(Socket* socket, TcpConnection* connection)
    {
        socket->Tcp = connection;
        connection->Owner = (nint)socket;
        SocketFilters.Tell(socket);
        socket->SendLimitBytes = (int)connection->SendLimit;
        socket->ReceiveLimitBytes = (int)connection->ReceiveLimit;
    }

    private Errno Adopt(Process* process, Socket* listener, TcpConnection* connection, out Socket* accepted)
    {
        accepted = Socket.Create(this, listener->Domain, SocketType.Stream, listener->Protocol, process);
        if (accepted == null)
        {
            Stack.Tcp.Close(connection, Stack.Clock.NowNs);
            return Errno.ENOBUFS;
        }

        Attach(accepted, connection);
        // There is room from the beginning: that is no change to tell of.
        accepted->ToldEvents = EventsOf(Stack.Tcp.Poll(connection)) & Out;
        accepted->State = SocketState.Connected;
        accepted->Flags = listener->Flags;
        accepted->LingerSeconds = listener->LingerSeconds;
        accepted->ReceiveTimeoutNs = listener->ReceiveTimeoutNs;
        accepted->SendTimeoutNs = listener->SendTimeoutNs;
        Files.Filters.Inherit(listener, accepted);
        return Errno.None;
    }
}
