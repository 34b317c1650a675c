// Receiving on AF_UNIX sockets. Whoever takes what has arrived holds the socket's ReceiveLock while it copies, because the copy may block;
// it waits without the lock.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class UnixSockets
{
    public override long Receive(Process* process, Socket* socket, ref SocketMessage message)
    {
        bool isStream = socket->Type == SocketType.Stream;
        if (isStream && socket->State != SocketState.Connected)
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        if (socket->Type == SocketType.SequencedPacket && socket->State != SocketState.Connected)
        {
            return CallResult.Fail(Errno.ENOTCONN);
        }

        if (message.Has(MessageFlags.OutOfBand))
        {
            return isStream ? ReceiveUrgent(socket, ref message) : CallResult.Fail(Errno.EOPNOTSUPP);
        }

        return isStream ? ReceiveStream(process, socket, ref message) : ReceiveDatagram(process, socket, ref message);
    }

    /// <summary>As unix_stream_read_generic: bytes up to the first ones that came with files, or from somebody else.</summary>
    private long ReceiveStream(Process* process, Socket* socket, ref SocketMessage message)
    {
        ulong size = message.Data.RemainingBytes;
        ulong wanted = Math.Max(message.Has(MessageFlags.WaitAll) ? size : Math.Min((ulong)socket->LowWaterBytes, size), 1);
        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        StreamReading reading = default;
        Errno error;
        while (true)
        {
            using (socket->ReceiveLock.Acquire())
            {
                error = Read(socket, ref message, ref reading);
            }

            bool hasMore = socket->Unix.FirstMessage != null && !reading.FindsNothing;
            bool isFull = message.Data.RemainingBytes == 0 && (size != 0 || hasMore);
            bool hasPeeked = message.Has(MessageFlags.Peek) && reading.Total != 0;
            if (error != Errno.None || reading.IsOver || isFull || hasPeeked || (ulong)reading.Total >= wanted)
            {
                break;
            }

            if (hasMore)
            {
                continue;
            }

            error = socket->TakeError();
            if (error != Errno.None || (socket->Shut & SocketSides.Receive) != 0)
            {
                break;
            }

            error = Socket.Wait(ref socket->ReceiversWait, message.IsNonBlocking, deadline);
            if (error != Errno.None)
            {
                break;
            }
        }

        if (reading.HasSource)
        {
            TellIdentity(socket, in reading.Identity, reading.HasIdentity, ref message);
        }

        Install(process, reading.Files, ref message);
        return reading.Total != 0 || error == Errno.None ? reading.Total : CallResult.Fail(error);
    }

    /// <summary>What the reading of a stream has come to so far.</summary>
    private ref struct StreamReading
    {
        internal long Total;
        internal bool HasSource;
        internal bool HasIdentity;
        internal PeerIdentity Identity;
        internal PassedFiles* Files;
        /// <summary>The next bytes are not for this call.</summary>
        internal bool IsOver;
        /// <summary>What is there is no byte of the stream: an urgent one, or its mark.</summary>
        internal bool FindsNothing;
    }

    private Errno Read(Socket* socket, ref SocketMessage message, ref StreamReading reading)
    {
        bool peeks = message.Has(MessageFlags.Peek);
        bool tellsIdentity = (socket->Flags & SocketFlags.PassCredentials) != 0;
        UnixMessage* next = PassMark(socket, socket->Unix.FirstMessage, peeks, reading.Total != 0);
        reading.FindsNothing = next == null;
        reading.IsOver = next == null && reading.Total != 0 && socket->Unix.FirstMessage != null;
        if (next != null && !reading.HasSource)
        {
            // A read of nothing is told as well who has sent what is there.
            reading.HasSource = true;
            reading.HasIdentity = next->HasIdentity;
            reading.Identity = next->Identity;
            message.Name = AddressOf(next);
        }

        while (next != null && !reading.IsOver && message.Data.RemainingBytes != 0)
        {
            UnixMessage* current = next;
            if (tellsIdentity && !IsSame(current, in reading))
            {
                reading.IsOver = true;
                break;
            }

            int length = (int)Math.Min((ulong)current->Rest, message.Data.RemainingBytes);
            Errno error = UnixMessage.Give(current, current->Taken, length, ref message.Data, out int given);
            reading.Total += given;
            if (current->Files != null)
            {
                reading.IsOver = true;
                reading.Files = peeks ? InFlight.Copy(current->Files) : current->Files;
                current->Files = peeks ? current->Files : null;
            }

            next = current->Next;
            if (!peeks)
            {
                current->Taken += given;
                if (current->Rest == 0)
                {
                    UnixMessage.Free(Files, TakeFirst(socket));
                }
            }

            if (error != Errno.None)
            {
                return error;
            }

            if (next != null && message.Data.RemainingBytes != 0)
            {
                next = PassMark(socket, next, peeks, reading.Total != 0);
                reading.IsOver |= next == null;
            }
        }

        return Errno.None;
    }

    /// <summary>As unix_dgram_recvmsg: one message, what does not fit is lost.</summary>
    private long ReceiveDatagram(Process* process, Socket* socket, ref SocketMessage message)
    {
        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        while (true)
        {
            // An error is told before what has come (__skb_try_recv_datagram).
            Errno error = socket->TakeError();
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }

            using (socket->ReceiveLock.Acquire())
            {
                if (socket->Unix.FirstMessage != null)
                {
                    return TakeDatagram(process, socket, ref message);
                }
            }

            bool hasEnded = (socket->Shut & SocketSides.Receive) != 0;
            // A datagram socket that does not wait does not see its end (unix_dgram_recvmsg).
            if (hasEnded && (!message.IsNonBlocking || socket->Type == SocketType.SequencedPacket))
            {
                return 0;
            }

            error = socket->Unix.FirstMessage != null ? Errno.None
                : Socket.Wait(ref socket->ReceiversWait, message.IsNonBlocking, deadline);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }
    }

    private long TakeDatagram(Process* process, Socket* socket, ref SocketMessage message)
    {
        UnixMessage* taken = socket->Unix.FirstMessage;
        bool peeks = message.Has(MessageFlags.Peek);
        int length = (int)Math.Min((ulong)taken->Length, message.Data.RemainingBytes);
        message.Received |= length < taken->Length ? MessageFlags.Truncated : MessageFlags.None;
        message.Name = AddressOf(taken);
        if (!peeks)
        {
            TakeFirst(socket);
        }

        Errno error = UnixMessage.Give(taken, 0, length, ref message.Data, out _);
        long result = message.Has(MessageFlags.Truncated) ? taken->Length : length;
        TellIdentity(socket, in taken->Identity, taken->HasIdentity, ref message);
        PassedFiles* passed = taken->Files;
        if (peeks)
        {
            passed = InFlight.Copy(passed);
        }
        else
        {
            UnixMessage.Free(Files, taken);
        }

        Install(process, passed, ref message);

        return CallResult.Of(error, result);
    }

    private static SocketName AddressOf(UnixMessage* message) =>
        message->Sender->Unix.Name == null ? default : UnixName.ToAddress(message->Sender->Unix.Name);

    private static bool IsSame(UnixMessage* message, in StreamReading reading) => message->HasIdentity == reading.HasIdentity
        && message->Identity.ProcessId == reading.Identity.ProcessId && message->Identity.UserId == reading.Identity.UserId
        && message->Identity.GroupId == reading.Identity.GroupId;
}
