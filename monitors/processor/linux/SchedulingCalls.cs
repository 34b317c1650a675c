// Scheduling parameters (sched(7)): nice values of processes, policies, priorities and CPUs of threads. What they do is in
// process/NiceValue.cs and process/SchedulingPolicy.cs.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>sched_*, getpriority, setpriority, getcpu.</summary>
public static unsafe class SchedulingCalls
{
    private const uint ResetOnFork = 0x40000000;
    /// <summary>Flags of sched_setattr: SCHED_FLAG_RESET_ON_FORK, _KEEP_POLICY, _KEEP_PARAMS.</summary>
    private const ulong ResetsOnFork = 1;
    private const ulong KeepPolicy = 8;
    private const ulong KeepParameters = 0x10;
    /// <summary>getpriority(2) tells this minus the nice value, so that it never looks like an error.</summary>
    private const int NiceOffset = 20;

    /// <summary>What getpriority and setpriority address.</summary>
    private enum Who : uint
    {
        Process = 0,
        Group = 1,
        User = 2,
    }

    /// <summary>struct sched_attr, its first version.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        internal const uint Bytes = 48;
        /// <summary>With the clamps of utilization, which count only where their flags are set.</summary>
        internal const uint LatestBytes = 56;

        internal uint Size;
        internal uint Policy;
        internal ulong Flags;
        internal int Nice;
        internal uint Priority;
        internal ulong Runtime;
        internal ulong Deadline;
        internal ulong Period;
    }

    [SystemCall(24, "sched_yield", Support.Full)]
    public static long Yield(ref SystemCall call)
    {
        Scheduler.PassTurn();
        return 0;
    }

    [SystemCall(140, "getpriority", Support.Full)]
    public static long GetPriority(ref SystemCall call)
    {
        if ((uint)call.A0 > (uint)Who.User)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        int best = int.MinValue;
        for (Process* process = call.Process->Table.First; process != null; process = process->Next)
        {
            if (Visibility.Sees(call.Process, process) && IsMeant(ref call, process))
            {
                best = Math.Max(best, NiceOffset - process->Nice);
            }
        }

        return best == int.MinValue ? SystemCall.Fail(Errno.ESRCH) : best;
    }

    [SystemCall(141, "setpriority", Support.Partial,
        "a process has one value, not each thread; beyond -10 and 12 time slices stay as they are")]
    public static long SetPriority(ref SystemCall call)
    {
        if ((uint)call.A0 > (uint)Who.User)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        int nice = Math.Clamp((int)call.A2, NiceValue.Lowest, NiceValue.Highest);
        Errno error = Errno.ESRCH;
        for (Process* process = call.Process->Table.First; process != null; process = process->Next)
        {
            if (Visibility.Sees(call.Process, process) && IsMeant(ref call, process))
            {
                Errno change = ChangeNice(call.Process, process, nice);
                error = change != Errno.None || error == Errno.ESRCH ? change : error;
            }
        }

        return SystemCall.Result(error);
    }

    [SystemCall(142, "sched_setparam", Support.Full)]
    public static long SetParameters(ref SystemCall call)
    {
        UserThread* target = FindThread(call.A0, ref call);
        return target == null ? SystemCall.Fail(BadId(call.A0)) : ChangePolicy(ref call, target->Policy, call.A1, keepsReset: true);
    }

    [SystemCall(143, "sched_getparam", Support.Full)]
    public static long GetParameters(ref SystemCall call)
    {
        if (call.A1 == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* target = FindThread(call.A0, ref call);
        int priority = target == null ? 0 : target->RealTimePriority;
        return target == null
            ? SystemCall.Fail(BadId(call.A0))
            : SystemCall.Result(new UserPointer<int>(call.A1).Write(call.Process, in priority));
    }

    [SystemCall(144, "sched_setscheduler", Support.Partial, "SCHED_BATCH and SCHED_IDLE are kept and told")]
    public static long SetScheduler(ref SystemCall call) =>
        (int)call.A1 < 0 ? SystemCall.Fail(Errno.EINVAL) : ChangePolicy(ref call, (uint)call.A1, call.A2, keepsReset: false);

    [SystemCall(145, "sched_getscheduler", Support.Full)]
    public static long GetScheduler(ref SystemCall call)
    {
        UserThread* target = FindThread(call.A0, ref call);
        return target == null ? SystemCall.Fail(BadId(call.A0)) : target->Policy | (target->ResetsPolicy ? ResetOnFork : 0);
    }

    [SystemCall(146, "sched_get_priority_max", Support.Full)]
    public static long MaximumPriority(ref SystemCall call) => PriorityOf((int)call.A0, SchedulingPolicy.HighestRealTime);

    [SystemCall(147, "sched_get_priority_min", Support.Full)]
    public static long MinimumPriority(ref SystemCall call) => PriorityOf((int)call.A0, SchedulingPolicy.LowestRealTime);

    [SystemCall(148, "sched_rr_get_interval", Support.Full)]
    public static long GetInterval(ref SystemCall call)
    {
        UserThread* target = FindThread(call.A0, ref call);
        TimeSpecification slice = new() { Nanoseconds = target == null ? 0 : SchedulingPolicy.IntervalOf(target) };
        return target == null
            ? SystemCall.Fail(BadId(call.A0))
            : SystemCall.Result(new UserPointer<TimeSpecification>(call.A1).Write(call.Process, in slice));
    }

    [SystemCall(314, "sched_setattr", Support.Partial, "SCHED_DEADLINE is EPERM; no utilization clamps")]
    public static long SetAttributes(ref SystemCall call)
    {
        if (call.A1 == 0 || (int)call.A0 < 0 || (uint)call.A2 != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = ReadAttributes(ref call, out Attributes wanted);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if ((wanted.Flags & ~(ResetsOnFork | KeepPolicy | KeepParameters)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* target = FindThread(call.A0, ref call);
        if (target == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        bool keepsParameters = (wanted.Flags & KeepParameters) != 0;
        uint policy = (wanted.Flags & KeepPolicy) != 0 ? target->Policy : wanted.Policy;
        uint priority = keepsParameters ? target->RealTimePriority : wanted.Priority;
        error = policy > SchedulingPolicy.Extensible
            ? Errno.EINVAL
            : ChangePolicy(call.Process, target, policy, priority, (wanted.Flags & ResetsOnFork) != 0);
        bool setsNice = error == Errno.None && !keepsParameters && policy is SchedulingPolicy.Other or SchedulingPolicy.Batch;
        return SystemCall.Result(setsNice
            ? ChangeNice(call.Process, target->Process, Math.Clamp(wanted.Nice, NiceValue.Lowest, NiceValue.Highest))
            : error);
    }

    [SystemCall(315, "sched_getattr", Support.Full)]
    public static long GetAttributes(ref SystemCall call)
    {
        UserThread* target = FindThread(call.A0, ref call);
        if (call.A1 == 0 || (uint)call.A2 < Attributes.Bytes || (uint)call.A2 > PageOperations.PageSize || (uint)call.A3 != 0
            || target == null)
        {
            return SystemCall.Fail(target == null && (int)call.A0 >= 0 && call.A1 != 0 ? Errno.ESRCH : Errno.EINVAL);
        }

        Attributes attributes = new()
        {
            Size = Attributes.Bytes,
            Policy = target->Policy,
            Flags = target->ResetsPolicy ? ResetsOnFork : 0,
            Nice = target->RealTimePriority != 0 ? 0 : target->Process->Nice,
            Priority = target->RealTimePriority,
        };
        return SystemCall.Result(new UserPointer<Attributes>(call.A1).Write(call.Process, in attributes));
    }

    [SystemCall(203, "sched_setaffinity", Support.Full)]
    public static long SetAffinity(ref SystemCall call)
    {
        ulong mask = 0;
        if ((uint)call.A1 >= sizeof(ulong))
        {
            Errno error = new UserPointer<ulong>(call.A2).Read(call.Process, out mask);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }
        else
        {
            Errno error = UserMemory.CopyIn(call.Process, call.A2, new Span<byte>(&mask, (int)call.A1));
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }

        UserThread* target = FindThread(call.A0, ref call);
        if (target == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (!MayChange(call.Process, target->Process))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        mask &= AllProcessors;
        if (mask == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        target->Cpus = mask == AllProcessors ? 0 : mask;
        if (target->Kernel != null)
        {
            Scheduler.SetCpus(target->Kernel, target->Cpus);
        }

        return 0;
    }

    [SystemCall(204, "sched_getaffinity", Support.Full)]
    public static long GetAffinity(ref SystemCall call)
    {
        // The length is an unsigned int, and so is the number of its bits.
        uint bits = (uint)call.A1 * 8;
        if (bits < (uint)Processors.Count || call.A1 % sizeof(ulong) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* target = FindThread(call.A0, ref call);
        if (target == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        ulong mask = target->Cpus == 0 ? AllProcessors : target->Cpus;
        return SystemCall.Result(new UserPointer<ulong>(call.A2).Write(call.Process, in mask), sizeof(ulong));
    }

    [SystemCall(309, "getcpu", Support.Full)]
    public static long GetCpu(ref SystemCall call)
    {
        uint cpu = (uint)Cpu.Index;
        uint node = 0;
        bool written = (call.A0 == 0 || new UserPointer<uint>(call.A0).Write(call.Process, in cpu) == Errno.None)
            && (call.A1 == 0 || new UserPointer<uint>(call.A1).Write(call.Process, in node) == Errno.None);
        return written ? 0 : SystemCall.Fail(Errno.EFAULT);
    }

    private static ulong AllProcessors => (1UL << (int)SystemFacts.ProcessorCount) - 1;

    private static bool IsMeant(ref SystemCall call, Process* process)
    {
        uint id = (uint)call.A1;
        if (process->State is ProcessState.Embryo or ProcessState.Zombie && (Who)(uint)call.A0 != Who.Process)
        {
            return false;
        }

        return (Who)(uint)call.A0 switch
        {
            Who.Process => process->State != ProcessState.Embryo && process->Id == (id == 0 ? call.Process->Id : id),
            Who.Group => process->Group == (id == 0 ? call.Process->Group : id),
            _ => process->UserId == (id == 0 ? call.Process->UserId : id),
        };
    }

    /// <summary>setpriority(2): EPERM for others' processes; EACCES for a better value than RLIMIT_NICE allows.</summary>
    private static Errno ChangeNice(Process* caller, Process* target, int nice)
    {
        if (!MayChange(caller, target))
        {
            return Errno.EPERM;
        }

        bool isAllowed = nice >= target->Nice || caller->EffectiveUserId == 0
            || (ulong)(NiceOffset - nice) <= target->Limits[2 * ResourceLimit.Nice];
        if (!isAllowed)
        {
            return Errno.EACCES;
        }

        NiceValue.Set(target, nice);
        return Errno.None;
    }

    private static bool MayChange(Process* caller, Process* target) =>
        caller->EffectiveUserId == 0 || caller->EffectiveUserId == target->UserId || caller->EffectiveUserId == target->EffectiveUserId;

    /// <summary>sched_setattr(2): a structure of another size is E2BIG unless what is beyond is zero, and the known size is told.</summary>
    private static Errno ReadAttributes(ref SystemCall call, out Attributes attributes)
    {
        attributes = default;
        uint known = Attributes.LatestBytes;
        UserPointer<uint> size = new(call.A1);
        Errno error = size.Read(call.Process, out uint bytes);
        bytes = bytes == 0 ? Attributes.Bytes : bytes;
        error = error == Errno.None && bytes is < Attributes.Bytes or > PageOperations.PageSize ? Errno.E2BIG : error;

        for (uint offset = Attributes.LatestBytes; error == Errno.None && offset < bytes; offset++)
        {
            error = new UserPointer<byte>(call.A1 + offset).Read(call.Process, out byte value);
            error = error == Errno.None && value != 0 ? Errno.E2BIG : error;
        }

        if (error == Errno.E2BIG)
        {
            size.Write(call.Process, in known);
        }

        return error == Errno.None ? new UserPointer<Attributes>(call.A1).Read(call.Process, out attributes) : error;
    }

    private static long ChangePolicy(ref SystemCall call, uint policy, ulong address, bool keepsReset)
    {
        if (address == 0 || (int)call.A0 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = new UserPointer<int>(address).Read(call.Process, out int priority);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        UserThread* target = FindThread(call.A0, ref call);
        if (target == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        // Without a budget of time nobody has a deadline (sched_setattr gives one).
        if ((policy & ~ResetOnFork) == SchedulingPolicy.Deadline)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        bool resets = keepsReset ? target->ResetsPolicy : (policy & ResetOnFork) != 0;
        return SystemCall.Result(ChangePolicy(call.Process, target, policy & ~ResetOnFork, (uint)priority, resets));
    }

    /// <summary>sched(7): who is not root may have real-time priorities up to RLIMIT_RTPRIO, and lower those that he has.</summary>
    private static Errno ChangePolicy(Process* caller, UserThread* target, uint policy, uint priority, bool resets)
    {
        bool isRealTime = SchedulingPolicy.IsRealTime(policy);
        bool isPlain = policy is SchedulingPolicy.Other or SchedulingPolicy.Batch or SchedulingPolicy.Idle;
        if (policy == SchedulingPolicy.Deadline)
        {
            return Errno.EPERM;
        }

        if (isRealTime ? priority is < SchedulingPolicy.LowestRealTime or > SchedulingPolicy.HighestRealTime : !isPlain || priority != 0)
        {
            return Errno.EINVAL;
        }

        if (caller->EffectiveUserId != 0)
        {
            ulong limit = target->Process->Limits[2 * ResourceLimit.RealTime];
            bool raises = isRealTime && priority > target->RealTimePriority && priority > limit;
            bool changes = isRealTime && policy != target->Policy && limit == 0;
            if (raises || changes || (target->ResetsPolicy && !resets) || !MayChange(caller, target->Process))
            {
                return Errno.EPERM;
            }
        }

        target->ResetsPolicy = resets;
        SchedulingPolicy.Set(target, (byte)policy, (byte)priority);
        return Errno.None;
    }

    private static long PriorityOf(int policy, int realTime)
    {
        return policy switch
        {
            SchedulingPolicy.Fifo or SchedulingPolicy.RoundRobin => realTime,
            SchedulingPolicy.Other or SchedulingPolicy.Batch or SchedulingPolicy.Idle or SchedulingPolicy.Deadline
                or SchedulingPolicy.Extensible => 0,
            _ => SystemCall.Fail(Errno.EINVAL),
        };
    }

    private static Errno BadId(ulong id) => (int)id < 0 ? Errno.EINVAL : Errno.ESRCH;

    private static UserThread* FindThread(ulong id, ref SystemCall call)
    {
        UserThread* found = (int)id == 0 ? call.Thread : (int)id < 0 ? null : Visibility.FindThread(call.Process, (uint)id);
        return found == null || found->Process->State == ProcessState.Embryo ? null : found;
    }
}
