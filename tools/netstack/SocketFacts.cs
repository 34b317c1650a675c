// The C interface (netstack.h): options of sockets, and how they stand.

using System;
using System.Runtime;
using Lego.Kernel;

namespace Lego.NetStack;

/// <summary>Calls that look at a socket. Results below 0 are minus Linux's errno.</summary>
internal static unsafe class SocketFacts
{
    /// <summary>Options that are on or off, above those of <see cref="TcpOption"/>.</summary>
    private const int FirstSwitch = 100;

    /// <summary>A value of <see cref="TcpOption"/>, or a switch from 100 on (netstack.h).</summary>
    [RuntimeExport("lego_set_option")]
    private static int SetOption(nint handle, int number, int option, int value, ulong nowNs)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null || socket->Tcp == null)
        {
            return NodeCalls.Result(socket == null ? Errno.EBADF : Errno.EOPNOTSUPP);
        }

        if (TrySwitch(option, out TcpSocketFlags flag))
        {
            socket->Tcp->Flags = value != 0 ? socket->Tcp->Flags | flag : socket->Tcp->Flags & ~flag;
            return 0;
        }

        Errno error = node.Stack.Tcp.SetOption(socket->Tcp, (TcpOption)option, value, nowNs);
        node.Settle();
        return NodeCalls.Result(error);
    }

    [RuntimeExport("lego_get_option")]
    private static int GetOption(nint handle, int number, int option)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        return socket == null || socket->Tcp == null ? NodeCalls.Result(socket == null ? Errno.EBADF : Errno.EOPNOTSUPP)
            : TrySwitch(option, out TcpSocketFlags flag) ? ((socket->Tcp->Flags & flag) != 0 ? 1 : 0)
            : node.Stack.Tcp.GetOption(socket->Tcp, (TcpOption)option);
    }

    /// <summary>Bits of <see cref="TcpReadiness"/>.</summary>
    [RuntimeExport("lego_poll")]
    private static int Poll(nint handle, int number)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null)
        {
            return NodeCalls.Result(Errno.EBADF);
        }

        if (socket->Tcp != null)
        {
            return (int)node.Stack.Tcp.Poll(socket->Tcp);
        }

        TcpReadiness readiness = TcpReadiness.Writable;
        readiness |= socket->Datagram->IsReadable ? TcpReadiness.Readable : TcpReadiness.None;
        return (int)(readiness | (socket->Datagram->HasError ? TcpReadiness.Error : TcpReadiness.None));
    }

    /// <summary>SO_ERROR: the errno that waits, which is then taken; 0: none.</summary>
    [RuntimeExport("lego_take_error")]
    private static int TakeError(nint handle, int number)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        return socket == null ? NodeCalls.Result(Errno.EBADF)
            : (int)(socket->Tcp != null ? node.Stack.Tcp.TakeError(socket->Tcp) : DatagramEndpoints.TakeError(socket->Datagram));
    }

    [RuntimeExport("lego_state")]
    private static int State(nint handle, int number)
    {
        NumberedSocket* socket = NodeCalls.Of(handle).Sockets.Find(number);
        return socket == null ? NodeCalls.Result(Errno.EBADF)
            : (int)(socket->Tcp != null ? socket->Tcp->State : socket->Datagram->IsConnected ? TcpState.Established : TcpState.Closed);
    }

    /// <summary>Both ends' names; either pointer may be null.</summary>
    [RuntimeExport("lego_names")]
    private static int Names(nint handle, int number, SocketAddress* local, SocketAddress* remote)
    {
        NumberedSocket* socket = NodeCalls.Of(handle).Sockets.Find(number);
        if (socket == null)
        {
            return NodeCalls.Result(Errno.EBADF);
        }

        if (local != null)
        {
            *local = socket->Tcp != null ? socket->Tcp->Local : socket->Datagram->Local;
        }

        if (remote != null)
        {
            *remote = socket->Tcp != null ? socket->Tcp->Remote : socket->Datagram->Remote;
        }

        return 0;
    }

    /// <summary>What is known of a connection, as lines "name value"; their length in all.</summary>
    [RuntimeExport("lego_info")]
    private static int Info(nint handle, int number, byte* text, uint capacityBytes, ulong nowNs)
    {
        Node node = NodeCalls.Of(handle);
        NumberedSocket* socket = node.Sockets.Find(number);
        if (socket == null || socket->Tcp == null)
        {
            return NodeCalls.Result(socket == null ? Errno.EBADF : Errno.EOPNOTSUPP);
        }

        node.Stack.Tcp.Describe(socket->Tcp, nowNs, out TcpInfo info);
        StatisticsWriter writer = new(new Span<byte>(text, (int)capacityBytes));
        writer.Add("state"u8, (ulong)info.State);
        writer.Add("recovery"u8, (ulong)info.Recovery);
        writer.Add("timestamps"u8, info.HasTimestamps ? 1UL : 0);
        writer.Add("sack"u8, info.HasSack ? 1UL : 0);
        writer.Add("window_scale"u8, info.HasWindowScale ? 1UL : 0);
        writer.Add("ecn"u8, info.HasEcn ? 1UL : 0);
        writer.Add("retries"u8, (ulong)info.Retries);
        writer.Add("rto_ns"u8, info.RtoNs);
        writer.Add("smoothed_rtt_ns"u8, info.SmoothedRttNs);
        writer.Add("rtt_variation_ns"u8, info.RttVariationNs);
        writer.Add("send_mss"u8, info.SendMss);
        writer.Add("cwnd"u8, info.Cwnd);
        writer.Add("ssthresh"u8, info.Ssthresh);
        writer.Add("send_window"u8, info.SendWindow);
        writer.Add("receive_window"u8, info.ReceiveWindow);
        writer.Add("unacknowledged"u8, info.UnackedBytes);
        writer.Add("lost"u8, info.LostBytes);
        writer.Add("send_queue"u8, info.SendQueueBytes);
        writer.Add("receive_queue"u8, info.ReceiveQueueBytes);
        writer.Add("retransmits"u8, info.TotalRetransmits);
        writer.Add("bytes_sent"u8, info.BytesSent);
        writer.Add("bytes_acknowledged"u8, info.BytesAcked);
        writer.Add("bytes_received"u8, info.BytesReceived);
        return writer.Text.Length;
    }

    private static bool TrySwitch(int option, out TcpSocketFlags flag)
    {
        flag = option switch
        {
            FirstSwitch => TcpSocketFlags.ReuseAddress,
            FirstSwitch + 1 => TcpSocketFlags.ReusePort,
            FirstSwitch + 2 => TcpSocketFlags.OutOfBandInline,
            FirstSwitch + 3 => TcpSocketFlags.V6Only,
            _ => TcpSocketFlags.None,
        };
        return flag != TcpSocketFlags.None;
    }
}
