// Names: unlink, unlinkat, link, linkat, symlink, symlinkat, readlink, readlinkat, mknod, mknodat; rename is in
// Renames.cs. Open files are held at the storage component and need nothing from these. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that make, change and remove names.</summary>
public static unsafe class Links
{
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
        if ((call.A2 & ~AtFlags.RemoveDirectory) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(call.Process, call.A0, call.A1);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        return (call.A2 & AtFlags.RemoveDirectory) != 0 ? RemoveDirectory(ref call, in path) : RemoveFile(ref call, in path);
    }

    [SystemCall(86, "link", Support.Full)]
    internal static long Link(ref SystemCall call) => Link(call.Process, CurrentDirectory, call.A0, CurrentDirectory, call.A1, 0);

    [SystemCall(265, "linkat", Support.Partial, "AT_EMPTY_PATH is for everybody who has the descriptor")]
    internal static long LinkAt(ref SystemCall call) => Link(call.Process, call.A0, call.A1, call.A2, call.A3, call.A4);

    [SystemCall(88, "symlink", Support.Full)]
    internal static long SymbolicLink(ref SystemCall call) => SymbolicLink(call.Process, call.A0, CurrentDirectory, call.A1);

    [SystemCall(266, "symlinkat", Support.Full)]
    internal static long SymbolicLinkAt(ref SystemCall call) => SymbolicLink(call.Process, call.A0, call.A1, call.A2);

    [SystemCall(89, "readlink", Support.Full)]
    internal static long ReadLink(ref SystemCall call) =>
        ReadLink(call.Process, CurrentDirectory, call.A0, new UserBuffer(call.A1, call.A2));

    [SystemCall(267, "readlinkat", Support.Full)]
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
        using (TransferBuffer buffer = FileSystem.Of(process).Buffers.Take())
        {
            error = StorageClient.MakeNode(in caller, in buffer, path.Volume, mode, deviceNumber, target);
        }

        bool isDirectory = (mode & FileMode.TypeMask) == FileMode.Directory;
        TellName(process, in path, InotifyMask.Create | (isDirectory ? InotifyMask.IsDirectory : InotifyMask.None), error);
        return SystemCall.Result(error);
    }

    /// <summary>Those who watch the directory hear of what happened to a name in it, unless there was an error.</summary>
    private static void TellName(Process* process, in PathName path, InotifyMask what, Errno error)
    {
        Inotify inotify = FileSystem.Of(process).Inotify;
        if (error == Errno.None && inotify.IsWatching
            && FileOpening.FindFile(process, path.Directory, OpenFlags.ReadOnly, 0, out FileNode* found) == Errno.None)
        {
            using NodeRef directory = NodeRef.Adopt(found);
            inotify.TellName(directory.Node, PathText.LastComponent(path.Text), what);
        }
    }

    /// <summary>rmdir of a path.</summary>
    internal static long RemoveDirectory(ref SystemCall call, in PathName path)
    {
        if (PathText.IsDot(PathText.LastComponent(path.Text)))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = OnVolume(call.Process, in path, Errno.EBUSY, out PseudoNode node);
        if (error != Errno.None)
        {
            return SystemCall.Fail(node.File == PseudoFile.SharedMemoryFile && error == Errno.EBUSY ? Errno.ENOTDIR : error);
        }

        return SystemCall.Result(Remove(call.Process, in path, PathFlags.Directory));
    }

    private static long RemoveFile(ref SystemCall call, in PathName path)
    {
        Errno error = OnVolume(call.Process, in path, Errno.EPERM, out PseudoNode node);
        if (error == Errno.EPERM && node.File == PseudoFile.SharedMemoryFile)
        {
            return SystemCall.Result(call.Files.SharedMemory.Remove(call.Process, node));
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        return SystemCall.Result(Remove(call.Process, in path, PathFlags.None));
    }

    private static Errno Remove(Process* process, in PathName path, PathFlags flags)
    {
        FileCaller caller = FileCaller.Of(process);
        ReleaseRecord released = TakeKept(in caller, path.Volume, out bool isAtMemory);
        Errno error = StorageClient.Unlink(in caller, path.Volume, flags, in released, out UnlinkReply reply);
        if (error == Errno.None)
        {
            bool isSame = reply.Handle.Inode == released.Entry.Handle.Inode
                && reply.Handle.Generation == released.Entry.Handle.Generation;
            bool isDirectory = (flags & PathFlags.Directory) != 0;
            bool mayHavePages = !isDirectory && (isAtMemory || !isSame);
            FileSystem files = FileSystem.Of(process);
            if (!isDirectory && files.Inotify.IsWatching)
            {
                files.Inotify.TellSelf(files.Nodes.Find(caller.Place.Storage, in reply.Handle), InotifyMask.Attributes);
            }

            files.Nodes.OnLostName(in caller, in reply.Handle, reply.LinksLeft, reply.Flags, mayHavePages);
            TellName(process, in path, InotifyMask.Delete | (isDirectory ? InotifyMask.IsDirectory : InotifyMask.None), error);
        }

        return error;
    }

    /// <summary>
    /// What is kept of a file for a next open, if its name is known: it is given back by the request that takes the name away, so that
    /// the file goes with it.
    /// </summary>
    internal static ReleaseRecord TakeKept(in FileCaller caller, scoped in VolumePath path, out bool isAtMemory)
    {
        isAtMemory = true;
        RememberedPath* known = caller.Leases.Paths.Find(in caller, in path, LastLink.Keep);
        return known == null || known->Error != Errno.None
            ? default
            : FileSystem.Of(caller.Processes).Nodes.TakeKept(caller.Place.Storage, in known->Found, out isAtMemory);
    }

    private static long Link(Process* process, ulong oldDirectory, ulong oldAddress, ulong newDirectory, ulong newAddress, ulong flags)
    {
        if ((flags & ~(AtFlags.Follow | AtFlags.EmptyPath)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        EmptyPath empty = (flags & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName oldPath = PathName.FromUser(process, oldDirectory, oldAddress, empty);
        using PathName newPath = PathName.FromUser(process, newDirectory, newAddress);
        Errno error = oldPath.Error != Errno.None ? oldPath.Error : newPath.Error;
        PseudoNode source = default;
        if (error == Errno.None && !oldPath.IsDescriptor)
        {
            error = oldPath.Resolve(process, (flags & AtFlags.Follow) != 0 ? LastLink.Follow : LastLink.Keep, out source);
        }

        bool isOpen = oldPath.IsDescriptor || (source.File == PseudoFile.ProcessDescriptor && (flags & AtFlags.Follow) != 0);
        using Descriptor descriptor = error != Errno.None || !isOpen ? default
            : oldPath.IsDescriptor ? Descriptor.Of(process, oldDirectory)
            : Descriptor.Of(process->Table, source);
        using NodeRef shared = NodeRef.To(error != Errno.None ? null : SharedMemoryOf(process, in descriptor, source));
        if (!shared.IsNone)
        {
            error = InSharedMemory(process, in newPath);
            return SystemCall.Result(
                error != Errno.None ? error : FileSystem.Of(process).SharedMemory.Add(
                    process, PathText.LastComponent(newPath.Text), shared.Node));
        }

        if (error == Errno.None)
        {
            error = isOpen
                ? descriptor.IsBad
                    ? Errno.EBADF
                    : descriptor.File->Node == null || descriptor.File->Node->Memory != null ? Errno.EXDEV : Errno.None
                : source.File != PseudoFile.None ? Errno.EXDEV : Errno.None;
        }

        if (error == Errno.None)
        {
            error = OnVolume(process, in newPath, Errno.EXDEV, out _);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        FileCaller caller = FileCaller.Of(process);
        PathFlags pathFlags = (flags & AtFlags.Follow) != 0 ? PathFlags.None : PathFlags.NoFollow;
        VolumePath old = isOpen ? VolumePath.Of(descriptor.File->Node) : oldPath.Volume;
        using (TransferBuffer buffer = FileSystem.Of(process).Buffers.Take())
        {
            error = StorageClient.Link(in caller, in buffer, in old, newPath.Volume, pathFlags);
        }

        if (error == Errno.None && isOpen)
        {
            // It may have been made without a name.
            descriptor.File->Node->IsUnlinked = false;
        }

        if (error == Errno.None && FileSystem.Of(process).Inotify.IsWatching)
        {
            OpenFlags follow = (flags & AtFlags.Follow) != 0 ? OpenFlags.ReadOnly : OpenFlags.NoFollow;
            using NodeRef linked = isOpen ? NodeRef.To(descriptor.File->Node)
                : FileOpening.FindFile(process, in old, follow, 0, out FileNode* found) == Errno.None ? NodeRef.Adopt(found)
                : default;
            FileSystem.Of(process).Inotify.TellSelf(linked.Node, InotifyMask.Attributes);
            TellName(process, in newPath, InotifyMask.Create, error);
        }

        return SystemCall.Result(error);
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

        // An empty path is the link that a descriptor names (O_PATH with O_NOFOLLOW); nothing else is one.
        using PathName path = PathName.FromUser(process, directory, address, EmptyPath.Descriptor);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        using Descriptor descriptor = path.IsDescriptor ? Descriptor.Of(process, directory) : default;
        PseudoNode node = path.IsDescriptor && !descriptor.IsBad ? descriptor.File->Pseudo : default;
        Errno error = !path.IsDescriptor ? path.Resolve(process, LastLink.Keep, out node)
            : descriptor.IsBad && (int)directory != PathName.CurrentDirectory ? Errno.EBADF
            : descriptor.IsBad || !IsLink(in descriptor) ? Errno.ENOENT
            : Errno.None;
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
            error = StorageClient.ReadLink(
                in caller, path.IsDescriptor ? VolumePath.Of(descriptor.File->Node) : path.Volume, target, out length);
        }

        length = (int)Math.Min((ulong)length, buffer.LengthBytes);
        if (error == Errno.None)
        {
            error = buffer.CopyOut(process, 0, target.Slice(0, length));
        }

        process->Table.Frames.Free(page);
        return SystemCall.Result(error, length);
    }

    private static bool IsLink(in Descriptor descriptor) => descriptor.File->Node != null
        ? (descriptor.File->Node->Mode & FileMode.TypeMask) == FileMode.SymbolicLink
        : descriptor.File->IsPathOnly && PseudoTree.IsLink(descriptor.File->Pseudo.File);

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

        uint permissions = mode & ~PathContext.Of(process)->Umask & FileMode.PermissionMask;
        return MakeNode(process, in path, (type == 0 ? FileMode.Regular : type) | permissions, deviceNumber, default);
    }

    /// <summary>Checks that a path is on the volume; else gives the error for what is served here.</summary>
    internal static Errno OnVolume(Process* process, in PathName path, Errno otherwise, out PseudoNode node)
    {
        Errno error = path.Resolve(process, LastLink.Keep, out node);
        return error == Errno.None && node.File != PseudoFile.None ? otherwise : error;
    }

    /// <summary>Checks that a path names something in /dev/shm, or could. EXDEV: it is elsewhere.</summary>
    internal static Errno InSharedMemory(Process* process, in PathName path)
    {
        Errno error = path.Resolve(process, LastLink.Keep, out PseudoNode node);
        bool isThere = (error == Errno.None && node.File == PseudoFile.SharedMemoryFile)
            || (error == Errno.ENOENT && node.File == PseudoFile.DevSharedMemory && path.Text[path.Text.Length - 1] != (byte)'/');
        return isThere ? Errno.None : error == Errno.None ? Errno.EXDEV : error;
    }

    /// <summary>
    /// A file in /dev/shm that link(2) is to give another name; null: what it names is none. One that has lost all of its names gets none.
    /// </summary>
    private static FileNode* SharedMemoryOf(Process* process, in Descriptor descriptor, PseudoNode source)
    {
        FileNode* node = source.File == PseudoFile.SharedMemoryFile ? FileSystem.Of(process).SharedMemory.NodeOf(source)
            : descriptor.IsBad ? null : descriptor.File->Node;
        return node != null && node->Memory != null && (node->Memory->Links != 0 || node->Memory->IsLinkable) ? node : null;
    }
}
