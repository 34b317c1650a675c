// stat of a path: the storage component finds the file, the memory component knows the newest size and times of a regular one. What both
// have said is remembered as long as it is true (leases/): then no message is needed. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Attributes by path.</summary>
public static unsafe class FileStatusLookup
{
    /// <summary>How often a path is looked up again because its file went between two messages.</summary>
    private const int MaxTries = 10;

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

        if (node.File == PseudoFile.SharedMemoryFile)
        {
            FileNode* shared = FileSystem.Of(process).SharedMemory.NodeOf(node);
            return shared == null ? Errno.ENOENT : MemoryObject.Status(process, shared, out status);
        }

        return node.File == PseudoFile.None
            ? OfVolume(process, in path, lastLink, out status)
            : PseudoTree.Status(process, node, out status);
    }

    /// <summary>fstat(2). EBADF.</summary>
    public static Errno OfDescriptor(Process* process, ulong descriptor, out FileStatus status)
    {
        status = default;
        if ((int)descriptor == PathName.CurrentDirectory)
        {
            return OfCwd(process, out status);
        }

        using Descriptor open = Descriptor.Of(process, descriptor);
        return open.IsBad ? Errno.EBADF : open.Operations.Status(process, open.File, out status);
    }

    /// <summary>access(2): whether a caller may use what a path of the volume names. EACCES.</summary>
    public static Errno CheckVolume(in FileCaller caller, in PathName path, LastLink lastLink, uint access)
    {
        VolumePath volume = path.Volume;
        RememberedPath* known = caller.Leases.Paths.Find(in caller, in volume, lastLink);
        if (known != null && known->Error != Errno.None)
        {
            return known->Error;
        }

        if (known != null && caller.Leases.Attributes.TryFindAccess(caller.Place.Storage, in known->Found, out FileAttributes attributes))
        {
            return FileAccess.Check(in caller, in attributes, access);
        }

        using TransferBuffer buffer = path.Files.Buffers.Take();
        return StorageClient.Open(in caller, in buffer, in volume, FlagsOf(lastLink), 0, access, out _, out _);
    }

    /// <summary>Attributes of a path of the volume.</summary>
    private static Errno OfVolume(Process* process, in PathName path, LastLink lastLink, out FileStatus status)
    {
        FileCaller caller = FileCaller.Of(process);
        // Between the two messages the name may come to stand for another file (rename), but never for none: then ask again.
        Errno error = Errno.ESTALE;
        status = default;
        for (int tries = 0; tries < MaxTries && error == Errno.ESTALE; tries++)
        {
            error = Look(in caller, in path, lastLink, out status);
        }

        ReadTimes.Complete(path.Files.Nodes, caller.Place.Storage, ref status.Attributes);

        return error == Errno.ESTALE ? Errno.ENOENT : error;
    }

    private static PathFlags FlagsOf(LastLink lastLink) => lastLink == LastLink.Keep ? PathFlags.NoFollow : PathFlags.None;

    private static Errno Look(in FileCaller caller, in PathName path, LastLink lastLink, out FileStatus status)
    {
        status = default;
        status.Device = DeviceNumber.Volume;
        VolumePath volume = path.Volume;
        RememberedPath* known = caller.Leases.Paths.Find(in caller, in volume, lastLink);
        if (known != null
            && (known->Error != Errno.None
                || caller.Leases.Attributes.TryFind(caller.Place.Storage, in known->Found, out status.Attributes)))
        {
            return known->Error;
        }

        using TransferBuffer buffer = path.Files.Buffers.Take();
        if (known != null && caller.Leases.Attributes.TryFindAccess(caller.Place.Storage, in known->Found, out status.Attributes))
        {
            // The memory of it may go while the answer is waited for.
            FileHandle handle = known->Found;
            ReadOnlySpan<byte> kept = RememberedPaths.CanonicalOf(known);
            kept.CopyTo(buffer.Data);
            return (status.Attributes.Mode & FileMode.TypeMask) == FileMode.Regular
                ? FileClient.Status(in caller, in handle, buffer.Data.Slice(0, kept.Length), out status.Attributes)
                : StorageClient.Status(in caller, in handle, out status.Attributes);
        }

        Errno error = StorageClient.Open(in caller, in buffer, in volume, FlagsOf(lastLink), 0, 0, out OpenReply reply,
            out ReadOnlySpan<byte> canonical);
        status.Attributes = reply.Attributes;
        return error != Errno.None || (reply.Attributes.Mode & FileMode.TypeMask) != FileMode.Regular
            ? error
            : FileClient.Status(in caller, in reply.Attributes.Handle, canonical, out status.Attributes);
    }

    private static Errno OfCwd(Process* process, out FileStatus status)
    {
        ref WorkingDirectory cwd = ref WorkingDirectory.Of(process);
        if (cwd.IsPseudo)
        {
            return PseudoTree.Status(process, cwd.Pseudo, out status);
        }

        status = default;
        status.Device = DeviceNumber.Volume;
        FileCaller caller = FileCaller.Of(process);
        if (cwd.Node != null)
        {
            // Another thread may change the directory while this one waits.
            using NodeRef node = NodeRef.To(cwd.Node);
            return StorageClient.Status(in caller, node.Node, out status.Attributes);
        }

        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        VolumePath path = VolumePath.Absolute("/"u8);
        Errno error = StorageClient.Open(in caller, in buffer, in path, PathFlags.None, 0, 0, out OpenReply reply, out _);
        status.Attributes = reply.Attributes;
        return error;
    }
}
