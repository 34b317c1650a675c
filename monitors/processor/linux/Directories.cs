// Directories: getdents64, mkdir, mkdirat, rmdir, chdir, fchdir, getcwd, chroot (getdents(2), mkdir(2), chdir(2), getcwd(2)).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about directories.</summary>
public static unsafe class Directories
{
    [SystemCall(217, "getdents64", Support.Full)]
    internal static long GetEntries(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        IoVector to = new(call.Process, call.A1, (uint)call.A2);
        using SleepLock.Guard position = descriptor.File->PositionLock.Acquire();
        long result = descriptor.Operations.ReadDirectory(call.Process, descriptor.File, ref to);
        if (result >= 0)
        {
            FileIo.Tell(call.Process, descriptor.File, InotifyMask.Access);
        }

        return result;
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
                error = node.File == PseudoFile.None ? ChangeToVolume(call.Process, in path)
                    : node.File == PseudoFile.ProcessDescriptor ? ChangeToOpen(call.Process, node)
                    : ChangeToPseudo(call.Process, node);
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

        return SystemCall.Result(ChangeToOpen(call.Process, in descriptor));
    }

    [SystemCall(79, "getcwd", Support.Full)]
    internal static long GetCurrent(ref SystemCall call)
    {
        Process* process = call.Process;
        if (WorkingDirectory.Of(process).IsRemoved)
        {
            return SystemCall.Fail(Errno.ENOENT);
        }

        byte* page = (byte*)FileSystem.Of(process).Frames.Allocate();
        if (page == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        Span<byte> text = new(page, PageOperations.PageSize);
        int length = WorkingDirectory.Of(process).IsPseudo
            ? PseudoTree.PathOf(WorkingDirectory.Of(process).Pseudo, text)
            : CopyPath(WorkingDirectory.Of(process).Path, text);
        text[length] = 0;
        Errno error = length == 0 ? Errno.ENAMETOOLONG
            : call.A1 < (ulong)length + 1 ? Errno.ERANGE
            : new UserBuffer(call.A0, call.A1).CopyOut(process, 0, text.Slice(0, length + 1));
        FileSystem.Of(process).Frames.Free(page);
        return SystemCall.Result(error, length + 1);
    }

    private static int CopyPath(ReadOnlySpan<byte> path, Span<byte> text)
    {
        path.CopyTo(text);
        return path.Length;
    }

    [SystemCall(161, "chroot", Support.Partial, "only to /")]
    internal static long ChangeRoot(ref SystemCall call)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        Errno error = FileStatusLookup.Find(call.Process, in path, 0, LastLink.Follow, out FileStatus status);
        bool isDirectory = (status.Attributes.Mode & FileMode.TypeMask) == FileMode.Directory;
        error = error != Errno.None ? error
            : isDirectory ? FileAccess.Check(call.Process, in status.Attributes, FileAccess.Execute) : Errno.ENOTDIR;
        bool isRoot = call.Process->EffectiveUserId == 0 && PathText.LastComponent(path.Text).IsEmpty;
        return SystemCall.Result(error != Errno.None || isRoot ? error : Errno.EPERM);
    }

    private static long Make(ref SystemCall call, ulong directory, ulong address, uint mode)
    {
        using PathName path = PathName.FromUser(call.Process, directory, address);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        uint permissions = mode & ~PathContext.Of(call.Process)->Umask & FileMode.PermissionMask;
        return Links.MakeNode(call.Process, in path, FileMode.Directory | permissions, 0, default);
    }

    private static Errno ChangeToVolume(Process* process, in PathName path)
    {
        Errno error = FileOpening.FindDirectory(process, in path, out FileNode* node);
        if (error == Errno.None)
        {
            WorkingDirectory.Set(ref WorkingDirectory.Of(process), node);
        }

        return error;
    }

    /// <summary>A link of /proc to an open file.</summary>
    private static Errno ChangeToOpen(Process* process, PseudoNode link)
    {
        using Descriptor descriptor = Descriptor.Of(process->Table, link);
        return descriptor.IsBad ? Errno.ENOENT : ChangeToOpen(process, in descriptor);
    }

    private static Errno ChangeToOpen(Process* process, in Descriptor descriptor)
    {
        OpenFile* file = descriptor.File;
        if (file->Node == null)
        {
            bool isPseudo = file->Kind is FileKind.PseudoDirectory or FileKind.PathOnly;
            return isPseudo ? ChangeToPseudo(process, file->Pseudo) : Errno.ENOTDIR;
        }

        if (!file->Node->IsDirectory)
        {
            return Errno.ENOTDIR;
        }

        Errno error = descriptor.Operations.Status(process, file, out FileStatus status);
        error = error == Errno.None ? FileAccess.Check(process, in status.Attributes, FileAccess.Execute) : error;
        if (error == Errno.None)
        {
            using NodeRef node = NodeRef.To(file->Node);
            WorkingDirectory.Set(ref WorkingDirectory.Of(process), node.Share());
        }

        return error;
    }

    private static Errno ChangeToPseudo(Process* process, PseudoNode node)
    {
        if (!PseudoTree.IsDirectory(node.File))
        {
            return Errno.ENOTDIR;
        }

        Errno error = PseudoTree.CheckSearch(process, node);
        if (error == Errno.None)
        {
            WorkingDirectory.Set(ref WorkingDirectory.Of(process), node);
        }

        return error;
    }
}
