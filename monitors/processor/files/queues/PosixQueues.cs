// All message queues of POSIX of the component, and their names, which are in no directory (mq_overview(7)). Messages are of the same
// memory as those of System V's queues and share its bounds; what a user's queues may hold is counted against RLIMIT_MSGQUEUE when they
// are made. Send, Receive and Wait BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Queues by name.</summary>
public sealed unsafe class PosixQueues(FileSystem files)
{
    /// <summary>/proc/sys/fs/mqueue: most queues of users, and what one of theirs may hold; root has the hard limits.</summary>
    public const ulong MaxQueues = 256;
    public const long MaxMessages = 10;
    public const long MaxMessageBytes = 8192;

    /// <summary>MQ_PRIO_MAX.</summary>
    public const uint MaxPriorities = 32768;

    private const long HardMessages = 65536;
    private const long HardMessageBytes = 16 << 20;
    /// <summary>What Linux counts for a message beside its text, and for a priority (struct msg_msg, struct posix_msg_tree_node).</summary>
    private const ulong MessageBytes = 48;
    private const ulong PriorityBytes = 48;
    private const int SignalCodeOfQueue = -3;

    private readonly Slab<PosixQueue> _queues = new(files.Frames, IpcTable.MostOf(files.Frames, sizeof(PosixQueue)));
    private PosixQueue* _first;

    /// <summary>Queues that there are, with a name or without.</summary>
    public ulong Count => _queues.InUse;

    private MessageQueues Store => files.Processes.Messages;

    /// <summary>The queue of a name, or null.</summary>
    public PosixQueue* Find(ushort vnode, ReadOnlySpan<byte> name)
    {
        PosixQueue* queue = _first;
        while (queue != null && !(queue->IsNamed && queue->VNode == vnode && queue->Name.SequenceEqual(name)))
        {
            queue = queue->Next;
        }

        return queue;
    }

    /// <summary>
    /// Makes a queue with a name that is free. ENOSPC: too many; EINVAL, EOVERFLOW: not of this size; EMFILE: the user has no room; ENOMEM.
    /// </summary>
    public Errno Create(Process* process, ReadOnlySpan<byte> name, uint mode, long maxMessages, long maxMessageBytes, out PosixQueue* queue)
    {
        queue = null;
        bool isRoot = process->EffectiveUserId == 0;
        if (Count >= MaxQueues && !isRoot)
        {
            return Errno.ENOSPC;
        }

        if (maxMessages <= 0 || maxMessageBytes <= 0 || maxMessages > (isRoot ? HardMessages : MaxMessages)
            || maxMessageBytes > (isRoot ? HardMessageBytes : MaxMessageBytes))
        {
            return Errno.EINVAL;
        }

        ulong bytes = ((ulong)maxMessages * ((ulong)maxMessageBytes + MessageBytes))
            + (Math.Min((ulong)maxMessages, MaxPriorities) * PriorityBytes);
        if (PaidBy(process) + bytes > process->Limits[2 * ResourceLimit.MessageQueues])
        {
            return Errno.EMFILE;
        }

        queue = _queues.Allocate();
        if (queue == null)
        {
            return Errno.ENOMEM;
        }

        queue->SetName(name);
        queue->VNode = process->VNode;
        queue->IsNamed = true;
        queue->References = 1;
        queue->Inode = files.NextPipeInode();
        queue->Attributes = SyntheticInode.Create(process->FileSystemUserId, process->FileSystemGroupId, mode & FileMode.PermissionMask);
        queue->MaxMessages = maxMessages;
        queue->MaxMessageBytes = maxMessageBytes;
        queue->PayerId = process->UserId;
        queue->PaidBytes = bytes;
        queue->Next = _first;
        _first = queue;
        return Errno.None;
    }

    /// <summary>mq_unlink. ENOENT; EPERM: the names' directory has the sticky bit.</summary>
    public Errno Unlink(Process* process, ReadOnlySpan<byte> name)
    {
        PosixQueue* queue = Find(process->VNode, name);
        if (queue == null)
        {
            return Errno.ENOENT;
        }

        uint user = process->FileSystemUserId;
        if (user != 0 && user != queue->Attributes.UserId)
        {
            return Errno.EPERM;
        }

        queue->IsNamed = false;
        queue->Attributes.Touch();
        Release(queue);
        return Errno.None;
    }

    /// <summary>An open file or a name less; with the last one the queue ends.</summary>
    public void Release(PosixQueue* queue)
    {
        if (--queue->References != 0)
        {
            return;
        }

        while (!queue->IsEmpty)
        {
            Store.Free(queue->Take());
        }

        StopTelling(queue, isOwner: false);
        PosixQueue** link;
        fixed (PosixQueue** first = &_first)
        {
            link = first;
            while (*link != queue)
            {
                link = &(*link)->Next;
            }

            *link = queue->Next;
        }

        _queues.Free(queue);
    }

    /// <summary>The component begins a new life or (not 0) a vNode is known no more: no name is left of the old one.</summary>
    public void Clear(ushort vnode = 0)
    {
        PosixQueue* next;
        for (PosixQueue* queue = _first; queue != null; queue = next)
        {
            next = queue->Next;
            if (queue->IsNamed && (vnode == 0 || queue->VNode == vnode))
            {
                queue->IsNamed = false;
                Release(queue);
            }
        }
    }

    /// <summary>Sends a message, which is the queue's on success. EAGAIN, EINTR, ETIMEDOUT. BLOCKS.</summary>
    public Errno Send(Process* process, PosixQueue* queue, Message* message, bool isNonBlocking, ulong deadlineNs)
    {
        if (queue->IsFull)
        {
            PosixQueueWaiter waiter = new() { Message = message };
            return isNonBlocking ? Errno.EAGAIN : Wait(queue, &waiter, receives: false, deadlineNs);
        }

        if (queue->TryHandOver(message))
        {
            queue->Attributes.Written();
            return Errno.None;
        }

        queue->Add(message);
        queue->Attributes.Written();
        if (queue->Messages == 1)
        {
            Tell(process, queue);
        }

        files.Readiness.Notify(ref queue->Watchers, PollEvents.Readable);
        return Errno.None;
    }

    /// <summary>Takes the next message, which the caller frees. EAGAIN, EINTR, ETIMEDOUT. BLOCKS.</summary>
    public Errno Receive(PosixQueue* queue, bool isNonBlocking, ulong deadlineNs, out Message* message)
    {
        message = null;
        if (queue->IsEmpty)
        {
            PosixQueueWaiter waiter = default;
            Errno error = isNonBlocking ? Errno.EAGAIN : Wait(queue, &waiter, receives: true, deadlineNs);
            message = waiter.Message;
            return error;
        }

        message = queue->Take();
        queue->Attributes.Written();
        if (!queue->TryServeSender())
        {
            files.Readiness.Notify(ref queue->Watchers, PollEvents.Writable);
        }

        return Errno.None;
    }

    /// <summary>mq_notify. EBUSY: somebody is told already. The listener's socket and message are the queue's on success.</summary>
    public static Errno Listen(Process* process, PosixQueue* queue, in QueueListener listener)
    {
        if (queue->Listener.Kind != QueueNotice.Off)
        {
            return Errno.EBUSY;
        }

        queue->Listener = listener;
        queue->Listener.Process = ProcessReference.Of(process);
        return Errno.None;
    }

    /// <summary>A process does not want to be told any more, or has closed a descriptor of the queue.</summary>
    public void StopListening(Process* process, PosixQueue* queue)
    {
        if (process != null && queue->Listener.Process.Find(process->Table) == process)
        {
            StopTelling(queue, isOwner: true);
        }
    }

    private ulong PaidBy(Process* payer)
    {
        ulong bytes = 0;
        for (PosixQueue* queue = _first; queue != null; queue = queue->Next)
        {
            bytes += queue->PayerId == payer->UserId && queue->VNode == payer->VNode ? queue->PaidBytes : 0;
        }

        return bytes;
    }

    /// <summary>Waits until it is served. EINTR, ETIMEDOUT. BLOCKS.</summary>
    private static Errno Wait(PosixQueue* queue, PosixQueueWaiter* waiter, bool receives, ulong deadlineNs)
    {
        UserThread* thread = UserThread.Current;
        waiter->Priority = thread == null ? (byte)0 : thread->RealTimePriority;
        queue->Join(waiter, receives);
        Errno error = Errno.None;
        while (error == Errno.None && !waiter->IsDone)
        {
            error = Signals.WaitUntil(ref waiter->Wakeup, deadlineNs);
        }

        if (waiter->IsDone)
        {
            return Errno.None;
        }

        queue->Leave(waiter, receives);
        return error;
    }

    /// <summary>The queue was empty and nobody waited: who wanted to know hears of it, once.</summary>
    private void Tell(Process* sender, PosixQueue* queue)
    {
        ref QueueListener listener = ref queue->Listener;
        Process* process = listener.Process.Find(files.Processes);
        if (listener.Kind == QueueNotice.Signal && listener.Signal != 0 && process != null)
        {
            Signals.Send(process, new SignalInfo
            {
                Number = listener.Signal,
                Code = SignalCodeOfQueue,
                ProcessId = sender->Id,
                UserId = sender->UserId,
                Value = listener.Value,
            });
        }

        if (listener.Kind == QueueNotice.Message)
        {
            NetlinkSockets.Deliver(listener.Socket, listener.Message, QueueNote.Woken);
            Socket.Release(listener.Socket);
        }

        listener = default;
    }

    /// <summary>Its owner hears of it, where a message is what it waits for.</summary>
    private void StopTelling(PosixQueue* queue, bool isOwner)
    {
        ref QueueListener listener = ref queue->Listener;
        if (listener.Kind == QueueNotice.Message)
        {
            if (isOwner)
            {
                NetlinkSockets.Deliver(listener.Socket, listener.Message, QueueNote.Removed);
            }
            else
            {
                Store.Free(listener.Message);
            }

            Socket.Release(listener.Socket);
        }

        listener = default;
    }
}
