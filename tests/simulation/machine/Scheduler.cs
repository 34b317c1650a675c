// Simulation stand-in for kernel/threads' Scheduler: the blocking points of kernel code, each of which is a choice of the run. See
// core/Simulation.cs for the model.

using System;
using System.Text;
using System.Threading;

namespace Lego.Kernel;

/// <summary>Blocks, wakes and switches simulated threads.</summary>
public static unsafe class Scheduler
{
    /// <summary>How often a waiter polls for its flag instead of giving the CPU away, and for how long.</summary>
    private const int SpinsPerMille = 400;
    private const ulong SpinNs = 60_000;
    /// <summary>How often the way to user mode polls, as after an interrupt, and gives way to others.</summary>
    private const int InterruptsPerMille = 100;
    private const int GiveWayPerMille = 300;

    public static Thread* Current => Simulation.Simulation.Machine.Current;

    public static ulong Switches => Simulation.Simulation.Machine.Switches;

    public static Thread* Spawn(ThreadBody body, void* argument, ReadOnlySpan<byte> name) =>
        Simulation.Simulation.Machine.Simulation.Spawn(body, (nint)argument, Encoding.ASCII.GetString(name)).Kernel;

    /// <summary>Simulated programs take no processor time.</summary>
    public static ulong RunningTimeOf(Thread* current) => 0;

    public static ulong RunTimeOf(Thread* thread) => 0;

    public static bool IsRunnable(Thread* thread) => thread == Current;

    /// <summary>Ends the current thread.</summary>
    public static void Exit()
    {
        Thread* thread = Current;
        thread->PageTableRoot = 0;
        thread->Owner = null;
        Simulation.Simulation.Machine.Simulation.EndCurrent();
    }

    public static void Yield()
    {
        Poller.PollAll();
        Simulation.Simulation.Machine.Simulation.YieldCurrent();
    }

    public static void PassTurn() => Simulation.Simulation.Machine.Simulation.YieldCurrent();

    public static void Sleep(ulong nanoseconds) => Simulation.Simulation.Machine.Simulation.Block(Clock.NowNs() + nanoseconds);

    public static bool WaitUntil(ref bool flag, ulong deadlineNs)
    {
        Simulation.SimThread self = Simulation.Simulation.Thread;
        Simulation.SimMachine machine = self.Machine;
        Simulation.Simulation simulation = machine.Simulation;
        fixed (bool* address = &flag)
        {
            ulong spinsUntilNs = simulation.Choices.Chance(SpinsPerMille) ? simulation.NowNs + SpinNs : 0;
            while (true)
            {
                if (Volatile.Read(ref flag))
                {
                    return true;
                }

                Poller.PollAll();
                if (Volatile.Read(ref flag))
                {
                    return true;
                }

                ulong now = Clock.NowNs();
                if (now >= deadlineNs)
                {
                    return false;
                }

                self.Flag = address;
                if (now >= spinsUntilNs)
                {
                    simulation.Block(deadlineNs);
                    return *address;
                }

                machine.Spinner = self;
                simulation.Block(Math.Min(deadlineNs, spinsUntilNs));
            }
        }
    }

    /// <summary>Says that a flag some thread waits for has been set.</summary>
    public static void Notify() => Simulation.Simulation.Machine.Notified = true;

    public const long TimeSliceNs = 4_000_000;
    public const long RealTimeForever = long.MaxValue / 4;

    /// <summary>Who runs next is not decided by time here.</summary>
    public static void SetSlice(Thread* thread, long nanoseconds)
    {
    }

    /// <summary>Who runs is what the seed says.</summary>
    public static void SetPriority(Thread* thread, byte priority, long sliceNs)
    {
    }

    /// <summary>There is one CPU to run on.</summary>
    public static void SetCpus(Thread* thread, ulong cpus)
    {
    }

    /// <summary>Each machine has one CPU.</summary>
    public static void Interrupt(Thread* thread)
    {
    }

    /// <summary>What is due before user mode: an interrupt's poll, other threads. True: something has happened.</summary>
    internal static bool BeforeUserMode(Thread* current)
    {
        bool gaveWay = false;
        Simulation.Simulation simulation = Simulation.Simulation.Machine.Simulation;
        if (simulation.Choices.Chance(InterruptsPerMille))
        {
            Poller.PollAll();
            gaveWay = true;
        }

        if (simulation.Choices.Chance(GiveWayPerMille))
        {
            simulation.YieldCurrent();
            gaveWay = true;
        }

        return gaveWay;
    }
}
