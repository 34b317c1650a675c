// Holes of the volume's files: where they are (lseek(2)), and how they are made and filled (fallocate(2)). What has been written is handed
// to the storage component first, because a page has no block before that. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Finds holes and makes them.</summary>
public static unsafe class FileHoles
{
    /// <summary>
    /// Bytes that one message has looked at, has passed without looking, because there are no data, or has given space: it holds the volume
    /// meanwhile.
    /// </summary>
    private const uint DigBytes = 1024 * 1024;
    private const uint PassBytes = 1024 * 1024 * 1024;
    private const uint AllocateBytes = 64 * 1024 * 1024;

    /// <summary>
    /// The position that SEEK_DATA or SEEK_HOLE leads to from one below the file's size; the end of the file is a hole. ENXIO: no data
    /// follow.
    /// </summary>
    public static Errno Seek(Process* process, OpenFile* file, ulong offset, ulong sizeBytes, SeekOrigin origin, out ulong found)
    {
        found = origin == SeekOrigin.Data ? offset : sizeBytes;
        if (file->Node->Memory != null)
        {
            // A file system may report a file as one run of data with the hole at its end (lseek(2)).
            return Errno.None;
        }

        FileCaller caller = FileCaller.Of(process, file->Node);
        Errno error = RegularFile.WriteBack(process, file->Node);
        for (ulong at = offset; error == Errno.None && at < sizeBytes;)
        {
            error = StorageClient.FindData(in caller, in file->Node->Handle, at, out DataRun run);
            bool isHere = run.Start < run.End && run.Start <= at;
            if (error == Errno.None && origin == SeekOrigin.Hole && !isHere)
            {
                found = at;
                return Errno.None;
            }

            if (error == Errno.None && origin == SeekOrigin.Data && run.Start < run.End)
            {
                found = run.Start;
                return Errno.None;
            }

            if (run.End <= at)
            {
                break;
            }

            at = run.End;
        }

        return error == Errno.None && origin == SeekOrigin.Data ? Errno.ENXIO : error;
    }

    /// <summary>
    /// Makes a range zero and gives the space of its whole blocks back. Where the volume cannot give it back, the zeros stay.
    /// </summary>
    public static Errno Punch(Process* process, FileNode* node, ulong offset, ulong lengthBytes)
    {
        FileCaller caller = FileCaller.Of(process, node);
        Errno error = FileClient.Status(in caller, node, out FileAttributes attributes);
        ulong end = Math.Min(offset + lengthBytes, attributes.Size);
        bool isVolumes = node->Memory == null;
        error = error == Errno.None && isVolumes ? RegularFile.WriteBack(process, node) : error;
        for (ulong at = offset; error == Errno.None && at < end;)
        {
            DataRun run = new() { Start = at, End = end };
            error = isVolumes ? StorageClient.FindData(in caller, in node->Handle, at, out run) : Errno.None;
            ulong start = Math.Max(run.Start, at);
            ulong stop = Math.Min(run.End, end);
            if (error == Errno.None && start < stop)
            {
                error = RegularFile.Clear(process, node, start, stop - start);
            }

            if (run.End <= at)
            {
                break;
            }

            at = run.End;
        }

        // Of the space behind the end of the file only what shares a page with the end goes (ext4_punch_hole).
        ulong lastPageEnd = ((attributes.Size / PageOperations.PageSize) + 1) * PageOperations.PageSize;
        return error != Errno.None || !isVolumes ? error : Dig(process, node, offset, Math.Min(offset + lengthBytes, lastPageEnd));
    }

    /// <summary>
    /// Gives a range of a file space on the volume, so that writing there cannot fail for want of it. ENOSPC: a part may have got it.
    /// </summary>
    public static Errno Allocate(Process* process, OpenFile* file, ulong offset, ulong lengthBytes)
    {
        if (file->Node->Memory != null)
        {
            return Errno.None;
        }

        FileCaller caller = FileCaller.Of(process, file->Node);
        StorageClient.DropSetId(in caller, file->Node);
        // What is not stored yet has space of its own coming, and a time that would cover that of this call.
        Errno error = RegularFile.WriteBack(process, file->Node);
        ulong end = offset + lengthBytes;
        for (ulong at = offset; error == Errno.None && at < end; at += AllocateBytes)
        {
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return Errno.EINTR;
            }

            error = StorageClient.ChangeSpace(
                in caller, Opcode.StorageAllocate, in file->Node->Handle, at, (uint)Math.Min(AllocateBytes, end - at));
        }

        return error;
    }

    /// <summary>Messages part the range between blocks, so that each of its whole blocks is in one of them.</summary>
    private static Errno Dig(Process* process, FileNode* node, ulong offset, ulong end)
    {
        FileCaller caller = FileCaller.Of(process, node);
        Errno error = RegularFile.WriteBack(process, node);
        for (ulong at = offset; error == Errno.None && at < end;)
        {
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return Errno.EINTR;
            }

            error = StorageClient.FindData(in caller, in node->Handle, at, out DataRun run);
            // Space that nobody has written is given back by its extents alone.
            ulong stop = run.Start > at ? Math.Min(run.Start, (at / PassBytes * PassBytes) + PassBytes)
                : run.Start < run.End ? (at / DigBytes * DigBytes) + DigBytes
                : end;
            stop = Math.Min(stop, end);
            error = error == Errno.None
                ? StorageClient.ChangeSpace(in caller, Opcode.StorageDigHoles, in node->Handle, at, (uint)(stop - at))
                : error;
            at = stop;
        }

        return error == Errno.ENOSPC ? Errno.None : error;
    }
}
