// On whose behalf a request is made, and what inode(7)'s permission bits let that user do. User 0 may do everything, except run what
// nobody may run. Supplementary groups do not travel in messages yet.

using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Permissions as access(2) names them.</summary>
[System.Flags]
public enum AccessRights : uint { None = 0, Execute = 1, Write = 2, Read = 4, All = 7 }

/// <summary>A user and a group.</summary>
public readonly unsafe struct Caller(uint userId, uint groupId)
{
    private const int OwnerShift = 6;
    private const int GroupShift = 3;

    /// <summary>The memory component's file cache, which checks nothing.</summary>
    public static Caller Root => new(0, 0);

    public uint UserId { get; } = userId;

    public uint GroupId { get; } = groupId;

    public bool IsRoot => UserId == 0;

    public static Caller Of(in PathRequest request) => new(request.UserId, request.GroupId);

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

        int shift = UserId == inode.UserId ? OwnerShift : GroupId == inode.GroupId ? GroupShift : 0;
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
