// Names and connections of AF_UNIX sockets: bind, connect, listen, accept. A connection is made as soon as it is in the listener's backlog:
// the new end waits there, and what is sent to it meanwhile waits in its queue.

using System;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class UnixSockets
{
    public override Errno Bind(Process* process, Socket* socket, in SocketName name)
    {
        if (name.Length == SocketName.FamilyBytes && name.Family == AddressFamily.Unix)
        {
            return BindAutomatically(process, socket);
        }

        if (!IsName(in name))
        {
            return Errno.EINVAL;
        }

        if (socket->Unix.Name != null)
        {
            return Errno.EINVAL;
        }

        ReadOnlySpan<byte> bytes = name.Bytes.Slice(SocketName.FamilyBytes);
        return bytes[0] == 0 ? BindAbstract(process, socket, bytes) : BindPath(process, socket, PathOf(bytes));
    }

    public override Errno Connect(Process* process, Socket* socket, in SocketName name, bool isNonBlocking) =>
        socket->Type == SocketType.Datagram ? Direct(process, socket, in name) : ConnectStream(process, socket, in name, isNonBlocking);

    public override Errno Listen(Process* process, Socket* socket, int backlog)
    {
        if (!socket->IsConnectionBased)
        {
            return Errno.EOPNOTSUPP;
        }

        if (socket->Unix.Name == null || socket->State == SocketState.Connected)
        {
            return Errno.EINVAL;
        }

        uint wanted = Math.Min((uint)backlog, MostBacklog);
        if (wanted > socket->Unix.Backlog)
        {
            socket->Unix.RoomWait.WakeAll();
        }

        socket->Unix.Backlog = (int)wanted;
        socket->State = SocketState.Listening;
        socket->Unix.PeerIdentity = IdentityOf(process);
        return Errno.None;
    }

    public override Errno Accept(Process* process, Socket* socket, bool isNonBlocking, out Socket* accepted)
    {
        accepted = null;
        if (!socket->IsConnectionBased)
        {
            return Errno.EOPNOTSUPP;
        }

        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        while (socket->State == SocketState.Listening)
        {
            if (socket->Unix.FirstPending != null)
            {
                accepted = TakePending(socket);
                socket->Unix.RoomWait.WakeOne();
                return Errno.None;
            }

            if ((socket->Shut & SocketSides.Receive) != 0 && !isNonBlocking)
            {
                return Errno.EINVAL;
            }

            Errno error = Socket.Wait(ref socket->ReceiversWait, isNonBlocking, deadline);
            if (error != Errno.None)
            {
                return error;
            }
        }

        return Errno.EINVAL;
    }

    /// <summary>True when an address is one of this family (unix_validate_addr).</summary>
    private static bool IsName(in SocketName name) =>
        name.Length > SocketName.FamilyBytes && name.Length <= MostNameBytes && name.Family == AddressFamily.Unix;

    /// <summary>A path name ends at its terminator or with the address.</summary>
    private static ReadOnlySpan<byte> PathOf(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return end < 0 ? bytes : bytes.Slice(0, end);
    }

    /// <summary>The first free one of the names that unix(7), "Autobind feature", describes; a socket with a name keeps it.</summary>
    private Errno BindAutomatically(Process* process, Socket* socket)
    {
        const int Digits = 5;
        const uint Mask = 0xFFFFF;
        if (socket->Unix.Name != null)
        {
            return Errno.None;
        }

        Span<byte> name = stackalloc byte[1 + Digits];
        for (uint tries = 0; tries <= Mask; tries++)
        {
            _lastAutomaticName = (_lastAutomaticName + 1) & Mask;
            name[0] = 0;
            for (int digit = 0; digit < Digits; digit++)
            {
                name[Digits - digit] = "0123456789abcdef"u8[(int)((_lastAutomaticName >> (4 * digit)) & 0xF)];
            }

            if (_names.Find(process->VNode, socket->Type, name) == null)
            {
                return BindAbstract(process, socket, name);
            }
        }

        return Errno.ENOSPC;
    }

    private Errno BindAbstract(Process* process, Socket* socket, ReadOnlySpan<byte> bytes)
    {
        if (_names.Find(process->VNode, socket->Type, bytes) != null)
        {
            return Errno.EADDRINUSE;
        }

        UnixName* name = UnixName.Create(Files, process->VNode, bytes);
        return name == null ? Errno.ENOMEM : Give(socket, name);
    }

    /// <summary>Makes the inode and holds it as long as the name is used, so that its number is nobody else's.</summary>
    private Errno BindPath(Process* process, Socket* socket, ReadOnlySpan<byte> path)
    {
        Span<byte> terminated = stackalloc byte[UnixName.MaxPath + 1];
        path.CopyTo(terminated);
        terminated[path.Length] = 0;
        UnixName* name = UnixName.Create(Files, process->VNode, terminated.Slice(0, path.Length + 1));
        if (name == null)
        {
            return Errno.ENOMEM;
        }

        Errno error = FileOpening.MakeSocket(process, path, out FileNode* node);
        name->Node = node;
        if (error == Errno.None && socket->Unix.Name != null)
        {
            // Another thread was faster.
            error = Errno.EINVAL;
        }

        if (error != Errno.None)
        {
            UnixName.Release(Files, name);
            return error == Errno.EEXIST ? Errno.EADDRINUSE : error;
        }

        return Give(socket, name);
    }

    private Errno Give(Socket* socket, UnixName* name)
    {
        socket->Unix.Name = name;
        _names.Add(socket);
        return Errno.None;
    }

    /// <summary>
    /// The socket with a name, with a reference (unix_find_other). ECONNREFUSED: there is none; EPROTOTYPE: it is of another type; the
    /// errors of a path. BLOCKS.
    /// </summary>
    private Errno Find(Process* process, in SocketName name, SocketType type, out Socket* found)
    {
        found = null;
        ReadOnlySpan<byte> bytes = name.Bytes.Slice(SocketName.FamilyBytes);
        Socket* socket;
        if (bytes[0] == 0)
        {
            socket = _names.Find(process->VNode, type, bytes);
        }
        else
        {
            Errno error = FileOpening.FindSocket(process, PathOf(bytes), out FileNode* node);
            if (error != Errno.None)
            {
                return error;
            }

            socket = _names.Find(node);
            found = socket == null ? null : Socket.Hold(socket);
            Files.Nodes.Release(node);
        }

        if (socket == null)
        {
            return Errno.ECONNREFUSED;
        }

        found = found == null ? Socket.Hold(socket) : found;
        if (socket->Type != type)
        {
            Socket.Release(found);
            found = null;
            return Errno.EPROTOTYPE;
        }

        return Errno.None;
    }

    /// <summary>connect of a datagram socket: where it sends to from now on, and the only one that it hears (unix_dgram_connect).</summary>
    private Errno Direct(Process* process, Socket* socket, in SocketName name)
    {
        Socket* peer = null;
        if (name.Length < SocketName.FamilyBytes)
        {
            return Errno.EINVAL;
        }

        if (name.Family != AddressFamily.Unspecified)
        {
            Errno error = IsName(in name) ? NameSender(process, socket) : Errno.EINVAL;
            error = error == Errno.None ? Find(process, in name, socket->Type, out peer) : error;
            if (error == Errno.None && !MaySend(socket, peer))
            {
                Socket.Release(peer);
                error = Errno.EPERM;
            }

            if (error != Errno.None)
            {
                return error;
            }
        }

        Socket* before = socket->Unix.Peer;
        socket->Unix.Peer = peer;
        socket->State = peer == null ? SocketState.Closed : SocketState.Connected;
        if (before != null)
        {
            if (before != peer)
            {
                Disconnect(socket, before);
            }

            Socket.Release(before);
        }

        socket->WakeSenders();
        return Errno.None;
    }

    /// <summary>What has come from a former peer is lost, and so is what a pair had (unix_dgram_disconnected).</summary>
    private void Disconnect(Socket* socket, Socket* former)
    {
        if (socket->Unix.FirstMessage == null)
        {
            return;
        }

        using (socket->ReceiveLock.Acquire())
        {
            Purge(socket);
        }

        if (!former->IsDead && former->Unix.Peer == socket)
        {
            former->Error = Errno.ECONNRESET;
            WakeAll(former);
        }
    }

    private static bool MaySend(Socket* sender, Socket* receiver) =>
        receiver->Unix.Peer == null || receiver->Unix.Peer == sender;

    /// <summary>Who wants identities told has a name that can be answered to.</summary>
    private Errno NameSender(Process* process, Socket* socket) =>
        (socket->Flags & SocketFlags.PassCredentials) != 0 ? BindAutomatically(process, socket) : Errno.None;

    private Errno ConnectStream(Process* process, Socket* socket, in SocketName name, bool isNonBlocking)
    {
        Errno error = IsName(in name) ? NameSender(process, socket) : Errno.EINVAL;
        ulong deadline = Socket.DeadlineAfter(socket->SendTimeoutNs);
        while (error == Errno.None)
        {
            error = Find(process, in name, socket->Type, out Socket* listener);
            if (error != Errno.None)
            {
                return error;
            }

            bool isFull = false;
            if (listener->State != SocketState.Listening || (listener->Shut & SocketSides.Receive) != 0)
            {
                error = Errno.ECONNREFUSED;
            }
            else if (listener->Unix.PendingCount > listener->Unix.Backlog)
            {
                isFull = true;
                error = Socket.Wait(ref listener->Unix.RoomWait, isNonBlocking, deadline);
            }
            else
            {
                error = socket->State == SocketState.Connected ? Errno.EISCONN
                    : socket->State == SocketState.Listening ? Errno.EINVAL
                    : ConnectTo(process, socket, listener);
            }

            Socket.Release(listener);
            if (!isFull)
            {
                break;
            }
        }

        return error;
    }

    /// <summary>Makes the other end and puts it into the backlog.</summary>
    private Errno ConnectTo(Process* process, Socket* socket, Socket* listener)
    {
        Socket* other = Create(process, socket->Type);
        if (other == null)
        {
            return Errno.ENOMEM;
        }

        Join(other, socket);
        Join(socket, other);
        other->Flags |= listener->Flags & SocketFlags.PassCredentials;
        other->Unix.PeerIdentity = IdentityOf(process);
        socket->Unix.PeerIdentity = listener->Unix.PeerIdentity;
        other->Unix.Name = listener->Unix.Name;
        other->Unix.Name->References++;
        ref UnixEnd end = ref listener->Unix;
        *(end.LastPending == null ? &listener->Unix.FirstPending : &end.LastPending->Unix.NextPending) = other;
        end.LastPending = other;
        end.PendingCount++;
        listener->WakeReceivers();
        return Errno.None;
    }

    private static Socket* TakePending(Socket* listener)
    {
        ref UnixEnd end = ref listener->Unix;
        Socket* pending = end.FirstPending;
        end.FirstPending = pending->Unix.NextPending;
        end.LastPending = end.FirstPending == null ? null : end.LastPending;
        end.PendingCount--;
        pending->Unix.NextPending = null;
        return pending;
    }
}
