// The open file of a message queue (mq_overview(7)): a descriptor that poll and epoll take, and that read tells the queue's state as a text
// (ipc/mqueue.c of Linux, mqueue_read_file). BLOCKS (copies).

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of message queues as files.</summary>
public sealed unsafe class PosixQueueFile(FileSystem files) : FileOperations(files)
{
    /// <summary>Linux's FILENT_SIZE.</summary>
    private const ulong SizeBytes = 80;

    /// <summary>An open file on a queue, with a reference of its own; null: ENFILE.</summary>
    public static OpenFile* Open(FileSystem files, PosixQueue* queue, OpenFlags flags)
    {
        OpenFile* file = OpenFile.Create(files, FileKind.PosixQueue, flags);
        if (file != null)
        {
            file->Queue = queue;
            queue->References++;
        }

        return file;
    }

    public override bool IsSeekable => true;

    public override bool HasPosition => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        PosixQueue* queue = file->Queue;
        TextBuffer text = new(stackalloc byte[(int)SizeBytes]);
        ref QueueListener listener = ref queue->Listener;
        bool isTold = listener.Kind != QueueNotice.Off;
        const int SigevThread = 2;
        Append(ref text, "QSIZE:"u8, queue->Bytes, 10);
        Append(ref text, " NOTIFY:"u8, listener.Kind == QueueNotice.None ? 1u : listener.Kind == QueueNotice.Message ? SigevThread : 0u, 5);
        Append(ref text, " SIGNO:"u8, listener.Kind == QueueNotice.Signal ? listener.Signal : 0u, 5);
        Append(ref text, " NOTIFY_PID:"u8, isTold ? listener.Process.Id : 0, 6);
        text.Append((byte)'\n');
        ReadOnlySpan<byte> rest = text.Text.Slice((int)Math.Min(position, (ulong)text.Text.Length));
        int length = (int)Math.Min((ulong)rest.Length, to.RemainingBytes);
        Errno error = to.Give(rest.Slice(0, length), out int given);
        position += (ulong)given;
        return given == 0 ? CallResult.Of(error, 0) : given;
    }

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin)
    {
        long target = origin switch
        {
            SeekOrigin.Start => offset,
            SeekOrigin.Current => (long)file->Offset + offset,
            SeekOrigin.End => (long)SizeBytes + offset,
            SeekOrigin.Data => (ulong)offset < SizeBytes ? offset : -1,
            _ => (ulong)offset < SizeBytes ? (long)SizeBytes : -1,
        };
        if (target < 0)
        {
            return CallResult.Fail(origin >= SeekOrigin.Data ? Errno.ENXIO : Errno.EINVAL);
        }

        file->Offset = (ulong)target;
        return target;
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = StatusOf(file->Queue);
        return Errno.None;
    }

    /// <summary>What fstat says.</summary>
    public static FileStatus StatusOf(PosixQueue* queue)
    {
        FileStatus status = FileStatus.Synthetic(DeviceNumber.MessageQueues, queue->Inode, FileMode.Regular);
        queue->Attributes.Describe(ref status);
        status.Attributes.Size = SizeBytes;
        status.Attributes.Links = queue->IsNamed ? 1u : 0;
        return status;
    }

    public override PollEvents Poll(OpenFile* file) =>
        (file->Queue->IsEmpty ? PollEvents.None : PollEvents.Readable) | (file->Queue->IsFull ? PollEvents.None : PollEvents.Writable);

    public override Watchers* WatchersOf(OpenFile* file) => &file->Queue->Watchers;

    public override int Describe(OpenFile* file, Span<byte> text)
    {
        TextBuffer buffer = new(text);
        buffer.Append((byte)'/');
        buffer.Append(file->Queue->Name);
        if (!file->Queue->IsNamed)
        {
            buffer.Append(" (deleted)"u8);
        }

        return buffer.Text.Length;
    }

    public override void Close(OpenFile* file) => Files.Queues.Release(file->Queue);

    private static void Append(ref TextBuffer text, ReadOnlySpan<byte> label, ulong number, int width)
    {
        text.Append(label);
        int before = text.Text.Length;
        text.AppendNumber(number);
        while (text.Text.Length - before < width)
        {
            text.Append((byte)' ');
        }
    }
}
