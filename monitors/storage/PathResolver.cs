// Finds the files that requests are about: by handle when there is one, else by path, through the table of recent paths when that is
// allowed. May BLOCK on the device. Callers hold the volume's lock.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Walkers for up to two paths, and the table.</summary>
public sealed unsafe class PathResolver
{
    private readonly Volume _volume;
    private readonly PathWalker _first;
    private readonly PathWalker _second;
    private readonly byte* _joined;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public PathResolver(Volume volume, AccessTimes accessTimes, FrameAllocator frames)
    {
        _volume = volume;
        _first = new PathWalker(volume, accessTimes, frames);
        _second = new PathWalker(volume, accessTimes, frames);
        Table = new PathTable(frames);
        _joined = (byte*)frames.AllocateContiguous(2 * PathRequest.MaxPath / PageOperations.PageSize);
    }

    /// <summary>False when there was no memory for the walkers' buffers.</summary>
    public bool IsUsable => _first.IsUsable && _second.IsUsable && _joined != null;

    public PathTable Table { get; }

    /// <summary>The walker of a request's first path, as its latest walk left it.</summary>
    internal PathWalker Walker => _first;

    /// <summary>
    /// Walks a request's path; errors as <see cref="PathWalker.Walk"/>, and ESTALE: its start is gone. The result is valid until the next
    /// call.
    /// </summary>
    public Errno Walk(scoped in PathRequest request, scoped ReadOnlySpan<byte> path, LastComponent last, out PathTarget target)
    {
        bool isRelative = (request.Flags & PathFlags.At) != 0;
        return Walk(_first, request, isRelative, request.Handle, request.StartLength, path, last, out target);
    }

    /// <summary>Walks the second path of a request; the result of the first stays valid.</summary>
    public Errno WalkSecond(scoped in TwoPathRequest request, scoped ReadOnlySpan<byte> path, LastComponent last, out PathTarget target)
    {
        bool isRelative = (request.Old.Flags & PathFlags.NewAt) != 0;
        return Walk(_second, request.Old, isRelative, request.NewStart, request.NewStartLength, path, last, out target);
    }

    /// <summary>
    /// The file at the end of a request's path, and the path without links: errors as Walk, and ENOENT when the name is free. After EREMOTE
    /// <paramref name="canonical"/> is the rest of the path.
    /// </summary>
    public InodeHandle Open(
        scoped in PathRequest request, scoped ReadOnlySpan<byte> path, LastComponent last,
        out ReadOnlySpan<byte> canonical, out Errno error)
    {
        // A way that is to be remembered is walked, because the table does not know what it depends on; so is one that begins at a
        // directory, whose text is no path; and the table has paths of the whole volume.
        const PathFlags Walked = PathFlags.Lease | PathFlags.At | PathFlags.NoLinks | PathFlags.Beneath | PathFlags.InRoot;
        bool isInTable = IsWholeVolume && (request.Flags & Walked) == 0;
        canonical = default;
        if (isInTable && request.UserId == 0 && Table.TryFind(path, out uint known, out canonical))
        {
            InodeHandle hit = _volume.Inodes.Open(known, out error);
            if (error != Errno.None || !hit.IsSymbolicLink || last is not (LastComponent.Follow or LastComponent.Create))
            {
                return hit;
            }

            hit.Dispose();
        }

        error = Walk(request, path, last, out PathTarget target);
        canonical = target.Canonical;
        if (error != Errno.None)
        {
            return default;
        }

        if (target.Inode == 0)
        {
            error = Errno.ENOENT;
            return default;
        }

        if (canonical.Length != 0 && IsWholeVolume)
        {
            Table.Remember(canonical, target.Inode);
        }

        return _volume.Inodes.Open(target.Inode, out error);
    }

    /// <summary>The file that a request about a path names, by handle when it has one. ESTALE: the handle's file is gone.</summary>
    public InodeHandle Open(scoped in PathRequest request, scoped ReadOnlySpan<byte> path, out Errno error) =>
        IsByHandle(request)
            ? OpenHandle(request.Handle, out error)
            : Open(request, path, RequestParts.LastOf(request.Flags), out _, out error);

    /// <summary>True when a request is about the very file that it names by handle.</summary>
    public static bool IsByHandle(scoped in PathRequest request) => request.Handle.Inode != 0 && (request.Flags & PathFlags.At) == 0;

    /// <summary>Two canonical paths as one piece, valid until the next call.</summary>
    public ReadOnlySpan<byte> Join(scoped ReadOnlySpan<byte> first, scoped ReadOnlySpan<byte> second)
    {
        Span<byte> joined = new(_joined, first.Length + second.Length);
        first.CopyTo(joined);
        second.CopyTo(joined[first.Length..]);
        return joined;
    }

    /// <summary>The path of a name is no longer true; without a path, of any.</summary>
    public void Forget(scoped ReadOnlySpan<byte> canonical)
    {
        if (canonical.Length == 0 || !IsWholeVolume)
        {
            // The table has paths of the whole volume.
            Table.ForgetAll();
            return;
        }

        Table.Forget(canonical);
    }

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
            ? OpenHandle(request.Handle, out error)
            : Open(default, path, LastComponent.Follow, out _, out error);

    /// <summary>Whether the caller may enter a name into a directory. ENOENT: the directory was removed.</summary>
    public Errno CheckEntering(uint number, Caller caller)
    {
        using InodeHandle directory = _volume.Inodes.Open(number, out Errno error);
        return error != Errno.None ? error
            : directory.Record->Links == 0 ? Errno.ENOENT
            : caller.Check(directory, AccessRights.Write | AccessRights.Execute);
    }

    /// <summary>Canonical paths of a vNode begin at its own root: the table knows nothing of them.</summary>
    private bool IsWholeVolume => _volume.Views.Current == 0;

    /// <summary>The file of a handle that came in a request. EPERM: the vNode cannot have it; ESTALE: the file is gone.</summary>
    private InodeHandle OpenHandle(FileHandle handle, out Errno error)
    {
        error = _volume.Views.CheckHandle(handle.Inode);
        return error == Errno.None ? _volume.Inodes.OpenStable(handle.Inode, handle.Generation, out error) : default;
    }

    private Errno Walk(
        PathWalker walker, scoped in PathRequest request, bool isRelative, FileHandle directory, int startLength,
        scoped ReadOnlySpan<byte> path, LastComponent last, out PathTarget target)
    {
        target = default;
        WalkStart start = new()
        {
            StopsAtMounts = (request.Flags & PathFlags.Mounts) != 0,
            NotesKeys = (request.Flags & PathFlags.Lease) != 0,
            Scope = request.Flags,
            TimeNs = request.TimeNs,
        };
        if (!isRelative)
        {
            return walker.Walk(path, start, default, Caller.Of(request), last, out target);
        }

        if (startLength > path.Length)
        {
            return Errno.EPROTO;
        }

        using InodeHandle inode = OpenHandle(directory, out Errno error);
        if (error == Errno.None && !inode.IsDirectory)
        {
            error = Errno.ENOTDIR;
        }

        if (error != Errno.None)
        {
            return error;
        }

        start.Directory = directory.Inode;
        bool isKnown = IsPathOf(walker, path[..startLength], directory.Inode);
        return walker.Walk(path[startLength..], start, path[..(isKnown ? startLength : 0)], Caller.Of(request), last, out target);
    }

    /// <summary>Whether a directory still is where the sender knows it to be: others may have moved it.</summary>
    private bool IsPathOf(PathWalker walker, scoped ReadOnlySpan<byte> canonical, uint directory)
    {
        if (canonical.Length == 0)
        {
            return false;
        }

        if (IsWholeVolume && Table.TryFind(canonical, out uint known, out _))
        {
            return known == directory;
        }

        bool isThere = walker.Walk(canonical, default, default, Caller.Root, LastComponent.KeepLink, out PathTarget target) == Errno.None
            && target.Inode == directory;
        if (isThere && target.Canonical.SequenceEqual(canonical))
        {
            if (IsWholeVolume)
            {
                Table.Remember(canonical, directory);
            }

            return true;
        }

        return false;
    }
}
