// What the threads of this machine share: the state of kernel/threads. It stands here because a machine is what there is once, and nothing
// outside this folder has static variables; a simulation of several machines brings its own scheduler. Touched with the kernel lock held.

namespace Lego.Kernel;

/// <summary>Variables of scheduler, poller and spin budget.</summary>
internal static unsafe class MachineThreads
{
    // The scheduler (kernel/threads/Scheduler.cs).
    internal static FrameAllocator? Frames;
    internal static Slab<Thread>? Threads;
    /// <summary>Ended threads that are kept with their stacks for those that come next (kernel/threads/SpareThreads.cs).</summary>
    internal static Thread* SpareThreads;
    internal static int SpareThreadCount;
    internal static RunQueue KernelThreads;
    internal static RunQueue Woken;
    internal static RunQueue Ordinary;
    /// <summary>Threads that wait for a flag: looked at when somebody notifies. With or without a deadline.</summary>
    internal static WaitList FlagWaiters;
    /// <summary>Threads that wait in a queue or sleep until a deadline: looked at when the next one has come.</summary>
    internal static WaitList Sleepers;
    internal static uint NextId;
    internal static ulong NextDeadlineNs = ulong.MaxValue;
    internal static bool Notified;
    internal static ulong Switches;
    internal static bool TimerFired;
    /// <summary>The thread that has just blocked has used the budget up: the idle loop need not poll for it again.</summary>
    internal static bool PolledInVain;

    // The poller (kernel/threads/Poller.cs).
    internal static PollSource[]? PollSources;
    internal static int PollSourceCount;
    internal static Poller.WakeupState Wakeups;

    // How long a wait polls (kernel/threads/SpinBudget.cs).
    internal static ulong LeastSpinNs;
    internal static ulong MostSpinNs = SpinBudget.DefaultMostNs;
    internal static uint SpinFailuresAtMost;
    internal static uint HopelessSpins;
    internal static ulong SpinNs;
}
