// Host stand-in for kernel/threads' Scheduler: one test thread. Waiting means polling until the flag is set; a wait that nothing can end is
// reported as an exception instead of a hang.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>The one thread of a host test.</summary>
public unsafe struct Thread
{
    public uint Id;
    public void* Owner;
    public ulong PageTableRoot;
    public ulong FsBase;
    public ExtendedStateArea* ExtendedState;
    public ulong Turns;
}

/// <summary>Single-threaded: a wait runs the pollers.</summary>
public static unsafe class Scheduler
{
    /// <summary>A test wait that lasts longer than this is a hang.</summary>
    private const ulong HangNs = 10_000_000_000;

    /// <summary>The thread that a test plays; null unless it sets one.</summary>
    [ThreadStatic]
    public static Thread* Current;

    /// <summary>
    /// Threads that were asked for and have not run: there is one stack here. A test runs what it wants with <see cref="RunSpawned"/>.
    /// </summary>
    [ThreadStatic]
    private static Queue<(ThreadBody Body, nint Argument)>? s_spawned;

    /// <summary>Remembers the thread; it runs when the test says so.</summary>
    public static Thread* Spawn(ThreadBody body, void* argument, ReadOnlySpan<byte> name)
    {
        (s_spawned ??= new()).Enqueue((body, (nint)argument));
        return (Thread*)NativeMemory.AllocZeroed((nuint)sizeof(Thread));
    }

    /// <summary>Test only: runs the oldest spawned thread to its end; false when there is none.</summary>
    public static bool RunSpawned()
    {
        if (s_spawned == null || !s_spawned.TryDequeue(out (ThreadBody Body, nint Argument) next))
        {
            return false;
        }

        next.Body.Run((void*)next.Argument);
        return true;
    }

    /// <summary>Test only: forgets the threads of an earlier test.</summary>
    public static void ForgetSpawned() => s_spawned = null;

    /// <summary>Ends the current thread.</summary>
    public static void Exit() => throw new NotSupportedException("Scheduler.Exit on the host");

    /// <summary>Nobody accounts for host threads.</summary>
    public static ulong RunningTimeOf(Thread* current) => 0;

    public static ulong RunTimeOf(Thread* thread) => 0;

    public static bool IsRunnable(Thread* thread) => thread == Current;

    /// <summary>There is nothing to switch to.</summary>
    public static ulong Switches => 0;

    public static void Yield() => Poller.PollAll();

    public static void PassTurn()
    {
    }

    public static void Sleep(ulong nanoseconds)
    {
        ulong end = Clock.NowNs() + nanoseconds;
        while (Clock.NowNs() < end)
        {
            Poller.PollAll();
        }
    }

    public static bool WaitUntil(ref bool flag, ulong deadlineNs)
    {
        ulong start = Clock.NowNs();
        while (!System.Threading.Volatile.Read(ref flag))
        {
            Poller.PollAll();
            ulong now = Clock.NowNs();
            if (now >= deadlineNs)
            {
                return System.Threading.Volatile.Read(ref flag);
            }

            if (now - start > HangNs)
            {
                throw new TimeoutException("Scheduler.WaitUntil: nothing sets the flag");
            }
        }

        return true;
    }

    public static void Notify()
    {
    }

    public const long TimeSliceNs = 4_000_000;
    public const long RealTimeForever = long.MaxValue / 4;

    /// <summary>Who runs next is not decided by time here.</summary>
    public static void SetSlice(Thread* thread, long nanoseconds)
    {
    }

    /// <summary>There is one thread.</summary>
    public static void SetPriority(Thread* thread, byte priority, long sliceNs)
    {
    }

    /// <summary>There is one CPU to run on.</summary>
    public static void SetCpus(Thread* thread, ulong cpus)
    {
    }

    /// <summary>There is no other CPU.</summary>
    public static void Interrupt(Thread* thread)
    {
    }
}
