// A socket (socket(7)): what all families have in common, and the part of the one that it is of. In a slab; counted by whoever refers to
// it: its open file, sockets that are connected to it, messages of its that are on the way. When its open file goes it is dead, and its
// family lets go of everything but what the references need.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Where a connection is.</summary>
public enum SocketState : byte
{
    Closed = 0,
    Listening,
    /// <summary>A connect is under way, or its end has not been told.</summary>
    Connecting,
    Connected,
    /// <summary>A connect had failed, and a shutdown came before anybody was told (SS_DISCONNECTING): only AF_UNSPEC helps.</summary>
    Disconnecting,
}

/// <summary>Options that are on or off.</summary>
[System.Flags]
public enum SocketFlags : uint
{
    None = 0,
    Debug = 1 << 0,
    ReuseAddress = 1 << 1,
    DontRoute = 1 << 2,
    Broadcast = 1 << 3,
    KeepAlive = 1 << 4,
    OutOfBandInline = 1 << 5,
    ReusePort = 1 << 6,
    PassCredentials = 1 << 7,
    Timestamp = 1 << 8,
    Linger = 1 << 9,
    /// <summary>SO_TIMESTAMPNS, which excludes SO_TIMESTAMP: the latter one counts.</summary>
    TimestampNs = 1 << 10,
}

/// <summary>What shutdown(2) ends, as bits.</summary>
[System.Flags]
public enum SocketSides : byte
{
    None = 0,
    Receive = 1,
    Send = 2,
    Both = Receive | Send,
}

/// <summary>One end of a communication.</summary>
public unsafe struct Socket
{
    /// <summary>net.core.wmem_default and rmem_default of Linux.</summary>
    public const int DefaultBufferBytes = 212_992;

    public uint References;
    public ushort Domain;
    /// <summary>Of whose process it was made: /proc/net tells others nothing of it.</summary>
    public ushort VNode;
    public SocketType Type;
    public SocketState State;
    public int Protocol;
    public SocketFlags Flags;
    /// <summary>Sides that are shut down.</summary>
    public SocketSides Shut;
    /// <summary>Its open file has gone.</summary>
    public bool IsDead;
    /// <summary>SO_ERROR: told once.</summary>
    public Errno Error;
    /// <summary>SO_SNDBUF and SO_RCVBUF.</summary>
    public int SendLimitBytes;
    public int ReceiveLimitBytes;
    /// <summary>SO_RCVLOWAT.</summary>
    public int LowWaterBytes;
    /// <summary>SO_SNDTIMEO and SO_RCVTIMEO, nanoseconds; 0 = a wait has no end.</summary>
    public ulong SendTimeoutNs;
    public ulong ReceiveTimeoutNs;
    public uint LingerSeconds;
    public uint Priority;
    public uint Mark;
    /// <summary>Distinguishes sockets in stat and /proc.</summary>
    public uint Inode;
    public SyntheticInode Attributes;
    /// <summary>The open file, which has no reference of ours; null before accept(2) and after the last close.</summary>
    public OpenFile* File;
    /// <summary>Who waits for something to receive or accept, and for room or a connection.</summary>
    public WaitQueue ReceiversWait;
    public WaitQueue SendersWait;
    public Watchers Watchers;
    /// <summary>Held while one takes what has arrived: copies to programs may block.</summary>
    public SleepLock ReceiveLock;
    /// <summary>All sockets of a family, for its /proc text and its searches.</summary>
    public Socket* Next;
    public Socket* Previous;
    public UnixEnd Unix;
    /// <summary>The stack's part of a stream socket, or of another one of AF_INET, AF_INET6, AF_PACKET.</summary>
    public TcpConnection* Tcp;
    public DatagramEndpoint* Datagram;
    public InternetFlags InternetFlags;
    /// <summary>SO_ATTACH_FILTER, which is counted; null: none. It may be changed no more: SO_LOCK_FILTER.</summary>
    public PacketFilter* Filter;
    public bool IsFilterLocked;
    /// <summary>What a socket of AF_NETLINK has been asked.</summary>
    public NetlinkQuestion Netlink;
    public NetlinkNotes Notes;
    /// <summary>What was true when whoever waits for it was told of it last.</summary>
    public PollEvents ToldEvents;
    private ObjectPointer<SocketFamily> _family;

    /// <summary>What can be done with it.</summary>
    public readonly SocketFamily Family => _family.Target;

    public readonly bool IsConnectionBased => Type is SocketType.Stream or SocketType.SequencedPacket;

    /// <summary>A new socket of a family with one reference; null without memory.</summary>
    public static Socket* Create(SocketFamily family, int domain, SocketType type, int protocol, Process* owner)
    {
        FileSystem files = family.Files;
        Socket* socket = files.Sockets.Allocate();
        if (socket != null)
        {
            socket->_family = family.Self;
            socket->References = 1;
            socket->Domain = (ushort)domain;
            socket->VNode = owner->VNode;
            socket->Type = type;
            socket->Protocol = protocol;
            socket->SendLimitBytes = DefaultBufferBytes;
            socket->ReceiveLimitBytes = DefaultBufferBytes;
            socket->LowWaterBytes = 1;
            socket->Inode = files.NextPipeInode();
            socket->Attributes = SyntheticInode.Create(owner->FileSystemUserId, owner->FileSystemGroupId, permissions: 0x1FF);
            family.Enlist(socket);
        }

        return socket;
    }

    /// <summary>Somebody else refers to it.</summary>
    public static Socket* Hold(Socket* socket)
    {
        socket->References++;
        return socket;
    }

    /// <summary>Drops a reference; the last one frees it.</summary>
    public static void Release(Socket* socket)
    {
        if (--socket->References == 0)
        {
            SocketFamily family = socket->Family;
            family.Ended(socket);
            family.Delist(socket);
            family.Files.Filters.Leave(socket);
            family.Files.Sockets.Free(socket);
        }
    }

    /// <summary>Takes the error that is to be told.</summary>
    public Errno TakeError()
    {
        Errno error = Error;
        Error = Errno.None;
        return error;
    }

    /// <summary>There may be something to receive, or an end.</summary>
    public void WakeReceivers()
    {
        ReceiversWait.WakeAll();
        Family.Files.Readiness.Notify(ref Watchers, PollEvents.Readable | PollEvents.ReadHangUp | PollEvents.HangUp | PollEvents.Error);
    }

    /// <summary>There may be room, or a connection.</summary>
    public void WakeSenders()
    {
        SendersWait.WakeAll();
        Family.Files.Readiness.Notify(ref Watchers, PollEvents.Writable | PollEvents.WriteBand | PollEvents.Error);
    }

    /// <summary>When a wait that begins now ends, for SO_SNDTIMEO and SO_RCVTIMEO.</summary>
    public static ulong DeadlineAfter(ulong timeoutNs) => timeoutNs == 0 ? ulong.MaxValue : Clock.NowNs() + timeoutNs;

    /// <summary>
    /// Waits once on one of its queues. EAGAIN: the call does not wait, or its time is over. A call with a time-out is not started again
    /// after a signal (signal(7)).
    /// </summary>
    [Blocks]
    public static Errno Wait(ref WaitQueue queue, bool isNonBlocking, ulong deadlineNs)
    {
        if (isNonBlocking)
        {
            return Errno.EAGAIN;
        }

        Errno error = Clock.NowNs() >= deadlineNs ? Errno.ETIMEDOUT : Signals.WaitUntil(ref queue, deadlineNs);
        UserThread* thread = UserThread.Current;
        if (error == Errno.EINTR && deadlineNs != ulong.MaxValue && thread != null)
        {
            thread->NeverRestarts = true;
        }

        return error == Errno.ETIMEDOUT ? Errno.EAGAIN : error;
    }
}
