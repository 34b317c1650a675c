// Options at the level of the socket (SOL_SOCKET, socket(7)), the same for all families. Values are copied by the caller. Never blocks.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Gets and sets SO_ options.</summary>
public static unsafe class SocketOptions
{
    private const ulong SecondNs = 1_000_000_000;
    private const long MicrosecondNs = 1000;

    // Linux doubles what a program asks for, because its buffers hold their own overhead, too (socket(7), SO_RCVBUF).
    private const int LeastSendBytes = 4608;
    private const int LeastReceiveBytes = 2304;
    private const int MostAskedBytes = 4_194_304;

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeValue
    {
        internal long Seconds;
        internal long Microseconds;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct LingerValue
    {
        internal int IsOn;
        internal int Seconds;
    }

    /// <summary>setsockopt(2). EINVAL: too short; EPERM, EDOM, ENOPROTOOPT.</summary>
    public static Errno Set(Process* process, Socket* socket, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (option == SocketOption.BindToDevice)
        {
            return socket->Family.SetOption(process, socket, OptionLevel.Socket, (int)option, value);
        }

        bool isOfFilter = option is SocketOption.AttachFilter or SocketOption.DetachFilter or SocketOption.LockFilter;
        if (isOfFilter && socket->Domain is AddressFamily.Netlink or AddressFamily.Unix)
        {
            // No filter is asked what comes there: nobody may believe so.
            return Errno.ENOPROTOOPT;
        }

        if (value.Length < sizeof(int))
        {
            return Errno.EINVAL;
        }

        int number = MemoryMarshal.Read<int>(value);
        if (process->EffectiveUserId != 0 && IsOfRoot(option, number))
        {
            return Errno.EPERM;
        }

        switch (option)
        {
            case SocketOption.SendBuffer:
            case SocketOption.SendBufferForce:
                socket->SendLimitBytes = Math.Max(2 * Math.Clamp(number, 0, MostAskedBytes), LeastSendBytes);
                socket->Family.Resized(socket);
                return Errno.None;
            case SocketOption.ReceiveBuffer:
            case SocketOption.ReceiveBufferForce:
                socket->ReceiveLimitBytes = Math.Max(2 * Math.Clamp(number, 0, MostAskedBytes), LeastReceiveBytes);
                socket->Family.Resized(socket);
                return Errno.None;
            case SocketOption.ReceiveLowWater:
                socket->LowWaterBytes = number < 0 ? int.MaxValue : Math.Max(number, 1);
                return Errno.None;
            case SocketOption.Linger:
                return SetLinger(socket, value);
            case SocketOption.ReceiveTimeout:
            case SocketOption.ReceiveTimeout64:
                return SetTimeout(ref socket->ReceiveTimeoutNs, value);
            case SocketOption.SendTimeout:
            case SocketOption.SendTimeout64:
                return SetTimeout(ref socket->SendTimeoutNs, value);
            case SocketOption.Priority:
                socket->Priority = (uint)number;
                return Errno.None;
            case SocketOption.Mark:
                socket->Mark = (uint)number;
                return Errno.None;
            case SocketOption.PassCredentials when socket->Domain is not (AddressFamily.Unix or AddressFamily.Netlink):
                return Errno.EOPNOTSUPP;
            case SocketOption.ReusePort when number != 0 && socket->Domain is not (AddressFamily.Internet or AddressFamily.Internet6):
                return Errno.EOPNOTSUPP;
            case SocketOption.KeepAlive or SocketOption.OutOfBandInline:
                SetFlag(socket, FlagOf(option), number);
                socket->Family.SetOption(process, socket, OptionLevel.Socket, (int)option, value);
                return Errno.None;
            case SocketOption.Timestamp or SocketOption.TimestampNs:
                // One or neither of them (__sock_set_timestamps of Linux).
                socket->Flags &= ~(SocketFlags.Timestamp | SocketFlags.TimestampNs);
                SetFlag(socket, FlagOf(option), number);
                return Errno.None;
            case SocketOption.AttachFilter:
                return socket->Family.Files.Filters.Attach(process, socket, value);
            case SocketOption.DetachFilter:
                return socket->Family.Files.Filters.Detach(socket);
            case SocketOption.LockFilter:
                return SocketFilters.Lock(socket, number != 0);
            case SocketOption.Type or SocketOption.Protocol or SocketOption.Domain or SocketOption.Error or SocketOption.SendLowWater:
                return Errno.ENOPROTOOPT;
            default:
                SocketFlags flag = FlagOf(option);
                SetFlag(socket, flag, number);
                return flag == SocketFlags.None ? Errno.ENOPROTOOPT : Errno.None;
        }
    }

    /// <summary>getsockopt(2): the value and its length, not more than there is room for. ENOPROTOOPT.</summary>
    public static Errno Get(Process* process, Socket* socket, SocketOption option, Span<byte> value, out int lengthBytes)
    {
        lengthBytes = Math.Min(value.Length, sizeof(int));
        int number;
        switch (option)
        {
            case SocketOption.Linger:
                LingerValue linger = new() { IsOn = Has(socket, SocketFlags.Linger), Seconds = (int)socket->LingerSeconds };
                lengthBytes = Put(value, in linger);
                return Errno.None;
            case SocketOption.ReceiveTimeout or SocketOption.ReceiveTimeout64:
                lengthBytes = PutTimeout(value, socket->ReceiveTimeoutNs);
                return Errno.None;
            case SocketOption.SendTimeout or SocketOption.SendTimeout64:
                lengthBytes = PutTimeout(value, socket->SendTimeoutNs);
                return Errno.None;
            case SocketOption.PeerCredentials or SocketOption.PeerGroups or SocketOption.BindToDevice:
                return socket->Family.GetOption(process, socket, OptionLevel.Socket, (int)option, value, out lengthBytes);
            case SocketOption.PassCredentials when socket->Domain is not (AddressFamily.Unix or AddressFamily.Netlink):
                return Errno.EOPNOTSUPP;
            case SocketOption.Type:
                number = (int)socket->Type;
                break;
            case SocketOption.Error:
                number = (int)socket->Family.TakeError(socket);
                break;
            case SocketOption.SendBuffer:
                number = socket->SendLimitBytes;
                break;
            case SocketOption.ReceiveBuffer:
                number = socket->ReceiveLimitBytes;
                break;
            case SocketOption.ReceiveLowWater:
                number = socket->LowWaterBytes;
                break;
            case SocketOption.SendLowWater:
                number = 1;
                break;
            case SocketOption.Priority:
                number = (int)socket->Priority;
                break;
            case SocketOption.Mark:
                number = (int)socket->Mark;
                break;
            case SocketOption.AcceptsConnections:
                number = socket->State == SocketState.Listening ? 1 : 0;
                break;
            case SocketOption.LockFilter:
                number = socket->IsFilterLocked ? 1 : 0;
                break;
            case SocketOption.Protocol:
                number = socket->Protocol;
                break;
            case SocketOption.Domain:
                number = socket->Domain;
                break;
            default:
                SocketFlags flag = FlagOf(option);
                number = Has(socket, flag);
                if (flag == SocketFlags.None)
                {
                    return Errno.ENOPROTOOPT;
                }

                break;
        }

        Put(value, in number);
        return Errno.None;
    }

    private static bool IsOfRoot(SocketOption option, int number) => option switch
    {
        SocketOption.SendBufferForce or SocketOption.ReceiveBufferForce or SocketOption.Mark => true,
        SocketOption.Priority => number is < 0 or > 6,
        _ => false,
    };

    private static SocketFlags FlagOf(SocketOption option) => option switch
    {
        SocketOption.Debug => SocketFlags.Debug,
        SocketOption.ReuseAddress => SocketFlags.ReuseAddress,
        SocketOption.DontRoute => SocketFlags.DontRoute,
        SocketOption.Broadcast => SocketFlags.Broadcast,
        SocketOption.KeepAlive => SocketFlags.KeepAlive,
        SocketOption.OutOfBandInline => SocketFlags.OutOfBandInline,
        SocketOption.ReusePort => SocketFlags.ReusePort,
        SocketOption.PassCredentials => SocketFlags.PassCredentials,
        SocketOption.Timestamp => SocketFlags.Timestamp,
        SocketOption.TimestampNs => SocketFlags.TimestampNs,
        _ => SocketFlags.None,
    };

    private static int Has(Socket* socket, SocketFlags flag) => (socket->Flags & flag) != 0 ? 1 : 0;

    private static void SetFlag(Socket* socket, SocketFlags flag, int value) =>
        socket->Flags = value != 0 ? socket->Flags | flag : socket->Flags & ~flag;

    private static Errno SetLinger(Socket* socket, ReadOnlySpan<byte> value)
    {
        if (value.Length < sizeof(LingerValue))
        {
            return Errno.EINVAL;
        }

        LingerValue linger = MemoryMarshal.Read<LingerValue>(value);
        SetFlag(socket, SocketFlags.Linger, linger.IsOn);
        socket->LingerSeconds = linger.IsOn == 0 ? socket->LingerSeconds : (uint)linger.Seconds;
        return Errno.None;
    }

    private static Errno SetTimeout(ref ulong timeoutNs, ReadOnlySpan<byte> value)
    {
        if (value.Length < sizeof(TimeValue))
        {
            return Errno.EINVAL;
        }

        TimeValue time = MemoryMarshal.Read<TimeValue>(value);
        if (time.Microseconds is < 0 or >= 1_000_000)
        {
            return Errno.EDOM;
        }

        // A negative time is over at once, one that does not fit never.
        const long Never = long.MaxValue / (long)SecondNs;
        timeoutNs = time.Seconds < 0 ? 1
            : time.Seconds >= Never ? 0
            : ((ulong)time.Seconds * SecondNs) + (ulong)(time.Microseconds * MicrosecondNs);
        return Errno.None;
    }

    private static int PutTimeout(Span<byte> value, ulong timeoutNs)
    {
        TimeValue time = new() { Seconds = (long)(timeoutNs / SecondNs), Microseconds = (long)(timeoutNs % SecondNs) / MicrosecondNs };
        return Put(value, in time);
    }

    private static int Put<T>(Span<byte> value, in T item) where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in item));
        int length = Math.Min(bytes.Length, value.Length);
        bytes.Slice(0, length).CopyTo(value);
        return length;
    }
}
