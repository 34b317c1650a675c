// NETLINK_SOCK_DIAG (sock_diag(7)): all sockets of a family and protocol, for ss(8). A question asks for a dump; entries are counted in the
// order of the sockets' lists, so that one which goes meanwhile may hide another. Filters of addresses (INET_DIAG_REQ_BYTECODE) are not
// run: ss(8) looks at what it gets once more. Never blocks.

using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What is asked of which sockets.</summary>
public struct DiagnosticQuestion
{
    public byte Family;
    public byte Protocol;
    /// <summary>Bits of the states that are wanted.</summary>
    public uint States;
    /// <summary>Bits of what is wanted besides (idiag_ext, udiag_show).</summary>
    public uint Extensions;
    /// <summary>Nobody here speaks the protocol: the dump is empty and ends with ENOENT.</summary>
    public bool IsUnknown;
}

/// <summary>Writes sockets as messages.</summary>
public static unsafe class DiagnosticMessages
{
    /// <summary>SOCK_DIAG_BY_FAMILY.</summary>
    public const ushort ByFamily = 20;

    private const byte Established = 1;
    private const byte Closed = 7;
    private const byte Listening = 10;
    private const byte TimeWait = 6;
    private const byte RawProtocol = 255;

    /// <summary>struct inet_diag_msg, and the like part of inet_diag_req_v2.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct InternetBody
    {
        internal byte Family;
        internal byte State;
        internal byte Timer;
        internal byte Retries;
        internal ushort LocalPort;
        internal ushort RemotePort;
        internal AddressBytes Local;
        internal AddressBytes Remote;
        internal int Interface;
        internal uint Cookie;
        internal uint CookieRest;
        internal uint ExpiresMs;
        internal uint ReceiveQueue;
        internal uint SendQueue;
        internal uint User;
        internal uint Inode;
    }

    [InlineArray(IpAddress.V6Bytes)]
    private struct AddressBytes
    {
        private byte _first;
    }

    /// <summary>struct unix_diag_msg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct UnixBody
    {
        internal byte Family;
        internal byte Type;
        internal byte State;
        internal byte Padding;
        internal uint Inode;
        internal ulong Cookie;
    }

    /// <summary>Reads a question. EINVAL: it is too short; ENOENT: there is no such family.</summary>
    public static Errno Read(ReadOnlySpan<byte> body, out DiagnosticQuestion question)
    {
        const int StatesOffset = 4;
        const int ShowOffset = 12;
        const int UnixBytes = 24;
        const int InternetBytes = 56;
        question = default;
        if (body.Length < 2 || body[0] is not (AddressFamily.Unix or AddressFamily.Internet or AddressFamily.Internet6))
        {
            return body.Length < 2 ? Errno.EINVAL : Errno.ENOENT;
        }

        bool isUnix = body[0] == AddressFamily.Unix;
        if (body.Length < (isUnix ? UnixBytes : InternetBytes))
        {
            return Errno.EINVAL;
        }

        question.Family = body[0];
        question.Protocol = body[1];
        question.States = MemoryMarshal.Read<uint>(body.Slice(StatesOffset));
        question.Extensions = isUnix ? MemoryMarshal.Read<uint>(body.Slice(ShowOffset)) : body[2];
        question.IsUnknown = !isUnix && question.Protocol is not (IpProtocol.Tcp or IpProtocol.Udp or RawProtocol);
        return Errno.None;
    }

    /// <summary>Writes the sockets from an entry on, which moves; false: they do not all fit.</summary>
    public static bool TryWrite(FileSystem files, Socket* asker, ref int entry, NetlinkHeader header, ref NetlinkWriter to)
    {
        header.Type = ByFamily;
        ref DiagnosticQuestion question = ref asker->Netlink.Diagnostic;
        return question.IsUnknown
            || (question.Family == AddressFamily.Unix ? TryWriteUnix(files, asker, in question, ref entry, in header, ref to)
            : question.Protocol == IpProtocol.Tcp ? TryWriteConnections(files, asker, in question, ref entry, in header, ref to)
            : TryWriteEndpoints(files, asker, in question, ref entry, in header, ref to));
    }

    /// <summary>A vNode's processes know of its sockets only; those without an owner are the rack's.</summary>
    private static bool IsSeen(Socket* asker, Socket* socket) =>
        asker->VNode == 0 || (socket != null && socket->VNode == asker->VNode);

    private static bool TryWriteConnections(
        FileSystem files, Socket* asker, in DiagnosticQuestion question, ref int entry, in NetlinkHeader header, ref NetlinkWriter to)
    {
        NetworkStack stack = files.Network.Stack;
        int position = 0;
        for (TcpConnection* connection = stack.Tcp.Next(null); connection != null; connection = stack.Tcp.Next(connection))
        {
            Socket* socket = (Socket*)connection->Owner;
            bool isV6 = socket != null ? socket->Domain == AddressFamily.Internet6 : !connection->Local.Address.IsV4;
            byte state = InternetSockets.LinuxStateOf(connection->State);
            bool isWanted = isV6 == (question.Family == AddressFamily.Internet6) && connection->State != TcpState.Closed
                && (question.States & (1u << state)) != 0 && IsSeen(asker, socket);
            if (position++ < entry || !isWanted)
            {
                continue;
            }

            stack.Tcp.Describe(connection, files.Network.Now(), out TcpInfo info);
            InternetBody body = Named(isV6, state, in connection->Local, in connection->Remote, socket);
            body.Timer = (byte)info.TimerKind;
            body.Retries = (byte)info.Retries;
            body.ReceiveQueue = info.ReceiveQueueBytes;
            body.SendQueue = state == Listening ? (uint)connection->BacklogLimit : info.SendQueueBytes;
            to.Begin(in header, in body);
            if (state != TimeWait)
            {
                AddCommon(socket, isV6, state, in question, body.ReceiveQueue, body.SendQueue, ref to);
            }

            if (socket != null && socket->Tcp != null)
            {
                files.InternetSockets.Describe(socket, question.Extensions, ref to);
            }

            if (!to.TryEnd())
            {
                entry = position - 1;
                return false;
            }
        }

        entry = position;
        return true;
    }

    private static bool TryWriteEndpoints(
        FileSystem files, Socket* asker, in DiagnosticQuestion question, ref int entry, in NetlinkHeader header, ref NetlinkWriter to)
    {
        NetworkStack stack = files.Network.Stack;
        DatagramKind kind = question.Protocol == RawProtocol ? DatagramKind.Raw : DatagramKind.Udp;
        int position = 0;
        for (DatagramEndpoint* endpoint = stack.Endpoints.First; endpoint != null; endpoint = DatagramEndpoints.After(endpoint))
        {
            Socket* socket = (Socket*)endpoint->Owner;
            byte state = endpoint->IsConnected ? Established : Closed;
            bool isWanted = endpoint->Kind == kind && endpoint->IsV6 == (question.Family == AddressFamily.Internet6)
                && (kind == DatagramKind.Raw || endpoint->IsBound) && (question.States & (1u << state)) != 0 && IsSeen(asker, socket);
            if (position++ < entry || !isWanted)
            {
                continue;
            }

            SocketAddress local = kind == DatagramKind.Raw
                ? new SocketAddress(endpoint->Local.Address, endpoint->Protocol) : endpoint->Local;
            InternetBody body = Named(endpoint->IsV6, state, in local, in endpoint->Remote, socket);
            body.ReceiveQueue = (uint)endpoint->Received.SizeBytes;
            to.Begin(in header, in body);
            AddCommon(socket, endpoint->IsV6, state, in question, body.ReceiveQueue, 0, ref to);
            if (!to.TryEnd())
            {
                entry = position - 1;
                return false;
            }
        }

        entry = position;
        return true;
    }

    private static bool TryWriteUnix(
        FileSystem files, Socket* asker, in DiagnosticQuestion question, ref int entry, in NetlinkHeader header, ref NetlinkWriter to)
    {
        int position = 0;
        for (Socket* socket = files.UnixSockets.First; socket != null; socket = socket->Next)
        {
            byte state = socket->State == SocketState.Listening ? Listening
                : socket->State == SocketState.Connected ? Established : Closed;
            bool isWanted = !socket->IsDead && (question.States & (1u << state)) != 0 && IsSeen(asker, socket);
            if (position++ < entry || !isWanted)
            {
                continue;
            }

            UnixBody body = new()
            {
                Family = AddressFamily.Unix,
                Type = (byte)socket->Type,
                State = state,
                Inode = socket->Inode,
                Cookie = socket->Inode,
            };
            to.Begin(in header, in body);
            AddUnix(socket, state, question.Extensions, ref to);
            if (!to.TryEnd())
            {
                entry = position - 1;
                return false;
            }
        }

        entry = position;
        return true;
    }

    private static void AddUnix(Socket* socket, byte state, uint shown, ref NetlinkWriter to)
    {
        // UDIAG_SHOW_* and UNIX_DIAG_*.
        const uint ShowsName = 1;
        const uint ShowsPeer = 4;
        const uint ShowsQueues = 0x10;
        const uint ShowsMemory = 0x20;
        const uint ShowsUser = 0x40;
        const ushort Name = 0;
        const ushort Peer = 2;
        const ushort Queues = 4;
        const ushort Memory = 5;
        const ushort Shutdown = 6;
        const ushort User = 7;
        if ((shown & ShowsName) != 0 && socket->Unix.Name != null)
        {
            to.Add(Name, socket->Unix.Name->Bytes);
        }

        if ((shown & ShowsPeer) != 0 && socket->Unix.Peer != null)
        {
            to.Add(Peer, socket->Unix.Peer->Inode);
        }

        uint received = (uint)(state == Listening ? socket->Unix.PendingCount : UnixSockets.ReadableBytes(socket));
        uint sent = (uint)(state == Listening ? socket->Unix.Backlog : socket->Unix.SentBytes);
        if ((shown & ShowsQueues) != 0)
        {
            ulong both = received | ((ulong)sent << 32);
            to.Add(Queues, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in both)));
        }

        if ((shown & ShowsMemory) != 0)
        {
            AddMemory(Memory, socket, received, (uint)socket->Unix.SentBytes, ref to);
        }

        if ((shown & ShowsUser) != 0)
        {
            to.Add(User, UserOf(socket));
        }

        byte shut = (byte)socket->Shut;
        to.Add(Shutdown, new ReadOnlySpan<byte>(in shut));
    }

    /// <summary>INET_DIAG_SHUTDOWN, _SKV6ONLY, _SKMEMINFO.</summary>
    private static void AddCommon(
        Socket* socket, bool isV6, byte state, in DiagnosticQuestion question, uint received, uint sent, ref NetlinkWriter to)
    {
        const ushort Memory = 7;
        const ushort Shutdown = 8;
        const ushort OnlyV6 = 11;
        if (socket == null)
        {
            return;
        }

        // The peer's end has shut this side, too (tcp_fin).
        const byte CloseWait = 8;
        const byte LastAck = 9;
        const byte Closing = 11;
        byte shut = (byte)(socket->Shut | (state is CloseWait or LastAck or Closing ? SocketSides.Receive : SocketSides.None));
        to.Add(Shutdown, new ReadOnlySpan<byte>(in shut));
        if (isV6 && state is Listening or Closed)
        {
            byte isOnly = (socket->InternetFlags & InternetFlags.OnlyV6) != 0 ? (byte)1 : (byte)0;
            to.Add(OnlyV6, new ReadOnlySpan<byte>(in isOnly));
        }

        if ((question.Extensions & (1u << (Memory - 1))) != 0)
        {
            AddMemory(Memory, socket, state == Listening ? 0 : received, state == Listening ? 0 : sent, ref to);
        }
    }

    /// <summary>SK_MEMINFO_*: what is received and sent, and how much of it may be there; the rest is not kept here.</summary>
    private static void AddMemory(ushort type, Socket* socket, uint received, uint sent, ref NetlinkWriter to)
    {
        const int Words = 9;
        Span<uint> words = stackalloc uint[Words];
        words.Clear();
        words[0] = received;
        words[1] = (uint)socket->ReceiveLimitBytes;
        words[2] = sent;
        words[3] = (uint)socket->SendLimitBytes;
        to.Add(type, MemoryMarshal.AsBytes(words));
    }

    private static uint UserOf(Socket* socket)
    {
        FileStatus owner = default;
        socket->Attributes.Describe(ref owner);
        return owner.Attributes.UserId;
    }

    private static InternetBody Named(bool isV6, byte state, in SocketAddress local, in SocketAddress remote, Socket* socket)
    {
        InternetBody body = new()
        {
            Family = (byte)(isV6 ? AddressFamily.Internet6 : AddressFamily.Internet),
            State = state,
            LocalPort = BinaryPrimitives.ReverseEndianness(local.Port),
            RemotePort = BinaryPrimitives.ReverseEndianness(remote.Port),
            Interface = (int)(local.Scope != 0 ? local.Scope : remote.Scope),
        };
        WriteAddress(local.Address, isV6, ref body.Local);
        WriteAddress(remote.Address, isV6, ref body.Remote);
        if (socket != null)
        {
            body.Cookie = socket->Inode;
            body.Inode = socket->Inode;
            body.User = UserOf(socket);
        }

        return body;
    }

    private static void WriteAddress(IpAddress address, bool isV6, ref AddressBytes to)
    {
        Span<byte> bytes = to;
        if (isV6)
        {
            address.WriteV6(bytes);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes, address.V4);
        }
    }
}
