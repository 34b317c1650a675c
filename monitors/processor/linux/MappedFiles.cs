// What mmap needs to know about a file descriptor (mmap(2)).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Descriptors as the backing of mappings.</summary>
public static unsafe class MappedFiles
{
    private const uint Shared = 1;
    private const uint TypeMask = 0xF;
    private const uint Anonymous = 0x20;
    private const uint GrowsDown = 0x100;
    private const uint HugePages = 0x40000;
    private const uint Synchronous = 0x80000;

    /// <summary>
    /// Checks a descriptor against mmap(2)'s rules and fills the request's file, offset and storage. A device without
    /// contents (/dev/zero) turns the request into an anonymous one. EBADF, EACCES, ENODEV; EOPNOTSUPP: MAP_SYNC.
    /// </summary>
    public static Errno Describe(Process* process, uint descriptor, ulong offset, scoped ref MapRequest request)
    {
        OpenFile* file = FileTable.Of(process)->Find(descriptor);
        if (file == null || (file->Flags & OpenFlags.Path) != 0)
        {
            return Errno.EBADF;
        }

        // A file is no stack, and none of huge pages.
        if ((request.Flags & (GrowsDown | HugePages)) != 0)
        {
            return Errno.EINVAL;
        }

        bool isShared = (request.Flags & Shared) != 0;
        bool writes = (request.Protection & Protection.Write) != 0;
        if (!file->IsReadable || (isShared && writes && !file->IsWritable))
        {
            return Errno.EACCES;
        }

        if (file->Kind is not (FileKind.Zero or FileKind.Regular))
        {
            return Errno.ENODEV;
        }

        request.Allowed = Protection.Read | Protection.Execute | (file->IsWritable ? Protection.Write : Protection.None);
        if (file->Kind == FileKind.Zero)
        {
            request.Flags |= Anonymous;
            return Errno.None;
        }

        MemoryFile* memory = file->Node->Memory;
        if (memory == null && (request.Flags & Synchronous) != 0)
        {
            return Errno.EOPNOTSUPP;
        }

        bool isSealed = memory != null && memory->IsWriteSealed;
        if (isShared && writes && isSealed)
        {
            return Errno.EPERM;
        }

        // What programs share is at one memory component: the file's.
        if (((isShared && file->IsWritable) || memory != null) && file->Node->Place.FileMemory != process->Space->Home)
        {
            return Errno.ENODEV;
        }

        if (isSealed)
        {
            request.Allowed &= ~Protection.Write;
        }

        request.File = file->Node->Handle;
        request.FileOffset = offset;
        request.Storage = file->Node->Place.Storage;
        return Errno.None;
    }

    /// <summary>
    /// Holds the file that <see cref="Describe"/> has put into a request, for as long as some range maps it, and gives its path. ENFILE.
    /// Drop ends the hold of the call itself.
    /// </summary>
    public static Errno Hold(Process* process, uint descriptor, scoped ref MapRequest request, out ReadOnlySpan<byte> path)
    {
        path = default;
        if (request.File.Inode == 0)
        {
            bool isShared = (request.Flags & TypeMask) == Shared;
            return isShared ? HoldNewObject(process, ref request) : Errno.None;
        }

        OpenFile* file = FileTable.Of(process)->Find(descriptor);
        ReadTimes.Note(file);
        return HoldNode(process, file->Node, ref request, out path);
    }

    /// <summary>
    /// As above for a node that is known, which is to be mapped from its beginning or as the request says. The caller holds it.
    /// </summary>
    public static Errno HoldNode(Process* process, FileNode* node, scoped ref MapRequest request, out ReadOnlySpan<byte> path)
    {
        request.File = node->Handle;
        request.Storage = node->Place.Storage;
        Errno error = FileSystem.Of(process).Mappings.Acquire(node, out request.Backing);
        if (error == Errno.None && IsOfObject(in request))
        {
            node->Memory->Maps++;
        }
        else if (error == Errno.None && (request.Flags & TypeMask) == Shared && (request.Allowed & Protection.Write) != 0)
        {
            FileSystem.Of(process).SharedWriter.Begin();
        }

        path = node->Path;
        request.PathLength = (ushort)path.Length;
        return error;
    }

    /// <summary>
    /// msync(2) of a part of a range: what was stored through it is on the device afterwards, if it is a shared mapping of a file.
    /// </summary>
    [Blocks]
    public static Errno Store(Process* process, in VmaRecord range, ulong start, ulong end)
    {
        FileNode* mapped = range.Kind == VmaKind.SharedFile ? (FileNode*)process->Table.Backings.FileOf(range.Backing) : null;
        if (mapped == null)
        {
            return Errno.None;
        }

        using NodeRef node = NodeRef.To(mapped);
        ulong from = range.FileOffset + (start - range.Start);
        Errno error = FileSystem.Of(process).Mappings.Publish(node.Node, from, from + (end - start));
        if (error != Errno.None || node.Node->Memory != null)
        {
            return error;
        }

        FileCaller caller = FileCaller.Of(process);
        uint known = 0;
        return FileClient.Synchronize(in caller, node.Node, ref known);
    }

    /// <summary>
    /// madvise(2)'s MADV_REMOVE of a part of a range: its file has a hole there. EINVAL: no file; EACCES: it may not be stored into.
    /// </summary>
    [Blocks]
    public static Errno Remove(Process* process, in VmaRecord range, ulong start, ulong end)
    {
        if (range.Kind is not (VmaKind.SharedFile or VmaKind.SharedAnonymous or VmaKind.File))
        {
            return Errno.EINVAL;
        }

        FileNode* mapped = range.Kind == VmaKind.SharedFile ? (FileNode*)process->Table.Backings.FileOf(range.Backing) : null;
        if (mapped == null || (range.Protection & Protection.Write) == 0)
        {
            return Errno.EACCES;
        }

        using NodeRef node = NodeRef.To(mapped);
        return FileHoles.Punch(process, node.Node, range.FileOffset + (start - range.Start), end - start);
    }

    /// <summary>MAP_SHARED | MAP_ANONYMOUS: a new object, which the mapping alone keeps. ENFILE, ENOMEM.</summary>
    private static Errno HoldNewObject(Process* process, scoped ref MapRequest request)
    {
        const uint Everybody = 0x1FF;
        FileSystem files = FileSystem.Of(process);
        FileNode* node = files.Nodes.CreateObject(process, "/dev/zero"u8, Everybody);
        if (node == null)
        {
            return Errno.ENOMEM;
        }

        using NodeRef created = NodeRef.Adopt(node);
        request.File = node->Handle;
        request.FileOffset = 0;
        request.Storage = MemoryObjects.Storage;
        if (request.Allowed == Protection.None)
        {
            // No descriptor of /dev/zero, which could forbid stores.
            request.Allowed = Protection.Read | Protection.Write | Protection.Execute;
        }

        Errno error = files.Mappings.Acquire(node, out request.Backing);
        node->Memory->Maps += error == Errno.None ? 1u : 0;
        return error;
    }

    private static bool IsOfObject(in MapRequest request) => request.File.Inode != 0 && request.Storage == MemoryObjects.Storage;

    /// <summary>The map call is over. BLOCKS when it has failed and the file was closed meanwhile.</summary>
    public static void Drop(Process* process, in MapRequest request)
    {
        if (request.Backing != 0)
        {
            if (IsOfObject(in request))
            {
                ((FileNode*)process->Table.Backings.FileOf(request.Backing))->Memory->Maps--;
            }

            process->Table.Backings.Drop(request.Backing);
        }
    }
}
