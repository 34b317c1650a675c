// From a path to an open file: what open(2) does after it has its arguments. The storage component looks the path up and creates the file;
// what kind of open file comes out of it is decided here. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Opens files.</summary>
public static unsafe class FileOpening
{
    private const uint WantRead = 4;
    private const uint WantWrite = 2;

    /// <summary>
    /// Opens a path with the flags of open(2); the result has one reference. All errors of open(2) but those about descriptors.
    /// </summary>
    public static Errno Open(Process* process, in PathName path, OpenFlags flags, uint mode, out OpenFile* file)
    {
        file = null;
        bool keepsLink = (flags & OpenFlags.NoFollow) != 0 || IsExclusive(flags);
        Errno error = path.Resolve(process, keepsLink ? LastLink.Keep : LastLink.Follow, out PseudoNode node);
        if (error != Errno.None)
        {
            return error;
        }

        return node.File == PseudoFile.None
            ? OpenVolume(process, path.Text, flags, mode, out file)
            : OpenPseudo(process, node, flags, out file);
    }

    /// <summary>Opens an entry of /proc, /sys or /dev.</summary>
    private static Errno OpenPseudo(Process* process, PseudoNode node, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        if (IsExclusive(flags))
        {
            return Errno.EEXIST;
        }

        if ((flags & OpenFlags.Path) != 0)
        {
            return Make(FileKind.PathOnly, flags, node, out file);
        }

        PseudoType type = PseudoTree.TypeOf(node.File);
        bool writes = (flags & OpenFlags.AccessMask) != OpenFlags.ReadOnly;
        switch (type)
        {
            case PseudoType.Directory:
                return writes || (flags & OpenFlags.Create) != 0 ? Errno.EISDIR : Make(FileKind.PseudoDirectory, flags, node, out file);
            case PseudoType.Link:
                return node.File == PseudoFile.ProcessDescriptor && (flags & OpenFlags.NoFollow) == 0
                    ? OpenAgain(process, PseudoTree.DescriptorFile(node), flags, out file)
                    : Errno.ELOOP;
        }

        if ((flags & OpenFlags.Directory) != 0)
        {
            return Errno.ENOTDIR;
        }

        return type == PseudoType.Device
            ? OpenDevice(process, node.File, flags, out file)
            : Make(FileKind.PseudoText, flags, node, out file);
    }

    private static Errno OpenDevice(Process* process, PseudoFile device, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        PseudoNode node = new() { File = device };
        switch (device)
        {
            case PseudoFile.DevNull:
                return Make(FileKind.Null, flags, node, out file);
            case PseudoFile.DevZero:
                return Make(FileKind.Zero, flags, node, out file);
            case PseudoFile.DevFull:
                return Make(FileKind.Full, flags, node, out file);
            case PseudoFile.DevRandom:
            case PseudoFile.DevURandom:
                return Make(FileKind.Random, flags, node, out file);
        }

        TerminalSession* session = TerminalSessions.TerminalOf(process);
        if (session == null)
        {
            return Errno.ENXIO;
        }

        file = StandardStream.Open(session, session->TerminalStream, flags);
        return file == null ? Errno.ENFILE : Errno.None;
    }

    /// <summary>Opens what another descriptor refers to once more (/proc/PID/fd/N, /dev/stdin), with a position of its own.</summary>
    private static Errno OpenAgain(Process* process, OpenFile* other, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        if (other == null)
        {
            return Errno.ENOENT;
        }

        switch (other->Kind)
        {
            case FileKind.Pipe:
                file = PipeEnd.Open(other->Pipe, flags);
                if (file != null && other->Node != null)
                {
                    file->Node = other->Node;
                    file->Node->References++;
                }

                return file == null ? Errno.ENFILE : Errno.None;
            case FileKind.StandardStream:
                file = StandardStream.Open(other->Session, other->Stream, flags);
                return file == null ? Errno.ENFILE : Errno.None;
            case FileKind.Regular:
            case FileKind.Directory:
                if (other->Kind == FileKind.Regular && (flags & OpenFlags.Truncate) != 0 && (flags & OpenFlags.AccessMask) != 0)
                {
                    Errno error = FileOperations.Of(other->Kind).Truncate(process, other, 0);
                    if (error != Errno.None)
                    {
                        return error;
                    }
                }

                Errno made = Make(other->Kind, flags, default, out file);
                if (made == Errno.None)
                {
                    file->Node = other->Node;
                    file->Node->References++;
                }

                return made;
            default:
                return other->Node == null ? Make(other->Kind, flags, other->Pseudo, out file) : Errno.ELOOP;
        }
    }

    private static Errno OpenVolume(Process* process, ReadOnlySpan<byte> path, OpenFlags flags, uint mode, out OpenFile* file)
    {
        file = null;
        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = TransferBuffers.Take();
        uint access = (flags & OpenFlags.Path) != 0 ? 0 : AccessOf(flags);
        Errno error = StorageClient.Open(
            in caller, in buffer, path, PathFlagsOf(flags), mode & ~process->Umask & FileMode.PermissionMask, access, out OpenReply reply,
            out ReadOnlySpan<byte> canonicalPath);
        if (error != Errno.None)
        {
            return error;
        }

        FileKind kind = FileKind.PathOnly;
        uint type = reply.Attributes.Mode & FileMode.TypeMask;
        if ((flags & OpenFlags.Path) == 0)
        {
            error = KindOf(in reply.Attributes, flags, out kind);
            if (error == Errno.None && kind == FileKind.Null)
            {
                PseudoFile device = PseudoTree.FindDevice(reply.Attributes.DeviceNumber);
                return device == PseudoFile.None ? Errno.ENXIO : OpenDevice(process, device, flags, out file);
            }

            if (error != Errno.None)
            {
                return error;
            }
        }

        FileNode* node = FileNodes.Acquire(in caller.Place, in reply.Attributes, canonicalPath);
        if (node == null)
        {
            return Errno.ENOMEM;
        }

        if (kind == FileKind.Regular && (flags & OpenFlags.Truncate) != 0 && (flags & OpenFlags.AccessMask) != 0 && reply.Created == 0)
        {
            error = FileClient.Truncate(in caller, in node->Handle, node->Path, 0);
        }

        if (error == Errno.None)
        {
            error = kind == FileKind.Pipe ? OpenFifo(node, flags, out file) : Make(kind, flags, default, out file);
        }

        if (error != Errno.None)
        {
            FileNodes.Release(node);
            return error;
        }

        file->Node = node;
        return type == FileMode.Fifo && kind == FileKind.Pipe ? WaitForOtherSide(ref file) : Errno.None;
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

    /// <summary>Opens one side of a FIFO (fifo(7)).</summary>
    private static Errno OpenFifo(FileNode* node, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        bool onlyWrites = (flags & OpenFlags.AccessMask) == OpenFlags.WriteOnly;
        if (node->Fifo == null)
        {
            if (onlyWrites && (flags & OpenFlags.NonBlocking) != 0)
            {
                return Errno.ENXIO;
            }

            node->Fifo = Pipe.Create();
            if (node->Fifo == null)
            {
                return Errno.ENOMEM;
            }
        }
        else if (onlyWrites && (flags & OpenFlags.NonBlocking) != 0 && node->Fifo->Readers == 0)
        {
            return Errno.ENXIO;
        }

        file = PipeEnd.Open(node->Fifo, flags);
        if (file == null && node->Fifo->Readers == 0 && node->Fifo->Writers == 0)
        {
            Pipe.Free(node->Fifo);
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

    private static Errno Make(FileKind kind, OpenFlags flags, PseudoNode node, out OpenFile* file)
    {
        file = OpenFile.Create(kind, flags);
        if (file == null)
        {
            return Errno.ENFILE;
        }

        file->Pseudo = node;
        return Errno.None;
    }

    private static bool IsExclusive(OpenFlags flags) => (flags & (OpenFlags.Create | OpenFlags.Exclusive)) == (OpenFlags.Create | OpenFlags.Exclusive);

    private static uint AccessOf(OpenFlags flags)
    {
        uint access = (flags & OpenFlags.AccessMask) switch
        {
            OpenFlags.ReadOnly => WantRead,
            OpenFlags.WriteOnly => WantWrite,
            _ => WantRead | WantWrite,
        };
        return (flags & OpenFlags.Truncate) != 0 ? access | WantWrite : access;
    }

    private static PathFlags PathFlagsOf(OpenFlags flags)
    {
        PathFlags result = PathFlags.None;
        result |= (flags & OpenFlags.NoFollow) != 0 ? PathFlags.NoFollow : PathFlags.None;
        result |= (flags & OpenFlags.Directory) != 0 ? PathFlags.Directory : PathFlags.None;
        if ((flags & OpenFlags.Create) != 0 && (flags & OpenFlags.Path) == 0)
        {
            result |= PathFlags.Create | ((flags & OpenFlags.Exclusive) != 0 ? PathFlags.Exclusive : PathFlags.None);
        }

        return result;
    }
}
