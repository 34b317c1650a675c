// From a path to an open file: what open(2) does after it has its arguments. The storage component looks the path up and creates the file;
// what kind of open file comes out of it is decided here. The looking up, also for those who open nothing, is in FileOpening.Finding.cs.
// BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Opens files.</summary>
public static unsafe partial class FileOpening
{
    /// <summary>
    /// Opens a path with the flags of open(2); the result has one reference. All errors of open(2) but those about descriptors.
    /// </summary>
    public static Errno Open(Process* process, in PathName path, OpenFlags flags, uint mode, out OpenFile* file)
    {
        file = null;
        // A 64-bit kernel adds it to every open (open(2), O_LARGEFILE); F_GETFL shows it.
        flags |= OpenFlags.LargeFile;
        bool keepsLink = (flags & OpenFlags.NoFollow) != 0 || IsExclusive(flags);
        Errno error = path.Resolve(process, keepsLink ? LastLink.Keep : LastLink.Follow, out PseudoNode node);
        if (error == Errno.ENOENT && node.File == PseudoFile.DevSharedMemory
            && (flags & (OpenFlags.Create | OpenFlags.Path)) == OpenFlags.Create)
        {
            return path.Text[path.Text.Length - 1] == (byte)'/'
                ? Errno.EISDIR
                : FileSystem.Of(process).SharedMemory.Create(process, PathText.LastComponent(path.Text), flags, mode, out file);
        }

        if (error != Errno.None)
        {
            return error;
        }

        if (node.File == PseudoFile.None)
        {
            return OpenVolume(process, in path, flags, mode, out file);
        }

        return (flags & OpenFlags.Temporary) == 0 ? PseudoOpening.Open(process, node, flags, out file)
            : node.File == PseudoFile.DevSharedMemory ? FileSystem.Of(process).SharedMemory.CreateNameless(process, flags, mode, out file)
            : PseudoTree.IsDirectory(node.File) ? Errno.EOPNOTSUPP
            : Errno.ENOTDIR;
    }

    /// <summary>Opens a file of the volume by its handle (open_by_handle_at(2)). ESTALE: it is gone; errors of open(2).</summary>
    public static Errno OpenHandle(Process* process, in FileHandle handle, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        // Nothing is made, and a link is what was sought (O_PATH).
        flags = (flags & ~(OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.Temporary)) | OpenFlags.LargeFile;
        uint access = (flags & OpenFlags.Path) != 0 ? 0 : AccessOf(flags);
        Errno error = FindNode(
            process, VolumePath.Of(in handle), flags, 0, access, out FileAttributes attributes, out _, out FileNode* found);
        if (error != Errno.None)
        {
            return error;
        }

        using NodeRef node = NodeRef.Adopt(found);
        return OpenNode(process, in node, in attributes, flags, created: false, out file);
    }

    /// <summary>truncate(2): what is no regular file is refused before anything is opened. EISDIR, EINVAL, EACCES, EFBIG.</summary>
    public static Errno Truncate(Process* process, in PathName path, ulong sizeBytes)
    {
        Errno error = path.Resolve(process, LastLink.Follow, out PseudoNode pseudo);
        if (error != Errno.None)
        {
            return error;
        }

        if (pseudo.File == PseudoFile.ProcessDescriptor)
        {
            using Descriptor other = Descriptor.Of(process->Table, pseudo);
            if (other.IsBad || other.File->Node == null)
            {
                return other.IsBad ? Errno.ENOENT : Errno.EINVAL;
            }

            using NodeRef node = NodeRef.To(other.File->Node);
            error = other.Operations.Status(process, other.File, out FileStatus status);
            error = error == Errno.None ? FileAccess.Check(process, in status.Attributes, FileAccess.Write) : error;
            return error == Errno.None ? Truncate(process, in node, in status.Attributes, sizeBytes) : error;
        }

        if (pseudo.File == PseudoFile.SharedMemoryFile)
        {
            using NodeRef shared = NodeRef.To(FileSystem.Of(process).SharedMemory.NodeOf(pseudo));
            FileStatus status = default;
            error = shared.IsNone ? Errno.ENOENT : MemoryObject.Status(process, shared.Node, out status);
            error = error == Errno.None ? FileAccess.Check(process, in status.Attributes, FileAccess.Write) : error;
            return error == Errno.None ? RegularFile.Truncate(process, shared.Node, sizeBytes) : error;
        }

        if (pseudo.File != PseudoFile.None)
        {
            return PseudoTree.IsDirectory(pseudo.File) ? Errno.EISDIR : Errno.EINVAL;
        }

        error = FindNode(
            process, path.Volume, OpenFlags.WriteOnly, 0, FileAccess.Write, out FileAttributes attributes, out _, out FileNode* found);
        if (error != Errno.None)
        {
            return error;
        }

        using NodeRef held = NodeRef.Adopt(found);
        return Truncate(process, in held, in attributes, sizeBytes);
    }

    private static Errno Truncate(Process* process, in NodeRef node, in FileAttributes attributes, ulong sizeBytes)
    {
        uint type = attributes.Mode & FileMode.TypeMask;
        if (type != FileMode.Regular)
        {
            return type == FileMode.Directory ? Errno.EISDIR : Errno.EINVAL;
        }

        Errno error = RegularFile.Truncate(process, node.Node, sizeBytes);
        if (error == Errno.None)
        {
            FileSystem.Of(process).Inotify.Tell(node.Node, InotifyMask.Modify);
        }

        return error;
    }

    private static Errno OpenVolume(Process* process, in PathName path, OpenFlags flags, uint mode, out OpenFile* file)
    {
        file = null;
        uint access = (flags & OpenFlags.Path) != 0 ? 0 : AccessOf(flags);
        Errno error = FindNode(process, path.Volume, flags, mode, access, out FileAttributes attributes, out bool created,
            out FileNode* found);
        if (error != Errno.None)
        {
            return error;
        }

        using NodeRef node = NodeRef.Adopt(found);
        if (created && (flags & OpenFlags.Temporary) == 0)
        {
            FileSystem.Of(process).Inotify.TellDirectory(node.Node, InotifyMask.Create);
        }

        return OpenNode(process, in node, in attributes, flags, created, out file);
    }

    /// <summary>
    /// Opens a file of the volume, permissions checked. May wait for the other side of a FIFO, so nothing that others need is held here.
    /// </summary>
    internal static Errno OpenNode(
        Process* process, in NodeRef node, in FileAttributes attributes, OpenFlags flags, bool created, out OpenFile* file)
    {
        Errno error = OpenKind(process, in node, in attributes, flags, created, out file);
        Inotify inotify = FileSystem.Of(process).Inotify;
        if (error == Errno.None && inotify.IsWatching && file->Node != null && !file->IsPathOnly)
        {
            inotify.Tell(node.Node, InotifyMask.Open);
            if ((flags & OpenFlags.Truncate) != 0 && !created && file->Kind == FileKind.Regular)
            {
                inotify.Tell(node.Node, InotifyMask.Modify);
            }
        }

        return error;
    }

    private static Errno OpenKind(
        Process* process, in NodeRef node, in FileAttributes attributes, OpenFlags flags, bool created, out OpenFile* file)
    {
        file = null;
        FileKind kind = FileKind.PathOnly;
        Errno error = (flags & OpenFlags.Path) != 0 ? Errno.None : KindOf(in attributes, flags, out kind);
        if (error == Errno.None && kind == FileKind.Null)
        {
            PseudoFile device = PseudoTree.FindDevice(attributes.DeviceNumber);
            return device == PseudoFile.None ? Errno.ENXIO : PseudoOpening.OpenDevice(process, device, flags, out file);
        }

        if (error == Errno.None && kind == FileKind.Regular)
        {
            return OpenRegular(process, in node, flags, created, out file);
        }

        if (error == Errno.None)
        {
            error = kind == FileKind.Pipe
                ? OpenPipe(FileSystem.Of(process), node.Node->Fifo, node.Node, flags, out file)
                : Make(FileSystem.Of(process), kind, flags, default, out file);
        }

        if (error != Errno.None)
        {
            return error;
        }

        file->Node = node.Share();
        return kind == FileKind.Pipe ? WaitForOtherSide(ref file) : Errno.None;
    }

    /// <summary>Opens a regular file. ETXTBSY when it is to be written and runs; from the check on nobody can run it.</summary>
    private static Errno OpenRegular(Process* process, in NodeRef node, OpenFlags flags, bool created, out OpenFile* file)
    {
        bool truncates = (flags & OpenFlags.Truncate) != 0 && !created;
        Errno error = Make(FileSystem.Of(process), FileKind.Regular, flags, default, out file);
        if (error != Errno.None)
        {
            return error;
        }

        file->Node = node.Share();
        KeptWrites.Open(file);
        file->IsWriter = file->IsWritable;
        node.Node->Writers += file->IsWriter ? 1u : 0;
        if ((file->IsWritable || truncates) && FileSystem.Of(process).Mappings.IsProgram(node.Node))
        {
            error = Errno.ETXTBSY;
        }
        else if (truncates)
        {
            error = RegularFile.Resize(process, node.Node, 0, FileWriteFlags.None);
        }

        if (error != Errno.None)
        {
            OpenFile.Release(file);
            file = null;
        }

        return error;
    }

    /// <summary>What open(2) asks of an inode that was not looked up by the storage component for this open.</summary>
    internal static Errno CheckOpen(Process* process, in FileAttributes attributes, OpenFlags flags)
    {
        Errno error = FileAccess.Check(process, in attributes, AccessOf(flags));
        return error == Errno.None ? CheckAccessTime(process, in attributes, flags) : error;
    }

    /// <summary>What an inode is opened as; FileKind.Null stands for any device.</summary>
    private static Errno KindOf(in FileAttributes attributes, OpenFlags flags, out FileKind kind)
    {
        bool writes = (flags & OpenFlags.AccessMask) != OpenFlags.ReadOnly;
        kind = FileKind.Regular;
        switch (attributes.Mode & FileMode.TypeMask)
        {
            case FileMode.Regular:
                return Errno.None;
            case FileMode.Directory:
                kind = FileKind.Directory;
                return writes || (flags & (OpenFlags.Create | OpenFlags.Truncate)) != 0 ? Errno.EISDIR : Errno.None;
            case FileMode.SymbolicLink:
                return Errno.ELOOP;
            case FileMode.Fifo:
                kind = FileKind.Pipe;
                return Errno.None;
            case FileMode.CharacterDevice:
                kind = FileKind.Null;
                return Errno.None;
            default:
                return Errno.ENXIO;
        }
    }

    /// <summary>
    /// Opens one side of a FIFO, which gets its ring with its first end (fifo(7)), or of a pipe that exists and has no node.
    /// </summary>
    internal static Errno OpenPipe(FileSystem files, Pipe* pipe, FileNode* node, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        bool writesAtOnce = (flags & (OpenFlags.AccessMask | OpenFlags.NonBlocking)) == (OpenFlags.WriteOnly | OpenFlags.NonBlocking);
        if (writesAtOnce && node != null && (pipe == null || pipe->Readers == 0))
        {
            return Errno.ENXIO;
        }

        if (pipe == null)
        {
            pipe = Pipe.Create(files);
            if (pipe == null)
            {
                return Errno.ENOMEM;
            }

            node->Fifo = pipe;
        }

        file = PipeEnd.Open(files, pipe, flags);
        if (file == null && pipe->Readers == 0 && pipe->Writers == 0)
        {
            Pipe.Free(pipe);
            node->Fifo = null;
        }

        return file == null ? Errno.ENFILE : Errno.None;
    }

    /// <summary>A blocking open of one side waits until the other side has been opened once after it. EINTR closes it again.</summary>
    private static Errno WaitForOtherSide(ref OpenFile* file)
    {
        Pipe* pipe = file->Pipe;
        bool reads = file->IsReadable;
        bool writes = file->IsWritable;
        if ((reads && writes) || (reads && file->IsNonBlocking))
        {
            return Errno.None;
        }

        uint arrivals = reads ? pipe->WriterArrivals : pipe->ReaderArrivals;
        while ((reads ? pipe->Writers : pipe->Readers) == 0 && (reads ? pipe->WriterArrivals : pipe->ReaderArrivals) == arrivals)
        {
            Errno error = reads ? Signals.Wait(ref pipe->ReadersWait) : Signals.Wait(ref pipe->WritersWait);
            if (error != Errno.None)
            {
                OpenFile.Release(file);
                file = null;
                return error;
            }
        }

        return Errno.None;
    }

    internal static Errno Make(FileSystem files, FileKind kind, OpenFlags flags, PseudoNode node, out OpenFile* file)
    {
        file = OpenFile.Create(files, kind, flags);
        if (file == null)
        {
            return Errno.ENFILE;
        }

        file->Pseudo = node;
        return Errno.None;
    }

    internal static bool IsExclusive(OpenFlags flags) =>
        (flags & (OpenFlags.Create | OpenFlags.Exclusive)) == (OpenFlags.Create | OpenFlags.Exclusive);

    private static uint AccessOf(OpenFlags flags)
    {
        uint access = (flags & OpenFlags.AccessMask) switch
        {
            OpenFlags.ReadOnly => FileAccess.Read,
            OpenFlags.WriteOnly => FileAccess.Write,
            _ => FileAccess.Read | FileAccess.Write,
        };
        return (flags & OpenFlags.Truncate) != 0 ? access | FileAccess.Write : access;
    }
}
