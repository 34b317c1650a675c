// Requests that change names: MakeNode, Unlink, Rename, Link (PathMessages.cs). Each walks its paths, checks what mkdir(2), unlink(2),
// rename(2) and so on ask for in the order in which Linux does, and leaves the change to the volume. May BLOCK on the device. Callers
// hold the volume's lock.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>MakeNode, Unlink, Rename, Link.</summary>
public sealed unsafe class NameRequests(Volume volume, PathResolver resolver, HoldRequests holds, LeaseGrants leases)
{
    private readonly HoldRequests _holds = holds;
    private readonly LeaseGrants _leases = leases;
    private readonly Volume _volume = volume;
    private readonly PathResolver _resolver = resolver;

    /// <summary>Reply: ChangeReply with the attributes of the new directory, link, device file, pipe, socket or empty file.</summary>
    public void MakeNode(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out MakeNodeRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Path.PathLength, out ReadOnlySpan<byte> path)
            || !RequestParts.TryTakeText(ref request, ref rest, head.TargetLength, out ReadOnlySpan<byte> text))
        {
            return;
        }

        _volume.TimeNs = head.Path.TimeNs;
        Caller caller = Caller.Of(head.Path);
        Errno error = CheckNode(head.Mode, text);
        PathTarget target = default;
        if (error == Errno.None)
        {
            error = _resolver.Walk(head.Path, path, LastComponent.Name, out target);
        }

        if (error == Errno.None)
        {
            bool isDirectory = (head.Mode & FileMode.TypeMask) == FileMode.Directory;
            error = target.NameTooLong ? Errno.ENAMETOOLONG
                : target.Inode != 0 ? Errno.EEXIST
                : target.TrailingSlash && !isDirectory ? Errno.ENOENT
                : _resolver.CheckEntering(target.Directory, caller);
        }

        bool isDevice = (head.Mode & FileMode.TypeMask) is FileMode.CharacterDevice or FileMode.BlockDevice;
        if (error == Errno.None && isDevice && !caller.IsRoot)
        {
            error = Errno.EPERM;
        }

        uint number = 0;
        LeaseKeys changed = default;
        if (error == Errno.None)
        {
            LeaseGrants.AddName(ref changed, target.Directory, target.Name);
            _leases.Recall(ref changed, request.Source);
            NewFile file = new()
            {
                Mode = head.Mode,
                UserId = caller.UserId,
                GroupId = caller.GroupId,
                DeviceNumber = head.DeviceNumber,
                Target = text,
            };
            error = _volume.Names.Create(target.Directory, target.Name, file, out number);
        }

        ReplyAttributes(ref request, number, in changed, error);
    }

    /// <summary>Reply: UnlinkReply.</summary>
    public void Unlink(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out UnlinkRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Path.PathLength, out ReadOnlySpan<byte> path))
        {
            return;
        }

        _volume.TimeNs = head.Path.TimeNs;
        UnlinkKind kind = (head.Path.Flags & PathFlags.Directory) != 0 ? UnlinkKind.Directory : UnlinkKind.File;
        LostName lost = default;
        LeaseKeys changed = default;
        _holds.GiveBack(in head.Released, request.Source);
        Errno error = _resolver.Walk(head.Path, path, LastComponent.Name, out PathTarget target);
        if (error == Errno.None)
        {
            error = CheckUnlink(target, kind, Caller.Of(head.Path));
        }

        if (error == Errno.None)
        {
            LeaseGrants.AddName(ref changed, target.Directory, target.Name);
            _leases.AddLoss(ref changed, target.Inode);
            _leases.Recall(ref changed, request.Source);
            _resolver.Forget(target.Canonical);
            error = _volume.Names.Unlink(target.Directory, target.Name, kind, out lost);
        }

        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        UnlinkReply reply = new() { Handle = HandleOf(lost), LinksLeft = lost.LinksLeft, Flags = FlagsOf(lost), Changed = changed };
        request.Reply(Errno.None, in reply);
    }

    /// <summary>Reply: RenameReply.</summary>
    public void Rename(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out TwoPathRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Old.PathLength, out ReadOnlySpan<byte> oldPath)
            || !RequestParts.TryTakeText(ref request, ref rest, head.NewLength, out ReadOnlySpan<byte> newPath))
        {
            return;
        }

        _volume.TimeNs = head.Old.TimeNs;
        Caller caller = Caller.Of(head.Old);
        PathTarget newTarget = default;
        _holds.GiveBack(in head.Released, request.Source);
        Errno error = _resolver.Walk(head.Old, oldPath, LastComponent.Name, out PathTarget oldTarget);
        if (error == Errno.None)
        {
            error = _resolver.WalkSecond(head, newPath, LastComponent.Name, out newTarget);
        }

        bool isDirectory = false;
        if (error == Errno.None)
        {
            error = CheckRename(oldTarget, newTarget, caller, head.Old.Flags, out isDirectory);
        }

        LostName lost = default;
        LeaseKeys changed = default;
        if (error == Errno.None)
        {
            changed = ChangesOfRename(in oldTarget, in newTarget, isDirectory);
            _leases.Recall(ref changed, request.Source);
            ForgetRenamed(oldTarget, newTarget, isDirectory);
            error = Move(in oldTarget, in newTarget, head.Old.Flags, caller, out lost);
        }

        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        // Two names of one file: nothing was moved.
        ReadOnlySpan<byte> moved = oldTarget.Inode != newTarget.Inode ? oldTarget.Canonical : default;
        RenameReply reply = new()
        {
            Replaced = HandleOf(lost),
            ReplacedLinksLeft = lost.LinksLeft,
            Flags = FlagsOf(lost),
            OldLength = (ushort)moved.Length,
            NewLength = (ushort)newTarget.Canonical.Length,
            Changed = changed,
        };
        request.Reply(Errno.None, in reply, _resolver.Join(moved, newTarget.Canonical));
    }

    /// <summary>
    /// Reply: ChangeReply with the attributes of the file that has one name more. A link in the old path's last place is followed unless
    /// NoFollow.
    /// </summary>
    public void Link(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out TwoPathRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Old.PathLength, out ReadOnlySpan<byte> oldPath)
            || !RequestParts.TryTakeText(ref request, ref rest, head.NewLength, out ReadOnlySpan<byte> newPath))
        {
            return;
        }

        _volume.TimeNs = head.Old.TimeNs;
        Caller caller = Caller.Of(head.Old);
        PathTarget newTarget = default;
        Errno error = FindLinked(head.Old, oldPath, out uint linked);
        if (error == Errno.None)
        {
            error = linked == 0 ? Errno.ENOENT : _resolver.WalkSecond(head, newPath, LastComponent.Name, out newTarget);
        }

        if (error == Errno.None)
        {
            error = newTarget.NameTooLong ? Errno.ENAMETOOLONG
                : newTarget.Inode != 0 ? Errno.EEXIST
                : newTarget.TrailingSlash ? Errno.ENOENT
                : _resolver.CheckEntering(newTarget.Directory, caller);
        }

        LeaseKeys changed = default;
        if (error == Errno.None)
        {
            LeaseGrants.AddName(ref changed, newTarget.Directory, newTarget.Name);
            changed.Add(LeaseKey.Attributes(linked));
            _leases.Recall(ref changed, request.Source);
            error = _volume.Names.Link(linked, newTarget.Directory, newTarget.Name);
        }

        ReplyAttributes(ref request, linked, in changed, error);
    }

    /// <summary>The inode that is to have one name more; 0 = no such name. ENOENT: a handle whose file has lost its last name.</summary>
    private Errno FindLinked(in PathRequest old, ReadOnlySpan<byte> path, out uint number)
    {
        if (!PathResolver.IsByHandle(old))
        {
            Errno walked = _resolver.Walk(old, path, RequestParts.LastOf(old.Flags), out PathTarget target);
            number = target.Inode;
            return walked;
        }

        number = old.Handle.Inode;
        using InodeHandle inode = _resolver.Open(old, path, out Errno error);
        return error == Errno.None && inode.Record->Links == 0 && !_volume.Names.MayGetName(inode) ? Errno.ENOENT : error;
    }

    private Errno Move(in PathTarget from, in PathTarget to, PathFlags flags, Caller caller, out LostName lost)
    {
        lost = default;
        if ((flags & PathFlags.Exchange) != 0)
        {
            return _volume.Names.Exchange(from.Directory, from.Name, to.Directory, to.Name);
        }

        RenameKind kind = (flags & PathFlags.NoReplace) != 0 ? RenameKind.KeepExisting : RenameKind.Replace;
        return (flags & PathFlags.Whiteout) != 0
            ? _volume.Names.RenameWithWhiteout(
                from.Directory, from.Name, to.Directory, to.Name, kind, caller.UserId, caller.GroupId, out lost)
            : _volume.Names.Rename(from.Directory, from.Name, to.Directory, to.Name, kind, out lost);
    }

    private static FileHandle HandleOf(in LostName lost) => new() { Inode = lost.Inode, Generation = lost.Generation };

    private static LostNameFlags FlagsOf(in LostName lost) => lost.LivesOn ? LostNameFlags.LivesOn : LostNameFlags.None;

    private static Errno CheckNode(uint mode, ReadOnlySpan<byte> text)
    {
        switch (mode & FileMode.TypeMask)
        {
            case FileMode.SymbolicLink:
                return text.Length == 0 ? Errno.ENOENT
                    : text.Length >= PathRequest.MaxPath ? Errno.ENAMETOOLONG
                    : text.IndexOf((byte)0) >= 0 ? Errno.EINVAL
                    : Errno.None;
            case FileMode.CharacterDevice:
            case FileMode.BlockDevice:
            case FileMode.Directory:
            case FileMode.Regular:
            case FileMode.Fifo:
            case FileMode.Socket:
                return Errno.None;
            default:
                return Errno.EINVAL;
        }
    }

    private Errno CheckUnlink(in PathTarget target, UnlinkKind kind, Caller caller)
    {
        if (target.Kind != LastKind.Name)
        {
            return kind == UnlinkKind.File ? Errno.EISDIR
                : target.Kind == LastKind.Root ? Errno.EBUSY
                : target.Kind == LastKind.Dot ? Errno.EINVAL
                : Errno.ENOTEMPTY;
        }

        if (target.Inode == 0)
        {
            return target.NameTooLong ? Errno.ENAMETOOLONG : Errno.ENOENT;
        }

        using InodeHandle file = _volume.Inodes.Open(target.Inode, out Errno error);
        if (error == Errno.None && target.TrailingSlash && kind == UnlinkKind.File)
        {
            error = file.IsDirectory ? Errno.EISDIR : Errno.ENOTDIR;
        }

        return error == Errno.None ? CheckRemoval(target.Directory, file, caller) : error;
    }

    private Errno CheckRemoval(uint directoryNumber, in InodeHandle file, Caller caller)
    {
        using InodeHandle directory = _volume.Inodes.Open(directoryNumber, out Errno error);
        return error == Errno.None ? caller.CheckRemoval(directory, file) : error;
    }

    private Errno CheckRename(in PathTarget from, in PathTarget to, Caller caller, PathFlags flags, out bool isDirectory)
    {
        isDirectory = false;
        bool exchanges = (flags & PathFlags.Exchange) != 0;
        if (from.Kind != LastKind.Name || to.Kind != LastKind.Name)
        {
            return from.Kind == LastKind.Name && (flags & PathFlags.NoReplace) != 0 ? Errno.EEXIST : Errno.EBUSY;
        }

        if (from.NameTooLong || to.NameTooLong)
        {
            return from.NameTooLong || from.Inode != 0 ? Errno.ENAMETOOLONG : Errno.ENOENT;
        }

        if (from.Inode == 0 || (exchanges && to.Inode == 0))
        {
            return Errno.ENOENT;
        }

        if ((flags & PathFlags.NoReplace) != 0 && to.Inode != 0)
        {
            return Errno.EEXIST;
        }

        using InodeHandle file = _volume.Inodes.Open(from.Inode, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        isDirectory = file.IsDirectory;
        if (!isDirectory && (from.TrailingSlash || (to.TrailingSlash && !exchanges)))
        {
            return Errno.ENOTDIR;
        }

        if (exchanges)
        {
            return CheckExchange(from, to, file, caller, ref isDirectory);
        }

        if (from.Inode == to.Inode)
        {
            // Nothing is moved, so nobody needs a right for it (Linux's vfs_rename).
            return Errno.None;
        }

        error = CheckRemoval(from.Directory, file, caller);
        if (error == Errno.None)
        {
            error = CheckNewName(to, caller);
        }

        // A directory that gets another parent is changed itself: its ".." is.
        bool moves = isDirectory && from.Directory != to.Directory;
        return error == Errno.None && moves ? caller.Check(file, AccessRights.Write) : error;
    }

    /// <summary>Both names are there: each file leaves its directory and enters the other's.</summary>
    private Errno CheckExchange(in PathTarget from, in PathTarget to, in InodeHandle file, Caller caller, ref bool isDirectory)
    {
        using InodeHandle other = _volume.Inodes.Open(to.Inode, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        if (to.TrailingSlash && !other.IsDirectory)
        {
            return Errno.ENOTDIR;
        }

        if (from.Inode == to.Inode)
        {
            return Errno.None;
        }

        bool changesParent = from.Directory != to.Directory;
        error = CheckRemoval(from.Directory, file, caller);
        error = error == Errno.None ? CheckRemoval(to.Directory, other, caller) : error;
        error = error == Errno.None && changesParent && isDirectory ? caller.Check(file, AccessRights.Write) : error;
        error = error == Errno.None && changesParent && other.IsDirectory ? caller.Check(other, AccessRights.Write) : error;
        isDirectory |= other.IsDirectory;
        return error;
    }

    private Errno CheckNewName(in PathTarget to, Caller caller)
    {
        if (to.Inode == 0)
        {
            return _resolver.CheckEntering(to.Directory, caller);
        }

        using InodeHandle replaced = _volume.Inodes.Open(to.Inode, out Errno error);
        return error == Errno.None ? CheckRemoval(to.Directory, replaced, caller) : error;
    }

    /// <summary>What a rename changes; below a directory that moves every way changes, and every path that somebody was told.</summary>
    private LeaseKeys ChangesOfRename(in PathTarget from, in PathTarget to, bool isDirectory)
    {
        LeaseKeys changed = default;
        if (isDirectory)
        {
            changed.Count = LeaseKeys.Everything;
            return changed;
        }

        LeaseGrants.AddName(ref changed, from.Directory, from.Name);
        LeaseGrants.AddName(ref changed, to.Directory, to.Name);
        changed.Add(LeaseKey.Attributes(from.Inode));
        if (to.Inode != 0)
        {
            _leases.AddLoss(ref changed, to.Inode);
        }

        return changed;
    }

    private void ForgetRenamed(in PathTarget from, in PathTarget to, bool isDirectory)
    {
        if (isDirectory)
        {
            _resolver.Table.ForgetAll();
            return;
        }

        _resolver.Forget(from.Canonical);
        _resolver.Forget(to.Canonical);
    }

    private void ReplyAttributes(scoped ref RpcRequest request, uint number, in LeaseKeys changed, Errno error)
    {
        if (error == Errno.None)
        {
            using InodeHandle inode = _volume.Inodes.Open(number, out error);
            if (error == Errno.None)
            {
                _volume.Views.Reveal(number);
                ChangeReply reply = new() { Attributes = _volume.Files.Describe(inode), Changed = changed };
                request.Reply(Errno.None, in reply);
                return;
            }
        }

        request.Reply(error);
    }
}
