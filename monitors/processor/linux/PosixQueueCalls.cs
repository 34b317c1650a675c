// mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr (mq_overview(7)); the queues are in files/queues. A queue's
// name comes without the slash that the C library's functions ask for. All BLOCK (copies); sending and receiving wait.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of POSIX message queues.</summary>
public static unsafe class PosixQueueCalls
{
    /// <summary>struct mq_attr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct QueueAttributes
    {
        internal long Flags;
        internal long MaxMessages;
        internal long MaxMessageBytes;
        internal long Messages;
        internal long Reserved0;
        internal long Reserved1;
        internal long Reserved2;
        internal long Reserved3;
    }

    [SystemCall(240, "mq_open", Support.Full)]
    internal static long Open(ref SystemCall call)
    {
        QueueAttributes attributes = new() { MaxMessages = PosixQueues.MaxMessages, MaxMessageBytes = PosixQueues.MaxMessageBytes };
        Errno error = call.A3 == 0 ? Errno.None : new UserPointer<QueueAttributes>(call.A3).Read(call.Process, out attributes);
        Span<byte> room = stackalloc byte[PosixQueue.MaxNameBytes + 1];
        int length = 0;
        Errno wrongName = Errno.None;
        error = error != Errno.None ? error : ReadName(call.Process, call.A0, room, out length, out wrongName);
        if (error == Errno.None && !FileTable.Of(call.Process)->HasFree(DescriptorCalls.LimitOf(call.Process)))
        {
            error = Errno.EMFILE;
        }

        error = error == Errno.None ? wrongName : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        OpenFlags flags = (OpenFlags)(uint)call.A1;
        error = Find(ref call, room.Slice(0, length), flags, in attributes, out PosixQueue* queue);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        OpenFile* file = (flags & OpenFlags.Direct) != 0 ? null : PosixQueueFile.Open(call.Files, queue, flags);
        if (file == null)
        {
            // A new one keeps its name, as a file that open(2) has made does.
            return SystemCall.Fail((flags & OpenFlags.Direct) != 0 ? Errno.EINVAL : Errno.ENFILE);
        }

        return DescriptorCalls.Install(call.Process, file, closeOnExec: true);
    }

    [SystemCall(241, "mq_unlink", Support.Full)]
    internal static long Unlink(ref SystemCall call)
    {
        Span<byte> room = stackalloc byte[PosixQueue.MaxNameBytes + 1];
        Errno error = ReadName(call.Process, call.A0, room, out int length, out Errno wrongName);
        error = error == Errno.None ? wrongName : error;
        return SystemCall.Result(error != Errno.None ? error : call.Files.Queues.Unlink(call.Process, room.Slice(0, length)));
    }

    [SystemCall(242, "mq_timedsend", Support.Full)]
    internal static long Send(ref SystemCall call)
    {
        Errno error = ReadDeadline(call.Process, call.A4, out ulong deadline);
        if (error != Errno.None || (uint)call.A3 >= PosixQueues.MaxPriorities)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (!IsQueue(in descriptor) || !descriptor.File->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        PosixQueue* queue = descriptor.File->Queue;
        if (call.A2 > (ulong)queue->MaxMessageBytes)
        {
            return SystemCall.Fail(Errno.EMSGSIZE);
        }

        MessageQueues store = call.Process->Table.Messages;
        error = store.Make(call.Process, call.A1, (int)call.A2, (uint)call.A3, out Message* message);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        error = call.Files.Queues.Send(call.Process, queue, message, descriptor.File->IsNonBlocking, deadline);
        if (error != Errno.None)
        {
            store.Free(message);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(243, "mq_timedreceive", Support.Full)]
    internal static long Receive(ref SystemCall call)
    {
        Errno error = ReadDeadline(call.Process, call.A4, out ulong deadline);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (!IsQueue(in descriptor) || !descriptor.File->IsReadable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        PosixQueue* queue = descriptor.File->Queue;
        if (call.A2 < (ulong)queue->MaxMessageBytes)
        {
            return SystemCall.Fail(Errno.EMSGSIZE);
        }

        error = call.Files.Queues.Receive(queue, descriptor.File->IsNonBlocking, deadline, out Message* message);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        int length = message->LengthBytes;
        error = call.A3 == 0 ? Errno.None : new UserPointer<uint>(call.A3).Write(call.Process, (uint)message->Type);
        error = error != Errno.None ? error : MessageQueues.Copy(call.Process, message, call.A1, length);
        call.Process->Table.Messages.Free(message);
        return SystemCall.Result(error, length);
    }

    [SystemCall(244, "mq_notify", Support.Full)]
    internal static long Notify(ref SystemCall call)
    {
        SignalEvent wanted = default;
        if (call.A1 != 0)
        {
            Errno error = new UserPointer<SignalEvent>(call.A1).Read(call.Process, out wanted);
            bool isKnown = wanted.Notify is SignalEvent.BySignal or SignalEvent.NotAtAll or SignalEvent.ByThread;
            if (error != Errno.None || !isKnown || (wanted.Notify == SignalEvent.BySignal && (uint)wanted.Signal > Signal.Count))
            {
                return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
            }
        }

        return SystemCall.Result(wanted.Notify == SignalEvent.ByThread && call.A1 != 0
            ? NotifyByMessage(ref call, in wanted)
            : NotifyBySignal(ref call, in wanted));
    }

    [SystemCall(245, "mq_getsetattr", Support.Full)]
    internal static long Attributes(ref SystemCall call)
    {
        QueueAttributes wanted = default;
        Errno error = call.A1 == 0 ? Errno.None : new UserPointer<QueueAttributes>(call.A1).Read(call.Process, out wanted);
        if (error != Errno.None || (wanted.Flags & ~(long)OpenFlags.NonBlocking) != 0)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (!IsQueue(in descriptor))
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        OpenFile* file = descriptor.File;
        QueueAttributes before = new()
        {
            Flags = (long)(file->Flags & OpenFlags.NonBlocking),
            MaxMessages = file->Queue->MaxMessages,
            MaxMessageBytes = file->Queue->MaxMessageBytes,
            Messages = file->Queue->Messages,
        };
        if (call.A1 != 0)
        {
            file->Flags = (file->Flags & ~OpenFlags.NonBlocking) | (OpenFlags)wanted.Flags;
        }

        return call.A2 == 0 ? 0 : SystemCall.Result(new UserPointer<QueueAttributes>(call.A2).Write(call.Process, in before));
    }

    private static bool IsQueue(in Descriptor descriptor) => !descriptor.IsBad && descriptor.File->Kind == FileKind.PosixQueue;

    /// <summary>
    /// A queue's name. ENOENT: empty; EFAULT; <paramref name="wrong"/>, which is found later: EACCES for what names no entry, ENAMETOOLONG.
    /// </summary>
    private static Errno ReadName(Process* process, ulong address, Span<byte> room, out int length, out Errno wrong)
    {
        Errno error = UserString.Copy(process, address, room, out length);
        bool isLong = error == Errno.ENAMETOOLONG;
        ReadOnlySpan<byte> name = room.Slice(0, isLong ? room.Length : length);
        bool isDots = !isLong && (PathText.IsDot(name) || PathText.IsDotDot(name));
        wrong = isDots || name.IndexOf((byte)'/') >= 0 ? Errno.EACCES : isLong ? Errno.ENAMETOOLONG : Errno.None;
        return isLong ? Errno.None : error != Errno.None ? error : length == 0 ? Errno.ENOENT : Errno.None;
    }

    /// <summary>
    /// The queue that is to be opened, made if it must be. ENOENT, EEXIST, EINVAL, EACCES, and what a new one can fail with.
    /// </summary>
    private static Errno Find(
        ref SystemCall call, scoped ReadOnlySpan<byte> name, OpenFlags flags, in QueueAttributes attributes, out PosixQueue* queue)
    {
        const OpenFlags New = OpenFlags.Create | OpenFlags.Exclusive;
        queue = call.Files.Queues.Find(call.Process->VNode, name);
        if (queue == null)
        {
            uint mode = (uint)call.A2 & ~PathContext.Of(call.Process)->Umask;
            return (flags & OpenFlags.Create) == 0
                ? Errno.ENOENT
                : call.Files.Queues.Create(call.Process, name, mode, attributes.MaxMessages, attributes.MaxMessageBytes, out queue);
        }

        if ((flags & New) == New || (flags & OpenFlags.AccessMask) == OpenFlags.AccessMask)
        {
            return (flags & New) == New ? Errno.EEXIST : Errno.EINVAL;
        }

        FileStatus status = PosixQueueFile.StatusOf(queue);
        uint rights = (flags & OpenFlags.AccessMask) switch
        {
            OpenFlags.ReadOnly => FileAccess.Read,
            OpenFlags.WriteOnly => FileAccess.Write,
            _ => FileAccess.Read | FileAccess.Write,
        };
        return FileAccess.Check(call.Process, in status.Attributes, rights);
    }

    /// <summary>An absolute time of the real-time clock; address 0 = never. EFAULT, EINVAL.</summary>
    private static Errno ReadDeadline(Process* process, ulong address, out ulong deadlineNs)
    {
        deadlineNs = ulong.MaxValue;
        if (address == 0)
        {
            return Errno.None;
        }

        Errno error = new UserPointer<TimeSpecification>(address).Read(process, out TimeSpecification time);
        if (error == Errno.None && time.IsValid)
        {
            deadlineNs = TimeSpecification.MonotonicOf(time.TotalNs);
        }

        return error != Errno.None ? error : time.IsValid ? Errno.None : Errno.EINVAL;
    }

    private static Errno NotifyBySignal(ref SystemCall call, in SignalEvent wanted)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (!IsQueue(in descriptor))
        {
            return Errno.EBADF;
        }

        if (call.A1 == 0)
        {
            call.Files.Queues.StopListening(call.Process, descriptor.File->Queue);
            return Errno.None;
        }

        bool isSignal = wanted.Notify == SignalEvent.BySignal;
        return PosixQueues.Listen(call.Process, descriptor.File->Queue, new QueueListener
        {
            Kind = isSignal ? QueueNotice.Signal : QueueNotice.None,
            Signal = isSignal ? (byte)wanted.Signal : (byte)0,
            Value = wanted.Value,
        });
    }

    /// <summary>The C library's helper thread reads a socket: what it is told it has given here, but for the last byte.</summary>
    private static Errno NotifyByMessage(ref SystemCall call, in SignalEvent wanted)
    {
        MessageQueues store = call.Process->Table.Messages;
        Errno error = store.Make(call.Process, wanted.Value, QueueNote.Bytes, 0, out Message* message);
        if (error != Errno.None)
        {
            return error;
        }

        using Descriptor target = Descriptor.Of(call.Process, (uint)wanted.Signal);
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        bool isSocket = !target.IsBad && target.File->Kind == FileKind.Socket;
        error = target.IsBad || target.File->IsPathOnly ? Errno.EBADF
            : !isSocket ? Errno.ENOTSOCK
            : target.File->Socket->Domain != AddressFamily.Netlink ? Errno.EINVAL
            : !IsQueue(in descriptor) ? Errno.EBADF
            : PosixQueues.Listen(call.Process, descriptor.File->Queue, new QueueListener
            {
                Kind = QueueNotice.Message,
                Socket = target.File->Socket,
                Message = message,
            });
        if (error != Errno.None)
        {
            store.Free(message);
            return error;
        }

        Socket.Hold(target.File->Socket);
        return Errno.None;
    }
}
