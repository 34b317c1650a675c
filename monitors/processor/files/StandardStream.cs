// Standard input, output and error of a session. Output goes to the manager message by message, as far as the stream's credit goes
// (OutputCredit); input is asked for when a program reads (InputDemand) and arrives through TerminalSessions.AcceptInput. Job control as in
// tty(4): a background process that reads the terminal gets SIGTTIN. BLOCKS.

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
        while (to.RemainingBytes != 0)
        {
            if (IsBackground(process, file))
            {
                // EINTR: the signal is acted on first, and the call starts again when the process continues.
                return CallResult.Fail(StopForTerminal(process, Signal.TerminalInput) ? Errno.EINTR : Errno.EIO);
            }

            Errno error = Errno.None;
            long total = 0;
            ulong wanted = to.RemainingBytes;
            using (session->InputLock.Acquire())
            {
                session->InputReady = false;
                while (to.RemainingBytes != 0 && error == Errno.None && !session->Input.IsEmpty)
                {
                    error = to.Give(session->Input.NextData(), out int moved);
                    session->Input.Consume(Files.Frames, moved);
                    total += moved;
                }
            }

            session->InputDemand.CountTaken(total);
            if (total == 0 && error == Errno.None && session->Input.IsEmpty && session->InputEnded)
            {
                // The end of a file stays; at a terminal, Ctrl-D ends one read.
                session->InputEnded = !session->IsTerminal(file->Stream);
                return 0;
            }

            if (error == Errno.None)
            {
                error = Ask(process->Table, file, wanted, total == 0);
            }

            if (error == Errno.None && total == 0 && session->Input.IsEmpty && !session->InputEnded)
            {
                error = file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref session->InputWait);
            }

            if (total != 0)
            {
                return total;
            }

            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }

        return 0;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        ushort stream = file->Stream == StreamRequest.Error ? StreamRequest.Error : StreamRequest.Output;
        ref OutputCredit credit = ref file->Session->CreditOf(stream);
        long total = 0;
        Errno error = Errno.None;
        while (from.RemainingBytes != 0 && error == Errno.None)
        {
            error = credit.Take(from.RemainingBytes, mayWait: !file->IsNonBlocking, out int granted);
            if (error == Errno.None)
            {
                error = Send(process, file->Session->Id, stream, ref from, granted, out int sent);
                credit.Return((uint)(granted - sent) + (sent == 0 ? (uint)StreamRequest.FrameBytes : 0));
                total += sent;
            }
        }

        if (total == 0 && error == Errno.EPIPE)
        {
            return Broken(process, file);
        }

        return total != 0 ? total : CallResult.Fail(error);
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
        PollEvents events = PollEvents.None;
        if (file->IsWritable)
        {
            ref OutputCredit credit = ref file->Session->CreditOf(file->Stream);
            events |= credit.HasRoom ? PollEvents.Writable : PollEvents.None;
            events |= credit.Status != Errno.None ? PollEvents.Error : PollEvents.None;
        }

        if (file->IsReadable)
        {
            bool isTerminal = file->Session->IsTerminal(file->Stream);
            events |= !file->Session->Input.IsEmpty || file->Session->InputReady || (isTerminal && file->Session->InputEnded)
                ? PollEvents.Readable
                : PollEvents.None;
            events |= !isTerminal && file->Session->InputEnded ? PollEvents.HangUp : PollEvents.None;
        }

        return events;
    }

    /// <summary>Asks whether there is something to read, and reads nothing: that is the business of whoever polls.</summary>
    public override void Prompt(Process* process, OpenFile* file)
    {
        if (file->IsReadable && !file->Session->InputReady)
        {
            Ask(process->Table, file, 0, isNeeded: true);
        }
    }

    public override bool IsPrompted => true;

    public override Watchers* WatchersOf(OpenFile* file) => &file->Session->Watchers;

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

    /// <summary>
    /// Tells the user's side what to read, unless it knows. BLOCKS for a message. Its failure matters only to a reader that needs the
    /// answer.
    /// </summary>
    private static Errno Ask(Processes table, OpenFile* file, ulong wantedBytes, bool isNeeded)
    {
        TerminalSession* session = file->Session;
        ref InputDemand demand = ref session->InputDemand;
        uint waiting = (uint)session->Input.Count;
        if (session->InputEnded || !demand.TryAsk(wantedBytes, waiting, isNeeded, session->IsTerminal(file->Stream), out uint reads))
        {
            return Errno.None;
        }

        InputWantedRequest request = new() { Session = session->Id, Bytes = demand.BytesOfEach, Reads = reads };
        RpcContext context = new() { Class = RpcClass.Stream };
        Errno error = table.Rpc.Call(table.Manager, Opcode.StandardInputWanted, in context, in request, default, default, out _);
        if (error == Errno.None)
        {
            return Errno.None;
        }

        demand.Answer(reads);
        if (error == Errno.EPIPE)
        {
            // The user has gone, and with him all that could come.
            session->InputEnded = true;
            return Errno.None;
        }

        return isNeeded ? FileCaller.ToProgram(error) : Errno.None;
    }

    /// <summary>Gathers up to so many bytes and sends them; the buffer is held for one message that is answered at once.</summary>
    private static Errno Send(Process* process, uint session, ushort stream, ref IoVector from, int mostBytes, out int sentBytes)
    {
        FileCaller caller = FileCaller.Of(process);
        StreamRequest request = new() { Session = session, Stream = stream };
        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        sentBytes = 0;
        Errno error = from.Take(buffer.Data.Slice(0, mostBytes), out int gathered);
        if (gathered != 0)
        {
            Errno sent = caller.Rpc.Call(
                process->Table.Manager, Opcode.StandardOutput, caller.Context.As(RpcClass.Stream), in request,
                buffer.Data.Slice(0, gathered), default, out _);
            if (sent != Errno.None)
            {
                return FileCaller.ToProgram(sent);
            }

            sentBytes = gathered;
        }

        return error;
    }

    /// <summary>Nobody reads any more: a pipe breaks (pipe(7)), a terminal that has been hung up is an I/O error (tty(4)).</summary>
    private static long Broken(Process* process, OpenFile* file)
    {
        if (file->Session->IsTerminal(file->Stream))
        {
            return CallResult.Fail(Errno.EIO);
        }

        SignalInfo info = new() { Number = Signal.Pipe, Code = SignalCode.User, ProcessId = process->Id, UserId = process->UserId };
        Signals.Send(process, in info);
        return CallResult.Fail(Errno.EPIPE);
    }

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
        if (ProcessGroups.IsOrphaned(process) || Signals.IsIgnored(process, signal)
            || (UserThread.ActingFor(process)->BlockedSignals & Signal.Bit(signal)) != 0)
        {
            return false;
        }

        Signals.SendToGroup(process->Table, process->Group, SignalInfo.FromKernel(signal));
        return true;
    }
}
