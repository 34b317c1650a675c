// What sockets of one family can do, one object per family; the defaults are what Linux answers for a family that has no such operation.
// The system calls check descriptors and copy arguments, then come here. A socket that is passed in is held by the caller. Calls with
// Process may BLOCK; after each wait everything is looked at again.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One message to send or to receive: where its bytes, its address and its control messages are.</summary>
public unsafe ref struct SocketMessage
{
    public IoVector Data;
    /// <summary>What the caller wants.</summary>
    public MessageFlags Flags;
    /// <summary>msg_flags of what was received.</summary>
    public MessageFlags Received;
    /// <summary>Where it goes, or comes from; length 0 = not told.</summary>
    public SocketName Name;
    /// <summary>The program says where it goes, be it in no byte at all.</summary>
    public bool HasName;
    public ControlMessages Control;
    /// <summary>The descriptor or MSG_DONTWAIT says so.</summary>
    public bool IsNonBlocking;

    public readonly bool Has(MessageFlags flag) => (Flags & flag) != 0;
}

/// <summary>Operations of a family.</summary>
public abstract unsafe class SocketFamily
{
    private Socket* _first;

    protected SocketFamily(FileSystem files)
    {
        Files = files;
        Self = new ObjectPointer<SocketFamily>(this);
    }

    public FileSystem Files { get; }

    /// <summary>How sockets refer to this object.</summary>
    public ObjectPointer<SocketFamily> Self { get; }

    /// <summary>All sockets of the family.</summary>
    public Socket* First => _first;

    /// <summary>socket(2). ESOCKTNOSUPPORT, EPROTONOSUPPORT, EPERM, ENOBUFS.</summary>
    public abstract Errno Create(Process* process, int domain, SocketType type, int protocol, out Socket* socket);

    /// <summary>socketpair(2) of two sockets that were just made.</summary>
    public virtual Errno Pair(Process* process, Socket* one, Socket* other) => Errno.EOPNOTSUPP;

    public virtual Errno Bind(Process* process, Socket* socket, in SocketName name) => Errno.EOPNOTSUPP;

    public virtual Errno Connect(Process* process, Socket* socket, in SocketName name, bool isNonBlocking) => Errno.EOPNOTSUPP;

    public virtual Errno Listen(Process* process, Socket* socket, int backlog) => Errno.EOPNOTSUPP;

    /// <summary>The next connection; the caller has its reference.</summary>
    public virtual Errno Accept(Process* process, Socket* socket, bool isNonBlocking, out Socket* accepted)
    {
        accepted = null;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>getsockname(2), getpeername(2).</summary>
    public abstract Errno NameOf(Socket* socket, bool ofPeer, out SocketName name);

    /// <summary>Bytes sent, or -errno.</summary>
    public abstract long Send(Process* process, Socket* socket, ref SocketMessage message);

    /// <summary>Bytes received, or -errno.</summary>
    public abstract long Receive(Process* process, Socket* socket, ref SocketMessage message);

    public virtual Errno Shutdown(Socket* socket, SocketSides sides) => Errno.EOPNOTSUPP;

    /// <summary>SO_ERROR: the error that waits, which then waits no more.</summary>
    public virtual Errno TakeError(Socket* socket) => socket->TakeError();

    /// <summary>Never blocks.</summary>
    public abstract PollEvents Poll(Socket* socket);

    public virtual long Control(Process* process, Socket* socket, uint request, ulong argument) => CallResult.Fail(Errno.ENOTTY);

    /// <summary>An option of the family; ENOPROTOOPT: it has no such one.</summary>
    public virtual Errno SetOption(Process* process, Socket* socket, int level, int option, ReadOnlySpan<byte> value) => Errno.ENOPROTOOPT;

    /// <summary>An option of the family: its bytes, as many as <paramref name="lengthBytes"/> says.</summary>
    public virtual Errno GetOption(Process* process, Socket* socket, int level, int option, Span<byte> value, out int lengthBytes)
    {
        lengthBytes = 0;
        return Errno.ENOPROTOOPT;
    }

    /// <summary>The buffers have another size.</summary>
    public virtual void Resized(Socket* socket)
    {
    }

    /// <summary>Its open file has gone. May BLOCK.</summary>
    public abstract void Close(Socket* socket);

    /// <summary>The last reference has gone.</summary>
    public virtual void Ended(Socket* socket)
    {
    }

    internal void Enlist(Socket* socket)
    {
        socket->Next = _first;
        if (_first != null)
        {
            _first->Previous = socket;
        }

        _first = socket;
    }

    internal void Delist(Socket* socket)
    {
        if (socket->Previous == null)
        {
            _first = socket->Next;
        }
        else
        {
            socket->Previous->Next = socket->Next;
        }

        if (socket->Next != null)
        {
            socket->Next->Previous = socket->Previous;
        }
    }
}
