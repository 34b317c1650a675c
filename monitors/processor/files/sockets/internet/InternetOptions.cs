// Options of IP, IPv6, TCP, UDP and raw sockets (ip(7), ipv6(7), tcp(7), udp(7), raw(7)). Those that the stack keeps are set there; the
// others, which say what a program wants to be told, in the socket. What is not listed is ENOPROTOOPT.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What a socket wants to be told, and other switches of its own.</summary>
[Flags]
public enum InternetFlags : uint
{
    None = 0,
    FreeBind = 1 << 0,
    PacketInfo = 1 << 1,
    TimeToLive = 1 << 2,
    TypeOfService = 1 << 3,
    PacketInfo6 = 1 << 4,
    HopLimit6 = 1 << 5,
    TrafficClass6 = 1 << 6,
    OnlyV6 = 1 << 7,
    ReceiveErrors = 1 << 8,
    NoMulticastLoop = 1 << 9,
    HeaderIncluded = 1 << 10,
    NoDelay = 1 << 11,
    Cork = 1 << 12,
    NoMulticastAll = 1 << 13,
    NoChecksum = 1 << 14,
}

public sealed unsafe partial class InternetSockets
{
    private const int DefaultHopLimit = 64;
    /// <summary>IP_OPTIONS.</summary>
    private const int HeaderOptions = 4;

    /// <summary>Switches by level and number.</summary>
    private static InternetFlags FlagOf(int level, int option) => (level, option) switch
    {
        (OptionLevel.Internet, 3) => InternetFlags.HeaderIncluded,
        (OptionLevel.Internet, 8) => InternetFlags.PacketInfo,
        (OptionLevel.Internet, 11) => InternetFlags.ReceiveErrors,
        (OptionLevel.Internet, 12) => InternetFlags.TimeToLive,
        (OptionLevel.Internet, 13) => InternetFlags.TypeOfService,
        (OptionLevel.Internet, 15) => InternetFlags.FreeBind,
        (OptionLevel.Internet6, 25) => InternetFlags.ReceiveErrors,
        (OptionLevel.Internet6, 26) => InternetFlags.OnlyV6,
        (OptionLevel.Internet6, 49) => InternetFlags.PacketInfo6,
        (OptionLevel.Internet6, 51) => InternetFlags.HopLimit6,
        (OptionLevel.Internet6, 66) => InternetFlags.TrafficClass6,
        _ => InternetFlags.None,
    };

    /// <summary>Options of TCP that the stack keeps by number.</summary>
    private static bool TryTcpOption(int option, out TcpOption kept)
    {
        kept = option switch
        {
            1 => TcpOption.NoDelay,
            2 => TcpOption.MaximumSegment,
            3 => TcpOption.Cork,
            4 => TcpOption.KeepIdleSeconds,
            5 => TcpOption.KeepIntervalSeconds,
            6 => TcpOption.KeepCount,
            7 => TcpOption.SynCount,
            8 => TcpOption.FinTimeoutSeconds,
            10 => TcpOption.WindowClamp,
            12 => TcpOption.QuickAck,
            18 => TcpOption.UserTimeoutMs,
            _ => (TcpOption)(-1),
        };
        return (int)kept >= 0;
    }

    public override Errno SetOption(Process* process, Socket* socket, int level, int option, ReadOnlySpan<byte> value)
    {
        int number = value.Length >= sizeof(int) ? MemoryMarshal.Read<int>(value) : value.Length > 0 ? value[0] : 0;
        switch (level)
        {
            case OptionLevel.Socket when option == (int)SocketOption.KeepAlive:
                return socket->Tcp == null ? Errno.None : SetTcp(socket, TcpOption.KeepAlive, number);
            case OptionLevel.Socket when option == (int)SocketOption.OutOfBandInline:
                return Renew(socket);
            case OptionLevel.Socket when option == (int)SocketOption.BindToDevice:
                return BindToInterface(socket, value);
            case OptionLevel.Tcp when socket->Tcp != null:
                return value.Length < sizeof(int) && option != CongestionName ? Errno.EINVAL : SetTcpOption(socket, option, number, value);
            case OptionLevel.Internet:
                return SetIp(socket, option, number, value);
            case OptionLevel.Internet6 when socket->Domain == AddressFamily.Internet6:
                return SetIp6(socket, option, number, value);
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    public override Errno GetOption(Process* process, Socket* socket, int level, int option, Span<byte> value, out int lengthBytes)
    {
        lengthBytes = 0;
        if (level == OptionLevel.Tcp && socket->Tcp != null && option is InfoOption or CongestionName)
        {
            return option == InfoOption ? GetTcpInfo(socket, value, out lengthBytes) : GetCongestion(socket, value, out lengthBytes);
        }

        bool isLevel = level == OptionLevel.Internet || (level == OptionLevel.Internet6 && socket->Domain == AddressFamily.Internet6)
            || level == (socket->Tcp != null ? OptionLevel.Tcp : OptionLevel.Udp) || level == OptionLevel.Socket;
        if (!isLevel)
        {
            return Errno.EOPNOTSUPP;
        }

        if (level == OptionLevel.Internet && option == HeaderOptions)
        {
            // A packet has none.
            return Errno.None;
        }

        Errno error = Number(socket, level, option, out int number);
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in number));
        // Whoever has less room than an int has room for a byte (do_ip_getsockopt).
        bool isByte = level == OptionLevel.Internet && value.Length is > 0 and < sizeof(int) && number is >= 0 and <= byte.MaxValue;
        lengthBytes = isByte ? 1 : Math.Min(bytes.Length, value.Length);
        bytes.Slice(0, lengthBytes).CopyTo(value);
        return error;
    }

    private Errno Number(Socket* socket, int level, int option, out int number)
    {
        InternetFlags flag = FlagOf(level, option);
        number = (socket->InternetFlags & flag) != 0 ? 1 : 0;
        if (flag != InternetFlags.None)
        {
            return Errno.None;
        }

        if (level == OptionLevel.Tcp && socket->Tcp != null && TryTcpOption(option, out TcpOption kept))
        {
            number = Stack.Tcp.GetOption(socket->Tcp, kept);
            return Errno.None;
        }

        DatagramEndpoint* endpoint = socket->Datagram;
        switch (level, option)
        {
            case (OptionLevel.Internet, 1):
                number = endpoint == null ? socket->Tcp->TrafficClass : endpoint->TrafficClass;
                return Errno.None;
            case (OptionLevel.Internet, 2):
                number = HopLimitOf(socket);
                return Errno.None;
            case (OptionLevel.Internet, 10):
                number = endpoint == null ? (int)FragmentPolicy.PathMtu : (int)endpoint->Fragments;
                return Errno.None;
            case (OptionLevel.Internet, 14):
                return MtuOf(socket, out number);
            case (OptionLevel.Internet, 33):
                number = endpoint == null || endpoint->MulticastHopLimit < 0 ? 1 : endpoint->MulticastHopLimit;
                return Errno.None;
            case (OptionLevel.Internet, 34) or (OptionLevel.Internet6, 19):
                number = (socket->InternetFlags & InternetFlags.NoMulticastLoop) == 0 ? 1 : 0;
                return Errno.None;
            case (OptionLevel.Internet, 49):
                number = (socket->InternetFlags & InternetFlags.NoMulticastAll) == 0 ? 1 : 0;
                return Errno.None;
            case (OptionLevel.Internet6, 16):
                number = HopLimitOf(socket);
                return Errno.None;
            case (OptionLevel.Internet6, 18):
                number = endpoint == null || endpoint->MulticastHopLimit < 0 ? 1 : endpoint->MulticastHopLimit;
                return Errno.None;
            case (OptionLevel.Internet6, 67):
                number = endpoint == null ? socket->Tcp->TrafficClass : endpoint->TrafficClass;
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private Errno SetIp(Socket* socket, int option, int number, ReadOnlySpan<byte> value)
    {
        DatagramEndpoint* endpoint = socket->Datagram;
        InternetFlags flag = FlagOf(OptionLevel.Internet, option);
        if (flag == InternetFlags.HeaderIncluded && socket->Type != SocketType.Raw)
        {
            return Errno.ENOPROTOOPT;
        }

        if (flag == InternetFlags.FreeBind && value.IsEmpty)
        {
            return Errno.EINVAL;
        }

        if (flag != InternetFlags.None)
        {
            socket->InternetFlags = number != 0 ? socket->InternetFlags | flag : socket->InternetFlags & ~flag;
            return Renew(socket);
        }

        switch (option)
        {
            case HeaderOptions when value.IsEmpty:
                return Errno.None;
            case 1:
                SetTrafficClass(socket, number);
                return Errno.None;
            case 2:
                return SetHopLimit(socket, number, isMulticast: false, least: 1);
            case 10:
                if (number is < 0 or > 5)
                {
                    return Errno.EINVAL;
                }

                if (endpoint != null)
                {
                    endpoint->Fragments = (FragmentPolicy)number;
                }

                return Errno.None;
            case 32 when endpoint != null:
                return SetMulticastInterface(socket, value);
            case 33 when endpoint != null:
                return SetHopLimit(socket, number, isMulticast: true, least: 0);
            case 34 or 49:
                InternetFlags off = option == 34 ? InternetFlags.NoMulticastLoop : InternetFlags.NoMulticastAll;
                socket->InternetFlags = number == 0 ? socket->InternetFlags | off : socket->InternetFlags & ~off;
                return Renew(socket);
            case 35 or 36 when endpoint != null && value.Length >= 2 * IpAddress.V4Bytes:
                IpAddress group = IpAddress.FromV4(value.Slice(0, IpAddress.V4Bytes));
                int index = value.Length >= (2 * IpAddress.V4Bytes) + sizeof(int)
                    ? MemoryMarshal.Read<int>(value.Slice(2 * IpAddress.V4Bytes))
                    : Stack.Addresses.InterfaceOf(IpAddress.FromV4(value.Slice(IpAddress.V4Bytes, IpAddress.V4Bytes)));
                return ChangeGroup(socket, group, index, joins: option == 35);
            default:
                return option is 32 or 33 or 35 or 36 && endpoint != null ? Errno.EINVAL : Errno.ENOPROTOOPT;
        }
    }

    private Errno SetIp6(Socket* socket, int option, int number, ReadOnlySpan<byte> value)
    {
        InternetFlags flag = FlagOf(OptionLevel.Internet6, option);
        if (value.Length < sizeof(int))
        {
            return flag != InternetFlags.None || option is 16 or 17 or 18 or 19 or 67 ? Errno.EINVAL : Errno.ENOPROTOOPT;
        }

        if (flag != InternetFlags.None)
        {
            bool isBound = socket->Tcp != null ? socket->Tcp->HasPort : socket->Datagram->IsBound;
            if (flag == InternetFlags.OnlyV6 && isBound)
            {
                return Errno.EINVAL;
            }

            socket->InternetFlags = number != 0 ? socket->InternetFlags | flag : socket->InternetFlags & ~flag;
            return Renew(socket);
        }

        switch (option)
        {
            case 7 when socket->Type == SocketType.Raw && number > 0 && (number & 1) != 0:
                return Errno.EINVAL;
            case 7 when socket->Type == SocketType.Raw:
                socket->Datagram->ChecksumOffset = number;
                return Errno.None;
            case 16:
                return SetHopLimit(socket, number, isMulticast: false, least: 0);
            case 17 when socket->Datagram != null && number != 0 && !Stack.Interfaces.Exists(number):
                return Errno.ENODEV;
            case 17 when socket->Datagram != null:
                socket->Datagram->MulticastInterface = number;
                return Errno.None;
            case 18 when socket->Datagram != null:
                return SetHopLimit(socket, number, isMulticast: true, least: 0);
            case 19 when number is 0 or 1:
                socket->InternetFlags = number == 0 ? socket->InternetFlags | InternetFlags.NoMulticastLoop
                    : socket->InternetFlags & ~InternetFlags.NoMulticastLoop;
                return Renew(socket);
            case 20 or 21 when socket->Datagram != null && value.Length >= IpAddress.V6Bytes + sizeof(int):
                return ChangeGroup(
                    socket, IpAddress.FromV6(value.Slice(0, IpAddress.V6Bytes)), MemoryMarshal.Read<int>(value.Slice(IpAddress.V6Bytes)),
                    joins: option == 20);
            case 67 when number is >= -1 and <= byte.MaxValue:
                SetTrafficClass(socket, Math.Max(number, 0));
                return Errno.None;
            default:
                return option is 19 or 67 ? Errno.EINVAL : Errno.ENOPROTOOPT;
        }
    }

    private static int HopLimitOf(Socket* socket)
    {
        int limit = socket->Datagram == null ? socket->Tcp->HopLimit : socket->Datagram->HopLimit;
        return limit < 0 ? DefaultHopLimit : limit;
    }

    private static void SetTrafficClass(Socket* socket, int number)
    {
        if (socket->Datagram != null)
        {
            socket->Datagram->TrafficClass = (byte)number;
        }
        else
        {
            // The other two bits are TCP's own (RFC 3168, 5; ip_setsockopt).
            const int EcnBits = 3;
            socket->Tcp->TrafficClass = (byte)(number & ~EcnBits);
        }
    }

    private static Errno SetHopLimit(Socket* socket, int number, bool isMulticast, int least)
    {
        if (number != -1 && (number < least || number > byte.MaxValue))
        {
            return Errno.EINVAL;
        }

        if (socket->Datagram != null)
        {
            *(isMulticast ? &socket->Datagram->MulticastHopLimit : &socket->Datagram->HopLimit) = (short)number;
        }
        else
        {
            socket->Tcp->HopLimit = (short)number;
        }

        return Errno.None;
    }

    private Errno SetMulticastInterface(Socket* socket, ReadOnlySpan<byte> value)
    {
        if (value.Length < IpAddress.V4Bytes)
        {
            return Errno.EINVAL;
        }

        // struct in_addr, ip_mreq (the second address) or ip_mreqn.
        const int MembershipBytes = 2 * IpAddress.V4Bytes;
        int offset = value.Length >= MembershipBytes ? IpAddress.V4Bytes : 0;
        IpAddress source = IpAddress.FromV4(value.Slice(offset, IpAddress.V4Bytes));
        int index = value.Length >= MembershipBytes + sizeof(int) ? MemoryMarshal.Read<int>(value.Slice(MembershipBytes)) : 0;
        index = index == 0 && !source.IsUnspecified ? Stack.Addresses.InterfaceOf(source) : index;
        if (!source.IsUnspecified && index == 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        socket->Datagram->MulticastInterface = index;
        socket->Datagram->MulticastSource = source;
        return Errno.None;
    }

    private Errno ChangeGroup(Socket* socket, IpAddress group, int index, bool joins)
    {
        network.Now();
        Errno error = joins ? Stack.Joins.Join(socket->Datagram, group, index) : Stack.Joins.Leave(socket->Datagram, group, index);
        network.Settle();
        return error;
    }

    private Errno BindToInterface(Socket* socket, ReadOnlySpan<byte> name)
    {
        int end = name.IndexOf((byte)0);
        name = end < 0 ? name : name.Slice(0, end);
        int index = name.IsEmpty ? 0 : InterfaceRequests.Find(Stack, name);
        if (index < 0)
        {
            return Errno.ENODEV;
        }

        if (socket->Datagram != null)
        {
            socket->Datagram->InterfaceIndex = index;
        }

        return Errno.None;
    }

    private Errno MtuOf(Socket* socket, out int number)
    {
        number = 0;
        bool isConnected = socket->State == SocketState.Connected;
        if (isConnected)
        {
            SocketAddress remote = socket->Tcp != null ? socket->Tcp->Remote : socket->Datagram->Remote;
            SocketAddress local = socket->Tcp != null ? socket->Tcp->Local : socket->Datagram->Local;
            const int Headers = 40;
            number = Stack.PayloadLimit(local.Address, remote.Address, remote.Scope) + Headers;
        }

        return isConnected ? Errno.None : Errno.ENOTCONN;
    }

    private Errno Renew(Socket* socket)
    {
        if (socket->Datagram != null)
        {
            socket->Datagram->Options = OptionsOf(socket);
        }
        else
        {
            socket->Tcp->Flags = FlagsOf(socket);
        }

        return Errno.None;
    }

    private static DatagramOptions OptionsOf(Socket* socket)
    {
        InternetFlags flags = socket->InternetFlags;
        DatagramOptions options = (flags & InternetFlags.NoMulticastLoop) == 0 ? DatagramOptions.MulticastLoop : DatagramOptions.None;
        options |= (flags & InternetFlags.NoMulticastAll) == 0 ? DatagramOptions.MulticastAll : DatagramOptions.None;
        options |= (flags & InternetFlags.OnlyV6) != 0 ? DatagramOptions.OnlyV6 : DatagramOptions.None;
        options |= (flags & InternetFlags.HeaderIncluded) != 0 ? DatagramOptions.HeaderIncluded : DatagramOptions.None;
        options |= (flags & InternetFlags.ReceiveErrors) != 0 ? DatagramOptions.ReceiveErrors : DatagramOptions.None;
        options |= (flags & InternetFlags.NoChecksum) != 0 ? DatagramOptions.NoChecksum : DatagramOptions.None;
        options |= (socket->Flags & SocketFlags.ReuseAddress) != 0 ? DatagramOptions.ReuseAddress : DatagramOptions.None;
        options |= (socket->Flags & SocketFlags.ReusePort) != 0 ? DatagramOptions.ReusePort : DatagramOptions.None;
        return options | ((socket->Flags & SocketFlags.Broadcast) != 0 ? DatagramOptions.Broadcast : DatagramOptions.None);
    }

    private static TcpSocketFlags FlagsOf(Socket* socket)
    {
        const TcpSocketFlags Kept = TcpSocketFlags.NoDelay | TcpSocketFlags.Cork | TcpSocketFlags.KeepAlive;
        TcpSocketFlags flags = socket->Tcp->Flags & Kept;
        flags |= (socket->Flags & SocketFlags.ReuseAddress) != 0 ? TcpSocketFlags.ReuseAddress : TcpSocketFlags.None;
        flags |= (socket->Flags & SocketFlags.ReusePort) != 0 ? TcpSocketFlags.ReusePort : TcpSocketFlags.None;
        flags |= (socket->Flags & SocketFlags.OutOfBandInline) != 0 ? TcpSocketFlags.OutOfBandInline : TcpSocketFlags.None;
        return flags | ((socket->InternetFlags & InternetFlags.OnlyV6) != 0 ? TcpSocketFlags.V6Only : TcpSocketFlags.None);
    }
}
