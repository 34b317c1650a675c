// SetAttributes (PathMessages.cs): chmod(2), chown(2), utimensat(2). May BLOCK on the device. Callers hold the volume's lock.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>SetAttributes.</summary>
public sealed unsafe class AttributeRequests(Volume volume, PathResolver resolver)
{
    private const uint SetUserIdBit = 0x800;
    private const uint AnyExecute = 0x49;
    private const uint GroupExecute = 0x8;

    private readonly Volume _volume = volume;
    private readonly PathResolver _resolver = resolver;

    /// <summary>Reply: FileAttributes afterwards.</summary>
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
            error = CheckChange(inode, caller, head.Mask);
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

        Apply(inode, head);
        FileAttributes attributes = _volume.Files.Describe(inode);
        request.Reply(Errno.None, in attributes);
    }

    private static Errno CheckChange(in InodeHandle inode, Caller caller, AttributeMask mask)
    {
        if ((inode.Record->Flags & (InodeFlags.Immutable | InodeFlags.AppendOnly)) != 0)
        {
            return Errno.EPERM;
        }

        const AttributeMask owners = AttributeMask.Mode | AttributeMask.AccessTime | AttributeMask.ModifyTime;
        Errno error = (mask & owners) != 0 ? caller.CheckOwner(inode) : Errno.None;
        bool changesOwner = (mask & (AttributeMask.UserId | AttributeMask.GroupId)) != 0;
        return error == Errno.None && changesOwner && !caller.IsRoot ? Errno.EPERM : error;
    }

    private void Apply(in InodeHandle inode, in SetAttributesRequest head)
    {
        uint mode = inode.Record->Mode;
        if ((head.Mask & (AttributeMask.UserId | AttributeMask.GroupId)) != 0)
        {
            inode.SetOwner(
                (head.Mask & AttributeMask.UserId) != 0 ? head.UserId : inode.UserId,
                (head.Mask & AttributeMask.GroupId) != 0 ? head.GroupId : inode.GroupId);
            // A program must not run with the rights of an owner who did not ask for it (chown(2)).
            if (inode.IsRegular && (mode & AnyExecute) != 0)
            {
                mode &= ~SetUserIdBit;
                mode &= (mode & GroupExecute) != 0 ? ~FileMode.SetGroupId : uint.MaxValue;
            }
        }

        if ((head.Mask & AttributeMask.Mode) != 0)
        {
            mode = (mode & FileMode.TypeMask) | (head.Mode & FileMode.PermissionMask);
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
}
