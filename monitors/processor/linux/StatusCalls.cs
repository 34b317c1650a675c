// Attributes: stat, lstat, fstat, newfstatat, statx, access, faccessat, faccessat2, statfs, fstatfs (stat(2), statx(2), access(2),
// statfs(2)).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that tell about files.</summary>
public static unsafe class StatusCalls
{
    private const ulong StatxSyncFlags = 0x6000;
    private const uint ReadWriteExecute = 7;

    // File system magics of statfs(2).
    private const long Ext4Magic = 0xEF53;
    private const long ProcMagic = 0x9FA0;
    private const long SysMagic = 0x62656572;
    private const long TemporaryMagic = 0x01021994;
    private const long PipeMagic = 0x50495045;

    private static ulong CurrentDirectory => unchecked((ulong)PathName.CurrentDirectory);

    [SystemCall(4, "stat", Support.Full)]
    internal static long Stat(ref SystemCall call) => Stat(call.Process, CurrentDirectory, call.A0, call.A1, 0);

    [SystemCall(6, "lstat", Support.Full)]
    internal static long LinkStat(ref SystemCall call) => Stat(call.Process, CurrentDirectory, call.A0, call.A1, AtFlags.NoFollow);

    [SystemCall(5, "fstat", Support.Full)]
    internal static long DescriptorStat(ref SystemCall call)
    {
        if (FileTable.Of(call.Process)->Find((uint)call.A0) == null)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        Errno error = FileStatusLookup.OfDescriptor(call.Process, call.A0, out FileStatus status);
        return error != Errno.None ? SystemCall.Fail(error) : Give(call.Process, call.A1, in status);
    }

    [SystemCall(262, "newfstatat", Support.Full)]
    internal static long StatAt(ref SystemCall call) => Stat(call.Process, call.A0, call.A1, call.A2, call.A3);

    [SystemCall(332, "statx", Support.Partial, "no attributes of chattr(1)")]
    internal static long ExtendedStat(ref SystemCall call)
    {
        const uint ReservedMask = 0x80000000;
        if ((call.A2 & StatxSyncFlags) == StatxSyncFlags || ((uint)call.A3 & ReservedMask) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = Find(call.Process, call.A0, call.A1, call.A2 & ~StatxSyncFlags, out FileStatus status);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        ExtendedStatusRecord record = ExtendedStatusRecord.From(in status);
        return SystemCall.Result(new UserPointer<ExtendedStatusRecord>(call.A4).Write(call.Process, in record));
    }

    [SystemCall(21, "access", Support.Full)]
    internal static long Access(ref SystemCall call) => Access(call.Process, CurrentDirectory, call.A0, call.A1, 0);

    [SystemCall(269, "faccessat", Support.Full)]
    internal static long AccessAt(ref SystemCall call) => Access(call.Process, call.A0, call.A1, call.A2, 0);

    [SystemCall(439, "faccessat2", Support.Full)]
    internal static long AccessAt2(ref SystemCall call) => Access(call.Process, call.A0, call.A1, call.A2, call.A3);

    [SystemCall(137, "statfs", Support.Full)]
    internal static long VolumeStatus(ref SystemCall call)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        Errno error = path.Error;
        if (error == Errno.None)
        {
            error = path.Resolve(call.Process, LastLink.Follow, out PseudoNode node);
            if (error == Errno.None)
            {
                return node.File == PseudoFile.None
                    ? OfVolume(ref call, path.Volume)
                    : Give(ref call, Synthetic(PseudoMagic(node.File)));
            }
        }

        return SystemCall.Fail(error);
    }

    [SystemCall(138, "fstatfs", Support.Full)]
    internal static long DescriptorVolumeStatus(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        FileNode* node = descriptor.File->Node;
        return node != null && node->Memory != null ? Give(ref call, Synthetic(TemporaryMagic))
            : node != null ? OfVolume(ref call, VolumePath.Of(node))
            : Give(ref call, Synthetic(descriptor.File->Kind is FileKind.Pipe or FileKind.StandardStream
                ? PipeMagic
                : PseudoMagic(descriptor.File->Pseudo.File)));
    }

    private static long Stat(Process* process, ulong directory, ulong address, ulong record, ulong flags)
    {
        Errno error = Find(process, directory, address, flags, out FileStatus status);
        return error != Errno.None ? SystemCall.Fail(error) : Give(process, record, in status);
    }

    private static long Give(Process* process, ulong address, in FileStatus status)
    {
        StatusRecord record = StatusRecord.From(in status);
        return SystemCall.Result(new UserPointer<StatusRecord>(address).Write(process, in record));
    }

    private static Errno Find(Process* process, ulong directory, ulong address, ulong flags, out FileStatus status)
    {
        status = default;
        // AT_STATX_FORCE_SYNC and _DONT_SYNC: what a rack knows of a file is what there is.
        const ulong Synchronization = 0x6000;
        if ((flags & ~(AtFlags.NoFollow | AtFlags.NoAutomount | AtFlags.EmptyPath | Synchronization)) != 0)
        {
            return Errno.EINVAL;
        }

        EmptyPath empty = (flags & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        if (address == 0 && empty == EmptyPath.Descriptor)
        {
            // No path is as good as an empty one (stat(2), Linux 6.11).
            return FileStatusLookup.OfDescriptor(process, directory, out status);
        }

        using PathName path = PathName.FromUser(process, directory, address, empty);
        LastLink last = (flags & AtFlags.NoFollow) != 0 ? LastLink.Keep : LastLink.Follow;
        return path.Error != Errno.None ? path.Error : FileStatusLookup.Find(process, in path, directory, last, out status);
    }

    private static long Access(Process* process, ulong directory, ulong address, ulong mode, ulong flags)
    {
        if ((mode & ~(ulong)ReadWriteExecute) != 0 || (flags & ~(AtFlags.NoFollow | AtFlags.EffectiveAccess | AtFlags.EmptyPath)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        EmptyPath empty = (flags & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName path = PathName.FromUser(process, directory, address, empty);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        LastLink last = (flags & AtFlags.NoFollow) != 0 ? LastLink.Keep : LastLink.Follow;
        PseudoNode node = default;
        Errno error = path.IsDescriptor ? Errno.None : path.Resolve(process, last, out node);
        // access(2) asks what the real user may do, unless AT_EACCESS.
        FileCaller caller = FileCaller.Of(process);
        bool effective = (flags & AtFlags.EffectiveAccess) != 0;
        caller.ActAs(process, effective ? process->EffectiveUserId : process->UserId,
            effective ? process->EffectiveGroupId : process->GroupId);
        if (error == Errno.None && node.File == PseudoFile.None && !path.IsDescriptor)
        {
            return SystemCall.Result(FileStatusLookup.CheckVolume(in caller, in path, last, (uint)mode));
        }

        FileStatus status = default;
        if (error == Errno.None)
        {
            error = FileStatusLookup.Find(process, in path, directory, last, out status);
        }

        return SystemCall.Result(
            error == Errno.None ? FileAccess.Check(in caller, in status.Attributes, (uint)mode) : error);
    }

    private static long OfVolume(ref SystemCall call, scoped in VolumePath path)
    {
        FileCaller caller = FileCaller.Of(call.Process);
        Errno error = StorageClient.VolumeStatus(in caller, in path, out VolumeStatusReply reply);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        VolumeStatusRecord record = Synthetic(Ext4Magic);
        record.BlockSize = (long)reply.BlockSize;
        record.FragmentSize = (long)reply.BlockSize;
        record.Blocks = reply.Blocks;
        record.FreeBlocks = reply.FreeBlocks;
        record.AvailableBlocks = reply.AvailableBlocks;
        record.Files = reply.Inodes;
        record.FreeFiles = reply.FreeInodes;
        record.NameLength = (long)reply.MaxNameLength;
        return Give(ref call, in record);
    }

    private static VolumeStatusRecord Synthetic(long magic)
    {
        const int MaxNameLength = 255;
        const int RelativeAccessTimes = 0x1020;
        return new VolumeStatusRecord
        {
            Type = magic,
            BlockSize = PageOperations.PageSize,
            FragmentSize = PageOperations.PageSize,
            NameLength = MaxNameLength,
            Flags = RelativeAccessTimes,
        };
    }

    private static long PseudoMagic(PseudoFile file) =>
        file >= PseudoFile.Dev ? TemporaryMagic : file >= PseudoFile.Sys ? SysMagic : ProcMagic;

    private static long Give(ref SystemCall call, in VolumeStatusRecord record) =>
        SystemCall.Result(new UserPointer<VolumeStatusRecord>(call.A1).Write(call.Process, in record));
}
