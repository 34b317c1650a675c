// Owner, permissions and times of what exists only in this kernel but behaves like an inode: a pipe (both ends are one inode), a
// session's streams, a file in memory. Changed by fchmod, fchown and futimens by the rules of chmod(2), chown(2) and utimensat(2). Never
// blocks.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Attributes in memory.</summary>
public unsafe struct SyntheticInode
{
    private const uint OwnerReadWrite = 0x180;

    private uint _permissions;
    private uint _userId;
    private uint _groupId;
    private ulong _accessTimeNs;
    private ulong _modifyTimeNs;
    private ulong _changeTimeNs;

    /// <summary>Its owner.</summary>
    public readonly uint UserId => _userId;

    /// <summary>Permission bits of inode(7).</summary>
    public readonly uint Permissions => _permissions;

    /// <summary>A new inode of a user; times are now.</summary>
    public static SyntheticInode Create(uint userId, uint groupId, uint permissions = OwnerReadWrite)
    {
        ulong now = Clock.UnixTimeNs();
        return new SyntheticInode
        {
            _permissions = permissions,
            _userId = userId,
            _groupId = groupId,
            _accessTimeNs = now,
            _modifyTimeNs = now,
            _changeTimeNs = now,
        };
    }

    /// <summary>Puts owner, permissions and times into a status whose type is set.</summary>
    public readonly void Describe(ref FileStatus status)
    {
        status.Attributes.Mode = (status.Attributes.Mode & FileMode.TypeMask) | _permissions;
        status.Attributes.UserId = _userId;
        status.Attributes.GroupId = _groupId;
        status.Attributes.AccessTimeNs = _accessTimeNs;
        status.Attributes.ModifyTimeNs = _modifyTimeNs;
        status.Attributes.ChangeTimeNs = _changeTimeNs;
    }

    /// <summary>Something about it has changed now: a name.</summary>
    public void Touch() => _changeTimeNs = Clock.UnixTimeNs();

    /// <summary>It was read or written as a message queue is: all times are now.</summary>
    public void Written()
    {
        _accessTimeNs = Clock.UnixTimeNs();
        _modifyTimeNs = _accessTimeNs;
        _changeTimeNs = _accessTimeNs;
    }

    /// <summary>chmod, chown, utimensat. EPERM.</summary>
    public Errno Change(Process* process, in SetAttributesRequest request)
    {
        uint user = process->FileSystemUserId;
        bool owns = user == 0 || user == _userId;
        bool givesAway = (request.Mask & AttributeMask.UserId) != 0 && request.UserId != _userId;
        bool foreignGroup = (request.Mask & AttributeMask.GroupId) != 0 && request.GroupId != _groupId
            && !GroupList.Includes(process->FileSystemGroupId, process->SupplementaryGroups, request.GroupId);
        if (!owns || (user != 0 && (givesAway || foreignGroup)))
        {
            return Errno.EPERM;
        }

        _permissions = (request.Mask & AttributeMask.Mode) != 0 ? request.Mode & FileMode.PermissionMask : _permissions;
        _userId = (request.Mask & AttributeMask.UserId) != 0 ? request.UserId : _userId;
        _groupId = (request.Mask & AttributeMask.GroupId) != 0 ? request.GroupId : _groupId;
        _accessTimeNs = (request.Mask & AttributeMask.AccessTime) != 0 ? request.AccessTimeNs : _accessTimeNs;
        _modifyTimeNs = (request.Mask & AttributeMask.ModifyTime) != 0 ? request.ModifyTimeNs : _modifyTimeNs;
        _changeTimeNs = Clock.UnixTimeNs();
        return Errno.None;
    }
}
