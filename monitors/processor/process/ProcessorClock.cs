// Clocks of processor time by their numbers (clock_getcpuclockid(3), pthread_getcpuclockid(3); Linux: posix-cpu-timers.c): the complement
// of an id above three bits, of which the third says that it is a thread's and the others what part is counted. Id 0 is the caller. A
// thread's clock is for its own process only. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What somebody wants of a clock.</summary>
public enum ClockUse : byte
{
    Read,
    /// <summary>Timers, resolution, setting: an id of a process must be its own id, not that of one of its threads.</summary>
    Other,
}

/// <summary>The processor time of a process or a thread; zero-initialised: of nobody. It does not keep them.</summary>
public struct ProcessorClock
{
    /// <summary>The clock of the calling process, CLOCK_PROCESS_CPUTIME_ID, by its number.</summary>
    public const int OwnProcess = -6;
    /// <summary>The clock of the calling thread, CLOCK_THREAD_CPUTIME_ID, by its number.</summary>
    public const int OwnThread = -2;

    private const int PartMask = 3;
    private const int UserPart = 1;
    private const int ScheduledPart = 2;
    private const int ThreadBit = 4;
    private const int IdShift = 3;

    private ProcessReference _process;
    /// <summary>0: all threads.</summary>
    private uint _threadId;
    private bool _countsUser;

    /// <summary>True for a number that may be a clock of processor time; others below 0 are clocks of devices.</summary>
    public static bool IsNumber(int clock) => clock < 0 && (clock & (PartMask | ThreadBit)) != PartMask;

    /// <summary>True for the clock of the thread itself, on which it cannot wait.</summary>
    public static unsafe bool IsOwnThread(Process* caller, int clock)
    {
        uint id = (uint)~(clock >> IdShift);
        return (clock & ThreadBit) != 0 && (id == 0 || id == UserThread.ActingFor(caller)->Id);
    }

    /// <summary>True for a clock that is counted at ticks on Linux, which shows in its resolution.</summary>
    public static bool IsCoarse(int clock) => (clock & PartMask) != ScheduledPart;

    /// <summary>The clock with a number; false: there is none, or not for this caller.</summary>
    public static unsafe bool TryFind(Process* caller, int clock, ClockUse use, out ProcessorClock found)
    {
        found = default;
        int part = clock & PartMask;
        uint id = (uint)~(clock >> IdShift);
        UserThread* acting = UserThread.ActingFor(caller);
        if (clock >= 0 || part > ScheduledPart)
        {
            return false;
        }

        Process* process = caller;
        if ((clock & ThreadBit) != 0)
        {
            UserThread* thread = id == 0 ? acting : Visibility.FindThread(caller, id);
            if (thread == null || thread->Process != caller)
            {
                return false;
            }

            found._threadId = thread->Id;
        }
        else if (id != 0 && !(use == ClockUse.Read && id == acting->Id))
        {
            process = Visibility.FindProcess(caller, id);
        }

        if (process == null)
        {
            return false;
        }

        found._process = ProcessReference.Of(process);
        found._countsUser = part == UserPart;
        return true;
    }

    /// <summary>The time; false: who has used it is gone.</summary>
    public readonly unsafe bool TryRead(Processes table, out ulong nanoseconds)
    {
        nanoseconds = 0;
        Process* process = _process.Find(table);
        UserThread* thread = process == null || _threadId == 0 ? null : table.UserThreads.Find(_threadId);
        if (process == null || (_threadId != 0 && (thread == null || thread->Process != process)))
        {
            return false;
        }

        ulong userNs;
        ulong systemNs;
        if (thread != null)
        {
            CpuTime.Of(thread, out userNs, out systemNs);
        }
        else
        {
            CpuTime.Of(process, out userNs, out systemNs);
        }

        nanoseconds = _countsUser ? userNs : userNs + systemNs;
        return true;
    }
}
