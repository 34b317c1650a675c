// ioprio_set, ioprio_get (ioprio_set(2)): a value that each thread has and its children inherit. Requests of all programs go to other
// machines, which do not know it; it is kept and told. Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about priorities of input and output.</summary>
public static unsafe class IoPriorityCalls
{
    private const int ClassShift = 13;
    private const uint LevelMask = 7;
    /// <summary>The class of who has set none, as the others see it: best effort, in the middle (include/uapi/linux/ioprio.h).</summary>
    private const long Default = (2 << ClassShift) | 4;

    private enum Who : uint
    {
        Thread = 1,
        Group = 2,
        User = 3,
    }

    private enum Class : uint
    {
        None = 0,
        RealTime = 1,
        BestEffort = 2,
        Idle = 3,
    }

    [SystemCall(251, "ioprio_set", Support.Partial, "kept, told and inherited without effect")]
    internal static long Set(ref SystemCall call)
    {
        uint value = (uint)call.A2;
        Errno refused = Check(call.Process, value);
        if (refused != Errno.None)
        {
            return SystemCall.Fail(refused);
        }

        if ((Who)(uint)call.A0 == Who.Thread)
        {
            UserThread* thread = FindThread(ref call);
            return SystemCall.Result(thread == null ? Errno.ESRCH : Change(call.Process, thread, value));
        }

        Errno error = IsKnown((Who)(uint)call.A0) ? Errno.ESRCH : Errno.EINVAL;
        for (Process* process = call.Process->Table.First; process != null; process = process->Next)
        {
            for (UserThread* thread = FirstMeant(ref call, process); thread != null; thread = thread->Next)
            {
                Errno change = Change(call.Process, thread, value);
                error = change != Errno.None || error == Errno.ESRCH ? change : error;
            }
        }

        return SystemCall.Result(error);
    }

    [SystemCall(252, "ioprio_get", Support.Full)]
    internal static long Get(ref SystemCall call)
    {
        if ((Who)(uint)call.A0 == Who.Thread)
        {
            UserThread* thread = FindThread(ref call);
            return thread == null ? SystemCall.Fail(Errno.ESRCH) : thread->IoPriority;
        }

        if (!IsKnown((Who)(uint)call.A0))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        long best = long.MaxValue;
        for (Process* process = call.Process->Table.First; process != null; process = process->Next)
        {
            for (UserThread* thread = FirstMeant(ref call, process); thread != null; thread = thread->Next)
            {
                best = Math.Min(best, thread->IoPriority == 0 ? Default : thread->IoPriority);
            }
        }

        return best == long.MaxValue ? SystemCall.Fail(Errno.ESRCH) : best;
    }

    /// <summary>Whether a process may ask for a priority. EINVAL: there is no such one; EPERM.</summary>
    internal static Errno Check(Process* process, uint value)
    {
        Class kind = (Class)(value >> ClassShift);
        return kind > Class.Idle || (kind == Class.None && (value & LevelMask) != 0) ? Errno.EINVAL
            : kind == Class.RealTime && process->EffectiveUserId != 0 ? Errno.EPERM
            : Errno.None;
    }

    private static bool IsKnown(Who who) => who is Who.Group or Who.User;

    private static Errno Change(Process* caller, UserThread* thread, uint value)
    {
        Process* target = thread->Process;
        bool isAllowed = caller->EffectiveUserId == 0 || target->UserId == caller->EffectiveUserId || target->UserId == caller->UserId;
        thread->IoPriority = isAllowed ? (ushort)value : thread->IoPriority;
        return isAllowed ? Errno.None : Errno.EPERM;
    }

    private static UserThread* FindThread(ref SystemCall call)
    {
        uint id = (uint)call.A1;
        UserThread* found = id == 0 ? call.Thread : Visibility.FindThread(call.Process, id);
        return found == null || found->Process->State == ProcessState.Embryo ? null : found;
    }

    /// <summary>The first thread of a process that the call means, or null.</summary>
    private static UserThread* FirstMeant(ref SystemCall call, Process* process)
    {
        uint id = (uint)call.A1;
        bool isMeant = (Who)(uint)call.A0 == Who.Group
            ? process->Group == (id == 0 ? call.Process->Group : id)
            : process->UserId == (id == 0 ? call.Process->UserId : id);
        return isMeant && Visibility.Sees(call.Process, process)
            && process->State is not (ProcessState.Embryo or ProcessState.Zombie) ? process->FirstThread : null;
    }
}
