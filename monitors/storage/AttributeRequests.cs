// SetAttributes (PathMessages.cs): chmod(2), chown(2), utimensat(2). May BLOCK on the device. Callers hold the volume's lock.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>SetAttributes.</summary>
public sealed unsafe class AttributeRequests(Volume volume, PathResolver resolver, LeaseGrants leases)
{
    private const InodeFlags Frozen = InodeFlags.Immutable | InodeFlags.AppendOnly;

    private readonly LeaseGrants _leases = leases;
    private readonly Volume _volume = volume;
    private readonly PathResolver _resolver = resolver;

    /// <summary>Reply: ChangeReply.</summary>
    public void SetAttributes(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out SetAttributesRequest head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Path.PathLength, out ReadOnlySpan<byte> path))
        {
            return;
        }

        Caller caller = Caller.Of(head.Path);
        _volume.TimeNs = head.Path.TimeNs;
        using InodeHandle inode = _resolver.Open(head.Path, path, out Errno error);
        if (error == Errno.None)
        {
            error = CheckChange(inode, caller, head);
        }

        if (error == Errno.None)
        {
            error = _volume.BeginChange();
        }

        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        LeaseKeys changed = default;
        changed.Add(LeaseKey.Attributes(inode.Number));
        changed.Add(LeaseKey.Access(inode.Number));
        _leases.Recall(ref changed, request.Source);
        Apply(inode, caller, head);
        ChangeReply reply = new() { Attributes = _volume.Files.Describe(inode), Changed = changed };
        request.Reply(Errno.None, in reply);
    }

    /// <summary>What chmod(2), chown(2) and utimensat(2) ask for.</summary>
    private static Errno CheckChange(in InodeHandle inode, Caller caller, in SetAttributesRequest head)
    {
        AttributeMask mask = head.Mask;
        if ((mask & AttributeMask.DropSetId) != 0)
        {
            return Errno.None;
        }

        bool isTouch = (mask & AttributeMask.Touch) != 0;
        bool setsTimes = !isTouch && (mask & (AttributeMask.AccessTime | AttributeMask.ModifyTime)) != 0;
        if ((inode.Record->Flags & (isTouch ? InodeFlags.Immutable : Frozen)) != 0)
        {
            return Errno.EPERM;
        }

        bool isOwner = caller.CheckOwner(inode) == Errno.None;
        if (((mask & AttributeMask.Mode) != 0 || setsTimes) && !isOwner)
        {
            return Errno.EPERM;
        }

        if (isTouch && !isOwner && caller.Check(inode, AccessRights.Write) != Errno.None)
        {
            return Errno.EACCES;
        }

        // The owner may "give" a file to himself and to his groups.
        bool givesAway = (mask & AttributeMask.UserId) != 0 && (!isOwner || head.UserId != inode.UserId);
        bool leavesGroup = (mask & AttributeMask.GroupId) != 0
            && (!isOwner || (head.GroupId != inode.GroupId && !caller.IsIn(head.GroupId)));
        return !caller.IsRoot && (givesAway || leavesGroup) ? Errno.EPERM : Errno.None;
    }

    private void Apply(in InodeHandle inode, Caller caller, in SetAttributesRequest head)
    {
        uint mode = inode.Record->Mode;
        // A chown that changes nothing (-1, -1) counts as one.
        const AttributeMask others = AttributeMask.Mode | AttributeMask.AccessTime | AttributeMask.ModifyTime;
        if (!inode.IsDirectory && (head.Mask & others) == 0)
        {
            mode = WithoutSetId(inode, caller, mode);
        }

        if ((head.Mask & (AttributeMask.UserId | AttributeMask.GroupId)) != 0)
        {
            inode.SetOwner(
                (head.Mask & AttributeMask.UserId) != 0 ? head.UserId : inode.UserId,
                (head.Mask & AttributeMask.GroupId) != 0 ? head.GroupId : inode.GroupId);
        }

        if ((head.Mask & AttributeMask.Mode) != 0)
        {
            mode = (mode & FileMode.TypeMask) | (head.Mode & FileMode.PermissionMask);
            mode &= IsInGroup(inode, caller) ? uint.MaxValue : ~FileMode.SetGroupId;
        }

        inode.Record->Mode = (ushort)mode;
        if ((head.Mask & AttributeMask.AccessTime) != 0)
        {
            inode.SetAccessTime(head.AccessTimeNs);
        }

        if ((head.Mask & AttributeMask.ModifyTime) != 0)
        {
            inode.SetModifyTime(head.ModifyTimeNs);
        }

        inode.SetChangeTime(_volume.TimeNs);
        inode.Commit();
    }

    private static bool IsInGroup(in InodeHandle inode, Caller caller) => caller.IsRoot || caller.IsIn(inode.GroupId);

    /// <summary>
    /// A program must not run with the rights of an owner who did not ask for it: a new owner or new contents take them. Without the
    /// group's right to execute, S_ISGID does not mean that (it was mandatory locking once), and stays for those who might set it.
    /// </summary>
    private static uint WithoutSetId(in InodeHandle inode, Caller caller, uint mode)
    {
        bool keepsGroup = (mode & FileMode.GroupExecute) == 0 && IsInGroup(inode, caller);
        return mode & ~FileMode.SetUserId & (keepsGroup ? uint.MaxValue : ~FileMode.SetGroupId);
    }
}
