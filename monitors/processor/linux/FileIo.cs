// Contents: read, write, pread64, pwrite64, readv, writev, preadv, pwritev (and their second versions), lseek, truncate, ftruncate,
// fallocate, fsync, fdatasync, sync, syncfs, fadvise64, readahead.

using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that move bytes between programs and files.</summary>
public static unsafe class FileIo
{
    [SystemCall(0, "read", Support.Full)]
    internal static long Read(ref SystemCall call)
    {
        IoVector to = new(call.Process, call.A1, call.A2);
        return Transfer(ref call, Direction.Read, ref to);
    }

    [SystemCall(1, "write", Support.Full)]
    internal static long Write(ref SystemCall call)
    {
        IoVector from = new(call.Process, call.A1, call.A2);
        return Transfer(ref call, Direction.Write, ref from);
    }

    [SystemCall(17, "pread64", Support.Full)]
    internal static long PositionedRead(ref SystemCall call)
    {
        IoVector to = new(call.Process, call.A1, call.A2);
        return TransferAt(ref call, Direction.Read, ref to, call.A3);
    }

    [SystemCall(18, "pwrite64", Support.Full)]
    internal static long PositionedWrite(ref SystemCall call)
    {
        IoVector from = new(call.Process, call.A1, call.A2);
        return TransferAt(ref call, Direction.Write, ref from, call.A3);
    }

    [SystemCall(19, "readv", Support.Full)]
    internal static long ReadVector(ref SystemCall call)
    {
        Errno error = IoVector.OfArray(call.Process, call.A1, call.A2, out IoVector to);
        return error != Errno.None ? SystemCall.Fail(error) : Transfer(ref call, Direction.Read, ref to);
    }

    [SystemCall(20, "writev", Support.Full)]
    internal static long WriteVector(ref SystemCall call)
    {
        Errno error = IoVector.OfArray(call.Process, call.A1, call.A2, out IoVector from);
        return error != Errno.None ? SystemCall.Fail(error) : Transfer(ref call, Direction.Write, ref from);
    }

    [SystemCall(295, "preadv", Support.Full)]
    internal static long PositionedReadVector(ref SystemCall call)
    {
        Errno error = IoVector.OfArray(call.Process, call.A1, call.A2, out IoVector to);
        return error != Errno.None ? SystemCall.Fail(error) : TransferAt(ref call, Direction.Read, ref to, call.A3);
    }

    [SystemCall(296, "pwritev", Support.Full)]
    internal static long PositionedWriteVector(ref SystemCall call)
    {
        Errno error = IoVector.OfArray(call.Process, call.A1, call.A2, out IoVector from);
        return error != Errno.None ? SystemCall.Fail(error) : TransferAt(ref call, Direction.Write, ref from, call.A3);
    }

    [SystemCall(327, "preadv2", Support.Partial, "RWF_NOWAIT fetches what a file has elsewhere; no RWF_NOAPPEND, _ATOMIC, _DONTCACHE")]
    internal static long PositionedReadVector2(ref SystemCall call) => TransferFlagged(ref call, Direction.Read);

    [SystemCall(328, "pwritev2", Support.Partial, "no RWF_NOAPPEND, _ATOMIC, _DONTCACHE, and no RWF_NOWAIT of files: EOPNOTSUPP")]
    internal static long PositionedWriteVector2(ref SystemCall call) => TransferFlagged(ref call, Direction.Write);

    /// <summary>A transfer with flags of its own, at a position or at the open file's (-1).</summary>
    private static long TransferFlagged(ref SystemCall call, Direction direction)
    {
        Errno error = IoVector.OfArray(call.Process, call.A1, call.A2, out IoVector memory);
        OpenFile* file = FileTable.Of(call.Process)->Find((uint)call.A0);
        if (error == Errno.None && file != null && IsAllowed(file, direction) && memory.RemainingBytes != 0)
        {
            error = TransferFlags.Check((uint)call.A5, file, direction == Direction.Read, out memory.Extra);
        }

        return error != Errno.None ? SystemCall.Fail(error)
            : (long)call.A3 == -1 ? Transfer(ref call, direction, ref memory)
            : TransferAt(ref call, direction, ref memory, call.A3);
    }

    [SystemCall(8, "lseek", Support.Partial, "SEEK_DATA and SEEK_HOLE see a file in memory (memfd, /dev/shm) as one run of data")]
    internal static long Seek(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        if ((uint)call.A2 > (uint)SeekOrigin.Hole)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using SleepLock.Guard position = descriptor.File->PositionLock.Acquire();
        return descriptor.Operations.Seek(call.Process, descriptor.File, (long)call.A1, (SeekOrigin)call.A2);
    }

    [SystemCall(76, "truncate", Support.Full)]
    internal static long Truncate(ref SystemCall call)
    {
        if ((long)call.A1 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(call.Process, call.A0);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        return SystemCall.Result(FileOpening.Truncate(call.Process, in path, call.A1));
    }

    [SystemCall(77, "ftruncate", Support.Full)]
    internal static long TruncateDescriptor(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        return (long)call.A1 < 0 || !descriptor.File->IsWritable
            ? SystemCall.Fail(Errno.EINVAL)
            : SystemCall.Result(
                Told(call.Process, descriptor.File, descriptor.Operations.Truncate(call.Process, descriptor.File, call.A1)));
    }

    [SystemCall(277, "sync_file_range", Support.Partial, "writes the whole file back, without a flush of the device")]
    internal static long SynchronizeRange(ref SystemCall call)
    {
        const ulong KnownFlags = 7;
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        if ((call.A3 & ~KnownFlags) != 0 || (long)call.A1 < 0 || (long)(call.A1 + call.A2) < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return descriptor.File->Kind switch
        {
            FileKind.Regular => call.A3 == 0 ? 0 : SystemCall.Result(RegularFile.WriteBack(call.Process, descriptor.File->Node)),
            FileKind.Directory => 0,
            _ => SystemCall.Fail(Errno.ESPIPE),
        };
    }

    [SystemCall(285, "fallocate", Support.Partial,
        "FALLOC_FL_COLLAPSE_RANGE and _INSERT_RANGE are EOPNOTSUPP; in memory pages are taken when they are written")]
    internal static long Allocate(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || !descriptor.File->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        if ((long)call.A2 < 0 || (long)call.A3 <= 0 || (long)(call.A2 + call.A3) < 0)
        {
            return SystemCall.Fail((long)call.A2 >= 0 && (long)call.A3 > 0 ? Errno.EFBIG : Errno.EINVAL);
        }

        AllocationMode mode = (AllocationMode)(uint)call.A1;
        bool isKnown = mode is AllocationMode.Extend or AllocationMode.KeepSize or (AllocationMode.PunchHole | AllocationMode.KeepSize)
            or AllocationMode.ZeroRange or (AllocationMode.ZeroRange | AllocationMode.KeepSize);
        // tmpfs knows no ranges of zeros.
        isKnown &= (mode & AllocationMode.ZeroRange) == 0 || descriptor.File->Node == null || descriptor.File->Node->Memory == null;
        if (!isKnown || descriptor.File->Kind != FileKind.Regular)
        {
            return SystemCall.Fail(descriptor.File->Kind switch
            {
                FileKind.Regular => Errno.EOPNOTSUPP,
                FileKind.Pipe => Errno.ESPIPE,
                _ => Errno.ENODEV,
            });
        }

        if (descriptor.File->Node->Memory == null && call.A2 + call.A3 > MostFileBytes)
        {
            return SystemCall.Fail(Errno.EFBIG);
        }

        bool keepsSize = (mode & AllocationMode.KeepSize) != 0;
        bool punches = (mode & AllocationMode.PunchHole) != 0;
        // A range of zeros is a hole that gets space. Space first: a file does not grow into what the volume does not have.
        Errno error = keepsSize ? Errno.None : RegularFile.CheckLimit(call.Process, call.A2 + call.A3);
        error = error == Errno.None && (punches || (mode & AllocationMode.ZeroRange) != 0)
            ? FileHoles.Punch(call.Process, descriptor.File->Node, call.A2, call.A3)
            : error;
        error = error == Errno.None && !punches ? FileHoles.Allocate(call.Process, descriptor.File, call.A2, call.A3) : error;
        error = error != Errno.None || keepsSize ? error
            : RegularFile.Truncate(call.Process, descriptor.File->Node, call.A2 + call.A3, FileWriteFlags.GrowOnly);
        return SystemCall.Result(Told(call.Process, descriptor.File, error));
    }

    /// <summary>The largest file of an ext4 volume: 32 bits of block numbers.</summary>
    private const ulong MostFileBytes = (ulong)uint.MaxValue * PageOperations.PageSize;

    /// <summary>FALLOC_FL_* of fallocate(2).</summary>
    [System.Flags]
    private enum AllocationMode : uint
    {
        Extend = 0,
        KeepSize = 1,
        PunchHole = 2,
        ZeroRange = 0x10,
    }

    [SystemCall(74, "fsync", Support.Full)]
    internal static long Synchronize(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        return descriptor.IsBad || descriptor.File->IsPathOnly
            ? SystemCall.Fail(Errno.EBADF)
            : SystemCall.Result(descriptor.Operations.Synchronize(call.Process, descriptor.File));
    }

    [SystemCall(75, "fdatasync", Support.Full)]
    internal static long SynchronizeData(ref SystemCall call) => Synchronize(ref call);

    [SystemCall(162, "sync", Support.Full)]
    internal static long SynchronizeAll(ref SystemCall call)
    {
        FileCaller caller = FileCaller.Of(call.Process);
        FileSystem.Of(call.Process).Mappings.PublishAll();
        FileClient.SynchronizeAll(in caller);
        // A volume without a cached file is unknown to the memory component; names may have changed on it all the same.
        StorageClient.Synchronize(in caller);
        return 0;
    }

    [SystemCall(306, "syncfs", Support.Partial, "as sync")]
    internal static long SynchronizeFileSystem(ref SystemCall call)
    {
        OpenFile* file = FileTable.Of(call.Process)->Find((uint)call.A0);
        return file == null || file->IsPathOnly ? SystemCall.Fail(Errno.EBADF) : SynchronizeAll(ref call);
    }

    [SystemCall(221, "fadvise64", Support.Stub, "accepted without effect")]
    internal static long Advise(ref SystemCall call)
    {
        const ulong LastAdvice = 5;
        OpenFile* file = FileTable.Of(call.Process)->Find((uint)call.A0);
        return SystemCall.Result(file == null || file->IsPathOnly ? Errno.EBADF
            : file->Kind == FileKind.Pipe ? Errno.ESPIPE
            : (long)call.A2 < 0 || (uint)call.A3 > LastAdvice ? Errno.EINVAL
            : Errno.None);
    }

    [SystemCall(187, "readahead", Support.Stub, "accepted without effect")]
    internal static long ReadAhead(ref SystemCall call)
    {
        OpenFile* file = FileTable.Of(call.Process)->Find((uint)call.A0);
        return SystemCall.Result(
            file == null || !file->IsReadable ? Errno.EBADF
            : file->Kind != FileKind.Regular || (long)call.A2 < 0 ? Errno.EINVAL
            : Errno.None);
    }

    internal enum Direction : byte
    {
        Read,
        Write,
    }

    /// <summary>Moves bytes at an open file's own position, which no other call uses meanwhile. Checks the access mode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long Transfer(Process* process, OpenFile* file, Direction direction, ref IoVector memory)
    {
        if (!IsAllowed(file, direction))
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        FileOperations operations = file->Operations;
        if (!operations.HasPosition)
        {
            ulong none = 0;
            return direction == Direction.Read
                ? operations.Read(process, file, ref none, ref memory)
                : operations.Write(process, file, ref none, ref memory);
        }

        return TransferAtOwn(process, file, direction, ref memory);
    }

    /// <summary>The part with a lock, which the other kinds of files have no frame for.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long TransferAtOwn(Process* process, OpenFile* file, Direction direction, ref IoVector memory)
    {
        FileOperations operations = file->Operations;
        using SleepLock.Guard position = file->PositionLock.Acquire();
        return direction == Direction.Read
            ? operations.Read(process, file, ref file->Offset, ref memory)
            : operations.Write(process, file, ref file->Offset, ref memory);
    }

    private static long Transfer(ref SystemCall call, Direction direction, ref IoVector memory)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        return memory.IsWild && IsAllowed(descriptor.File, direction)
            ? SystemCall.Fail(Errno.EFAULT)
            : Counted(call.Process, descriptor.File, direction, Transfer(call.Process, descriptor.File, direction, ref memory));
    }

    /// <summary>Counts a transfer for /proc/PID/io, and tells those who watch the file.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Counted(Process* process, OpenFile* file, Direction direction, long result)
    {
        ulong bytes = result > 0 ? (ulong)result : 0;
        if (direction == Direction.Read)
        {
            process->ReadBytes += bytes;
            process->ReadCalls++;
        }
        else
        {
            process->WrittenBytes += bytes;
            process->WriteCalls++;
        }

        if (bytes != 0)
        {
            Tell(process, file, direction == Direction.Read ? InotifyMask.Access : InotifyMask.Modify);
        }

        return result;
    }

    private static long TransferAt(ref SystemCall call, Direction direction, ref IoVector memory, ulong position)
    {
        if ((long)position < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        // That a file has no positions counts before what it was opened for (ksys_pread64).
        if (!descriptor.Operations.IsSeekable)
        {
            return SystemCall.Fail(Errno.ESPIPE);
        }

        if (!IsAllowed(descriptor.File, direction))
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        // Behind the largest position there is nothing (rw_verify_area).
        bool endsBeyond = (long)(position + memory.RemainingBytes) < 0;
        if (memory.IsWild || endsBeyond)
        {
            return SystemCall.Fail(endsBeyond ? Errno.EINVAL : Errno.EFAULT);
        }

        return TransferAt(call.Process, descriptor.File, direction, ref memory, position);
    }

    /// <summary>Moves bytes at a position of an open file, which has been checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long TransferAt(Process* process, OpenFile* file, Direction direction, ref IoVector memory, ulong position)
    {
        long result = direction == Direction.Read
            ? file->Operations.Read(process, file, ref position, ref memory)
            : file->Operations.Write(process, file, ref position, ref memory);
        return Counted(process, file, direction, result);
    }

    /// <summary>Tells those who watch an open file, if it is one of the volume.</summary>
    internal static void Tell(Process* process, OpenFile* file, InotifyMask what)
    {
        if (file->Node != null)
        {
            FileSystem.Of(process).Inotify.Tell(file->Node, what);
        }
    }

    private static Errno Told(Process* process, OpenFile* file, Errno error)
    {
        if (error == Errno.None)
        {
            Tell(process, file, InotifyMask.Modify);
        }

        return error;
    }

    private static bool IsAllowed(OpenFile* file, Direction direction) => direction == Direction.Read ? file->IsReadable : file->IsWritable;
}
