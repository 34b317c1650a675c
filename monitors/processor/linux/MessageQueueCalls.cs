// msgget, msgsnd, msgrcv, msgctl (msgget(2), msgop(2), msgctl(2)); the queues are in process/ipc. All BLOCK.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of System V's message queues.</summary>
public static unsafe class MessageQueueCalls
{
    private const uint Copy = 0x4000;
    private const uint Stat = 11;
    private const uint Use = 12;
    private const uint StatAny = 13;
    private const ulong SecondNs = 1_000_000_000;

    /// <summary>struct msqid64_ds.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct QueueRecord
    {
        internal IpcPermissionRecord Permissions;
        internal ulong SendTime;
        internal ulong ReceiveTime;
        internal ulong ChangeTime;
        internal ulong Bytes;
        internal ulong Messages;
        internal ulong MaxBytes;
        internal uint LastSender;
        internal uint LastReceiver;
        internal ulong Unused1;
        internal ulong Unused2;
    }

    /// <summary>struct msginfo.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct InfoRecord
    {
        internal int Pool;
        internal int Map;
        internal int MaxMessage;
        internal int MaxQueue;
        internal int Queues;
        internal int SegmentBytes;
        internal int Messages;
        internal ushort Segments;
        internal ushort Padding;
    }

    [SystemCall(68, "msgget", Support.Full)]
    internal static long Get(ref SystemCall call) =>
        SystemCall.Result(call.Process->Table.Messages.Get(call.Process, (int)call.A0, (uint)call.A1, out int id), id);

    [SystemCall(69, "msgsnd", Support.Full)]
    internal static long Send(ref SystemCall call)
    {
        Process* process = call.Process;
        MessageQueues queues = process->Table.Messages;
        Errno error = new UserPointer<long>(call.A1).Read(process, out long type);
        if (error != Errno.None || (int)call.A0 < 0 || call.A2 > MessageQueues.MaxMessageBytes || type < 1)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        error = queues.Make(process, call.A1 + sizeof(long), (int)call.A2, type, out Message* message);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        error = queues.Send(process, (int)call.A0, message, (uint)call.A3);
        if (error != Errno.None)
        {
            queues.Free(message);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(70, "msgrcv", Support.Partial, "no MSG_COPY: ENOSYS, as of a kernel without checkpoints")]
    internal static long Receive(ref SystemCall call)
    {
        Process* process = call.Process;
        MessageQueues queues = process->Table.Messages;
        if ((int)call.A0 < 0 || (long)call.A2 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (((uint)call.A4 & Copy) != 0)
        {
            bool isWrong = ((uint)call.A4 & MessageQueue.Except) != 0 || ((uint)call.A4 & IpcFlags.NoWait) == 0;
            return SystemCall.Fail(isWrong ? Errno.EINVAL : Errno.ENOSYS);
        }

        Errno error = queues.Receive(process, (int)call.A0, (long)call.A3, call.A2, (uint)call.A4, out Message* message);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        int length = (int)System.Math.Min((ulong)message->LengthBytes, call.A2);
        error = new UserPointer<long>(call.A1).Write(process, in message->Type);
        error = error == Errno.None ? MessageQueues.Copy(process, message, call.A1 + sizeof(long), length) : error;
        queues.Free(message);
        return SystemCall.Result(error, length);
    }

    [SystemCall(71, "msgctl", Support.Full)]
    internal static long Control(ref SystemCall call)
    {
        Process* process = call.Process;
        MessageQueues queues = process->Table.Messages;
        uint command = (uint)call.A1;
        if ((int)call.A0 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (command is IpcFlags.Info or Use)
        {
            return Info(ref call, isUse: command == Use);
        }

        if (command == IpcFlags.Set)
        {
            return Set(ref call);
        }

        bool byPlace = command is Stat or StatAny;
        MessageQueue* queue = byPlace ? (MessageQueue*)queues.Table.At(process, (int)call.A0) : queues.Find(process, (int)call.A0);
        if (queue == null || !(byPlace || command is IpcFlags.Stat or IpcFlags.Remove))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = command == IpcFlags.Remove ? queue->Head.CheckOwner(process)
            : command == StatAny ? Errno.None
            : queue->Head.Check(process, IpcObject.ReadRights);
        if (error != Errno.None || command == IpcFlags.Remove)
        {
            if (error == Errno.None)
            {
                queues.Remove(queue);
            }

            return SystemCall.Result(error);
        }

        QueueRecord record = new()
        {
            Permissions = queue->Head.Record(),
            SendTime = queue->SendTimeNs / SecondNs,
            ReceiveTime = queue->ReceiveTimeNs / SecondNs,
            ChangeTime = queue->Head.ChangeTimeNs / SecondNs,
            Bytes = queue->Bytes,
            Messages = queue->Messages,
            MaxBytes = queue->MaxBytes,
            LastSender = queue->LastSender,
            LastReceiver = queue->LastReceiver,
        };
        int id = queue->Head.Id;
        return SystemCall.Result(new UserPointer<QueueRecord>(call.A2).Write(process, in record), byPlace ? id : 0);
    }

    private static long Set(ref SystemCall call)
    {
        Process* process = call.Process;
        Errno error = new UserPointer<QueueRecord>(call.A2).Read(process, out QueueRecord wanted);
        MessageQueue* queue = process->Table.Messages.Find(process, (int)call.A0);
        error = error != Errno.None ? error : queue == null ? Errno.EINVAL : queue->Head.CheckOwner(process);
        if (error == Errno.None && wanted.MaxBytes > MessageQueues.MaxQueueBytes && process->EffectiveUserId != 0)
        {
            error = Errno.EPERM;
        }

        error = error != Errno.None ? error : queue->Head.Set(in wanted.Permissions);
        if (error == Errno.None)
        {
            queue->MaxBytes = wanted.MaxBytes;
            // Rights or room may be others now.
            queue->Senders.WakeAll();
            queue->Receivers.WakeAll();
        }

        return SystemCall.Result(error);
    }

    /// <summary>IPC_INFO: the limits; MSG_INFO: what there is as well. The highest place in use.</summary>
    private static long Info(ref SystemCall call, bool isUse)
    {
        MessageQueues queues = call.Process->Table.Messages;
        ulong bytes = 0;
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            MessageQueue* queue = (MessageQueue*)queues.Table.At(call.Process, index);
            bytes += queue == null ? 0 : queue->Bytes;
        }

        InfoRecord record = new()
        {
            Pool = isUse ? queues.Table.Count : IpcTable.MaxObjects * (int)(MessageQueues.MaxQueueBytes / 1024),
            Map = isUse ? (int)queues.MessageCount : (int)MessageQueues.MaxQueueBytes,
            MaxMessage = MessageQueues.MaxMessageBytes,
            MaxQueue = (int)MessageQueues.MaxQueueBytes,
            Queues = IpcTable.MaxObjects,
            SegmentBytes = 16,
            Messages = isUse ? (int)bytes : (int)MessageQueues.MaxQueueBytes,
            Segments = ushort.MaxValue,
        };
        int last = System.Math.Max(queues.Table.Last, 0);
        return SystemCall.Result(new UserPointer<InfoRecord>(call.A2).Write(call.Process, in record), last);
    }
}
