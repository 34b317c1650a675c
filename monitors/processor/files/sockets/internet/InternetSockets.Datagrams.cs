// Datagrams of UDP, ping and raw sockets, with what control messages say of them (ip(7), ipv6(7)). A datagram to send is gathered in
// one piece; one that has come is taken out of its queue before it is copied, because the copy may block.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class InternetSockets
{
    // Control messages of IP and IPv6.
    private const int PacketInfo = 8;
    private const int TypeOfService = 1;
    private const int TimeToLive = 2;
    private const int ErrorMessage = 11;
    private const int PacketInfo6 = 50;
    private const int HopLimit6 = 52;
    private const int TrafficClass6 = 67;
    private const int ErrorMessage6 = 25;
    private const ulong MicrosecondNs = 1000;

    /// <summary>struct in_pktinfo.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PacketInfoV4
    {
        internal int InterfaceIndex;
        internal fixed byte Local[4];
        internal fixed byte Destination[4];
    }

    /// <summary>struct in6_pktinfo.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PacketInfoV6
    {
        internal fixed byte Address[16];
        internal int InterfaceIndex;
    }

    /// <summary>struct sock_extended_err with the offender behind it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ExtendedError
    {
        internal int Error;
        internal byte Origin;
        internal byte Type;
        internal byte Code;
        internal byte Padding;
        internal uint Info;
        internal uint Data;
    }

    /// <summary>struct timeval or timespec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TimeValue
    {
        internal ulong Seconds;
        /// <summary>Microseconds or nanoseconds.</summary>
        internal ulong Part;
    }

    private long SendDatagram(Process* process, Socket* socket, ref SocketMessage message)
    {
        Errno error = GivePort(socket);
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        // udpv6_sendmsg does not look at the flag.
        if (message.Has(MessageFlags.OutOfBand) && (socket->Domain == AddressFamily.Internet || socket->Datagram->Kind != DatagramKind.Udp))
        {
            return CallResult.Fail(Errno.EOPNOTSUPP);
        }

        if (message.Data.RemainingBytes > ushort.MaxValue)
        {
            return CallResult.Fail(Errno.EMSGSIZE);
        }

        DatagramSend send = DatagramSend.ToPeer;
        if (message.HasName)
        {
            send.HasDestination = true;
            error = InternetName.Read(in message.Name, socket->Domain, allowsV4: true, out send.Destination);
            // What connect calls another family, udpv6_sendmsg calls a bad argument.
            bool isForeign = error == Errno.EAFNOSUPPORT && socket->Domain == AddressFamily.Internet6
                && socket->Datagram->Kind == DatagramKind.Udp;
            error = isForeign ? Errno.EINVAL : error;
        }

        // What goes over IPv4 is udp_sendmsg's, which does.
        bool hasRemote = send.HasDestination || socket->Datagram->IsConnected;
        IpAddress remote = send.HasDestination ? send.Destination.Address : socket->Datagram->Remote.Address;
        bool isOnlyV6 = socket->Domain == AddressFamily.Internet6 && (socket->InternetFlags & InternetFlags.OnlyV6) != 0;
        remote = IpRouter.DestinationOf(remote, socket->Datagram->Local.Address);
        error = error == Errno.None && message.Has(MessageFlags.OutOfBand) && hasRemote && remote.IsV4
            ? isOnlyV6 ? Errno.ENETUNREACH : Errno.EOPNOTSUPP : error;
        error = error == Errno.None ? TakeControl(process, ref message, ref send) : error;
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        int length = (int)message.Data.RemainingBytes;
        using GatheredBytes buffer = new(Files.Frames, length);
        Span<byte> bytes = buffer.Bytes;
        error = buffer.IsNone ? Errno.ENOBUFS : message.Data.Take(bytes, out _);
        if (error == Errno.None)
        {
            network.Now();
            socket->Datagram->Options = OptionsOf(socket);
            error = Stack.Send(socket->Datagram, in send, bytes, default);
            network.Settle();
        }

        return CallResult.Of(error, length);
    }

    /// <summary>Linux gives a socket a port before it looks at what it is asked (inet_send_prepare). EAGAIN: there is none.</summary>
    private Errno GivePort(Socket* socket)
    {
        bool lacksPort = socket->Datagram->Kind == DatagramKind.Udp && !socket->Datagram->IsBound;
        SocketAddress any = new(socket->Datagram->Local.Address, 0, socket->Datagram->Local.Scope);
        return lacksPort && Stack.Bind(socket->Datagram, in any) != Errno.None ? Errno.EAGAIN : Errno.None;
    }

    private long ReceiveDatagram(Process* process, Socket* socket, ref SocketMessage message)
    {
        // udp_recvmsg does not look at the flag.
        if (message.Has(MessageFlags.OutOfBand) && socket->Datagram->Kind != DatagramKind.Udp)
        {
            return CallResult.Fail(Errno.EOPNOTSUPP);
        }

        bool fromErrors = message.Has(MessageFlags.ErrorQueue);
        bool peeks = message.Has(MessageFlags.Peek);
        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        while (true)
        {
            DatagramEndpoint* endpoint = socket->Datagram;
            Errno error = fromErrors ? Errno.None : DatagramEndpoints.TakeError(endpoint);
            Packet* packet = error == Errno.None ? Stack.Endpoints.Take(endpoint, fromErrors, peeks) : null;
            if (packet != null)
            {
                return Give(socket, packet, fromErrors, ref message);
            }

            if (error == Errno.None && endpoint->IsReadShut && !fromErrors && !message.IsNonBlocking)
            {
                return 0;
            }

            error = error != Errno.None ? error
                : Socket.Wait(ref socket->ReceiversWait, message.IsNonBlocking || fromErrors, deadline);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }
    }

    /// <summary>Copies a datagram to the program and lets it go. BLOCKS.</summary>
    private long Give(Socket* socket, Packet* packet, bool isError, ref SocketMessage message)
    {
        Errno error = PacketCopy.Give(packet, ref message, out int length);
        message.Received |= isError ? MessageFlags.ErrorQueue : MessageFlags.None;
        SocketAddress from = isError ? packet->Destination : packet->Source;
        message.Name = InternetName.Write(in from, socket->Domain);
        bool isWhole = TellControl(socket, packet, ref message) && (!isError || TellError(socket, packet, ref message));
        message.Received |= isWhole ? MessageFlags.None : MessageFlags.ControlTruncated;
        Stack.Endpoints.Release(packet);
        return CallResult.Of(error, length);
    }

    /// <summary>What the control messages of a sendmsg say. EINVAL. BLOCKS.</summary>
    private static Errno TakeControl(Process* process, ref SocketMessage message, ref DatagramSend send)
    {
        Errno error = Errno.None;
        while (error == Errno.None && message.Control.TryTake(out ControlHeader header, out UserBuffer data, out error))
        {
            if (header.Level is not (OptionLevel.Internet or OptionLevel.Internet6))
            {
                continue;
            }

            switch (header.Level == OptionLevel.Internet, header.Type)
            {
                case (true, PacketInfo):
                    error = Take(process, in data, out PacketInfoV4 v4);
                    send.InterfaceIndex = v4.InterfaceIndex;
                    send.Source = IpAddress.FromV4(new ReadOnlySpan<byte>(v4.Local, IpAddress.V4Bytes));
                    break;
                case (false, PacketInfo6):
                    error = Take(process, in data, out PacketInfoV6 v6);
                    send.InterfaceIndex = v6.InterfaceIndex;
                    send.Source = IpAddress.FromV6(new ReadOnlySpan<byte>(v6.Address, IpAddress.V6Bytes));
                    break;
                case (true, TimeToLive) or (false, HopLimit6):
                    error = Take(process, in data, out int hops);
                    bool isZero = header.Level == OptionLevel.Internet && hops == 0;
                    error = error == Errno.None && (isZero || hops is < -1 or > byte.MaxValue) ? Errno.EINVAL : error;
                    send.HopLimit = (short)hops;
                    break;
                case (true, TypeOfService) or (false, TrafficClass6):
                    error = Take(process, in data, out int service);
                    error = error == Errno.None && service is < -1 or > byte.MaxValue ? Errno.EINVAL : error;
                    send.TrafficClass = (short)service;
                    break;
                default:
                    error = Errno.EINVAL;
                    break;
            }
        }

        return error;
    }

    private static Errno Take<T>(Process* process, in UserBuffer data, out T value) where T : unmanaged
    {
        value = default;
        return data.LengthBytes < (ulong)sizeof(T) ? Errno.EINVAL : data.CopyIn(process, 0, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>What the socket wants to be told of a datagram; false: not all of it fitted.</summary>
    private bool TellControl(Socket* socket, Packet* packet, ref SocketMessage message)
    {
        InternetFlags flags = socket->InternetFlags;
        bool isWhole = true;
        if ((socket->Flags & (SocketFlags.Timestamp | SocketFlags.TimestampNs)) != 0)
        {
            bool isExact = (socket->Flags & SocketFlags.TimestampNs) != 0;
            ulong arrival = packet->ArrivalNs + (Clock.UnixTimeNs() - Clock.NowNs());
            ulong part = arrival % SecondNs;
            TimeValue time = new() { Seconds = arrival / SecondNs, Part = isExact ? part : part / MicrosecondNs };
            SocketOption type = isExact ? SocketOption.TimestampNs : SocketOption.Timestamp;
            isWhole &= Put(ref message, OptionLevel.Socket, (int)type, in time);
        }

        IpAddress to = packet->Destination.Address;
        if (to.IsV4 && (flags & InternetFlags.PacketInfo) != 0)
        {
            PacketInfoV4 info = new() { InterfaceIndex = packet->InterfaceIndex };
            IpAddress local = Stack.Addresses.IsLocal(to, 0) ? to : IpAddress.AnyV4;
            local.WriteV4(new Span<byte>(info.Local, IpAddress.V4Bytes));
            to.WriteV4(new Span<byte>(info.Destination, IpAddress.V4Bytes));
            isWhole &= Put(ref message, OptionLevel.Internet, PacketInfo, in info);
        }

        if (to.IsV4 && (flags & InternetFlags.TimeToLive) != 0)
        {
            isWhole &= Put(ref message, OptionLevel.Internet, TimeToLive, (int)packet->HopLimit);
        }

        if (to.IsV4 && (flags & InternetFlags.TypeOfService) != 0)
        {
            isWhole &= Put(ref message, OptionLevel.Internet, TypeOfService, packet->TrafficClass);
        }

        if (socket->Domain == AddressFamily.Internet6 && (flags & InternetFlags.PacketInfo6) != 0)
        {
            PacketInfoV6 info = new() { InterfaceIndex = packet->InterfaceIndex };
            to.WriteV6(new Span<byte>(info.Address, IpAddress.V6Bytes));
            isWhole &= Put(ref message, OptionLevel.Internet6, PacketInfo6, in info);
        }

        if (!to.IsV4 && (flags & InternetFlags.HopLimit6) != 0)
        {
            isWhole &= Put(ref message, OptionLevel.Internet6, HopLimit6, (int)packet->HopLimit);
        }

        if (!to.IsV4 && (flags & InternetFlags.TrafficClass6) != 0)
        {
            isWhole &= Put(ref message, OptionLevel.Internet6, TrafficClass6, (int)packet->TrafficClass);
        }

        return isWhole;
    }

    /// <summary>What an error of the error queue was (ip(7), IP_RECVERR).</summary>
    private static bool TellError(Socket* socket, Packet* packet, ref SocketMessage message)
    {
        ExtendedError error = new()
        {
            Error = (int)packet->Error,
            Origin = packet->ErrorOrigin,
            Type = packet->ErrorType,
            Code = packet->ErrorCode,
            Info = packet->ErrorInfo,
        };
        bool isV4 = packet->Destination.Address.IsV4;
        SocketName offender = InternetName.Write(in packet->Offender, isV4 ? AddressFamily.Internet : AddressFamily.Internet6);
        Span<byte> bytes = stackalloc byte[sizeof(ExtendedError) + SocketName.MaxBytes];
        MemoryMarshal.Write(bytes, in error);
        offender.Bytes.CopyTo(bytes.Slice(sizeof(ExtendedError)));
        return message.Control.Put(
            isV4 ? OptionLevel.Internet : OptionLevel.Internet6, isV4 ? ErrorMessage : ErrorMessage6,
            bytes.Slice(0, sizeof(ExtendedError) + offender.Length));
    }

    private static bool Put<T>(ref SocketMessage message, int level, int type, in T value) where T : unmanaged =>
        message.Control.Put(level, type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}
