// sendto, sendmsg, sendmmsg, recvfrom, recvmsg, recvmmsg (send(2), recv(2)). BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that send and receive messages.</summary>
public static unsafe class SocketMessages
{
    private const ulong MaxSegments = 1024;
    /// <summary>Most messages of one call (UIO_MAXIOV).</summary>
    private const uint MostMessages = 1024;
    /// <summary>net.core.optmem_max of Linux: what control messages may come to.</summary>
    private const ulong MostControlBytes = 131_072;

    /// <summary>struct msghdr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        internal ulong Name;
        internal int NameLength;
        internal ulong Segments;
        internal ulong SegmentCount;
        internal ulong Control;
        internal ulong ControlLength;
        internal uint Flags;
    }

    /// <summary>struct mmsghdr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CountedHeader
    {
        internal Header Header;
        internal uint Length;
    }

    [SystemCall(44, "sendto", Support.Full)]
    internal static long SendTo(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        // Linux cuts the length before it looks where it leads (import_ubuf).
        IoVector data = new(call.Process, call.A1, Math.Min(call.A2, IoVector.MaxBytes));
        Errno error = SocketCalls.Check(in descriptor);
        error = error == Errno.None && data.IsWild ? Errno.EFAULT : error;
        SocketMessage message = new() { Data = data };
        message.HasName = call.A4 != 0;
        error = error == Errno.None && call.A4 != 0 ? SocketName.Read(call.Process, call.A4, (int)call.A5, out message.Name) : error;
        return error != Errno.None ? SystemCall.Fail(error) : Send(call.Process, in descriptor, (MessageFlags)(uint)call.A3, ref message);
    }

    [SystemCall(46, "sendmsg", Support.Full)]
    internal static long SendMessage(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor, (MessageFlags)(uint)call.A2);
        return error != Errno.None
            ? SystemCall.Fail(error)
            : SendMessage(call.Process, in descriptor, call.A1, (MessageFlags)(uint)call.A2);
    }

    [SystemCall(307, "sendmmsg", Support.Full)]
    internal static long SendMessages(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor, (MessageFlags)(uint)call.A3);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        uint count = Math.Min((uint)call.A2, MostMessages);
        for (uint index = 0; index < count; index++)
        {
            ulong address = call.A1 + (index * (ulong)sizeof(CountedHeader));
            long sent = SendMessage(call.Process, in descriptor, address, (MessageFlags)(uint)call.A3);
            uint length = (uint)sent;
            error = sent < 0 ? (Errno)(-sent) : new UserPointer<uint>(address + (ulong)sizeof(Header)).Write(call.Process, in length);
            if (error != Errno.None)
            {
                return index != 0 ? index : SystemCall.Fail(error);
            }
        }

        return count;
    }

    [SystemCall(45, "recvfrom", Support.Full)]
    internal static long ReceiveFrom(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        // Linux cuts the length before it looks where it leads (import_ubuf).
        IoVector data = new(call.Process, call.A1, Math.Min(call.A2, IoVector.MaxBytes));
        Errno error = SocketCalls.Check(in descriptor);
        error = error == Errno.None && data.IsWild ? Errno.EFAULT : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        SocketMessage message = new() { Data = data };
        long result = Receive(call.Process, in descriptor, (MessageFlags)(uint)call.A3, ref message);
        if (result >= 0 && call.A4 != 0)
        {
            error = message.Name.Write(call.Process, call.A4, call.A5);
        }

        return error != Errno.None ? SystemCall.Fail(error) : result;
    }

    [SystemCall(47, "recvmsg", Support.Full)]
    internal static long ReceiveMessage(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor, (MessageFlags)(uint)call.A2);
        return error != Errno.None ? SystemCall.Fail(error)
            : ReceiveMessage(call.Process, in descriptor, call.A1, (MessageFlags)(uint)call.A2);
    }

    [SystemCall(299, "recvmmsg", Support.Full)]
    internal static long ReceiveMessages(ref SystemCall call)
    {
        Errno error = TimeSpecification.ReadDeadline(call.Process, call.A4, out ulong deadline);
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        error = error == Errno.None ? Check(in descriptor, (MessageFlags)(uint)call.A3) : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        // The error that an earlier call of this kind kept back.
        Socket* socket = descriptor.File->Socket;
        error = socket->TakeError();
        MessageFlags flags = (MessageFlags)(uint)call.A3;
        uint count = error == Errno.None ? Math.Min((uint)call.A2, MostMessages) : 0;
        uint index = 0;
        while (index < count && error == Errno.None)
        {
            ulong address = call.A1 + (index * (ulong)sizeof(CountedHeader));
            long received = ReceiveMessage(call.Process, in descriptor, address, flags & ~MessageFlags.WaitForOne);
            uint length = (uint)received;
            error = received < 0
                ? (Errno)(-received)
                : new UserPointer<uint>(address + (ulong)sizeof(Header)).Write(call.Process, in length);
            index += error == Errno.None ? 1u : 0;
            flags |= (flags & MessageFlags.WaitForOne) != 0 ? MessageFlags.DontWait : MessageFlags.None;
            if (Clock.NowNs() >= deadline)
            {
                break;
            }
        }

        if (call.A4 != 0)
        {
            ulong now = Clock.NowNs();
            TimeSpecification left = TimeSpecification.FromNs(deadline > now ? deadline - now : 0);
            Errno told = new UserPointer<TimeSpecification>(call.A4).Write(call.Process, in left);
            error = index == 0 && error == Errno.None ? told : error;
        }

        // What has been received is told; the error comes with the next call.
        if (index != 0 && error is not (Errno.None or Errno.EAGAIN or Errno.EINTR or Errno.EFAULT))
        {
            socket->Error = error;
        }

        return index != 0 || error == Errno.None ? index : SystemCall.Fail(error);
    }

    /// <summary>EINVAL: MSG_CMSG_COMPAT is the kernel's own mark, not a program's. EBADF, ENOTSOCK.</summary>
    private static Errno Check(in Descriptor descriptor, MessageFlags flags) =>
        (flags & MessageFlags.Compatible) != 0 ? Errno.EINVAL : SocketCalls.Check(in descriptor);

    private static long Send(Process* process, in Descriptor descriptor, MessageFlags flags, ref SocketMessage message)
    {
        message.Flags = flags;
        message.IsNonBlocking = descriptor.File->IsNonBlocking || (flags & MessageFlags.DontWait) != 0;
        return descriptor.File->Socket->Family.Send(process, descriptor.File->Socket, ref message);
    }

    private static long Receive(Process* process, in Descriptor descriptor, MessageFlags flags, ref SocketMessage message)
    {
        message.Flags = flags;
        message.IsNonBlocking = descriptor.File->IsNonBlocking || (flags & MessageFlags.DontWait) != 0;
        return descriptor.File->Socket->Family.Receive(process, descriptor.File->Socket, ref message);
    }

    private static long SendMessage(Process* process, in Descriptor descriptor, ulong address, MessageFlags flags)
    {
        Errno error = Read(process, address, out Header header, out IoVector data);
        error = error == Errno.None && header.ControlLength > MostControlBytes ? Errno.ENOBUFS : error;
        SocketMessage message = new() { Data = data, Control = new ControlMessages(process, header.Control, header.ControlLength) };
        if (error == Errno.None && header.Name != 0)
        {
            // A name of no byte is none (copy_msghdr_from_user).
            message.HasName = header.NameLength != 0;
            error = SocketName.Read(process, header.Name, Math.Min(header.NameLength, SocketName.MaxBytes), out message.Name);
        }

        return error != Errno.None ? SystemCall.Fail(error) : Send(process, in descriptor, flags, ref message);
    }

    private static long ReceiveMessage(Process* process, in Descriptor descriptor, ulong address, MessageFlags flags)
    {
        Errno error = Read(process, address, out Header header, out IoVector data);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        SocketMessage message = new() { Data = data, Control = new ControlMessages(process, header.Control, header.ControlLength) };
        long result = Receive(process, in descriptor, flags, ref message);
        if (result < 0)
        {
            return result;
        }

        if (header.Name != 0)
        {
            ReadOnlySpan<byte> name = message.Name.Bytes;
            error = UserMemory.CopyOut(process, header.Name, name.Slice(0, Math.Min(name.Length, header.NameLength)));
            header.NameLength = message.Name.Length;
        }

        header.ControlLength = message.Control.WrittenBytes;
        // MSG_CMSG_CLOEXEC is told back (recvmsg of Linux).
        header.Flags = (uint)(message.Received | (flags & MessageFlags.ControlCloseOnExec));
        error = error == Errno.None ? new UserPointer<Header>(address).Write(process, in header) : error;
        return error != Errno.None ? SystemCall.Fail(error) : result;
    }

    /// <summary>EMSGSIZE: too many segments; EINVAL: a negative length; EFAULT.</summary>
    private static Errno Read(Process* process, ulong address, out Header header, out IoVector data)
    {
        data = default;
        Errno error = new UserPointer<Header>(address).Read(process, out header);
        if (error != Errno.None || header.NameLength < 0 || header.SegmentCount > MaxSegments)
        {
            return error != Errno.None ? error : header.NameLength < 0 ? Errno.EINVAL : Errno.EMSGSIZE;
        }

        return IoVector.OfArray(process, header.Segments, header.SegmentCount, out data);
    }
}
