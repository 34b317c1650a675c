// Everything that may have work without being called: fabric endpoints, device completion queues, timers. A waiting thread and the idle
// loop poll all sources; before the machine halts they arm wake-ups, so that new work raises an interrupt that ends the halt.
// Poll must not block and may run in any thread's context. Sources register at boot and stay.

namespace Lego.Kernel;

/// <summary>Something that the idle loop and waiting threads look at.</summary>
public abstract class PollSource
{
    /// <summary>Handles what has arrived; true when there was something. Must not block.</summary>
    [NoBlock]
    public abstract bool Poll();

    /// <summary>From now on an interrupt comes for new work. Poll is called once more afterwards, so nothing slips through.</summary>
    [NoBlock]
    public virtual void ArmWakeup()
    {
    }

    /// <summary>Interrupts for new work are not needed while the machine polls.</summary>
    [NoBlock]
    public virtual void DisarmWakeup()
    {
    }
}

/// <summary>The list of sources of this machine.</summary>
public static class Poller
{
    private const int MaxSources = 32;

    internal enum WakeupState
    {
        /// <summary>Nobody interrupts: the machine polls.</summary>
        Disarmed,
        /// <summary>One source has been disarmed for a moment by whoever polls it alone; the others interrupt.</summary>
        Suspended,
        Armed,
    }

    /// <summary>Adds a source; boot time only.</summary>
    public static void Register(PollSource source)
    {
        MachineThreads.PollSources ??= new PollSource[MaxSources];
        if (MachineThreads.PollSourceCount == MaxSources)
        {
            Panic.Because("Poller.Register: too many sources");
        }

        MachineThreads.PollSources[MachineThreads.PollSourceCount++] = source;
    }

    /// <summary>True while interrupts announce new work.</summary>
    public static bool IsArmed => MachineThreads.Wakeups == WakeupState.Armed;

    /// <summary>Polls every source once; true when any had work.</summary>
    [NoBlock]
    public static bool PollAll()
    {
        bool worked = false;
        PollSource[] sources = MachineThreads.PollSources!;
        int count = MachineThreads.PollSourceCount;
        for (int index = 0; index < count; index++)
        {
            worked |= sources[index].Poll();
        }

        return worked;
    }

    /// <summary>Asks every source for interrupts. The caller polls once more before it halts or leaves for user mode.</summary>
    public static void Arm()
    {
        if (MachineThreads.Wakeups == WakeupState.Armed)
        {
            return;
        }

        MachineThreads.Wakeups = WakeupState.Armed;
        for (int index = 0; index < MachineThreads.PollSourceCount; index++)
        {
            MachineThreads.PollSources![index].ArmWakeup();
        }
    }

    /// <summary>Tells every source that it is being polled.</summary>
    public static void Disarm()
    {
        if (MachineThreads.Wakeups == WakeupState.Disarmed)
        {
            return;
        }

        MachineThreads.Wakeups = WakeupState.Disarmed;
        for (int index = 0; index < MachineThreads.PollSourceCount; index++)
        {
            MachineThreads.PollSources![index].DisarmWakeup();
        }
    }

    /// <summary>
    /// For a kernel entry that waits for one source only and comes right back to user mode: the caller disarms that source, polls it, arms
    /// it, and calls <see cref="Resume"/>. If anything else happens in between, the next Arm or Disarm reaches all sources as usual.
    /// </summary>
    public static void Suspend() => MachineThreads.Wakeups = WakeupState.Suspended;

    /// <summary>Ends a suspension; false when it has ended otherwise.</summary>
    public static bool Resume()
    {
        if (MachineThreads.Wakeups != WakeupState.Suspended)
        {
            return false;
        }

        MachineThreads.Wakeups = WakeupState.Armed;
        return true;
    }
}
