// Regular files of the volume: reads and writes go to the memory component in pieces of FileRequest.MaxTransfer, through one transfer
// buffer. All functions BLOCK for messages.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of regular files.</summary>
public sealed unsafe class RegularFile : FileOperations
{
    public static readonly RegularFile Instance = new();

    /// <summary>RLIMIT_FSIZE.</summary>
    private const int FileSizeLimit = 1;

    public override bool IsSeekable => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = TransferBuffers.Take();
        long total = 0;
        while (to.RemainingBytes != 0)
        {
            int wanted = (int)Math.Min(to.RemainingBytes, TransferBuffer.DataBytes);
            Errno error = FileClient.Read(in caller, file->Node, position, buffer.Data.Slice(0, wanted), out int length);
            int moved = 0;
            if (error == Errno.None)
            {
                error = to.Give(buffer.Data.Slice(0, length), out moved);
                position += (ulong)moved;
                total += moved;
            }

            if (error != Errno.None)
            {
                return total != 0 ? total : SystemCall.Fail(error);
            }

            if (length < wanted)
            {
                break;
            }
        }

        return total;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        FileCaller caller = FileCaller.Of(process);
        FileWriteFlags flags = ((file->Flags & OpenFlags.Append) != 0 ? FileWriteFlags.Append : FileWriteFlags.None)
            | ((file->Flags & OpenFlags.DataSync) != 0 ? FileWriteFlags.Synchronous : FileWriteFlags.None);
        using TransferBuffer buffer = TransferBuffers.Take();
        long total = 0;
        while (from.RemainingBytes != 0)
        {
            ulong room = RoomBelowLimit(process, position);
            if (room == 0)
            {
                if (total == 0)
                {
                    Signals.Send(process, SignalInfo.FromKernel(Signal.FileSize));
                }

                return total != 0 ? total : SystemCall.Fail(Errno.EFBIG);
            }

            int wanted = (int)Math.Min(Math.Min(from.RemainingBytes, room), TransferBuffer.DataBytes);
            Errno fault = from.Take(buffer.Data.Slice(0, wanted), out int gathered);
            if (gathered == 0)
            {
                return total != 0 ? total : SystemCall.Fail(fault);
            }

            Errno error = FileClient.Write(in caller, file->Node, in buffer, position, gathered, flags, out FileWriteReply reply);
            if (error != Errno.None)
            {
                return total != 0 ? total : SystemCall.Fail(error);
            }

            position = reply.Offset + reply.Written;
            total += reply.Written;
            if (fault != Errno.None)
            {
                break;
            }

            if (reply.Written < (uint)gathered)
            {
                return total != 0 ? total : SystemCall.Fail(Errno.ENOSPC);
            }
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
                return SystemCall.Fail(error);
            }

            long size = (long)attributes.Size;
            if (origin != SeekOrigin.End && (ulong)offset >= attributes.Size)
            {
                return SystemCall.Fail(Errno.ENXIO);
            }

            // A file system may report a file as one run of data with the hole at its end (lseek(2)).
            target = origin == SeekOrigin.End ? size + offset : origin == SeekOrigin.Data ? offset : size;
        }

        if (target < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        file->Offset = (ulong)target;
        return target;
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = default;
        status.Device = DeviceNumber.Volume;
        FileCaller caller = FileCaller.Of(process);
        return FileClient.Status(in caller, file->Node, out status.Attributes);
    }

    public override Errno Truncate(Process* process, OpenFile* file, ulong sizeBytes)
    {
        if (RoomBelowLimit(process, 0) < sizeBytes)
        {
            Signals.Send(process, SignalInfo.FromKernel(Signal.FileSize));
            return Errno.EFBIG;
        }

        FileCaller caller = FileCaller.Of(process);
        return FileClient.Truncate(in caller, in file->Node->Handle, file->Node->Path, sizeBytes);
    }

    public override Errno Synchronize(Process* process, OpenFile* file)
    {
        FileCaller caller = FileCaller.Of(process);
        return FileClient.Synchronize(in caller, in file->Node->Handle, file->Node->Path, FileWriteFlags.None);
    }

    public override int Describe(OpenFile* file, Span<byte> text) => DescribeNode(file->Node, text);

    public override void Close(OpenFile* file) => FileNodes.Release(file->Node);

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

    private static ulong RoomBelowLimit(Process* process, ulong position)
    {
        ulong limit = process->Limits[2 * FileSizeLimit];
        return limit <= position ? 0 : limit - position;
    }
}
