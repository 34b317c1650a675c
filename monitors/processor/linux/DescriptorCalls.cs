// Descriptors: open, openat, creat, close, close_range, dup, dup2, dup3, fcntl (open(2), close(2), dup(2), fcntl(2)).

using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that make, copy and close descriptors.</summary>
public static unsafe class DescriptorCalls
{
    private const ulong CloseRangeCloseOnExec = 4;
    private const ulong CloseRangeUnshare = 2;

    // Commands of fcntl(2).
    private const ulong Duplicate = 0;
    private const ulong GetDescriptorFlags = 1;
    private const ulong SetDescriptorFlags = 2;
    private const ulong GetStatusFlags = 3;
    private const ulong SetStatusFlags = 4;
    private const ulong GetLock = 5;
    private const ulong SetLock = 6;
    private const ulong SetLockAndWait = 7;
    private const ulong SetOwner = 8;
    private const ulong GetOwner = 9;
    private const ulong SetSignal = 10;
    private const ulong GetSignal = 11;
    private const ulong SetOwnerOfKind = 15;
    private const ulong GetOwnerOfKind = 16;
    private const ulong GetOpenFileLock = 36;
    private const ulong SetOpenFileLock = 37;
    private const ulong SetOpenFileLockAndWait = 38;
    private const ulong NotifyOfDirectory = 1026;
    private const ulong DuplicateCloseOnExec = 1030;
    private const ulong SetPipeSize = 1031;
    private const ulong GetPipeSize = 1032;

    private const ulong DescriptorCloseOnExec = 1;

    [SystemCall(2, "open", Support.Partial, "as openat")]
    internal static long Open(ref SystemCall call) =>
        OpenAt(ref call, unchecked((ulong)PathName.CurrentDirectory), call.A0, (OpenFlags)call.A1, (uint)call.A2);

    [SystemCall(257, "openat", Support.Partial, "O_DIRECT is accepted without effect, no file leases")]
    internal static long OpenAt(ref SystemCall call) => OpenAt(ref call, call.A0, call.A1, (OpenFlags)call.A2, (uint)call.A3);

    [SystemCall(437, "openat2", Support.Partial,
        "as openat; RESOLVE_CACHED is EAGAIN for what this processor component has not opened lately")]
    internal static long OpenAt2(ref SystemCall call)
    {
        if (call.A3 < (ulong)sizeof(OpenHow) || call.A3 > PageOperations.PageSize)
        {
            return SystemCall.Fail(call.A3 > PageOperations.PageSize ? Errno.E2BIG : Errno.EINVAL);
        }

        Errno error = new UserPointer<OpenHow>(call.A2).Read(call.Process, out OpenHow how);
        for (ulong offset = (ulong)sizeof(OpenHow); error == Errno.None && offset < call.A3; offset++)
        {
            error = new UserPointer<byte>(call.A2 + offset).Read(call.Process, out byte value);
            error = error == Errno.None && value != 0 ? Errno.E2BIG : error;
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        // Unlike open(2), nothing unknown is ignored, and no mode is given for nothing.
        const uint Known = 0x7FFFC3;
        OpenFlags flags = (OpenFlags)how.Flags;
        bool creates = (flags & (OpenFlags.Create | OpenFlags.Temporary)) != 0;
        bool isPath = (flags & OpenFlags.Path) != 0 && (flags & ~(OpenFlags.RememberedOfPath | OpenFlags.CloseOnExec)) != 0;
        bool isBadMode = (how.Mode & ~(ulong)FileMode.PermissionMask) != 0 || (!creates && how.Mode != 0);
        PathScope scope = (PathScope)how.Resolve;
        bool isBadScope = (how.Resolve & ~(ulong)PathScope.All) != 0 || (scope & PathScope.Kept) == PathScope.Kept;
        if ((how.Flags & ~(ulong)Known) != 0 || isPath || isBadMode || isBadScope)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        bool changes = creates || (flags & OpenFlags.Truncate) != 0;
        return (scope & PathScope.KnownOnly) != 0 && changes
            ? SystemCall.Fail(Errno.EAGAIN)
            : OpenAt(ref call, call.A0, call.A1, flags, (uint)how.Mode, scope);
    }

    /// <summary>struct open_how of openat2(2).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct OpenHow
    {
        internal ulong Flags;
        internal ulong Mode;
        internal ulong Resolve;
    }

    [SystemCall(85, "creat", Support.Full)]
    internal static long Create(ref SystemCall call)
    {
        const OpenFlags Flags = OpenFlags.Create | OpenFlags.Truncate | OpenFlags.WriteOnly;
        return OpenAt(ref call, unchecked((ulong)PathName.CurrentDirectory), call.A0, Flags, (uint)call.A1);
    }

    [SystemCall(3, "close", Support.Full)]
    internal static long Close(ref SystemCall call) => SystemCall.Result(FileTable.Of(call.Process)->Close((uint)call.A0));

    [SystemCall(436, "close_range", Support.Partial, "CLOSE_RANGE_UNSHARE is for processes of one thread: EINVAL")]
    internal static long CloseRange(ref SystemCall call)
    {
        ulong first = (uint)call.A0;
        ulong last = (uint)call.A1;
        if (first > last || (call.A2 & ~(CloseRangeCloseOnExec | CloseRangeUnshare)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = (call.A2 & CloseRangeUnshare) != 0 ? ProcessCalls.Unshare(call.Process, CloneFlags.Files) : Errno.None;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        FileTable* table = FileTable.Of(call.Process);
        if ((call.A2 & CloseRangeCloseOnExec) == 0)
        {
            table->Close(first, last, OnlyMarked.No);
            return 0;
        }

        for (int open = table->NextOpen(first); open >= 0 && (ulong)open <= last; open = table->NextOpen((ulong)open + 1))
        {
            table->SetCloseOnExec((ulong)open, true);
        }

        return 0;
    }

    [SystemCall(32, "dup", Support.Full)]
    internal static long Dup(ref SystemCall call) => DuplicateFrom(ref call, 0, closeOnExec: false);

    [SystemCall(33, "dup2", Support.Full)]
    internal static long Dup2(ref SystemCall call)
    {
        if ((uint)call.A0 == (uint)call.A1)
        {
            return FileTable.Of(call.Process)->Find((uint)call.A0) == null ? SystemCall.Fail(Errno.EBADF) : (long)call.A1;
        }

        return DuplicateTo(ref call, closeOnExec: false);
    }

    [SystemCall(292, "dup3", Support.Full)]
    internal static long Dup3(ref SystemCall call)
    {
        bool badFlags = ((OpenFlags)call.A2 & ~OpenFlags.CloseOnExec) != 0;
        return badFlags || (uint)call.A0 == (uint)call.A1
            ? SystemCall.Fail(Errno.EINVAL)
            : DuplicateTo(ref call, ((OpenFlags)call.A2 & OpenFlags.CloseOnExec) != 0);
    }

    [SystemCall(72, "fcntl", Support.Partial,
        "no leases; F_NOTIFY tells what inotify does; pipes hold at most /proc/sys/fs/pipe-max-size for root as well")]
    internal static long Control(ref SystemCall call)
    {
        FileTable* table = FileTable.Of(call.Process);
        ulong number = (uint)call.A0;
        OpenFile* file = table->Find(number);
        bool allowed = file != null && (!file->IsPathOnly
            || call.A1 is Duplicate or DuplicateCloseOnExec or GetDescriptorFlags or SetDescriptorFlags or GetStatusFlags);
        if (!allowed)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        switch (call.A1)
        {
            case Duplicate:
                return (uint)call.A2 >= LimitOf(call.Process)
                    ? SystemCall.Fail(Errno.EINVAL)
                    : DuplicateFrom(ref call, (uint)call.A2, closeOnExec: false);
            case DuplicateCloseOnExec:
                return (uint)call.A2 >= LimitOf(call.Process)
                    ? SystemCall.Fail(Errno.EINVAL)
                    : DuplicateFrom(ref call, (uint)call.A2, closeOnExec: true);
            case GetDescriptorFlags:
                return table->IsCloseOnExec(number) ? (long)DescriptorCloseOnExec : 0;
            case SetDescriptorFlags:
                table->SetCloseOnExec(number, (call.A2 & DescriptorCloseOnExec) != 0);
                return 0;
            case GetStatusFlags:
                return (long)file->Flags;
            case SetStatusFlags:
                return SystemCall.Result(ChangeStatusFlags(ref call, (OpenFlags)call.A2));
            case SetOwner:
                return SystemCall.Result(file->SignalDriven.SetOwner(call.Process, (int)call.A2));
            case GetOwner:
                return file->SignalDriven.GetOwner(call.Process->Table);
            case SetOwnerOfKind:
                Errno error = new UserPointer<FileOwner>(call.A2).Read(call.Process, out FileOwner owner);
                return SystemCall.Result(error != Errno.None ? error : file->SignalDriven.SetOwner(call.Process, owner));
            case GetOwnerOfKind:
                return SystemCall.Result(new UserPointer<FileOwner>(call.A2).Write(
                    call.Process, file->SignalDriven.GetOwnerOfKind(call.Process->Table)));
            case SetSignal:
                if ((uint)call.A2 > Signal.Count)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                file->SignalDriven.Signal = (byte)call.A2;
                return 0;
            case GetSignal:
                return file->SignalDriven.Signal;
            case GetLock:
            case SetLock:
            case SetLockAndWait:
            case GetOpenFileLock:
            case SetOpenFileLock:
            case SetOpenFileLockAndWait:
                return LockCalls.Control(ref call);
            case NotifyOfDirectory:
                return SystemCall.Result(Notify(ref call, file, (DirectoryChanges)(uint)call.A2));
            case GetPipeSize:
                return file->Kind == FileKind.Pipe ? file->Pipe->Ring.Capacity : SystemCall.Fail(Errno.EBADF);
            case SetPipeSize:
                return ResizePipe(ref call);
            case MemoryFileCalls.AddSeals:
            case MemoryFileCalls.GetSeals:
                return MemoryFileCalls.Seal(ref call);
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    /// <summary>Gives an open file a descriptor; on failure the reference is dropped. The descriptor, or -errno.</summary>
    internal static long Install(Process* process, OpenFile* file, bool closeOnExec, ulong lowest = 0)
    {
        Errno error = FileTable.Of(process)->Install(file, closeOnExec, lowest, LimitOf(process), out int descriptor);
        if (error != Errno.None)
        {
            OpenFile.Release(file);
            return SystemCall.Fail(error);
        }

        return descriptor;
    }

    /// <summary>Soft RLIMIT_NOFILE.</summary>
    internal static ulong LimitOf(Process* process) => process->Limits[2 * ResourceLimit.Files];

    private static long OpenAt(
        ref SystemCall call, ulong directory, ulong address, OpenFlags flags, uint mode, PathScope scope = PathScope.None)
    {
        // Beside O_PATH few flags count (build_open_flags).
        flags &= (flags & OpenFlags.Path) != 0 ? OpenFlags.RememberedOfPath | OpenFlags.CloseOnExec : (OpenFlags)uint.MaxValue;
        bool isBadTemporary = (flags & OpenFlags.Temporary) != 0
            && ((flags & OpenFlags.Directory) == 0 || (flags & OpenFlags.AccessMask) == OpenFlags.ReadOnly);
        if (isBadTemporary || (flags & (OpenFlags.Create | OpenFlags.Directory)) == (OpenFlags.Create | OpenFlags.Directory))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(call.Process, directory, address, EmptyPath.Error, scope);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        if (!FileTable.Of(call.Process)->HasFree(LimitOf(call.Process)))
        {
            return SystemCall.Fail(Errno.EMFILE);
        }

        Errno error = FileOpening.Open(call.Process, in path, flags, mode, out OpenFile* file);
        return error != Errno.None ? SystemCall.Fail(error) : Install(call.Process, file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    /// <summary>
    /// F_NOTIFY. ENOTDIR; EOPNOTSUPP: a directory that is served here, of which inotify does not tell either; ENOMEM.
    /// </summary>
    private static Errno Notify(ref SystemCall call, OpenFile* file, DirectoryChanges wanted)
    {
        Inotify inotify = FileSystem.Of(call.Process).Inotify;
        LockOwner table = FileTable.Of(call.Process)->Owner;
        if ((wanted & ~DirectoryChanges.Several) == 0)
        {
            inotify.EndNotice(file, table);
            return Errno.None;
        }

        if (file->Kind != FileKind.Directory)
        {
            return file->Kind == FileKind.PseudoDirectory ? Errno.EOPNOTSUPP : Errno.ENOTDIR;
        }

        Errno error = file->SignalDriven.HasOwner ? Errno.None : file->SignalDriven.SetOwner(call.Process, (int)call.Process->Id);
        return error != Errno.None ? error : inotify.Notify(file, table, (int)call.A0, wanted);
    }

    private static long ResizePipe(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        return descriptor.File->Kind != FileKind.Pipe ? SystemCall.Fail(Errno.EBADF) : Pipe.Resize(descriptor.File->Pipe, (uint)call.A2);
    }

    /// <summary>F_SETFL. EPERM: O_NOATIME on another user's file.</summary>
    private static Errno ChangeStatusFlags(ref SystemCall call, OpenFlags wanted)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        uint user = call.Process->FileSystemUserId;
        if ((wanted & ~descriptor.File->Flags & OpenFlags.NoAccessTime) != 0 && user != 0)
        {
            Errno error = descriptor.Operations.Status(call.Process, descriptor.File, out FileStatus status);
            if (error != Errno.None || status.Attributes.UserId != user)
            {
                return error != Errno.None ? error : Errno.EPERM;
            }
        }

        descriptor.File->Flags = (descriptor.File->Flags & ~OpenFlags.Settable) | (wanted & OpenFlags.Settable);
        SignalDrivenIo.Switch(descriptor.File, (wanted & OpenFlags.Async) != 0, (int)call.A0);
        return Errno.None;
    }

    private static long DuplicateFrom(ref SystemCall call, ulong lowest, bool closeOnExec)
    {
        OpenFile* file = FileTable.Of(call.Process)->Find((uint)call.A0);
        if (file == null)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        file->References++;
        return Install(call.Process, file, closeOnExec, lowest);
    }

    private static long DuplicateTo(ref SystemCall call, bool closeOnExec)
    {
        OpenFile* file = FileTable.Of(call.Process)->Find((uint)call.A0);
        if (file == null || (uint)call.A1 >= LimitOf(call.Process) || (uint)call.A1 >= FileTable.MaxDescriptors)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        file->References++;
        Errno error = FileTable.Of(call.Process)->Replace((uint)call.A1, file, closeOnExec);
        if (error != Errno.None)
        {
            OpenFile.Release(file);
            return SystemCall.Fail(error);
        }

        return (uint)call.A1;
    }
}
