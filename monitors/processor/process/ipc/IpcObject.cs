// What segments, semaphore sets and message queues of System V have in common (sysvipc(7)): a key, an owner, a creator, rights, and an id
// that no later object bears soon: the place in its table and a number that grows (Linux's ipc/util.c). Each kind's struct begins with one.
// Nothing here blocks.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Flags and commands that all three kinds know (linux/ipc.h).</summary>
public static class IpcFlags
{
    public const uint Create = 0x200;
    public const uint Exclusive = 0x400;
    public const uint NoWait = 0x800;
    public const int PrivateKey = 0;

    public const uint Remove = 0;
    public const uint Set = 1;
    public const uint Stat = 2;
    public const uint Info = 3;
}

/// <summary>struct ipc64_perm.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IpcPermissionRecord
{
    public int Key;
    public uint UserId;
    public uint GroupId;
    public uint CreatorUserId;
    public uint CreatorGroupId;
    public uint Mode;
    public ushort Sequence;
    private ushort _padding;
    private uint _padding2;
    private ulong _unused1;
    private ulong _unused2;
}

/// <summary>The head of every object.</summary>
public unsafe struct IpcObject
{
    /// <summary>As many bits of an id say where the object stands.</summary>
    internal const int IndexBits = 15;
    internal const uint Rights = 0x1FF;
    /// <summary>The right to read, and to write, of whoever has it: S_IRUGO, S_IWUGO.</summary>
    internal const uint ReadRights = 0x124;
    internal const uint WriteRights = 0x92;

    private const int OwnerShift = 6;
    private const int GroupShift = 3;
    private const int GroupMask = 7;

    public int Id;
    /// <summary>Who made it: other vNodes do not know of it.</summary>
    public ushort VNode;
    public int Key;
    public uint Mode;
    public uint UserId;
    public uint GroupId;
    public uint CreatorUserId;
    public uint CreatorGroupId;
    public ulong ChangeTimeNs;

    /// <summary>EACCES unless a process has all the rights that are asked for, wherever in the mode they stand (ipcperms).</summary>
    public readonly Errno Check(Process* process, uint wanted)
    {
        uint asked = ((wanted >> OwnerShift) | (wanted >> GroupShift) | wanted) & GroupMask;
        uint user = process->EffectiveUserId;
        uint group = process->FileSystemGroupId;
        ReadOnlySpan<uint> groups = process->SupplementaryGroups;
        bool isMember = GroupList.Includes(group, groups, GroupId) || GroupList.Includes(group, groups, CreatorGroupId);
        uint granted = user == UserId || user == CreatorUserId ? Mode >> OwnerShift
            : isMember ? Mode >> GroupShift
            : Mode;
        return user == 0 || (asked & ~granted & GroupMask) == 0 ? Errno.None : Errno.EACCES;
    }

    /// <summary>EPERM unless a process may change or remove it: owner, creator, root.</summary>
    public readonly Errno CheckOwner(Process* process)
    {
        uint user = process->EffectiveUserId;
        return user == 0 || user == UserId || user == CreatorUserId ? Errno.None : Errno.EPERM;
    }

    /// <summary>IPC_SET. EINVAL: nobody is user or group -1.</summary>
    public Errno Set(in IpcPermissionRecord wanted)
    {
        if (wanted.UserId == uint.MaxValue || wanted.GroupId == uint.MaxValue)
        {
            return Errno.EINVAL;
        }

        UserId = wanted.UserId;
        GroupId = wanted.GroupId;
        Mode = (Mode & ~Rights) | (wanted.Mode & Rights);
        ChangeTimeNs = Clock.UnixTimeNs();
        return Errno.None;
    }

    /// <summary>As programs see it.</summary>
    public readonly IpcPermissionRecord Record() => new()
    {
        Key = Key,
        UserId = UserId,
        GroupId = GroupId,
        CreatorUserId = CreatorUserId,
        CreatorGroupId = CreatorGroupId,
        Mode = Mode,
        Sequence = (ushort)(Id >> IndexBits),
    };
}
