// What a nice value does (sched(7)): a process that is nicer by one has four fifths of the time of another one that computes, as on Linux
// (sched_prio_to_weight), because its slices are that long. Slices have bounds, so that one switch costs little of the shortest and nobody
// waits for the longest: below nice -10 and above nice 12 nothing changes any more. A process has one value, as POSIX says, not each of its
// threads. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Time slices by nice value.</summary>
public static unsafe class NiceValue
{
    public const int Lowest = -20;
    public const int Highest = 19;
    private const int LowestThatCounts = -10;
    private const int HighestThatCounts = 12;

    /// <summary>Nanoseconds of a slice.</summary>
    public static long SliceOf(int nice)
    {
        int steps = Math.Clamp(nice, LowestThatCounts, HighestThatCounts);
        long slice = Scheduler.TimeSliceNs;
        for (; steps > 0; steps--)
        {
            slice = slice * 4 / 5;
        }

        for (; steps < 0; steps++)
        {
            slice = slice * 5 / 4;
        }

        return slice;
    }

    /// <summary>Gives a process a value, and its threads the slices.</summary>
    public static void Set(Process* process, int nice)
    {
        process->Nice = (sbyte)nice;
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            if (thread->Kernel != null && thread->RealTimePriority == 0)
            {
                Scheduler.SetSlice(thread->Kernel, SliceOf(nice));
            }
        }
    }
}
