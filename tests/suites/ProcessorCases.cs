// Cases about several CPUs and about timers. With -smp 1 the former are skipped.

using System.Numerics;
using System.Threading;
using Lego.Kernel;

namespace Lego.Suites;

/// <summary>Needs no device.</summary>
public static unsafe class ProcessorCases
{
    private const ulong MillisecondNs = 1_000_000;
    private const ulong LongestNs = 10_000 * MillisecondNs;
    private const int Increments = 25;
    private const int Sleepers = 16;

    private static uint s_seenCpus;
    private static uint s_running;
    private static bool s_allEnded;
    private static ulong s_counter;
    private static ulong s_deadlineNs;
    private static bool s_noneEarly;

    public static void Register(CaseList cases)
    {
        cases.Add("processors.every-cpu-runs-threads", &EveryCpuRunsThreads);
        cases.Add("processors.the-kernel-lock-excludes", &TheKernelLockExcludes);
        cases.Add("timers.many-sleepers-wake-and-none-too-early", &SleepersWake);
        cases.Add("timers.the-clock-and-the-timer-agree", &ClockAndTimerAgree);
    }

    private static void EveryCpuRunsThreads(ref Check check)
    {
        if (!HasSeveral(ref check))
        {
            return;
        }

        s_seenCpus = 0;
        s_deadlineNs = Clock.NowNs() + LongestNs;
        RunThreads(ref check, 2 * Processors.Count, &BeSeen);
        check.Equal((ulong)Processors.Count, (ulong)BitOperations.PopCount(s_seenCpus), "CPUs that ran a thread");
    }

    private static void TheKernelLockExcludes(ref Check check)
    {
        if (!HasSeveral(ref check))
        {
            return;
        }

        s_counter = 0;
        int threads = 2 * Processors.Count;
        RunThreads(ref check, threads, &Increment);
        check.Equal((ulong)(threads * Increments), s_counter, "the counter");
    }

    private static void SleepersWake(ref Check check)
    {
        s_noneEarly = true;
        s_running = Sleepers;
        s_allEnded = false;
        for (int index = 0; index < Sleepers; index++)
        {
            // Spawned in an order that is not that of their deadlines.
            Scheduler.Spawn(&SleepInTurn, (void*)(index * 7 % Sleepers), "sleeper"u8);
        }

        check.That(Scheduler.WaitUntil(ref s_allEnded, Clock.NowNs() + LongestNs), "all sleepers wake");
        check.That(s_noneEarly, "none wakes before its time");
    }

    private static void ClockAndTimerAgree(ref Check check)
    {
        // A sleep ends by the APIC timer and is measured with the time stamp counter. The host may add to it, never take away.
        ulong shortestNs = ulong.MaxValue;
        const ulong AskedNs = 30 * MillisecondNs;
        for (int round = 0; round < 5; round++)
        {
            ulong start = Clock.NowNs();
            Scheduler.Sleep(AskedNs);
            ulong lastedNs = Clock.NowNs() - start;
            shortestNs = lastedNs < shortestNs ? lastedNs : shortestNs;
        }

        check.That(shortestNs >= AskedNs && shortestNs < AskedNs + (AskedNs / 2), "the best of five 30 ms sleeps lasts 30 to 45 ms");
    }

    private static bool HasSeveral(ref Check check)
    {
        if (Processors.Count == 1)
        {
            check.Skip("this machine has one CPU");
        }

        return Processors.Count > 1;
    }

    private static void RunThreads(ref Check check, int count, delegate*<void*, void> entry)
    {
        s_running = (uint)count;
        s_allEnded = false;
        for (int index = 0; index < count; index++)
        {
            check.That(Scheduler.Spawn(entry, null, "parallel"u8) != null, "there is memory for a thread");
        }

        check.That(Scheduler.WaitUntil(ref s_allEnded, Clock.NowNs() + (2 * LongestNs)), "all threads end");
    }

    private static void End()
    {
        s_running--;
        s_allEnded = s_running == 0;
        Scheduler.Notify();
    }

    /// <summary>As a program in user mode would: without the kernel lock, so that other CPUs can run kernel code meanwhile.</summary>
    internal static void SpendTime(ulong nanoseconds)
    {
        KernelLock.Release();
        ulong end = Clock.NowNs() + nanoseconds;
        while (Clock.NowNs() < end)
        {
            Cpu.Pause();
        }

        KernelLock.Acquire();
    }

    private static void BeSeen(void* argument)
    {
        while (BitOperations.PopCount(Volatile.Read(ref s_seenCpus)) < Processors.Count && Clock.NowNs() < s_deadlineNs)
        {
            s_seenCpus |= 1u << Cpu.Index;
            SpendTime(2 * MillisecondNs);
            Scheduler.Yield();
        }

        End();
    }

    private static void Increment(void* argument)
    {
        for (int round = 0; round < Increments; round++)
        {
            ulong read = Volatile.Read(ref s_counter);
            for (int pause = 0; pause < 50; pause++)
            {
                Cpu.Pause();
            }

            Volatile.Write(ref s_counter, read + 1);
            SpendTime(1000);
        }

        End();
    }

    private static void SleepInTurn(void* turn)
    {
        ulong deadlineNs = Clock.NowNs() + ((10 + (10 * (ulong)turn)) * MillisecondNs);
        Scheduler.Sleep((10 + (10 * (ulong)turn)) * MillisecondNs);
        s_noneEarly &= Clock.NowNs() >= deadlineNs;
        End();
    }
}
