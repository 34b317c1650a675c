// splice, tee, vmsplice (splice(2), tee(2), vmsplice(2)): bytes between pipes and other files without a buffer of the program. They are
// read into and written from the pipe's own frames, under the lock of the pipe's side. What a target does not take stays in the pipe.
// BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that move bytes through pipes inside the kernel.</summary>
public static unsafe class PipeTransfers
{
    private const uint DoesNotWait = 2;
    private const uint KnownFlags = 0xF;

    [SystemCall(275, "splice", Support.Full)]
    internal static long Splice(ref SystemCall call)
    {
        if (call.A4 == 0)
        {
            return 0;
        }

        if (((uint)call.A5 & ~KnownFlags) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using Descriptor from = Descriptor.Of(call.Process, call.A0);
        using Descriptor to = Descriptor.Of(call.Process, call.A2);
        if (from.IsBad || to.IsBad || !from.File->IsReadable || !to.File->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        bool fromPipe = from.File->Kind == FileKind.Pipe;
        bool toPipe = to.File->Kind == FileKind.Pipe;
        if ((fromPipe && call.A1 != 0) || (toPipe && call.A3 != 0))
        {
            return SystemCall.Fail(Errno.ESPIPE);
        }

        bool isAppend = !toPipe && (to.File->Flags & OpenFlags.Append) != 0;
        bool isNowhere = (call.A1 != 0 && !from.Operations.IsSeekable) || (call.A3 != 0 && !to.Operations.IsSeekable);
        bool isNoStream = IsNoStream(fromPipe ? to.File->Kind : from.File->Kind);
        bool isNegative = (long)call.A4 < 0;
        if (isNegative || (!fromPipe && !toPipe) || isAppend || isNoStream || isNowhere
            || (fromPipe && (from.File->Pipe->IsOfPackets || (toPipe && from.File->Pipe == to.File->Pipe)))
            || (toPipe && to.File->Pipe->IsOfPackets))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        ulong address = fromPipe ? call.A3 : call.A1;
        ulong position = 0;
        Errno error = address == 0 ? Errno.None : new UserPointer<ulong>(address).Read(call.Process, out position);
        OpenFile* other = fromPipe ? to.File : from.File;
        ulong begin = address != 0 ? position : other->Kind == FileKind.Regular ? other->Offset : 0;
        if (error != Errno.None || (long)position < 0 || (long)(begin + call.A4) < 0)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        bool waits = ((uint)call.A5 & DoesNotWait) == 0 && !(fromPipe && from.File->IsNonBlocking) && !(toPipe && to.File->IsNonBlocking);
        ulong length = Math.Min(call.A4, int.MaxValue);
        Target target = new()
        {
            Process = call.Process,
            File = other,
            HasPosition = address != 0,
            Position = position,
        };
        long moved = fromPipe ? Drain(from.File->Pipe, ref target, length, waits) : Fill(to.File->Pipe, ref target, length, waits);
        if (moved > 0)
        {
            FileIo.Tell(call.Process, to.File, InotifyMask.Modify);
            FileIo.Tell(call.Process, from.File, InotifyMask.Access);
        }

        if (moved > 0 && address != 0)
        {
            error = new UserPointer<ulong>(address).Write(call.Process, in target.Position);
        }

        return error == Errno.None ? moved : SystemCall.Fail(error);
    }

    /// <summary>Directories, and files of records that are read or written as wholes: nothing is spliced from or into them.</summary>
    private static bool IsNoStream(FileKind kind) => kind is FileKind.Directory or FileKind.PseudoDirectory or FileKind.Event
        or FileKind.Epoll or FileKind.Timer or FileKind.Signal or FileKind.Inotify or FileKind.Process or FileKind.PosixQueue;

    [SystemCall(276, "tee", Support.Full)]
    internal static long Tee(ref SystemCall call)
    {
        if (((uint)call.A3 & ~KnownFlags) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (call.A2 == 0)
        {
            return 0;
        }

        using Descriptor from = Descriptor.Of(call.Process, call.A0);
        using Descriptor to = Descriptor.Of(call.Process, call.A1);
        if (from.IsBad || to.IsBad || !from.File->IsReadable || !to.File->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        if (from.File->Kind != FileKind.Pipe || to.File->Kind != FileKind.Pipe || from.File->Pipe == to.File->Pipe
            || from.File->Pipe->IsOfPackets || to.File->Pipe->IsOfPackets)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        bool waits = ((uint)call.A3 & DoesNotWait) == 0 && !from.File->IsNonBlocking && !to.File->IsNonBlocking;
        Errno error = AwaitData(from.File->Pipe, waits, out bool isEnd);
        error = error == Errno.None && !isEnd ? AwaitRoom(call.Process, to.File->Pipe, waits) : error;
        return error != Errno.None || isEnd ? SystemCall.Result(error) : Duplicate(from.File->Pipe, to.File->Pipe, call.A2);
    }

    [SystemCall(278, "vmsplice", Support.Partial, "pages are copied, not given")]
    internal static long SpliceMemory(ref SystemCall call)
    {
        if (((uint)call.A3 & ~KnownFlags) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->Kind != FileKind.Pipe)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        Errno error = descriptor.File->Pipe->IsOfPackets ? Errno.EINVAL : Errno.None;
        IoVector memory = default;
        error = error != Errno.None ? error : IoVector.OfArray(call.Process, call.A1, call.A2, out memory);
        if (error != Errno.None || memory.RemainingBytes == 0)
        {
            return SystemCall.Result(error);
        }

        Pipe* pipe = descriptor.File->Pipe;
        bool waits = ((uint)call.A3 & DoesNotWait) == 0;
        if (descriptor.File->IsWritable)
        {
            error = AwaitRoom(call.Process, pipe, waits);
            return error != Errno.None
                ? SystemCall.Fail(error)
                : FileIo.Transfer(call.Process, descriptor.File, FileIo.Direction.Write, ref memory);
        }

        error = AwaitData(pipe, waits, out bool isEnd);
        return error != Errno.None || isEnd
            ? SystemCall.Result(error)
            : FileIo.Transfer(call.Process, descriptor.File, FileIo.Direction.Read, ref memory);
    }

    /// <summary>The file at the other end of a splice, and where in it.</summary>
    private struct Target
    {
        internal Process* Process;
        internal OpenFile* File;
        /// <summary>False: the file's own position is used and moved.</summary>
        internal bool HasPosition;
        internal ulong Position;

        internal long Write(ReadOnlySpan<byte> bytes)
        {
            fixed (byte* start = bytes)
            {
                IoVector from = IoVector.OfKernel(start, (ulong)bytes.Length);
                return HasPosition
                    ? File->Operations.Write(Process, File, ref Position, ref from)
                    : FileIo.Transfer(Process, File, FileIo.Direction.Write, ref from);
            }
        }

        internal long Read(Span<byte> room)
        {
            fixed (byte* start = room)
            {
                IoVector to = IoVector.OfKernel(start, (ulong)room.Length);
                return HasPosition
                    ? File->Operations.Read(Process, File, ref Position, ref to)
                    : FileIo.Transfer(Process, File, FileIo.Direction.Read, ref to);
            }
        }
    }

    /// <summary>Out of a pipe into a file, or as much into another pipe as it has room for.</summary>
    private static long Drain(Pipe* pipe, ref Target target, ulong lengthBytes, bool waits)
    {
        Errno error = AwaitData(pipe, waits, out bool isEnd);
        if (error == Errno.None && !isEnd && target.File->Kind == FileKind.Pipe)
        {
            error = AwaitRoom(target.Process, target.File->Pipe, waits);
            lengthBytes = Math.Min(lengthBytes, (ulong)target.File->Pipe->Ring.Room);
        }

        if (error != Errno.None || isEnd)
        {
            return SystemCall.Result(error);
        }

        long total = 0;
        using SleepLock.Guard reading = pipe->ReadLock.Acquire();
        while ((ulong)total < lengthBytes && !pipe->Ring.IsEmpty)
        {
            ReadOnlySpan<byte> data = pipe->Ring.NextData();
            data = data.Slice(0, (int)Math.Min((ulong)data.Length, lengthBytes - (ulong)total));
            long put = target.Write(data);
            if (put <= 0)
            {
                total = total != 0 ? total : put;
                break;
            }

            pipe->Ring.Consume(target.Process->Table.Frames, (int)put);
            pipe->WakeWriters();
            total += put;
        }

        return total;
    }

    /// <summary>Out of a file into a pipe, as much as there is room for.</summary>
    private static long Fill(Pipe* pipe, ref Target source, ulong lengthBytes, bool waits)
    {
        Errno error = AwaitRoom(source.Process, pipe, waits);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        long total = 0;
        using SleepLock.Guard writing = pipe->WriteLock.Acquire();
        while ((ulong)total < lengthBytes && pipe->Ring.Room != 0)
        {
            Span<byte> room = pipe->Ring.NextRoom(source.Process->Table.Frames);
            if (room.IsEmpty)
            {
                total = total != 0 ? total : SystemCall.Fail(Errno.ENOMEM);
                break;
            }

            room = room.Slice(0, (int)Math.Min((ulong)room.Length, lengthBytes - (ulong)total));
            long got = source.Read(room);
            if (got <= 0)
            {
                total = total != 0 ? total : got;
                break;
            }

            pipe->Ring.Commit((int)got);
            pipe->WakeReaders();
            total += got;
            if (got < room.Length)
            {
                break;
            }
        }

        return total;
    }

    private static long Duplicate(Pipe* from, Pipe* to, ulong lengthBytes)
    {
        FileSystem files = from->Files;
        long total = 0;
        // Two tees against each other take different locks: each pipe has one for either side.
        using SleepLock.Guard reading = from->ReadLock.Acquire();
        using SleepLock.Guard writing = to->WriteLock.Acquire();
        while ((ulong)total < lengthBytes && total < from->Ring.Count && to->Ring.Room != 0)
        {
            ReadOnlySpan<byte> data = from->Ring.DataFrom((int)total);
            Span<byte> room = to->Ring.NextRoom(files.Frames);
            if (room.IsEmpty)
            {
                return total != 0 ? total : SystemCall.Fail(Errno.ENOMEM);
            }

            int length = (int)Math.Min((ulong)Math.Min(data.Length, room.Length), lengthBytes - (ulong)total);
            data.Slice(0, length).CopyTo(room);
            to->Ring.Commit(length);
            total += length;
        }

        to->WakeReaders();
        return total;
    }

    /// <summary>Waits until a pipe has bytes, or nobody who could write any. EAGAIN, EINTR.</summary>
    private static Errno AwaitData(Pipe* pipe, bool waits, out bool isEnd)
    {
        Errno error = Errno.None;
        while (error == Errno.None && pipe->Ring.IsEmpty && pipe->Writers != 0)
        {
            error = waits ? Signals.Wait(ref pipe->ReadersWait) : Errno.EAGAIN;
        }

        isEnd = error == Errno.None && pipe->Ring.IsEmpty;
        return error;
    }

    /// <summary>Waits until a pipe has room. EPIPE with SIGPIPE: nobody reads; EAGAIN, EINTR.</summary>
    private static Errno AwaitRoom(Process* process, Pipe* pipe, bool waits)
    {
        Errno error = Errno.None;
        while (error == Errno.None && pipe->Readers != 0 && pipe->Ring.Room == 0)
        {
            error = waits ? Signals.Wait(ref pipe->WritersWait) : Errno.EAGAIN;
        }

        if (error == Errno.None && pipe->Readers == 0)
        {
            PipeEnd.SignalBroken(process);
            error = Errno.EPIPE;
        }

        return error;
    }
}
