// A message queue of POSIX (mq_overview(7)): messages, the highest priority first and the oldest of each, who waits for one or for room,
// and whom the first message into the empty queue is told. It lives as long as it has a name or is open.
//
// What holds, whenever the kernel lock is let go:
// * Nobody waits who could go on: a message goes to the receiver that waits, if one does, and not into the queue; the message of the sender
//   that waits goes in with the room that a receiver makes. So receivers wait at an empty queue only, senders at a full one.
// * A waiter stands on its own kernel stack and in a list until it is served, or gives up and takes itself out.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>How the end of emptiness is told (mq_notify(3)).</summary>
public enum QueueNotice : byte
{
    /// <summary>Nobody is told.</summary>
    Off = 0,
    /// <summary>SIGEV_NONE: the place is taken, and nothing is told.</summary>
    None,
    Signal,
    /// <summary>SIGEV_THREAD: by a message to a socket of AF_NETLINK.</summary>
    Message,
}

/// <summary>Who is told.</summary>
public unsafe struct QueueListener
{
    public QueueNotice Kind;
    public byte Signal;
    public ProcessReference Process;
    public ulong Value;
    /// <summary>The socket that a message goes to, of which it has a reference, and the message.</summary>
    public Socket* Socket;
    public Message* Message;
}

/// <summary>A thread in mq_timedsend or mq_timedreceive.</summary>
public unsafe struct PosixQueueWaiter
{
    public PosixQueueWaiter* Next;
    /// <summary>Those with higher ones are served first: the real-time priority, 0 for all others.</summary>
    public byte Priority;
    public bool IsDone;
    /// <summary>What is to be sent, or has been received.</summary>
    public Message* Message;
    public WaitQueue Wakeup;
}

/// <summary>A queue.</summary>
public unsafe struct PosixQueue
{
    public const int MaxNameBytes = 255;

    public PosixQueue* Next;
    /// <summary>Open files, and its name.</summary>
    public uint References;
    public bool IsNamed;
    /// <summary>Who made it: each vNode has names of its own.</summary>
    public ushort VNode;
    public uint Inode;
    public SyntheticInode Attributes;
    public long MaxMessages;
    public long MaxMessageBytes;
    public long Messages;
    public ulong Bytes;
    /// <summary>Whose RLIMIT_MSGQUEUE has paid for it, and how much.</summary>
    public uint PayerId;
    public ulong PaidBytes;
    public QueueListener Listener;
    public Watchers Watchers;
    private Message* _first;
    private Message* _last;
    private PosixQueueWaiter* _receivers;
    private PosixQueueWaiter* _senders;
    private byte _nameLength;
    private NameBytes _name;

    [InlineArray(MaxNameBytes)]
    private struct NameBytes
    {
        private byte _firstByte;
    }

    /// <summary>Without the slash; valid as long as the queue.</summary>
    public ReadOnlySpan<byte> Name => new(Unsafe.AsPointer(ref _name), _nameLength);

    public readonly bool IsEmpty => Messages == 0;

    public readonly bool IsFull => Messages >= MaxMessages;

    /// <summary>True when a message would go to a receiver at once.</summary>
    public readonly bool HasReceiver => _receivers != null;

    public void SetName(ReadOnlySpan<byte> name)
    {
        _nameLength = (byte)name.Length;
        name.CopyTo(new Span<byte>(Unsafe.AsPointer(ref _name), MaxNameBytes));
    }

    /// <summary>Puts a message behind those of its priority. Messages are seldom of many priorities, and mostly come at the end.</summary>
    public void Add(Message* message)
    {
        Message* before = _last;
        if (before != null && before->Type < message->Type)
        {
            before = null;
            for (Message* other = _first; other->Type >= message->Type; other = other->Next)
            {
                before = other;
            }
        }

        message->Next = before == null ? _first : before->Next;
        if (before == null)
        {
            _first = message;
        }
        else
        {
            before->Next = message;
        }

        _last = message->Next == null ? message : _last;
        Messages++;
        Bytes += (ulong)message->LengthBytes;
    }

    /// <summary>Takes the first message out of a queue that is not empty.</summary>
    public Message* Take()
    {
        Message* message = _first;
        _first = message->Next;
        _last = _first == null ? null : _last;
        Messages--;
        Bytes -= (ulong)message->LengthBytes;
        return message;
    }

    /// <summary>Gives a message to the receiver that waits. False: none does.</summary>
    public bool TryHandOver(Message* message)
    {
        PosixQueueWaiter* receiver = _receivers;
        if (receiver == null)
        {
            return false;
        }

        _receivers = receiver->Next;
        receiver->Message = message;
        receiver->IsDone = true;
        receiver->Wakeup.WakeAll();
        return true;
    }

    /// <summary>There is room: the sender that waits is done. False: none waits.</summary>
    public bool TryServeSender()
    {
        PosixQueueWaiter* sender = _senders;
        if (sender == null)
        {
            return false;
        }

        _senders = sender->Next;
        Add(sender->Message);
        sender->IsDone = true;
        sender->Wakeup.WakeAll();
        return true;
    }

    /// <summary>A thread begins to wait, behind those of its priority.</summary>
    public void Join(PosixQueueWaiter* waiter, bool receives)
    {
        fixed (PosixQueueWaiter** first = &(receives ? ref _receivers : ref _senders))
        {
            PosixQueueWaiter** link = first;
            while (*link != null && (*link)->Priority >= waiter->Priority)
            {
                link = &(*link)->Next;
            }

            waiter->Next = *link;
            *link = waiter;
        }
    }

    /// <summary>A thread gives up that has not been served.</summary>
    public void Leave(PosixQueueWaiter* waiter, bool receives)
    {
        fixed (PosixQueueWaiter** first = &(receives ? ref _receivers : ref _senders))
        {
            PosixQueueWaiter** link = first;
            while (*link != waiter)
            {
                link = &(*link)->Next;
            }

            *link = waiter->Next;
        }
    }
}
