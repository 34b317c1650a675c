// socket, socketpair, bind, connect, listen, accept, shutdown and the names of sockets (socket(2) and so on). What a family does is in
// files/sockets. BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that make and join sockets.</summary>
public static unsafe class SocketCalls
{
    private const uint TypeMask = 0xF;
    private const int MostType = 10;
    private const OpenFlags CreationFlags = OpenFlags.CloseOnExec | OpenFlags.NonBlocking;

    [SystemCall(41, "socket", Support.Partial,
        "AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (route, sock_diag), AF_PACKET; others are EAFNOSUPPORT")]
    internal static long Make(ref SystemCall call)
    {
        Errno error = Create(ref call, out Socket* socket, out OpenFlags flags);
        return error != Errno.None ? SystemCall.Fail(error) : Install(call.Process, call.Files, socket, flags);
    }

    [SystemCall(53, "socketpair", Support.Full)]
    internal static long MakePair(ref SystemCall call)
    {
        Errno error = Create(ref call, out Socket* one, out OpenFlags flags);
        Socket* other = null;
        if (error == Errno.None)
        {
            error = Create(ref call, out other, out _);
            error = error == Errno.None ? one->Family.Pair(call.Process, one, other) : error;
        }

        if (error != Errno.None)
        {
            Discard(one);
            Discard(other);
            return SystemCall.Fail(error);
        }

        long first = Install(call.Process, call.Files, one, flags);
        long second = first < 0 ? first : Install(call.Process, call.Files, other, flags);
        if (first < 0)
        {
            Discard(other);
            return first;
        }

        ulong numbers = (uint)first | ((ulong)second << 32);
        error = second < 0 ? (Errno)(-second) : new UserPointer<ulong>(call.A3).Write(call.Process, in numbers);
        if (error != Errno.None)
        {
            FileTable.Of(call.Process)->Close((ulong)first);
            if (second >= 0)
            {
                FileTable.Of(call.Process)->Close((ulong)second);
            }
        }

        return SystemCall.Result(error);
    }

    [SystemCall(42, "connect", Support.Full)]
    internal static long Connect(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        SocketName name = default;
        error = error == Errno.None ? SocketName.Read(call.Process, call.A1, (int)call.A2, out name) : error;
        return SystemCall.Result(error != Errno.None ? error
            : descriptor.File->Socket->Family.Connect(call.Process, descriptor.File->Socket, in name, descriptor.File->IsNonBlocking));
    }

    [SystemCall(43, "accept", Support.Full)]
    internal static long Accept(ref SystemCall call) => Accept(ref call, OpenFlags.ReadOnly);

    [SystemCall(288, "accept4", Support.Full)]
    internal static long Accept4(ref SystemCall call) =>
        ((OpenFlags)(uint)call.A3 & ~CreationFlags) != 0 ? SystemCall.Fail(Errno.EINVAL) : Accept(ref call, (OpenFlags)(uint)call.A3);

    [SystemCall(48, "shutdown", Support.Full)]
    internal static long Shutdown(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        if (error == Errno.None && (uint)call.A1 > 2)
        {
            error = Errno.EINVAL;
        }

        // SHUT_RD, SHUT_WR and SHUT_RDWR are one less than the bits.
        return SystemCall.Result(error != Errno.None ? error
            : descriptor.File->Socket->Family.Shutdown(descriptor.File->Socket, (SocketSides)((uint)call.A1 + 1)));
    }

    [SystemCall(49, "bind", Support.Full)]
    internal static long Bind(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        SocketName name = default;
        error = error == Errno.None ? SocketName.Read(call.Process, call.A1, (int)call.A2, out name) : error;
        return SystemCall.Result(
            error != Errno.None ? error : descriptor.File->Socket->Family.Bind(call.Process, descriptor.File->Socket, in name));
    }

    [SystemCall(50, "listen", Support.Full)]
    internal static long Listen(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        return SystemCall.Result(
            error != Errno.None ? error : descriptor.File->Socket->Family.Listen(call.Process, descriptor.File->Socket, (int)call.A1));
    }

    [SystemCall(51, "getsockname", Support.Full)]
    internal static long Name(ref SystemCall call) => Name(ref call, ofPeer: false);

    [SystemCall(52, "getpeername", Support.Full)]
    internal static long PeerName(ref SystemCall call) => Name(ref call, ofPeer: true);

    [SystemCall(54, "setsockopt", Support.Full)]
    internal static long SetOption(ref SystemCall call)
    {
        const int MostBytes = 256;
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        int length = (int)call.A4;
        Span<byte> value = stackalloc byte[MostBytes];
        error = error == Errno.None && length < 0 ? Errno.EINVAL : error;
        length = Math.Min(length, MostBytes);
        error = error == Errno.None ? UserMemory.CopyIn(call.Process, call.A3, value.Slice(0, length)) : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        Socket* socket = descriptor.File->Socket;
        return SystemCall.Result((int)call.A1 == OptionLevel.Socket
            ? SocketOptions.Set(call.Process, socket, (SocketOption)(int)call.A2, value.Slice(0, length))
            : socket->Family.SetOption(call.Process, socket, (int)call.A1, (int)call.A2, value.Slice(0, length)));
    }

    [SystemCall(55, "getsockopt", Support.Full)]
    internal static long GetOption(ref SystemCall call)
    {
        const int MostBytes = 256;
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        int room = 0;
        error = error == Errno.None ? new UserPointer<int>(call.A4).Read(call.Process, out room) : error;
        error = error == Errno.None && room < 0 ? Errno.EINVAL : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        Socket* socket = descriptor.File->Socket;
        if ((int)call.A1 == OptionLevel.Socket && (SocketOption)(int)call.A2 == SocketOption.AttachFilter)
        {
            // SO_GET_FILTER, which counts instructions and not bytes.
            error = call.Files.Filters.Get(call.Process, socket, call.A3, room, out int count);
            return SystemCall.Result(error == Errno.None ? new UserPointer<int>(call.A4).Write(call.Process, in count) : error);
        }

        Span<byte> value = stackalloc byte[MostBytes];
        value = value.Slice(0, Math.Min(room, MostBytes));
        error = (int)call.A1 == OptionLevel.Socket
            ? SocketOptions.Get(call.Process, socket, (SocketOption)(int)call.A2, value, out int length)
            : socket->Family.GetOption(call.Process, socket, (int)call.A1, (int)call.A2, value, out length);
        error = error == Errno.None ? UserMemory.CopyOut(call.Process, call.A3, value.Slice(0, length)) : error;
        return SystemCall.Result(error == Errno.None ? new UserPointer<int>(call.A4).Write(call.Process, in length) : error);
    }

    /// <summary>EBADF; ENOTSOCK: it is something else.</summary>
    internal static Errno Check(in Descriptor descriptor)
    {
        bool isBad = descriptor.IsBad || descriptor.File->IsPathOnly;
        return isBad ? Errno.EBADF : descriptor.File->Kind != FileKind.Socket ? Errno.ENOTSOCK : Errno.None;
    }

    private static Errno Create(ref SystemCall call, out Socket* socket, out OpenFlags flags)
    {
        socket = null;
        uint type = (uint)call.A1 & TypeMask;
        flags = (OpenFlags)((uint)call.A1 & ~TypeMask);
        if ((flags & ~CreationFlags) != 0 || (uint)call.A0 >= AddressFamily.Count || type > MostType)
        {
            return (flags & ~CreationFlags) == 0 && (uint)call.A0 >= AddressFamily.Count ? Errno.EAFNOSUPPORT : Errno.EINVAL;
        }

        SocketFamily? family = call.Files.FamilyOf((int)call.A0);
        return family == null
            ? Errno.EAFNOSUPPORT
            : family.Create(call.Process, (int)call.A0, (SocketType)type, (int)call.A2, out socket);
    }

    /// <summary>Gives a socket, whose reference is taken over, an open file and a descriptor; the descriptor or -errno.</summary>
    private static long Install(Process* process, FileSystem files, Socket* socket, OpenFlags flags)
    {
        OpenFile* file = SocketFile.Open(files, socket, flags & OpenFlags.NonBlocking);
        if (file == null)
        {
            Discard(socket);
            return SystemCall.Fail(Errno.ENFILE);
        }

        return DescriptorCalls.Install(process, file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    /// <summary>A socket that has come to nothing.</summary>
    private static void Discard(Socket* socket)
    {
        if (socket != null)
        {
            socket->IsDead = true;
            socket->Family.Close(socket);
            Socket.Release(socket);
        }
    }

    private static long Accept(ref SystemCall call, OpenFlags flags)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        if (error == Errno.None && !FileTable.Of(call.Process)->HasFree(DescriptorCalls.LimitOf(call.Process)))
        {
            error = Errno.EMFILE;
        }

        Socket* accepted = null;
        error = error != Errno.None ? error
            : descriptor.File->Socket->Family.Accept(call.Process, descriptor.File->Socket, descriptor.File->IsNonBlocking, out accepted);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (call.A1 != 0)
        {
            error = accepted->Family.NameOf(accepted, ofPeer: true, out SocketName name);
            // A connection that is over by now has a peer all the same.
            error = error != Errno.ENOTCONN ? error : name.Length != 0 ? Errno.None : Errno.ECONNABORTED;
            error = error == Errno.None ? name.Write(call.Process, call.A1, call.A2) : error;
        }

        if (error != Errno.None)
        {
            Discard(accepted);
            return SystemCall.Fail(error);
        }

        return Install(call.Process, call.Files, accepted, flags);
    }

    private static long Name(ref SystemCall call, bool ofPeer)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        SocketName name = default;
        error = error == Errno.None ? descriptor.File->Socket->Family.NameOf(descriptor.File->Socket, ofPeer, out name) : error;
        return SystemCall.Result(error == Errno.None ? name.Write(call.Process, call.A1, call.A2) : error);
    }
}
