// Directories: getdents64, mkdir, mkdirat, rmdir, chdir, fchdir, getcwd, chroot (getdents(2), mkdir(2), chdir(2), getcwd(2)).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about directories.</summary>
public static unsafe class Directories
{
    private const uint Search = 1;

    [SystemCall(217, "getdents64", Support.Full)]
    internal static long GetEntries(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        IoVector to = IoVector.OfUser(call.Process, call.A1, (uint)call.A2);
        using SleepLock.Guard position = descriptor.File->PositionLock.Acquire();
        return descriptor.Operations.ReadDirectory(call.Process, descriptor.File, ref to);
    }

    [SystemCall(83, "mkdir", Support.Full)]
    internal static long Make(ref SystemCall call) => Make(ref call, unchecked((ulong)PathName.CurrentDirectory), call.A0, (uint)call.A1);

    [SystemCall(258, "mkdirat", Support.Full)]
    internal static long MakeAt(ref SystemCall call) => Make(ref call, call.A0, call.A1, (uint)call.A2);

    [SystemCall(84, "rmdir", Support.Full)]
    internal static long Remove(ref SystemCall call)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        return path.Error != Errno.None ? SystemCall.Fail(path.Error) : Links.RemoveDirectory(ref call, in path);
    }

    [SystemCall(80, "chdir", Support.Full)]
    internal static long Change(ref SystemCall call)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        Errno error = path.Error;
        if (error == Errno.None)
        {
            error = path.Resolve(call.Process, LastLink.Follow, out PseudoNode node);
            if (error == Errno.None)
            {
                error = node.File == PseudoFile.None ? ChangeToVolume(call.Process, path.Text) : ChangeToPseudo(call.Process, node);
            }
        }

        return SystemCall.Result(error);
    }

    [SystemCall(81, "fchdir", Support.Full)]
    internal static long ChangeToDescriptor(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        OpenFile* file = descriptor.File;
        if (file->Node != null)
        {
            if ((file->Node->Mode & FileMode.TypeMask) != FileMode.Directory)
            {
                return SystemCall.Fail(Errno.ENOTDIR);
            }

            Errno error = descriptor.Operations.Status(call.Process, file, out FileStatus status);
            error = error == Errno.None ? FileAccess.Check(call.Process, in status.Attributes, FileAccess.Execute) : error;
            return SystemCall.Result(error == Errno.None ? SetCwd(call.Process, file->Node->Path) : error);
        }

        bool isPseudo = file->Kind is FileKind.PseudoDirectory or FileKind.PathOnly && PseudoTree.IsDirectory(file->Pseudo.File);
        return isPseudo ? SystemCall.Result(ChangeToPseudo(call.Process, file->Pseudo)) : SystemCall.Fail(Errno.ENOTDIR);
    }

    [SystemCall(79, "getcwd", Support.Full)]
    internal static long GetCurrent(ref SystemCall call)
    {
        ReadOnlySpan<byte> cwd = Processes.TextOf(call.Process->Cwd);
        if (call.A1 < (ulong)cwd.Length + 1)
        {
            return SystemCall.Fail(Errno.ERANGE);
        }

        ReadOnlySpan<byte> terminated = new(call.Process->Cwd, cwd.Length + 1);
        Errno error = new UserBuffer(call.A0, call.A1).CopyOut(call.Process, 0, terminated);
        return SystemCall.Result(error, terminated.Length);
    }

    [SystemCall(161, "chroot", Support.Partial, "only to /")]
    internal static long ChangeRoot(ref SystemCall call)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        return path.Error != Errno.None ? SystemCall.Fail(path.Error)
            : PathText.LastComponent(path.Text).IsEmpty ? 0 : SystemCall.Fail(Errno.EPERM);
    }

    private static long Make(ref SystemCall call, ulong directory, ulong address, uint mode)
    {
        using PathName path = PathName.FromUser(call.Process, directory, address);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        uint permissions = mode & ~call.Process->Umask & FileMode.PermissionMask;
        return Links.MakeNode(call.Process, in path, FileMode.Directory | permissions, 0, default);
    }

    private static Errno ChangeToVolume(Process* process, ReadOnlySpan<byte> path)
    {
        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        Errno error = StorageClient.Open(
            in caller, in buffer, path, PathFlags.Directory, 0, Search, out _, out ReadOnlySpan<byte> canonical);
        return error == Errno.None ? SetCwd(process, canonical) : error;
    }

    private static Errno ChangeToPseudo(Process* process, PseudoNode node)
    {
        if (!PseudoTree.IsDirectory(node.File))
        {
            return Errno.ENOTDIR;
        }

        Span<byte> text = stackalloc byte[PseudoLinks.MaxTargetBytes];
        return SetCwd(process, text.Slice(0, PseudoTree.PathOf(node, text)));
    }

    private static Errno SetCwd(Process* process, ReadOnlySpan<byte> path) => Processes.SetText(process->Cwd, path) ? Errno.None : Errno.ENAMETOOLONG;
}
