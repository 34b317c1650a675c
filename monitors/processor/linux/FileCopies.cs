// Copies between descriptors inside the kernel: sendfile, copy_file_range (sendfile(2), copy_file_range(2)). The bytes pass through a
// buffer here; a copy inside the memory component is a matter of speed and comes with it.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that copy from file to file.</summary>
public static unsafe class FileCopies
{
    private const ulong MaxBytes = 0x7fff_f000;

    [SystemCall(40, "sendfile", Support.Full)]
    internal static long SendFile(ref SystemCall call)
    {
        using Descriptor to = Descriptor.Of(call.Process, call.A0);
        using Descriptor from = Descriptor.Of(call.Process, call.A1);
        if (to.IsBad || from.IsBad || !from.File->IsReadable || !to.File->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        bool isDirectory = from.File->Kind is FileKind.Directory or FileKind.PseudoDirectory;
        if ((long)call.A3 < 0 || isDirectory || !from.Operations.IsSeekable || (to.File->Flags & OpenFlags.Append) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return Copy(call.Process, from.File, call.A2, to.File, 0, call.A3);
    }

    [SystemCall(326, "copy_file_range", Support.Full)]
    internal static long CopyFileRange(ref SystemCall call)
    {
        using Descriptor from = Descriptor.Of(call.Process, call.A0);
        using Descriptor to = Descriptor.Of(call.Process, call.A2);
        if (to.IsBad || from.IsBad || from.File->IsPathOnly || to.File->IsPathOnly || (to.File->Flags & OpenFlags.Append) != 0)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        if (call.A5 != 0 || from.File->Kind != FileKind.Regular || to.File->Kind != FileKind.Regular)
        {
            bool isDirectory = from.File->Kind == FileKind.Directory || to.File->Kind == FileKind.Directory;
            return SystemCall.Fail(isDirectory ? Errno.EISDIR : Errno.EINVAL);
        }

        if (!from.File->IsReadable || !to.File->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        // Between kinds of file systems, and beyond the largest position.
        bool areApart = from.File->Node->Memory == null != (to.File->Node->Memory == null);
        if (areApart || EndsBeyond(ref call, from.File, call.A1) || EndsBeyond(ref call, to.File, call.A3))
        {
            return SystemCall.Fail(areApart ? Errno.EXDEV : Errno.EOVERFLOW);
        }

        return from.File->Node == to.File->Node && DoOverlap(ref call, from.File, to.File)
            ? SystemCall.Fail(Errno.EINVAL)
            : Copy(call.Process, from.File, call.A1, to.File, call.A3, call.A4);
    }

    /// <summary>Whether position and length are more than a number can be (Linux's generic_copy_file_checks).</summary>
    private static bool EndsBeyond(ref SystemCall call, OpenFile* file, ulong address) =>
        PositionOf(call.Process, file, address, out ulong position) != Errno.EFAULT && position + call.A4 < position;

    /// <summary>Whether the two ranges of one file have a byte in common.</summary>
    private static bool DoOverlap(ref SystemCall call, OpenFile* from, OpenFile* to)
    {
        bool areKnown = PositionOf(call.Process, from, call.A1, out ulong source) == Errno.None
            & PositionOf(call.Process, to, call.A3, out ulong target) == Errno.None;
        ulong length = Math.Min(call.A4, MaxBytes);
        return areKnown && source < target + length && target < source + length;
    }

    /// <summary>Copies, with positions in the program's memory where it gave addresses for them, else the files' own.</summary>
    private static long Copy(Process* process, OpenFile* from, ulong fromPosition, OpenFile* to, ulong toPosition, ulong lengthBytes)
    {
        if (!from->IsReadable || !to->IsWritable)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        Errno error = PositionOf(process, from, fromPosition, out ulong source);
        ulong target = 0;
        if (error == Errno.None && toPosition != 0)
        {
            error = PositionOf(process, to, toPosition, out target);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        ulong bounded = Math.Min(lengthBytes, MaxBytes);
        long total = from->Kind == FileKind.Regular && to->Kind == FileKind.Regular
            ? CopyContents(process, from, ref source, to, ref target, toPosition != 0, bounded)
            : CopyThroughFrame(process, from, ref source, to, ref target, toPosition != 0, bounded);
        if (total > 0)
        {
            FileIo.Tell(process, from, InotifyMask.Access);
            FileIo.Tell(process, to, InotifyMask.Modify);
        }

        if (fromPosition == 0)
        {
            from->Offset = source;
        }
        else
        {
            error = new UserPointer<ulong>(fromPosition).Write(process, in source);
        }

        if (toPosition != 0 && error == Errno.None)
        {
            error = new UserPointer<ulong>(toPosition).Write(process, in target);
        }

        return error != Errno.None && total >= 0 ? SystemCall.Fail(error) : total;
    }

    private static long CopyContents(
        Process* process, OpenFile* from, ref ulong source, OpenFile* to, ref ulong target, bool usesTarget, ulong lengthBytes)
    {
        if (usesTarget)
        {
            return RegularFile.Copy(process, from, ref source, to, ref target, lengthBytes);
        }

        using SleepLock.Guard position = to->PositionLock.Acquire();
        return RegularFile.Copy(process, from, ref source, to, ref to->Offset, lengthBytes);
    }

    /// <summary>A target such as a pipe makes the caller wait for others, so the bytes wait in a frame of his own.</summary>
    private static long CopyThroughFrame(
        Process* process, OpenFile* from, ref ulong source, OpenFile* to, ref ulong target, bool usesTarget, ulong lengthBytes)
    {
        byte* frame = (byte*)process->Table.Frames.Allocate();
        if (frame == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        long total = CopyThrough(process, frame, from, ref source, to, ref target, usesTarget, lengthBytes);
        process->Table.Frames.Free(frame);
        return total;
    }

    private static long CopyThrough(
        Process* process, byte* bytes, OpenFile* from, ref ulong source, OpenFile* to, ref ulong target, bool usesTarget,
        ulong lengthBytes)
    {
        FileOperations reader = from->Operations;
        FileOperations writer = to->Operations;
        long total = 0;
        while ((ulong)total < lengthBytes)
        {
            IoVector into = IoVector.OfKernel(bytes, Math.Min(lengthBytes - (ulong)total, PageOperations.PageSize));
            ulong next = source;
            long got = reader.Read(process, from, ref next, ref into);
            if (got <= 0)
            {
                return total != 0 ? total : got;
            }

            IoVector outOf = IoVector.OfKernel(bytes, (ulong)got);
            long put = usesTarget
                ? writer.Write(process, to, ref target, ref outOf)
                : FileIo.Transfer(process, to, FileIo.Direction.Write, ref outOf);
            if (put < 0)
            {
                return total != 0 ? total : put;
            }

            source += (ulong)put;
            total += put;
            if (put < got)
            {
                break;
            }
        }

        return total;
    }

    private static Errno PositionOf(Process* process, OpenFile* file, ulong address, out ulong position)
    {
        position = file->Offset;
        Errno error = address == 0 ? Errno.None : new UserPointer<ulong>(address).Read(process, out position);
        return error == Errno.None && (long)position < 0 ? Errno.EINVAL : error;
    }
}
