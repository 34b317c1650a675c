// From a path to a node of the volume with one reference for the caller: for open(2), and for those who only need the file, as programs,
// working directories, watches and the sockets that have a path do. The storage component holds the file afterwards. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public static unsafe partial class FileOpening
{
    /// <summary>Looks a directory up, for chdir(2); the node has one reference for the caller. EACCES: no search permission.</summary>
    public static Errno FindDirectory(Process* process, in PathName path, out FileNode* node)
    {
        const OpenFlags Flags = OpenFlags.Path | OpenFlags.Directory;
        return FindNode(process, path.Volume, Flags, 0, FileAccess.Execute, out _, out _, out node);
    }

    /// <summary>
    /// Looks a file up and does not open it; the node has one reference for the caller. <paramref name="access"/>: what the caller must be
    /// allowed (EACCES).
    /// </summary>
    public static Errno FindFile(Process* process, in VolumePath path, OpenFlags flags, uint access, out FileNode* node) =>
        FindNode(process, in path, OpenFlags.Path | flags, 0, access, out _, out _, out node);

    /// <summary>
    /// Makes the inode of a socket that is bound to a path; its node has one reference for the caller. EEXIST, EPERM: it would be among
    /// what is served here; the errors of mknod(2).
    /// </summary>
    public static Errno MakeSocket(Process* process, ReadOnlySpan<byte> text, out FileNode* node)
    {
        const uint Everybody = 0x1FF;
        node = null;
        using PathName path = PathName.FromText(process, text);
        PseudoNode pseudo = default;
        Errno error = path.Error != Errno.None ? path.Error : path.Resolve(process, LastLink.Keep, out pseudo);
        if (error != Errno.None || pseudo.File != PseudoFile.None)
        {
            return error == Errno.None ? Errno.EEXIST : error;
        }

        FileCaller caller = FileCaller.Of(process);
        using (TransferBuffer buffer = FileSystem.Of(process).Buffers.Take())
        {
            error = StorageClient.MakeNode(
                in caller, in buffer, path.Volume, FileMode.Socket | (Everybody & ~PathContext.Of(process)->Umask), 0, default);
        }

        const OpenFlags Flags = OpenFlags.Path | OpenFlags.NoFollow;
        return error != Errno.None ? error : FindNode(process, path.Volume, Flags, 0, 0, out _, out _, out node);
    }

    /// <summary>
    /// The inode of a socket that somebody connects to; its node has one reference for the caller. EACCES: he may not write to it;
    /// ECONNREFUSED: it is no socket.
    /// </summary>
    public static Errno FindSocket(Process* process, ReadOnlySpan<byte> text, out FileNode* node)
    {
        node = null;
        using PathName path = PathName.FromText(process, text);
        PseudoNode pseudo = default;
        Errno error = path.Error != Errno.None ? path.Error : path.Resolve(process, LastLink.Follow, out pseudo);
        if (error != Errno.None || pseudo.File != PseudoFile.None)
        {
            return error == Errno.None ? Errno.ECONNREFUSED : error;
        }

        error = FindNode(process, path.Volume, OpenFlags.Path, 0, 0, out FileAttributes attributes, out _, out FileNode* found);
        if (error != Errno.None)
        {
            return error;
        }

        bool isSocket = (attributes.Mode & FileMode.TypeMask) == FileMode.Socket;
        error = FileAccess.Check(process, in attributes, FileAccess.Write);
        if (error != Errno.None || !isSocket)
        {
            FileSystem.Of(process).Nodes.Release(found);
            return error != Errno.None ? error : Errno.ECONNREFUSED;
        }

        node = found;
        return Errno.None;
    }

    /// <summary>
    /// The file of a program that is about to be loaded; its node has one reference for the caller. ENOENT, EACCES: not a file, or not
    /// executable; ENOTDIR, ELOOP, ENAMETOOLONG.
    /// </summary>
    public static Errno FindProgram(Process* process, ReadOnlySpan<byte> text, out FileNode* node, out FileAttributes attributes)
    {
        Errno error = FindProgramOnce(process, text, out node, out attributes);
        if (error == Errno.EREMOTE && !UserThread.ActingFor(process)->FollowsMounts)
        {
            UserThread.ActingFor(process)->FollowsMounts = true;
            error = FindProgramOnce(process, text, out node, out attributes);
            UserThread.ActingFor(process)->FollowsMounts = false;
        }

        return error;
    }

    private static Errno FindProgramOnce(Process* process, ReadOnlySpan<byte> text, out FileNode* node, out FileAttributes attributes)
    {
        node = null;
        attributes = default;
        using PathName path = PathName.FromText(process, text);
        if (path.Error != Errno.None)
        {
            return path.Error;
        }

        Errno error = path.Resolve(process, LastLink.Follow, out PseudoNode pseudo);
        if (error != Errno.None)
        {
            return error;
        }

        if (pseudo.File == PseudoFile.None)
        {
            error = FindNode(process, path.Volume, OpenFlags.Path, 0, FileAccess.Execute, out attributes, out _, out node);
            bool isFile = (attributes.Mode & FileMode.TypeMask) == FileMode.Regular;
            if (error == Errno.None && !isFile)
            {
                // Directories, devices and pipes (execve(2)).
                FileSystem.Of(process).Nodes.Release(node);
                node = null;
                error = Errno.EACCES;
            }

            return error;
        }

        using Descriptor open = pseudo.File == PseudoFile.ProcessDescriptor ? Descriptor.Of(process->Table, pseudo) : default;
        if (open.IsBad || open.File->Node == null)
        {
            return pseudo.File == PseudoFile.ProcessDescriptor && open.IsBad ? Errno.ENOENT : Errno.EACCES;
        }

        error = open.Operations.Status(process, open.File, out FileStatus status);
        attributes = status.Attributes;
        bool mayRun = (attributes.Mode & FileMode.TypeMask) == FileMode.Regular;
        error = error != Errno.None ? error : mayRun ? FileAccess.Check(process, in attributes, FileAccess.Execute) : Errno.EACCES;
        if (error == Errno.None)
        {
            using NodeRef held = NodeRef.To(open.File->Node);
            node = held.Share();
        }

        return error;
    }

    /// <summary>The working directory that a program is started in. EINVAL: not absolute; ENOENT, ENOTDIR, EACCES.</summary>
    public static Errno FindDirectory(Process* process, ReadOnlySpan<byte> path, out FileNode* node)
    {
        const OpenFlags Flags = OpenFlags.Path | OpenFlags.Directory;
        node = null;
        if (path.Length == 0 || path[0] != (byte)'/')
        {
            return Errno.EINVAL;
        }

        Errno error = FindNode(process, VolumePath.Absolute(path), Flags, 0, FileAccess.Execute, out _, out _, out node);
        // A tree that is served here is no place to start from.
        return error == Errno.EREMOTE ? Errno.ENOTDIR : error;
    }

    /// <summary>Looks a path up, or creates it, and holds the file; the node has one reference for the caller.</summary>
    private static Errno FindNode(
        Process* process, in VolumePath path, OpenFlags flags, uint mode, uint access, out FileAttributes attributes, out bool created,
        out FileNode* node)
    {
        created = false;
        FileCaller caller = FileCaller.Of(process);
        bool isNameless = (flags & OpenFlags.Temporary) != 0;
        attributes = default;
        node = null;
        Errno error = Errno.None;
        bool isByHandle = path.Handle.Inode != 0 && !path.IsRelative;
        bool mayBeKnown = !isNameless && !isByHandle && (path.Scope & PathScope.Walked) == 0;
        if (mayBeKnown && KnownFile.TryFind(in caller, in path, flags, access, out attributes, out node, out error))
        {
            return error != Errno.None || (flags & OpenFlags.Path) != 0 ? error : CheckKnown(process, in attributes, flags, ref node);
        }

        if ((path.Scope & PathScope.KnownOnly) != 0)
        {
            return Errno.EAGAIN;
        }

        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        ulong moment = caller.Leases.Clock.Now;
        error = StorageClient.Open(
            in caller, in buffer, in path, PathFlagsOf(flags) | PathFlags.Hold, mode & ~PathContext.Of(process)->Umask
            & FileMode.PermissionMask, access, out OpenReply reply,
            out ReadOnlySpan<byte> canonicalPath);
        attributes = reply.Attributes;
        created = reply.Created != 0;
        if (error != Errno.None)
        {
            return error;
        }

        if (isNameless)
        {
            canonicalPath = NamelessPath(canonicalPath, attributes.Handle.Inode, buffer.Data);
        }

        error = created || (flags & OpenFlags.Path) != 0 ? Errno.None : CheckAccessTime(process, in attributes, flags);
        node = error == Errno.None ? FileSystem.Of(process).Nodes.Acquire(
            caller.Context.VNode, in caller.Place, in attributes, canonicalPath, moment, created) : null;
        if (node == null)
        {
            ReleaseRecord unused = default;
            unused.Entry.Handle = attributes.Handle;
            unused.Entry.Holds = 1;
            FileSystem.Of(process).Nodes.Holds.GiveBack(in caller.Place, in unused, atOnce: false);
            return error != Errno.None ? error : Errno.ENOMEM;
        }

        return Errno.None;
    }

    private static Errno CheckKnown(Process* process, in FileAttributes attributes, OpenFlags flags, ref FileNode* node)
    {
        Errno error = CheckAccessTime(process, in attributes, flags);
        if (error != Errno.None)
        {
            FileSystem.Of(process).Nodes.Release(node);
            node = null;
        }

        return error;
    }

    /// <summary>O_NOATIME is the owner's (open(2)).</summary>
    private static Errno CheckAccessTime(Process* process, in FileAttributes attributes, OpenFlags flags)
    {
        bool asks = (flags & OpenFlags.NoAccessTime) != 0;
        return asks && process->FileSystemUserId != 0 && process->FileSystemUserId != attributes.UserId ? Errno.EPERM : Errno.None;
    }

    /// <summary>What Linux says of a file that was made without a name: "#" and its number in the directory.</summary>
    private static ReadOnlySpan<byte> NamelessPath(ReadOnlySpan<byte> directory, uint inode, Span<byte> buffer)
    {
        TextBuffer text = new(buffer.Slice(buffer.Length / 2));
        text.Append(directory.Length > 1 ? directory : default);
        text.Append("/#"u8);
        text.AppendNumber(inode);
        return text.Text;
    }

    private static PathFlags PathFlagsOf(OpenFlags flags)
    {
        if ((flags & OpenFlags.Temporary) != 0)
        {
            return PathFlags.Nameless | ((flags & OpenFlags.Exclusive) != 0 ? PathFlags.Exclusive : PathFlags.None);
        }

        PathFlags result = PathFlags.None;
        result |= (flags & OpenFlags.NoFollow) != 0 ? PathFlags.NoFollow : PathFlags.None;
        result |= (flags & OpenFlags.Directory) != 0 ? PathFlags.Directory : PathFlags.None;
        result |= (flags & (OpenFlags.Append | OpenFlags.Truncate)) == OpenFlags.Append ? PathFlags.Append : PathFlags.None;
        if ((flags & OpenFlags.Create) != 0 && (flags & OpenFlags.Path) == 0)
        {
            result |= PathFlags.Create | ((flags & OpenFlags.Exclusive) != 0 ? PathFlags.Exclusive : PathFlags.None);
        }

        return result;
    }
}
