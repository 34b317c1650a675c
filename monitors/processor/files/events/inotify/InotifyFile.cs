// The open file of an inotify instance (inotify(7)): reading takes as many whole events as fit. A copy to the program may block, so an
// event leaves the queue before it is copied.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of inotify instances.</summary>
public sealed unsafe class InotifyFile(FileSystem files) : FileOperations(files)
{
    /// <summary>A new instance. EMFILE: the user has too many; ENOMEM.</summary>
    public static Errno Open(FileSystem files, uint userId, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        Errno error = files.Inotify.Create(userId, out InotifyInstance* instance);
        if (error != Errno.None)
        {
            return error;
        }

        file = OpenFile.Create(files, FileKind.Inotify, OpenFlags.ReadOnly | flags);
        if (file == null)
        {
            files.Inotify.End(instance);
            return Errno.ENFILE;
        }

        file->Inotify = instance;
        return Errno.None;
    }

    /// <summary>EINVAL: the next event does not fit.</summary>
    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        InotifyInstance* instance = file->Inotify;
        while (instance->FirstEvent == null)
        {
            Errno error = file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref instance->Arrived);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }

        long total = 0;
        while (instance->FirstEvent != null)
        {
            ulong bytes = (ulong)sizeof(InotifyRecord) + instance->FirstEvent->Record.NameBytes;
            if (to.RemainingBytes < bytes)
            {
                return total != 0 ? total : CallResult.Fail(Errno.EINVAL);
            }

            InotifyEvent taken = Files.Inotify.Take(instance);
            Errno copied = to.Give(MemoryMarshal.AsBytes(new ReadOnlySpan<InotifyRecord>(in taken.Record)), out _);
            copied = copied == Errno.None ? to.Give(taken.PaddedName, out _) : copied;
            if (copied != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(copied);
            }

            total += (long)bytes;
        }

        return total;
    }

    /// <summary>Linux's noop_llseek.</summary>
    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override long Control(Process* process, OpenFile* file, uint request, ulong argument) =>
        request == TerminalRequests.BytesReadable
            ? CallResult.Of(new UserPointer<int>(argument).Write(process, (int)file->Inotify->QueuedBytes))
            : CallResult.Fail(Errno.ENOTTY);

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = EpollFile.AnonymousStatus();
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file) => file->Inotify->FirstEvent != null ? PollEvents.Readable : PollEvents.None;

    public override Watchers* WatchersOf(OpenFile* file) => &file->Inotify->Watchers;

    public override int Describe(OpenFile* file, Span<byte> text) => EpollFile.DescribeAnonymous("anon_inode:inotify"u8, text);

    public override void Close(OpenFile* file) => Files.Inotify.End(file->Inotify);
}
