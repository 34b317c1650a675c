// All message queues of the component (msgget(2), msgop(2), msgctl(2)). A message is complete before it is sent, and is copied to its
// receiver after it has left the queue: copies from and to programs BLOCK, the queue does not wait for them. Send and Receive BLOCK.
// Messages of all queues together, and their texts, have a limit, because one of a byte takes as much memory as one of a hundred.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Queues by id and key.</summary>
public sealed unsafe class MessageQueues(FrameAllocator frames)
{
    /// <summary>MSGMAX and MSGMNB: bytes of a message, and of all in a queue unless root wants more.</summary>
    public const int MaxMessageBytes = 8192;
    public const ulong MaxQueueBytes = 16384;

    private readonly Slab<MessageQueue> _queues = new(frames);
    private readonly Slab<Message> _messages = new(frames, IpcTable.MostOf(frames, sizeof(Message)));
    private readonly Slab<MessagePiece> _pieces = new(frames, IpcTable.MostOf(frames, sizeof(MessagePiece)));

    public IpcTable Table { get; } = new(frames);

    /// <summary>Messages that there are, those on their way among them.</summary>
    public ulong MessageCount => _messages.InUse;

    /// <summary>The queue with an id. Null: EINVAL.</summary>
    public MessageQueue* Find(Process* viewer, int id) => (MessageQueue*)Table.Find(viewer, id);

    /// <summary>The queue of a key, or a new one. ENOENT, EEXIST, EACCES, ENOSPC, ENOMEM.</summary>
    public Errno Get(Process* process, int key, uint flags, out int id)
    {
        Errno error = Table.Look(process->VNode, key, flags, out IpcObject* found);
        id = found == null ? 0 : found->Id;
        if (error != Errno.None || found != null)
        {
            return error != Errno.None ? error : found->Check(process, flags & IpcObject.Rights);
        }

        MessageQueue* queue = _queues.Allocate();
        error = queue == null ? Errno.ENOMEM : Table.Add(process, &queue->Head, key, flags);
        if (error != Errno.None)
        {
            if (queue != null)
            {
                _queues.Free(queue);
            }

            return error;
        }

        queue->MaxBytes = MaxQueueBytes;
        id = queue->Head.Id;
        return Errno.None;
    }

    /// <summary>A message with a program's text. ENOMEM, also when there are too many; EFAULT. BLOCKS.</summary>
    public Errno Make(Process* process, ulong address, int lengthBytes, long type, out Message* message)
    {
        message = _messages.Allocate();
        if (message == null)
        {
            return Errno.ENOMEM;
        }

        message->Type = type;
        message->LengthBytes = lengthBytes;
        MessagePiece** end = &message->Pieces;
        Errno error = Errno.None;
        for (int done = 0; done < lengthBytes && error == Errno.None; done += MessagePiece.TextBytes)
        {
            *end = _pieces.Allocate();
            if (*end == null)
            {
                error = Errno.ENOMEM;
                break;
            }

            Span<byte> text = (*end)->Text;
            error = UserMemory.CopyIn(process, address + (ulong)done, text.Slice(0, Math.Min(text.Length, lengthBytes - done)));
            end = &(*end)->Next;
        }

        if (error != Errno.None)
        {
            Free(message);
            message = null;
        }

        return error;
    }

    /// <summary>Copies the first bytes of a message's text to a program. EFAULT. BLOCKS.</summary>
    public static Errno Copy(Process* process, Message* message, ulong address, int lengthBytes)
    {
        Errno error = Errno.None;
        MessagePiece* piece = message->Pieces;
        for (int done = 0; done < lengthBytes && error == Errno.None; done += MessagePiece.TextBytes)
        {
            Span<byte> text = piece->Text;
            error = UserMemory.CopyOut(process, address + (ulong)done, text.Slice(0, Math.Min(text.Length, lengthBytes - done)));
            piece = piece->Next;
        }

        return error;
    }

    public void Free(Message* message)
    {
        while (message->Pieces != null)
        {
            MessagePiece* piece = message->Pieces;
            message->Pieces = piece->Next;
            _pieces.Free(piece);
        }

        _messages.Free(message);
    }

    /// <summary>
    /// Adds a message to a queue, which takes it over on success. EINVAL: there is no such queue; EACCES, EAGAIN, EIDRM, EINTR. BLOCKS.
    /// </summary>
    public Errno Send(Process* process, int id, Message* message, uint flags)
    {
        MessageQueue* queue = Find(process, id);
        if (queue == null)
        {
            return Errno.EINVAL;
        }

        while (true)
        {
            Errno error = queue->Head.Check(process, IpcObject.WriteRights);
            if (error != Errno.None)
            {
                return error;
            }

            if (queue->HasRoom(message->LengthBytes))
            {
                break;
            }

            error = (flags & IpcFlags.NoWait) != 0 ? Errno.EAGAIN : Wait(queue, ref queue->Senders);
            if (error != Errno.None)
            {
                return error;
            }
        }

        queue->Add(message);
        queue->LastSender = process->Id;
        queue->SendTimeNs = Clock.UnixTimeNs();
        queue->Receivers.WakeAll();
        return Errno.None;
    }

    /// <summary>
    /// Takes a message out of a queue; the caller frees it. E2BIG: it is longer than wanted; EINVAL, EACCES, ENOMSG, EIDRM, EINTR. BLOCKS.
    /// </summary>
    public Errno Receive(Process* process, int id, long type, ulong room, uint flags, out Message* message)
    {
        message = null;
        MessageQueue* queue = Find(process, id);
        if (queue == null)
        {
            return Errno.EINVAL;
        }

        while (true)
        {
            Errno error = queue->Head.Check(process, IpcObject.ReadRights);
            if (error != Errno.None)
            {
                return error;
            }

            Message* found = queue->Find(type, flags);
            if (found != null && (ulong)found->LengthBytes > room && (flags & MessageQueue.NoError) == 0)
            {
                return Errno.E2BIG;
            }

            if (found != null)
            {
                message = found;
                break;
            }

            error = (flags & IpcFlags.NoWait) != 0 ? Errno.ENOMSG : Wait(queue, ref queue->Receivers);
            if (error != Errno.None)
            {
                return error;
            }
        }

        queue->Take(message);
        queue->LastReceiver = process->Id;
        queue->ReceiveTimeNs = Clock.UnixTimeNs();
        queue->Senders.WakeAll();
        return Errno.None;
    }

    /// <summary>IPC_RMID: who waits ends with EIDRM.</summary>
    public void Remove(MessageQueue* queue)
    {
        Table.Remove(&queue->Head);
        queue->IsRemoved = true;
        queue->Senders.WakeAll();
        queue->Receivers.WakeAll();
        while (queue->First != null)
        {
            Message* message = queue->First;
            queue->Take(message);
            Free(message);
        }

        if (queue->Waiters == 0)
        {
            _queues.Free(queue);
        }
    }

    /// <summary>The component begins a new life or (not 0) a vNode is known no more, and no program is left of the old one.</summary>
    public void Clear(ushort vnode = 0)
    {
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            MessageQueue* queue = (MessageQueue*)Table.At(index);
            if (queue != null && (vnode == 0 || queue->Head.VNode == vnode))
            {
                Remove(queue);
            }
        }
    }

    /// <summary>Waits for a change. EINTR; EIDRM: the queue has gone, and with the last of these its memory. BLOCKS.</summary>
    private Errno Wait(MessageQueue* queue, ref WaitQueue changes)
    {
        queue->Waiters++;
        Errno error = Signals.Wait(ref changes);
        queue->Waiters--;
        if (!queue->IsRemoved)
        {
            return error;
        }

        if (queue->Waiters == 0)
        {
            _queues.Free(queue);
        }

        return Errno.EIDRM;
    }
}
