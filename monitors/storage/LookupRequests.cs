// Requests that find files by name: Open (which may make one), ReadLink, ReadDirectory, VolumeStatus (PathMessages.cs). Rules of open(2)
// and path_resolution(7). May BLOCK on the device. Callers hold the volume's lock.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Open, ReadLink, ReadDirectory, VolumeStatus.</summary>
public sealed unsafe class LookupRequests
{
    private const uint ListingBytes = 32 * 1024;

    private readonly Volume _volume;
    private readonly PathResolver _resolver;
    private readonly AccessTimes _accessTimes;
    private readonly LeaseGrants _leases;
    private readonly byte* _listing;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public LookupRequests(Volume volume, PathResolver resolver, AccessTimes accessTimes, LeaseGrants leases, FrameAllocator frames)
    {
        _accessTimes = accessTimes;
        _leases = leases;
        _volume = volume;
        _resolver = resolver;
        _listing = (byte*)frames.AllocateContiguous(ListingBytes / PageOperations.PageSize);
    }

    /// <summary>False when there was no memory for the buffer.</summary>
    public bool IsUsable => _listing != null;

    /// <summary>Reply: OpenReply, the canonical path, and on what the way there depends.</summary>
    public void Open(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out OpenRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Path.PathLength, out ReadOnlySpan<byte> path))
        {
            return;
        }

        Caller caller = Caller.Of(head.Path);
        LeaseKeys changed = default;
        using InodeHandle inode = Find(
            head, path, caller, request.Source, ref changed, out ReadOnlySpan<byte> canonical, out ushort created, out Errno error);
        bool isLeased = _leases.CanGrant(head.Path, _resolver.Walker);
        if (isLeased && error is Errno.ENOENT or Errno.ENOTDIR && (head.Path.Flags & PathFlags.Create) == 0)
        {
            // That there is nothing can be remembered as well.
            ReadOnlySpan<uint> missing = _resolver.Walker.Keys;
            _leases.GrantWay(missing, request.Source);
            request.Reply(error, MemoryMarshal.AsBytes(missing));
            return;
        }

        if (error == Errno.None && created == 0)
        {
            error = CheckOpen(inode, caller, head);
        }

        // A file without a name is held from the beginning.
        if (error == Errno.None && (head.Path.Flags & (PathFlags.Hold | PathFlags.Nameless)) == PathFlags.Hold)
        {
            error = _volume.Held.Hold(inode.StableHandle, request.Source);
        }

        if (error != Errno.None)
        {
            // Where others go on, they need the rest of the path.
            request.Reply(error, error == Errno.EREMOTE ? canonical : default);
            return;
        }

        _volume.Views.Reveal(inode.Number);
        OpenReply reply = new()
        {
            Attributes = _volume.Files.Describe(inode),
            Created = created,
            PathLength = (ushort)canonical.Length,
            Changed = changed,
        };
        // Of files that may not be written to by anybody every open is judged here.
        if (!isLeased || (inode.Record->Flags & (InodeFlags.Immutable | InodeFlags.AppendOnly)) != 0)
        {
            request.Reply(Errno.None, in reply, canonical);
            return;
        }

        ReadOnlySpan<uint> keys = _resolver.Walker.Keys;
        _leases.GrantWay(keys, request.Source);
        if (inode.IsRegular)
        {
            _leases.GrantAccess(inode.Number, request.Source);
        }
        else
        {
            _leases.GrantAttributes(inode.Number, request.Source);
        }

        reply.Lease = _resolver.Walker.FollowedLinks || inode.IsSymbolicLink ? PathLease.Granted : PathLease.Plain;
        reply.KeyCount = (ushort)keys.Length;
        request.Reply(Errno.None, in reply, _resolver.Join(canonical, MemoryMarshal.AsBytes(keys)));
    }

    /// <summary>Reply: ReadLinkReply, the target's bytes, and on what the way to the link depends.</summary>
    public void ReadLink(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out PathRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.PathLength, out ReadOnlySpan<byte> path))
        {
            return;
        }

        using InodeHandle inode = PathResolver.IsByHandle(head)
            ? _resolver.Open(head, path, out Errno error)
            : _resolver.Open(head, path, LastComponent.KeepLink, out _, out error);
        ReadOnlySpan<byte> target = default;
        if (error == Errno.None)
        {
            _accessTimes.MarkRead(inode, inode.IsSymbolicLink ? head.TimeNs : 0);
            error = _volume.Files.ReadTarget(inode, out target);
        }

        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        ReadLinkReply reply = new() { TargetLength = (ushort)target.Length };
        ReadOnlySpan<uint> keys = default;
        if (_leases.CanGrant(head, _resolver.Walker))
        {
            keys = _resolver.Walker.Keys;
            _leases.GrantWay(keys, request.Source);
            reply.Lease = PathLease.Granted;
            reply.KeyCount = (ushort)keys.Length;
        }

        request.Reply(Errno.None, in reply, _resolver.Join(target, MemoryMarshal.AsBytes(keys)));
    }

    /// <summary>Reply: entries; empty at the end.</summary>
    public void ReadDirectory(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out ReadDirectoryRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Path.PathLength, out ReadOnlySpan<byte> path))
        {
            return;
        }

        using InodeHandle inode = _resolver.Open(head.Path, path, out Errno error);
        if (error == Errno.None)
        {
            // An open directory was checked when it was opened.
            error = !inode.IsDirectory ? Errno.ENOTDIR
                : PathResolver.IsByHandle(head.Path) ? Errno.None
                : Caller.Of(head.Path).Check(inode, AccessRights.Read);
        }

        int written = 0;
        if (error == Errno.None)
        {
            uint room = Math.Min(Math.Min(head.MaxBytes, ListingBytes), (uint)request.ReplyCapacityBytes);
            error = _volume.Directories.List(inode, head.Cookie, new Span<byte>(_listing, (int)room), out written);
        }

        if (error == Errno.None)
        {
            _accessTimes.MarkRead(inode, head.Path.TimeNs);
        }

        request.Reply(error, new ReadOnlySpan<byte>(_listing, error == Errno.None ? written : 0));
    }

    /// <summary>Reply: VolumeStatusReply.</summary>
    public void VolumeStatus(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out PathRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.PathLength, out ReadOnlySpan<byte> path))
        {
            return;
        }

        using InodeHandle inode = _resolver.Open(head, path, out Errno error);
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        ulong reserved = _volume.Geometry.ReservedBlocks;
        VolumeStatusReply reply = new()
        {
            BlockSize = _volume.Geometry.BlockBytes,
            Blocks = _volume.UsableBlocks,
            FreeBlocks = _volume.AvailableBlocks,
            AvailableBlocks = _volume.AvailableBlocks > reserved ? _volume.AvailableBlocks - reserved : 0,
            Inodes = _volume.Geometry.InodeCount,
            FreeInodes = _volume.FreeInodes,
            MaxNameLength = DirectoryEntry.MaxNameBytes,
        };
        request.Reply(Errno.None, in reply);
    }

    private static Errno CheckOpen(in InodeHandle inode, Caller caller, in OpenRequest head)
    {
        bool wantsDirectory = (head.Path.Flags & PathFlags.Directory) != 0;
        if (wantsDirectory && !inode.IsDirectory)
        {
            return Errno.ENOTDIR;
        }

        // That it is a directory is said before who may write to it (Linux: may_open).
        AccessRights rights = (AccessRights)head.Access & AccessRights.All;
        bool writes = (head.Path.Flags & PathFlags.Create) != 0 || (rights & AccessRights.Write) != 0;
        if (writes && inode.IsDirectory)
        {
            return Errno.EISDIR;
        }

        // Root, too: what the owner of the volume has frozen is written to by nobody (open(2), EPERM).
        if ((rights & AccessRights.Write) != 0
            && ((inode.Record->Flags & InodeFlags.Immutable) != 0
                || ((inode.Record->Flags & InodeFlags.AppendOnly) != 0 && (head.Path.Flags & PathFlags.Append) == 0 && inode.IsRegular)))
        {
            return Errno.EPERM;
        }

        return caller.Check(inode, rights);
    }

    private InodeHandle Find(
        scoped in OpenRequest head, ReadOnlySpan<byte> path, Caller caller, ushort source, scoped ref LeaseKeys changed,
        out ReadOnlySpan<byte> canonical, out ushort created, out Errno error)
    {
        created = 0;
        canonical = default;
        _volume.TimeNs = head.Path.TimeNs;
        if (PathResolver.IsByHandle(head.Path))
        {
            return _resolver.Open(head.Path, path, out error);
        }

        if ((head.Path.Flags & PathFlags.Nameless) != 0)
        {
            created = 1;
            return CreateNameless(head, path, caller, source, out canonical, out error);
        }

        bool creates = (head.Path.Flags & PathFlags.Create) != 0;
        bool exclusive = creates && (head.Path.Flags & PathFlags.Exclusive) != 0;
        bool keepsLink = exclusive || (head.Path.Flags & PathFlags.NoFollow) != 0;
        LastComponent last = !creates ? RequestParts.LastOf(head.Path.Flags)
            : keepsLink ? LastComponent.CreateKeepLink : LastComponent.Create;
        InodeHandle found = _resolver.Open(head.Path, path, last, out canonical, out error);
        if (error == Errno.ENOENT && creates)
        {
            found = Create(head, path, caller, last, source, ref changed, out canonical, out error);
            created = (ushort)(error == Errno.None ? 1 : 0);
        }
        else if (error == Errno.None && exclusive)
        {
            error = Errno.EEXIST;
        }

        return found;
    }

    /// <summary>The directory at the path names nothing new; programs are told of a path in it as Linux makes it up.</summary>
    private InodeHandle CreateNameless(
        scoped in OpenRequest head, ReadOnlySpan<byte> path, Caller caller, ushort source, out ReadOnlySpan<byte> canonical,
        out Errno error)
    {
        using InodeHandle directory = _resolver.Open(head.Path, path, LastComponent.Follow, out canonical, out error);
        if (error != Errno.None)
        {
            return default;
        }

        error = !directory.IsDirectory ? Errno.ENOTDIR : _resolver.CheckEntering(directory.Number, caller);
        NamelessUse use = (head.Path.Flags & PathFlags.Exclusive) != 0 ? NamelessUse.StaysNameless : NamelessUse.MayGetName;
        uint number = 0;
        error = error == Errno.None
            ? _volume.Names.CreateNameless(directory.Number, NewFileOf(head, caller), use, source, out number)
            : error;
        return error == Errno.None ? _volume.Inodes.Open(number, out error) : default;
    }

    private static NewFile NewFileOf(scoped in OpenRequest head, Caller caller) => new()
    {
        Mode = FileMode.Regular | (head.Mode & FileMode.PermissionMask),
        UserId = caller.UserId,
        GroupId = caller.GroupId,
    };

    private InodeHandle Create(
        scoped in OpenRequest head, ReadOnlySpan<byte> path, Caller caller, LastComponent last, ushort source, scoped ref LeaseKeys changed,
        out ReadOnlySpan<byte> canonical, out Errno error)
    {
        canonical = default;
        error = _resolver.Walk(head.Path, path, last, out PathTarget target);
        if (error == Errno.None)
        {
            error = _resolver.CheckEntering(target.Directory, caller);
        }

        if (error != Errno.None)
        {
            return default;
        }

        LeaseGrants.AddName(ref changed, target.Directory, target.Name);
        _leases.Recall(ref changed, source);
        error = _volume.Names.Create(target.Directory, target.Name, NewFileOf(head, caller), out uint number);
        if (error != Errno.None)
        {
            return default;
        }

        canonical = target.Canonical;
        if (canonical.Length != 0 && _volume.Views.Current == 0)
        {
            _resolver.Table.Remember(canonical, number);
        }

        return _volume.Inodes.Open(number, out error);
    }
}
