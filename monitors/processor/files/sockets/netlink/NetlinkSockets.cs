// The family AF_NETLINK (netlink(7)), protocols NETLINK_ROUTE (rtnetlink(7)): questions about interfaces, addresses, routes and neighbours,
// and NETLINK_SOCK_DIAG (sock_diag(7)): about sockets.
// An answer is written when it is received, from the tables as they are then: a socket keeps the question and how far it has been
// answered, and no messages but those that tell of message queues (mq_notify(3)), which come first. So one question at a time is answered
// (EBUSY for another, as Linux says while a dump runs). Nothing can be changed (EOPNOTSUPP in the answer), and nothing is told unasked.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The question that a netlink socket has been asked, and its answer so far.</summary>
public struct NetlinkQuestion
{
    /// <summary>The request; length 0: there is none.</summary>
    public NetlinkHeader Request;
    public int Family;
    public int InterfaceIndex;
    /// <summary>The next entry of the table.</summary>
    public int Entry;
    /// <summary>Why it cannot be answered.</summary>
    public Errno Error;
    /// <summary>The port that the socket is bound to, and the groups.</summary>
    public uint Port;
    public uint Groups;
    /// <summary>Of NETLINK_SOCK_DIAG: the sockets that are asked for.</summary>
    public DiagnosticQuestion Diagnostic;
}

/// <summary>Messages that a netlink socket has not been asked for: those of mq_notify(3).</summary>
public unsafe struct NetlinkNotes
{
    public Message* First;
    public Message* Last;
}

/// <summary>AF_NETLINK.</summary>
public sealed unsafe class NetlinkSockets(FileSystem files, NetworkService network) : SocketFamily(files)
{
    private const int NameBytes = 12;
    private const int SocketDiagnostics = 4;
    private const ushort DumpFlags = 0x300;
    private const ushort AcknowledgeFlag = 4;
    private const ushort MultipartFlag = 2;
    private const ushort ErrorType = 2;
    private const ushort DoneType = 3;

    private uint _lastPort = 0x10000;

    /// <summary>struct nlmsgerr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ErrorBody
    {
        internal int Error;
        internal NetlinkHeader Request;
    }

    public override Errno Create(Process* process, int domain, SocketType type, int protocol, out Socket* socket)
    {
        const int Route = 0;
        socket = null;
        if (type is not (SocketType.Raw or SocketType.Datagram))
        {
            return Errno.ESOCKTNOSUPPORT;
        }

        if (protocol is not (Route or SocketDiagnostics))
        {
            return Errno.EPROTONOSUPPORT;
        }

        socket = Socket.Create(this, domain, type, protocol, process);
        return socket == null ? Errno.ENOBUFS : Errno.None;
    }

    public override Errno Bind(Process* process, Socket* socket, in SocketName name)
    {
        if (name.Length < NameBytes || name.Family != AddressFamily.Netlink)
        {
            return Errno.EINVAL;
        }

        uint port = MemoryMarshal.Read<uint>(name.Bytes.Slice(4));
        uint groups = MemoryMarshal.Read<uint>(name.Bytes.Slice(8));
        if (socket->Netlink.Port != 0 && port != socket->Netlink.Port && port != 0)
        {
            return Errno.EINVAL;
        }

        if (port != 0 && socket->Netlink.Port == 0 && IsTaken(port))
        {
            return Errno.EADDRINUSE;
        }

        socket->Netlink.Port = socket->Netlink.Port != 0 ? socket->Netlink.Port : port != 0 ? port : FreePort(process);
        socket->Netlink.Groups = groups;
        return Errno.None;
    }

    /// <summary>Only the kernel answers here; whom a program wants to talk to says nothing.</summary>
    public override Errno Connect(Process* process, Socket* socket, in SocketName name, bool isNonBlocking)
    {
        if (name.Length < NameBytes || name.Family != AddressFamily.Netlink)
        {
            return Errno.EINVAL;
        }

        socket->Netlink.Port = socket->Netlink.Port == 0 ? FreePort(process) : socket->Netlink.Port;
        return Errno.None;
    }

    public override Errno NameOf(Socket* socket, bool ofPeer, out SocketName name)
    {
        name = default;
        name.Length = NameBytes;
        name.Family = AddressFamily.Netlink;
        if (!ofPeer)
        {
            MemoryMarshal.Write(name.Room.Slice(4), in socket->Netlink.Port);
            MemoryMarshal.Write(name.Room.Slice(8), in socket->Netlink.Groups);
        }

        return Errno.None;
    }

    public override long Send(Process* process, Socket* socket, ref SocketMessage message)
    {
        if (message.Has(MessageFlags.OutOfBand))
        {
            return CallResult.Fail(Errno.EOPNOTSUPP);
        }

        socket->Netlink.Port = socket->Netlink.Port == 0 ? FreePort(process) : socket->Netlink.Port;
        const int MostRequestBytes = 1024;
        long length = (long)message.Data.RemainingBytes;
        Span<byte> bytes = stackalloc byte[MostRequestBytes];
        bytes = bytes.Slice(0, (int)Math.Min(length, MostRequestBytes));
        Errno error = message.Data.Take(bytes, out _);
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        if (bytes.Length < sizeof(NetlinkHeader))
        {
            return length;
        }

        NetlinkHeader request = MemoryMarshal.Read<NetlinkHeader>(bytes);
        if (request.Length < sizeof(NetlinkHeader) || request.Length > length)
        {
            return length;
        }

        if (socket->Netlink.Request.Length != 0)
        {
            return CallResult.Fail(Errno.EBUSY);
        }

        Ask(socket, in request, bytes.Slice(sizeof(NetlinkHeader)));
        socket->WakeReceivers();
        return length;
    }

    public override long Receive(Process* process, Socket* socket, ref SocketMessage message)
    {
        if (message.Has(MessageFlags.OutOfBand))
        {
            return CallResult.Fail(Errno.EOPNOTSUPP);
        }

        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        while (socket->Netlink.Request.Length == 0 && socket->Notes.First == null)
        {
            Errno error = Socket.Wait(ref socket->ReceiversWait, message.IsNonBlocking, deadline);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }

        if (socket->Notes.First != null)
        {
            return GiveNote(socket, ref message);
        }

        byte* frame = (byte*)Files.Frames.Allocate();
        if (frame == null)
        {
            return CallResult.Fail(Errno.ENOBUFS);
        }

        NetlinkQuestion before = socket->Netlink;
        NetlinkWriter writer = new(new Span<byte>(frame, PageOperations.PageSize));
        network.Now();
        Answer(socket, ref writer);
        socket->Netlink = message.Has(MessageFlags.Peek) ? before : socket->Netlink;
        int length = (int)Math.Min((ulong)writer.Length, message.Data.RemainingBytes);
        Errno copied = message.Data.Give(new ReadOnlySpan<byte>(frame, length), out _);
        Files.Frames.Free(frame);
        message.Received |= length < writer.Length ? MessageFlags.Truncated : MessageFlags.None;
        NameOf(socket, ofPeer: true, out message.Name);
        return CallResult.Of(copied, message.Has(MessageFlags.Truncated) ? writer.Length : length);
    }

    public override PollEvents Poll(Socket* socket) =>
        PollEvents.Writable | (socket->Netlink.Request.Length != 0 || socket->Notes.First != null ? PollEvents.Readable : PollEvents.None);

    /// <summary>What iproute2 sets (extended acknowledgements, strict checks) changes nothing that is told here.</summary>
    public override Errno SetOption(Process* process, Socket* socket, int level, int option, ReadOnlySpan<byte> value)
    {
        const int MostOption = 12;
        return level == OptionLevel.Netlink && option is >= 1 and <= MostOption ? Errno.None : Errno.ENOPROTOOPT;
    }

    public override void Close(Socket* socket)
    {
        while (socket->Notes.First != null)
        {
            Files.Processes.Messages.Free(TakeNote(socket));
        }
    }

    /// <summary>A message queue tells a socket something, whose message this now is.</summary>
    public static void Deliver(Socket* socket, Message* message, byte what)
    {
        if (socket->IsDead)
        {
            socket->Family.Files.Processes.Messages.Free(message);
            return;
        }

        message->Pieces->Text[QueueNote.Bytes - 1] = what;
        message->Next = null;
        if (socket->Notes.First == null)
        {
            socket->Notes.First = message;
        }
        else
        {
            socket->Notes.Last->Next = message;
        }

        socket->Notes.Last = message;
        socket->WakeReceivers();
    }

    private static Message* TakeNote(Socket* socket)
    {
        Message* note = socket->Notes.First;
        socket->Notes.First = note->Next;
        return note;
    }

    private long GiveNote(Socket* socket, ref SocketMessage message)
    {
        Span<byte> text = stackalloc byte[QueueNote.Bytes];
        socket->Notes.First->Pieces->Text.Slice(0, text.Length).CopyTo(text);
        if (!message.Has(MessageFlags.Peek))
        {
            Files.Processes.Messages.Free(TakeNote(socket));
        }

        int length = (int)Math.Min((ulong)text.Length, message.Data.RemainingBytes);
        Errno error = message.Data.Give(text.Slice(0, length), out _);
        message.Received |= length < text.Length ? MessageFlags.Truncated : MessageFlags.None;
        NameOf(socket, ofPeer: true, out message.Name);
        return CallResult.Of(error, message.Has(MessageFlags.Truncated) ? text.Length : length);
    }

    private bool IsTaken(uint port)
    {
        for (Socket* socket = First; socket != null; socket = socket->Next)
        {
            if (socket->Netlink.Port == port)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The process's id where it is free, as Linux chooses.</summary>
    private uint FreePort(Process* process)
    {
        uint port = process->Id;
        while (IsTaken(port))
        {
            port = ++_lastPort;
        }

        return port;
    }

    private static void Ask(Socket* socket, in NetlinkHeader request, ReadOnlySpan<byte> body)
    {
        const int IndexOffset = 4;
        ref NetlinkQuestion question = ref socket->Netlink;
        question.Request = request;
        bool isDump = (request.Flags & DumpFlags) == DumpFlags;
        if (socket->Protocol == SocketDiagnostics)
        {
            question.Entry = 0;
            question.Error = request.Type != DiagnosticMessages.ByFamily || !isDump ? Errno.EOPNOTSUPP
                : DiagnosticMessages.Read(body, out question.Diagnostic);
            return;
        }

        question.Entry = request.Type == RouteMessages.GetNeighbour && NeighbourMessages.IsOfProxies(body) ? int.MaxValue : 0;
        question.Family = body.Length > 0 ? body[0] : 0;
        question.InterfaceIndex = 0;
        bool isKnown = request.Type is RouteMessages.GetLink or RouteMessages.GetAddress or RouteMessages.GetRoute
            or RouteMessages.GetNeighbour;
        question.Error = isKnown ? Errno.None : Errno.EOPNOTSUPP;
        if (isKnown && !isDump)
        {
            question.InterfaceIndex = request.Type == RouteMessages.GetLink && body.Length >= 2 * IndexOffset
                ? MemoryMarshal.Read<int>(body.Slice(IndexOffset)) : 0;
            question.Error = question.InterfaceIndex == 0 ? Errno.EOPNOTSUPP : Errno.None;
        }
    }

    /// <summary>Writes as much of the answer as fits; the question is gone when all has been told.</summary>
    private void Answer(Socket* socket, ref NetlinkWriter to)
    {
        ref NetlinkQuestion question = ref socket->Netlink;
        NetlinkHeader request = question.Request;
        bool isDump = (request.Flags & DumpFlags) == DumpFlags;
        NetlinkHeader header = new()
        {
            Flags = isDump ? MultipartFlag : (ushort)0,
            Sequence = request.Sequence,
            Port = question.Port,
        };
        bool isOfSockets = question.Error == Errno.None && socket->Protocol == SocketDiagnostics;
        if (isOfSockets && !DiagnosticMessages.TryWrite(Files, socket, ref question.Entry, header, ref to))
        {
            return;
        }

        int count = question.Error == Errno.None && !isOfSockets ? RouteMessages.CountOf(network.Stack, request.Type) : 0;
        while (question.Entry < count)
        {
            if (!RouteMessages.TryWrite(
                network.Stack, request.Type, question.Entry, question.Family, question.InterfaceIndex, header, ref to))
            {
                return;
            }

            question.Entry++;
        }

        if (question.Error == Errno.None && !isDump && to.Length == 0)
        {
            question.Error = Errno.ENODEV;
        }

        if (question.Error == Errno.None && isDump)
        {
            int code = isOfSockets && question.Diagnostic.IsUnknown ? -(int)Errno.ENOENT : 0;
            header.Type = DoneType;
            to.Begin(in header, in code);
        }
        else if (question.Error != Errno.None || (request.Flags & AcknowledgeFlag) != 0)
        {
            header.Type = ErrorType;
            header.Flags = 0;
            ErrorBody body = new() { Error = -(int)question.Error, Request = request };
            to.Begin(in header, in body);
        }
        else
        {
            question.Request.Length = 0;
            return;
        }

        if (to.TryEnd())
        {
            question.Request.Length = 0;
        }
    }
}
