// Bytes of TCP connections between programs and the stack.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class InternetSockets
{
    /// <summary>When the memory of all sockets is in use: how soon a writer looks again.</summary>
    private const ulong MemoryRetryNs = 20_000_000;

    public override long Send(Process* process, Socket* socket, ref SocketMessage message)
    {
        if (socket->Tcp == null)
        {
            return SendDatagram(process, socket, ref message);
        }

        // A connection's bytes have nowhere else to go: Linux looks at no address here. Nothing to send is told what something would be.
        long total = 0;
        if ((socket->Shut & SocketSides.Send) != 0)
        {
            // It may have been before there was a connection.
            Errno pending = Stack.Tcp.TakeError(socket->Tcp);
            return Sent(process, pending != Errno.None ? pending : Errno.EPIPE, total, ref message);
        }

        if (message.Data.RemainingBytes == 0)
        {
            Errno state = Stack.Tcp.Write(socket->Tcp, default, TcpTransfer.None, network.Now(), out _);
            return Sent(process, state, total, ref message);
        }

        byte* frame = (byte*)Files.Frames.Allocate();
        if (frame == null)
        {
            return CallResult.Fail(Errno.ENOBUFS);
        }

        Errno error = Errno.None;
        ulong deadline = Socket.DeadlineAfter(socket->SendTimeoutNs);
        while (message.Data.RemainingBytes != 0 && error == Errno.None)
        {
            int length = (int)Math.Min(message.Data.RemainingBytes, PageOperations.PageSize);
            error = message.Data.Take(new Span<byte>(frame, length), out int taken);
            if (taken != 0)
            {
                Errno sent = Write(socket, new ReadOnlySpan<byte>(frame, taken), ref message, deadline, ref total);
                error = sent != Errno.None ? sent : error;
            }
        }

        Files.Frames.Free(frame);
        return Sent(process, error, total, ref message);
    }

    private static long Sent(Process* process, Errno error, long total, ref SocketMessage message)
    {
        if (error == Errno.EPIPE && total == 0 && !message.Has(MessageFlags.NoSignal))
        {
            PipeEnd.SignalBroken(process);
        }

        return total != 0 || error == Errno.None ? total : CallResult.Fail(error);
    }

    public override long Receive(Process* process, Socket* socket, ref SocketMessage message)
    {
        if (socket->Tcp == null)
        {
            return ReceiveDatagram(process, socket, ref message);
        }

        if (message.Has(MessageFlags.ErrorQueue))
        {
            return CallResult.Fail(Errno.EAGAIN);
        }

        ulong size = message.Data.RemainingBytes;
        ulong wanted = Math.Max(message.Has(MessageFlags.WaitAll) ? size : Math.Min((ulong)socket->LowWaterBytes, size), 1);
        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        long total = 0;
        while (true)
        {
            Errno error;
            bool hasEnded;
            using (socket->ReceiveLock.Acquire())
            {
                error = Read(socket, ref message, ref total, out hasEnded);
            }

            // Whoever has been shut down waits for nothing, be it before there was a connection.
            bool isShut = error is Errno.ENOTCONN or Errno.EAGAIN && (socket->Shut & SocketSides.Receive) != 0
                && socket->State != SocketState.Listening;
            error = isShut ? Errno.None : error;
            bool isDone = isShut || hasEnded || (size != 0 && (ulong)total >= Math.Min(wanted, size)) || message.Has(MessageFlags.OutOfBand)
                || (message.Has(MessageFlags.Peek) && total != 0);
            if (error == Errno.EAGAIN && !isDone)
            {
                error = Socket.Wait(ref socket->ReceiversWait, message.IsNonBlocking, deadline);
                isDone = error != Errno.None;
            }

            if (isDone || error != Errno.None)
            {
                return total != 0 || error == Errno.None ? total : CallResult.Fail(error);
            }
        }
    }

    /// <summary>Writes all of some bytes, waiting for room.</summary>
    private Errno Write(Socket* socket, ReadOnlySpan<byte> bytes, ref SocketMessage message, ulong deadline, ref long total)
    {
        TcpTransfer how = message.Has(MessageFlags.OutOfBand) ? TcpTransfer.Urgent : TcpTransfer.None;
        how |= message.Has(MessageFlags.More) || message.Data.RemainingBytes != 0 ? TcpTransfer.More : TcpTransfer.None;
        while (!bytes.IsEmpty)
        {
            if (socket->Tcp == null)
            {
                return Errno.EPIPE;
            }

            Errno error = Stack.Tcp.Write(socket->Tcp, bytes, how, network.Now(), out int count);
            bytes = bytes.Slice(count);
            total += count;
            network.Settle();
            if (error == Errno.EAGAIN)
            {
                // Room may have come while the stack delivered to itself.
                socket->ToldEvents &= ~Out;
                error = MayWrite(socket->Tcp) ? Errno.None : Socket.Wait(ref socket->SendersWait, message.IsNonBlocking, deadline);
            }
            else if (error == Errno.ENOBUFS)
            {
                error = WaitForMemory(socket, message.IsNonBlocking, deadline);
            }

            if (error != Errno.None)
            {
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// The memory of all sockets is in use. A call that waits looks again a little later, as Linux's do (sk_stream_wait_memory).
    /// </summary>
    private static Errno WaitForMemory(Socket* socket, bool isNonBlocking, ulong deadline)
    {
        Errno error = Socket.Wait(ref socket->SendersWait, isNonBlocking, Math.Min(deadline, Clock.NowNs() + MemoryRetryNs));
        return error == Errno.EAGAIN && !isNonBlocking && Clock.NowNs() < deadline ? Errno.None : error;
    }

    /// <summary>A write would not be told to wait.</summary>
    private bool MayWrite(TcpConnection* connection) => connection->Error != Errno.None || connection->State switch
    {
        TcpState.SynSent or TcpState.SynReceived => false,
        TcpState.Established or TcpState.CloseWait => Stack.Tcp.WriteRoom(connection) != 0,
        _ => true,
    };

    /// <summary>Reads what is there into the program's pages. EAGAIN: there is no more now.</summary>
    private Errno Read(Socket* socket, ref SocketMessage message, ref long total, out bool hasEnded)
    {
        hasEnded = false;
        TcpTransfer how = message.Has(MessageFlags.OutOfBand) ? TcpTransfer.Urgent : TcpTransfer.None;
        bool peeks = message.Has(MessageFlags.Peek);
        const TcpReadiness Ended = TcpReadiness.PeerClosed | TcpReadiness.Error | TcpReadiness.HungUp;
        if (message.Has(MessageFlags.Truncated) && !peeks && !Stack.Tcp.Readable(socket->Tcp, 0).IsEmpty)
        {
            return Discard(socket, message.Data.RemainingBytes, ref total);
        }

        if (message.Data.RemainingBytes == 0)
        {
            // A read of nothing waits for something all the same, as on Linux.
            Errno state = total != 0 ? Errno.None : Stack.Tcp.Read(socket->Tcp, default, how, network.Now(), out _);
            hasEnded = state == Errno.None;
            return state;
        }

        uint peeked = 0;
        while (message.Data.RemainingBytes != 0)
        {
            Errno error = message.Data.Reserve(MissAccess.Write, out byte* at, out ulong room);
            if (error != Errno.None || socket->Tcp == null)
            {
                return error;
            }

            // An error is told by the next call when this one has bytes, and a read does not pass the urgent byte.
            bool isAtMark = Tcp.IsAtMark(socket->Tcp);
            if (total != 0 && !peeks && (isAtMark || Stack.Tcp.Readable(socket->Tcp, 0).IsEmpty))
            {
                hasEnded = isAtMark || (Stack.Tcp.Poll(socket->Tcp) & Ended) != 0;
                return hasEnded ? Errno.None : Errno.EAGAIN;
            }

            int count;
            if (peeks && how == TcpTransfer.None && peeked != 0)
            {
                ReadOnlySpan<byte> piece = Stack.Tcp.Readable(socket->Tcp, peeked);
                count = (int)Math.Min((ulong)piece.Length, room);
                piece.Slice(0, count).CopyTo(new Span<byte>(at, count));
            }
            else
            {
                TcpTransfer transfer = how | (peeks ? TcpTransfer.Peek : TcpTransfer.None);
                error = Stack.Tcp.Read(socket->Tcp, new Span<byte>(at, (int)room), transfer, network.Now(), out count);
                if (error != Errno.None)
                {
                    return error;
                }
            }

            if (count == 0)
            {
                hasEnded = true;
                break;
            }

            message.Data.Advance((ulong)count);
            total += count;
            peeked += (uint)count;
            // Less than there was room for: there is no more, or a read stops at the urgent byte.
            if (how != TcpTransfer.None || (!peeks && (ulong)count < room))
            {
                break;
            }
        }

        network.Settle();
        return Errno.None;
    }

    /// <summary>MSG_TRUNC of a stream: throws bytes away instead of copying them (tcp(7)). EAGAIN: there is no more now.</summary>
    private Errno Discard(Socket* socket, ulong size, ref long total)
    {
        ulong now = network.Now();
        while ((ulong)total < size && socket->Tcp != null)
        {
            ReadOnlySpan<byte> piece = Stack.Tcp.Readable(socket->Tcp, 0);
            if (piece.IsEmpty)
            {
                break;
            }

            uint count = (uint)Math.Min((ulong)piece.Length, size - (ulong)total);
            Stack.Tcp.Consume(socket->Tcp, count, now);
            total += count;
        }

        network.Settle();
        return total != 0 ? Errno.None : Errno.EAGAIN;
    }
}
