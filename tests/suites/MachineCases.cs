// Cases about what kernel/machine and kernel/threads promise: page routines, the clock, threads, waiting.

using System;
using System.Threading;
using Lego.Kernel;
using Thread = Lego.Kernel.Thread;

namespace Lego.Suites;

/// <summary>Needs no device.</summary>
public static unsafe class MachineCases
{
    private const ulong MillisecondNs = 1_000_000;
    private const uint ThreadCount = 8;
    private const int Rounds = 100;
    private const uint Crowd = 80;
    private const int StackPages = 8;
    /// <summary>Stacks that the scheduler keeps, each with a page for its record, and a little room.</summary>
    private const ulong MostKeptPages = (16 * (StackPages + 1)) + 8;

    private static FrameAllocator? s_frames;
    private static uint s_wanted;
    private static uint s_finished;
    private static bool s_allFinished;
    private static WaitQueue s_queue;
    private static uint s_turn;

    public static void Register(CaseList cases, FrameAllocator frames)
    {
        s_frames = frames;
        cases.Add("machine.page-routines-copy-and-clear", &PageRoutines);
        cases.Add("machine.clock-runs-forward", &ClockRunsForward);
        cases.Add("threads.sleep-lasts-as-long-as-asked", &SleepLasts);
        cases.Add("threads.wait-times-out", &WaitTimesOut);
        cases.Add("threads.spawned-threads-run-and-end", &SpawnedThreadsRun);
        cases.Add("threads.stacks-of-ended-threads-are-given-back", &StacksComeBack);
        cases.Add("threads.wait-queue-hands-over-in-turn", &WaitQueueTurns);
    }

    private static void PageRoutines(ref Check check)
    {
        using Scratch scratch = new(s_frames!, 4);
        byte* start = scratch.Start;
        scratch.Fill(1, 0, scratch.LengthBytes);
        PageOperations.Copy(start + (2 * PageOperations.PageSize), start);
        check.That(scratch.Holds(1, 2 * PageOperations.PageSize, PageOperations.PageSize), "a copied page is equal");
        PageOperations.Clear(start + PageOperations.PageSize);
        bool clear = true;
        for (int index = 0; index < PageOperations.PageSize; index++)
        {
            clear &= start[PageOperations.PageSize + index] == 0;
        }

        check.That(clear, "a cleared page is zero");
        check.That(scratch.Holds(1, 0, PageOperations.PageSize) && scratch.Holds(1, 2 * PageOperations.PageSize, PageOperations.PageSize),
            "neighbours are untouched");

        // Every alignment of both ends, and every short length.
        for (uint lengthBytes = 0; lengthBytes < 70; lengthBytes++)
        {
            for (uint shift = 0; shift < 16; shift++)
            {
                byte* to = start + PageOperations.PageSize + shift;
                byte* from = start + (shift * 3);
                to[-1] = 0xA5;
                to[lengthBytes] = 0xA5;
                PageOperations.CopyBytes(to, from, lengthBytes);
                bool equal = new ReadOnlySpan<byte>(to, (int)lengthBytes).SequenceEqual(new ReadOnlySpan<byte>(from, (int)lengthBytes));
                if (!check.That(equal && to[-1] == 0xA5 && to[lengthBytes] == 0xA5, "CopyBytes copies exactly what it is asked for"))
                {
                    return;
                }
            }
        }
    }

    private static void ClockRunsForward(ref Check check)
    {
        ulong last = Clock.NowNs();
        ulong unixStart = Clock.UnixTimeNs();
        for (int round = 0; round < 10_000; round++)
        {
            ulong now = Clock.NowNs();
            if (!check.That(now >= last, "time never goes back"))
            {
                return;
            }

            last = now;
        }

        const ulong Year2024Ns = 1_704_067_200_000_000_000;
        check.That(unixStart > Year2024Ns && Clock.UnixTimeNs() >= unixStart, "the date is plausible");
    }

    private static void SleepLasts(ref Check check)
    {
        ulong start = Clock.NowNs();
        Scheduler.Sleep(20 * MillisecondNs);
        ulong lasted = Clock.NowNs() - start;
        check.That(lasted >= 20 * MillisecondNs && lasted < 500 * MillisecondNs, "20 ms of sleep last 20 to 500 ms");
    }

    private static void WaitTimesOut(ref Check check)
    {
        bool never = false;
        ulong start = Clock.NowNs();
        check.That(!Scheduler.WaitUntil(ref never, start + (5 * MillisecondNs)), "waiting for a flag that nobody sets times out");
        check.That(Clock.NowNs() - start >= 5 * MillisecondNs, "not before its time");
    }

    private static void SpawnedThreadsRun(ref Check check) => SpawnAndAwait(ref check, ThreadCount);

    private static void StacksComeBack(ref Check check)
    {
        ulong before = s_frames!.FreePages;
        SpawnAndAwait(ref check, Crowd);
        // Long enough for a CPU to find out that it is idle, and to tidy up.
        Scheduler.Sleep(20 * MillisecondNs);
        check.That(s_frames.FreePages + MostKeptPages >= before, "a crowd of threads leaves no more frames behind than a few stacks");
    }

    /// <summary>All threads are there before the first one runs.</summary>
    private static void SpawnAndAwait(ref Check check, uint threads)
    {
        ulong before = s_frames!.FreePages;
        s_wanted = threads;
        s_finished = 0;
        s_allFinished = false;
        for (uint index = 0; index < threads; index++)
        {
            check.That(Scheduler.Spawn(&CountUp, null, "counter"u8) != null, "there is memory for a thread");
        }

        check.That(s_frames.FreePages + ((ulong)threads * StackPages) <= before + MostKeptPages, "each has a stack of its own");
        check.That(Scheduler.WaitUntil(ref s_allFinished, Clock.NowNs() + (20_000 * MillisecondNs)), "all threads finish");
        check.Equal(threads, s_finished, "threads that ran");
    }

    private static void CountUp(void* argument)
    {
        Scheduler.Yield();
        Scheduler.Sleep(MillisecondNs);
        s_finished++;
        s_allFinished = s_finished == s_wanted;
        Scheduler.Notify();
    }

    private static void WaitQueueTurns(ref Check check)
    {
        s_turn = 0;
        s_finished = 0;
        s_allFinished = false;
        for (int index = 0; index < ThreadCount; index++)
        {
            Scheduler.Spawn(&TakeTurns, (void*)index, "turns"u8);
        }

        check.That(Scheduler.WaitUntil(ref s_allFinished, Clock.NowNs() + (10_000 * MillisecondNs)), "every turn is taken");
        check.Equal(ThreadCount * Rounds, s_turn, "turns");
    }

    private static void TakeTurns(void* argument)
    {
        for (int round = 0; round < Rounds; round++)
        {
            while (s_turn % ThreadCount != (uint)argument)
            {
                s_queue.Wait();
            }

            s_turn++;
            s_queue.WakeAll();
        }

        s_finished++;
        s_allFinished = s_finished == ThreadCount;
        Scheduler.Notify();
    }
}
