// Permissions, owners and times: chmod, fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat, utimensat, utimes, utime, futimesat,
// umask (chmod(2), chown(2), utimensat(2), umask(2)). BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that change attributes.</summary>
public static unsafe class Ownership
{
    private const long TimeNow = 0x3fffffff;
    private const long TimeOmit = 0x3ffffffe;
    private const ulong MicrosecondsPerSecond = 1_000_000;
    private const ulong SecondNs = 1_000_000_000;
    private const uint Unchanged = uint.MaxValue;

    private static ulong CurrentDirectory => unchecked((ulong)PathName.CurrentDirectory);

    /// <summary>struct timeval.</summary>
    private struct TimeValue
    {
        internal long Seconds;
        internal long Microseconds;
    }

    [SystemCall(90, "chmod", Support.Full)]
    internal static long ChangeMode(ref SystemCall call) => Change(call.Process, CurrentDirectory, call.A0, 0, ModeRequest(call.A1));

    [SystemCall(268, "fchmodat", Support.Full)]
    internal static long ChangeModeAt(ref SystemCall call) => Change(call.Process, call.A0, call.A1, 0, ModeRequest(call.A2));

    [SystemCall(452, "fchmodat2", Support.Partial, "AT_SYMLINK_NOFOLLOW is EOPNOTSUPP for symbolic links, as on most file systems")]
    internal static long ChangeModeAt2(ref SystemCall call)
    {
        if ((call.A3 & AtFlags.NoFollow) != 0)
        {
            using PathName path = PathName.FromUser(call.Process, call.A0, call.A1);
            FileStatus status = default;
            Errno error = path.Error != Errno.None
                ? path.Error
                : FileStatusLookup.Find(call.Process, in path, call.A0, LastLink.Keep, out status);
            bool isLink = (status.Attributes.Mode & FileMode.TypeMask) == FileMode.SymbolicLink;
            if (error != Errno.None || isLink)
            {
                return SystemCall.Fail(error != Errno.None ? error : Errno.EOPNOTSUPP);
            }
        }

        return Change(call.Process, call.A0, call.A1, call.A3, ModeRequest(call.A2));
    }

    [SystemCall(91, "fchmod", Support.Full)]
    internal static long ChangeModeOfDescriptor(ref SystemCall call) =>
        SystemCall.Result(ChangeDescriptor(call.Process, call.A0, ModeRequest(call.A1)));

    [SystemCall(92, "chown", Support.Full)]
    internal static long ChangeOwner(ref SystemCall call) =>
        Change(call.Process, CurrentDirectory, call.A0, 0, OwnerRequest(call.A1, call.A2));

    [SystemCall(94, "lchown", Support.Full)]
    internal static long ChangeOwnerOfLink(ref SystemCall call) =>
        Change(call.Process, CurrentDirectory, call.A0, AtFlags.NoFollow, OwnerRequest(call.A1, call.A2));

    [SystemCall(260, "fchownat", Support.Full)]
    internal static long ChangeOwnerAt(ref SystemCall call) =>
        Change(call.Process, call.A0, call.A1, call.A4, OwnerRequest(call.A2, call.A3));

    [SystemCall(93, "fchown", Support.Full)]
    internal static long ChangeOwnerOfDescriptor(ref SystemCall call) =>
        SystemCall.Result(ChangeDescriptor(call.Process, call.A0, OwnerRequest(call.A1, call.A2)));

    [SystemCall(280, "utimensat", Support.Full)]
    internal static long SetTimesAt(ref SystemCall call)
    {
        SetAttributesRequest request = NowRequest();
        bool isValid = true;
        Errno error = call.A2 == 0 ? Errno.None : ReadTimes(call.Process, call.A2, out request, out isValid);
        if (error != Errno.None || request.Mask == 0)
        {
            return SystemCall.Result(error);
        }

        // A null path means the descriptor itself (utimensat(2), "C library/kernel ABI differences").
        return call.A1 == 0 && (int)call.A0 == PathName.CurrentDirectory ? SystemCall.Fail(Errno.EFAULT)
            : call.A1 == 0 && call.A3 != 0 ? SystemCall.Fail(Errno.EINVAL)
            : !isValid ? SystemCall.Fail(WhyNot(call.Process, call.A0, call.A1, call.A3))
            : call.A1 == 0
            ? SystemCall.Result(ChangeDescriptor(call.Process, call.A0, request))
            : Change(call.Process, call.A0, call.A1, call.A3, request);
    }

    [SystemCall(235, "utimes", Support.Full)]
    internal static long SetTimes(ref SystemCall call) => SetTimeValues(call.Process, CurrentDirectory, call.A0, call.A1);

    [SystemCall(261, "futimesat", Support.Full)]
    internal static long SetTimeValuesAt(ref SystemCall call) => SetTimeValues(call.Process, call.A0, call.A1, call.A2);

    [SystemCall(132, "utime", Support.Full)]
    internal static long SetTimesInSeconds(ref SystemCall call)
    {
        SetAttributesRequest request = NowRequest();
        if (call.A1 != 0)
        {
            UserPointer<long> times = new(call.A1);
            Errno error = times.Read(call.Process, out long access);
            long modify = 0;
            error = error == Errno.None ? times.ReadAt(call.Process, 1, out modify) : error;
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            request.Mask &= ~AttributeMask.Touch;
            request.AccessTimeNs = FileTime.Of(access, 0);
            request.ModifyTimeNs = FileTime.Of(modify, 0);
        }

        return Change(call.Process, CurrentDirectory, call.A0, 0, request);
    }

    [SystemCall(95, "umask", Support.Full)]
    internal static long SetMask(ref SystemCall call)
    {
        PathContext* context = PathContext.Of(call.Process);
        uint old = context->Umask;
        context->Umask = (uint)call.A0 & 0x1FF;
        return old;
    }

    private static SetAttributesRequest ModeRequest(ulong mode) =>
        new() { Mask = AttributeMask.Mode, Mode = (uint)mode & FileMode.PermissionMask };

    private static SetAttributesRequest OwnerRequest(ulong user, ulong group)
    {
        SetAttributesRequest request = new() { UserId = (uint)user, GroupId = (uint)group };
        request.Mask |= (uint)user != Unchanged ? AttributeMask.UserId : 0;
        request.Mask |= (uint)group != Unchanged ? AttributeMask.GroupId : 0;
        return request;
    }

    private static SetAttributesRequest NowRequest()
    {
        ulong now = Clock.UnixTimeNs();
        return new SetAttributesRequest
        {
            Mask = AttributeMask.AccessTime | AttributeMask.ModifyTime | AttributeMask.Touch,
            AccessTimeNs = now,
            ModifyTimeNs = now,
        };
    }

    /// <summary>
    /// Why times that are not valid are refused: EINVAL if the file is there (do_utimes looks for it first), else what its look-up says.
    /// </summary>
    private static Errno WhyNot(Process* process, ulong directory, ulong address, ulong flags)
    {
        if (address == 0)
        {
            using Descriptor descriptor = Descriptor.Of(process, directory);
            return descriptor.IsBad || descriptor.File->IsPathOnly ? Errno.EBADF : Errno.EINVAL;
        }

        if ((flags & ~(AtFlags.NoFollow | AtFlags.EmptyPath)) != 0)
        {
            return Errno.EINVAL;
        }

        EmptyPath empty = (flags & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName path = PathName.FromUser(process, directory, address, empty);
        if (path.Error != Errno.None || path.IsDescriptor)
        {
            return path.Error != Errno.None ? path.Error : Errno.EINVAL;
        }

        bool keeps = (flags & AtFlags.NoFollow) != 0;
        Errno error = path.Resolve(process, keeps ? LastLink.Keep : LastLink.Follow, out PseudoNode node);
        if (error == Errno.None && node.File == PseudoFile.None)
        {
            OpenFlags follow = keeps ? OpenFlags.NoFollow : OpenFlags.ReadOnly;
            error = FileOpening.FindFile(process, path.Volume, follow, 0, out FileNode* found);
            using NodeRef there = error == Errno.None ? NodeRef.Adopt(found) : default;
        }

        return error != Errno.None ? error : Errno.EINVAL;
    }

    private static Errno ReadTimes(Process* process, ulong address, out SetAttributesRequest request, out bool isValid)
    {
        request = NowRequest();
        isValid = true;
        UserPointer<TimeSpecification> times = new(address);
        Errno error = times.Read(process, out TimeSpecification access);
        TimeSpecification modify = default;
        error = error == Errno.None ? times.ReadAt(process, 1, out modify) : error;
        if (error != Errno.None)
        {
            return error;
        }

        isValid = Apply(in access, AttributeMask.AccessTime, ref request.Mask, ref request.AccessTimeNs)
            & Apply(in modify, AttributeMask.ModifyTime, ref request.Mask, ref request.ModifyTimeNs);
        return Errno.None;
    }

    private static bool Apply(in TimeSpecification time, AttributeMask bit, ref AttributeMask mask, ref ulong targetNs)
    {
        if (time.Nanoseconds == TimeOmit)
        {
            mask &= ~(bit | AttributeMask.Touch);
        }
        else if (time.Nanoseconds != TimeNow)
        {
            if ((ulong)time.Nanoseconds >= SecondNs)
            {
                return false;
            }

            mask &= ~AttributeMask.Touch;
            targetNs = FileTime.Of(time.Seconds, (uint)time.Nanoseconds);
        }

        return true;
    }

    private static long SetTimeValues(Process* process, ulong directory, ulong path, ulong address)
    {
        SetAttributesRequest request = NowRequest();
        if (address != 0)
        {
            UserPointer<TimeValue> times = new(address);
            Errno error = times.Read(process, out TimeValue access);
            TimeValue modify = default;
            error = error == Errno.None ? times.ReadAt(process, 1, out modify) : error;
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            if ((ulong)access.Microseconds >= MicrosecondsPerSecond || (ulong)modify.Microseconds >= MicrosecondsPerSecond)
            {
                return SystemCall.Fail(Errno.EINVAL);
            }

            request.Mask &= ~AttributeMask.Touch;
            request.AccessTimeNs = FileTime.Of(access.Seconds, (uint)access.Microseconds * 1000);
            request.ModifyTimeNs = FileTime.Of(modify.Seconds, (uint)modify.Microseconds * 1000);
        }

        // As of utimensat, a null path means the descriptor itself.
        return path == 0 && (int)directory != PathName.CurrentDirectory
            ? SystemCall.Result(ChangeDescriptor(process, directory, request))
            : Change(process, directory, path, 0, request);
    }

    private static long Change(Process* process, ulong directory, ulong address, ulong flags, SetAttributesRequest request)
    {
        if ((flags & ~(AtFlags.NoFollow | AtFlags.EmptyPath)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        EmptyPath empty = (flags & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName path = PathName.FromUser(process, directory, address, empty);
        if (path.Error != Errno.None || path.IsDescriptor)
        {
            return SystemCall.Result(path.Error != Errno.None ? path.Error : ChangeDescriptor(process, directory, request));
        }

        LastLink last = (flags & AtFlags.NoFollow) != 0 ? LastLink.Keep : LastLink.Follow;
        Errno error = path.Resolve(process, last, out PseudoNode node);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (node.File == PseudoFile.ProcessDescriptor && last == LastLink.Follow)
        {
            using Descriptor descriptor = Descriptor.Of(process->Table, node);
            return SystemCall.Result(descriptor.IsBad ? Errno.ENOENT : ChangeFile(process, descriptor.File, request));
        }

        if (node.File == PseudoFile.SharedMemoryFile)
        {
            FileNode* shared = FileSystem.Of(process).SharedMemory.NodeOf(node);
            return SystemCall.Result(shared == null ? Errno.ENOENT : shared->Memory->Change(process, in request));
        }

        if (node.File != PseudoFile.None)
        {
            return SystemCall.Result(ChangePseudo(node, in request));
        }

        error = ChangeVolume(process, path.Volume, last, request);
        Inotify inotify = FileSystem.Of(process).Inotify;
        if (error == Errno.None && inotify.IsWatching)
        {
            OpenFlags follow = last == LastLink.Keep ? OpenFlags.NoFollow : OpenFlags.ReadOnly;
            using NodeRef changed = FileOpening.FindFile(process, path.Volume, follow, 0, out FileNode* found) == Errno.None
                ? NodeRef.Adopt(found)
                : default;
            Tell(inotify, changed.Node, request.Mask);
        }

        return SystemCall.Result(error);
    }

    /// <summary>
    /// Owners and modes of what is served here are fixed, and devices' times are nobody's business: a touch of /dev/null succeeds.
    /// </summary>
    private static Errno ChangePseudo(PseudoNode node, in SetAttributesRequest request)
    {
        const AttributeMask Fixed = AttributeMask.Mode | AttributeMask.UserId | AttributeMask.GroupId;
        return PseudoTree.TypeOf(node.File) == PseudoType.Device && (request.Mask & Fixed) == 0 ? Errno.None : Errno.EPERM;
    }

    private static Errno ChangeDescriptor(Process* process, ulong number, SetAttributesRequest request)
    {
        using Descriptor descriptor = Descriptor.Of(process, number);
        return descriptor.IsBad || descriptor.File->IsPathOnly ? Errno.EBADF : ChangeFile(process, descriptor.File, request);
    }

    private static Errno ChangeFile(Process* process, OpenFile* file, SetAttributesRequest request)
    {
        if (file->Node == null)
        {
            return file->Kind switch
            {
                FileKind.Pipe => file->Pipe->Attributes.Change(process, in request),
                FileKind.StandardStream => file->Session->Attributes.Change(process, in request),
                FileKind.Socket => file->Socket->Attributes.Change(process, in request),
                FileKind.PosixQueue => file->Queue->Attributes.Change(process, in request),
                // They share one inode, which nobody changes (Linux 6.15: anon_inode_setattr).
                FileKind.Event or FileKind.Epoll or FileKind.Timer or FileKind.Signal or FileKind.Inotify => Errno.EOPNOTSUPP,
                _ => ChangePseudo(file->Pseudo, in request),
            };
        }

        if (file->Node->Memory != null)
        {
            return file->Node->Memory->Change(process, in request);
        }

        Errno error = ChangeVolume(process, VolumePath.Of(file->Node), LastLink.Keep, request);
        if (error == Errno.None)
        {
            Tell(FileSystem.Of(process).Inotify, file->Node, request.Mask);
        }

        return error;
    }

    /// <summary>One time alone is told as what changes it by itself (Linux's fsnotify_change).</summary>
    private static void Tell(Inotify inotify, FileNode* node, AttributeMask changed)
    {
        const AttributeMask BothTimes = AttributeMask.AccessTime | AttributeMask.ModifyTime;
        if (node != null && changed != 0)
        {
            bool isTime = (changed & BothTimes) != 0 && (changed & BothTimes) != BothTimes;
            inotify.Tell(node, !isTime ? InotifyMask.Attributes
                : (changed & AttributeMask.AccessTime) != 0 ? InotifyMask.Access : InotifyMask.Modify);
        }
    }

    private static Errno ChangeVolume(Process* process, in VolumePath path, LastLink last, SetAttributesRequest request)
    {
        FileCaller caller = FileCaller.Of(process);
        PathFlags flags = last == LastLink.Keep ? PathFlags.NoFollow : PathFlags.None;
        if ((request.Mask & (AttributeMask.AccessTime | AttributeMask.ModifyTime)) == 0)
        {
            return SetOnVolume(process, in caller, in path, flags, request);
        }

        // Dirty pages are written back first, so that their write-back does not change the times later.
        FileHandle handle;
        using (TransferBuffer buffer = FileSystem.Of(process).Buffers.Take())
        {
            Errno error = StorageClient.Open(in caller, in buffer, in path, flags, 0, 0, out OpenReply reply, out _);
            handle = reply.Attributes.Handle;
            if (error == Errno.None && (reply.Attributes.Mode & FileMode.TypeMask) == FileMode.Regular)
            {
                error = FileClient.WriteBack(in caller, in handle, default);
            }

            if (error != Errno.None)
            {
                return error == Errno.ESTALE ? Errno.ENOENT : error;
            }
        }

        Errno changed = SetOnVolume(process, in caller, VolumePath.Of(in handle), flags, request);
        return changed == Errno.ESTALE ? Errno.ENOENT : changed;
    }

    /// <summary>Who has the file open knows its new mode, for the set-id bits that a write takes.</summary>
    private static Errno SetOnVolume(
        Process* process, in FileCaller caller, in VolumePath path, PathFlags flags, in SetAttributesRequest request)
    {
        Errno error = StorageClient.SetAttributes(in caller, in path, flags, request, out FileAttributes attributes);
        FileNode* open = error == Errno.None ? FileSystem.Of(process).Nodes.Find(caller.Place.Storage, in attributes.Handle) : null;
        if (open != null)
        {
            open->Mode = attributes.Mode;
        }

        return error;
    }
}
