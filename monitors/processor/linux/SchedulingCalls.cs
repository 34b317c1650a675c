// Scheduling parameters. There is one policy, time slices in turn (kernel/threads), so most of these only answer what Linux would answer for
// SCHED_OTHER at nice 0 (sched(7)).

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>sched_*, getpriority, getcpu.</summary>
public static unsafe class SchedulingCalls
{
    private const int OtherPolicy = 0;
    private const int FifoPolicy = 1;
    private const int RoundRobinPolicy = 2;
    private const int IdlePolicy = 5;
    private const int LowestRealTimePriority = 1;
    private const int HighestRealTimePriority = 99;
    private const int DefaultKernelPriority = 20;

    [SystemCall(24, "sched_yield", Support.Full)]
    public static long Yield(ref SystemCall call)
    {
        Scheduler.Yield();
        return 0;
    }

    [SystemCall(140, "getpriority", Support.Stub, "always nice 0")]
    public static long GetPriority(ref SystemCall call) => DefaultKernelPriority;

    [SystemCall(141, "setpriority", Support.Stub, "accepted without effect")]
    public static long SetPriority(ref SystemCall call) => 0;

    [SystemCall(142, "sched_setparam", Support.Stub, "accepted without effect")]
    public static long SetParameters(ref SystemCall call) => 0;

    [SystemCall(143, "sched_getparam", Support.Stub, "always priority 0")]
    public static long GetParameters(ref SystemCall call)
    {
        int priority = 0;
        return Find(call.A0, ref call) ? SystemCall.Result(new UserPointer<int>(call.A1).Write(call.Process, in priority)) : SystemCall.Fail(Errno.ESRCH);
    }

    [SystemCall(144, "sched_setscheduler", Support.Stub, "SCHED_OTHER, SCHED_BATCH and SCHED_IDLE accepted without effect; real-time policies are EPERM")]
    public static long SetScheduler(ref SystemCall call)
    {
        if (!Find(call.A0, ref call))
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        return (int)call.A1 switch
        {
            FifoPolicy or RoundRobinPolicy => SystemCall.Fail(Errno.EPERM),
            >= OtherPolicy and <= IdlePolicy => 0,
            _ => SystemCall.Fail(Errno.EINVAL),
        };
    }

    [SystemCall(145, "sched_getscheduler", Support.Stub, "always SCHED_OTHER")]
    public static long GetScheduler(ref SystemCall call) => Find(call.A0, ref call) ? OtherPolicy : SystemCall.Fail(Errno.ESRCH);

    [SystemCall(146, "sched_get_priority_max", Support.Full)]
    public static long MaximumPriority(ref SystemCall call) => PriorityOf((int)call.A0, HighestRealTimePriority);

    [SystemCall(147, "sched_get_priority_min", Support.Full)]
    public static long MinimumPriority(ref SystemCall call) => PriorityOf((int)call.A0, LowestRealTimePriority);

    [SystemCall(203, "sched_setaffinity", Support.Stub, "accepted without effect")]
    public static long SetAffinity(ref SystemCall call) => Find(call.A0, ref call) ? 0 : SystemCall.Fail(Errno.ESRCH);

    [SystemCall(204, "sched_getaffinity", Support.Partial, "one processor")]
    public static long GetAffinity(ref SystemCall call)
    {
        ulong mask = 1;
        if (!Find(call.A0, ref call))
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (call.A1 < sizeof(ulong) || call.A1 % sizeof(ulong) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

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

    private static long PriorityOf(int policy, int realTime)
    {
        return policy switch
        {
            FifoPolicy or RoundRobinPolicy => realTime,
            >= OtherPolicy and <= IdlePolicy => 0,
            _ => SystemCall.Fail(Errno.EINVAL),
        };
    }

    private static bool Find(ulong id, ref SystemCall call) => (int)id == 0 || call.Process->Table.Find((uint)id) != null;
}
