// The open file of a socket: read and write are receive and send without flags (socket(7)). BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of sockets as files.</summary>
public sealed unsafe class SocketFile(FileSystem files) : FileOperations(files)
{
    /// <summary>
    /// An open file on a socket, which takes over the caller's reference; null (and the reference is the caller's still): ENFILE.
    /// </summary>
    public static OpenFile* Open(FileSystem files, Socket* socket, OpenFlags flags)
    {
        OpenFile* file = OpenFile.Create(files, FileKind.Socket, OpenFlags.ReadWrite | flags);
        if (file != null)
        {
            file->Socket = socket;
            socket->File = file;
        }

        return file;
    }

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        if (to.RemainingBytes == 0)
        {
            return 0;
        }

        SocketMessage message = new() { Data = to, IsNonBlocking = ((file->Flags | to.Extra) & OpenFlags.NonBlocking) != 0 };
        long result = file->Socket->Family.Receive(process, file->Socket, ref message);
        to = message.Data;
        return result;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        SocketMessage message = new() { Data = from, IsNonBlocking = ((file->Flags | from.Extra) & OpenFlags.NonBlocking) != 0 };
        long result = file->Socket->Family.Send(process, file->Socket, ref message);
        from = message.Data;
        return result;
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = FileStatus.Synthetic(DeviceNumber.Sockets, file->Socket->Inode, FileMode.Socket);
        file->Socket->Attributes.Describe(ref status);
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file) => file->Socket->Family.Poll(file->Socket);

    public override Watchers* WatchersOf(OpenFile* file) => &file->Socket->Watchers;

    /// <summary>What its family does not know is asked of the interfaces, as on Linux (if_nametoindex(3) asks AF_UNIX).</summary>
    public override long Control(Process* process, OpenFile* file, uint request, ulong argument)
    {
        Socket* socket = file->Socket;
        long result = socket->Family.Control(process, socket, request, argument);
        bool hasAddresses = socket->Domain is AddressFamily.Internet or AddressFamily.Packet;
        return result != CallResult.Fail(Errno.ENOTTY) ? result
            : InterfaceRequests.Answer(process, socket->Family.Files.Network.Stack, request, argument, hasAddresses);
    }

    public override int Describe(OpenFile* file, Span<byte> text)
    {
        TextBuffer buffer = new(text);
        buffer.Append("socket:["u8);
        buffer.AppendNumber(file->Socket->Inode);
        buffer.Append((byte)']');
        return buffer.Text.Length;
    }

    public override void Close(OpenFile* file)
    {
        Socket* socket = file->Socket;
        socket->File = null;
        socket->IsDead = true;
        socket->Family.Close(socket);
        Socket.Release(socket);
    }
}
