// ReadAttribute and ChangeAttribute (PathMessages.cs): extended attributes and who may use them (xattr(7)). "user." is for regular files
// and directories, by their permissions; "trusted." is root's; "security." may be read by everybody and changed by root; there are no
// access control lists and no other names: EOPNOTSUPP. May BLOCK on the device. Callers hold the volume's lock.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>ReadAttribute, ChangeAttribute.</summary>
public sealed unsafe class ExtendedRequests
{
    private const int ReplyBytes = 4 * PageOperations.PageSize;

    private readonly Volume _volume;
    private readonly PathResolver _resolver;
    private readonly LeaseGrants _leases;
    private readonly byte* _reply;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public ExtendedRequests(Volume volume, PathResolver resolver, LeaseGrants leases, FrameAllocator frames)
    {
        _volume = volume;
        _resolver = resolver;
        _leases = leases;
        _reply = (byte*)frames.AllocateContiguous(ReplyBytes / PageOperations.PageSize);
    }

    /// <summary>False when there was no memory for the buffer.</summary>
    public bool IsUsable => _reply != null;

    /// <summary>Reply: the value, or the names.</summary>
    public void Read(ref RpcRequest request)
    {
        if (!TryParse(ref request, out AttributeRequest head, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> text, out _))
        {
            return;
        }

        Caller caller = Caller.Of(head.Path);
        AttributeName name = AttributeName.Parse(text);
        int room = Math.Min(ReplyBytes, (int)request.ReplyCapacityBytes);
        int length = 0;
        using InodeHandle inode = _resolver.Open(head.Path, path, out Errno error);
        if (error == Errno.None && text.Length == 0)
        {
            error = _volume.Attributes.List(inode, caller.IsRoot, new Span<byte>(_reply, room), out length);
        }
        else if (error == Errno.None)
        {
            error = CheckRead(inode, name, caller);
            error = error == Errno.None ? _volume.Attributes.Get(inode, name, new Span<byte>(_reply, room), out length) : error;
        }

        request.Reply(error, new ReadOnlySpan<byte>(_reply, error == Errno.None ? length : 0));
    }

    /// <summary>Reply: ChangeReply.</summary>
    public void Change(ref RpcRequest request)
    {
        if (!TryParse(ref request, out AttributeRequest head, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> text,
            out ReadOnlySpan<byte> value))
        {
            return;
        }

        if (((AttributeChange)head.Change & ~AttributeChange.All) != 0)
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        AttributeName name = AttributeName.Parse(text);
        _volume.TimeNs = head.Path.TimeNs;
        using InodeHandle inode = _resolver.Open(head.Path, path, out Errno error);
        error = error == Errno.None ? CheckChange(inode, name, Caller.Of(head.Path)) : error;
        error = error == Errno.None ? _volume.BeginChange() : error;
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        LeaseKeys changed = default;
        changed.Add(LeaseKey.Attributes(inode.Number));
        _leases.Recall(ref changed, request.Source);
        error = _volume.Attributes.Change(inode, name, value, (AttributeChange)head.Change);
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        ChangeReply reply = new() { Attributes = _volume.Files.Describe(inode), Changed = changed };
        request.Reply(Errno.None, in reply);
    }

    private static Errno CheckRead(in InodeHandle inode, in AttributeName name, Caller caller)
    {
        if (name.Index != 0 && name.Rest.IsEmpty)
        {
            return Errno.EINVAL;
        }

        return name.Index switch
        {
            AttributeName.User => IsForUsers(inode) ? caller.Check(inode, AccessRights.Read) : Errno.ENODATA,
            AttributeName.Trusted => caller.IsRoot ? Errno.None : Errno.ENODATA,
            AttributeName.Security => Errno.None,
            _ => Errno.EOPNOTSUPP,
        };
    }

    private static Errno CheckChange(in InodeHandle inode, in AttributeName name, Caller caller)
    {
        if ((inode.Record->Flags & (InodeFlags.Immutable | InodeFlags.AppendOnly)) != 0)
        {
            return Errno.EPERM;
        }

        if (name.Index != 0 && name.Rest.IsEmpty)
        {
            return Errno.EINVAL;
        }

        bool isSticky = inode.IsDirectory && (inode.Record->Mode & FileMode.Sticky) != 0;
        return name.Index switch
        {
            AttributeName.User =>
                !IsForUsers(inode) || (isSticky && caller.CheckOwner(inode) != Errno.None)
                ? Errno.EPERM
                : caller.Check(inode, AccessRights.Write),
            AttributeName.Trusted or AttributeName.Security => caller.IsRoot ? Errno.None : Errno.EPERM,
            _ => Errno.EOPNOTSUPP,
        };
    }

    private static bool IsForUsers(in InodeHandle inode) => inode.IsRegular || inode.IsDirectory;

    private static bool TryParse(scoped ref RpcRequest request, out AttributeRequest head, out ReadOnlySpan<byte> path,
        out ReadOnlySpan<byte> name,
        out ReadOnlySpan<byte> value)
    {
        path = default;
        name = default;
        value = default;
        if (!RequestParts.TryReadHead(ref request, out head, out ReadOnlySpan<byte> rest)
            || !RequestParts.TryTakeText(ref request, ref rest, head.Path.PathLength, out path)
            || !RequestParts.TryTakeText(ref request, ref rest, head.NameLength, out name))
        {
            return false;
        }

        value = rest;
        if (name.Length <= AttributeRequest.MaxNameBytes && value.Length <= AttributeRequest.MaxValueBytes)
        {
            return true;
        }

        request.Reply(Errno.EPROTO);
        return false;
    }
}
