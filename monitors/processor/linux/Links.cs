// Names: unlink, unlinkat, rename, renameat, renameat2, link, linkat, symlink, symlinkat, readlink, readlinkat, mknod, mknodat. What these
// owe to files that are open is in files/HiddenNames.cs. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that make, change and remove names.</summary>
public static unsafe class Links
{
    private const ulong RemoveDirectoryFlag = 0x200;
    private const ulong FollowLink = 0x400;
    private const ulong EmptyPathFlag = 0x1000;
    private const uint RenameNoReplace = 1;

    private static ulong CurrentDirectory => unchecked((ulong)PathName.CurrentDirectory);

    [SystemCall(87, "unlink", Support.Full)]
    internal static long Unlink(ref SystemCall call)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        return path.Error != Errno.None ? SystemCall.Fail(path.Error) : RemoveFile(ref call, in path);
    }

    [SystemCall(263, "unlinkat", Support.Full)]
    internal static long UnlinkAt(ref SystemCall call)
    {
        if ((call.A2 & ~RemoveDirectoryFlag) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(call.Process, call.A0, call.A1);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        return (call.A2 & RemoveDirectoryFlag) != 0 ? RemoveDirectory(ref call, in path) : RemoveFile(ref call, in path);
    }

    [SystemCall(82, "rename", Support.Full)]
    internal static long Rename(ref SystemCall call) => Rename(call.Process, CurrentDirectory, call.A0, CurrentDirectory, call.A1, 0);

    [SystemCall(264, "renameat", Support.Full)]
    internal static long RenameAt(ref SystemCall call) => Rename(call.Process, call.A0, call.A1, call.A2, call.A3, 0);

    [SystemCall(316, "renameat2", Support.Partial, "RENAME_NOREPLACE; RENAME_EXCHANGE and RENAME_WHITEOUT are EINVAL")]
    internal static long RenameAt2(ref SystemCall call) => Rename(call.Process, call.A0, call.A1, call.A2, call.A3, (uint)call.A4);

    [SystemCall(86, "link", Support.Full)]
    internal static long Link(ref SystemCall call) => Link(call.Process, CurrentDirectory, call.A0, CurrentDirectory, call.A1, 0);

    [SystemCall(265, "linkat", Support.Partial, "AT_EMPTY_PATH links what the descriptor's last name still names")]
    internal static long LinkAt(ref SystemCall call) => Link(call.Process, call.A0, call.A1, call.A2, call.A3, call.A4);

    [SystemCall(88, "symlink", Support.Full)]
    internal static long SymbolicLink(ref SystemCall call) => SymbolicLink(call.Process, call.A0, CurrentDirectory, call.A1);

    [SystemCall(266, "symlinkat", Support.Full)]
    internal static long SymbolicLinkAt(ref SystemCall call) => SymbolicLink(call.Process, call.A0, call.A1, call.A2);

    [SystemCall(89, "readlink", Support.Full)]
    internal static long ReadLink(ref SystemCall call) => ReadLink(call.Process, CurrentDirectory, call.A0, new UserBuffer(call.A1, call.A2));

    [SystemCall(267, "readlinkat", Support.Partial, "an empty path is ENOENT")]
    internal static long ReadLinkAt(ref SystemCall call) => ReadLink(call.Process, call.A0, call.A1, new UserBuffer(call.A2, call.A3));

    [SystemCall(133, "mknod", Support.Full)]
    internal static long MakeNode(ref SystemCall call) => MakeNode(call.Process, CurrentDirectory, call.A0, (uint)call.A1, (uint)call.A2);

    [SystemCall(259, "mknodat", Support.Full)]
    internal static long MakeNodeAt(ref SystemCall call) => MakeNode(call.Process, call.A0, call.A1, (uint)call.A2, (uint)call.A3);

    /// <summary>mkdir, mknod and symlink of a path; EEXIST for what is served here.</summary>
    internal static long MakeNode(Process* process, in PathName path, uint mode, uint deviceNumber, ReadOnlySpan<byte> target)
    {
        Errno error = path.Resolve(process, LastLink.Keep, out PseudoNode node);
        if (error == Errno.None && node.File != PseudoFile.None)
        {
            error = Errno.EEXIST;
        }

        if (error != Errno.None)
        {
            // A new name in /proc or /dev.
            return SystemCall.Fail(error == Errno.ENOENT ? Errno.EPERM : error);
        }

        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        return SystemCall.Result(StorageClient.MakeNode(in caller, in buffer, path.Text, mode, deviceNumber, target));
    }

    /// <summary>rmdir of a path.</summary>
    internal static long RemoveDirectory(ref SystemCall call, in PathName path)
    {
        if (PathText.IsDot(PathText.LastComponent(path.Text)))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = OnVolume(call.Process, in path, Errno.EBUSY);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        FileCaller caller = FileCaller.Of(call.Process);
        return SystemCall.Result(StorageClient.Unlink(in caller, path.Text, PathFlags.Directory, out _));
    }

    private static long RemoveFile(ref SystemCall call, in PathName path)
    {
        Errno error = OnVolume(call.Process, in path, Errno.EPERM);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        FileSystem files = call.Files;
        FileCaller caller = FileCaller.Of(call.Process);
        using SharedLock.Guard names = files.Nodes.Names.Exclude();
        using TransferBuffer buffer = files.Buffers.Take();
        using NodeRef open = files.Nodes.Hidden.OpenFileAt(in caller, in buffer, path.Text);
        if (!open.IsNone && !open.Node->IsUnlinked)
        {
            return SystemCall.Result(files.Nodes.Hidden.Hide(in caller, in buffer, open.Node, path.Text));
        }

        error = StorageClient.Unlink(in caller, path.Text, PathFlags.None, out UnlinkReply reply);
        if (error == Errno.None && reply.LinksLeft == 0)
        {
            FileClient.Forget(in caller, in reply.Handle, path.Text);
        }

        return SystemCall.Result(error);
    }

    private static long Rename(Process* process, ulong oldDirectory, ulong oldAddress, ulong newDirectory, ulong newAddress, uint flags)
    {
        if ((flags & ~RenameNoReplace) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName oldPath = PathName.FromUser(process, oldDirectory, oldAddress);
        using PathName newPath = PathName.FromUser(process, newDirectory, newAddress);
        Errno error = oldPath.Error != Errno.None ? oldPath.Error : newPath.Error;
        if (error == Errno.None)
        {
            error = OnVolume(process, in oldPath, Errno.EXDEV);
        }

        if (error == Errno.None)
        {
            error = OnVolume(process, in newPath, Errno.EXDEV);
        }

        return error != Errno.None ? SystemCall.Fail(error) : SystemCall.Result(Rename(process, oldPath.Text, newPath.Text, flags));
    }

    private static Errno Rename(Process* process, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath, uint flags)
    {
        FileSystem files = FileSystem.Of(process);
        FileCaller caller = FileCaller.Of(process);
        PathFlags pathFlags = (flags & RenameNoReplace) != 0 ? PathFlags.NoReplace : PathFlags.None;
        using SharedLock.Guard names = files.Nodes.Names.Exclude();
        using TransferBuffer buffer = files.Buffers.Take();
        // Only when somebody has the old name in a path do canonical paths matter.
        ReadOnlySpan<byte> oldName = PathText.LastComponent(oldPath);
        bool moves = files.Nodes.AnyPathContains(oldName) || AnyCwdContains(process->Table, oldName);
        using PathName canonicalOld = moves ? CanonicalOf(in caller, in buffer, oldPath, default) : default;
        // The new path may lead through the directory that is moved ("../new"): its directory is looked up before.
        using PathName canonicalNew = moves
            ? CanonicalOf(in caller, in buffer, PathText.DirectoryOf(newPath), PathText.LastComponent(newPath))
            : default;

        using NodeRef replaced = (flags & RenameNoReplace) == 0 ? files.Nodes.Hidden.OpenFileAt(in caller, in buffer, newPath) : default;
        bool keeps = !replaced.IsNone && !replaced.Node->IsUnlinked && !IsSameFile(in caller, in buffer, replaced.Node, oldPath);
        // After a failed rename the file still has its name, but it keeps working under the hidden one as well.
        Errno error = keeps ? files.Nodes.Hidden.Keep(in caller, in buffer, replaced.Node, newPath) : Errno.None;

        if (error == Errno.None)
        {
            error = StorageClient.Rename(in caller, in buffer, oldPath, newPath, pathFlags, out RenameReply reply);
            if (error == Errno.None && reply.Replaced.Inode != 0 && reply.ReplacedLinksLeft == 0)
            {
                FileClient.Forget(in caller, in reply.Replaced, newPath);
            }

            if (error == Errno.None && moves && canonicalOld.Error == Errno.None && canonicalNew.Error == Errno.None)
            {
                Moved(files, canonicalOld.Text, canonicalNew.Text);
            }
        }

        return error;
    }

    private static long Link(Process* process, ulong oldDirectory, ulong oldAddress, ulong newDirectory, ulong newAddress, ulong flags)
    {
        if ((flags & ~(FollowLink | EmptyPathFlag)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        EmptyPath empty = (flags & EmptyPathFlag) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName oldPath = PathName.FromUser(process, oldDirectory, oldAddress, empty);
        using PathName newPath = PathName.FromUser(process, newDirectory, newAddress);
        Errno error = oldPath.Error != Errno.None ? oldPath.Error : newPath.Error;
        ReadOnlySpan<byte> source = default;
        using Descriptor descriptor = oldPath.IsDescriptor ? Descriptor.Of(process, oldDirectory) : default;
        if (error == Errno.None && oldPath.IsDescriptor)
        {
            error = descriptor.IsBad ? Errno.EBADF : descriptor.File->Node == null ? Errno.EXDEV : Errno.None;
            source = error == Errno.None ? descriptor.File->Node->Path : default;
        }
        else if (error == Errno.None)
        {
            error = OnVolume(process, in oldPath, Errno.EXDEV);
            source = error == Errno.None ? oldPath.Text : default;
        }

        if (error == Errno.None)
        {
            error = OnVolume(process, in newPath, Errno.EXDEV);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        PathFlags pathFlags = (flags & FollowLink) != 0 ? PathFlags.None : PathFlags.NoFollow;
        return SystemCall.Result(StorageClient.Link(in caller, in buffer, source, newPath.Text, pathFlags));
    }

    private static long SymbolicLink(Process* process, ulong target, ulong directory, ulong address)
    {
        byte* page = (byte*)process->Table.Frames.Allocate();
        if (page == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        Span<byte> text = new(page, PageOperations.PageSize);
        Errno error = UserString.Copy(process, target, text, out int length);
        error = error == Errno.None && length == 0 ? Errno.ENOENT : error;
        using PathName path = PathName.FromUser(process, directory, address);
        error = error == Errno.None ? path.Error : error;
        long result = error != Errno.None
            ? SystemCall.Fail(error)
            : MakeNode(process, in path, FileMode.SymbolicLink | 0x1FF, 0, text.Slice(0, length));
        process->Table.Frames.Free(page);
        return result;
    }

    private static long ReadLink(Process* process, ulong directory, ulong address, UserBuffer buffer)
    {
        if ((int)buffer.LengthBytes <= 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(process, directory, address);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        Errno error = path.Resolve(process, LastLink.Keep, out PseudoNode node);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        byte* page = (byte*)process->Table.Frames.Allocate();
        if (page == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        Span<byte> target = new(page, PageOperations.PageSize);
        int length;
        if (node.File != PseudoFile.None)
        {
            error = PseudoTree.IsLink(node.File) ? PseudoLinks.Target(process, node, target, out length) : NotALink(out length);
        }
        else
        {
            FileCaller caller = FileCaller.Of(process);
            error = StorageClient.ReadLink(in caller, path.Text, target, out length);
        }

        length = (int)Math.Min((ulong)length, buffer.LengthBytes);
        if (error == Errno.None)
        {
            error = buffer.CopyOut(process, 0, target.Slice(0, length));
        }

        process->Table.Frames.Free(page);
        return SystemCall.Result(error, length);
    }

    private static Errno NotALink(out int length)
    {
        length = 0;
        return Errno.EINVAL;
    }

    private static long MakeNode(Process* process, ulong directory, ulong address, uint mode, uint deviceNumber)
    {
        uint type = mode & FileMode.TypeMask;
        if (type == FileMode.Directory)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (type == FileMode.SymbolicLink)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(process, directory, address);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        uint permissions = mode & ~process->Umask & FileMode.PermissionMask;
        return MakeNode(process, in path, (type == 0 ? FileMode.Regular : type) | permissions, deviceNumber, default);
    }

    /// <summary>Checks that a path is on the volume; else gives the error for what is served here.</summary>
    private static Errno OnVolume(Process* process, in PathName path, Errno otherwise)
    {
        Errno error = path.Resolve(process, LastLink.Keep, out PseudoNode node);
        return error == Errno.None && node.File != PseudoFile.None ? otherwise : error;
    }

    /// <summary>The canonical form of a path, and a name in it unless that is empty.</summary>
    private static PathName CanonicalOf(in FileCaller caller, in TransferBuffer buffer, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name)
    {
        Errno error = StorageClient.Open(
            in caller, in buffer, path, PathFlags.NoFollow, 0, 0, out _, out ReadOnlySpan<byte> canonical);
        return error == Errno.None ? PathName.FromText(caller.Processes.Frames, canonical, name) : PathName.Failed(error);
    }

    /// <summary>rename(2) of two names of one file does nothing: then nothing is replaced.</summary>
    private static bool IsSameFile(in FileCaller caller, in TransferBuffer buffer, FileNode* node, ReadOnlySpan<byte> path)
    {
        Errno error = StorageClient.Open(in caller, in buffer, path, PathFlags.NoFollow, 0, 0, out OpenReply reply, out _);
        return error != Errno.None || reply.Attributes.Handle.Inode == node->Handle.Inode;
    }

    private static bool AnyCwdContains(Processes processes, ReadOnlySpan<byte> name)
    {
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            if (PathText.HasComponent(Processes.TextOf(process->Cwd), name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Open files, working directories and programs below a moved name follow it.</summary>
    private static void Moved(FileSystem files, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath)
    {
        files.Nodes.Rebase(oldPath, newPath);
        byte* page = (byte*)files.Frames.Allocate();
        if (page == null)
        {
            return;
        }

        Span<byte> rebased = new(page, PageOperations.PageSize);
        for (Process* process = files.Processes.First; process != null; process = process->Next)
        {
            if (PathText.TryRebase(Processes.TextOf(process->Cwd), oldPath, newPath, rebased, out int length))
            {
                Processes.SetText(process->Cwd, rebased.Slice(0, length));
            }

            if (PathText.TryRebase(Processes.TextOf(process->Executable), oldPath, newPath, rebased, out length))
            {
                Processes.SetText(process->Executable, rebased.Slice(0, length));
            }
        }

        files.Frames.Free(page);
    }
}
