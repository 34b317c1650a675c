// Finds the files that requests are about: by handle when there is one, else by path, through the table of recent paths when that is
// allowed. May BLOCK on the device. Callers hold the volume's lock.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Walkers for up to two paths, and the table.</summary>
public sealed class PathResolver
{
    private readonly Volume _volume;
    private readonly PathWalker _first;
    private readonly PathWalker _second;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public PathResolver(Volume volume, FrameAllocator frames)
    {
        _volume = volume;
        _first = new PathWalker(volume, frames);
        _second = new PathWalker(volume, frames);
        Table = new PathTable(frames);
    }

    /// <summary>False when there was no memory for the walkers' buffers.</summary>
    public bool IsUsable => _first.IsUsable && _second.IsUsable;

    public PathTable Table { get; }

    /// <summary>Walks a path; errors as <see cref="PathWalker.Walk"/>. The result is valid until the next call.</summary>
    public Errno Walk(scoped ReadOnlySpan<byte> path, Caller caller, LastComponent last, out PathTarget target) =>
        _first.Walk(path, caller, last, out target);

    /// <summary>Walks the second path of a request; the result of the first stays valid.</summary>
    public Errno WalkSecond(scoped ReadOnlySpan<byte> path, Caller caller, LastComponent last, out PathTarget target) =>
        _second.Walk(path, caller, last, out target);

    /// <summary>
    /// The file at the end of a path, and the path without links: errors as Walk, and ENOENT when the name is free.
    /// </summary>
    public InodeHandle Open(
        scoped ReadOnlySpan<byte> path, Caller caller, LastComponent last, out ReadOnlySpan<byte> canonical, out Errno error)
    {
        if (caller.IsRoot && Table.TryFind(path, out uint known, out canonical))
        {
            InodeHandle hit = _volume.Inodes.Open(known, out error);
            if (error != Errno.None || !hit.IsSymbolicLink || last is not (LastComponent.Follow or LastComponent.Create))
            {
                return hit;
            }

            hit.Dispose();
        }

        canonical = default;
        error = Walk(path, caller, last, out PathTarget target);
        if (error != Errno.None)
        {
            return default;
        }

        canonical = target.Canonical;
        if (target.Inode == 0)
        {
            error = Errno.ENOENT;
            return default;
        }

        Table.Remember(canonical, target.Inode);
        return _volume.Inodes.Open(target.Inode, out error);
    }

    /// <summary>The file that a request about a path names, by handle when it has one. ESTALE: the handle's file is gone.</summary>
    public InodeHandle Open(scoped in PathRequest request, scoped ReadOnlySpan<byte> path, out Errno error) =>
        request.Handle.Inode != 0
            ? _volume.Inodes.OpenStable(request.Handle.Inode, request.Handle.Generation, out error)
            : Open(path, Caller.Of(request), RequestParts.LastOf(request.Flags), out _, out error);

    /// <summary>
    /// The regular file that a request about contents names. ESTALE: the handle's file is gone; EISDIR; EINVAL: not a file with contents.
    /// </summary>
    public InodeHandle OpenContents(scoped in FileRequest request, scoped ReadOnlySpan<byte> path, out Errno error)
    {
        InodeHandle inode = OpenAny(request, path, out error);
        if (error == Errno.None && !inode.IsRegular)
        {
            error = inode.IsDirectory ? Errno.EISDIR : Errno.EINVAL;
            inode.Dispose();
            return default;
        }

        return inode;
    }

    /// <summary>The file of any type that a request names, by handle or path.</summary>
    public InodeHandle OpenAny(scoped in FileRequest request, scoped ReadOnlySpan<byte> path, out Errno error) =>
        request.Handle.Inode != 0
            ? _volume.Inodes.OpenStable(request.Handle.Inode, request.Handle.Generation, out error)
            : Open(path, Caller.Root, LastComponent.Follow, out _, out error);

    /// <summary>Whether the caller may enter a name into a directory.</summary>
    public Errno CheckEntering(uint number, Caller caller)
    {
        using InodeHandle directory = _volume.Inodes.Open(number, out Errno error);
        return error == Errno.None ? caller.Check(directory, AccessRights.Write | AccessRights.Execute) : error;
    }
}
