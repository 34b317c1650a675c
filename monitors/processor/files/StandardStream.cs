// Standard input, output and error of a session. Output goes to the manager message by message; the reply comes when the bytes have been
// handed on, which is the back-pressure. Input is what TerminalSessions.AcceptInput has queued. Job control as in tty(4): a background
// process that reads the terminal gets SIGTTIN. BLOCKS.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of standard streams and terminals.</summary>
public sealed unsafe class StandardStream(FileSystem files) : FileOperations(files)
{
    /// <summary>Name under which a session's terminal is known (ttyname(3)).</summary>
    public static ReadOnlySpan<byte> TerminalPath => "/dev/pts/0"u8;

    /// <summary>Open file on a session's stream; null when memory is exhausted.</summary>
    public static OpenFile* Open(FileSystem files, TerminalSession* session, byte stream, OpenFlags flags)
    {
        OpenFile* file = OpenFile.Create(files, FileKind.StandardStream, flags);
        if (file != null)
        {
            file->Session = session;
            file->Stream = stream;
            session->References++;
        }

        return file;
    }

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        TerminalSession* session = file->Session;
        long total = 0;
        while (to.RemainingBytes != 0 && total == 0)
        {
            if (IsBackground(process, file))
            {
                // EINTR: the signal is acted on first, and the call starts again when the process continues.
                return CallResult.Fail(StopForTerminal(process, Signal.TerminalInput) ? Errno.EINTR : Errno.EIO);
            }

            Errno error = Errno.None;
            using (session->InputLock.Acquire())
            {
                while (to.RemainingBytes != 0 && error == Errno.None && !session->Input.IsEmpty)
                {
                    error = to.Give(session->Input.NextData(), out int moved);
                    session->Input.Consume(Files.Frames, moved);
                    total += moved;
                }
            }

            if (error == Errno.None && total == 0)
            {
                if (session->InputEnded)
                {
                    return 0;
                }

                error = file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref session->InputWait);
            }

            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }
        }

        return total;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        // The reply comes when somebody has read what went before, perhaps never: the bytes wait in a frame of the writer's own.
        byte* page = (byte*)Files.Frames.Allocate();
        if (page == null)
        {
            return CallResult.Fail(Errno.ENOMEM);
        }

        long result = Write(process, file, new Span<byte>(page, PageOperations.PageSize), ref from);
        Files.Frames.Free(page);
        return result;
    }

    private static long Write(Process* process, OpenFile* file, Span<byte> buffer, ref IoVector from)
    {
        FileCaller caller = FileCaller.Of(process);
        StreamRequest request = new() { Session = file->Session->Id, Stream = file->Stream == 2 ? (ushort)2 : (ushort)1 };
        long total = 0;
        while (from.RemainingBytes != 0)
        {
            int wanted = (int)Math.Min(from.RemainingBytes, (ulong)buffer.Length);
            Errno error = from.Take(buffer.Slice(0, wanted), out int gathered);
            if (gathered != 0)
            {
                Errno sent = caller.Rpc.Call(
                    process->Table.Manager, Opcode.StandardOutput, caller.Context.As(RpcClass.Stream), in request,
                    buffer.Slice(0, gathered), default, out _);
                if (sent != Errno.None)
                {
                    return total != 0 ? total : CallResult.Fail(FileCaller.ToProgram(sent));
                }

                total += gathered;
            }

            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }
        }

        return total;
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        // Streams that are no terminal look like the pipes that they are on the host's side.
        bool isTerminal = file->Session->IsTerminal(file->Stream);
        status = isTerminal
            ? PseudoTree.StatusOf(new PseudoNode { File = PseudoFile.DevTerminal0 })
            : FileStatus.Synthetic(DeviceNumber.Pipes, StreamInode(file), FileMode.Fifo);
        file->Session->Attributes.Describe(ref status);
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file)
    {
        PollEvents events = file->IsWritable ? PollEvents.Writable : PollEvents.None;
        if (file->IsReadable)
        {
            bool isTerminal = file->Session->IsTerminal(file->Stream);
            events |= !file->Session->Input.IsEmpty || (isTerminal && file->Session->InputEnded) ? PollEvents.Readable : PollEvents.None;
            events |= !isTerminal && file->Session->InputEnded ? PollEvents.HangUp : PollEvents.None;
        }

        return events;
    }

    public override long Control(Process* process, OpenFile* file, uint request, ulong argument)
    {
        if (request == TerminalRequests.BytesReadable)
        {
            return CallResult.Of(new UserPointer<int>(argument).Write(process, file->Session->Input.Count));
        }

        return file->Session->IsTerminal(file->Stream)
            ? TerminalRequests.Control(process, file->Session, request, argument)
            : CallResult.Fail(Errno.ENOTTY);
    }

    public override int Describe(OpenFile* file, Span<byte> text)
    {
        TextBuffer buffer = new(text);
        if (file->Session->IsTerminal(file->Stream))
        {
            buffer.Append(TerminalPath);
        }
        else
        {
            buffer.Append("pipe:["u8);
            buffer.AppendNumber(StreamInode(file));
            buffer.Append((byte)']');
        }

        return buffer.Text.Length;
    }

    public override void Close(OpenFile* file) => Files.Sessions.Release(file->Session);

    /// <summary>Inode numbers of streams are far above those of pipes made here.</summary>
    private static uint StreamInode(OpenFile* file) => 0x8000_0000 | (file->Session->Id << 2) | file->Stream;

    private static bool IsBackground(Process* process, OpenFile* file)
    {
        TerminalSession* session = file->Session;
        return session->IsTerminal(file->Stream) && process->SessionId == session->SessionId && process->Group != session->ForegroundGroup;
    }

    /// <summary>
    /// Stops a background process's group; false when it ignores or blocks that, or when nobody is left who could continue it, and the read
    /// fails with EIO instead (tty_ioctl, POSIX "Terminal Access Control").
    /// </summary>
    private static bool StopForTerminal(Process* process, int signal)
    {
        if (ProcessGroups.IsOrphaned(process) || Signals.IsIgnored(process, signal) || (process->Thread->BlockedSignals & Signal.Bit(signal)) != 0)
        {
            return false;
        }

        Signals.SendToGroup(process->Table, process->Group, SignalInfo.FromKernel(signal));
        return true;
    }
}
