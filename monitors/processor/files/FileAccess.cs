// What inode(7)'s permission bits let a user do. The storage component decides for paths; what is opened without one (a descriptor of
// /proc/PID/fd) and what is served here is decided here, by the same rules. Pure; tested on the host.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Permission checks by attributes.</summary>
public static unsafe class FileAccess
{
    /// <summary>Rights as access(2) numbers them.</summary>
    public const uint Execute = 1;
    public const uint Write = 2;
    public const uint Read = 4;

    private const int OwnerShift = 6;
    private const int GroupShift = 3;
    private const uint AnyExecute = 0x49;

    /// <summary>EACCES unless all of <paramref name="rights"/> are granted. User 0 may do everything but run what nobody may run.</summary>
    public static Errno Check(uint userId, uint groupId, scoped ReadOnlySpan<uint> groups, in FileAttributes attributes, uint rights)
    {
        uint mode = attributes.Mode;
        if (userId == 0)
        {
            bool runs = (mode & FileMode.TypeMask) == FileMode.Directory || (mode & AnyExecute) != 0;
            return (rights & Execute) == 0 || runs ? Errno.None : Errno.EACCES;
        }

        bool isMember = GroupList.Includes(groupId, groups, attributes.GroupId);
        int shift = userId == attributes.UserId ? OwnerShift : isMember ? GroupShift : 0;
        return (rights & ~(mode >> shift)) == 0 ? Errno.None : Errno.EACCES;
    }

    /// <summary>As above for a process, by its file-system identity.</summary>
    public static Errno Check(Process* process, in FileAttributes attributes, uint rights) =>
        Check(process->FileSystemUserId, process->FileSystemGroupId, process->SupplementaryGroups, in attributes, rights);

    /// <summary>As above for the sender of a request.</summary>
    public static Errno Check(in FileCaller caller, in FileAttributes attributes, uint rights) =>
        Check(caller.UserId, caller.GroupId, caller.Groups, in attributes, rights);

    /// <summary>
    /// Whether a process may look into another one's descriptors, working directory and program (ptrace(2), "Ptrace access mode checking",
    /// PTRACE_MODE_READ_FSCREDS): root, itself, or all identities of the other are its own and the other is dumpable.
    /// </summary>
    public static bool MayInspect(Process* caller, Process* target)
    {
        if (caller == target || caller->FileSystemUserId == 0)
        {
            return true;
        }

        uint user = caller->FileSystemUserId;
        uint group = caller->FileSystemGroupId;
        return user == target->UserId && user == target->EffectiveUserId && user == target->SavedUserId
            && group == target->GroupId && group == target->EffectiveGroupId && group == target->SavedGroupId && target->Dumpable == 1;
    }
}
