// Descriptors of processes (pidfd_open(2)): they name one process for good and become readable when it ends, hung up when it has been
// waited for. Reading and writing are EINVAL. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of process descriptors.</summary>
public sealed unsafe class ProcessDescriptor(FileSystem files) : FileOperations(files)
{
    /// <summary>All that are open: the end of a process is told to those that name it.</summary>
    private OpenFile* _first;

    /// <summary>As on Linux: what is wrong with reading at a position is that nothing can be read.</summary>
    public override bool IsSeekable => true;

    /// <summary>A new one, for a process that its Subject is yet to name; null when memory is exhausted.</summary>
    public OpenFile* Open(OpenFlags flags)
    {
        OpenFile* file = OpenFile.Create(Files, FileKind.Process, OpenFlags.ReadWrite | (flags & OpenFlags.NonBlocking));
        if (file != null)
        {
            file->NextDescriptor = _first;
            if (_first != null)
            {
                _first->PreviousDescriptor = file;
            }

            _first = file;
        }

        return file;
    }

    /// <summary>A process has become a zombie, or is no more.</summary>
    public void OnEnd(uint id)
    {
        for (OpenFile* file = _first; file != null; file = file->NextDescriptor)
        {
            if (file->Subject.Id == id)
            {
                Files.Readiness.Notify(ref file->OwnWatchers, PollEvents.Readable | PollEvents.HangUp);
            }
        }
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = EpollFile.AnonymousStatus();
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file)
    {
        Process* process = file->Subject.Find(Files.Processes);
        return process == null ? PollEvents.Readable | PollEvents.HangUp
            : process->State == ProcessState.Zombie ? PollEvents.Readable
            : PollEvents.None;
    }

    public override Watchers* WatchersOf(OpenFile* file) => &file->OwnWatchers;

    public override int Describe(OpenFile* file, Span<byte> text) => EpollFile.DescribeAnonymous("anon_inode:[pidfd]"u8, text);

    public override void Close(OpenFile* file)
    {
        (file->PreviousDescriptor == null ? ref _first : ref file->PreviousDescriptor->NextDescriptor) = file->NextDescriptor;
        if (file->NextDescriptor != null)
        {
            file->NextDescriptor->PreviousDescriptor = file->PreviousDescriptor;
        }
    }
}
