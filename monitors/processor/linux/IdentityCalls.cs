// Ids of processes, threads, groups, sessions and users (credentials(7)). Programs start as user 0; the set*id rules of Linux hold from
// there. Nothing here blocks except copies of results.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about who a process is.</summary>
public static unsafe class IdentityCalls
{
    private const uint Unchanged = uint.MaxValue;

    [SystemCall(39, "getpid", Support.Full)]
    public static long GetProcessId(ref SystemCall call) => call.Process->Id;

    [SystemCall(186, "gettid", Support.Full)]
    public static long GetThreadId(ref SystemCall call) => call.Thread->Id;

    [SystemCall(110, "getppid", Support.Full)]
    public static long GetParentProcessId(ref SystemCall call) =>
        call.Process->Parent == null ? 0 : call.Process->Parent->Id;

    [SystemCall(102, "getuid", Support.Full)]
    public static long GetUserId(ref SystemCall call) => call.Process->UserId;

    [SystemCall(104, "getgid", Support.Full)]
    public static long GetGroupId(ref SystemCall call) => call.Process->GroupId;

    [SystemCall(107, "geteuid", Support.Full)]
    public static long GetEffectiveUserId(ref SystemCall call) => call.Process->EffectiveUserId;

    [SystemCall(108, "getegid", Support.Full)]
    public static long GetEffectiveGroupId(ref SystemCall call) => call.Process->EffectiveGroupId;

    [SystemCall(111, "getpgrp", Support.Full)]
    public static long GetOwnProcessGroup(ref SystemCall call) => call.Process->Group;

    [SystemCall(121, "getpgid", Support.Full)]
    public static long GetProcessGroup(ref SystemCall call)
    {
        Process* target = Target(ref call, (int)call.A0);
        return target == null ? SystemCall.Fail(Errno.ESRCH) : target->Group;
    }

    [SystemCall(124, "getsid", Support.Full)]
    public static long GetSession(ref SystemCall call)
    {
        Process* target = Target(ref call, (int)call.A0);
        return target == null ? SystemCall.Fail(Errno.ESRCH) : target->SessionId;
    }

    [SystemCall(109, "setpgid", Support.Full)]
    public static long SetProcessGroup(ref SystemCall call)
    {
        // Without a group it is that of the id, whatever that is.
        int group = (int)call.A1 != 0 ? (int)call.A1 : (int)call.A0;
        if (group < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Process* target = Target(ref call, (int)call.A0);
        if (target == null || (target != call.Process && target->Parent != call.Process))
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (target != call.Process && target->HasExecuted)
        {
            return SystemCall.Fail(Errno.EACCES);
        }

        uint wanted = group == 0 ? target->Id : (uint)group;
        bool leadsSession = target->Id == target->SessionId;
        bool groupExists = wanted == target->Id || call.Process->Table.IsGroupInSession(wanted, call.Process->SessionId);
        if (leadsSession || target->SessionId != call.Process->SessionId || !groupExists)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        target->Group = wanted;
        return 0;
    }

    [SystemCall(112, "setsid", Support.Full)]
    public static long SetSession(ref SystemCall call)
    {
        Process* process = call.Process;
        for (Process* other = call.Process->Table.First; other != null; other = other->Next)
        {
            if (other->Group == process->Id && Visibility.Sees(process, other))
            {
                return SystemCall.Fail(Errno.EPERM);
            }
        }

        process->Group = process->Id;
        process->SessionId = process->Id;
        return process->Id;
    }

    [SystemCall(105, "setuid", Support.Full)]
    public static long SetUserId(ref SystemCall call)
    {
        Process* process = call.Process;
        uint id = (uint)call.A0;
        if (id == Unchanged)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (Capabilities.Has(process, Capabilities.SetUserId))
        {
            Capabilities.SetUsers(process, id, id, id);
            return 0;
        }

        if (id != process->UserId && id != process->SavedUserId)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        Capabilities.SetUsers(process, process->UserId, id, process->SavedUserId);
        return 0;
    }

    [SystemCall(106, "setgid", Support.Full)]
    public static long SetGroupId(ref SystemCall call)
    {
        Process* process = call.Process;
        uint id = (uint)call.A0;
        if (id == Unchanged)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (Capabilities.Has(process, Capabilities.SetGroupId))
        {
            process->GroupId = id;
            process->SavedGroupId = id;
        }
        else if (id != process->GroupId && id != process->SavedGroupId)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        SetActingGroup(process, id);
        return 0;
    }

    [SystemCall(113, "setreuid", Support.Full)]
    public static long SetRealAndEffectiveUserId(ref SystemCall call)
    {
        Process* process = call.Process;
        uint real = (uint)call.A0;
        uint effective = (uint)call.A1;
        // The real id cannot become the saved one here (setreuid(2)).
        bool isPrivileged = Capabilities.Has(process, Capabilities.SetUserId);
        if (!isPrivileged && real != Unchanged && real != process->UserId && real != process->EffectiveUserId)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        bool setsSaved = real != Unchanged || (effective != Unchanged && effective != process->UserId);
        uint saved = setsSaved ? (effective == Unchanged ? process->EffectiveUserId : effective) : Unchanged;
        return SetUserIds(process, real, effective, saved);
    }

    [SystemCall(114, "setregid", Support.Full)]
    public static long SetRealAndEffectiveGroupId(ref SystemCall call)
    {
        Process* process = call.Process;
        uint real = (uint)call.A0;
        uint effective = (uint)call.A1;
        bool isPrivileged = Capabilities.Has(process, Capabilities.SetGroupId);
        if (!isPrivileged && real != Unchanged && real != process->GroupId && real != process->EffectiveGroupId)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        bool setsSaved = real != Unchanged || (effective != Unchanged && effective != process->GroupId);
        uint saved = setsSaved ? (effective == Unchanged ? process->EffectiveGroupId : effective) : Unchanged;
        return SetGroupIds(process, real, effective, saved);
    }

    [SystemCall(117, "setresuid", Support.Full)]
    public static long SetAllUserIds(ref SystemCall call) => SetUserIds(call.Process, (uint)call.A0, (uint)call.A1, (uint)call.A2);

    [SystemCall(119, "setresgid", Support.Full)]
    public static long SetAllGroupIds(ref SystemCall call) => SetGroupIds(call.Process, (uint)call.A0, (uint)call.A1, (uint)call.A2);

    [SystemCall(118, "getresuid", Support.Full)]
    public static long GetAllUserIds(ref SystemCall call) =>
        WriteThree(ref call, call.Process->UserId, call.Process->EffectiveUserId, call.Process->SavedUserId);

    [SystemCall(120, "getresgid", Support.Full)]
    public static long GetAllGroupIds(ref SystemCall call) =>
        WriteThree(ref call, call.Process->GroupId, call.Process->EffectiveGroupId, call.Process->SavedGroupId);

    [SystemCall(122, "setfsuid", Support.Full)]
    public static long SetFileSystemUserId(ref SystemCall call)
    {
        Process* process = call.Process;
        uint before = process->FileSystemUserId;
        uint id = (uint)call.A0;
        bool isOwn = id == process->UserId || id == process->EffectiveUserId || id == process->SavedUserId;
        if (isOwn || Capabilities.Has(process, Capabilities.SetUserId))
        {
            if (process->FileSystemUserId != id)
            {
                Capabilities.ActsAsAnother(process);
            }

            process->FileSystemUserId = id;
        }

        return before;
    }

    [SystemCall(123, "setfsgid", Support.Full)]
    public static long SetFileSystemGroupId(ref SystemCall call)
    {
        Process* process = call.Process;
        uint before = process->FileSystemGroupId;
        uint id = (uint)call.A0;
        bool isOwn = id == process->GroupId || id == process->EffectiveGroupId || id == process->SavedGroupId;
        if (isOwn || Capabilities.Has(process, Capabilities.SetGroupId))
        {
            if (process->FileSystemGroupId != id)
            {
                Capabilities.ActsAsAnother(process);
            }

            process->FileSystemGroupId = id;
        }

        return before;
    }

    [SystemCall(115, "getgroups", Support.Full)]
    public static long GetGroups(ref SystemCall call)
    {
        Process* process = call.Process;
        int room = (int)call.A0;
        if (room < 0 || (room != 0 && room < process->GroupCount))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (room == 0)
        {
            return process->GroupCount;
        }

        // Another thread may change them during the wait.
        GroupSet* many = GroupSet.Hold(process->ManyGroups);
        ReadOnlySpan<uint> groups = process->SupplementaryGroups;
        Errno error = UserMemory.CopyOut(process, call.A1, MemoryMarshal.AsBytes(groups));
        GroupSet.Release(process->Table.Frames, many);
        return SystemCall.Result(error, groups.Length);
    }

    [SystemCall(116, "setgroups", Support.Partial, "to files of the volume a process is in the 32 lowest of its groups and in no other")]
    public static long SetGroups(ref SystemCall call)
    {
        Process* process = call.Process;
        uint count = (uint)call.A0;
        if (!Capabilities.Has(process, Capabilities.SetGroupId))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (count > GroupSet.Most)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Span<uint> few = stackalloc uint[Process.OwnGroups];
        GroupSet* many = count > Process.OwnGroups ? GroupSet.Make(process->Table.Frames, (int)count) : null;
        if (count > Process.OwnGroups && many == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        Span<uint> groups = many != null ? GroupSet.Of(many) : few.Slice(0, (int)count);
        Errno error = UserMemory.CopyIn(process, call.A1, MemoryMarshal.AsBytes(groups));
        for (int index = 0; index < groups.Length && error == Errno.None; index++)
        {
            error = groups[index] == Unchanged ? Errno.EINVAL : Errno.None;
        }

        if (error != Errno.None)
        {
            GroupSet.Release(process->Table.Frames, many);
            return SystemCall.Fail(error);
        }

        GroupSet.Sort(groups);
        if (many == null)
        {
            groups.CopyTo(new Span<uint>(process->Groups, Process.OwnGroups));
        }

        process->GroupCount = (int)count;
        GroupSet.Release(process->Table.Frames, process->ManyGroups);
        process->ManyGroups = many;
        return 0;
    }

    /// <summary>
    /// Who may see or limit another process: itself, root, and whoever has all its ids (ptrace(2), "Ptrace access mode checking").
    /// </summary>
    public static bool MayInspect(Process* caller, Process* target)
    {
        return caller == target || caller->EffectiveUserId == 0
            || (caller->UserId == target->UserId && caller->UserId == target->EffectiveUserId && caller->UserId == target->SavedUserId
                && caller->GroupId == target->GroupId && caller->GroupId == target->EffectiveGroupId
                && caller->GroupId == target->SavedGroupId);
    }

    private static Process* Target(ref SystemCall call, int id) =>
        id == 0 ? call.Process : id < 0 ? null : Visibility.FindProcess(call.Process, (uint)id);

    private static long SetUserIds(Process* process, uint real, uint effective, uint saved)
    {
        bool privileged = Capabilities.Has(process, Capabilities.SetUserId);
        if (!privileged && (!IsOwnUser(process, real) || !IsOwnUser(process, effective) || !IsOwnUser(process, saved)))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        Capabilities.SetUsers(
            process,
            real == Unchanged ? process->UserId : real,
            effective == Unchanged ? process->EffectiveUserId : effective,
            saved == Unchanged ? process->SavedUserId : saved);
        return 0;
    }

    private static long SetGroupIds(Process* process, uint real, uint effective, uint saved)
    {
        bool privileged = Capabilities.Has(process, Capabilities.SetGroupId);
        if (!privileged && (!IsOwnGroup(process, real) || !IsOwnGroup(process, effective) || !IsOwnGroup(process, saved)))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        process->GroupId = real == Unchanged ? process->GroupId : real;
        SetActingGroup(process, effective == Unchanged ? process->EffectiveGroupId : effective);
        process->SavedGroupId = saved == Unchanged ? process->SavedGroupId : saved;
        return 0;
    }

    private static void SetActingGroup(Process* process, uint group)
    {
        if (process->EffectiveGroupId != group || process->FileSystemGroupId != group)
        {
            Capabilities.ActsAsAnother(process);
        }

        process->EffectiveGroupId = group;
        process->FileSystemGroupId = group;
    }

    private static bool IsOwnUser(Process* process, uint id) =>
        id == Unchanged || id == process->UserId || id == process->EffectiveUserId || id == process->SavedUserId;

    private static bool IsOwnGroup(Process* process, uint id) =>
        id == Unchanged || id == process->GroupId || id == process->EffectiveGroupId || id == process->SavedGroupId;

    private static long WriteThree(ref SystemCall call, uint real, uint effective, uint saved)
    {
        bool written = new UserPointer<uint>(call.A0).Write(call.Process, in real) == Errno.None
            && new UserPointer<uint>(call.A1).Write(call.Process, in effective) == Errno.None
            && new UserPointer<uint>(call.A2).Write(call.Process, in saved) == Errno.None;
        return written ? 0 : SystemCall.Fail(Errno.EFAULT);
    }
}
