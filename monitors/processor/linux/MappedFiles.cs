// What mmap needs to know about a file descriptor (mmap(2)).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Descriptors as the backing of mappings.</summary>
public static unsafe class MappedFiles
{
    private const uint Shared = 1;
    private const uint Anonymous = 0x20;

    /// <summary>
    /// Checks a descriptor against mmap(2)'s rules and fills the request's file, offset and storage. A device without
    /// contents (/dev/zero)
    /// turns the request into an anonymous one. EBADF, EACCES, ENODEV.
    /// </summary>
    public static Errno Describe(Process* process, uint descriptor, ulong offset, scoped ref MapRequest request)
    {
        OpenFile* file = FileTable.Of(process)->Find(descriptor);
        if (file == null || (file->Flags & OpenFlags.Path) != 0)
        {
            return Errno.EBADF;
        }

        if (!file->IsReadable)
        {
            return Errno.EACCES;
        }

        if (file->Kind == FileKind.Zero)
        {
            request.Flags |= Anonymous;
            return Errno.None;
        }

        if (file->Kind != FileKind.Regular)
        {
            return Errno.ENODEV;
        }

        if ((request.Flags & Shared) != 0 && (request.Protection & Protection.Write) != 0 && !file->IsWritable)
        {
            return Errno.EACCES;
        }

        request.File = file->Node->Handle;
        request.FileOffset = offset;
        request.Storage = file->Node->Place.Storage;
        return Errno.None;
    }

    /// <summary>
    /// Holds the file that <see cref="Describe"/> has put into a request, for as long as some range maps it, and gives its path. ENFILE. Drop ends
    /// the hold of the call itself.
    /// </summary>
    public static Errno Hold(Process* process, uint descriptor, scoped ref MapRequest request, out ReadOnlySpan<byte> path)
    {
        path = default;
        if (request.File.Inode == 0)
        {
            return Errno.None;
        }

        FileNode* node = FileTable.Of(process)->Find(descriptor)->Node;
        Errno error = FileSystem.Of(process).Mappings.Acquire(node, out request.Backing);
        path = node->Path;
        request.PathLength = (ushort)path.Length;
        return error;
    }

    /// <summary>The map call is over. BLOCKS when it has failed and the file was closed meanwhile.</summary>
    public static void Drop(Process* process, in MapRequest request)
    {
        if (request.Backing != 0)
        {
            process->Table.Backings.Drop(request.Backing);
        }
    }
}
