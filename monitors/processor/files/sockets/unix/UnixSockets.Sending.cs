// Sending on AF_UNIX sockets. A message is made and filled while nobody else knows of it, because its copy may block; then the receiver is
// looked at, and it is in its queue at once.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class UnixSockets
{
    public override long Send(Process* process, Socket* socket, ref SocketMessage message)
    {
        // The last byte is the urgent one: without bytes there is none.
        bool isStream = socket->Type == SocketType.Stream;
        bool lacksUrgent = message.Has(MessageFlags.OutOfBand) && (!isStream || message.Data.RemainingBytes == 0);
        bool lacksPeer = socket->IsConnectionBased && socket->Unix.Peer == null
            && (message.Name.Length == 0 || socket->Type == SocketType.SequencedPacket);
        if (lacksUrgent && socket->Type == SocketType.SequencedPacket && socket->Error != Errno.None)
        {
            // unix_seqpacket_sendmsg.
            return CallResult.Fail(socket->TakeError());
        }

        if (lacksUrgent || lacksPeer)
        {
            return CallResult.Fail(lacksPeer && !(lacksUrgent && isStream) ? Errno.ENOTCONN : Errno.EOPNOTSUPP);
        }

        Errno error = TakeControl(process, ref message, out Attachment attached);
        long result = error != Errno.None ? CallResult.Fail(error)
            : socket->Type == SocketType.Stream ? SendStream(process, socket, ref message, ref attached)
            : SendDatagram(process, socket, ref message, ref attached);
        InFlight.Drop(attached.Files);
        return result;
    }

    private long SendStream(Process* process, Socket* socket, ref SocketMessage message, ref Attachment attached)
    {
        if (message.Name.Length != 0)
        {
            return CallResult.Fail(socket->State == SocketState.Connected ? Errno.EISCONN : Errno.EOPNOTSUPP);
        }

        if (socket->Unix.Peer == null)
        {
            return CallResult.Fail(Errno.ENOTCONN);
        }

        ulong deadline = Socket.DeadlineAfter(socket->SendTimeoutNs);
        long total = 0;
        Errno error = (socket->Shut & SocketSides.Send) != 0 ? Errno.EPIPE : Errno.None;
        while (message.Data.RemainingBytes != 0 && error == Errno.None)
        {
            error = WaitForRoom(socket, message.IsNonBlocking, deadline);
            if (error != Errno.None)
            {
                break;
            }

            int most = Math.Max(Math.Min(UnixMessage.MostOfStream, (socket->SendLimitBytes / 2) - 64), 1);
            bool isUrgent = message.Has(MessageFlags.OutOfBand) && message.Data.RemainingBytes == 1;
            bool endsUrgently = message.Has(MessageFlags.OutOfBand) && !isUrgent;
            int length = (int)Math.Min(message.Data.RemainingBytes - (endsUrgently ? 1UL : 0), (ulong)most);
            error = Make(process, socket, length, ref message, in attached, out UnixMessage* made);
            Socket* peer = socket->Unix.Peer;
            if (error == Errno.None && (peer == null || peer->IsDead || (peer->Shut & SocketSides.Receive) != 0))
            {
                UnixMessage.Free(Files, made);
                error = Errno.EPIPE;
            }

            if (error == Errno.None)
            {
                Deliver(process, socket, peer, made, ref attached);
                total += length;
                if (isUrgent)
                {
                    TellUrgent(peer, made);
                }
            }
        }

        if (error == Errno.EPIPE && total == 0 && !message.Has(MessageFlags.NoSignal))
        {
            PipeEnd.SignalBroken(process);
        }

        return total != 0 || error == Errno.None ? total : CallResult.Fail(error);
    }

    private long SendDatagram(Process* process, Socket* socket, ref SocketMessage message, ref Attachment attached)
    {
        Errno error = Errno.None;
        if (socket->Type == SocketType.SequencedPacket)
        {
            error = socket->TakeError();
            error = error == Errno.None && socket->State != SocketState.Connected ? Errno.ENOTCONN : error;
            // The address of a connection's packet says nothing (unix_seqpacket_sendmsg).
            message.Name.Length = 0;
        }

        if (error == Errno.None)
        {
            error = message.Name.Length != 0 && !IsName(in message.Name) ? Errno.EINVAL : Errno.None;
        }

        error = error == Errno.None ? NameSender(process, socket) : error;
        const int Overhead = 32;
        if (error == Errno.None && message.Data.RemainingBytes > (ulong)Math.Max(socket->SendLimitBytes - Overhead, 0))
        {
            error = Errno.EMSGSIZE;
        }

        ulong deadline = Socket.DeadlineAfter(socket->SendTimeoutNs);
        error = error == Errno.None ? WaitForRoom(socket, message.IsNonBlocking, deadline) : error;
        int length = (int)message.Data.RemainingBytes;
        UnixMessage* made = null;
        error = error == Errno.None ? Make(process, socket, length, ref message, in attached, out made) : error;
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        error = Deliver(process, socket, made, ref message, ref attached, deadline);
        if (error != Errno.None)
        {
            UnixMessage.Free(Files, made);
        }

        return CallResult.Of(error, length);
    }

    /// <summary>Finds a datagram's receiver and waits until it takes it (unix_dgram_sendmsg).</summary>
    private Errno Deliver(
        Process* process, Socket* socket, UnixMessage* made, ref SocketMessage message, ref Attachment attached, ulong deadline)
    {
        while (true)
        {
            Socket* receiver = socket->Unix.Peer;
            if (message.Name.Length != 0)
            {
                Errno missing = Find(process, in message.Name, socket->Type, out receiver);
                if (missing != Errno.None)
                {
                    return missing;
                }
            }
            else if (receiver == null)
            {
                return Errno.ENOTCONN;
            }
            else
            {
                Socket.Hold(receiver);
            }

            Errno error = Offer(process, socket, receiver, made, ref attached, isDirected: message.Name.Length == 0);
            if (error == Errno.EAGAIN)
            {
                error = Socket.Wait(ref receiver->Unix.RoomWait, message.IsNonBlocking, deadline);
                Socket.Release(receiver);
                if (error == Errno.None)
                {
                    continue;
                }

                return error;
            }

            Socket.Release(receiver);
            return error;
        }
    }

    /// <summary>Delivers a datagram at once; EAGAIN: the receiver's queue is full.</summary>
    private Errno Offer(
        Process* process, Socket* socket, Socket* receiver, UnixMessage* made, ref Attachment attached, bool isDirected)
    {
        if (receiver->IsDead)
        {
            if (socket->Type == SocketType.SequencedPacket)
            {
                return Errno.EPIPE;
            }

            if (isDirected && socket->Unix.Peer == receiver)
            {
                socket->Unix.Peer = null;
                socket->State = SocketState.Closed;
                Disconnect(socket, receiver);
                Socket.Release(receiver);
            }

            return Errno.ECONNREFUSED;
        }

        if (!MaySend(socket, receiver))
        {
            return Errno.EPERM;
        }

        if ((receiver->Shut & SocketSides.Receive) != 0)
        {
            return Errno.EPIPE;
        }

        if (receiver != socket && receiver->Unix.Peer != socket && IsFull(receiver))
        {
            return Errno.EAGAIN;
        }

        Deliver(process, socket, receiver, made, ref attached);
        return Errno.None;
    }

    /// <summary>Puts a message into the receiver's queue. Its files go with the first one of a call.</summary>
    private static void Deliver(Process* process, Socket* socket, Socket* receiver, UnixMessage* made, ref Attachment attached)
    {
        bool wanted = ((socket->Flags | receiver->Flags) & SocketFlags.PassCredentials) != 0 || receiver->File == null;
        if (!made->HasIdentity && wanted)
        {
            made->HasIdentity = true;
            made->Identity = new PeerIdentity { ProcessId = process->Id, UserId = process->UserId, GroupId = process->GroupId };
        }

        made->Files = attached.Files;
        attached.Files = null;
        Append(receiver, made);
        receiver->WakeReceivers();
    }

    /// <summary>A message that has its bytes. ENOBUFS, EFAULT. BLOCKS.</summary>
    private Errno Make(
        Process* process, Socket* socket, int length, ref SocketMessage message, in Attachment attached, out UnixMessage* made)
    {
        made = UnixMessage.Create(Files, socket, length);
        if (made == null)
        {
            return Errno.ENOBUFS;
        }

        made->HasIdentity = attached.HasIdentity;
        made->Identity = attached.Identity;
        Errno error = UnixMessage.Fill(made, ref message.Data);
        if (error != Errno.None)
        {
            UnixMessage.Free(Files, made);
            made = null;
        }

        return error;
    }

    /// <summary>Waits until a socket may have more on the way (sock_alloc_send_pskb). EPIPE, EAGAIN, EINTR, and its own error.</summary>
    private static Errno WaitForRoom(Socket* socket, bool isNonBlocking, ulong deadline)
    {
        while (true)
        {
            Errno error = socket->TakeError();
            if (error != Errno.None || (socket->Shut & SocketSides.Send) != 0)
            {
                return error != Errno.None ? error : Errno.EPIPE;
            }

            if (socket->Unix.SentBytes < socket->SendLimitBytes)
            {
                return Errno.None;
            }

            socket->Unix.LacksRoom = true;
            error = Socket.Wait(ref socket->SendersWait, isNonBlocking, deadline);
            if (error != Errno.None)
            {
                return error;
            }
        }
    }
}
