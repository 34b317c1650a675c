// Requests about the bytes of files (StorageMessages.cs), mostly from a memory component's file cache. Permissions were checked when the
// processor component opened the file. May BLOCK on the device. Callers hold the volume's lock.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>
/// StorageRead, StorageWrite, StorageSync, StorageTruncate, StorageStatus, StorageFindData, StorageDigHoles, StorageAllocate.
/// </summary>
public sealed unsafe class ContentRequests(Volume volume, PathResolver resolver, SpaceReservations reservations, LeaseGrants leases)
{
    private readonly LeaseGrants _leases = leases;
    private readonly Volume _volume = volume;
    private readonly PathResolver _resolver = resolver;
    private readonly SpaceReservations _reservations = reservations;

    public ulong BytesRead { get; private set; }

    public ulong BytesWritten { get; private set; }

    /// <summary>Reply: the bytes, fewer at the end of the file.</summary>
    public void Read(ref RpcRequest request)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out _))
        {
            return;
        }

        using InodeHandle inode = _resolver.OpenContents(head, path, out Errno error);
        ReadOnlySpan<byte> data = default;
        if (error == Errno.None)
        {
            error = _volume.Contents.Read(inode, head.Offset, head.Length, out data);
        }

        BytesRead += (ulong)data.Length;
        request.Reply(error, data);
    }

    /// <summary>Reply: FileWriteReply, with the free space also when the status is ENOSPC.</summary>
    public void Write(ref RpcRequest request)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> data))
        {
            return;
        }

        if (data.Length != head.Length)
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        using InodeHandle inode = _resolver.OpenContents(head, path, out Errno error);
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        FileWriteReply reply = new() { Offset = (head.Flags & FileWriteFlags.Append) != 0 ? inode.Size : head.Offset };
        error = CheckMutable(inode);
        bool isReserved = (head.Flags & FileWriteFlags.Reserved) != 0;
        if (isReserved)
        {
            _volume.WithheldBlocks = _reservations.WithheldFrom(request.Source);
        }

        if (error == Errno.None)
        {
            _leases.RecallAttributes(inode.Number, head.For);
            error = _volume.Contents.Write(inode, reply.Offset, data, _volume.TimeNs, out reply.Written);
        }

        if (isReserved)
        {
            _reservations.Take(request.Source, error == Errno.None ? PagesStored(reply.Offset, reply.Written, head.Length) : 0);
            _volume.WithheldBlocks = _reservations.WithheldFromAll;
        }

        if (error == Errno.None && (head.Flags & FileWriteFlags.Synchronous) != 0)
        {
            error = _volume.Flush();
        }

        BytesWritten += reply.Written;
        reply.Size = inode.Size;
        reply.VolumeFreeBytes = _volume.FreeBytes;
        request.Reply(error, in reply);
    }

    /// <summary>
    /// Reply: empty, when everything is on stable storage. The file system does not know which changes are one file's: it writes all.
    /// </summary>
    public void Sync(ref RpcRequest request)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out _))
        {
            return;
        }

        if (head.Handle.Inode == 0 && path.Length == 0)
        {
            request.Reply(_volume.Sync());
            return;
        }

        using InodeHandle inode = _resolver.OpenAny(head, path, out Errno error);
        request.Reply(error == Errno.None ? _volume.Flush() : error);
    }

    /// <summary>Reply: FileAttributes after the file has got the size that Offset says.</summary>
    public void Truncate(ref RpcRequest request)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out _))
        {
            return;
        }

        using InodeHandle inode = _resolver.OpenContents(head, path, out Errno error);
        if (error == Errno.None && (inode.Record->Flags & (InodeFlags.Immutable | InodeFlags.AppendOnly)) != 0)
        {
            error = Errno.EPERM;
        }

        if (error == Errno.None)
        {
            _leases.RecallAttributes(inode.Number, head.For);
            error = _volume.Contents.Truncate(inode, head.Offset, _volume.TimeNs);
        }

        ReplyAttributes(ref request, inode, error);
    }

    /// <summary>Reply: FileAttributes.</summary>
    public void Status(ref RpcRequest request)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out _))
        {
            return;
        }

        using InodeHandle inode = _resolver.OpenAny(head, path, out Errno error);
        if (error == Errno.None)
        {
            _leases.GrantAttributes(inode.Number, head.For);
        }

        ReplyAttributes(ref request, inode, error);
    }

    /// <summary>Reply: DataRun.</summary>
    public void FindData(ref RpcRequest request)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out _))
        {
            return;
        }

        DataRun run = default;
        using InodeHandle inode = _resolver.OpenContents(head, path, out Errno error);
        error = error == Errno.None ? _volume.Contents.FindData(inode, head.Offset, out run.Start, out run.End) : error;
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        request.Reply(Errno.None, in run);
    }

    /// <summary>Reply: empty. What the file reads as does not change, so nobody but who remembers its attributes is concerned.</summary>
    public void DigHoles(ref RpcRequest request) => ChangeSpace(ref request, SpaceChange.DigHoles);

    /// <summary>Reply: empty. As DigHoles.</summary>
    public void Allocate(ref RpcRequest request) => ChangeSpace(ref request, SpaceChange.Allocate);

    private enum SpaceChange { DigHoles, Allocate }

    private void ChangeSpace(ref RpcRequest request, SpaceChange change)
    {
        if (!TryReadRequest(ref request, out FileRequest head, out ReadOnlySpan<byte> path, out _))
        {
            return;
        }

        using InodeHandle inode = _resolver.OpenContents(head, path, out Errno error);
        error = error == Errno.None ? CheckMutable(inode) : error;
        if (error == Errno.None)
        {
            _leases.RecallAttributes(inode.Number, head.For);
            error = change == SpaceChange.Allocate
                ? _volume.Contents.Allocate(inode, head.Offset, head.Length, _volume.TimeNs)
                : _volume.Contents.DigHoles(inode, head.Offset, head.Length);
        }

        request.Reply(error);
    }

    /// <summary>Pages of which nothing remains to be written; the sender counts them in the same way.</summary>
    private static ulong PagesStored(ulong offset, uint written, uint length)
    {
        const uint pageBytes = PageOperations.PageSize;
        return (((offset % pageBytes) + written) + (written == length ? pageBytes - 1 : 0)) / pageBytes;
    }

    private static Errno CheckMutable(in InodeHandle inode) =>
        (inode.Record->Flags & InodeFlags.Immutable) != 0 ? Errno.EPERM : Errno.None;

    private void ReplyAttributes(scoped ref RpcRequest request, scoped in InodeHandle inode, Errno error)
    {
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        FileAttributes attributes = _volume.Files.Describe(inode);
        request.Reply(Errno.None, in attributes);
    }

    /// <summary>Takes the request apart; false when it was answered with EPROTO because it is too short for what it says.</summary>
    private bool TryReadRequest(
        scoped ref RpcRequest request, out FileRequest head, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> data)
    {
        path = default;
        data = default;
        if (!request.TryReadHead(out head, out ReadOnlySpan<byte> rest) || head.PathLength > rest.Length)
        {
            request.Reply(Errno.EPROTO);
            return false;
        }

        _volume.TimeNs = head.ModifyTimeNs;
        path = rest[..head.PathLength];
        data = rest[head.PathLength..];
        return true;
    }
}
