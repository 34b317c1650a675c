// open(2) of what no volume holds: texts, directories and links of /proc and /sys, devices, and what another descriptor refers to
// (/proc/PID/fd, /dev/stdin). BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Makes open files of entries of the pseudo tree.</summary>
public static unsafe class PseudoOpening
{
    /// <summary>Opens an entry of /proc, /sys or /dev.</summary>
    public static Errno Open(Process* process, PseudoNode node, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        FileSystem files = FileSystem.Of(process);
        if (FileOpening.IsExclusive(flags))
        {
            return Errno.EEXIST;
        }

        PseudoType type = PseudoTree.TypeOf(node.File);
        if (node.File == PseudoFile.ProcessDescriptor && (flags & OpenFlags.NoFollow) == 0)
        {
            using Descriptor other = Descriptor.Of(process->Table, node);
            return other.IsBad ? Errno.ENOENT : OpenAgain(process, other.File, flags, out file);
        }

        if ((flags & OpenFlags.Directory) != 0 && type != PseudoType.Directory)
        {
            return Errno.ENOTDIR;
        }

        if (node.File == PseudoFile.SharedMemoryFile)
        {
            return files.SharedMemory.Open(process, node, flags, out file);
        }

        if ((flags & OpenFlags.Path) != 0)
        {
            return FileOpening.Make(files, FileKind.PathOnly, flags, node, out file);
        }

        bool writes = (flags & OpenFlags.AccessMask) != OpenFlags.ReadOnly;
        if (type == PseudoType.Link)
        {
            return Errno.ELOOP;
        }

        if (type == PseudoType.Directory && (writes || (flags & OpenFlags.Create) != 0))
        {
            return Errno.EISDIR;
        }

        Errno error = PseudoTree.Status(process, node, out FileStatus status);
        error = error == Errno.None ? FileOpening.CheckOpen(process, in status.Attributes, flags) : error;
        if (error != Errno.None)
        {
            return error;
        }

        return type switch
        {
            PseudoType.Directory => FileOpening.Make(files, FileKind.PseudoDirectory, flags, node, out file),
            PseudoType.Device => OpenDevice(process, node.File, flags, out file),
            _ => FileOpening.Make(files, FileKind.PseudoText, flags, node, out file),
        };
    }

    internal static Errno OpenDevice(Process* process, PseudoFile device, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        FileSystem files = FileSystem.Of(process);
        PseudoNode node = new() { File = device };
        switch (device)
        {
            case PseudoFile.DevNull:
                return FileOpening.Make(files, FileKind.Null, flags, node, out file);
            case PseudoFile.DevZero:
                return FileOpening.Make(files, FileKind.Zero, flags, node, out file);
            case PseudoFile.DevFull:
                return FileOpening.Make(files, FileKind.Full, flags, node, out file);
            case PseudoFile.DevRandom:
            case PseudoFile.DevURandom:
                return FileOpening.Make(files, FileKind.Random, flags, node, out file);
        }

        TerminalSession* session = files.Sessions.TerminalOf(process);
        if (session == null)
        {
            return Errno.ENXIO;
        }

        file = StandardStream.Open(files, session, session->TerminalStream, flags);
        return file == null ? Errno.ENFILE : Errno.None;
    }

    /// <summary>
    /// Opens what another descriptor refers to once more (/proc/PID/fd/N, /dev/stdin), with a position of its own and the inode's
    /// permissions checked as for any open. The caller holds the other open file.
    /// </summary>
    private static Errno OpenAgain(Process* process, OpenFile* other, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        if (other->Node == null && other->Kind is not (FileKind.Pipe or FileKind.StandardStream))
        {
            // A link that was opened itself (O_PATH with O_NOFOLLOW) leads nowhere, least of all to itself.
            return PseudoTree.IsLink(other->Pseudo.File) ? Errno.ELOOP : Open(process, other->Pseudo, flags, out file);
        }

        Errno error = other->Operations.Status(process, other, out FileStatus status);
        if (error == Errno.None && (flags & OpenFlags.Path) == 0)
        {
            error = FileOpening.CheckOpen(process, in status.Attributes, flags);
        }

        if (error == Errno.None && (flags & OpenFlags.Directory) != 0 && (status.Attributes.Mode & FileMode.TypeMask) != FileMode.Directory)
        {
            error = Errno.ENOTDIR;
        }

        if (error != Errno.None)
        {
            return error;
        }

        if (other->Node != null)
        {
            using NodeRef node = NodeRef.To(other->Node);
            return FileOpening.OpenNode(process, in node, in status.Attributes, flags, created: false, out file);
        }

        if ((flags & OpenFlags.Path) != 0)
        {
            // A name for something that has none: nothing here could be done with it.
            return Errno.ENXIO;
        }

        if (other->Kind == FileKind.StandardStream)
        {
            file = StandardStream.Open(FileSystem.Of(process), other->Session, other->Stream, flags);
            return file == null ? Errno.ENFILE : Errno.None;
        }

        // A pipe has no other side to wait for: when that is gone, it is at its end (Linux: fifo_open and PIPEFS_MAGIC).
        return FileOpening.OpenPipe(FileSystem.Of(process), other->Pipe, null, flags, out file);
    }
}
