// What a scheduling policy does (sched(7)). A thread has one of its own. SCHED_FIFO and SCHED_RR go before all others, by priority; the one
// runs until it waits or yields, the other one has slices. SCHED_BATCH and SCHED_IDLE are kept and told, but have the turns of SCHED_OTHER.
// Nothing keeps a part of the CPU free of real-time threads: the kernel's own go before them. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Policies and what they mean to the scheduler.</summary>
public static unsafe class SchedulingPolicy
{
    public const byte Other = 0;
    public const byte Fifo = 1;
    public const byte RoundRobin = 2;
    public const byte Batch = 3;
    public const byte Idle = 5;
    public const byte Deadline = 6;
    public const byte Extensible = 7;
    public const byte LowestRealTime = 1;
    public const byte HighestRealTime = 99;

    /// <summary>Linux's RR_TIMESLICE.</summary>
    private const long RoundRobinSliceNs = 100_000_000;

    public static bool IsRealTime(uint policy) => policy is Fifo or RoundRobin;

    /// <summary>Gives a thread a policy and its priority, 0 for those that have none.</summary>
    public static void Set(UserThread* thread, byte policy, byte priority)
    {
        thread->Policy = policy;
        thread->RealTimePriority = priority;
        Apply(thread);
    }

    /// <summary>What a child of a thread has (SCHED_RESET_ON_FORK: nothing that puts it before others).</summary>
    public static void Inherit(UserThread* from, UserThread* to)
    {
        bool isReset = from->ResetsPolicy;
        to->IoPriority = from->IoPriority;
        to->Policy = isReset && IsRealTime(from->Policy) ? Other : from->Policy;
        to->RealTimePriority = isReset ? (byte)0 : from->RealTimePriority;
    }

    /// <summary>Tells the scheduler, if the thread runs already.</summary>
    public static void Apply(UserThread* thread)
    {
        if (thread->Kernel != null)
        {
            Scheduler.SetPriority(thread->Kernel, thread->RealTimePriority, SliceOf(thread));
        }
    }

    /// <summary>Nanoseconds that it runs before its equals; 0: until it waits (sched_rr_get_interval(2)).</summary>
    public static long IntervalOf(UserThread* thread) => thread->Policy == Fifo ? 0 : SliceOf(thread);

    private static long SliceOf(UserThread* thread)
    {
        return thread->Policy switch
        {
            Fifo => Scheduler.RealTimeForever,
            RoundRobin => RoundRobinSliceNs,
            _ => NiceValue.SliceOf(thread->Process->Nice),
        };
    }
}
