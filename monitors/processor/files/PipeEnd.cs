// Reading and writing the ends of pipes and FIFOs (pipe(7)): end of file when no writer is left, SIGPIPE and EPIPE when no reader is,
// EAGAIN for O_NONBLOCK, EINTR before the first byte. BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of pipe ends.</summary>
public sealed unsafe class PipeEnd(FileSystem files) : FileOperations(files)
{
    /// <summary>Open file on one side of a pipe, counted as an end; null when memory is exhausted.</summary>
    public static OpenFile* Open(FileSystem files, Pipe* pipe, OpenFlags flags)
    {
        OpenFile* file = OpenFile.Create(files, FileKind.Pipe, flags);
        if (file != null)
        {
            file->Pipe = pipe;
            pipe->AddEnd(file->IsReadable, file->IsWritable);
        }

        return file;
    }

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        Pipe* pipe = file->Pipe;
        long total = 0;
        ReadTimes.Note(file);
        while (to.RemainingBytes != 0)
        {
            using (pipe->ReadLock.Acquire())
            {
                total += pipe->IsOfPackets ? TakePacket(pipe, ref to, out Errno error) : Drain(pipe, ref to, out error);
                if (error != Errno.None)
                {
                    return total != 0 ? total : CallResult.Fail(error);
                }
            }

            if (total != 0 || pipe->Writers == 0)
            {
                return total;
            }

            if (((file->Flags | to.Extra) & OpenFlags.NonBlocking) != 0)
            {
                return CallResult.Fail(Errno.EAGAIN);
            }

            // The lock may have been waited for: look once more before sleeping, nothing blocks between here and the queue.
            if (pipe->IsEmpty)
            {
                Errno interrupted = Signals.Wait(ref pipe->ReadersWait);
                if (interrupted != Errno.None)
                {
                    return CallResult.Fail(interrupted);
                }
            }
        }

        return total;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        Pipe* pipe = file->Pipe;
        ulong asked = from.RemainingBytes;
        bool atomic = asked <= Pipe.AtomicBytes;
        long total = 0;
        int joined = 0;
        while (from.RemainingBytes != 0)
        {
            using (pipe->WriteLock.Acquire())
            {
                joined = total == 0 ? JoinedBytes(pipe, asked) : joined;
                if (pipe->Readers == 0)
                {
                    return Broken(process, total);
                }

                if (pipe->IsOfPackets || !atomic || (ulong)pipe->Ring.Room >= from.RemainingBytes)
                {
                    total += pipe->IsOfPackets ? PutPackets(pipe, ref from, out Errno error) : Fill(pipe, ref from, out error);
                    if (error != Errno.None)
                    {
                        total -= pipe->IsOfPackets ? 0 : TakeBack(pipe, total, joined);
                        return total != 0 ? total : CallResult.Fail(error);
                    }
                }
            }

            if (from.RemainingBytes == 0)
            {
                break;
            }

            if (((file->Flags | from.Extra) & OpenFlags.NonBlocking) != 0)
            {
                return total != 0 ? total : CallResult.Fail(Errno.EAGAIN);
            }

            bool hasRoom = pipe->IsOfPackets ? pipe->HasRoomForPacket
                : atomic ? (ulong)pipe->Ring.Room >= from.RemainingBytes : pipe->Ring.Room != 0;
            if (!hasRoom && pipe->Readers != 0)
            {
                Errno interrupted = Signals.Wait(ref pipe->WritersWait);
                if (interrupted != Errno.None)
                {
                    return total != 0 ? total : CallResult.Fail(interrupted);
                }
            }
        }

        return total;
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        if (file->Node != null)
        {
            status = default;
            status.Device = DeviceNumber.Volume;
            FileCaller caller = FileCaller.Of(process);
            Errno error = StorageClient.Status(in caller, file->Node, out status.Attributes);
            ReadTimes.Complete(Files.Nodes, file->Node->Place.Storage, ref status.Attributes);
            return error;
        }

        status = FileStatus.Synthetic(DeviceNumber.Pipes, file->Pipe->Inode, FileMode.Fifo);
        file->Pipe->Attributes.Describe(ref status);
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file)
    {
        Pipe* pipe = file->Pipe;
        PollEvents events = PollEvents.None;
        if (file->IsReadable)
        {
            events |= pipe->IsEmpty ? PollEvents.None : PollEvents.Readable;
            events |= pipe->Writers == 0 && (file->Node == null || pipe->WriterArrivals != 0) ? PollEvents.HangUp : PollEvents.None;
        }

        if (file->IsWritable)
        {
            events |= pipe->HasRoom ? PollEvents.Writable : PollEvents.None;
            events |= pipe->Readers == 0 ? PollEvents.Error : PollEvents.None;
        }

        return events;
    }

    public override Watchers* WatchersOf(OpenFile* file) => &file->Pipe->Watchers;

    public override long Control(Process* process, OpenFile* file, uint request, ulong argument)
    {
        return request == TerminalRequests.BytesReadable
            ? CallResult.Of(new UserPointer<int>(argument).Write(process, file->Pipe->Ring.Count))
            : CallResult.Fail(Errno.ENOTTY);
    }

    public override int Describe(OpenFile* file, Span<byte> text)
    {
        if (file->Node != null)
        {
            return RegularFile.DescribeNode(file->Node, text);
        }

        TextBuffer buffer = new(text);
        buffer.Append("pipe:["u8);
        buffer.AppendNumber(file->Pipe->Inode);
        buffer.Append((byte)']');
        return buffer.Text.Length;
    }

    public override void Close(OpenFile* file)
    {
        Pipe* pipe = file->Pipe;
        FileNode* node = file->Node;
        if (pipe->RemoveEnd(file->IsReadable, file->IsWritable))
        {
            if (node != null)
            {
                node->Fifo = null;
            }

            Pipe.Free(pipe);
        }

        if (node != null)
        {
            Files.Nodes.Release(node);
        }
    }

    /// <summary>
    /// Bytes of a write that go into the page of those before them: what is more than whole pages, if there is room (pipe_write of Linux).
    /// </summary>
    private static int JoinedBytes(Pipe* pipe, ulong asked)
    {
        int over = (int)(asked % PageOperations.PageSize);
        int used = pipe->Ring.BytesInLastPage;
        return used != 0 && used + over <= PageOperations.PageSize ? over : 0;
    }

    /// <summary>
    /// Memory of the writer is not there in the middle of a page: that page counts as not written (pipe_write), but for what a reader has
    /// taken already. Bytes that are gone again.
    /// </summary>
    private static long TakeBack(Pipe* pipe, long total, int joined)
    {
        long whole = total < joined ? 0 : joined + ((total - joined) / PageOperations.PageSize * PageOperations.PageSize);
        int back = (int)Math.Min(total - whole, pipe->Ring.Count);
        pipe->Ring.Retract(back);
        return back;
    }

    /// <summary>Copies what is there to the reader.</summary>
    private long Drain(Pipe* pipe, ref IoVector to, out Errno error)
    {
        error = Errno.None;
        long total = 0;
        while (to.RemainingBytes != 0 && error == Errno.None && !pipe->Ring.IsEmpty)
        {
            error = to.Give(pipe->Ring.NextData(), out int moved);
            pipe->Ring.Consume(Files.Frames, moved);
            total += moved;
        }

        if (total != 0)
        {
            pipe->WakeWriters();
        }

        return total;
    }

    /// <summary>Copies what the writer has and the ring takes.</summary>
    private long Fill(Pipe* pipe, ref IoVector from, out Errno error)
    {
        error = Errno.None;
        long total = 0;
        while (from.RemainingBytes != 0 && error == Errno.None && pipe->Ring.Room != 0)
        {
            Span<byte> room = pipe->Ring.NextRoom(Files.Frames);
            if (room.IsEmpty)
            {
                error = Errno.ENOMEM;
                break;
            }

            error = from.Take(room, out int moved);
            pipe->Ring.Commit(moved);
            total += moved;
        }

        if (total != 0)
        {
            pipe->WakeReaders();
        }

        return total;
    }

    /// <summary>Copies what the reader wants of the oldest packet; the rest of it is lost.</summary>
    private long TakePacket(Pipe* pipe, ref IoVector to, out Errno error)
    {
        error = Errno.None;
        if (pipe->Packets == 0)
        {
            return 0;
        }

        int length = pipe->FirstPacketBytes;
        int wanted = (int)Math.Min((ulong)length, to.RemainingBytes);
        int total = 0;
        while (total < wanted && error == Errno.None)
        {
            ReadOnlySpan<byte> data = pipe->Ring.DataFrom(total);
            error = to.Give(data.Slice(0, Math.Min(data.Length, wanted - total)), out int moved);
            total += moved;
        }

        if (error != Errno.None)
        {
            return 0;
        }

        pipe->RemovePacket(length);
        pipe->WakeWriters();
        return total;
    }

    /// <summary>Puts what the writer has into packets of up to a page, as long as there are places for them.</summary>
    private long PutPackets(Pipe* pipe, ref IoVector from, out Errno error)
    {
        error = Errno.None;
        long total = 0;
        while (from.RemainingBytes != 0 && error == Errno.None && pipe->HasRoomForPacket)
        {
            int length = (int)Math.Min(from.RemainingBytes, Pipe.AtomicBytes);
            int done = 0;
            while (done < length && error == Errno.None)
            {
                Span<byte> room = pipe->Ring.NextRoom(Files.Frames);
                int moved = 0;
                error = room.IsEmpty ? Errno.ENOMEM : from.Take(room.Slice(0, Math.Min(room.Length, length - done)), out moved);
                pipe->Ring.Commit(moved);
                done += moved;
            }

            if (error != Errno.None)
            {
                pipe->Ring.Retract(done);
                break;
            }

            pipe->AddPacket(length);
            total += length;
        }

        if (total != 0)
        {
            pipe->WakeReaders();
        }

        return total;
    }

    /// <summary>No reader is left: SIGPIPE in any case, EPIPE when nothing was written before.</summary>
    private static long Broken(Process* process, long total)
    {
        SignalBroken(process);
        return total != 0 ? total : CallResult.Fail(Errno.EPIPE);
    }

    /// <summary>A process writes where nobody will read.</summary>
    internal static void SignalBroken(Process* process)
    {
        SignalInfo info = new()
        {
            Number = Signal.Pipe,
            Code = SignalCode.User,
            ProcessId = process->Id,
            UserId = process->UserId
        };
        Signals.Send(process, in info);
    }
}
