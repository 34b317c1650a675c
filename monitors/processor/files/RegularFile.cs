// Regular files of the volume: reads and writes go to the memory component in pieces of FileRequest.MaxTransfer, through one transfer
// buffer; what is resident is read without it (FileLines.cs). Sizes and their limit are in RegularFile.Sizes.cs. All functions BLOCK for
// messages.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of regular files.</summary>
public sealed unsafe partial class RegularFile(FileSystem files) : FileOperations(files)
{
    /// <summary>
    /// No file of an ext4 volume with blocks of 4 KB is longer (its block numbers have 32 bits), and no position lies beyond.
    /// </summary>
    private const long MaxVolumeFileBytes = 0xffff_ffffL * 4096;

    public override bool IsSeekable => true;

    public override bool HasPosition => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        bool keeps = to.RemainingBytes < FileLines.StreamBytes;
        long total = 0;
        if (to.RemainingBytes != 0)
        {
            ReadTimes.Note(file);
        }

        while (to.RemainingBytes != 0)
        {
            // A call may move gigabytes: between pieces others get the buffer, and a fatal signal ends it.
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return total != 0 ? total : CallResult.Fail(Errno.EINTR);
            }

            int wanted = (int)Math.Min(to.RemainingBytes, TransferBuffer.DataBytes);
            Errno error = Files.Mappings.Publish(file->Node, position, position + (ulong)wanted);
            ulong moved = 0;
            if (error == Errno.None && !FileLines.TryRead(process, file->Node, ref position, (ulong)wanted, ref to, out moved, out error))
            {
                error = ReadByMessage(process, file->Node, ref position, wanted, keeps, ref to, out moved);
            }

            total += (long)moved;
            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }

            if (moved < (ulong)wanted)
            {
                break;
            }
        }

        return total;
    }

    /// <summary>One piece that the memory component is asked for. On an error some bytes may have been moved.</summary>
    private static Errno ReadByMessage(
        Process* process, FileNode* node, ref ulong position, int wantedBytes, bool keeps, ref IoVector to, out ulong moved)
    {
        int arrived = 0;
        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = FileSystem.Of(caller.Processes).Buffers.Take();
        Errno error = FileLines.Fetch(in caller, node, position, wantedBytes, keeps, buffer.Data, out ReadOnlySpan<byte> bytes);
        error = error != Errno.None ? error : to.Give(bytes, out arrived);
        moved = (ulong)arrived;
        position += moved;
        return error;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        OpenFlags asked = file->Flags | from.Extra;
        FileWriteFlags flags = ((asked & OpenFlags.Append) != 0 ? FileWriteFlags.Append : FileWriteFlags.None)
            | ((asked & OpenFlags.DataSync) != 0 ? FileWriteFlags.Synchronous : FileWriteFlags.None);
        if (from.RemainingBytes != 0 && file->Node->HasSetId)
        {
            DropSetId(process, file->Node);
        }

        long total = 0;
        while (from.RemainingBytes != 0)
        {
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return total != 0 ? total : CallResult.Fail(Errno.EINTR);
            }

            ulong limited = position;
            Errno error = (flags & FileWriteFlags.Append) != 0 ? EndForLimit(process, file, out limited) : Errno.None;
            ulong room = RoomBelowLimit(process, limited);
            if (error == Errno.None && room == 0)
            {
                return total != 0 ? total : TooLarge(process);
            }

            ulong moved = 0;
            if (error == Errno.None && !(flags == FileWriteFlags.None && TryKeep(file, room, ref position, ref from, out moved)))
            {
                error = WriteByBuffer(process, file, flags, room, ref position, ref from, out moved);
            }

            total += (long)moved;
            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }
        }

        return total;
    }

    /// <summary>
    /// Keeps what is left of a write from where it lies, if that is in two pages of the program at most, and they are there (KeptWrites).
    /// False: nothing has moved.
    /// </summary>
    private bool TryKeep(OpenFile* file, ulong roomBytes, ref ulong position, ref IoVector from, out ulong lengthBytes)
    {
        lengthBytes = from.RemainingBytes;
        if (!file->HasWritten || lengthBytes > PageOperations.PageSize || lengthBytes > roomBytes)
        {
            lengthBytes = 0;
            return false;
        }

        from.SpendTurn(lengthBytes);
        if (!from.TryReserveAll(MissAccess.Read, out SplitBytes bytes) || !Files.Kept.TryKeep(file, position, in bytes))
        {
            lengthBytes = 0;
            return false;
        }

        from.Advance(lengthBytes);
        position += lengthBytes;
        return true;
    }

    /// <summary>One piece that is gathered first: it is kept, or written by message. On an error some bytes may have been moved.</summary>
    private Errno WriteByBuffer(
        Process* process, OpenFile* file, FileWriteFlags flags, ulong roomBytes, ref ulong position, ref IoVector from, out ulong moved)
    {
        moved = 0;
        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = Files.Buffers.Take();
        int wanted = (int)Math.Min(Math.Min(from.RemainingBytes, roomBytes), TransferBuffer.DataBytes);
        Errno fault = from.Take(buffer.Data.Slice(0, wanted), out int gathered);
        if (gathered == 0)
        {
            return fault;
        }

        SplitBytes bytes = new(buffer.Data.Slice(0, gathered));
        if (flags == FileWriteFlags.None && fault == Errno.None && Files.Kept.TryKeep(file, position, in bytes))
        {
            moved = (uint)gathered;
            position += moved;
            return Errno.None;
        }

        Errno error = Put(process, in caller, file->Node, in buffer, position, gathered, flags, out FileWriteReply reply);
        if (error != Errno.None)
        {
            return error;
        }

        // Failures from the first write on concern this open file; earlier ones only if nobody has heard of them.
        file->KnownWriteError = file->KnownWriteError != 0 ? file->KnownWriteError : reply.LastWriteError;
        file->HasWritten = true;
        moved = reply.Written;
        position = reply.Offset + moved;
        return moved < (uint)gathered ? Errno.ENOSPC : fault;
    }

    private static void DropSetId(Process* process, FileNode* node)
    {
        FileCaller caller = FileCaller.Of(process);
        StorageClient.DropSetId(in caller, node);
    }

    /// <summary>
    /// Writes one piece; mappings follow. EPERM: a seal forbids it. Where an append goes is known afterwards only, so it takes all shared
    /// lines away.
    /// </summary>
    private static Errno Put(Process* process, in FileCaller caller, FileNode* node, in TransferBuffer buffer, ulong offset,
        int lengthBytes, FileWriteFlags flags,
        out FileWriteReply reply)
    {
        reply = default;
        FileMappings mappings = FileSystem.Of(process).Mappings;
        bool appends = (flags & FileWriteFlags.Append) != 0;
        MemoryFile.BeginChange(node->Memory);
        Errno error = CheckSeals(in caller, node, offset + (ulong)lengthBytes, appends);
        uint backing = 0;
        error = error != Errno.None ? error
            : mappings.BeginChange(node, appends ? 0 : offset, appends ? ulong.MaxValue : offset + (ulong)lengthBytes, out backing);
        if (error != Errno.None)
        {
            MemoryFile.EndChange(node->Memory);
            return error;
        }

        uint changes = node->Changes;
        ulong moment = caller.Leases.Clock.Now;
        bool isAlone = node->UnmappedChanges == 1;
        error = FileClient.Write(in caller, node, in buffer, offset, lengthBytes, flags, out reply);
        if (error == Errno.None)
        {
            isAlone &= changes == node->Changes;
            FileSystem.Of(process).Kept.Answered(node, in reply, moment, isAlone);
            mappings.Changed(node, reply.Offset, buffer.Data.Slice(0, (int)Math.Min(reply.Written, (uint)lengthBytes)), isAlone);
        }
        else
        {
            mappings.MayHaveChanged(node);
        }

        MemoryFile.EndChange(node->Memory);
        mappings.EndChange(node, backing);
        return error;
    }

    private static Errno CheckSeals(in FileCaller caller, FileNode* node, ulong end, bool appends)
    {
        if (node->Memory == null || node->Memory->Seals == FileSeals.None)
        {
            return Errno.None;
        }

        Errno error = FileClient.Status(in caller, node, out FileAttributes attributes);
        return error != Errno.None ? error : node->Memory->CheckWrite(appends ? ulong.MaxValue : end, attributes.Size);
    }

    /// <summary>Copies between two files piece by piece, moving both positions; the bytes stay in one buffer of the kernel.</summary>
    internal static long Copy(Process* process, OpenFile* from, ref ulong source, OpenFile* to, ref ulong target, ulong lengthBytes)
    {
        FileCaller caller = FileCaller.Of(process);
        FileWriteFlags flags = (to->Flags & OpenFlags.DataSync) != 0 ? FileWriteFlags.Synchronous : FileWriteFlags.None;
        StorageClient.DropSetId(in caller, to->Node);
        ReadTimes.Note(from);
        long total = 0;
        while ((ulong)total < lengthBytes)
        {
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return total != 0 ? total : CallResult.Fail(Errno.EINTR);
            }

            ulong room = RoomBelowLimit(process, target);
            if (room == 0)
            {
                return total != 0 ? total : TooLarge(process);
            }

            using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
            int wanted = (int)Math.Min(Math.Min(lengthBytes - (ulong)total, room), TransferBuffer.DataBytes);
            int length = 0;
            Errno error = FileSystem.Of(process).Mappings.Publish(from->Node, source, source + (ulong)wanted);
            error = error != Errno.None ? error : FileClient.Read(in caller, from->Node, source, buffer.Data.Slice(0, wanted), out length);
            if (error == Errno.None && length == 0)
            {
                break;
            }

            FileWriteReply reply = default;
            error = error == Errno.None ? Put(process, in caller, to->Node, in buffer, target, length, flags, out reply) : error;
            if (error == Errno.None && reply.Written == 0)
            {
                error = Errno.ENOSPC;
            }

            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }

            source += reply.Written;
            target += reply.Written;
            total += reply.Written;
        }

        return total;
    }

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin)
    {
        long target;
        if (origin is SeekOrigin.Start or SeekOrigin.Current)
        {
            target = origin == SeekOrigin.Start ? offset : (long)file->Offset + offset;
        }
        else
        {
            FileCaller caller = FileCaller.Of(process);
            Errno error = FileClient.Status(in caller, file->Node, out FileAttributes attributes);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }

            long size = (long)attributes.Size;
            if (origin != SeekOrigin.End && (ulong)offset >= attributes.Size)
            {
                return CallResult.Fail(Errno.ENXIO);
            }

            ulong found = 0;
            error = origin == SeekOrigin.End ? Errno.None
                : FileHoles.Seek(process, file, (ulong)offset, attributes.Size, origin, out found);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }

            target = origin == SeekOrigin.End ? size + offset : (long)found;
        }

        if (target < 0 || (target > MaxVolumeFileBytes && file->Node->Memory == null))
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        file->Offset = (ulong)target;
        return target;
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = default;
        if (file->Node->Memory != null)
        {
            return MemoryObject.Status(process, file->Node, out status);
        }

        status.Device = DeviceNumber.Volume;
        FileCaller caller = FileCaller.Of(process);
        Errno error = FileClient.Status(in caller, file->Node, out status.Attributes);
        ReadTimes.Complete(Files.Nodes, file->Node->Place.Storage, ref status.Attributes);
        return error;
    }

    public override Errno Synchronize(Process* process, OpenFile* file)
    {
        FileCaller caller = FileCaller.Of(process);
        Errno error = Files.Mappings.Publish(file->Node, 0, ulong.MaxValue);
        error = error != Errno.None ? error : FileClient.Synchronize(in caller, file->Node, ref file->KnownWriteError);
        Errno kept = KeptWrites.TakeError(file);
        return error != Errno.None ? error : kept;
    }

    /// <summary>Hands what was written to the storage component, which need not write it to its device (sync_file_range(2)).</summary>
    internal static Errno WriteBack(Process* process, FileNode* node)
    {
        FileCaller caller = FileCaller.Of(process, node);
        Errno error = FileSystem.Of(process).Mappings.Publish(node, 0, ulong.MaxValue);
        return error != Errno.None || node->Memory != null ? error : FileClient.WriteBack(in caller, in node->Handle, node->Path);
    }

    /// <summary>Makes a part of a file zero, as far as the file goes; its size stays.</summary>
    internal static Errno Clear(Process* process, FileNode* node, ulong offset, ulong lengthBytes)
    {
        FileCaller caller = FileCaller.Of(process);
        Errno error = FileClient.Status(in caller, node, out FileAttributes attributes);
        ulong end = Math.Min(offset + lengthBytes, attributes.Size);
        StorageClient.DropSetId(in caller, node);
        while (error == Errno.None && offset < end)
        {
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return Errno.EINTR;
            }

            using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
            int length = (int)Math.Min(end - offset, TransferBuffer.DataBytes);
            buffer.Data.Slice(0, length).Clear();
            error = Put(process, in caller, node, in buffer, offset, length, FileWriteFlags.None, out FileWriteReply reply);
            error = error == Errno.None && reply.Written == 0 ? Errno.ENOSPC : error;
            offset += reply.Written;
        }

        return error;
    }

    public override int Describe(OpenFile* file, Span<byte> text) => DescribeNode(file->Node, text);

    public override void Close(OpenFile* file)
    {
        if (file->IsWriter && file->Node->Writers == 1)
        {
            Files.Kept.WriteOut(file->Node);
        }

        file->Node->Writers -= file->IsWriter ? 1u : 0;
        Files.Nodes.Release(file->Node);
    }

    /// <summary>A node's path, cut to the text's room, with " (deleted)" where it has no name left.</summary>
    internal static int DescribeNode(FileNode* node, Span<byte> text)
    {
        TextBuffer buffer = new(text);
        buffer.Append(node->Path);
        if (node->IsUnlinked)
        {
            buffer.Append(" (deleted)"u8);
        }

        return buffer.Text.Length;
    }
}
