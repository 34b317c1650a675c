// Stacks for simulated threads. Host threads are kept for later runs, because making one costs more than a whole hand-over. The baton is a
// POSIX semaphore: .NET's own wait primitives cost a multiple of sem_post and sem_wait (some 2 us when both threads share a CPU).

using System;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;

namespace Lego.Simulation;

/// <summary>A host thread that runs one simulated thread after the other.</summary>
internal sealed unsafe partial class HostThread
{
    private const int StackBytes = 1 << 20;
    private const int SemaphoreBytes = 32;

    private static readonly Stack<HostThread> s_idle = new();

    private readonly void* _baton = NativeMemory.AllocZeroed(SemaphoreBytes);
    private Action? _work;

    private HostThread()
    {
        Initialize(_baton, 0, 0);
        new Thread(Loop, StackBytes) { IsBackground = true, Name = "simulated" }.Start();
    }

    /// <summary>
    /// Keeps this thread, and those that it and they will make, on one of the CPUs that it may use: only one of them runs at a time, and a
    /// hand-over to another CPU would wait for that one to wake up.
    /// </summary>
    internal static void StayOn(int index)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.GetCurrentProcess();
        ulong allowed = (ulong)process.ProcessorAffinity;
        int count = BitOperations.PopCount(allowed);
        for (int skipped = 0; count > 0 && skipped < index % count; skipped++)
        {
            allowed &= allowed - 1;
        }

        if (count > 0)
        {
            process.ProcessorAffinity = (nint)(allowed & (~allowed + 1));
        }
    }

    /// <summary>A host thread that begins with <paramref name="work"/> once it gets the baton.</summary>
    internal static HostThread Take(Action work)
    {
        HostThread thread = s_idle.Count > 0 ? s_idle.Pop() : new HostThread();
        thread._work = work;
        return thread;
    }

    /// <summary>Hands the baton to this thread.</summary>
    internal void Resume() => Post(_baton);

    /// <summary>Waits for the baton; called by this thread.</summary>
    internal void Pause()
    {
        // EINTR: the runtime's signals.
        while (Wait(_baton) != 0)
        {
        }
    }

    /// <summary>Offers the thread for the next run. The caller has the baton, and this thread's work is done or about to return.</summary>
    internal void Release() => s_idle.Push(this);

    private void Loop()
    {
        while (true)
        {
            Pause();
            _work!();
        }
    }

    [LibraryImport("libc", EntryPoint = "sem_init")]
    private static partial int Initialize(void* semaphore, int shared, uint value);

    [LibraryImport("libc", EntryPoint = "sem_post")]
    private static partial int Post(void* semaphore);

    [LibraryImport("libc", EntryPoint = "sem_wait")]
    private static partial int Wait(void* semaphore);
}
