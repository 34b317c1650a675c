// What can be done with an open file, one object per kind and file system. System calls check descriptors and arguments, then come here.
// All may BLOCK except Poll. Results are as system calls give them: a count, or -(long)errno.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Whence of lseek(2).</summary>
public enum SeekOrigin : uint
{
    Start = 0,
    Current = 1,
    End = 2,
    Data = 3,
    Hole = 4,
}

/// <summary>The operations of one kind of open file; the defaults are what the kernel answers where a kind has no such operation.</summary>
public abstract unsafe class FileOperations
{
    protected FileOperations(FileSystem files)
    {
        Files = files;
        Self = new ObjectPointer<FileOperations>(this);
    }

    /// <summary>The file system that the open files of this kind belong to.</summary>
    public FileSystem Files { get; }

    /// <summary>How open files refer to this object.</summary>
    public ObjectPointer<FileOperations> Self { get; }

    /// <summary>True when lseek and pread work.</summary>
    public virtual bool IsSeekable => false;

    /// <summary>True when read and write move a position, which one call uses at a time.</summary>
    public virtual bool HasPosition => false;

    /// <summary>Reads from <paramref name="position"/> on and moves it; 0 is the end of the file.</summary>
    public virtual long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to) => CallResult.Fail(Errno.EINVAL);

    /// <summary>Writes at <paramref name="position"/> and moves it.</summary>
    public virtual long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from) => CallResult.Fail(Errno.EINVAL);

    /// <summary>lseek(2); the new position. EINVAL, ESPIPE, ENXIO.</summary>
    public virtual long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => CallResult.Fail(Errno.ESPIPE);

    /// <summary>fstat(2).</summary>
    public abstract Errno Status(Process* process, OpenFile* file, out FileStatus status);

    /// <summary>Fills a getdents64 buffer; 0 at the end.</summary>
    public virtual long ReadDirectory(Process* process, OpenFile* file, ref IoVector to) => CallResult.Fail(Errno.ENOTDIR);

    /// <summary>What poll(2) would report now. Never blocks.</summary>
    public virtual PollEvents Poll(OpenFile* file) => PollEvents.Readable | PollEvents.Writable;

    /// <summary>poll(2) looks at the file and may wait for it: asks for what only comes when it is asked for. May BLOCK.</summary>
    public virtual void Prompt(Process* process, OpenFile* file)
    {
    }

    /// <summary>True when <see cref="Prompt"/> does anything.</summary>
    public virtual bool IsPrompted => false;

    /// <summary>Whom its object tells of changes; null: it is always ready, and epoll refuses to watch it. Never blocks.</summary>
    public virtual Watchers* WatchersOf(OpenFile* file) => null;

    /// <summary>ioctl(2) requests that are particular to the kind.</summary>
    public virtual long Control(Process* process, OpenFile* file, uint request, ulong argument) => CallResult.Fail(Errno.ENOTTY);

    /// <summary>ftruncate(2).</summary>
    public virtual Errno Truncate(Process* process, OpenFile* file, ulong sizeBytes) => Errno.EINVAL;

    /// <summary>fsync(2).</summary>
    public virtual Errno Synchronize(Process* process, OpenFile* file) => Errno.EINVAL;

    /// <summary>What readlink of /proc/PID/fd/N says; bytes written.</summary>
    public abstract int Describe(OpenFile* file, Span<byte> text);

    /// <summary>The last reference is gone.</summary>
    public virtual void Close(OpenFile* file)
    {
    }
}

/// <summary>Attributes of a file and the device that it is on.</summary>
public struct FileStatus
{
    public FileAttributes Attributes;
    /// <summary>st_dev.</summary>
    public uint Device;

    /// <summary>Attributes of something that exists only in this kernel; times are those of the boot.</summary>
    public static FileStatus Synthetic(uint device, uint inode, uint mode, uint deviceNumber = 0)
    {
        FileStatus status = default;
        status.Device = device;
        status.Attributes.Handle.Inode = inode;
        status.Attributes.Mode = mode;
        status.Attributes.Links = 1;
        status.Attributes.DeviceNumber = deviceNumber;
        status.Attributes.BlockSize = 4096;
        ulong bootTimeNs = Clock.UnixTimeNs() - Clock.NowNs();
        status.Attributes.AccessTimeNs = bootTimeNs;
        status.Attributes.ModifyTimeNs = bootTimeNs;
        status.Attributes.ChangeTimeNs = bootTimeNs;
        return status;
    }
}
