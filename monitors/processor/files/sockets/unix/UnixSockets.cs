// The family AF_UNIX (unix(7)): sockets of the programs of this component, joined in its memory. A path name is a socket inode on the
// volume, so that permissions, renames and removals are the volume's; whoever connects from another processor component finds nobody
// listening (ECONNREFUSED). Connections are in UnixSockets.Connections.cs, streams and datagrams in files of their own. The comments that
// name unix_... mean functions of Linux's net/unix/af_unix.c, whose order of checks decides which of several errors a program sees.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>AF_UNIX.</summary>
public sealed unsafe partial class UnixSockets : SocketFamily
{
    /// <summary>net.core.somaxconn of Linux.</summary>
    private const int MostBacklog = 4096;
    /// <summary>net.unix.max_dgram_qlen of Linux.</summary>
    private const int DatagramBacklog = 10;
    /// <summary>sizeof(struct sockaddr_un).</summary>
    private const int MostNameBytes = SocketName.FamilyBytes + UnixName.MaxPath;
    private const ulong ShareOfMemory = 4;

    private readonly UnixNameTable _names;
    private readonly UnixGarbage _garbage;
    private readonly ulong _mostBytes;
    private uint _lastAutomaticName;

    public UnixSockets(FileSystem files)
        : base(files)
    {
        _names = new UnixNameTable(files.Frames);
        _garbage = new UnixGarbage(this);
        _mostBytes = files.Frames.FreePages / ShareOfMemory * PageOperations.PageSize;
        InFlight = new FilesInFlight(files);
    }

    /// <summary>What all messages on the way are charged.</summary>
    public ulong ChargedBytes { get; set; }

    /// <summary>Open files on the way.</summary>
    public FilesInFlight InFlight { get; }

    /// <summary>poll(2) calls a socket writable (unix_writable).</summary>
    public static bool HasRoom(Socket* socket) =>
        socket->State != SocketState.Listening && (long)socket->Unix.SentBytes << 2 <= socket->SendLimitBytes;

    /// <summary>True when messages may take so much more of the component's memory.</summary>
    public bool MayTake(int bytes) => ChargedBytes + (ulong)bytes <= _mostBytes;

    public override Errno Create(Process* process, int domain, SocketType type, int protocol, out Socket* socket)
    {
        socket = null;
        if (protocol is not (0 or AddressFamily.Unix))
        {
            return Errno.EPROTONOSUPPORT;
        }

        // BSD's SOCK_RAW is a datagram socket (unix_create).
        type = type == SocketType.Raw ? SocketType.Datagram : type;
        if (type is not (SocketType.Stream or SocketType.Datagram or SocketType.SequencedPacket))
        {
            return Errno.ESOCKTNOSUPPORT;
        }

        socket = Create(process, type);
        return socket == null ? Errno.ENOMEM : Errno.None;
    }

    public override Errno Pair(Process* process, Socket* one, Socket* other)
    {
        Join(one, other);
        Join(other, one);
        one->Unix.PeerIdentity = IdentityOf(process);
        other->Unix.PeerIdentity = IdentityOf(process);
        return Errno.None;
    }

    public override Errno NameOf(Socket* socket, bool ofPeer, out SocketName name)
    {
        name = default;
        Socket* named = ofPeer ? socket->Unix.Peer : socket;
        if (named != null)
        {
            name = UnixName.ToAddress(named->Unix.Name);
        }

        return named == null ? Errno.ENOTCONN : Errno.None;
    }

    public override Errno Shutdown(Socket* socket, SocketSides sides)
    {
        socket->Shut |= sides;
        Socket* peer = socket->Unix.Peer;
        if (peer != null && socket->IsConnectionBased)
        {
            peer->Shut |= (sides & SocketSides.Receive) != 0 ? SocketSides.Send : SocketSides.None;
            peer->Shut |= (sides & SocketSides.Send) != 0 ? SocketSides.Receive : SocketSides.None;
            WakeAll(peer);
        }

        WakeAll(socket);
        return Errno.None;
    }

    /// <summary>As unix_poll and unix_dgram_poll.</summary>
    public override PollEvents Poll(Socket* socket)
    {
        PollEvents events = socket->Error != Errno.None ? PollEvents.Error : PollEvents.None;
        events |= socket->Shut == SocketSides.Both ? PollEvents.HangUp : PollEvents.None;
        events |= (socket->Shut & SocketSides.Receive) != 0 ? PollEvents.ReadHangUp | PollEvents.Readable : PollEvents.None;
        events |= socket->Unix.FirstMessage != null || socket->Unix.FirstPending != null ? PollEvents.Readable : PollEvents.None;
        events |= socket->Unix.Urgent != null ? PollEvents.Priority : PollEvents.None;
        events |= socket->IsConnectionBased && socket->State == SocketState.Closed ? PollEvents.HangUp : PollEvents.None;
        bool isWritable = HasRoom(socket) && (socket->Type == SocketType.Stream || !IsFullPeer(socket));
        socket->Unix.LacksRoom |= !isWritable && socket->Type != SocketType.Stream;
        return events | (isWritable ? PollEvents.Writable | PollEvents.WriteBand : PollEvents.None);
    }

    public override long Control(Process* process, Socket* socket, uint request, ulong argument)
    {
        const uint BytesUnsent = 0x5411;
        const uint IsUrgentNext = 0x8905;
        int bytes;
        switch (request)
        {
            case BytesUnsent:
                bytes = socket->Unix.SentBytes;
                break;
            case TerminalRequests.BytesReadable:
                if (socket->State == SocketState.Listening)
                {
                    return CallResult.Fail(Errno.EINVAL);
                }

                bytes = ReadableBytes(socket);
                break;
            case IsUrgentNext when socket->Type != SocketType.Stream:
                return CallResult.Fail(Errno.EOPNOTSUPP);
            case IsUrgentNext:
                bytes = IsAtMark(socket) ? 1 : 0;
                break;
            default:
                return CallResult.Fail(Errno.ENOTTY);
        }

        return CallResult.Of(new UserPointer<int>(argument).Write(process, in bytes));
    }

    public override Errno GetOption(Process* process, Socket* socket, int level, int option, Span<byte> value, out int lengthBytes)
    {
        lengthBytes = 0;
        if (level != OptionLevel.Socket || (SocketOption)option != SocketOption.PeerCredentials)
        {
            return level == OptionLevel.Socket ? Errno.ENOPROTOOPT : Errno.EOPNOTSUPP;
        }

        ReadOnlySpan<byte> identity = MemoryMarshal.AsBytes(new ReadOnlySpan<PeerIdentity>(in socket->Unix.PeerIdentity));
        lengthBytes = Math.Min(identity.Length, value.Length);
        identity.Slice(0, lengthBytes).CopyTo(value);
        return Errno.None;
    }

    public override Errno SetOption(Process* process, Socket* socket, int level, int option, ReadOnlySpan<byte> value) =>
        level == OptionLevel.Socket ? Errno.ENOPROTOOPT : Errno.EOPNOTSUPP;

    public override void Resized(Socket* socket)
    {
        if (HasRoom(socket))
        {
            socket->WakeSenders();
        }
    }

    public override void Close(Socket* socket)
    {
        LetGo(socket, Errno.None);
        if (InFlight.Sockets != 0)
        {
            _garbage.Collect();
        }
    }

    public override void Ended(Socket* socket) => UnixName.Release(Files, socket->Unix.Name);

    /// <summary>The identity that a process's peers are told.</summary>
    internal static PeerIdentity IdentityOf(Process* process) =>
        new() { ProcessId = process->Id, UserId = process->EffectiveUserId, GroupId = process->EffectiveGroupId };

    /// <summary>Forgets all that has arrived at a socket. BLOCKS: files may come with it.</summary>
    internal void Purge(Socket* socket)
    {
        socket->Unix.Urgent = null;
        while (socket->Unix.FirstMessage != null)
        {
            UnixMessage* message = TakeFirst(socket);
            PassedFiles* passed = message->Files;
            UnixMessage.Free(Files, message);
            InFlight.Drop(passed);
        }
    }

    /// <summary>Ends the first connection of a backlog: nobody will accept it. BLOCKS.</summary>
    internal void Refuse(Socket* listener)
    {
        Socket* pending = TakePending(listener);
        LetGo(pending, Errno.ECONNRESET);
        Socket.Release(pending);
    }

    private Socket* Create(Process* process, SocketType type)
    {
        Socket* socket = Socket.Create(this, AddressFamily.Unix, type, 0, process);
        if (socket != null)
        {
            socket->Unix.Backlog = DatagramBacklog;
            socket->Unix.PeerIdentity = PeerIdentity.None;
        }

        return socket;
    }

    /// <summary>Something waits that a close throws away; an empty message in front is nothing (unix_release_sock).</summary>
    private static bool HasUnread(Socket* socket)
    {
        UnixMessage* first = socket->Unix.FirstMessage;
        return first != null && (first->Rest != 0 || first->Next != null);
    }

    /// <summary>What a socket gives back when its open file goes, or when nobody has accepted it (unix_release_sock).</summary>
    private void LetGo(Socket* socket, Errno peerError)
    {
        Socket* peer = socket->Unix.Peer;
        bool wasListening = socket->State == SocketState.Listening;
        socket->State = SocketState.Closed;
        socket->Shut = SocketSides.Both;
        socket->IsDead = true;
        socket->Unix.Peer = null;
        if (socket->Unix.Name != null)
        {
            _names.Remove(socket);
        }

        socket->Unix.RoomWait.WakeAll();
        if (peer != null && socket->IsConnectionBased)
        {
            peer->Shut = SocketSides.Both;
            peer->Error = HasUnread(socket) ? Errno.ECONNRESET : peerError != Errno.None ? peerError : peer->Error;
            WakeAll(peer);
        }

        if (peer != null)
        {
            Socket.Release(peer);
        }

        while (wasListening && socket->Unix.FirstPending != null)
        {
            Refuse(socket);
        }

        Purge(socket);
    }

    private static void WakeAll(Socket* socket)
    {
        socket->WakeReceivers();
        socket->WakeSenders();
    }

    private static void Join(Socket* socket, Socket* peer)
    {
        socket->Unix.Peer = Socket.Hold(peer);
        socket->State = SocketState.Connected;
    }

    /// <summary>A datagram's receiver would have the sender wait (unix_dgram_poll).</summary>
    private static bool IsFullPeer(Socket* socket)
    {
        Socket* peer = socket->Unix.Peer;
        return peer != null && peer->Unix.Peer != socket && IsFull(peer);
    }

    private static bool IsFull(Socket* socket) => socket->Unix.MessageCount > socket->Unix.Backlog;

    /// <summary>FIONREAD.</summary>
    internal static int ReadableBytes(Socket* socket)
    {
        long bytes = 0;
        for (UnixMessage* message = socket->Unix.FirstMessage; message != null; message = message->Next)
        {
            bytes += message->Rest;
            if (socket->Type == SocketType.Datagram)
            {
                break;
            }
        }

        return (int)Math.Min(bytes, int.MaxValue);
    }

    private static void Append(Socket* socket, UnixMessage* message)
    {
        ref UnixEnd end = ref socket->Unix;
        *(end.LastMessage == null ? &socket->Unix.FirstMessage : &end.LastMessage->Next) = message;
        end.LastMessage = message;
        end.MessageCount++;
    }

    /// <summary>Takes the first message out of the queue; who waits for room in it hears of that.</summary>
    private UnixMessage* TakeFirst(Socket* socket)
    {
        ref UnixEnd end = ref socket->Unix;
        UnixMessage* message = end.FirstMessage;
        bool wasFull = IsFull(socket);
        end.FirstMessage = message->Next;
        end.LastMessage = message->Next == null ? null : end.LastMessage;
        end.MessageCount--;
        message->Next = null;
        end.RoomWait.WakeAll();
        if (wasFull && !socket->IsConnectionBased)
        {
            TellWriters(socket);
        }

        return message;
    }

    /// <summary>Sockets that are connected to one whose queue was full have become writable.</summary>
    private void TellWriters(Socket* receiver)
    {
        for (Socket* socket = First; socket != null; socket = socket->Next)
        {
            if (socket->Unix.Peer == receiver && !socket->IsDead)
            {
                socket->WakeSenders();
            }
        }
    }
}
