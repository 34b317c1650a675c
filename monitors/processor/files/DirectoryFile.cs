// Open directories of the volume. getdents64 passes the storage component's entries on; in the root it puts the trees that this component
// serves itself in place of directories of their names. All functions BLOCK for messages.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of directories of the volume.</summary>
public sealed unsafe class DirectoryFile(FileSystem files) : FileOperations(files)
{
    /// <summary>Inode number of a volume's root (ext4).</summary>
    private const uint RootInode = 2;

    /// <summary>Cookies from here on are this component's own entries of the root directory.</summary>
    private const ulong OwnEntries = 1UL << 62;

    public override bool IsSeekable => true;

    public override bool HasPosition => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to) => CallResult.Fail(Errno.EISDIR);

    /// <summary>
    /// Positions are what telldir(3) gives. The end is where ext4 has that of a directory with an index (EXT4_HTREE_EOF_64BIT), whatever
    /// its size: everything before it is data, and nothing can be read there.
    /// </summary>
    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin)
    {
        const long End = long.MaxValue;
        switch (origin)
        {
            case SeekOrigin.Current:
                offset += (long)file->Offset;
                break;
            case SeekOrigin.End:
                offset += End;
                break;
            case SeekOrigin.Data or SeekOrigin.Hole when (ulong)offset >= End:
                return CallResult.Fail(Errno.ENXIO);
            case SeekOrigin.Hole:
                offset = End;
                break;
        }

        if (offset < 0)
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        file->Offset = (ulong)offset;
        return offset;
    }

    public override long ReadDirectory(Process* process, OpenFile* file, ref IoVector to)
    {
        DirectoryWriter writer = new(to);
        bool isRoot = file->Node->Handle.Inode == RootInode;
        Errno error = file->Node->IsUnlinked ? Errno.ENOENT : Errno.None;
        if (error == Errno.None && file->Offset < OwnEntries)
        {
            FileCaller caller = FileCaller.Of(process);
            using TransferBuffer buffer = Files.Buffers.Take();
            error = PassOn(in caller, file, buffer.Data, isRoot, ref writer);
        }

        if (isRoot && error == Errno.None && file->Offset >= OwnEntries)
        {
            error = AddOwn(file, ref writer);
        }

        return writer.Result(error);
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = default;
        status.Device = DeviceNumber.Volume;
        FileCaller caller = FileCaller.Of(process);
        Errno error = StorageClient.Status(in caller, file->Node, out status.Attributes);
        // One that was removed has nothing in it any more (ext4_rmdir of Linux).
        status.Attributes.Size = status.Attributes.Links == 0 ? 0 : status.Attributes.Size;
        return error;
    }

    public override Errno Synchronize(Process* process, OpenFile* file)
    {
        FileCaller caller = FileCaller.Of(process);
        return StorageClient.Synchronize(in caller);
    }

    public override int Describe(OpenFile* file, Span<byte> text) => RegularFile.DescribeNode(file->Node, text);

    public override void Close(OpenFile* file) => Files.Nodes.Release(file->Node);

    /// <summary>Entries of the storage component until the buffer is full (EINVAL when not even one fits) or the directory ends.</summary>
    private static Errno PassOn(in FileCaller caller, OpenFile* file, Span<byte> reply, bool isRoot, ref DirectoryWriter writer)
    {
        while (true)
        {
            int wanted = (int)Math.Max(PageOperations.PageSize, Math.Min(writer.RemainingBytes, (ulong)reply.Length));
            VolumePath path = VolumePath.Of(file->Node);
            Errno error = StorageClient.ReadDirectory(in caller, in path, file->Offset, reply.Slice(0, wanted), out int length);
            if (error != Errno.None)
            {
                return error;
            }

            if (length == 0)
            {
                file->Offset = isRoot ? OwnEntries : file->Offset;
                return Errno.None;
            }

            ReadOnlySpan<byte> entries = reply.Slice(0, length);
            while (MemoryMarshal.TryRead(entries, out DirectoryEntryHeader header))
            {
                int entryBytes = sizeof(DirectoryEntryHeader) + ((header.NameLength + 7) & ~7);
                if (entryBytes > entries.Length)
                {
                    return Errno.EIO;
                }

                ReadOnlySpan<byte> name = entries.Slice(sizeof(DirectoryEntryHeader), header.NameLength);
                bool hidden = isRoot && PathText.IsPseudoRoot(name);
                if (!hidden)
                {
                    error = writer.Add(header.Inode, header.NextCookie, header.Type, name);
                    if (error != Errno.None || writer.IsFull)
                    {
                        return error;
                    }
                }

                file->Offset = header.NextCookie;
                entries = entries.Slice(entryBytes);
            }
        }
    }

    private static Errno AddOwn(OpenFile* file, ref DirectoryWriter writer)
    {
        for (ulong at = file->Offset - OwnEntries; at < PseudoTree.RootCount; at++)
        {
            uint index = (uint)at;
            PseudoNode node = new() { File = PseudoTree.RootChild(index) };
            Errno error = writer.Add(PseudoTree.InodeOf(node), OwnEntries + index + 1, FileMode.Directory >> 12,
                PseudoTree.NameOf(node.File));
            if (error != Errno.None || writer.IsFull)
            {
                return error;
            }

            file->Offset = OwnEntries + index + 1;
        }

        return Errno.None;
    }
}
