// stat of a path: the storage component finds the file, the memory component knows the newest size and times of a regular one. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Attributes by path.</summary>
public static unsafe class FileStatusLookup
{
    /// <summary>Attributes of what a path names (or, for an empty path with AT_EMPTY_PATH, of the descriptor).</summary>
    public static Errno Find(Process* process, in PathName path, ulong directory, LastLink lastLink, out FileStatus status)
    {
        status = default;
        if (path.IsDescriptor)
        {
            return OfDescriptor(process, directory, out status);
        }

        Errno error = path.Resolve(process, lastLink, out PseudoNode node);
        if (error != Errno.None)
        {
            return error;
        }

        if (node.File == PseudoFile.ProcessDescriptor && lastLink == LastLink.Follow)
        {
            using Descriptor descriptor = Descriptor.Of(process->Table, node);
            return descriptor.IsBad ? Errno.ENOENT : descriptor.Operations.Status(process, descriptor.File, out status);
        }

        return node.File == PseudoFile.None
            ? OfVolume(process, path.Text, lastLink, 0, out status)
            : PseudoTree.Status(process, node, out status);
    }

    /// <summary>fstat(2). EBADF.</summary>
    public static Errno OfDescriptor(Process* process, ulong descriptor, out FileStatus status)
    {
        status = default;
        if ((int)descriptor == PathName.CurrentDirectory)
        {
            return OfVolumeOrPseudo(process, out status);
        }

        using Descriptor open = Descriptor.Of(process, descriptor);
        return open.IsBad ? Errno.EBADF : open.Operations.Status(process, open.File, out status);
    }

    /// <summary>Attributes of a path of the volume; EACCES when <paramref name="access"/> (as access(2)) is not granted.</summary>
    public static Errno OfVolume(Process* process, ReadOnlySpan<byte> path, LastLink lastLink, uint access, out FileStatus status)
    {
        status = default;
        status.Device = DeviceNumber.Volume;
        FileCaller caller = FileCaller.Of(process);
        using SharedLock.Guard names = FileSystem.Of(process).Nodes.Names.Share();
        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        PathFlags flags = lastLink == LastLink.Keep ? PathFlags.NoFollow : PathFlags.None;
        Errno error = StorageClient.Open(in caller, in buffer, path, flags, 0, access, out OpenReply reply,
            out ReadOnlySpan<byte> canonical);
        status.Attributes = reply.Attributes;
        if (error != Errno.None || (reply.Attributes.Mode & FileMode.TypeMask) != FileMode.Regular)
        {
            return error;
        }

        error = FileClient.Status(in caller, in reply.Attributes.Handle, canonical, out status.Attributes);
        return error == Errno.ESTALE ? Errno.ENOENT : error;
    }

    private static Errno OfVolumeOrPseudo(Process* process, out FileStatus status)
    {
        status = default;
        using PathName path = PathName.FromText(process->Table.Frames, Processes.TextOf(process->Cwd));
        return path.Error != Errno.None ? path.Error : Find(process, in path, 0, LastLink.Follow, out status);
    }
}
