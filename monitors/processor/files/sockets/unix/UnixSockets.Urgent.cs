// Urgent bytes of AF_UNIX streams (MSG_OOB; Linux 5.15, and 6.16 in the corner cases: manage_oob, queue_oob and unix_stream_recv_urg of
// net/unix/af_unix.c). An urgent byte is a message of its own in the receiver's queue. Once read apart it stays there without bytes: the
// mark at which reads end. A stream has one at a time; with the next one the former is a byte like others.

using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class UnixSockets
{
    /// <summary>A message that was just delivered is urgent: POLLPRI, and SIGURG for an owner.</summary>
    private static void TellUrgent(Socket* receiver, UnixMessage* message)
    {
        receiver->Unix.Urgent = message;
        receiver->Family.Files.Readiness.Notify(ref receiver->Watchers, PollEvents.Priority);
        if (receiver->File != null)
        {
            SignalDrivenIo.TellOfUrgentData(receiver->File);
        }
    }

    /// <summary>recv(2) with MSG_OOB. EINVAL: there is none, or it is in the stream. BLOCKS.</summary>
    private long ReceiveUrgent(Socket* socket, ref SocketMessage message)
    {
        using SleepLock.Guard held = socket->ReceiveLock.Acquire();
        UnixMessage* urgent = socket->Unix.Urgent;
        if (urgent == null || IsInline(socket))
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        bool peeks = message.Has(MessageFlags.Peek);
        socket->Unix.Urgent = peeks ? urgent : null;
        int room = message.Data.RemainingBytes == 0 ? 0 : 1;
        Errno error = UnixMessage.Give(urgent, 0, room, ref message.Data, out _);
        if (!peeks)
        {
            urgent->Taken = 1;
            UnixMessage* before = Before(socket, urgent);
            if (before != null && before->Rest == 0)
            {
                Discard(socket, before);
            }
        }

        message.Received |= error == Errno.None ? MessageFlags.OutOfBand : MessageFlags.None;
        return CallResult.Of(error, 1);
    }

    /// <summary>
    /// What a read finds that has come to a message: this one or a later one, or null when it ends here, because it has taken something and
    /// there is the mark. Without MSG_PEEK an urgent byte that is passed is lost, unless it is in the stream (SO_OOBINLINE). BLOCKS.
    /// </summary>
    private UnixMessage* PassMark(Socket* socket, UnixMessage* message, bool peeks, bool hasTaken)
    {
        if (message != null && message->Rest == 0)
        {
            if (hasTaken && (socket->Unix.Urgent == null || socket->Unix.Urgent == message))
            {
                return null;
            }

            UnixMessage* mark = message;
            message = mark->Next;
            if (!peeks)
            {
                Discard(socket, mark);
            }
        }

        if (message == null || message != socket->Unix.Urgent)
        {
            return message;
        }

        if (hasTaken)
        {
            return null;
        }

        if (peeks)
        {
            return IsInline(socket) ? message : message->Next;
        }

        socket->Unix.Urgent = null;
        if (IsInline(socket))
        {
            return message;
        }

        UnixMessage* after = message->Next;
        Discard(socket, message);
        return after;
    }

    /// <summary>SIOCATMARK: the next byte is the urgent one, or would be, had it not been read.</summary>
    private static bool IsAtMark(Socket* socket)
    {
        UnixMessage* first = socket->Unix.FirstMessage;
        UnixMessage* urgent = socket->Unix.Urgent;
        return first != null && (first == urgent || (first->Rest == 0 && (urgent == null || first->Next == urgent)));
    }

    private static bool IsInline(Socket* socket) => (socket->Flags & SocketFlags.OutOfBandInline) != 0;

    private static UnixMessage* Before(Socket* socket, UnixMessage* message)
    {
        UnixMessage* before = null;
        for (UnixMessage* each = socket->Unix.FirstMessage; each != message; each = each->Next)
        {
            before = each;
        }

        return before;
    }

    /// <summary>Takes a message out of wherever it is in the queue, and forgets it. BLOCKS: files may have come with it.</summary>
    private void Discard(Socket* socket, UnixMessage* message)
    {
        ref UnixEnd end = ref socket->Unix;
        UnixMessage* before = Before(socket, message);
        *(before == null ? &socket->Unix.FirstMessage : &before->Next) = message->Next;
        end.LastMessage = message->Next == null ? before : end.LastMessage;
        end.MessageCount--;
        PassedFiles* passed = message->Files;
        UnixMessage.Free(Files, message);
        InFlight.Drop(passed);
    }
}
