// Scheduling parameters (sched(7)). The component runs programs in turn, whatever their policy, with slices by their nice value
// (NiceValue.cs): both are kept, inherited and told, and what a policy would promise beyond a fair share (real time) is refused.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>sched_*, getpriority, setpriority, getcpu.</summary>
public static unsafe class SchedulingCalls
{
    private const int OtherPolicy = 0;
    private const int FifoPolicy = 1;
    private const int RoundRobinPolicy = 2;
    private const int BatchPolicy = 3;
    private const int IdlePolicy = 5;
    private const int DeadlinePolicy = 6;
    private const int ExtensiblePolicy = 7;
    private const uint ResetOnFork = 0x40000000;
    private const int LowestRealTimePriority = 1;
    private const int HighestRealTimePriority = 99;
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
            if (IsMeant(ref call, process))
            {
                best = Math.Max(best, NiceOffset - process->Nice);
            }
        }

        return best == int.MinValue ? SystemCall.Fail(Errno.ESRCH) : best;
    }

    [SystemCall(141, "setpriority", Support.Partial, "a process has one value, not each thread; beyond -10 and 12 time slices stay as they are")]
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
            if (IsMeant(ref call, process))
            {
                Errno change = ChangeNice(call.Process, process, nice);
                error = change != Errno.None || error == Errno.ESRCH ? change : error;
            }
        }

        return SystemCall.Result(error);
    }

    [SystemCall(142, "sched_setparam", Support.Partial, "priority 0, the only one of the policies here")]
    public static long SetParameters(ref SystemCall call)
    {
        Process* target = Find(call.A0, ref call);
        return target == null ? SystemCall.Fail(BadId(call.A0)) : ChangePolicy(ref call, (uint)call.A0, target->Policy, call.A1);
    }

    [SystemCall(143, "sched_getparam", Support.Full)]
    public static long GetParameters(ref SystemCall call)
    {
        const int Priority = 0;
        if (call.A1 == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return Find(call.A0, ref call) == null ? SystemCall.Fail(BadId(call.A0)) : SystemCall.Result(new UserPointer<int>(call.A1).Write(call.Process, Priority));
    }

    [SystemCall(144, "sched_setscheduler", Support.Partial, "SCHED_OTHER, SCHED_BATCH and SCHED_IDLE, kept and told; real-time policies are EPERM")]
    public static long SetScheduler(ref SystemCall call) =>
        (int)call.A1 < 0 ? SystemCall.Fail(Errno.EINVAL) : ChangePolicy(ref call, (uint)call.A0, (uint)call.A1, call.A2);

    [SystemCall(145, "sched_getscheduler", Support.Full)]
    public static long GetScheduler(ref SystemCall call)
    {
        Process* target = Find(call.A0, ref call);
        return target == null ? SystemCall.Fail(BadId(call.A0)) : target->Policy;
    }

    [SystemCall(146, "sched_get_priority_max", Support.Full)]
    public static long MaximumPriority(ref SystemCall call) => PriorityOf((int)call.A0, HighestRealTimePriority);

    [SystemCall(147, "sched_get_priority_min", Support.Full)]
    public static long MinimumPriority(ref SystemCall call) => PriorityOf((int)call.A0, LowestRealTimePriority);

    [SystemCall(148, "sched_rr_get_interval", Support.Full)]
    public static long GetInterval(ref SystemCall call)
    {
        Process* target = Find(call.A0, ref call);
        TimeSpecification slice = new() { Nanoseconds = NiceValue.SliceOf(target == null ? 0 : target->Nice) };
        return target == null ? SystemCall.Fail(BadId(call.A0)) : SystemCall.Result(new UserPointer<TimeSpecification>(call.A1).Write(call.Process, in slice));
    }

    [SystemCall(315, "sched_getattr", Support.Full)]
    public static long GetAttributes(ref SystemCall call)
    {
        Process* target = Find(call.A0, ref call);
        if (call.A1 == 0 || (uint)call.A2 < Attributes.Bytes || (uint)call.A2 > PageOperations.PageSize || (uint)call.A3 != 0 || target == null)
        {
            return SystemCall.Fail(target == null && (int)call.A0 >= 0 && call.A1 != 0 ? Errno.ESRCH : Errno.EINVAL);
        }

        Attributes attributes = new() { Size = Attributes.Bytes, Policy = target->Policy, Nice = target->Nice };
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
        if (call.A1 < sizeof(ulong) || call.A1 % sizeof(ulong) != 0)
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

        bool isAllowed = nice >= target->Nice || caller->EffectiveUserId == 0 || (ulong)(NiceOffset - nice) <= target->Limits[2 * ResourceLimit.Nice];
        if (!isAllowed)
        {
            return Errno.EACCES;
        }

        NiceValue.Set(target, nice);
        return Errno.None;
    }

    private static bool MayChange(Process* caller, Process* target) =>
        caller->EffectiveUserId == 0 || caller->EffectiveUserId == target->UserId || caller->EffectiveUserId == target->EffectiveUserId;

    private static long ChangePolicy(ref SystemCall call, uint id, uint policy, ulong address)
    {
        if (address == 0 || (int)id < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = new UserPointer<int>(address).Read(call.Process, out int priority);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        Process* target = Find(id, ref call);
        if (target == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        uint plain = policy & ~ResetOnFork;
        bool isRealTime = plain is FifoPolicy or RoundRobinPolicy;
        bool isKnown = isRealTime || plain is OtherPolicy or BatchPolicy or IdlePolicy;
        bool isInRange = isRealTime ? priority is >= LowestRealTimePriority and <= HighestRealTimePriority : priority == 0;
        if (!isKnown || !isInRange)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (isRealTime || !MayChange(call.Process, target))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        target->Policy = (byte)plain;
        return 0;
    }

    private static long PriorityOf(int policy, int realTime)
    {
        return policy switch
        {
            FifoPolicy or RoundRobinPolicy => realTime,
            OtherPolicy or BatchPolicy or IdlePolicy or DeadlinePolicy or ExtensiblePolicy => 0,
            _ => SystemCall.Fail(Errno.EINVAL),
        };
    }

    private static Errno BadId(ulong id) => (int)id < 0 ? Errno.EINVAL : Errno.ESRCH;

    private static UserThread* FindThread(ulong id, ref SystemCall call)
    {
        UserThread* found = (int)id == 0 ? call.Thread : (int)id < 0 ? null : call.Process->Table.UserThreads.Find((uint)id);
        return found == null || found->Process->State == ProcessState.Embryo ? null : found;
    }

    private static Process* Find(ulong id, ref SystemCall call)
    {
        Process* found = (int)id == 0 ? call.Process : (int)id < 0 ? null : call.Process->Table.Find((uint)id);
        return found == null || found->State is ProcessState.Embryo ? null : found;
    }
}
