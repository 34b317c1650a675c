// On whose behalf a request is made, and what inode(7)'s permission bits let that user do. User 0 may do everything, except run what
// nobody may run.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Permissions as access(2) names them.</summary>
[Flags]
public enum AccessRights : uint { None = 0, Execute = 1, Write = 2, Read = 4, All = 7 }

/// <summary>A user and its groups, the file-system group first.</summary>
public readonly unsafe ref struct Caller
{
    private const int OwnerShift = 6;
    private const int GroupShift = 3;

    private readonly ReadOnlySpan<uint> _groups;

    private Caller(uint userId, uint groupId, ReadOnlySpan<uint> groups)
    {
        UserId = userId;
        GroupId = groupId;
        _groups = groups;
    }

    /// <summary>The memory component's file cache, which checks nothing.</summary>
    public static Caller Root => default;

    public uint UserId { get; }

    public uint GroupId { get; }

    public bool IsRoot => UserId == 0;

    /// <summary>The sender of a request, whose head lies on the handler's stack and outlives this.</summary>
    public static Caller Of(scoped in PathRequest request)
    {
        fixed (GroupList* groups = &request.Groups)
        {
            return new Caller(request.UserId, request.GroupId, GroupList.Of(groups));
        }
    }

    /// <summary>Whether one of the caller's groups is this one.</summary>
    public bool IsIn(uint group) => GroupList.Includes(GroupId, _groups, group);

    /// <summary>EACCES unless all of <paramref name="rights"/> are granted.</summary>
    public Errno Check(in InodeHandle inode, AccessRights rights)
    {
        uint mode = inode.Record->Mode;
        if (IsRoot)
        {
            const uint anyExecute = 0x49;
            bool runs = inode.IsDirectory || (mode & anyExecute) != 0;
            return (rights & AccessRights.Execute) == 0 || runs ? Errno.None : Errno.EACCES;
        }

        int shift = UserId == inode.UserId ? OwnerShift : IsIn(inode.GroupId) ? GroupShift : 0;
        AccessRights granted = (AccessRights)(mode >> shift) & AccessRights.All;
        return (rights & ~granted) == 0 ? Errno.None : Errno.EACCES;
    }

    /// <summary>EPERM unless the caller owns the file.</summary>
    public Errno CheckOwner(in InodeHandle inode) => IsRoot || UserId == inode.UserId ? Errno.None : Errno.EPERM;

    /// <summary>Whether the caller may remove a file from a directory; in a sticky one only the owner of either may.</summary>
    public Errno CheckRemoval(in InodeHandle directory, in InodeHandle file)
    {
        Errno error = Check(directory, AccessRights.Write | AccessRights.Execute);
        bool sticky = (directory.Record->Mode & FileMode.Sticky) != 0;
        return error == Errno.None && sticky && CheckOwner(directory) != Errno.None ? CheckOwner(file) : error;
    }
}
