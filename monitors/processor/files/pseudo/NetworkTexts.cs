// /proc/net: sockets, interfaces and routes, in the columns of Linux's net/unix/af_unix.c, net/ipv4/tcp_ipv4.c, udp.c, fib_trie.c and
// net/core/net-procfs.c, for netstat(8), ss(8) and what reads them itself. Kernel addresses are told as zeros. Never blocks.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Texts of the network.</summary>
internal static unsafe class NetworkTexts
{
    private const int HexWord = 8;
    private const byte ClosedState = 7;
    private const byte EstablishedState = 1;
    private const byte TimeWaitState = 6;

    public static void Write(Process* viewer, PseudoFile file, ref TextBuffer text)
    {
        FileSystem files = FileSystem.Of(viewer);
        switch (file)
        {
            case PseudoFile.ProcNetDev:
                Interfaces(files.Network.Stack, ref text);
                break;
            case PseudoFile.ProcNetUnix:
                UnixSockets(viewer, files.UnixSockets, ref text);
                break;
            case PseudoFile.ProcNetTcp or PseudoFile.ProcNetTcp6:
                Connections(viewer, files.Network.Stack, file == PseudoFile.ProcNetTcp6, ref text);
                break;
            case PseudoFile.ProcNetUdp or PseudoFile.ProcNetUdp6:
                Endpoints(viewer, files.Network.Stack, DatagramKind.Udp, file == PseudoFile.ProcNetUdp6, ref text);
                break;
            case PseudoFile.ProcNetRaw or PseudoFile.ProcNetRaw6:
                Endpoints(viewer, files.Network.Stack, DatagramKind.Raw, file == PseudoFile.ProcNetRaw6, ref text);
                break;
            case PseudoFile.ProcNetRoute:
                Routes(files.Network.Stack, ref text);
                break;
            case PseudoFile.ProcNetInterfaces6:
                Addresses6(files.Network.Stack, ref text);
                break;
            case PseudoFile.ProcNetCounters:
                NetworkCounterTexts.Write(files.Network.Stack, ref text);
                break;
            case PseudoFile.ProcNetMoreCounters:
                NetworkCounterTexts.WriteMore(files.Network.Stack, ref text);
                break;
            default:
                Counts(files, ref text);
                break;
        }
    }

    /// <summary>Whether a process knows of a socket; one that is closing has no owner any more and is only the rack's.</summary>
    private static bool IsSeen(Process* viewer, Socket* socket) =>
        viewer->VNode == 0 || (socket != null && socket->VNode == viewer->VNode);

    private static void Interfaces(NetworkStack stack, ref TextBuffer text)
    {
        const int NameWidth = 6;
        text.Append("Inter-|   Receive                                                |  Transmit\n"u8);
        text.Append(" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "u8);
        text.Append("carrier compressed\n"u8);
        Span<byte> name = stackalloc byte[16];
        for (int index = InterfaceTable.LoopbackIndex; index <= stack.Interfaces.LastIndex; index++)
        {
            ref NetworkInterface link = ref stack.Interfaces[index];
            int length = link.WriteName(name);
            Pad(NameWidth - length, ref text);
            text.Append(name.Slice(0, length));
            text.Append((byte)':');
            Column(link.Counters.ReceivedBytes, 8, ref text);
            Column(link.Counters.ReceivedPackets, 8, ref text);
            text.Append("   0"u8);
            Column(link.Counters.ReceiveDrops, 5, ref text);
            text.Append("    0     0          0"u8);
            Column(link.Counters.ReceivedGroupPackets, 10, ref text);
            Column(link.Counters.SentBytes, 9, ref text);
            Column(link.Counters.SentPackets, 8, ref text);
            text.Append("    0"u8);
            Column(link.Counters.SendDrops, 5, ref text);
            text.Append("    0     0       0          0\n"u8);
        }
    }

    private static void UnixSockets(Process* viewer, UnixSockets sockets, ref TextBuffer text)
    {
        const ulong Accepts = 0x10000;
        text.Append("Num       RefCount Protocol Flags    Type St Inode Path\n"u8);
        for (Socket* socket = sockets.First; socket != null; socket = socket->Next)
        {
            if (socket->IsDead || !IsSeen(viewer, socket))
            {
                continue;
            }

            text.Append("0000000000000000: "u8);
            text.AppendCapitalHex(socket->References, HexWord);
            text.Append(" 00000000 "u8);
            text.AppendCapitalHex(socket->State == SocketState.Listening ? Accepts : 0, HexWord);
            text.Append((byte)' ');
            text.AppendCapitalHex((ulong)socket->Type, 4);
            text.Append(socket->State == SocketState.Connected ? " 03 "u8 : " 01 "u8);
            text.AppendNumber(socket->Inode, 5);
            if (socket->Unix.Name != null)
            {
                text.Append((byte)' ');
                bool isAbstract = socket->Unix.Name->Node == null;
                ReadOnlySpan<byte> name = socket->Unix.Name->Bytes;
                for (int index = 0; index < name.Length - (isAbstract ? 0 : 1); index++)
                {
                    text.Append(name[index] == 0 ? (byte)'@' : name[index]);
                }
            }

            text.Append((byte)'\n');
        }
    }

    private static void Connections(Process* viewer, NetworkStack stack, bool isV6, ref TextBuffer text)
    {
        Head(isV6, ref text);
        stack.Clock.NowNs = Clock.NowNs();
        ulong number = 0;
        for (TcpConnection* connection = stack.Tcp.Next(null); connection != null; connection = stack.Tcp.Next(connection))
        {
            Socket* socket = (Socket*)connection->Owner;
            bool shown = (socket != null ? socket->Domain == AddressFamily.Internet6 : !connection->Local.Address.IsV4) == isV6;
            if (!shown || connection->State == TcpState.Closed || !IsSeen(viewer, socket))
            {
                continue;
            }

            stack.Tcp.Describe(connection, stack.Clock.NowNs, out TcpInfo info);
            byte state = InternetSockets.LinuxStateOf(connection->State);
            text.AppendNumber(number++, 4);
            text.Append(": "u8);
            Ends(connection->Local, connection->Remote, isV6, state, ref text);
            text.AppendCapitalHex(info.SendQueueBytes, HexWord);
            text.Append((byte)':');
            text.AppendCapitalHex(info.ReceiveQueueBytes, HexWord);
            Rest((byte)info.TimerKind, socket, ref text);
            text.Append(" 1 0000000000000000 20 4 30 10 -1\n"u8);
        }
    }

    private static void Endpoints(
        Process* viewer, NetworkStack stack, DatagramKind kind, bool isV6, ref TextBuffer text)
    {
        text.Append("   "u8);
        Head(isV6, ref text);
        ulong number = 0;
        for (DatagramEndpoint* endpoint = stack.Endpoints.First; endpoint != null; endpoint = DatagramEndpoints.After(endpoint))
        {
            if (endpoint->Kind != kind || endpoint->IsV6 != isV6 || (kind == DatagramKind.Udp && !endpoint->IsBound)
                || !IsSeen(viewer, (Socket*)endpoint->Owner))
            {
                continue;
            }

            SocketAddress local = kind == DatagramKind.Raw
                ? new SocketAddress(endpoint->Local.Address, endpoint->Protocol) : endpoint->Local;
            text.AppendNumber(number++, 5);
            text.Append(": "u8);
            Ends(local, endpoint->Remote, isV6, endpoint->IsConnected ? EstablishedState : ClosedState, ref text);
            text.Append("00000000:"u8);
            text.AppendCapitalHex((ulong)endpoint->Received.SizeBytes, HexWord);
            Rest(0, (Socket*)endpoint->Owner, ref text);
            text.Append(" 2 0000000000000000 "u8);
            text.AppendNumber(endpoint->Drops);
            text.Append((byte)'\n');
        }
    }

    private static void Routes(NetworkStack stack, ref TextBuffer text)
    {
        const ulong Up = 1;
        const ulong Gateway = 2;
        text.Append("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"u8);
        Span<byte> name = stackalloc byte[16];
        for (int position = 0; position < stack.Routes.Count; position++)
        {
            ref readonly Route route = ref stack.Routes[position];
            if (!route.Destination.IsV4 || route.InterfaceIndex == InterfaceTable.LoopbackIndex)
            {
                continue;
            }

            const int WordBits = 32;
            const int MappedBits = 96;
            int prefix = route.PrefixLength > WordBits ? route.PrefixLength - MappedBits : route.PrefixLength;
            uint mask = prefix == 0 ? 0 : uint.MaxValue << (WordBits - prefix);
            int length = stack.Interfaces[route.InterfaceIndex].WriteName(name);
            text.Append(name.Slice(0, length));
            text.Append((byte)'\t');
            text.AppendCapitalHex(Swapped(route.Destination.V4), HexWord);
            text.Append((byte)'\t');
            text.AppendCapitalHex(route.HasGateway ? Swapped(route.Gateway.V4) : 0, HexWord);
            text.Append((byte)'\t');
            text.AppendCapitalHex(Up | (route.HasGateway ? Gateway : 0), 4);
            text.Append("\t0\t0\t"u8);
            text.AppendNumber(route.Metric);
            text.Append((byte)'\t');
            text.AppendCapitalHex(Swapped(mask), HexWord);
            text.Append("\t0\t0\t0\n"u8);
        }
    }

    private static void Addresses6(NetworkStack stack, ref TextBuffer text)
    {
        const ulong GlobalScope = 0;
        const ulong HostScope = 0x10;
        const ulong LinkScope = 0x20;
        const ulong Permanent = 0x80;
        Span<byte> bytes = stackalloc byte[IpAddress.V6Bytes];
        Span<byte> name = stackalloc byte[16];
        for (int position = 0; position < stack.Addresses.Capacity; position++)
        {
            ref InterfaceAddress address = ref stack.Addresses[position];
            if (!address.IsAssigned || address.Address.IsV4)
            {
                continue;
            }

            address.Address.WriteV6(bytes);
            foreach (byte value in bytes)
            {
                text.AppendHex(value, 2);
            }

            text.Append((byte)' ');
            text.AppendHex((ulong)address.InterfaceIndex, 2);
            text.Append((byte)' ');
            text.AppendHex(address.PrefixLength, 2);
            text.Append((byte)' ');
            text.AppendHex(address.Address.IsLoopback ? HostScope : address.Address.IsLinkLocal ? LinkScope : GlobalScope, 2);
            text.Append((byte)' ');
            text.AppendHex(address.IsDynamic ? 0 : Permanent, 2);
            text.Append((byte)' ');
            int length = stack.Interfaces[address.InterfaceIndex].WriteName(name);
            Pad(8 - length, ref text);
            text.Append(name.Slice(0, length));
            text.Append((byte)'\n');
        }
    }

    private static void Counts(FileSystem files, ref TextBuffer text)
    {
        NetworkStack stack = files.Network.Stack;
        ulong tcp = 0;
        ulong waiting = 0;
        for (TcpConnection* connection = stack.Tcp.Next(null); connection != null; connection = stack.Tcp.Next(connection))
        {
            tcp += connection->State == TcpState.TimeWait ? 0UL : 1;
            waiting += InternetSockets.LinuxStateOf(connection->State) == TimeWaitState ? 1UL : 0;
        }

        ulong udp = 0;
        ulong raw = 0;
        for (DatagramEndpoint* endpoint = stack.Endpoints.First; endpoint != null; endpoint = DatagramEndpoints.After(endpoint))
        {
            udp += endpoint->Kind == DatagramKind.Udp ? 1UL : 0;
            raw += endpoint->Kind == DatagramKind.Raw ? 1UL : 0;
        }

        text.Append("sockets: used "u8);
        text.AppendNumber(files.Sockets.InUse);
        text.Append("\nTCP: inuse "u8);
        text.AppendNumber(tcp);
        text.Append(" orphan 0 tw "u8);
        text.AppendNumber(waiting);
        text.Append(" alloc "u8);
        text.AppendNumber(tcp);
        text.Append(" mem 0\nUDP: inuse "u8);
        text.AppendNumber(udp);
        text.Append(" mem 0\nUDPLITE: inuse 0\nRAW: inuse "u8);
        text.AppendNumber(raw);
        text.Append("\nFRAG: inuse 0 memory 0\n"u8);
    }

    private static void Head(bool isV6, ref TextBuffer text)
    {
        text.Append(isV6
            ? "  sl  local_address                         remote_address                        "u8
            : "  sl  local_address rem_address   "u8);
        text.Append("st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"u8);
    }

    private static void Ends(in SocketAddress local, in SocketAddress remote, bool isV6, byte state, ref TextBuffer text)
    {
        Address(in local, isV6, ref text);
        Address(in remote, isV6, ref text);
        text.AppendCapitalHex(state, 2);
        text.Append((byte)' ');
    }

    private static void Rest(byte timer, Socket* socket, ref TextBuffer text)
    {
        const int UserWidth = 5;
        text.Append((byte)' ');
        text.AppendCapitalHex(timer, 2);
        text.Append(":00000000 00000000 "u8);
        FileStatus owner = default;
        if (socket != null)
        {
            socket->Attributes.Describe(ref owner);
        }

        text.AppendNumber(owner.Attributes.UserId, UserWidth);
        text.Append("        0 "u8);
        text.AppendNumber(socket == null ? 0 : socket->Inode);
    }

    /// <summary>Words in the machine's order, as Linux prints them.</summary>
    private static void Address(in SocketAddress address, bool isV6, ref TextBuffer text)
    {
        if (isV6)
        {
            Span<byte> bytes = stackalloc byte[IpAddress.V6Bytes];
            address.Address.WriteV6(bytes);
            foreach (uint word in MemoryMarshal.Cast<byte, uint>(bytes))
            {
                text.AppendCapitalHex(word, HexWord);
            }
        }
        else
        {
            text.AppendCapitalHex(Swapped(address.Address.V4), HexWord);
        }

        text.Append((byte)':');
        text.AppendCapitalHex(address.Port, 4);
        text.Append((byte)' ');
    }

    private static uint Swapped(uint word) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(word);

    private static void Column(ulong value, int width, ref TextBuffer text)
    {
        text.Append((byte)' ');
        text.AppendNumber(value, width - 1);
    }

    private static void Pad(int count, ref TextBuffer text)
    {
        for (; count > 0; count--)
        {
            text.Append((byte)' ');
        }
    }
}
